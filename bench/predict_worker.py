"""Prediction by one library, in one process: `python -m bench.predict_worker PEER WAY --data DIR`.

A request (see `bench.serving`) is the name of a row and a number of images, the answer `us`
(microseconds of a call for all of them), `chunk` (the images that were passed on at once) and
`mean` (of the outputs). Images and outputs are float32 arrays of NumPy.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.peers import LAYOUTS, OWN
from bench.rows import find
from bench.serving import serve
from bench.timing import repeated, seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from bench.workloads import Workload

    Images = NDArray[Any]
    # Outputs of some images, those of a chunk at a time.
    Predict = Callable[[Images, int], Images]

CHUNKS = (100, 1000)
"""Images to pass on at once, beside all of them."""
EAGER, FROZEN, COMPILED = "eager", "frozen", "compiled"
WAYS = {
    "torch": tuple(f"{way}, {layout}" for way in (EAGER, FROZEN, COMPILED) for layout in LAYOUTS),
    "onnxruntime": ("",),
    OWN: ("",),
}
"""Ways of each library to try."""


def with_gyaku(workload: Workload, way: str) -> Predict:
    """Return `predict` with its defaults."""
    import gyaku as gk
    from bench.data import initial_weights
    from bench.peers.with_gyaku import fill, stack

    del way
    model = gk.Sequential(*stack(workload.layers, workload.inputs))
    model.build(workload.inputs)
    fill(model, initial_weights(workload))
    return lambda x, chunk: model.predict(x)


def with_torch(workload: Workload, way: str) -> Predict:
    """Return PyTorch's network: as it is, frozen by TorchScript, or by `torch.compile`."""
    import torch

    from bench.data import initial_weights
    from bench.peers.with_torch import FORMATS, network

    how, _, layout = way.partition(", ")
    model: Any = network(workload, initial_weights(workload), layout).eval()
    if how == FROZEN:
        model = torch.jit.optimize_for_inference(torch.jit.script(model))
    elif how == COMPILED:
        model = torch.compile(model)

    def predict(x: Images, chunk: int) -> Images:
        # (n, height, width, channels) of NumPy is channels-last for PyTorch without a copy.
        images = torch.from_numpy(x).permute(0, 3, 1, 2)
        with torch.inference_mode():
            parts = [
                model(part.contiguous(memory_format=FORMATS[layout]))
                for part in images.split(chunk)
            ]
            found: Images = (parts[0] if len(parts) == 1 else torch.cat(parts)).numpy()
        return found

    return predict


def with_onnxruntime(workload: Workload, way: str) -> Predict:
    """Return a session of ONNX Runtime; images of one channel need no copy for its layout."""
    import numpy as np

    from bench.data import initial_weights
    from bench.peers.with_onnxruntime import session

    del way
    run = session(workload, initial_weights(workload)).run

    def predict(x: Images, chunk: int) -> Images:
        images = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
        parts: list[Images] = [
            run(None, {"x": images[start : start + chunk]})[0]
            for start in range(0, len(images), chunk)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    return predict


BUILDERS = {"torch": with_torch, "onnxruntime": with_onnxruntime, OWN: with_gyaku}


def measure(peer: str, way: str, data: Path, name: str, count: str) -> dict[str, float]:
    """Return microseconds of a prediction with the fastest size of chunks."""
    from bench.data import floats, mnist_part

    workload, images = find(name), int(count)
    x = floats(mnist_part("x_train", data, images)).reshape(-1, *workload.inputs)
    predict = BUILDERS[peer](workload, way)
    chunks = [images] if peer == OWN else [*(chunk for chunk in CHUNKS if chunk < images), images]
    times = {chunk: seconds(repeated(partial(predict, x, chunk))) for chunk in chunks}
    best = min(times, key=lambda chunk: times[chunk])
    return {"us": 1e6 * times[best], "chunk": best, "mean": float(predict(x, best).mean())}


def main() -> None:
    """Answer requests."""
    parser = argparse.ArgumentParser(prog="python -m bench.predict_worker")
    parser.add_argument("peer", choices=WAYS)
    parser.add_argument("way", nargs="?", default="")
    parser.add_argument("--data", type=Path, required=True, help="folder with MNIST as .npy files")
    asked = parser.parse_args()
    serve(lambda request: measure(asked.peer, asked.way, asked.data, *request))


if __name__ == "__main__":
    main()
