"""Runs of the benchmark: free peers, rows of one's own, interruption, comparison, the READMEs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench import compare, predict, readme, steps
from bench.__main__ import read
from bench.blas import described
from bench.data import initial_weights, load
from bench.peers import PEERS
from bench.predict import PREDICTIONS, Prediction
from bench.processes import TIMEOUT, WorkerError, environment, held_back
from bench.record import Record
from bench.rows import ROWS, find
from bench.workloads import BatchNorm, Conv, flatten

ROOT = Path(__file__).parent.parent
OWN_ROW = """
import numpy as np

from bench.workloads import SGD, Dense, Workload


def halves():
    x = np.random.default_rng(0).random((64, 3), np.float32)
    return x, x[:, :1] / 2


row = Workload("halves", (3,), (Dense(1),), "mean_squared_error", SGD(0.5), 16, halves, 50)
"""


def test_nothing_holds_a_peer_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_ENABLE_INSTRUCTIONS", "OMP_PLACES"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("GYAKU_ISA", "avx2")
    free = environment(2)
    assert {name: free[name] for name in free if name.startswith(("OPENBLAS", "MKL", "OMP"))} == {
        "OPENBLAS_NUM_THREADS": "2",
        "MKL_NUM_THREADS": "2",
        "OMP_NUM_THREADS": "2",
    }
    assert free["GYAKU_ISA"] == "avx2"
    assert {"OPENBLAS_CORETYPE", "OMP_PLACES"} <= set(held_back())
    assert "OMP_NUM_THREADS" not in held_back()


def test_a_trial_far_longer_than_another_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of the options does not matter: only what is found so far limits the next ones."""
    now, limits = 0.0, []
    lengths = iter([10.0, 100.0, 8.0, 9.0, 9.0, 9.0, 7.0])

    def run(
        self: steps.Setting, *_arguments: Any, limit: float, **_keywords: Any
    ) -> dict[str, float]:
        nonlocal now
        length = next(lengths)
        now += min(length, limit)
        limits.append(limit)
        if length > limit:
            raise WorkerError(f"no answer within {limit:.0f} s")
        return {"us": length}

    monkeypatch.setattr(steps.Setting, "run", run)
    monkeypatch.setattr(steps, "perf_counter", lambda: now)
    settings: Any = SimpleNamespace(threads=2, quick=False)
    setting, tried = steps.choose("torch", ROWS["lenet"], settings)
    assert limits == [TIMEOUT, 40.0, 40.0, 32.0, 32.0, 32.0, 32.0]
    assert list(tried.values()) == [10.0, "no answer within 40 s", 8.0, 9.0, 9.0, 9.0, 7.0]
    assert (setting.option, setting.threads) == ("NCHW, plain", 1)


def test_the_blas_is_named_with_its_kernels() -> None:
    openmp = {"user_api": "openmp", "internal_api": "openmp", "version": None}
    blas = {"user_api": "blas", "internal_api": "openblas", "version": "0.3.31"}
    kernels = {"architecture": "SkylakeX"}
    assert described([openmp, blas | kernels]) == "openblas 0.3.31 with its kernels for SkylakeX"
    assert described([openmp, blas]) == "openblas 0.3.31"
    assert described([openmp]) == "a BLAS without a name"


def test_a_file_of_results_is_never_half_written(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    record = Record(path, ["A note"])
    record.keep("rows", {"xor": 1}, {"cpu": "A CPU"})
    with pytest.raises(TypeError):
        record.keep("widths", object(), {})
    found = json.loads(path.read_text())
    assert (found["rows"], found["machine"]) == ({"xor": 1}, {"rows": {"cpu": "A CPU"}})
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_row_of_ones_own_is_measured(tmp_path: Path) -> None:
    file, path = tmp_path / "my_row.py", tmp_path / "a.json"
    file.write_text(OWN_ROW)
    done = bench(
        *("--row", str(file), "--quick", "--peers", "gyaku", "--threads", "1"),
        *("--json", str(path)),
    )
    assert done.returncode == 0, done.stderr
    assert "### halves: 3-1" in done.stdout
    found = json.loads(path.read_text())
    assert list(found["rows"]) == ["halves"]
    assert found["rows"]["halves"]["workload"]["data"] == "halves"
    assert found["rows"]["halves"]["rounds"]["gyaku"][0]["loss"] < 1e-4


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (OWN_ROW.replace('"halves", (3', '"xor", (3'), "--row: the name 'xor' is taken"),
        ("rows = []", "has no variable `row` that is a bench.workloads.Workload"),
        (None, "a row is the variable `row` of a Python file"),
    ],
)
def test_a_wrong_row_of_ones_own_gets_one_sentence(
    text: str | None, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "my_row.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SystemExit):
        read(["--row", str(path)])
    assert sentence in capsys.readouterr().err


def test_the_documented_row_is_one(tmp_path: Path) -> None:
    text = (ROOT / "bench" / "README.md").read_text()
    path = tmp_path / "my_row.py"
    path.write_text(text.split("```python\n")[1].split("```")[0])
    row = find(str(path))
    x, y = load(row, None)
    assert x.shape == (len(y), *row.inputs)
    assert row.shape == "32-256 relu dropout 0.1-2"


def test_a_killed_run_leaves_the_rows_that_it_measured(tmp_path: Path) -> None:
    path, endless = tmp_path / "a.json", tmp_path / "endless.py"
    endless.write_text(OWN_ROW.replace('"halves", (3', '"endless", (3').replace("50)", "10**9)"))
    command = [sys.executable, "-m", "bench", "xor", "--row", str(endless), "--json", str(path)]
    command += ["--peers", "gyaku", "--threads", "1", "--quick"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout
        assert run.stderr
        shown = ""
        while "### xor" not in shown:
            line = run.stdout.readline()
            assert line, run.stderr.read()
            shown += line
        run.send_signal(signal.SIGTERM)
        _, errors = run.communicate(timeout=30)
    assert run.returncode == 130
    assert f"interrupted; the results so far are in {path}" in errors
    assert list(json.loads(path.read_text())["rows"]) == ["xor"]
    assert "Traceback" not in errors


def results(scale: float, **more: Any) -> dict[str, Any]:
    """Return the results of two rounds, in which gyaku's times are `scale` and twice that."""
    us = {"torch": [100.0, 120.0], "gyaku": [10 * scale, 20 * scale]}
    facts = {"cpu": "A CPU", "isa": "avx2", "date": "2026-01-02 03:04 UTC", "threads": 2}
    row = {
        "summary": {"us": us, "versus_best": 7.5},
        "workload": {"title": "a network", "shape": "8-1", "batch": 1000},
        "rounds": {"gyaku": [{}, {}], "torch": [{}, {}]},
    }
    cold = {
        "rounds": {
            "gyaku": [{"accuracy": 0.982, "wall": scale}],
            "PyTorch, 2 threads": [{"accuracy": 0.98, "wall": 5.0}],
        },
        "best_rival": "PyTorch, 2 threads",
    }
    return {
        "machine": {name: facts | {"warnings": []} for name in ("rows", "predict", "accuracy")},
        "rows": {"mlp_seed": row, "mine": row},
        "predict": {"us": {"lenet, 10,000 images": us}},
        "accuracy": {"one_cycle": cold},
        "products": {"gflops": {"4x4x4 nn": {"numpy": [1.0, 1.0], "gyaku": [scale, scale]}}},
    } | more


def test_two_runs_are_compared_row_by_row() -> None:
    shown = compare.show(results(1.0), results(3.0))
    lines = {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]]
        for line in shown.splitlines()
        if line.startswith("| ")
    }
    assert lines["mlp_seed"] == ["gyaku", "15.0", "45.0", "0.333×", "1.00×", "slower"]
    assert lines["4x4x4 nn"] == ["gyaku", "1.00", "3.00", "3.00×", "1.00×", "faster"]
    assert "A: A CPU, avx2, 2026-01-02 03:04 UTC, 2 threads" in shown
    again = compare.show(results(1.0), results(1.1))
    assert "slower" not in again
    assert again.count("faster") == 1  # the product, which had no range
    assert "They have no row in common." in compare.show(results(1.0), {"machine": {}})


def test_a_file_without_results_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("[]")
    for wrong in (path, tmp_path / "b.json"):
        with pytest.raises(SystemExit, match=f"bench: {wrong}"):
            compare.main([str(wrong), str(path)])


def test_the_readmes_get_the_figures_of_one_run(tmp_path: Path) -> None:
    for name in readme.LANGUAGES:
        (tmp_path / name).write_text((ROOT / name).read_text())
    readme.write(results(1.0), tmp_path)
    for name, title in (
        ("README.md", "a network"),
        ("README.ja.md", "784-100-10、シグモイド、SGD"),
    ):
        text = (tmp_path / name).read_text()
        cells = ["1,000", "110 µs", "15.0 µs", "7.50"]
        line = next(line for line in text.splitlines() if line.startswith(f"| {title} "))
        assert [cell.strip() for cell in line.split("|")[2:-1]] == cells
        assert "2026-01-02" in text
        assert "98.2%" in text
        assert text.count("performance:begin") == text.count("performance:end") == 1
        for around in (lambda page: page.split("<!-- p")[0], lambda page: page.split("end -->")[1]):
            assert around(text) == around((ROOT / name).read_text())
    again = (tmp_path / "README.md").read_text()
    readme.write(results(1.0), tmp_path)
    assert (tmp_path / "README.md").read_text() == again


def test_a_run_in_parts_is_joined_if_it_is_one() -> None:
    rows, rest = results(1.0), results(1.0)
    rows["rows"] = dict([*rows["rows"].items()][:1])
    for name in ("predict", "accuracy"):
        del rows[name], rows["machine"][name]
    row, *_ = rest["rows"].values()
    rest["rows"] = {"another": row}
    whole = readme.joined([rows, rest])
    assert [*whole["rows"]] == [*rows["rows"], "another"]
    assert not readme.doubts(whole)
    for fact, value, said in (
        ("isa", "scalar", "of several runs: isa is"),
        ("date", "2026-01-03 10:00 UTC", "date is 2026-01-02 in one and 2026-01-03"),
    ):
        other = results(1.0)
        other["machine"]["accuracy"] = other["machine"]["accuracy"] | {fact: value}
        with pytest.raises(SystemExit, match=said):
            readme.joined([results(1.0), other])


def test_every_row_has_a_title_in_both_languages() -> None:
    assert all(row.title for row in ROWS.values())
    assert readme.LANGUAGES["README.ja.md"].titles.keys() == ROWS.keys()


def test_figures_of_a_busy_machine_are_not_published(tmp_path: Path) -> None:
    loud = results(1.0)
    loud["machine"]["predict"]["warnings"] = ["a browser"]
    with pytest.raises(SystemExit, match="not quiet during predict: a browser"):
        readme.write(loud, tmp_path)
    partial = results(1.0)
    del partial["accuracy"]
    with pytest.raises(SystemExit, match="accuracy was not measured"):
        readme.write(partial, tmp_path)


def test_the_fastest_way_of_a_framework_counts() -> None:
    one = Prediction("lenet", 1, (("torch", 2), ("onnxruntime", 2)))

    def answers(us: float) -> dict[Prediction, list[dict[str, Any]]]:
        answer = {"us": us, "chunk": 1, "mean": 0.5}
        return {one: [answer, answer] for one in PREDICTIONS}

    found = predict.results(
        {"torch eager, NCHW": answers(30), "torch frozen, NCHW": answers(25), "gyaku": answers(10)},
        {},
    )
    us = found["us"][str(PREDICTIONS[0])]
    assert us == {"torch": [25, 25], "gyaku": [10, 10]}
    assert found["ways"][str(one)]["torch"] == "frozen, NCHW, mean of the outputs 0.500000"
    assert predict.met(one, us) is None
    assert predict.met(one, us | {"onnxruntime": [20.0]}) is True
    assert predict.met(one, us | {"onnxruntime": [19.0]}) is False
    shown = predict.show({one: us}, found["ways"], [1e12])
    flops = 2 * (576 * 25 * 20 + 64 * 25 * 20 * 50 + 800 * 500 + 500 * 10)
    assert one.flops == flops
    line = next(line for line in shown.splitlines() if line.startswith(f"| {one} "))
    cells = [cell.strip() for cell in line.split("|")[2:-2]]
    assert cells == ["25.0 (25.0)", "10.0 (10.0)", f"{flops / 1e6:.2f}", "46%", "2.50×"]


def test_a_residual_network_has_the_layers_of_its_paper() -> None:
    row = ROWS["resnet20"]
    shapes = [shape for shape, _ in row.weighted]
    # 19 convolutions, two of them shortcuts' projections, and a dense layer at the end.
    assert [len(shape) for shape in shapes] == [4] * 21 + [2]
    assert sum(isinstance(layer, BatchNorm) for _, layer, _ in row.leaves) == 21
    assert [behind for _, _, behind in row.leaves][-3:] == [(8, 8, 64), (64,), (10,)]
    fresh = [params for params in initial_weights(row) if len(params) == 1]
    assert len(fresh) == 21  # convolutions without bias
    strided = Conv(4, 3, 1, stride=2)
    assert strided.behind((32, 32, 3)) == (16, 16, 4)
    assert len(list(flatten(row.layers, row.inputs))) == 21 + 21 + 2
    widest = [shape[-1] for shape, _ in ROWS["resnet8_64"].weighted]
    assert widest == [64, 64, 64, 128, 128, 128, 256, 256, 256, 10]


def test_a_depthwise_convolution_has_a_filter_for_each_channel() -> None:
    row = ROWS["separable"]
    depthwise, pointwise = (shape for shape, _ in row.weighted[1:3])
    assert (depthwise, pointwise) == ((3, 3, 1, 32), (1, 1, 32, 64))
    assert row.products[1] == 2 * 32 * 32 * 9 * 32
    assert row.shape.startswith("32×32×3-conv32 3×3-norm relu-depthwise conv32 3×3-norm relu-")


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if not row.mnist])
def test_data_sets_that_are_made_fit_their_rows(name: str) -> None:
    row = ROWS[name]
    x, y = load(row, None)
    assert x.shape == (len(y), *row.inputs)
    assert x.dtype == np.float32
    assert y.dtype == (np.float32 if row.squared else np.int64)
    assert not row.squared or y.shape[1:] == (row.weighted[-1][0][1],)
    assert len(x) >= min(row.batch, 4)


def test_gyaku_builds_every_row() -> None:
    from bench.peers.with_gyaku import fill, network

    for row in ROWS.values():
        model = network(row)
        model.build(row.inputs)
        fill(model, initial_weights(row))
        assert row.flops > 0


def test_the_peers_are_in_the_extra_that_installs_them() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for peer in PEERS.values():
        for package in peer.packages.values():
            assert f'"{package.split("==")[0]}' in text or package == "'.[bench]'"


def test_a_row_is_found_by_name_or_file(tmp_path: Path) -> None:
    path = tmp_path / "my_row.py"
    path.write_text(OWN_ROW)
    assert find(str(path)).name == "halves"
    assert find("xor") == ROWS["xor"]
