"""The table of time to accuracy, of whole processes from start to end.

`python -m bench accuracy`. 784-512-10 to 98 % of MNIST's test images in three epochs, the lecture's
784-100-10 until the training cross-entropy is 0.1138, with plain SGD, and two convolutions to 99 %
in one epoch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import mean, median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bench.cold import RECIPES, Recipe
from bench.machine import PEAK
from bench.peers import LAYOUTS, OWN, PEERS
from bench.processes import alternate, call, required, say
from bench.ratios import best, median_ratio, together
from bench.table import counted, factor, judged, page, table
from bench.workloads import Conv

if TYPE_CHECKING:
    from bench.settings import Settings


def run(settings: Settings) -> dict[str, Any]:
    """Measure, print the table of each recipe at once, return everything."""
    found: dict[str, Any] = {}
    for name, recipe in RECIPES.items():
        with settings.machine.watch():
            found[name] = measure(recipe, settings)
            print(settings.machine.title(f"Time to accuracy: {name}", ["torch"]))
            print(show({name: found[name]}), flush=True)
        settings.keep("accuracy", found)
    return found


@dataclass(frozen=True)
class Run:
    """Run of a recipe: framework, number of threads, layout of images."""

    peer: str
    threads: int
    layout: str = ""

    def __str__(self) -> str:
        if self.peer == OWN:
            return PEERS[OWN].title
        return f"{PEERS[self.peer].title}, {self.layout or counted(self.threads, 'thread')}"


def runs(recipe: Recipe, settings: Settings) -> list[Run]:
    """Return the runs of gyaku and, if installed, of PyTorch with each setting to try."""
    found = [Run(OWN, settings.threads)]
    if "torch" not in settings.peers:
        return found
    if recipe.workload.has(Conv):
        return [*found, *(Run("torch", settings.threads, layout) for layout in LAYOUTS)]
    return [*found, *(Run("torch", count) for count in sorted({1, settings.threads}))]


def measure(recipe: Recipe, settings: Settings) -> dict[str, Any]:
    """Return results and times of a recipe's processes; the seeds are those of the rounds."""
    ways = {str(run): run for run in runs(recipe, settings)}
    done = dict.fromkeys(ways, 0)

    def once(name: str) -> dict[str, Any]:
        if name == PEAK:
            return settings.machine.measure_peak()
        run = ways[name]
        arguments = [recipe.name, run.peer, "--data", str(settings.data), "--seed", str(done[name])]
        if run.layout:
            arguments += ["--layout", run.layout]
        start = perf_counter()
        answer = call("bench.cold", *arguments, threads=run.threads)
        answer["wall"] = perf_counter() - start
        done[name] += 1
        say(f"{recipe.name}: {name} {answer['wall']:.2f} s, accuracy {answer['accuracy']:.4f}")
        return answer

    rounds = settings.rounds if settings.quick else max(settings.rounds, recipe.seeds)
    answers, failures = alternate([PEAK, *ways], rounds, once)
    gyaku = PEERS[OWN].title
    required(failures, PEAK, gyaku)
    del answers[PEAK]
    wall = {name: [answer["wall"] for answer in each] for name, each in answers.items()}
    rival = best({name: each for name, each in wall.items() if name != gyaku})
    ahead = median_ratio(wall[rival], wall[gyaku]) if rival else None
    return {
        "rounds": answers,
        "failures": failures,
        "best_rival": rival,
        "ahead": ahead,
        "met": met(recipe, answers[gyaku], ahead),
    }


def met(recipe: Recipe, own: list[dict[str, Any]], ahead: float | None) -> bool | None:
    """Return whether gyaku's processes reached the recipe's target."""
    accuracies = [answer["accuracy"] for answer in own]
    parts: list[bool | None] = [
        (mean(accuracies) if recipe.seeds else min(accuracies)) >= recipe.accuracy,
        median(answer["wall"] for answer in own) < recipe.seconds,
    ]
    if recipe.until:
        parts.append(max(answer["loss"] for answer in own) <= recipe.until)
    if recipe.ahead:
        parts.append(None if ahead is None else ahead >= recipe.ahead)
    return together(parts)


def target(recipe: Recipe) -> str:
    """Return the recipe's target in words."""
    parts = []
    if recipe.accuracy:
        seeds = f", mean of {recipe.seeds} seeds," if recipe.seeds else ""
        parts.append(f"{recipe.accuracy:.0%} of the test images{seeds}")
    if recipe.until:
        parts.append(
            f"a training cross-entropy of {recipe.until} in at most {recipe.workload.epochs} epochs"
        )
    if recipe.ahead:
        parts.append(f"{1 / recipe.ahead:.2g} of the time of PyTorch's best")
    if recipe.seconds < math.inf:
        parts.append(f"less than {recipe.seconds:g} s")
    return f"`{recipe.name}` {' in '.join(parts)}"


def show(found: dict[str, dict[str, Any]]) -> str:
    """Return the table: a line for each recipe and each of its runs."""
    header = ["recipe", "who", "whole process, s", "training, s", "epochs", "loss"]
    header += ["test accuracy", "× PyTorch's best", "target"]
    lines = []
    for name, row in found.items():
        for who, answers in row["rounds"].items():
            wall = [answer["wall"] for answer in answers]
            own = who == PEERS[OWN].title
            accuracies = [answer["accuracy"] for answer in answers]
            lines.append(
                [
                    name,
                    who,
                    f"{median(wall):.2f} ({min(wall):.2f})",
                    f"{median(answer['training'] for answer in answers):.2f}",
                    str(max(answer["epochs"] for answer in answers)),
                    f"{max(answer['loss'] for answer in answers):.4f}",
                    f"{mean(accuracies):.2%} ({min(accuracies):.2%})",
                    factor(row["ahead"]) if own else "",
                    judged(row["met"]) if own else "",
                ]
            )
    return page(
        table(header, lines, left=2),
        "Seconds are medians of the rounds (best); accuracy is their mean (worst); epochs and loss"
        " are the worst of the rounds, each with another seed.",
        f"Targets: {'; '.join(target(RECIPES[name]) for name in found)}.",
    )
