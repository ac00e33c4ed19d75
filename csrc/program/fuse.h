// Rewrites of neighbouring tasks into one that does the same arithmetic with less memory traffic.
#pragma once

#include <vector>

#include "program/task.h"

namespace gyaku {

// Every rewrite keeps every bit of what other tasks read; what only the joined tasks passed to each
// other is no longer written. Host tasks stand where they stood.
void fuse(std::vector<Task>& tasks);

} // namespace gyaku
