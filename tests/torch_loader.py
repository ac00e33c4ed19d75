"""Record the batches of PyTorch's DataLoader for several data sets, as JSON on standard output.

The file beside this one, torch_loader.json, was made by PyTorch 2.13.0::

    python tests/torch_loader.py > tests/torch_loader.json
"""

from __future__ import annotations

import json
from typing import Any


def recorded() -> dict[str, list[Any]]:
    """Return the batches by kind of data set; the type of a collated batch is checked."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(1)
    x, y = torch.round(torch.randn(11, 4), decimals=3), torch.arange(11) % 3
    sets: dict[str, tuple[Any, type, dict[str, Any]]] = {
        "pair": (TensorDataset(x, y), list, {"num_workers": 2}),
        "names": ([{"x": a, "y": b} for a, b in zip(x, y, strict=True)], dict, {}),
        "stack": (
            list(zip(x, y, strict=True)),
            tuple,
            {"collate_fn": lambda rows: tuple(map(torch.stack, zip(*rows, strict=True)))},
        ),
    }
    found: dict[str, list[Any]] = {}
    for kind, (data, collated, options) in sets.items():
        batches = list(DataLoader(data, batch_size=4, **options))
        assert all(type(batch) is collated for batch in batches)
        found[kind] = [
            {name: each.tolist() for name, each in batch.items()}
            if isinstance(batch, dict)
            else [each.tolist() for each in batch]
            for batch in batches
        ]
    return found


if __name__ == "__main__":
    print(json.dumps(recorded()))
