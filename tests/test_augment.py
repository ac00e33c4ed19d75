"""Augmentation: where images go, on what that depends, and that only training sees it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gyaku as gk
from child import output
from gyaku import ops, reference
from gyaku.data import Augment

ENTROPY = "softmax_cross_entropy"
RNG = np.random.default_rng(0)
X = RNG.integers(1, 256, (90, 6, 5, 2), np.uint8)
LABELS = RNG.integers(0, 3, 90)


def net(dtype: Any = np.float32) -> gk.Sequential:
    return gk.Sequential(
        gk.Rescaling(1 / 255), gk.Flatten(), gk.Dense(8, "relu"), gk.Dense(3), dtype=dtype
    )


def train(model: gk.Sequential, x: NDArray[Any] = X, **options: Any) -> tuple[bytes, list[float]]:
    """Return the weights and the losses of a training with augmentation."""
    given: dict[str, Any] = {"augment": Augment(2, flip=True), "epochs": 3, "seed": 1}
    history = model.fit(x, LABELS, loss=ENTROPY, verbose=0, **(given | options))
    return model.flat_params.tobytes(), history["loss"]


def moved(
    source: NDArray[Any], *, epoch: int = 0, seed: int = 0, first: int = 0, **options: Any
) -> NDArray[np.float32]:
    """Return the images from `first` on, as a batch shows them."""
    out = np.empty((len(source) - first, *source.shape[1:]), np.float32)
    place, when = np.array([first]), np.array([epoch])
    ops.gather_images(source, np.arange(len(source)), place, when, out, seed=seed, **options)
    return out


def marked(count: int) -> NDArray[np.uint8]:
    """Return images of 9 x 9 pixels of which that in the middle is 1, and its right neighbour 2."""
    images = np.zeros((count, 9, 9, 1), np.uint8)
    images[:, 4, 4], images[:, 4, 5] = 1, 2
    return images


def test_all_moves_are_as_likely() -> None:
    count, shift = 50_000, 2
    images = moved(marked(count), shift=shift)
    _, rows, columns, _ = np.nonzero(images == 1)
    found = np.zeros((9, 9), int)
    np.add.at(found, (rows, columns), 1)
    assert found.sum() == found[2:7, 2:7].sum() == count
    expected = count / 25
    # The sum of squares is chi-squared with 24 degrees of freedom: 60 is beyond one in 10,000.
    assert ((found[2:7, 2:7] - expected) ** 2 / expected).sum() < 60


def test_half_of_the_images_are_flipped() -> None:
    count = 50_000
    images = moved(marked(count), flip=True)
    flipped = (images[:, 4, 3, 0] == 2).sum()
    assert flipped + (images[:, 4, 5, 0] == 2).sum() == count
    assert abs(flipped - count / 2) < 4 * (count / 4) ** 0.5


def test_moves_and_flips_are_independent() -> None:
    images = moved(marked(50_000), shift=1, flip=True)
    (which, rows, columns, _) = np.nonzero(images == 1)
    flipped = images[which, rows, columns - 1, 0] == 2
    table = np.stack([rows - 4, columns - 4, flipped])
    assert np.abs(np.corrcoef(table) - np.eye(3)).max() < 0.02


@pytest.mark.parametrize("options", [{"shift": 2}, {"shift": 4, "flip": True}])
def test_what_moves_in_is_zero_and_nothing_else_is_lost(options: dict[str, Any]) -> None:
    images = moved(X, **options)
    for before, after in zip(X, images, strict=True):
        rows, columns = (np.flatnonzero(after.any(axis=axis)) for axis in ((1, 2), (0, 2)))
        kept = after[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert (kept > 0).all()
        height, width, _ = kept.shape
        wanted = [
            each[r : r + height, c : c + width]
            for each in (before, before[:, ::-1])
            for r in (0, 6 - height)
            for c in (0, 5 - width)
        ]
        assert any((each == kept).all() for each in wanted)


def test_a_move_depends_on_seed_epoch_and_image_alone() -> None:
    options: dict[str, Any] = {"shift": 2, "flip": True}
    images = moved(X, **options)
    np.testing.assert_array_equal(moved(X, **options), images)
    np.testing.assert_array_equal(moved(X, first=37, **options), images[37:])  # another batch
    order = RNG.permutation(len(X))
    out = np.empty(X.shape, np.float32)
    ops.gather_images(X, order, np.array([0]), np.array([0]), out, **options)
    np.testing.assert_array_equal(out, images[order])
    for other in ({"epoch": 1}, {"seed": 1}, {"seed": 2**32}, {"epoch": 2**32}):
        assert (moved(X, **options, **other) != images).any()


def test_moves_do_not_repeat_the_order_of_the_samples() -> None:
    # Both are drawn from one stream, in different halves of its steps.
    order = reference.permutation(np.empty(64, np.int64), 64, seed=0, first_epoch=0)
    words = reference.random_words(16, seed=0, stream=2**32 - 1, step=0)
    other = reference.random_words(16, seed=0, stream=2**32 - 1, step=2**63)
    assert len(order) == 64
    assert not (words == other).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("source", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("size", [16, 90, 7])
def test_replay_is_the_reference_step_by_step(dtype: Any, source: Any, size: int) -> None:
    """Batches as training replays them are those of the equation, over three epochs."""
    seen: list[NDArray[Any]] = []

    class Watch(gk.Layer):
        """Keeps what it is shown; as Python it runs in each replayed step."""

        def forward(self, x, training=False):
            if training:
                seen.append(np.array(x))
            return x

        def backward(self, dy):
            return dy

    x = X.astype(source)
    model = gk.Sequential(Watch(), gk.Flatten(), gk.Dense(3), dtype=dtype)
    train(model, x, batch_size=size)
    order = reference.permutation(np.empty(270, np.int64), 90, seed=1, first_epoch=0)
    if size == 90:  # a full batch has no order to shuffle
        order = np.tile(np.arange(90), 3)
    for epoch in range(3):
        wanted = reference.gather_images(
            *(x, order, np.array([90 * epoch]), np.array([epoch]), np.empty(X.shape, dtype)),
            shift=2,
            flip=True,
            seed=1,
        )
        steps = -(-90 // size)
        found = np.concatenate(seen[epoch * steps : (epoch + 1) * steps])
        np.testing.assert_array_equal(found, wanted)


def test_short_and_long_native_calls_train_alike() -> None:
    whole = train(net(), batch_size=16)
    assert train(net(), batch_size=16, callbacks=[lambda epoch, logs: None]) == whole

    class EachStep(gk.Callback):
        def on_train_batch_end(self, batch, logs):
            pass

    assert train(net(), batch_size=16, callbacks=[EachStep()]) == whole


def test_the_reference_trains_alike() -> None:
    _, native = train(net(np.float64))
    gk.use_backend("reference")
    _, equations = train(net(np.float64))
    np.testing.assert_allclose(native, equations, rtol=1e-12)


CHILD = """
import hashlib
import numpy as np
import gyaku as gk
rng = np.random.default_rng(0)
x, y = rng.integers(0, 256, (600, 28, 28, 1), np.uint8), rng.integers(0, 10, 600)
model = gk.Sequential(gk.Rescaling(1 / 255), gk.Flatten(), gk.Dense(32, "relu"), gk.Dense(10))
model.fit(x, y, loss="softmax_cross_entropy", batch_size=100, epochs=2, verbose=0,
          augment=gk.data.Augment(3, flip=True))
print(hashlib.sha256(model.flat_params.tobytes()).hexdigest())
"""


def test_any_number_of_threads_trains_alike() -> None:
    found = {output(CHILD, GYAKU_NUM_THREADS=str(threads)) for threads in (1, 2, 5)}
    assert len(found) == 1


def test_other_seeds_and_no_augmentation_train_otherwise() -> None:
    options = [{}, {"augment": Augment(2)}, {"augment": Augment(flip=True)}, {"augment": None}]
    found = {train(net(), shuffle=False, **each)[0] for each in [*options, {"seed": 2}]}
    assert len(found) == 5


def test_an_augmentation_that_does_nothing_is_none() -> None:
    model = net()
    assert train(model, augment=Augment()) == train(net(), augment=None)
    assert "gather_images" not in str(model.program())


def test_each_epoch_moves_images_another_way() -> None:
    epochs = [moved(X, epoch=epoch, shift=2) for epoch in range(3)]
    assert all((a != b).any() for a, b in pairwise(epochs))


def test_only_training_moves_images() -> None:
    model = net()
    found = model.fit(
        *(X, LABELS),
        loss=ENTROPY,
        metrics=["accuracy"],
        validation_data=(X, LABELS),
        augment=Augment(2, flip=True),
        verbose=0,
    )
    plain = model.evaluate(X, LABELS)
    assert found["val_loss"][-1] == pytest.approx(plain["loss"], rel=1e-6)
    assert found["loss"][-1] != plain["loss"]
    names = [row["name"] for row in model.captured["tasks"]]
    assert any(name.startswith("gather_images") for name in names)


def test_an_autoencoder_is_to_return_the_image_as_it_was_moved() -> None:
    x = X.astype(np.float32) / 256
    model = gk.Sequential(gk.Flatten(), gk.Dense(60), gk.Reshape((6, 5, 2)))
    model.build(x.shape[1:])
    next(iter(model.params.values()))[...] = np.eye(60)
    history = model.fit(
        x, x, loss="mean_squared_error", optimizer=gk.SGD(1e-12), augment=Augment(2), verbose=0
    )
    assert history["loss"][-1] < 1e-6  # the identity returns whatever it is shown


def test_samples_set_aside_keep_their_moves() -> None:
    # Moves follow the image's place in the data, not its place among those that are trained on.
    whole = train(net(), validation_split=0.2)
    assert train(net(), validation_split=0.2) == whole


@pytest.mark.parametrize(
    ("make", "kind", "sentence"),
    [
        (lambda: Augment(-1), ValueError, "Augment: shift must be at least 0, got -1"),
        (lambda: Augment(1.5), TypeError, "Augment: shift must be an integer, got 1.5"),
        (lambda: Augment(flip=1), TypeError, "Augment: flip must be True or False, got 1"),
        (
            lambda: train(net(), augment=Augment(5)),
            ValueError,
            (
                "fit: augment's shift must be less than the 5 pixels of an image's shorter side,"
                " got 5"
            ),
        ),
    ],
)
def test_mistakes_are_one_sentence(make: Any, kind: type[Exception], sentence: str) -> None:
    with pytest.raises(kind) as caught:
        make()
    assert str(caught.value) == sentence
