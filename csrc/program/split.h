// Cuts an optimizer's update by the parameters, so that each part can follow its own gradient.
#pragma once

#include <vector>

#include "program/task.h"

namespace gyaku {

// Where a product writes the gradient of a matrix, the part of the update that reads it becomes a
// task of its own over the same rows: the member that computed a row of the gradient updates that
// row while it is in the cache, without a barrier. The remainder stays as it was, in pieces. An
// update is elementwise, so that no bit depends on the cut.
void split_updates(std::vector<Task>& tasks);

} // namespace gyaku
