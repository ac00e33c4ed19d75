"""Updates of many parameters by one library: `python -m bench.optimizers_worker PEER`.

A request (see `bench.serving`) is the name of an optimizer, the answer billions of bytes per
second by name; that of gyaku has the memory's speed too.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from bench.peers import OWN
from bench.serving import serve
from bench.timing import repeated, seconds

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 10_000_000
MEMORY = "memory"
FORMS = ("fused", "foreach")
"""PyTorch's forms; not each optimizer has both."""

STATES = {
    "SGD": 0,
    "Momentum": 1,
    "AdaGrad": 1,
    "RMSProp": 1,
    "AdaDelta": 2,
    "Adam": 2,
    "AdamW": 2,
}
"""Arrays that an optimizer keeps from step to step, each read and written."""


def gigabytes(name: str) -> float:
    """Return the billions of bytes that an update reads and writes."""
    return 4e-9 * SIZE * (3 + 2 * STATES[name])


def with_gyaku(name: str) -> dict[str, Callable[[], object]]:
    """Return the update by the function of `gyaku.ops`."""
    import numpy as np

    from gyaku import memory, ops

    arrays = [memory.zeros((SIZE,), np.float32) for _ in range(2 + STATES[name])]
    params, grads, *states = arrays
    grads[:] = np.random.default_rng(0).standard_normal(SIZE, np.float32)
    clock = np.array([1, 1e-3, 0.9, 0.999])
    call: Callable[..., None] = getattr(ops, name.lower())
    return {OWN: lambda: call(params, grads, *states, clock)}


def with_torch(name: str) -> dict[str, Callable[[], object]]:
    """Return the update by each of PyTorch's forms."""
    import torch

    kinds: dict[str, tuple[Any, dict[str, float]]] = {
        "SGD": (torch.optim.SGD, {}),
        "Momentum": (torch.optim.SGD, {"momentum": 0.9}),
        "AdaGrad": (torch.optim.Adagrad, {}),
        "RMSProp": (torch.optim.RMSprop, {}),
        "AdaDelta": (torch.optim.Adadelta, {}),
        "Adam": (torch.optim.Adam, {}),
        "AdamW": (torch.optim.AdamW, {}),
    }
    kind, arguments = kinds[name]
    calls: dict[str, Callable[[], object]] = {}
    for form in FORMS:
        param = torch.nn.Parameter(torch.zeros(SIZE))
        param.grad = torch.randn(SIZE)
        try:
            rule = kind([param], lr=1e-3, **arguments, **{form: True})
            rule.step()
        except (TypeError, RuntimeError):
            continue  # there is no such form
        calls[f"torch {form}"] = rule.step
    return calls


def measure(peer: str, name: str) -> dict[str, float]:
    """Return speeds by name."""
    calls = {OWN: with_gyaku, "torch": with_torch}[peer](name)
    work = gigabytes(name)
    found = {who: work / seconds(repeated(call)) for who, call in calls.items()}
    if peer == OWN:
        from gyaku import _core

        found[MEMORY] = _core.measure_bandwidth(4 * SIZE, _core.num_threads()) / 1e9
    return found


def main(peer: str) -> None:
    """Answer requests."""
    serve(lambda arguments: measure(peer, *arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
