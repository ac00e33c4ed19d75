// Fusion of neighbouring tasks, with the same arithmetic and less memory traffic.
#pragma once

#include <span>
#include <vector>

#include "program/plan.h"
#include "program/task.h"

namespace gyaku {

// No rewrite changes a bit that others read; temporaries between the fused tasks are no longer
// written. Host tasks keep their position.
void fuse(std::vector<Task>& tasks, std::span<const Temporary> temporaries);

} // namespace gyaku
