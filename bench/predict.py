"""The table of prediction: microseconds of a call, for one image and for many.

`python -m bench predict`. PyTorch runs as it is, frozen and compiled, each in both layouts of
images; PyTorch and ONNX Runtime with all images at once and in chunks; the fastest is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.peers import OWN, PEERS
from bench.predict_worker import WAYS
from bench.processes import required
from bench.ratios import best, limit_share, median_ratio, together
from bench.rows import ROWS
from bench.serving import interleave, server
from bench.table import factor, judged, number, page, percent, table, times

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.serving import Answers
    from bench.settings import Settings


@dataclass(frozen=True)
class Prediction:
    """Prediction of some images by the network of a row, and the ratios to reach."""

    row: str
    images: int
    least: tuple[tuple[str, float], ...] = ()

    @property
    def flops(self) -> int:
        """Floating-point operations of the forward pass."""
        return self.images * sum(ROWS[self.row].products)

    def __str__(self) -> str:
        return f"{self.row}, {self.images:,} image{'s' * (self.images > 1)}"


PREDICTIONS = (
    Prediction("lenet", 1, (("torch", 2), ("onnxruntime", 2))),
    Prediction("lenet", 10_000, (("torch", 3),)),
)
RIVALS = ("torch", "onnxruntime")


def predictions(*, quick: bool = False) -> list[Prediction]:
    """Return the measured predictions; a quick run takes at most 1,000 images."""
    return [
        replace(one, images=min(one.images, 1000) if quick else one.images) for one in PREDICTIONS
    ]


def run(settings: Settings) -> dict[str, Any]:
    """Measure, print the table, return all results."""
    listed = predictions(quick=settings.quick)
    start = partial(server, "bench.predict_worker", threads=settings.threads)
    starts = {
        f"{peer} {way}".strip(): partial(start, peer, way, "--data", str(settings.data))
        for peer in (*RIVALS, OWN)
        if peer == OWN or peer in settings.peers
        for way in WAYS[peer]
    }
    answers, failures = interleave(
        "predict",
        starts,
        listed,
        settings.rounds,
        lambda _, one: [one.row, str(one.images)],
        before=settings.machine.measure_peak,
        keep=lambda answers, failures: settings.keep("predict", results(answers, failures)),
    )
    required(failures, OWN)
    found = results(answers, failures)
    print(settings.machine.title("Prediction", RIVALS))
    peaks = [peak["flops"] for peak in settings.machine.peaks]
    print(show({one: found["us"][str(one)] for one in listed}, found["ways"], peaks))
    for name, why in failures.items():
        print(f"\n{name} failed: {why}")
    return found


def results(answers: Answers[Prediction], failures: dict[str, str]) -> dict[str, Any]:
    """Return the microseconds of each prediction by framework, in its fastest way."""
    us: dict[str, dict[str, list[float]]] = {}
    ways: dict[str, dict[str, str]] = {}
    for one in next(iter(answers.values()), {}):
        for peer in (*RIVALS, OWN):
            taken = {
                name: [answer["us"] for answer in each[one]]
                for name, each in answers.items()
                if name.split()[0] == peer
            }
            name = best(taken)
            if name is None:
                continue
            us.setdefault(str(one), {})[peer] = taken[name]
            last = answers[name][one][-1]
            way = [*name.split(maxsplit=1)[1:], f"mean of the outputs {last['mean']:.6f}"]
            if peer != OWN and one.images > 1:
                way.insert(-1, f"{last['chunk']:,.0f} at once")
            ways.setdefault(str(one), {})[peer] = ", ".join(way)
    return {"us": us, "ways": ways, "failures": failures}


def met(one: Prediction, us: Mapping[str, list[float]]) -> bool | None:
    """Return whether a prediction reaches its ratios; None if a peer was not measured."""
    return together(
        median_ratio(us[name], us[OWN]) >= ratio if name in us else None
        for name, ratio in one.least
    )


def show(
    found: Mapping[Prediction, Mapping[str, list[float]]],
    ways: Mapping[str, Mapping[str, str]],
    peaks: Sequence[float],
) -> str:
    """Return the table, a line for each prediction, and the fastest ways."""
    rivals = [name for name in RIVALS if any(name in us for us in found.values())]
    header = ["predict", *(PEERS[name].title for name in rivals), "gyaku", "limit", "% of limit"]
    header += [*(f"× {PEERS[name].title}" for name in rivals), "target"]
    lines, notes = [], []
    for one, us in found.items():
        own = us[OWN]
        wanted = ", ".join(f"{ratio:g}× {PEERS[name].title}" for name, ratio in one.least)
        lines.append(
            [
                str(one),
                *(times(us.get(name, [])) for name in rivals),
                times(own),
                number(1e6 * one.flops / median(peaks)),
                percent(limit_share(one.flops, peaks, own)),
                *(factor(median_ratio(us[name], own) if name in us else None) for name in rivals),
                f"{wanted}: {judged(met(one, us))}",
            ]
        )
        taken = (f"{PEERS[name].title} {way}" for name, way in ways[str(one)].items())
        notes.append(f"{one}: {'; '.join(taken)}.")
    return page(
        table(header, lines),
        "Microseconds a call, from NumPy to NumPy: median of the rounds (best); limit: its matrix"
        " products and convolutions at the measured peak.",
        *notes,
    )
