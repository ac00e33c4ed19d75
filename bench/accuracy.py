"""The table of time to accuracy: whole processes, from their start to their end.

`python -m bench accuracy`. 784-512-10 to 98 % of MNIST's test images in three epochs, and the
lecture's 784-100-10 until the training cross-entropy is 0.1138, with plain SGD.
"""

from __future__ import annotations

from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bench.cold import RECIPES, Recipe
from bench.machine import PEAK
from bench.peers import OWN, PEERS
from bench.processes import alternate, call, required, say
from bench.ratios import best, median_ratio, together
from bench.table import counted, factor, judged, page, table

if TYPE_CHECKING:
    from bench.settings import Settings

ACCURACY, RATIO = 0.98, 4
EPOCHS, SECONDS = 15, 3


def run(settings: Settings) -> dict[str, Any]:
    """Measure, print the table, return everything."""
    found = {name: measure(recipe, settings) for name, recipe in RECIPES.items()}
    print(settings.machine.title("Time to accuracy", ["torch"]))
    print(show(found))
    return found


def measure(recipe: Recipe, settings: Settings) -> dict[str, Any]:
    """Return what the processes of a recipe found and how long they took; seeds are the rounds'."""
    runs = {OWN: (OWN, settings.threads)}
    if "torch" in settings.peers:
        for count in sorted({1, settings.threads}):
            runs[f"torch {count}"] = ("torch", count)
    done = dict.fromkeys(runs, 0)

    def once(name: str) -> dict[str, Any]:
        if name == PEAK:
            return settings.machine.measure_peak()
        peer, threads = runs[name]
        arguments = [recipe.name, peer, "--data", str(settings.data), "--seed", str(done[name])]
        start = perf_counter()
        answer = call("bench.cold", *arguments, threads=threads)
        answer["wall"] = perf_counter() - start
        done[name] += 1
        say(f"{recipe.name}: {name} {answer['wall']:.2f} s, accuracy {answer['accuracy']:.4f}")
        return answer

    answers, failures = alternate([PEAK, *runs], settings.rounds, once)
    required(failures, PEAK, OWN)
    del answers[PEAK]
    wall = {name: [answer["wall"] for answer in each] for name, each in answers.items()}
    rival = best({name: each for name, each in wall.items() if name != OWN})
    ahead = median_ratio(wall[rival], wall[OWN]) if rival else None
    own = answers[OWN]
    if recipe.until:
        loss, epochs = (max(answer[key] for answer in own) for key in ("loss", "epochs"))
        met: bool | None = loss <= recipe.until and epochs <= EPOCHS and median(wall[OWN]) < SECONDS
    else:
        accurate = min(answer["accuracy"] for answer in own) >= ACCURACY
        met = together([accurate, None if ahead is None else ahead >= RATIO])
    return {
        "rounds": answers,
        "failures": failures,
        "best_rival": rival,
        "ahead": ahead,
        "met": met,
    }


def show(found: dict[str, dict[str, Any]]) -> str:
    """Return the table: a line for each recipe and each way of running it."""
    header = ["recipe", "who", "whole process, s", "training, s", "epochs", "loss"]
    header += ["test accuracy", "× PyTorch's best", "target"]
    lines = []
    for name, row in found.items():
        for who, answers in row["rounds"].items():
            peer, _, threads = who.partition(" ")
            title = PEERS[peer].title + (f", {counted(int(threads), 'thread')}" if threads else "")
            wall = [answer["wall"] for answer in answers]
            own = who == OWN
            lines.append(
                [
                    name,
                    title,
                    f"{median(wall):.2f} ({min(wall):.2f})",
                    f"{median(answer['training'] for answer in answers):.2f}",
                    str(max(answer["epochs"] for answer in answers)),
                    f"{max(answer['loss'] for answer in answers):.4f}",
                    f"{min(answer['accuracy'] for answer in answers):.2%}",
                    factor(row["ahead"]) if own else "",
                    judged(row["met"]) if own else "",
                ]
            )
    return page(
        table(header, lines, left=2),
        "Seconds are medians of the rounds (best); epochs, loss and accuracy are the worst of the"
        " rounds, each with another seed.",
        f"Targets: `one_cycle` {ACCURACY:.0%} of the test images in a quarter of PyTorch's time;"
        f" `lecture` a training cross-entropy of {RECIPES['lecture'].until} in at most {EPOCHS}"
        f" epochs and in less than {SECONDS} s.",
    )
