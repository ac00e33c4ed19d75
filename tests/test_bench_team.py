"""The table of teams: its arithmetic, its conditions, and what it prints."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from bench import team
from bench.__main__ import TABLES
from bench.rows import ROWS, find


def test_the_chosen_number_is_judged_against_the_best_fixed_one() -> None:
    row = team.compare({"chosen": [10.4, 30.0, 10.6], "1": [20.0, 40.0, 20.0], "2": [10.0] * 3})
    assert (row["best"], row["ratio"], row["met"]) == ("2", pytest.approx(1.06), False)
    assert team.compare({"chosen": [10.4], "1": [10.0]})["met"] is True
    assert team.compare({"chosen": [10.4]})["met"] is None


def test_a_table_shows_ratios_and_trainings_at_once() -> None:
    alone = {"width_32": team.compare({"chosen": [10.0], "1": [10.0], "2": [20.0]})}
    pair = {"width_32": team.compare({"chosen": [16.0], "1": [16.0], "2": [90.0]})}
    shown = team.show(team.EXPERIMENTS["pair"], pair, alone)
    assert "| two trainings at once |" in shown
    assert "Both at once over one after the other: 0.80 width_32." in shown
    assert "worst 1.00" in shown
    assert "one after the other" not in team.show(team.EXPERIMENTS["alone"], alone, None)


def test_two_processes_answer_at_the_same_time() -> None:
    class Answer:
        def __init__(self, seconds: list[float]) -> None:
            self.seconds = seconds

        def ask(self, arguments: Any) -> dict[str, Any]:
            assert arguments == ["width_32"]
            return {"seconds": self.seconds, "steps": 2}

    # Means, not medians: a disturbance counts.
    one, other = team.Steps(Answer([1e-6, 1e-6, 4e-6])), team.Steps(Answer([2e-6]))
    assert team.Pair(one, other).ask(["width_32"]) == {"mean_us": pytest.approx(2)}


def test_the_conditions_end(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    popen = subprocess.Popen

    def start(*arguments: Any, **options: Any) -> Any:
        started.append(popen(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    before = team.cpus()
    with team.spinning(before[:1]):
        assert [process.poll() for process in started] == [None]
    assert started[0].poll() is not None
    with team.confined(lambda: before[-1:]):
        assert team.cpus() == before[-1:]
    assert team.cpus() == before


def test_hyper_threads_are_found_or_said_to_be_missing(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(team, "TOPOLOGY", tmp_path)
    monkeypatch.setattr(team, "cpus", lambda: [0, 1, 2, 3])
    for cpu in range(4):
        (tmp_path / f"cpu{cpu}/topology").mkdir(parents=True)
        listed = tmp_path / f"cpu{cpu}/topology/thread_siblings_list"
        listed.write_text(f"{cpu}\n")
    with pytest.raises(team.Impossible, match="hyper-threads"):
        team.siblings()
    for cpu in (1, 3):
        (tmp_path / f"cpu{cpu}/topology/thread_siblings_list").write_text("1,3\n")
    assert team.siblings() == [1, 3]


def test_a_machine_without_control_groups_says_so(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(team, "QUOTA", (tmp_path / "missing/group",))
    with pytest.raises(team.Impossible, match="no control group can be made"), team.limited():
        pass


def test_the_tasks_are_known() -> None:
    assert "team" in TABLES
    assert all(find(task) for task in (*team.TASKS, *team.QUICK))
    assert {task for task in team.TASKS if task in ROWS} == {"mlp_seed", "mlp_big", "lenet"}
