"""Write the files of this folder: `python with_torch.py FOLDER`, PyTorch 2.13.0, onnxscript 0.7.2.

Each module is exported twice: NAME_old.onnx through TorchScript, NAME_new.onnx through
torch.export.
"""

from __future__ import annotations

import sys

import onnx
import torch
from torch import nn


class Tagger(nn.Module):
    """Ids to a label for each step, through both kinds of gated layers."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(9, 3)
        self.lstm = nn.LSTM(3, 4, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(8, 2, batch_first=True)
        self.out = nn.Linear(2, 3)

    def forward(self, x):
        y, _ = self.lstm(self.embed(x))
        y, _ = self.gru(y)
        return self.out(y)


class Last(nn.Module):
    """The last step of a sequence, by its index."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(2, 3, batch_first=True)
        self.out = nn.Linear(3, 2)

    def forward(self, x):
        y, _ = self.lstm(x)
        return self.out(y[:, -1])


class Residual(nn.Module):
    """Batch norm, groups, GELU, a sum of branches, and global pooling."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.b = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.out = nn.Linear(4, 2)

    def forward(self, x):
        a = torch.relu(self.norm(self.a(x)))
        y = nn.functional.gelu(self.b(a)) + a
        return self.out(nn.functional.adaptive_avg_pool2d(y, 1).flatten(1))


def cnn():
    """Images that are flattened with channels first."""
    return nn.Sequential(
        *(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)),
        *(nn.Conv2d(3, 4, 2), nn.SiLU(), nn.Flatten(), nn.Linear(24, 5), nn.Tanh()),
        *(nn.Linear(5, 2), nn.Softmax(dim=1)),
    )


def strip(path):
    """Remove the places in the sources that torch.export notes for each node."""
    proto = onnx.load(path)
    for each in (proto, proto.graph, *proto.graph.node, *proto.graph.input, *proto.graph.output):
        each.ClearField("metadata_props")
        each.ClearField("doc_string")
    onnx.save(proto, path)


def main(folder):
    """Write all files."""
    torch.manual_seed(0)
    made = {
        "cnn": (cnn(), torch.randn(2, 1, 8, 10), {0: "batch"}),
        "residual": (Residual(), torch.randn(2, 2, 5, 4), {0: "batch"}),
        "tagger": (Tagger(), torch.randint(0, 9, (2, 5)), {0: "batch", 1: "time"}),
        "last": (Last(), torch.randn(2, 5, 2), {0: "batch", 1: "time"}),
    }
    for name, (module, x, axes) in made.items():
        module.eval()
        names = {"input_names": ["x"], "output_names": ["y"]}
        old, new = (f"{folder}/{name}_{kind}.onnx" for kind in ("old", "new"))
        torch.onnx.export(module, (x,), old, dynamo=False, dynamic_axes={"x": axes}, **names)
        free = {"input" if name == "cnn" else "x": {0: torch.export.Dim.AUTO}}
        torch.onnx.export(
            module, (x,), new, dynamo=True, dynamic_shapes=free, external_data=False, **names
        )
        strip(old)
        strip(new)


if __name__ == "__main__":
    main(sys.argv[1])
