"""The doctor finds each mistake in a training made to have it, and names a remedy."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku.findings import WORDS

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 12)).astype(np.float32)
LABELS = (X @ RNG.normal(size=(12, 3))).argmax(axis=1)
RARE = LABELS * (np.arange(300) < 30)
BITS = np.float32(X[:, :1] > 0)
Y = np.tanh(X[:, :2])
IMAGES = RNG.integers(0, 256, (200, 60)).astype(np.uint8)
ENTROPY = "softmax_cross_entropy"
MSE = "mean_squared_error"


def net(*layers: Any, units: int = 3) -> gk.Sequential:
    return gk.Sequential(*layers, gk.Dense(units), seed=0)


def trained(model: gk.Sequential, x: Any, y: Any, **options: Any) -> gk.Diagnosis:
    options = {"epochs": 6, "verbose": 0, "loss": ENTROPY, **options}
    history = model.fit(x, y, **options)
    return gk.diagnose(model, x, y, history=history)


def dead() -> gk.Diagnosis:
    model = net(gk.Dense(20, "relu", bias_init=gk.init.Constant(-20)))
    return gk.diagnose(model, X, LABELS, loss=ENTROPY)


def saturated() -> gk.Diagnosis:
    model = net(gk.Dense(20, "tanh", weight_init=gk.init.Normal(std=5)))
    return gk.diagnose(model, X, LABELS, loss=ENTROPY)


def vanishing() -> gk.Diagnosis:
    model = net(*(gk.Dense(20, "sigmoid") for _ in range(8)))
    return gk.diagnose(model, X, LABELS, loss=ENTROPY)


def exploding() -> gk.Diagnosis:
    draw = gk.init.Normal(std=2)
    model = net(*(gk.Dense(20, "relu", weight_init=draw) for _ in range(8)))
    return gk.diagnose(model, X, LABELS, loss=ENTROPY)


def over_fitting() -> gk.Diagnosis:
    few, noise = X[:40], RNG.integers(0, 3, 40)
    options = {"epochs": 60, "validation_data": (X[40:], LABELS[40:]), "optimizer": gk.Adam(0.01)}
    return trained(net(gk.Dense(64, "relu")), few, noise, **options)


def not_finite() -> gk.Diagnosis:
    model = net(gk.Dense(20, "relu"), units=2)
    model.build((12,))
    model.params["dense.weight"] = np.full((12, 20), 1e38, np.float32)
    return gk.diagnose(model, X, Y, loss=MSE)


def broken(y: Any, t: Any) -> Any:
    return np.nan, np.zeros_like(y)


def channels_first() -> gk.Diagnosis:
    model = net(gk.Conv2D(4, 1), gk.Flatten())
    return gk.diagnose(model, RNG.normal(size=(40, 3, 8, 8)), LABELS[:40], loss=ENTROPY)


SICK: dict[str, Callable[[], gk.Diagnosis]] = {
    "byte_inputs": lambda: gk.diagnose(net(), IMAGES, LABELS[:200], loss=ENTROPY),
    "unscaled_inputs": lambda: gk.diagnose(net(), 1000 * X, LABELS, loss=ENTROPY),
    "channels_first": channels_first,
    "byte_targets": lambda: gk.diagnose(
        gk.Sequential(gk.Dense(60, "sigmoid")), IMAGES / 255, IMAGES, loss=MSE
    ),
    "unscaled_targets": lambda: gk.diagnose(net(units=2), X, 1e5 * Y, loss=MSE),
    "unreachable_targets": lambda: gk.diagnose(
        gk.Sequential(gk.Dense(2, "sigmoid")), X, Y, loss=MSE
    ),
    "unbalanced_labels": lambda: gk.diagnose(
        net(), X, LABELS * (np.arange(300) < 30), loss=ENTROPY
    ),
    "doubled_softmax": lambda: gk.diagnose(
        gk.Sequential(gk.Dense(3), gk.Softmax()), X, LABELS, loss=ENTROPY
    ),
    "bounded_logits": lambda: gk.diagnose(
        gk.Sequential(gk.Dense(3, "sigmoid")), X, LABELS, loss=ENTROPY
    ),
    "doubled_sigmoid": lambda: gk.diagnose(
        gk.Sequential(gk.Dense(1, "sigmoid")), X, BITS, loss="sigmoid_cross_entropy"
    ),
    "sigmoid_with_cross_entropy": lambda: gk.diagnose(
        gk.Sequential(gk.Dense(3, "sigmoid")), X, LABELS, loss="cross_entropy"
    ),
    "not_probabilities": lambda: gk.diagnose(net(units=1), X, BITS, loss="binary_cross_entropy"),
    "not_finite": not_finite,
    "loss_not_finite": lambda: gk.diagnose(net(units=2), X, Y, loss=broken),
    "dead_units": dead,
    "saturated_units": saturated,
    "vanishing_gradients": vanishing,
    "exploding_gradients": exploding,
    "large_updates": lambda: gk.diagnose(net(), X, LABELS, loss=ENTROPY, optimizer=gk.Adam(1)),
    "small_updates": lambda: gk.diagnose(net(), X, LABELS, loss=ENTROPY, optimizer=gk.SGD(1e-6)),
    "rate_too_high": lambda: trained(net(gk.Dense(30, "relu")), X, LABELS, optimizer=gk.SGD(10)),
    "rate_too_low": lambda: trained(net(gk.Dense(30, "relu")), X, LABELS, optimizer=gk.SGD(1e-6)),
    "over_fitting": over_fitting,
}


def quietly(case: Callable[[], Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return case()


def test_every_kind_has_a_case() -> None:
    assert {*SICK, "shuffled_states"} == {
        *WORDS
    }  # states of shuffled samples are seen at fit alone


@pytest.mark.parametrize("kind", SICK)
def test_each_mistake_is_found_alone(kind: str) -> None:
    diagnosis = quietly(SICK[kind])
    assert [each.kind for each in diagnosis] == [kind]
    assert not diagnosis.ok
    (finding,) = diagnosis
    for lang in ("en", "ja"):
        said = finding.translated(lang)
        assert said.sentence in str(said)
        assert said.remedy in str(said)
        assert "{" not in str(said)
        assert "nan" not in str(said)
    japanese = re.compile("[぀-ヿ一-鿿]")
    assert japanese.search(finding.translated("ja").sentence)
    assert not japanese.search(str(finding))


def test_the_layer_and_the_value_are_named() -> None:
    (finding,) = dead()
    assert (finding.layer, finding.value) == ("dense", 1.0)
    assert finding.sentence.startswith("20 of 20 units of dense are 0 for all 256 samples")
    (finding,) = quietly(SICK["byte_inputs"])
    assert (finding.layer, finding.value) == (None, IMAGES.max())
    (finding,) = vanishing()
    assert finding.layer == "dense"
    assert 0 < finding.value < 1e-4


def test_a_diagnosis_is_a_list_text_and_a_table() -> None:
    diagnosis = dead()
    assert len(diagnosis) == 1
    assert diagnosis[0] in diagnosis
    first, finding, remedy = repr(diagnosis).splitlines()
    assert first == "Diagnosis of Sequential, 256 samples: 1 finding"
    assert finding == f"  dead units: {diagnosis[0].sentence}"
    assert remedy == f"    -> {diagnosis[0].remedy}"
    table = diagnosis._repr_html_()
    assert table.count("<td>") == 4
    assert "weight_init=&#x27;he&#x27;" in table
    well = gk.Diagnosis("net", 10, [])
    assert well.ok
    assert "nothing found" in repr(well)
    assert "<td>" not in well._repr_html_()


def test_the_japanese_diagnosis_is_japanese() -> None:
    model = net(gk.Dense(20, "relu", bias_init=gk.init.Constant(-20)))
    diagnosis = gk.diagnose(model, X, LABELS, loss=ENTROPY, lang="ja")
    assert "死んだユニット" in repr(diagnosis)
    assert "所見 1 件" in diagnosis._repr_html_()


def test_the_model_is_left_as_it_was() -> None:
    x = RNG.normal(size=(64, 10, 3))
    layers = gk.LSTM(8, stateful=True), gk.Dense(8), gk.BatchNorm(), gk.ReLU(), gk.Dropout(0.5)
    model = net(*layers)
    options: dict[str, Any] = {"batch_size": 64, "shuffle": False, "verbose": 0, "loss": ENTROPY}
    model.fit(x, LABELS[:64], **options)

    def state() -> list[bytes]:
        arrays = [*model.params.values(), *model.grads.values(), *model.buffers.values()]
        arrays += [model.clock, model.optimizer.clock, *model.optimizer.state.values()]
        return [array.tobytes() for array in arrays]

    before, carried = state(), model[0].carried
    kept = {key: [part.copy() for part in parts] for key, parts in carried.items()}
    gk.diagnose(model, x, LABELS[:64])
    assert state() == before
    for key, parts in kept.items():
        np.testing.assert_array_equal(carried[key], parts)


def test_the_optimizer_that_is_given_is_left_as_it_was() -> None:
    optimizer = gk.Adam(0.01)
    gk.diagnose(net(), X, LABELS, loss=ENTROPY, optimizer=optimizer)
    assert not optimizer.params.size


@pytest.mark.parametrize("rate", [gk.schedules.Cosine(0.1), gk.schedules.OneCycle(0.1)])
def test_a_rate_that_has_fallen_to_zero_is_not_too_low(rate: Any) -> None:
    diagnosis = trained(net(gk.Dense(20, "relu")), X, LABELS, optimizer=gk.SGD(rate))
    assert diagnosis.ok, diagnosis


def test_data_of_several_inputs_and_outputs_are_named() -> None:
    a, b = gk.Input((12,), name="a"), gk.Input((12,), name="b")
    joined = gk.Concatenate()(a, b)
    model = gk.Model((a, b), (gk.Dense(2, name="p")(joined), gk.Dense(2, name="q")(joined)))
    diagnosis = gk.diagnose(model, (X, 100 * X), (Y, 1e4 * Y), loss=MSE)
    assert [each.kind for each in diagnosis] == ["unscaled_inputs", "unscaled_targets"]
    assert diagnosis[0].sentence.startswith("x['b'] is not scaled")
    assert diagnosis[1].sentence.startswith("y['q'] is not scaled")


def test_bad_input_is_refused() -> None:
    with pytest.raises(TypeError, match="^diagnose: model must be a Model, got Dense"):
        gk.diagnose(gk.Dense(3), X, LABELS)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="^diagnose: lang must be 'en' or 'ja', got 'fr'$"):
        gk.diagnose(net(), X, LABELS, loss=ENTROPY, lang="fr")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="^diagnose: a loss is needed"):
        gk.diagnose(net(), X, LABELS)
    with pytest.raises(ValueError, match="^Doctor: lang must be 'en' or 'ja', got 'fr'$"):
        gk.Doctor(lang="fr")  # type: ignore[arg-type]


def test_the_callback_warns_once_of_each_kind_at_the_line_that_trains() -> None:
    doctor = gk.Doctor()
    model = net(gk.Dense(20, "relu", bias_init=gk.init.Constant(-20)))
    with pytest.warns(UserWarning, match="^Doctor: 20 of 20 units of dense") as caught:
        model.fit(X, LABELS, loss=ENTROPY, epochs=3, callbacks=doctor, verbose=0)
    assert len(caught) == 1
    assert Path(caught[0].filename) == Path(__file__)
    assert doctor.diagnosis is not None
    assert [each.kind for each in doctor.diagnosis] == ["dead_units"]


def test_the_callback_leaves_to_fit_what_fit_warns_of() -> None:
    doctor = gk.Doctor(lang="ja")
    model = gk.Sequential(gk.Dense(3), gk.Softmax())
    with pytest.warns(UserWarning, match="ends with a softmax") as caught:
        model.fit(X, LABELS, loss=ENTROPY, callbacks=doctor, verbose=0)
    assert len(caught) == 1
    assert doctor.diagnosis is not None
    assert doctor.diagnosis[0].title == "二重のソフトマックス"


def test_the_callback_changes_no_bit() -> None:
    weights = []
    for callbacks in ([], [gk.Doctor()]):
        model = net(gk.Dense(20), gk.BatchNorm(), gk.ReLU(), gk.Dropout(0.2))
        rate = gk.schedules.Cosine(0.01)
        options: dict[str, Any] = {"epochs": 4, "verbose": 0, "callbacks": callbacks}
        model.fit(X, LABELS, loss=ENTROPY, optimizer=gk.Adam(rate), validation_split=0.1, **options)
        weights.append(model.flat_params.tobytes() + model.flat_buffers.tobytes())
    assert weights[0] == weights[1]


def test_callbacks_do_not_keep_the_data() -> None:
    doctor, stop = gk.Doctor(), gk.EarlyStopping("loss")
    net().fit(X, LABELS, loss=ENTROPY, callbacks=[doctor, stop], verbose=0)
    assert doctor.samples is None
    assert stop.samples is None


@pytest.mark.parametrize(("page", "lang"), [("docs/doctor.md", "en"), ("docs/ja/doctor.md", "ja")])
def test_the_page_lists_all_findings_in_their_order(page: str, lang: str) -> None:
    text = (Path(__file__).parent.parent / page).read_text()
    rows = re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE)[2:]
    assert sorted(rows) == sorted(words[lang].title for words in WORDS.values())


def test_the_example_of_the_page_runs() -> None:
    text = (Path(__file__).parent.parent / "docs" / "doctor.md").read_text()
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    found: dict[str, Any] = {}
    exec(code, found)
    assert [each.kind for each in found["diagnosis"]] == ["vanishing_gradients"]
    assert found["doctor"].diagnosis.ok


def test_weights_that_balance_the_labels_are_a_remedy() -> None:
    def kinds(**options: Any) -> set[str]:
        doctor, model = gk.Doctor(), net()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, RARE, loss=ENTROPY, callbacks=doctor, verbose=0, **options)
        assert doctor.diagnosis is not None
        found = {each.kind for each in doctor.diagnosis}
        assert found == {each.kind for each in gk.diagnose(model, X, RARE, **options)}
        return found

    weights = np.where(RARE, 20.0, 1.0)
    assert "unbalanced_labels" in kinds()
    assert "unbalanced_labels" not in kinds(class_weight="balanced")
    assert "unbalanced_labels" not in kinds(sample_weight=weights)
    assert "unbalanced_labels" in kinds(sample_weight=weights, class_weight={0: 100})
    with pytest.raises(ValueError, match="diagnose: sample_weight must have the shape"):
        gk.diagnose(net(), X, RARE, loss=ENTROPY, sample_weight=weights[:9])


def test_a_pass_is_that_of_the_weighted_loss() -> None:
    def update(rows: slice, **options: Any) -> float:
        found = gk.diagnose(
            *(net(), X[rows], LABELS[rows]), loss=ENTROPY, optimizer=gk.SGD(1e4), **options
        )
        return next(each.value for each in found if each.kind == "large_updates")

    of_half = np.where(np.arange(200) < 100, 1.0, 1e-12)
    half = update(slice(100))
    assert update(slice(200)) != pytest.approx(half, rel=1e-3)
    assert update(slice(200), sample_weight=of_half) == pytest.approx(half, rel=1e-5)


@pytest.mark.parametrize("kind", ["batches", "mapped"])
def test_data_that_are_not_in_memory_are_looked_at(kind: str, tmp_path: Path) -> None:
    x, sorted_labels = 50 * X, np.sort(RARE)  # fit itself warns of more than 100
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")

    class Batches:
        def __iter__(self) -> Any:
            return iter([(x[i : i + 100], sorted_labels[i : i + 100]) for i in (0, 100, 200)])

    def fit(*callbacks: Any) -> bytes:
        data = (Batches(),) if kind == "batches" else (mapped, sorted_labels)
        model = net()
        model.fit(*data, loss=ENTROPY, epochs=3, callbacks=callbacks, verbose=0)
        return model.flat_params.tobytes()

    doctor = gk.Doctor()
    with pytest.warns(UserWarning, match="Doctor: x is not scaled"):
        assert fit(doctor) == fit()
    assert doctor.diagnosis is not None
    assert [each.kind for each in doctor.diagnosis] == ["unscaled_inputs"]


def test_an_error_at_the_beginning_is_not_hidden() -> None:
    def broken(y: Any, t: Any) -> Any:
        raise LookupError("the user's own")

    with pytest.raises(LookupError):
        net().fit(X, LABELS, loss=broken, callbacks=gk.Doctor(), verbose=0)


def test_limits_of_gradients_are_those_of_the_training() -> None:
    def warned(**limits: float) -> bool:
        options = {"loss": ENTROPY, "optimizer": gk.SGD(1e3), "verbose": 0, **limits}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            net().fit(X, LABELS, callbacks=gk.Doctor(), **options)
        return any("a step changes the weights" in str(each.message) for each in caught)

    assert warned()
    assert not warned(clip_norm=1e-6)
    assert not warned(clip_value=1e-7)


def test_a_resumed_doctor_has_the_whole_history(tmp_path: Path) -> None:
    options = {"loss": ENTROPY, "optimizer": gk.SGD(1e-6), "verbose": 0, "resume": True}

    def run(epochs: int) -> set[str]:
        doctor = gk.Doctor()
        callbacks = [doctor, gk.ModelCheckpoint(tmp_path / "last")]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net().fit(X, LABELS, epochs=epochs, callbacks=callbacks, **options)
        assert doctor.diagnosis is not None
        return {each.kind for each in doctor.diagnosis}

    assert run(3) == set()
    assert run(4) == {"rate_too_low"}
