// Rewrites of neighbouring tasks into one that does the same arithmetic with less memory traffic.
#pragma once

#include <span>
#include <vector>

#include "program/plan.h"
#include "program/task.h"

namespace gyaku {

// Every rewrite keeps every bit of what others read; a temporary that only the joined tasks passed
// to each other is no longer written. Host tasks stand where they stood.
void fuse(std::vector<Task>& tasks, std::span<const Temporary> temporaries);

} // namespace gyaku
