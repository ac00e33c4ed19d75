// Splits the update of an optimizer by parameter, so that each part can follow its own gradient.
#pragma once

#include <vector>

#include "program/task.h"

namespace gyaku {

// Where a product writes the gradient of a matrix, the corresponding part of the update becomes a
// task over the same rows: the member that computed a row of the gradient updates that row while it
// is in the cache, without a barrier. The remainder stays in pieces. An update is elementwise, so
// that no bit depends on the partition.
void split_updates(std::vector<Task>& tasks);

// Where the gradient is that from a single sample, its part of the update forms it row by row, and
// stores it only if `*keeps`. Whether there is any.
bool merge_outer_products(std::vector<Task>& tasks, const bool* keeps);

} // namespace gyaku
