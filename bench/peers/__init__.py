"""The frameworks: names, packages, and settings to try.

Each module of this folder has a `build`, which returns a `Trainer` of a workload, written as by
the framework's users for the best speed. Nothing is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bench.workloads import Workload

OWN = "gyaku"
CHANNELS_FIRST, CHANNELS_LAST = "NCHW", "channels-last"
LAYOUTS = (CHANNELS_FIRST, CHANNELS_LAST)
"""PyTorch's layouts of images in memory."""


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
        Peer(OWN, "gyaku", {"gyaku": "'.[bench]'"}),
    )
}


def options(peer: str, workload: Workload) -> list[str]:
    """Return the settings of a framework to try.

    The list is empty if the framework cannot express the workload; "" is a framework's only way.
    """
    images = workload.convolves
    if peer == "torch":
        ways = ["fused", "foreach", "plain"]
        return [f"{layout}, {way}" for layout in LAYOUTS for way in ways] if images else ways
    if peer == "jax":
        # In a loop, XLA's convolutions for CPUs take ten times as long.
        loop = "step by step" if images else "scan"
        if workload.drops:
            return [loop, f"{loop}, rbg random numbers"]
        if images:
            return [loop]
        return ["scan", "scan unrolled 8 times"] if workload.batch == 1 else ["scan"]
    if peer == "keras":
        loops = ["loop with XLA", "loop"]
        # An epoch of four steps would cost fit a thousand times its steps.
        return loops if workload.batch == 1 else ["fit with XLA", "fit", *loops]
    if peer == "sklearn":
        # Its regressors have no output activation; there is no dropout and no convolution.
        expressible = workload.loss == "softmax_cross_entropy" and not workload.drops | images
        same = len({layer.activation for _, layer in workload.weighted[:-1]}) == 1
        return ["fit"] if expressible and same else []
    if peer == "numpy" and images:
        return []  # its convolutions, written as in lecture notes, would take minutes
    return [""]
