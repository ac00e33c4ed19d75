// Splits the update of an optimizer by parameter, so that each part can follow its own gradient.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "program/task.h"
#include "runtime/arena.h"

namespace gyaku {

// Where a product writes the gradient of a matrix, the corresponding part of the update becomes a
// task over the same rows: the member that computed a row of the gradient updates that row while it
// is in the cache, without a barrier. The remainder stays in pieces. An update is elementwise, so
// that no bit depends on the partition.
void split_updates(std::vector<Task>& tasks);

// A product whose weights nobody else reads but their update, by k-blocks: a member multiplies by
// the rows that it updates, or that a few members update. Before a core writes what another one has
// read, the other's copy must go, which takes as long as a dozen multiply-adds for each number, and
// much longer if the two cores have no cache in common. The sums of the blocks are added as one
// task would add them, so that no bit changes. `members`: of the largest team. Returns the memory
// for the products of the blocks.
std::vector<std::pair<Block, std::int64_t>> split_products(std::vector<Task>& tasks, int members);

// Where the gradient is that from a single sample, its part of the update forms it row by row, and
// stores it only if `*keeps`. Whether there is any.
bool merge_outer_products(std::vector<Task>& tasks, const bool* keeps);

} // namespace gyaku
