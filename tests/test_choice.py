"""The choice of the team's size by measurement, on machines whose clock is the test's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from gyaku import _core

STEP = 100e-6  # seconds of a step on one thread


class Machine:
    """Steps on a simulated machine, whose time for a step depends on threads and time.

    With `varies` it is asked for each step, not for all steps of a plan together.
    """

    def __init__(
        self,
        seconds: Callable[[int, float], float],
        limit: int = 2,
        *,
        begins_alone: bool = True,
        most: int = 10**6,
        varies: bool = False,
    ) -> None:
        self.seconds, self.most, self.varies = seconds, most, varies
        self.choice = _core.TeamChoice(limit, 1 if begins_alone else limit, 0.0)
        self.now = self.lost = 0.0
        self.may_lose = True
        self.steps = 0
        self.used: Counter[int] = Counter()

    def train(self, seconds: float) -> float:
        """Train for some time; return the mean time of a step."""
        start, steps = self.now, self.steps
        while self.now < start + seconds:
            threads, runs = self.choice.plan(self.now, self.most, self.may_lose)
            began = self.now
            if self.varies:
                for _ in range(runs):
                    self.now += self.seconds(threads, self.now)
            else:
                self.now += runs * self.seconds(threads, self.now)
            self.lost += self.choice.took(self.now, self.now - began)
            self.steps += runs
            self.used[threads] += runs
        return (self.now - start) / (self.steps - steps)


def scaled(speedups: dict[int, float]) -> Callable[[int, float], float]:
    return lambda threads, _: STEP / speedups[threads]


@pytest.mark.parametrize("speedup", [0.1, 0.5, 0.9, 0.99, 1, 1.01, 1.2, 1.9])
@pytest.mark.parametrize("begins_alone", [True, False])
def test_the_faster_of_two_sizes_does_the_work(speedup: float, begins_alone: bool) -> None:
    machine = Machine(scaled({1: 1, 2: speedup}), begins_alone=begins_alone)
    machine.train(1)
    least = STEP / max(1, speedup)
    assert machine.train(20) < 1.015 * least
    if not 0.97 < speedup < 1.04:
        assert machine.choice.threads == 1 + (speedup > 1)


@pytest.mark.parametrize("speedup", [0.1, 1.9])
def test_a_short_training_loses_little(speedup: float) -> None:
    machine = Machine(scaled({1: 1, 2: speedup}))
    assert machine.train(0.1) < 1.08 * STEP / max(1, speedup)


@pytest.mark.parametrize("fastest", [1, 4, 16, 48])
@pytest.mark.parametrize("begins_alone", [True, False])
def test_sizes_are_powers_of_two_and_the_limit(fastest: int, begins_alone: bool) -> None:
    def seconds(threads: int, _: float) -> float:
        return STEP / threads if threads <= fastest else STEP * threads / fastest**2

    machine = Machine(seconds, 48, begins_alone=begins_alone)
    machine.train(60)
    assert set(machine.used) <= {1, 2, 4, 8, 16, 32, 48}
    assert machine.choice.threads == fastest
    assert machine.train(20) < 1.03 * STEP / fastest


def test_long_steps_are_not_wasted_on_one_thread() -> None:
    machine = Machine(lambda threads, _: 6.4 / threads, 64, begins_alone=False)
    assert machine.train(60) < 1.03 * 0.1
    assert machine.used[1] == 0


def test_a_neighbour_that_comes_and_goes_is_noticed() -> None:
    def seconds(threads: int, now: float) -> float:
        busy = 5 < now < 10
        return STEP / 1.9 if threads == 2 and not busy else STEP * (10 if threads == 2 else 1)

    machine = Machine(seconds)
    machine.train(4.9)
    assert machine.choice.threads == 2
    machine.train(0.6)
    assert machine.choice.threads == 1
    assert machine.train(4) < 1.02 * STEP
    machine.train(12)
    assert machine.choice.threads == 2


def test_a_second_thread_that_is_lucky_for_a_moment_does_not_deceive() -> None:
    # Two threads are twice as fast while both have a core, and then one of them waits for its turn.
    def seconds(threads: int, now: float) -> float:
        return STEP if threads == 1 else STEP / 2 if now % 12e-3 < 4e-3 else 8e-3

    machine = Machine(seconds, varies=True)
    machine.train(1)
    assert machine.train(20) < 1.02 * STEP


def test_slices_lost_by_every_team_do_not_count_against_one() -> None:
    # The system takes the core away for 10 ms in 20; more threads would not change that.
    def seconds(threads: int, now: float) -> float:
        return STEP / (1 if threads == 1 else 0.98) + (10e-3 if now % 20e-3 > 19.7e-3 else 0)

    alone = Machine(lambda _, now: seconds(1, now), 1, varies=True)
    machine = Machine(seconds, varies=True)
    assert machine.train(10) < 1.03 * alone.train(10)


def test_noise_does_not_unsettle_the_choice() -> None:
    noise = np.random.default_rng(0)

    def seconds(threads: int, _: float) -> float:
        return STEP * noise.uniform(0.8, 1.2) / (1 if threads == 1 else 1.5)

    machine = Machine(seconds, varies=True)
    machine.train(1)
    assert machine.train(5) < 1.02 * STEP / 1.5


def test_the_time_lost_is_told() -> None:
    machine = Machine(scaled({1: 1, 2: 0.1}))
    machine.train(20)
    assert machine.lost == pytest.approx(machine.now - machine.steps * STEP)
    assert 0 < machine.lost < 0.01 * machine.now


def test_nothing_is_tried_at_a_loss_while_that_is_forbidden() -> None:
    # So it is after a loss by another kind of work. A smaller team after a disturbance is no loss.
    machine = Machine(lambda threads, now: STEP * (5 if threads == 2 and now > 2 else 1 / threads))
    machine.may_lose = False
    machine.train(1)
    assert machine.used[2] == 0
    machine.may_lose = True
    machine.train(0.9)
    assert machine.choice.threads == 2
    machine.may_lose = False
    machine.train(0.5)
    assert machine.choice.threads == 1
    used = machine.used[2]
    machine.train(10)
    assert machine.used[2] == used


def test_single_calls_are_compared_as_well() -> None:
    machine = Machine(scaled({1: 1, 2: 1.8}), most=1)
    machine.train(0.2)
    assert machine.choice.threads == 2
    threads, seconds = zip(*machine.choice.paces(), strict=True)
    assert threads == (1, 2)
    assert seconds == pytest.approx((STEP, STEP / 1.8))


@pytest.mark.parametrize(
    ("first", "begins"), [(0, 1), (1, 1), (3, 2), (8, 8), (40, 32), (48, 48), (99, 48)]
)
def test_work_begins_on_as_many_threads_as_there_are_cpus_for(first: int, begins: int) -> None:
    assert _core.TeamChoice(48, first, 0.0).threads == begins


SMALL, LARGE, LONG = (50e-6, True), (2e-3, False), (50e-3, False)  # seconds, begins_alone


def test_new_work_begins_on_the_idle_cpus() -> None:
    neighbours = _core.Neighbours()
    for now, idle, begins in ((0.0, 7, 8), (2.0, 4, 5), (4.0, 0, 1), (6.0, -3, 1)):
        assert neighbours.look(now, True, idle)
        assert neighbours.first_threads(*LARGE, 8) == max(1, begins)
        assert neighbours.first_threads(*SMALL, 8) == 1
        # Half of every CPU is more than half of one.
        assert neighbours.first_threads(*LONG, 8) == 8
    neighbours.look(8.0, True, 63)
    assert neighbours.first_threads(*LARGE, 8) == 8


def test_while_a_cpu_is_idle_neighbours_are_looked_at_once_a_second() -> None:
    neighbours = _core.Neighbours()
    assert neighbours.look(0.0, True, 1)
    assert not neighbours.look(0.9, True, 0)
    assert not neighbours.look(5.0, False, 0)  # not for known work
    assert neighbours.look(5.0, True, 1)
    assert not neighbours.are_busy(5.0)


def test_a_process_at_its_end_delays_a_team_by_milliseconds() -> None:
    neighbours = _core.Neighbours()
    neighbours.look(0.0, True, 0)
    assert neighbours.are_busy(0.0)
    assert neighbours.first_threads(*LARGE, 2) == 1
    assert not neighbours.look(0.004, False, 1)
    assert neighbours.look(0.006, False, 1)
    assert not neighbours.are_busy(0.006)
    assert neighbours.first_threads(*LARGE, 2) == 2


def test_busy_neighbours_delay_a_trial_by_a_second_at_most() -> None:
    neighbours = _core.Neighbours()
    looks = sum(neighbours.look(now, True, -1) for now in np.arange(0, 0.999, 1e-3))
    assert 100 < looks < 250
    assert neighbours.are_busy(0.99)
    assert not neighbours.are_busy(1.0)
    assert not neighbours.look(1.5, False, -1)
    neighbours.look(1.5, True, -1)  # other work
    assert neighbours.are_busy(2.4)
    assert not neighbours.are_busy(2.6)
