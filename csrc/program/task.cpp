#include "program/task.h"

#include "kernels/args/conv.h"
#include "kernels/args/gemm.h"
#include "kernels/args/optimizer.h"

namespace gyaku {

bool Task::is_product() const { return takes<MatmulArgs>(); }
bool Task::is_convolution() const { return takes<ConvArgs>(); }
bool Task::is_update() const { return takes<UpdateArgs>(); }

} // namespace gyaku
