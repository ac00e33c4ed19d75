"""The benchmark: its arithmetic, its command line, and one row that runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench import accuracy
from bench.__main__ import TABLES, read
from bench.cold import RECIPES, cycle
from bench.data import initial_weights
from bench.machine import Machine, span
from bench.peers import PEERS, options
from bench.processes import WorkerError, alternate, last_error
from bench.ratios import best, limit_share, median_ratio
from bench.rows import ROWS, find
from bench.serving import interleave, server
from bench.settings import Settings
from bench.steps import summary, verdict
from bench.table import number, percent, table
from bench.worker import peak_memory
from bench.workloads import Conv, Dense, Target

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("name", "flops"),
    [
        # Forward and weight gradient of both layers, input gradient of the second one.
        ("mlp_seed", 2 * 100 * (2 * 784 * 100 + 3 * 100 * 10)),
        ("mlp_big", 2 * 128 * (2 * 784 * 512 + 3 * 512 * 256 + 3 * 256 * 10)),
        ("autoenc", 2 * 100 * (2 * 784 * 128 + 3 * 128 * 784)),
        ("xor", 2 * (2 * 2 * 2 + 3 * 2 * 1)),
        # Output pixels times the numbers of a window times filters; the border of two counts.
        (
            "lenet",
            2 * 100 * (2 * 576 * 25 * 20 + 3 * (64 * 25 * 20 * 50 + 800 * 500 + 500 * 10)),
        ),
        ("simpleconv", 2 * 100 * (2 * 576 * 25 * 30 + 3 * (4320 * 100 + 100 * 10))),
        (
            "deepconv",
            2 * 100 * 2 * 784 * 9 * 16
            + 2 * 100 * 3 * 9 * 16 * (784 * 16 + 196 * 32 + 256 * 64 + 64 * 128 + 64 * 256)
            + 2 * 100 * 3 * (1024 * 50 + 50 * 10),
        ),
        # Products with the inputs and the states; the inputs need no gradient.
        ("lstm", 2 * 100 * (28 * 512 * (2 * 28 + 3 * 128) + 3 * 128 * 10)),
        ("width_46", 2 * 128 * (2 * 10 * 46 + 3 * 46 * 46 + 3 * 46 * 10)),
    ],
)
def test_flops_are_those_of_the_matrix_products(name: str, flops: int) -> None:
    assert find(name).flops == flops


def test_an_unknown_row_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no row 'lenet5'; known are mlp_seed"):
        find("lenet5")


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    assert median_ratio([2.0, 30.0, 8.0], [1.0, 10.0, 2.0]) == 3.0


def test_a_round_that_only_one_finished_is_left_out() -> None:
    assert median_ratio([2.0, 30.0], [1.0, 10.0, 2.0]) == 2.5


def test_the_best_has_the_least_median() -> None:
    assert best({"steady": [3.0, 3.0, 3.0], "lucky": [1.0, 5.0, 5.0]}) == "steady"
    assert best({}) is None


def test_the_limit_is_the_time_at_the_measured_peak() -> None:
    # 10 MFLOP at 1 TFLOP/s are 10 µs.
    assert limit_share(1e7, [1e12], [40.0]) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target({"torch": 2}), True),
        (Target({"torch": 4}), False),
        (Target({"torch": 3, "jax": 2}), True),
        (Target({"torch": 1, "jax": 2.1}), False),
        (Target({"torch": 2}, limit=0.9), False),
        (Target({"keras": 2}), None),
        (Target({"torch": 1, "keras": 1}), None),
        (Target({"torch": 4, "keras": 4}), False),
    ],
)
def test_a_target_is_met_against_the_peers_that_it_names(target: Target, met: bool | None) -> None:
    row = replace(ROWS["mlp_seed"], target=target)
    us = {"torch": [300.0], "jax": [200.0], "numpy": [150.0], "gyaku": [100.0]}
    found = summary(row, us, [1e12], {})
    assert found["met"] is met
    assert (found["best_peer"], found["versus_best"]) == ("numpy", 1.5)


@pytest.mark.parametrize(
    ("memory", "met"),
    [
        ({"gyaku": [1, 1], "torch": [2, 2]}, True),
        ({"gyaku": [2, 2], "torch": [2, 2]}, False),
        ({"gyaku": [1, 1]}, None),
    ],
)
def test_a_target_may_ask_for_less_memory(memory: dict[str, list[int]], met: bool | None) -> None:
    row = replace(ROWS["deepconv"], target=Target({"keras": 1}, lighter=("torch",)))
    us = {"torch": [300.0], "keras": [200.0], "gyaku": [100.0]}
    found = summary(row, us, [1e12], memory)
    assert found["met"] is met
    assert verdict(row, found).startswith("1× Keras/TF; less memory than PyTorch: ")


def test_a_process_counts_its_own_memory_alone() -> None:
    ballast = bytearray(200_000_000)
    ballast[::4096] = bytes(len(ballast[::4096]))
    child = "from bench.worker import peak_memory; print(peak_memory())"
    done = subprocess.run([sys.executable, "-c", child], cwd=ROOT, capture_output=True, check=True)
    assert 1e6 < int(done.stdout) < 100e6
    assert peak_memory() > 200e6


def test_rounds_alternate_and_begin_with_another_name_each_time() -> None:
    calls = []

    def measure(name: str) -> dict[str, Any]:
        calls.append(name)
        if name == "c":
            raise WorkerError("it cannot")
        return {"us": 1.0}

    answers, failures = alternate(["a", "b", "c"], 2, measure)
    assert calls == ["a", "b", "c", "b", "a"]
    assert {name: len(found) for name, found in answers.items()} == {"a": 2, "b": 2}
    assert failures == {"c": "it cannot"}


def test_the_error_of_a_process_is_found_in_its_traceback() -> None:
    text = "Traceback (most recent call last):\n  x\nValueError: no such row\nInvoked with: None\n"
    assert last_error(text) == "ValueError: no such row"
    assert last_error("") == "it said nothing"


def test_every_peer_says_how_it_runs_every_row() -> None:
    trained = {peer: {name for name, row in ROWS.items() if options(peer, row)} for peer in PEERS}
    images = {name for name, row in ROWS.items() if row.has(Conv)}
    assert all(trained[peer] == set(ROWS) for peer in ("torch", "jax", "keras", "gyaku"))
    assert trained["numpy"] == set(ROWS) - images - {"rnn", "lstm", "gru", "lstm_long"}
    assert trained["sklearn"] == {"mlp_seed", "mlp_one", "mlp_full", "tabular", "digits"}
    assert trained["onnxruntime"] == set()


def test_compiled_epochs_are_among_the_settings_of_jax_and_keras() -> None:
    for row in ROWS.values():
        assert options("jax", row)[0] == "scan"
        assert "loop with XLA" in options("keras", row)
        assert ("fit with XLA" in options("keras", row)) == (row.batch > 1)
    assert options("jax", ROWS["mlp_one"]) == ["scan", "scan unrolled 8 times"]
    assert options("jax", ROWS["lstm"]) == ["scan", "scan, time unrolled"]
    assert not any("time" in way for way in options("keras", ROWS["lstm_long"]))
    assert options("jax", ROWS["deepconv"])[-1] == "step by step, rbg random numbers"
    assert options("torch", ROWS["lenet"])[2:4] == ["NCHW, plain", "channels-last, fused"]


def test_a_row_is_described_in_a_line() -> None:
    assert ROWS["mlp_big"].shape == "784-512 relu dropout 0.2-256 relu dropout 0.2-10"
    assert ROWS["mlp_big"].weighted[1] == ((512, 256), Dense(256, "relu"))
    assert ROWS["lenet"].shape == ("28×28×1-conv20 5×5 relu-pool-conv50 5×5 relu-pool-500 relu-10")


def test_the_shapes_of_images_are_followed_through_the_layers() -> None:
    behind = [behind for _, _, behind in ROWS["deepconv"].leaves]
    assert behind[4:10] == [(16, 16, 32), (8, 8, 32), (8, 8, 64), (8, 8, 64), (4, 4, 64), (50,)]
    assert [shape for shape, _ in ROWS["lenet"].weighted[1:3]] == [(5, 5, 20, 50), (800, 500)]
    fans = [params[0].std() for params in initial_weights(ROWS["lenet"])]
    assert fans == pytest.approx(
        [(2 / 25) ** 0.5, (2 / 500) ** 0.5, (2 / 800) ** 0.5, (2 / 510) ** 0.5], rel=0.1
    )


class Fake:
    """A server that says who was asked for what, and fails once."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    def ask(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Return the answer."""
        self.log.append(f"{self.name}{arguments[0]}")
        if self.log[-1] == "b2":
            raise WorkerError("it cannot")
        return {"us": 1.0}


def test_servers_alternate_task_by_task_and_a_failing_one_is_left_out() -> None:
    log: list[str] = []

    @contextmanager
    def start(name: str) -> Iterator[Fake]:
        log.append(f"+{name}")
        if name == "d":
            raise WorkerError("it is not here")
        yield Fake(name, log)
        log.append(f"-{name}")

    answers, failures = interleave(
        "test",
        {name: partial(start, name) for name in "abcd"},
        [1, 2],
        2,
        lambda _, task: [str(task)],
        before=lambda: log.append("|"),
    )
    first = "| +a +b +c +d a1 b1 c1 b2 c2 a2 -c -b -a"
    second = "| +a +c c1 a1 a2 c2 -c -a"
    assert " ".join(log) == f"{first} {second}"
    assert failures == {"d": "it is not here", "b": "it cannot"}
    assert {name: len(found[1]) for name, found in answers.items()} == {"a": 2, "c": 2}


def test_a_server_answers_until_it_fails() -> None:
    with server("bench.worker", "--serve", threads=1) as one:
        timing = ["--seconds", "0.001", "--calls", "1", "--no-loss"]
        assert one.ask(["xor", "gyaku", *timing])["us"] > 0
        assert one.ask(["width_16", "gyaku", *timing])["us"] > 0
        with pytest.raises(WorkerError, match=r"exit code \d: .*alexnet"):
            one.ask(["alexnet", "gyaku"])


def test_a_module_that_is_no_server_is_a_failure() -> None:
    why = "No module named bench.nowhere"
    with pytest.raises(WorkerError, match=why), server("bench.nowhere", threads=1):
        pass


def fake_machine() -> Machine:
    machine = Machine(2, ["numpy", "gyaku"])
    machine.peaks.append({"cpu": "A CPU", "isa": "avx2", "flops": 1e11, "bandwidth": 1e10})
    return machine


def test_the_title_says_what_gyaku_is_held_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GYAKU_ISA", "avx2")
    machine = fake_machine()
    assert "### Matrix products, gyaku held to avx2\n" in machine.title("Matrix products", [])
    settings = Settings([], 1, 2, quick=True, machine=machine, plots=Path("plots"))
    assert settings.picture("products") == Path("plots/products-avx2.png")


def test_the_title_says_that_the_machine_was_not_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GYAKU_ISA", raising=False)
    machine = fake_machine()
    machine.load = 3.0
    machine.peaks.append(machine.peaks[0] | {"flops": 1.2e11})
    shown = machine.title("Widths", ["torch"])
    assert "### Widths\n" in shown
    assert "**the machine was not quiet: the load average was 3.00 before the run;" in shown
    assert "the measured peak varied by 20%" in shown
    assert "NumPy" not in shown


def test_all_names_every_row_and_table() -> None:
    assert read(["all", "--rounds", "2"]).names == [*ROWS, *TABLES]
    assert read([]).names == list(ROWS)


def test_the_peers_learning_rates_are_those_of_gyakus_cycle() -> None:
    import numpy as np

    from gyaku.schedules import OneCycle

    steps = 101
    own = OneCycle(0.005, total_steps=steps, warmup=0.15)(np.arange(steps))
    np.testing.assert_allclose(cycle(0.005, steps, 0.15), own, rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "answers", "ahead", "met"),
    [
        ("fast", [(0.992, 1), (0.989, 1)], 2.3, True),
        ("fast", [(0.990, 1), (0.989, 1)], 2.3, False),
        ("fast", [(0.992, 1), (0.989, 1)], 2.2, False),
        ("one_cycle", [(0.992, 1), (0.979, 1)], 5, False),
        ("one_cycle", [(0.992, 1), (0.981, 1)], None, None),
        ("lecture", [(0.9, 2), (0.9, 2.5)], 1, True),
        ("lecture", [(0.9, 4), (0.9, 3.5)], 9, False),
    ],
)
def test_a_recipe_is_judged_by_accuracy_and_time(
    name: str, answers: list[tuple[float, float]], ahead: float | None, met: bool | None
) -> None:
    own = [{"accuracy": right, "wall": wall, "loss": 0.1} for right, wall in answers]
    assert accuracy.met(RECIPES[name], own, ahead) is met


def test_the_targets_of_recipes_are_sentences() -> None:
    assert [accuracy.target(recipe) for recipe in RECIPES.values()] == [
        "`one_cycle` 98% of the test images in 0.25 of the time of PyTorch's best",
        "`lecture` a training cross-entropy of 0.1138 in at most 15 epochs in less than 3 s",
        "`fast` 99% of the test images, mean of 10 seeds, in 0.45 of the time of PyTorch's best",
    ]


def test_tables_are_markdown() -> None:
    assert table(["row", "µs"], [["xor", "1.5"]]).splitlines() == [
        "| row |  µs |",
        "| --- | --: |",
        "| xor | 1.5 |",
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(12345.6, "12,346"), (345.6, "346"), (34.56, "34.6"), (3.456, "3.46"), (0.3456, "0.346")],
)
def test_numbers_show_three_digits(value: float, shown: str) -> None:
    assert number(value) == shown


def test_small_shares_and_spans_show_what_counts() -> None:
    assert [percent(share) for share in (0.62, 0.0004, None)] == ["62%", "0.04%", "–"]
    assert span([3.0, 1.0, 2.0]) == "2 (1 to 3)"


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_xor_row_runs_with_gyaku_alone(tmp_path: Path) -> None:
    path = tmp_path / "xor.json"
    done = bench("xor", "--quick", "--peers", "gyaku", "--threads", "1", "--json", str(path))
    assert done.returncode == 0, done.stderr
    assert "### xor: 2-2-1 (XOR), one sample a step" in done.stdout
    assert "\n| gyaku     | " in done.stdout
    row = json.loads(path.read_text())["rows"]["xor"]
    (answer,) = row["rounds"]["gyaku"]
    assert answer["us"] > 0
    assert answer["loss"] < 0.01
    assert row["summary"]["met"] is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["alexnet"], "there is no row or table 'alexnet'"),
        (["--peers", "caffe"], "--peers: there is no 'caffe'"),
        (["--rounds", "0"], "--rounds must be at least 1, got 0"),
    ],
)
def test_a_wrong_argument_gets_one_sentence(arguments: list[str], sentence: str) -> None:
    done = bench(*arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_instruction_set_is_a_sentence() -> None:
    done = bench("products", "--isa", "mmx")
    assert done.returncode == 1
    assert "GYAKU_ISA: 'mmx' is no instruction set of this build; choose one of" in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_mnist_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GYAKU_DATA", "GYAKU_CACHE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("GYAKU_MNIST_MIRRORS", "http://127.0.0.1:9/")
    done = bench("mlp_seed", "--quick", "--peers", "gyaku")
    assert done.returncode == 1
    assert "set GYAKU_DATA to a folder" in done.stderr
    assert "Traceback" not in done.stderr
