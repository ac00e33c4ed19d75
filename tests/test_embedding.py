"""Embeddings: vectors by ids, from the table of operations to the trained model."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from errors import Mistake, refused_in_one_sentence
from numpy.typing import NDArray
from test_reference import by_complex_step

import gyaku as gk
from gyaku import _core, ops, reference
from gyaku.train import nonfinite

VOCABULARY, STEPS, CLASSES = 13, 6, 3
RNG = np.random.default_rng(0)
IDS = RNG.integers(1, VOCABULARY, (30, STEPS))
LABELS = IDS[:, 0] % CLASSES
ENTROPY = "softmax_cross_entropy"


def model(**options: Any) -> gk.Sequential:
    return gk.Sequential(
        gk.Embedding(VOCABULARY, 5, **options), gk.Flatten(), gk.Dense(CLASSES), seed=1
    )


def trained(ids: NDArray[Any] = IDS, **options: Any) -> gk.Sequential:
    built = model(**options)
    built.fit(ids, LABELS, loss=ENTROPY, epochs=4, batch_size=8, verbose=0)
    return built


@pytest.mark.parametrize("shape", [(7,), (4, 3), (2, 3, 2)], ids=str)
def test_the_gradient_of_the_table_is_the_derivative(shape: tuple[int, ...]) -> None:
    ids = RNG.integers(0, 5, shape)
    dy, table = RNG.standard_normal((*shape, 3)), RNG.standard_normal((5, 3))
    wanted = by_complex_step(lambda table: reference.embedding(ids, table), table, dy)
    found = reference.embedding_backward(dy, ids, vocabulary_size=5)
    np.testing.assert_allclose(found, wanted, rtol=1e-14, atol=1e-15)


def test_equal_ids_add_up_in_the_order_of_their_positions() -> None:
    # 2^24 + 1 is no float32: only in this order are both ones lost.
    dy = np.array([[2.0**24], [1.0], [1.0], [-(2.0**24)]], np.float32)
    ids = np.array([1, 1, 1, 1])
    for threads in (1, 2, 3, 5):
        _core.set_num_threads(threads)
        np.testing.assert_array_equal(
            ops.embedding_backward(dy, ids, vocabulary_size=2), [[0], [0]]
        )
    dy = dy[::-1].copy()
    np.testing.assert_array_equal(ops.embedding_backward(dy, ids, vocabulary_size=2), [[0], [2]])


def test_ids_of_a_single_number_give_a_single_vector() -> None:
    np.testing.assert_array_equal(ops.embedding(2, np.eye(3)), [0, 0, 1])


def test_words_learn_what_they_mean() -> None:
    built = model()
    history = built.fit(
        *(IDS, LABELS),
        loss=ENTROPY,
        optimizer=gk.Adam(0.02),
        epochs=60,
        metrics="accuracy",
        verbose=0,
    )
    assert history["accuracy"][-1] == 1


def test_the_bits_depend_on_nothing_but_the_data() -> None:
    wanted = trained().flat_params.tobytes()
    assert trained(IDS.astype(np.int32)).flat_params.tobytes() == wanted
    for threads in (1, 2, 3, 5):
        _core.set_num_threads(threads)
        assert trained().flat_params.tobytes() == wanted


def test_a_vector_does_not_depend_on_its_neighbours() -> None:
    built, order = trained(), RNG.permutation(len(IDS))
    np.testing.assert_array_equal(built.predict(IDS[order]), built.predict(IDS)[order])


def test_replay_is_the_passes_themselves() -> None:
    built, other = model(), model()
    optimizer, loss = gk.Adam(0.01), gk.losses.SoftmaxCrossEntropy()
    built.fit(
        *(IDS, LABELS),
        loss=ENTROPY,
        optimizer=gk.Adam(0.01),
        epochs=5,
        batch_size=None,
        shuffle=False,
        verbose=0,
    )
    other.build((STEPS,))
    for _ in range(5):
        other.backward(loss(other.forward(IDS, training=True), LABELS)[1])
        optimizer.step(other)
    assert built.flat_params.tobytes() == other.flat_params.tobytes()


def test_the_vector_of_the_padding_is_zero_and_stays_so() -> None:
    ids = IDS.copy()
    ids[:, 1] = ids[:, -1] = 0
    for weight_init in ("auto", "ones"):
        built = trained(ids, mask_zero=True, weight_init=weight_init)
        assert not built.params["embedding.weight"][0].any()
    assert trained(ids).params["embedding.weight"][0].any()


def test_a_frozen_embedding_keeps_its_vectors() -> None:
    built = model()
    built.build((STEPS,))
    built[0].trainable = False
    before = built.params["embedding.weight"].copy()
    built.fit(IDS, LABELS, loss=ENTROPY, verbose=0)
    np.testing.assert_array_equal(built.params["embedding.weight"], before)


def test_a_shared_embedding_adds_up_the_gradients_of_its_uses() -> None:
    table = gk.Embedding(VOCABULARY, 4)
    a, b = gk.Input((STEPS,), "int32"), gk.Input((STEPS,), "int32")
    shared = gk.Model((a, b), gk.Add()(table(a), table(b)), dtype="float64")
    x, y = IDS[:7].astype(np.int32), IDS[7:14].astype(np.int32)
    dy = RNG.standard_normal(shared.forward((x, y)).shape)
    shared.backward(dy)
    parts = [ops.embedding_backward(dy, each, vocabulary_size=VOCABULARY) for each in (x, y)]
    np.testing.assert_array_equal(shared.grads["embedding.weight"], parts[0] + parts[1])


def test_a_file_and_a_copy_give_the_same_outputs(tmp_path: Path) -> None:
    built = trained(mask_zero=True)
    built.save(tmp_path / "words.safetensors")
    for again in (gk.load(tmp_path / "words.safetensors"), copy.deepcopy(built)):
        assert repr(again[0]) == repr(built[0])
        np.testing.assert_array_equal(again.predict(IDS), built.predict(IDS))


def test_both_backends_train_alike() -> None:
    built = trained(mask_zero=True)
    gk.use_backend("reference")
    np.testing.assert_allclose(trained(mask_zero=True).flat_params, built.flat_params, rtol=1e-4)


# The last good weights are older on a busy machine, from before the change of the ids.
@pytest.mark.parametrize("copies", ["always", "once"])
def test_ids_that_leave_the_vocabulary_during_a_training_are_told(
    copies: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nonfinite, "_COPY_SHARE", {"always": 0, "once": 1e9}[copies])
    ids = IDS.copy()

    def spoil(epoch: int, logs: Any) -> None:
        ids[epoch % 30, 2] = 10**12

    built = model()
    with pytest.raises(
        ValueError, match=r"the id 1000000000000 in row \d, step 2 of ids is outside"
    ):
        built.fit(ids, LABELS, loss=ENTROPY, epochs=9, batch_size=8, callbacks=spoil, verbose=0)
    assert np.isfinite(built.flat_params).all()


def behind(layer: gk.Layer) -> Any:
    return lambda: gk.Sequential(layer, gk.Embedding(3, 2)).predict(np.ones((2, 3)))


def with_id(value: int) -> NDArray[Any]:
    ids = IDS.copy()
    ids[4, 3] = value
    return ids


EMPTY = np.where(np.arange(len(IDS))[:, np.newaxis] == 3, 0, IDS)
OUTSIDE = "is outside the vocabulary of 13, whose ids go from 0 to 12"
MISTAKES: list[Mistake] = [
    (
        ValueError,
        f"fit: the id 13 in row 4, step 3 of x {OUTSIDE}",
        lambda: model().fit(with_id(13), LABELS, loss=ENTROPY, verbose=0),
    ),
    (
        ValueError,
        f"predict: the id -1 in row 4, step 3 of x {OUTSIDE}",
        lambda: model().predict(with_id(-1)),
    ),
    (
        ValueError,
        f"forward: the id 99 in row 4, step 3 of x {OUTSIDE}",
        lambda: model().forward(with_id(99)),
    ),
    (
        ValueError,
        f"fit: the id 13 in row 4, step 3 of validation_data's x {OUTSIDE}",
        lambda: model().fit(
            *(IDS, LABELS), loss=ENTROPY, validation_data=(with_id(13), LABELS), verbose=0
        ),
    ),
    (
        ValueError,
        "fit: row 3 of x is an empty sequence, all its ids are the padding 0",
        lambda: model(mask_zero=True).fit(EMPTY, LABELS, loss=ENTROPY, verbose=0),
    ),
    (
        ValueError,
        (
            "predict: x must hold indices that are whole numbers of int64, but row 0 holds"
            f" {IDS[0, 0] + 0.5}"
        ),
        lambda: model().predict(IDS + 0.5),
    ),
    *(
        (
            TypeError,
            (
                f"{owner}: x must hold integers, got dtype <U3; words become ids by a"
                " gyaku.data.Vocabulary"
            ),
            lambda owner=owner: getattr(model(), owner)([["the", "cat"]]),
        )
        for owner in ("predict", "forward")
    ),
    (
        TypeError,
        "forward: x must hold integers, but column 1 holds None in row 0",
        lambda: model().forward(np.array([[1, None]])),
    ),
    (
        TypeError,
        "forward: x must hold integers, got dtype complex128",
        lambda: model().forward(IDS + 1j),
    ),
    (
        TypeError,
        "embedding: ids must be integers, got float64",
        lambda: ops.embedding([0.0], [[1]]),
    ),
    (
        ValueError,
        (
            "embedding: the id 2 in row 0 of ids is outside the vocabulary of 1, whose ids go from"
            " 0 to 0"
        ),
        lambda: ops.embedding([2], [[1.0]]),
    ),
    (
        ValueError,
        (
            "embedding: the id 5 in row 1, position (0, 1) of ids is outside the vocabulary of 3,"
            " whose ids go from 0 to 2"
        ),
        lambda: ops.embedding([[[0, 1]], [[2, 5]]], np.eye(3)),
    ),
    (
        ValueError,
        "embedding: table must have two dimensions, got shape (3,)",
        lambda: ops.embedding([0], [1.0, 2.0, 3.0]),
    ),
    (
        ValueError,
        "embedding_backward: dy must have a row for each id, got shapes (2, 3) and (3,)",
        lambda: ops.embedding_backward(np.ones((2, 3)), [0, 0, 0], vocabulary_size=1),
    ),
    (
        ValueError,
        "embedding_backward: vocabulary_size must be at least 1, got 0",
        lambda: ops.embedding_backward(np.ones((1, 3)), [0], vocabulary_size=0),
    ),
    (
        ValueError,
        "sequence_lengths: ids must have a sample axis and a time axis, got shape (2,)",
        lambda: ops.sequence_lengths([1, 2]),
    ),
    (
        ValueError,
        "Embedding: mask_zero needs a time axis, got samples of shape ()",
        lambda: gk.Embedding(3, 2, mask_zero=True).build(()),
    ),
    (
        ValueError,
        ("Embedding 'embedding': takes indices, so it must come first, not behind another layer"),
        behind(gk.ReLU()),
    ),
    (
        ValueError,
        "Embedding: vocabulary_size must be at least 1, got 0",
        lambda: gk.Embedding(0, 2),
    ),
]
test_a_mistake_is_refused_in_one_sentence = refused_in_one_sentence(MISTAKES)
