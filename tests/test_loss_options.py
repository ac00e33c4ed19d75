"""Options of losses: weights of classes, a class that is ignored, the loss of each position."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from test_losses import side_by_side, targets_of

import gyaku as gk
from gyaku.losses import LOSSES, NegativeLogLikelihood, SoftmaxCrossEntropy

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(7, 4))
LABELS = np.array([2, 0, 3, 3, 1, 0, 2])
ROWS = RNG.dirichlet(np.ones(4), 7)
WEIGHTS = (0.5, 2.0, 1.0, 0.25)

# A loss of gyaku and PyTorch's function, with its keywords.
PAIRS: dict[str, tuple[gk.losses.Loss, str, dict[str, Any]]] = {
    "weights": (
        SoftmaxCrossEntropy(class_weight=WEIGHTS),
        "cross_entropy",
        {"weight": WEIGHTS},
    ),
    "ignored": (SoftmaxCrossEntropy(ignore_index=3), "cross_entropy", {"ignore_index": 3}),
    "all": (
        SoftmaxCrossEntropy(class_weight=WEIGHTS, ignore_index=2, label_smoothing=0.2),
        "cross_entropy",
        {"weight": WEIGHTS, "ignore_index": 2, "label_smoothing": 0.2},
    ),
    "likelihood": (
        NegativeLogLikelihood(class_weight=WEIGHTS, ignore_index=0),
        "nll_loss",
        {"weight": WEIGHTS, "ignore_index": 0},
    ),
    "margin": (
        gk.losses.MultiMargin(0.5, squared=True),
        "multi_margin_loss",
        {"margin": 0.5, "p": 2},
    ),
    "margin, weights": (
        gk.losses.MultiMargin(0.5, class_weight=WEIGHTS),
        "multi_margin_loss",
        {"margin": 0.5, "weight": WEIGHTS},
    ),
    "distances": (gk.losses.HingeEmbedding(0.4), "hinge_embedding_loss", {"margin": 0.4}),
    "rare labels": (
        gk.losses.SigmoidCrossEntropy(positive_weight=WEIGHTS),
        "binary_cross_entropy_with_logits",
        {"pos_weight": WEIGHTS},
    ),
    "huber": (gk.losses.Huber(0.3), "huber_loss", {"delta": 0.3}),
    "smooth": (gk.losses.SmoothL1(0.3), "smooth_l1_loss", {"beta": 0.3}),
    "smooth, line": (gk.losses.SmoothL1(0.0), "smooth_l1_loss", {"beta": 0.0}),
    "poisson": (gk.losses.Poisson(full=True), "poisson_nll_loss", {"full": True}),
    "poisson, rates": (
        gk.losses.Poisson(False, epsilon=0.1),
        "poisson_nll_loss",
        {"log_input": False, "eps": 0.1},
    ),
    "divergence": (gk.losses.KLDivergence(), "kl_div", {}),
    "divergence, logarithms": (
        gk.losses.KLDivergence(log_target=True),
        "kl_div",
        {"log_target": True},
    ),
}


def reduced(loss: gk.losses.Loss, reduction: str) -> gk.losses.Loss:
    return type(loss)(**{**loss.config(), "reduction": reduction})


def given(name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return outputs and targets of a pair."""
    loss = PAIRS[name][0]
    if loss.takes == "classes":
        return LOGITS, LABELS
    targets = {
        "poisson": 5 * ROWS,
        "distances": np.sign(ROWS - ROWS.mean()),
        "divergence, logarithms": np.log(ROWS),
    }
    return (abs(LOGITS) if "rates" in name else LOGITS), targets.get(name, ROWS)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", PAIRS)
def test_pytorch_computes_the_same(name: str, reduction: str) -> None:
    torch = pytest.importorskip("torch")
    loss, function, options = PAIRS[name]
    y, t = given(name)
    for key in options.keys() & {"weight", "pos_weight"}:
        options = options | {key: torch.tensor(options[key], dtype=torch.float64)}
    scores = torch.tensor(y, requires_grad=True)
    theirs = getattr(torch.nn.functional, function)(
        scores, torch.from_numpy(t), reduction="none", **options
    )
    if loss.takes != "classes":  # a position has one loss here, and the sum is over these
        theirs = theirs.sum(1) if function == "kl_div" else theirs.mean(1)
    count = 1.0
    if reduction == "mean":
        kept = (
            t != options.get("ignore_index") if loss.takes == "classes" else np.ones(len(y), bool)
        )
        weights = options.get("weight", torch.ones(4, dtype=torch.float64)).numpy()
        by_weight = loss.takes == "classes" and function != "multi_margin_loss"
        count = weights[t[kept]].sum() if by_weight else len(y)
    (theirs.sum() / count).backward()
    value, dy = reduced(loss, reduction)(y, t)
    wanted = theirs if reduction == "none" else theirs.sum() / count
    np.testing.assert_allclose(value, wanted.detach().numpy(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(dy, scores.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_a_divergence_from_numbers_below_zero_is_no_number() -> None:
    torch = pytest.importorskip("torch")
    y, t = np.log(ROWS[:1]), ROWS[:1] - 0.9
    theirs = torch.nn.functional.kl_div(torch.tensor(y), torch.tensor(t), reduction="batchmean")
    value, dy = gk.losses.KLDivergence()(y, t)
    assert np.isnan(value)
    assert np.isnan(theirs.item())
    np.testing.assert_array_equal(dy, -t)


OF_PARTS: dict[str, tuple[gk.losses.Loss, int, Any]] = {
    "logarithms of variances": (
        gk.losses.Gaussian(full=True),
        2,
        lambda f, m, v, t: f.gaussian_nll_loss(m, t, v.exp(), full=True, reduction="none").mean(1),
    ),
    "variances": (
        gk.losses.Gaussian(False, epsilon=0.3),
        2,
        lambda f, m, v, t: f.gaussian_nll_loss(m, t, v, eps=0.3, reduction="none").mean(1),
    ),
    "triplets": (
        gk.losses.TripletMargin(0.3),
        3,
        lambda f, a, p, n, _: f.triplet_margin_loss(a, p, n, 0.3, reduction="none"),
    ),
    "triplets, swapped": (
        gk.losses.TripletMargin(0.3, swap=True),
        3,
        lambda f, a, p, n, _: f.triplet_margin_loss(a, p, n, 0.3, swap=True, reduction="none"),
    ),
    "triplets by magnitudes": (
        gk.losses.TripletMargin(0.7, norm_type=1, epsilon=1e-3),
        3,
        lambda f, a, p, n, _: f.triplet_margin_loss(a, p, n, 0.7, 1, 1e-3, reduction="none"),
    ),
}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", OF_PARTS)
def test_pytorch_computes_the_same_of_parts(name: str, reduction: str) -> None:
    torch = pytest.importorskip("torch")
    loss, count, function = OF_PARTS[name]
    y = RNG.uniform(0.1, 2, (7, 4 * count))
    outputs = torch.tensor(y, requires_grad=True)
    theirs = function(torch.nn.functional, *outputs.chunk(count, 1), torch.tensor(ROWS))
    total = theirs.mean() if reduction == "mean" else theirs.sum()
    total.backward()
    value, dy = reduced(loss, reduction)(y, ROWS)
    wanted = (theirs if reduction == "none" else total).detach().numpy()
    np.testing.assert_allclose(value, wanted, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(dy, outputs.grad.numpy(), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_pytorch_computes_the_same_of_pairs(reduction: str) -> None:
    torch = pytest.importorskip("torch")
    y, t = RNG.normal(size=(7, 8)), np.array([1, -1, 1, -1, -1, 1, -1])
    outputs = torch.tensor(y, requires_grad=True)
    theirs = torch.nn.functional.cosine_embedding_loss(
        *outputs.chunk(2, 1), torch.from_numpy(t), 0.1, reduction=reduction
    )
    theirs.sum().backward()
    value, dy = gk.losses.CosineEmbedding(0.1, reduction=reduction)(y, t)
    np.testing.assert_allclose(value, theirs.detach().numpy(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(dy, outputs.grad.numpy(), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_pytorch_computes_the_same_of_several_labels(reduction: str) -> None:
    torch = pytest.importorskip("torch")
    lists = np.array([[1, 3, -1, 0], [-1, 0, 0, 0], [2, 0, 1, -1]])
    rows = np.array([[0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 0]])
    scores = torch.tensor(LOGITS[:3], requires_grad=True)
    theirs = torch.nn.functional.multilabel_margin_loss(
        scores, torch.from_numpy(lists), reduction=reduction
    )
    theirs.sum().backward()
    value, dy = gk.losses.MultiLabelMargin(reduction=reduction)(LOGITS[:3], rows)
    np.testing.assert_allclose(value, theirs.detach().numpy(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(dy, scores.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^CosineEmbedding: targets must be one label a position"):
        gk.losses.CosineEmbedding()(np.ones((2, 4)), np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"^Gaussian: the last axis of y must be 2 rows, means"):
        gk.losses.Gaussian()(np.ones((2, 3)), np.ones((2, 1)))
    with pytest.raises(ValueError, match=r"^Gaussian: targets must have the shape \(2, 1\)"):
        gk.losses.Gaussian()(np.ones((2, 2)), np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"^TripletMargin: .* 3 embeddings of equal length"):
        gk.losses.TripletMargin()(np.ones((2, 4)), np.ones(2))


@pytest.mark.parametrize("name", [each for each in LOSSES if each != "ctc"])
def test_the_losses_of_positions_add_up(name: str) -> None:
    y, t = RNG.dirichlet(np.ones(4), 7).reshape(7, 2, 2), ROWS.reshape(7, 2, 2)
    y, t = side_by_side(name, y), targets_of(name, t)
    each, dy = LOSSES[name](reduction="none")(y, t)
    assert each.shape == (7, 2)
    mean, slope = LOSSES[name]()(y, t)
    # The mean of the squared error of a sample is half the sum over its two positions of it.
    factor = 2 if name == "sum_squared_error" else 1
    np.testing.assert_allclose(each.mean(), float(mean) / factor, rtol=1e-12)
    np.testing.assert_allclose(dy / 14 * factor, slope, rtol=1e-12, atol=1e-15)
    part, gradient = LOSSES[name](reduction="none")(
        y,
        t,
        lengths=np.array([2, 1, 1, 2, 1, 1, 1]),
        sample_weight=np.array([1, 0, 2, 1, 1, 1, 1.0]),
    )
    factors = np.array([[1, 1], [0, 0], [2, 0], [1, 1], [1, 0], [1, 0], [1, 0.0]])
    np.testing.assert_allclose(part, each * factors, rtol=1e-12)
    np.testing.assert_allclose(gradient, dy * factors[..., np.newaxis], rtol=1e-12)


@pytest.mark.parametrize("label", [-100, 2])
def test_ignored_labels_are_not_there(label: int) -> None:
    """Loss, metric and gradients are those without the samples, or their steps."""
    x = RNG.normal(size=(24, 5)).astype(np.float32)
    y = RNG.integers(0, 3, 24)
    ignored = np.arange(24) % 4 == 1
    loss = SoftmaxCrossEntropy(ignore_index=label)
    y[~ignored] = np.where(y[~ignored] == label, 1, y[~ignored])
    y[ignored] = label
    options: dict[str, Any] = {"batch_size": None, "epochs": 3, "verbose": 0, "metrics": "accuracy"}
    trained, expected = (gk.Sequential(gk.Dense(3), seed=0) for _ in range(2))
    history = trained.fit(x, y, loss=loss, **options)
    wanted = expected.fit(x[~ignored], y[~ignored], loss=SoftmaxCrossEntropy(), **options)
    np.testing.assert_allclose(trained.flat_params, expected.flat_params, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(history["loss"], wanted["loss"], rtol=1e-5)
    assert history["accuracy"] == wanted["accuracy"]
    measured = trained.evaluate(x, y, metrics="accuracy")
    assert measured["accuracy"] == pytest.approx(
        np.mean(trained.predict(x[~ignored]).argmax(1) == y[~ignored])
    )


def test_ignored_steps_of_sequences() -> None:
    x, y = RNG.normal(size=(6, 4, 3)).astype(np.float32), RNG.integers(0, 3, (6, 4))
    weights = (np.arange(24).reshape(6, 4) % 3 > 0).astype(float)
    marked = np.where(weights > 0, y, -1)
    models = [gk.Sequential(gk.Dense(3), seed=0) for _ in range(2)]
    options: dict[str, Any] = {"batch_size": 2, "epochs": 2, "verbose": 0, "seed": 0}
    models[0].fit(x, marked, loss=SoftmaxCrossEntropy(ignore_index=-1), **options)
    models[1].fit(x, y, loss=SoftmaxCrossEntropy(), sample_weight=weights, **options)
    np.testing.assert_array_equal(models[0].flat_params, models[1].flat_params)


def test_large_scores_of_rare_labels_are_exact() -> None:
    loss = gk.losses.SigmoidCrossEntropy(positive_weight=3)
    value, dy = loss(np.array([[1e4, -1e4, 1e4, -1e4]]), np.array([[1.0, 0.0, 0.0, 1.0]]))
    assert float(value) == 1e4
    np.testing.assert_array_equal(4 * dy, [[0, 0, 1, -3]])


def test_a_file_keeps_the_options_of_a_loss(tmp_path: Path) -> None:
    model = gk.Sequential(gk.Dense(4))
    loss = SoftmaxCrossEntropy(class_weight=WEIGHTS, ignore_index=3)
    model.fit(LOGITS, LABELS, loss=loss, epochs=1, verbose=0)
    model.save(tmp_path / "model.safetensors")
    loaded = gk.load(tmp_path / "model.safetensors")
    assert repr(loaded.loss) == repr(model.loss)
    assert loaded.evaluate(LOGITS, LABELS) == model.evaluate(LOGITS, LABELS)


def test_a_batch_of_ignored_labels_changes_nothing() -> None:
    value, dy = SoftmaxCrossEntropy(ignore_index=1)(LOGITS, np.ones(7, int))
    assert float(value) == 0
    assert not dy.any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: SoftmaxCrossEntropy(class_weight=(1, 2))(LOGITS, LABELS),
            "class_weight has 2 weights, the outputs have 4 classes",
        ),
        (
            lambda: SoftmaxCrossEntropy(class_weight=(1, -2, 1)),
            r"class_weight\[1\] must be at least 0, got -2",
        ),
        (
            lambda: SoftmaxCrossEntropy(class_weight=WEIGHTS)(LOGITS.tolist(), [1, 2, 3]),
            "softmax_cross_entropy: target must be 7 labels, got 3",
        ),
        (
            lambda: SoftmaxCrossEntropy(ignore_index=-1)(LOGITS, LABELS + 1),
            "target in row 2 is label 4, with 4 classes it must be 0 to 3",
        ),
        (
            lambda: gk.losses.Hinge()(LOGITS, LABELS),
            r"Hinge: y and t must have the same shape, got \(7, 4\) and \(7,\)",
        ),
        (
            lambda: gk.losses.MultiMargin()(LOGITS, LABELS + 2),
            "MultiMargin: target in row 0 is label 4, with 4 classes it must be 0 to 3",
        ),
        (
            lambda: gk.losses.SigmoidCrossEntropy(positive_weight=(1, 2))(LOGITS, ROWS),
            "positive_weight has 2 weights, the outputs have 4 labels",
        ),
        (
            lambda: gk.losses.SigmoidCrossEntropy(positive_weight=-1),
            "SigmoidCrossEntropy: positive_weight must be at least 0, got -1",
        ),
        (lambda: gk.losses.Poisson()(LOGITS[:0], ROWS[:0]), "Poisson: the batch is empty"),
        (
            lambda: gk.Sequential(gk.Dense(4)).fit(
                LOGITS, ROWS, loss=gk.losses.MeanSquaredError(reduction="none"), verbose=0
            ),
            "fit: reduction='none' leaves a loss for each sample; give 'mean' or 'sum'",
        ),
        (
            lambda: gk.Sequential(gk.Dense(4)).fit(
                LOGITS, LABELS - 1, loss=SoftmaxCrossEntropy(ignore_index=-100), verbose=0
            ),
            "the label -1 in row 1 of y is out of range",
        ),
    ],
)
def test_a_mistake_is_named(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
