"""The calculation of how training by many processes pays."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import gyaku as gk
from bench import many
from gyaku.distributed.scaling import Network, StepTimes, scaling, step_times

# A step of four seconds: the first range of gradients is there after two, the update takes one.
TIMES = StepTimes(100, ((2.0, 800), (3.0, 200)), backward=3.0, step=4.0)


@pytest.mark.parametrize(
    ("text", "rate"), [("10G", 10e9), ("2.5 Gbit/s", 2.5e9), ("100M", 1e8), ("8000", 8000.0)]
)
def test_rates_are_bits(text: str, rate: float) -> None:
    assert Network.of(text).bandwidth == pytest.approx(rate / 8)


@pytest.mark.parametrize("text", ["", "fast", "-1G", "0", "nan", "G", "infG"])
def test_other_rates_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the rate is bits a second, such as 10G"):
        Network.of(text)


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 64, 1000])
def test_a_sum_is_a_reduce_scatter_and_an_allgather(processes: int) -> None:
    network = Network(bandwidth=1e6, latency=1e-3)
    seconds = 0.0
    for _ in range(2):
        rounds = math.ceil(math.log2(processes))
        seconds += rounds * 1e-3 + (processes - 1) / processes * 5e6 / 1e6
    assert network.sum_seconds(5_000_000, processes) == pytest.approx(seconds)


def test_sums_are_hidden_by_the_backward_pass_and_by_updates() -> None:
    # 0.8 and 0.2 seconds: the last one is over before the first range is updated.
    assert TIMES.together(Network(1e3, 0.0), 2) == (4.0, 1.0)
    # 8 and 2 seconds: the update of the last range waits until 12.
    seconds, hidden = TIMES.together(Network(1e2, 0.0), 2)
    assert (seconds, hidden) == (pytest.approx(12.2), pytest.approx(0.18))
    assert TIMES.together(Network(1e2, 0.0), 1) == (4.0, 1.0)


def test_what_moves_the_point() -> None:
    network = Network(1e2, 0.0)
    assert TIMES.every(network, 2, 4) == pytest.approx(4 + 8.2 / 4)
    assert TIMES.halved().together(network, 2)[0] == pytest.approx(7.2)
    larger = TIMES.larger(3)
    assert (larger.samples, larger.step, larger.backward) == (300, 10.0, 9.0)
    assert larger.together(network, 2)[0] == pytest.approx(6 + 8 + 2 + 0.2)
    table = str(scaling_of(TIMES, network))
    assert "by two processes, more than half of the time is waiting" in table
    assert "a network four times as fast: 1,024" in table


def scaling_of(times: StepTimes, network: Network) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gyaku.distributed.scaling.step_times", lambda *_, **__: times)
        return scaling(gk.Sequential(gk.Dense(1)), network, name="four seconds")


def test_the_table_has_a_row_for_each_number_of_processes() -> None:
    lines = str(scaling_of(TIMES, Network(1e9, 0.0))).splitlines()
    assert "four seconds, 100 samples a step of each process" in lines[0]
    rows = [line.split() for line in lines if " s " in line or " ms " in line]
    assert [row[0] for row in rows] == [f"{1 << power:,}" for power in range(11)]
    assert rows[-1][-2:] == ["100", "%"]
    assert "up to 1,024 processes" in lines[-1]


def test_times_of_a_step_are_measured() -> None:
    model = gk.Sequential(gk.Dense(64, activation="relu"), gk.Dense(32, activation="relu"))
    model.build((128,))
    before = model.flat_params.copy()
    times = step_times(model, batch_size=16, bucket_bytes=4096, steps=2)
    assert np.array_equal(model.flat_params, before)
    assert sum(size for _, size in times.buckets) == model.flat_grads.nbytes
    ready = [when for when, _ in times.buckets]
    assert ready == sorted(ready)
    assert 0 < ready[0] < ready[-1] == times.backward < times.step
    # 8,320 bytes of the last layer, begun before the 32 KiB of the first one are there.
    assert [size for _, size in times.buckets][:2] == [4160, 4160]


def test_the_benchmark_shows_and_draws_it(tmp_path: Path) -> None:
    networks = {rate: Network.of(rate) for rate in many.RATES}
    small = StepTimes(100, ((2e-3, 1 << 20), (3e-3, 1 << 18)), backward=3e-3, step=4e-3)
    shown = many.show({"a model": small}, networks)
    row = next(line for line in shown.splitlines() if "a model" in line)
    assert len(row.strip("|").split("|")) == 4
    path = tmp_path / "many.png"
    many.draw({"a model": small, "another": TIMES}, networks, "a machine", path)
    assert path.stat().st_size > 10_000
