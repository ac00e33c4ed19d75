"""The table of L-BFGS on the full batch: gyaku, SciPy on the same function, and scikit-learn.

`python -m bench lbfgs`.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from bench.lbfgs_worker import ITERATIONS, PEERS, SCIPY, SKLEARN
from bench.machine import PEAK
from bench.peers import OWN
from bench.processes import alternate, call, required, say
from bench.ratios import best, median_ratio
from bench.table import factor, judged, page, table

if TYPE_CHECKING:
    from bench.settings import Settings

GOAL = 2
"""How many times as fast as scikit-learn."""
TITLES = {OWN: "gyaku", SCIPY: "SciPy on gyaku's gradients"} | {
    peer: peer.replace(SKLEARN, "scikit-learn,") for peer in PEERS if SKLEARN in peer
}


def run(settings: Settings) -> dict[str, Any]:
    """Measure, print the table, return all results."""
    samples = ["6000"] if settings.quick else [""]
    losses = [float("-inf")]

    ways = [peer for peer in PEERS if SKLEARN not in peer or SKLEARN in settings.peers]

    def once(peer: str) -> dict[str, Any]:
        if peer == PEAK:
            return settings.machine.measure_peak()
        loss = losses[-1] if peer == OWN else float("-inf")
        answer = call(
            "bench.lbfgs_worker",
            *(peer, str(settings.data), str(loss), *samples),
            threads=settings.threads,
        )
        say(f"lbfgs: {TITLES[peer]} {answer['seconds']:.2f} s, loss {answer['loss']:.5f}")
        return answer

    # The loss that gyaku has to reach.
    first, failures = alternate([SCIPY], 1, once)
    required(failures, SCIPY)
    losses.append(first[SCIPY][0]["loss"])
    answers, failures = alternate([PEAK, *ways], settings.rounds, once)
    required(failures, PEAK, OWN, SCIPY)
    del answers[PEAK]
    found = {"loss": losses[-1], "answers": answers, "failures": failures}
    print(settings.machine.title("L-BFGS on the full batch", [SKLEARN]))
    print(show(found))
    return found


def show(found: dict[str, Any]) -> str:
    """Return the table, a line for each program."""
    answers = found["answers"]
    seconds = {peer: [one["seconds"] for one in each] for peer, each in answers.items()}
    rival = best({peer: each for peer, each in seconds.items() if SKLEARN in peer})
    lines = []
    for peer, each in answers.items():
        ratio = median_ratio(seconds[rival], seconds[peer]) if rival else None
        reached = max(one["loss"] for one in each) <= found["loss"]
        met = None if ratio is None else ratio >= GOAL and reached
        last = each[-1]
        lines.append(
            [
                *(TITLES[peer], f"{median(seconds[peer]):.2f} ({min(seconds[peer]):.2f})"),
                *(f"{last['loss']:.5f}", str(last["iterations"]), factor(ratio)),
                judged(met) if peer == OWN else "",
            ]
        )
    return page(
        table(["program", "s", "loss", "iterations", "× scikit-learn", "target"], lines),
        "784-100-10 on 60,000 images, seconds of a training: median of the rounds (best).",
        f"Target: {GOAL}× scikit-learn, to a loss not above that of SciPy's L-BFGS-B after"
        f" {ITERATIONS} iterations on the same function.",
    )
