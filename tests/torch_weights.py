"""Record modules of PyTorch with weights, outputs and gradients, as JSON on the standard output.

The file beside this one, torch_weights.json, was made by PyTorch 2.13.0, in float64::

    python tests/torch_weights.py > tests/torch_weights.json
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

# Shapes of a sample, channels first; ids below 11 for those of one axis.
SHAPES = {
    "images": (2, 7, 6),
    "text": (6,),
    "lstm": (5,),
    "gru": (5,),
    "rnn": (5,),
    "transposed": (4, 3, 3),
}


def modules() -> dict[str, Any]:
    """Return the modules by name."""
    from torch import nn

    class Transposed(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.transpose(1, 2)

    class Outputs(nn.Module):
        def forward(self, x: Any) -> Any:
            return x[0]

    def recurrent(kind: str, **options: Any) -> nn.Sequential:
        layer = getattr(nn, kind)(3, 2, 2, batch_first=True, **options)
        width = 4 if options.get("bidirectional") else 2
        return nn.Sequential(nn.Embedding(11, 3), layer, Outputs(), nn.Linear(width, 2))

    return {
        "images": nn.Sequential(
            *(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(4, 4, 2, groups=2, bias=False), nn.Flatten(), nn.BatchNorm1d(16)),
            *(nn.Linear(16, 5), nn.LayerNorm(5), nn.Tanh(), nn.Linear(5, 3)),
        ),
        "text": nn.Sequential(
            *(nn.Embedding(11, 3), Transposed(), nn.Conv1d(3, 4, 3, padding=1), nn.ReLU()),
            *(nn.MaxPool1d(2), nn.Flatten(), nn.Linear(12, 2)),
        ),
        "lstm": recurrent("LSTM", bidirectional=True),
        "gru": recurrent("GRU", bidirectional=True),
        "rnn": recurrent("RNN"),
        "transposed": nn.Sequential(
            nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2)
        ),
    }


def recorded(name: str, module: Any) -> dict[str, Any]:
    """Return the state dict, its file, outputs and all gradients, in evaluation."""
    import torch

    for buffer in module.buffers():  # statistics that are not those of the beginning
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5)
    module.eval()
    shape = SHAPES[name]
    x = torch.randint(0, 11, (3, *shape)) if len(shape) == 1 else torch.randn(3, *shape)
    y = module(x)
    dy = torch.randn_like(y)
    y.backward(dy)
    stream = io.BytesIO()
    torch.save(module.state_dict(), stream)
    return {
        "x": x.tolist(),
        "y": y.tolist(),
        "dy": dy.tolist(),
        "state": {key: each.tolist() for key, each in module.state_dict().items()},
        "grads": {key: each.grad.tolist() for key, each in module.named_parameters()},
        "file": stream.getvalue().hex(),
    }


def load() -> dict[str, Any]:
    """Return the records by name."""
    loaded: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text())
    return loaded


if __name__ == "__main__":
    import torch

    torch.set_default_dtype(torch.float64)
    torch.manual_seed(1)
    print(json.dumps({name: recorded(name, each) for name, each in modules().items()}))
