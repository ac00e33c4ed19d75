"""Passes of layers for images, by one library in one process: `python -m bench.images_worker PEER`.

A request (see `bench.serving`) is a layer and a pass, such as ``["100, 20, 24", "forward"]``, the
answer billions of operations or bytes per second by name. With PyTorch the layout of images in
memory is an argument too. All passes return new arrays.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.goals import REPLAYED
from bench.peers import LAYOUTS, OWN
from bench.serving import serve
from bench.shapes import Convolution, Pass, find_layer
from bench.timing import repeated, replayed, speeds

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.shapes import Pooling


def random_array(*shape: int) -> Any:
    """Return random numbers from -0.5 to 0.5."""
    import numpy as np

    return np.random.default_rng(0).random(shape, np.float32) - np.float32(0.5)


def operands(layer: Convolution | Pooling) -> tuple[Any, Any]:
    """Return images, channels last, and the gradient with respect to the layer's output."""
    outputs = layer.filters if isinstance(layer, Convolution) else layer.channels
    return (
        random_array(layer.n, layer.size, layer.size, layer.channels),
        random_array(layer.n, layer.windows, layer.windows, outputs),
    )


def parameters(layer: Convolution) -> tuple[Any, Any]:
    """Return weights, (height, width, channels, filters), and bias."""
    return (
        random_array(layer.kernel, layer.kernel, layer.channels, layer.filters),
        random_array(layer.filters),
    )


def with_torch(one: Pass, layout: str) -> Callable[[], Any]:
    """Return the pass by the functions of PyTorch's own training."""
    import torch

    from bench.peers.with_torch import FORMATS, images

    layer, aten = one.layer, torch.ops.aten
    pool, pool_backward = (
        aten.max_pool2d_with_indices.default,
        aten.max_pool2d_with_indices_backward.default,
    )
    x, dy = (images(array, layout) for array in operands(layer))
    if not isinstance(layer, Convolution):
        window = ([2, 2], [2, 2], [0, 0], [1, 1], False)
        if one.which == "forward":
            return lambda: pool(x, *window)
        _, argmax = pool(x, *window)
        return lambda: pool_backward(dy, x, *window, argmax)
    weight, bias = map(torch.from_numpy, parameters(layer))
    weight = weight.permute(3, 2, 0, 1).contiguous(memory_format=FORMATS[layout])
    where = ([layer.stride] * 2, [layer.padding] * 2, [1, 1], False, [0, 0], 1)
    if one.which == "forward":
        return lambda: aten.convolution.default(x, weight, bias, *where)
    wanted = [one.which == "data", one.which == "weights", one.which == "weights"]
    backward = aten.convolution_backward.default
    return lambda: backward(dy, x, weight, [layer.filters], *where, wanted)


def with_gyaku(one: Pass) -> Callable[[], Any]:
    """Return the pass by the function of `gyaku.ops`."""
    from gyaku import ops

    layer = one.layer
    x, dy = operands(layer)
    if not isinstance(layer, Convolution):
        if one.which == "forward":
            return lambda: ops.max_pool2d(x, 2)
        _, argmax = ops.max_pool2d(x, 2)
        return lambda: ops.max_pool2d_backward(dy, argmax, x.shape[1:3], 2)
    w, b = parameters(layer)
    where: dict[str, Any] = {"stride": layer.stride, "padding": layer.padding}
    return {
        "forward": lambda: ops.conv2d(x, w, b, **where),
        "data": lambda: ops.conv2d_backward_data(dy, w, x.shape[1:3], **where),
        "weights": lambda: ops.conv2d_backward_weights(dy, x, layer.kernel, **where),
    }[one.which]


def measure(peer: str, layout: str, name: str, which: str) -> dict[str, float]:
    """Return speeds by name, for gyaku's convolutions also the peak at that time."""
    one = Pass(find_layer(name), which)
    timed = partial(speeds, work=one.layer.work, floating=isinstance(one.layer, Convolution))
    if peer == OWN:
        call = with_gyaku(one)
        return timed({OWN: repeated(call), REPLAYED: replayed(call)})
    import torch

    with torch.inference_mode():
        return timed({f"torch {layout}": repeated(with_torch(one, layout))})


def main() -> None:
    """Answer requests."""
    parser = argparse.ArgumentParser(prog="python -m bench.images_worker")
    parser.add_argument("peer", choices=("torch", OWN))
    parser.add_argument("layout", nargs="?", choices=LAYOUTS, default=LAYOUTS[-1])
    asked = parser.parse_args()
    serve(lambda arguments: measure(asked.peer, asked.layout, *arguments))


if __name__ == "__main__":
    main()
