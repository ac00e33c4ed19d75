"""A training on an iterable that is killed and resumed on the same batches."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from resume_cases import Kill, Killed, bits
from test_batches import BATCHES, LABELS, OPTIONS, Loader, X, generate, net

import gyaku as gk


class Ordered(Loader):
    """A loader whose order depends on the epoch; it counts its batches."""

    def __init__(self) -> None:
        super().__init__(BATCHES)
        self.epochs: list[int] = []
        self.count = 0

    def set_epoch(self, epoch: int) -> None:
        self.epochs.append(epoch)

    def __iter__(self) -> Iterator[Any]:
        for each in np.random.default_rng(self.epochs[-1]).permutation(5):
            self.count += 1
            yield BATCHES[each]


class Shuffled(Loader):
    """A loader whose order depends on the passes before, as of PyTorch with a seed."""

    def __init__(self) -> None:
        super().__init__(BATCHES)
        self.random = np.random.default_rng(0)

    def __iter__(self) -> Iterator[Any]:
        return (self.batches[each] for each in self.random.permutation(5))


def weighted() -> Iterator[Any]:
    for x, y in BATCHES:
        yield x, y, np.arange(len(y)) % 3


KINDS: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "function": (lambda: generate, {}),
    "loader": (Shuffled, {"metrics": ["accuracy", "auc", "f1"]}),
    "loader in a cycle": (
        lambda: Loader(BATCHES),
        {"optimizer": gk.SGD(gk.schedules.OneCycle(0.3)), "accumulate": 2},
    ),
    "loader that knows epochs": (Ordered, {"validation_data": generate}),
    "iterator": (lambda: cycle(BATCHES), {"steps_per_epoch": 4}),
    "loader of some steps": (Shuffled, {"steps_per_epoch": 3, "initial_epoch": 1}),
    "weights": (lambda: weighted, {"accumulate": 2, "clip_norm": 0.1}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("after", [1, 5, 6, 8, 9])
def test_a_training_on_an_iterable_is_resumed(kind: str, after: int, tmp_path: Path) -> None:
    make, options = KINDS[kind]
    options = {**OPTIONS, "epochs": 4, **copy.deepcopy(options)}
    path = tmp_path / "checkpoint.safetensors"

    def run(**more: Any) -> Any:
        model = net()
        return bits(model, model.fit(make(), **copy.deepcopy(options), **more))

    expected = run()
    with pytest.raises(Killed):
        run(callbacks=Kill(path, after))
    assert run(resume=path) == expected


def test_a_loader_that_knows_epochs_is_not_read_from_the_beginning(tmp_path: Path) -> None:
    path, (one, other) = tmp_path / "checkpoint.safetensors", (Ordered(), Ordered())
    with pytest.raises(Killed):
        net().fit(one, epochs=4, callbacks=Kill(path, 17), **OPTIONS)
    net().fit(other, epochs=4, resume=path, **OPTIONS)
    assert other.epochs[-1] == 3
    assert other.count <= 6  # the first one for its shapes


def test_other_data_are_not_resumed_on(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Killed):
        net().fit(generate, epochs=4, callbacks=Kill(path, 4), **OPTIONS)
    sentence = "fit: 4 batches of epoch 1 were trained on before, but x yields 2 now; resume with"
    with pytest.raises(ValueError, match=sentence):
        net().fit(Loader(BATCHES[:2]), epochs=4, resume=path, **OPTIONS)
    with pytest.raises(ValueError, match="was written with steps_per_epoch=None, got 3; resume"):
        net().fit(generate, epochs=4, steps_per_epoch=3, resume=path, **OPTIONS)
    with pytest.raises(ValueError, match="was written with samples=None, got 75; resume"):
        net().fit(X, LABELS, epochs=4, resume=path, **OPTIONS)
