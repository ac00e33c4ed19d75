#!/usr/bin/env bash
# torch 2.13.0: `LPPool2d(p, k)` is documented as the p-norm of each window, (sum of x^p)^(1/p). One
# would expect a norm: never negative, finite for finite input, and that of the pixels in the window.
#
# Seen:
# - odd p takes powers with their sign: the window -3, 1, 1, 0 gives -1 for p = 1, and NaN for p = 3,
#   because a negative sum is raised to 1/3;
# - with ceil_mode, a window cut off by the border counts as if it were whole: a 3 x 3 image of ones,
#   pooled 2 x 2 with p = 2, gives 2 everywhere, also where the window holds one or two pixels (whose
#   norms are 1 and 1.41).
#
# So weights trained behind an odd p, or with ceil_mode on sizes that do not divide, mean something
# else in a library that takes the norm of the window. Fails if the behaviour changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$work/venv/bin/python" - <<'PYTHON'
import math

import torch
from torch.nn import LPPool2d

print("torch", torch.__version__)
window = torch.tensor([[-3.0, 1.0], [1.0, 0.0]]).reshape(1, 1, 2, 2)
pooled = {p: LPPool2d(p, 2)(window).item() for p in (1, 2, 3)}
print("window -3, 1, 1, 0:", pooled)
assert pooled[1] == -1
assert math.isclose(pooled[2], math.sqrt(11), rel_tol=1e-6)
assert math.isnan(pooled[3])

cut = LPPool2d(2, 2, ceil_mode=True)(torch.ones(1, 1, 3, 3))
print("3 x 3 ones, 2 x 2 windows, ceil_mode:", cut.flatten().tolist())
assert torch.equal(cut, torch.full((1, 1, 2, 2), 2.0))
PYTHON
