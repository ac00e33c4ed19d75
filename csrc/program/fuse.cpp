#include "program/fuse.h"

#include "program/rewrite.h"

namespace gyaku {

namespace {

// A sum with another branch, then an activation or a derivative.
bool fuse_elementwise(std::vector<Task>& tasks, std::size_t first,
                      std::span<const Temporary> temporaries) {
  const bool is_sum = fuse_sum(tasks, first, temporaries);
  return fuse_activation(tasks, first, temporaries) || fuse_derivative(tasks, first, temporaries) ||
         is_sum;
}

// Rewrites of products and convolutions with the tasks behind them.
bool fuse_followers(std::vector<Task>& tasks, std::size_t first,
                    std::span<const Temporary> temporaries) {
  const bool is_fused = fuse_elementwise(tasks, first, temporaries);
  const auto last = tasks[first].is_product() ? fuse_column_sums : fuse_pool;
  return last(tasks, first, temporaries) || is_fused;
}

template <KernelId... ids> bool is_any(const Task& task) { return (task.is(ids) || ...); }

struct Rule {
  bool (*triggers)(const Task&);
  Rewrite* rewrite;
  bool takes_away = false; // removes the task itself: the next one takes its index
};
// Each is applied to all tasks before the next one.
constexpr Rule rules[] = {
    {is_any<KernelId::gather, KernelId::gather_images>, fuse_rescale},
    {is_any<KernelId::gather>, share_gathered},
    {is_any<KernelId::round_rows>, share_rounded},
    {is_any<KernelId::pack_pairs>, share_packed},
    {is_any<KernelId::pack_pairs>, fuse_packed_sums},
    {is_any<KernelId::dropout>, fuse_dropout_backward, true},
    {is_any<KernelId::max_pool_backward>, commute_pool_backward},
    {is_any<KernelId::squared_error>, fuse_loss_derivative},
    {[](const Task& task) { return task.is_product() || task.is_convolution(); }, fuse_followers},
    {is_any<KernelId::batch_norm>, fuse_elementwise},
    {is_any<KernelId::matmul>, skip_zeros},
    {is_any<KernelId::matmul_pairs>, skip_zeros_in_pairs},
};

} // namespace

void fuse(std::vector<Task>& tasks, std::span<const Temporary> temporaries) {
  for (const auto& [triggers, rewrite, takes_away] : rules)
    for (std::size_t i = 0; i < tasks.size();) {
      const bool is_rewritten = triggers(tasks[i]) && rewrite(tasks, i, temporaries);
      if (!(is_rewritten && takes_away)) ++i;
    }
}

} // namespace gyaku
