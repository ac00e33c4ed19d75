"""The library behind NumPy's products: `python -m bench.blas` prints one line of JSON."""

from __future__ import annotations

import importlib.util
import json
from typing import Any


def described(info: list[dict[str, Any]]) -> str:
    """Return name, version and kernels of the first BLAS among the loaded libraries."""
    for library in info:
        if library["user_api"] == "blas":
            kernels = library.get("architecture")
            words = f"{library['internal_api']} {library['version']}"
            return f"{words} with its kernels for {kernels}" if kernels else words
    return "a BLAS without a name"


def main() -> None:
    """Import NumPy and print its BLAS."""
    import numpy as np

    del np
    if importlib.util.find_spec("threadpoolctl"):
        from threadpoolctl import threadpool_info

        print(json.dumps({"blas": described(threadpool_info())}))
    else:
        print(json.dumps({"blas": "a BLAS unknown without threadpoolctl"}))


if __name__ == "__main__":
    main()
