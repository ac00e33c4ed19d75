#!/usr/bin/env bash
# distributed 2026.8.0: a LocalCluster of processes limits its workers to one thread each by setting
# OMP_NUM_THREADS, MKL_NUM_THREADS and OPENBLAS_NUM_THREADS in the environment of the process that
# starts it, and leaves them there when it is closed: every program started afterwards, and every
# library that reads the environment late, runs on one thread. One would expect the limits to reach
# the workers only, or to end with the cluster.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet distributed==2026.8.0
unset OMP_NUM_THREADS MKL_NUM_THREADS OPENBLAS_NUM_THREADS
cat >"$folder/cluster.py" <<'PYTHON'
import os
import subprocess
import sys

import distributed

NAMES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
CHILD = f"import os; print(*(os.environ.get(name) for name in {NAMES}))"


def told():
    """Return what a program started now finds."""
    return subprocess.check_output([sys.executable, "-c", CHILD], text=True).strip()


if __name__ == "__main__":
    before = told()
    with distributed.LocalCluster(n_workers=1, processes=True, dashboard_address=None):
        pass
    after = told()
    print(f"before the cluster: {before}; after it was closed: {after}")
    assert (before, after) == ("None None None", "1 1 1")
PYTHON
"$folder/venv/bin/python" "$folder/cluster.py"
