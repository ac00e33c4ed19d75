"""The frameworks: names, packages, and settings to try.

Each module of this folder has a `build`, which returns a `Trainer` of a workload, written as by
the framework's users for the best speed; that of a framework that only predicts has none. Nothing
of them is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bench.workloads import BatchNorm, Conv, Dropout, GlobalMean, MaxPool, Recurrent, Residual

if TYPE_CHECKING:
    from bench.workloads import Workload

OWN = "gyaku"
CHANNELS_FIRST, CHANNELS_LAST = "NCHW", "channels-last"
AUTOCAST = "autocast, "
"""Beginning of PyTorch's settings with operands of products in bfloat16."""
LAYOUTS = (CHANNELS_FIRST, CHANNELS_LAST)
"""PyTorch's layouts of images in memory."""
MOST_UNROLLED = 100
"""Largest number of time steps to unroll."""


class Trainer(Protocol):
    """A network in training."""

    def train(self, epochs: int) -> None:
        """Train for some epochs; the timed call."""

    def loss(self, epochs: int) -> float:
        """Train for some epochs and return the mean loss of the batches of the last one."""


@dataclass(frozen=True)
class Peer:
    """A framework.

    `packages` maps modules to their names for pip; with `confine` the framework has no setting for
    the number of threads and gets that many CPUs instead.
    """

    name: str
    title: str
    packages: dict[str, str]
    confine: bool = False

    @property
    def module(self) -> str:
        """The module of this folder that builds its networks."""
        return f"bench.peers.with_{self.name}"


PEERS = {
    peer.name: peer
    for peer in (
        Peer("torch", "PyTorch", {"torch": "torch==2.13.0"}),
        Peer("jax", "JAX", {"jax": "jax"}, confine=True),
        Peer("keras", "Keras/TF", {"keras": "keras", "tensorflow": "tensorflow-cpu"}, confine=True),
        Peer("sklearn", "scikit-learn", {"sklearn": "scikit-learn"}),
        Peer("numpy", "NumPy", {"numpy": "numpy"}),
        Peer("onnxruntime", "ONNX Runtime", {"onnxruntime": "onnxruntime", "onnx": "onnx"}),
        Peer(OWN, "gyaku", {"gyaku": "'.[bench]'"}),
    )
}


def options(peer: str, workload: Workload) -> list[str]:
    """Return the settings of a framework to try.

    The list is empty if the framework cannot express the workload; "" is a framework's only way.
    """
    images, is_coarse = workload.has(Conv), workload.precision == "bfloat16"
    # Beyond some steps a compiler would take minutes.
    unrolls = workload.has(Recurrent) and workload.inputs[0] <= MOST_UNROLLED
    if peer == "torch":
        ways = ["fused", "foreach", "plain"]
        ways = [f"{layout}, {way}" for layout in LAYOUTS for way in ways] if images else ways
        return [*ways, *map(AUTOCAST.__add__, ways)] if is_coarse else ways
    if is_coarse and peer != OWN:
        return []
    if peer == "jax":
        # In a loop, XLA's convolutions for CPUs may take ten times as long.
        loops = ["scan", "step by step"] if images else ["scan"]
        if unrolls:
            loops.append("scan, time unrolled")
        if workload.batch == 1:
            loops.append("scan unrolled 8 times")
        if workload.has(Dropout):
            loops += [f"{loop}, rbg random numbers" for loop in loops]
        return loops
    if peer == "keras":
        loops = ["loop with XLA", "loop"]
        if unrolls:
            loops += [f"{way}, time unrolled" for way in loops]
        # An epoch of four steps would cost fit a thousand times its steps.
        return loops if workload.batch == 1 else ["fit with XLA", "fit", *loops]
    dense = not workload.has(Conv, MaxPool, BatchNorm, GlobalMean, Residual, Recurrent)
    if peer == "sklearn":
        # There is no dropout, and one activation for all hidden layers.
        hidden = {layer.activation for _, layer in workload.weighted[:-1]}
        last = workload.weighted[-1][1]
        plain = len(hidden) == 1 and last.activation == "identity"
        return ["fit"] if dense and plain and not workload.has(Dropout) else []
    if peer == "onnxruntime":
        return []  # it only predicts
    if peer == "numpy" and not dense:
        return []  # its convolutions, written as in lecture notes, would take minutes
    return [""]
