"""Connectionist temporal classification: the loss, its gradient, and what is learned by it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku.losses import CTC

RNG = np.random.default_rng(0)
Y = RNG.normal(size=(5, 4, 3))
LABELS = np.array([[1, 1, -1], [2, -1, -1], [-1, -1, -1], [2, 1, 2], [1, 2, -1]])
LENGTHS = np.array([4, 3, 2, 4, 3])


def read(path: tuple[int, ...], blank: int = 0) -> list[int]:
    """Return the labels that a class for each step spells."""
    return [key for key, _ in itertools.groupby(path) if key != blank]


def by_paths(y: Any, labels: Any) -> float:
    """Return the loss of a sample from all paths through its steps."""
    p = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
    wanted = [n for n in labels if n >= 0]
    total = sum(
        np.prod([p[step, n] for step, n in enumerate(path)])
        for path in itertools.product(range(y.shape[1]), repeat=len(y))
        if read(path) == wanted
    )
    return float(-np.log(total))


def test_the_loss_is_that_of_all_paths() -> None:
    wanted = [by_paths(y[:n], t) for y, t, n in zip(Y, LABELS, LENGTHS, strict=True)]
    losses, _ = CTC(reduction="none")(Y, LABELS, lengths=LENGTHS)
    np.testing.assert_allclose(losses, wanted, rtol=1e-12)
    weights = np.array([1.0, 2.0, 0.0, 0.5, 1.0])
    mean, _ = CTC()(Y, LABELS, lengths=LENGTHS, sample_weight=weights)
    assert float(mean) == pytest.approx(np.average(wanted, weights=weights), rel=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_gradient_is_the_numerical_one(reduction: str) -> None:
    loss, weights = CTC(reduction=reduction), np.array([1.0, 2.0, 0.0, 0.5, 1.0])
    _, dy = loss(Y, LABELS, lengths=LENGTHS, sample_weight=weights)
    wanted = gk.numerical_gradient(
        lambda y: loss(y, LABELS, lengths=LENGTHS, sample_weight=weights)[0], Y
    )
    np.testing.assert_allclose(dy, wanted, atol=1e-8)
    assert not dy[1, 3].any()  # a padded step
    _, each = CTC(reduction="none")(Y, LABELS, lengths=LENGTHS, sample_weight=weights)
    np.testing.assert_allclose(each if reduction == "sum" else each / 4.5, dy, rtol=1e-12)


@pytest.mark.parametrize("blank", [0, 2])
def test_pytorch_computes_the_same(blank: int) -> None:
    torch = pytest.importorskip("torch")
    labels = LABELS * (blank != LABELS)
    counts = (labels >= 0).sum(axis=1)
    y = torch.tensor(Y, requires_grad=True)
    theirs = torch.nn.functional.ctc_loss(
        y.log_softmax(-1).transpose(0, 1),
        torch.from_numpy(np.maximum(labels, 0)),
        torch.from_numpy(LENGTHS),
        torch.from_numpy(counts),
        blank=blank,
        reduction="none",
        zero_infinity=True,
    )
    theirs.sum().backward()
    losses, dy = CTC(blank, zero_infinity=True, reduction="none")(Y, labels, lengths=LENGTHS)
    np.testing.assert_allclose(losses, theirs.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(dy, y.grad.numpy(), atol=1e-13)


def test_labels_that_no_path_reads_are_infinitely_far_or_do_not_count() -> None:
    y, labels = Y[:1, :2], np.array([[1, 1]])  # which need a blank between them
    assert np.isinf(CTC(reduction="none")(y, labels)[0])
    loss, dy = CTC(zero_infinity=True)(y, labels)
    assert float(loss) == 0
    assert not dy.any()


def test_a_network_learns_where_the_labels_are() -> None:
    """Two marks somewhere in a sequence are read in order."""
    random = np.random.default_rng(0)
    x = np.zeros((256, 8, 3), np.float32)
    labels = random.integers(1, 3, (256, 2))
    for n in range(256):
        places = np.sort(random.choice(8, 2, replace=False))
        x[n, places, labels[n]] = 1
    x += random.normal(0, 0.1, x.shape)
    model = gk.Sequential(gk.Bidirectional(gk.GRU(16, return_sequences=True)), gk.Dense(3), seed=0)
    options: dict[str, Any] = {"optimizer": gk.Adam(0.02), "batch_size": 32, "verbose": 0}
    model.fit(x[:192], labels[:192], loss="ctc", epochs=25, seed=0, **options)
    found = [read(tuple(path)) for path in model.predict(x[192:]).argmax(axis=-1)]
    right = [a == b for a, b in zip(found, labels[192:].tolist(), strict=True)]
    assert np.mean(right) > 0.9


@pytest.mark.parametrize(
    ("y", "t", "message"),
    [
        (
            Y[0],
            LABELS,
            r"^CTC: y must be scores of shape \(samples, steps, classes\), got \(4, 3\)",
        ),
        (Y, LABELS[0], r"^CTC: targets must be class numbers of shape \(5, labels\), .* \(3,\)"),
        (Y, LABELS > 0, r"^CTC: targets must be class numbers .* got bool"),
        (Y, LABELS / 2, r"^CTC: label 0 of sample 0 is 0\.5, it must be a class number below 3"),
        (Y, LABELS * 2, r"^CTC: label 0 of sample 1 is 4, .* below 3 and not the blank 0"),
        (Y, np.maximum(LABELS, 0), r"^CTC: label 2 of sample 0 is 0, .* not the blank 0"),
        (Y[..., :1], LABELS, r"^CTC: label 0 of sample 0 is 1"),
    ],
)
def test_a_mistake_is_named(y: Any, t: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CTC()(y, t)


def test_a_blank_beyond_the_classes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^CTC: blank must be below the 3 classes, got 3"):
        CTC(3)(Y, LABELS)
