"""The table of matrix products: GFLOP/s of gyaku, NumPy and PyTorch, and the picture of it.

`python -m bench products`. Squares are multiplied in all four transpositions, the products of
dense layers in the one that they occur in. The table compares calls from Python, as NumPy and
PyTorch are used; a second column of gyaku shows the same product replayed, as it is in training.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.machine import PEAK
from bench.peers import OWN, PEERS
from bench.processes import alternate, call, required, say
from bench.ratios import best, median_ratio
from bench.table import factor, number, page, percent, table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.settings import Settings

    # GFLOP/s of each round, by product and by who did it.
    Speeds = dict[str, dict[str, list[float]]]

REPLAYED = "gyaku, replayed"
RIVALS = ("numpy", "torch")
SIZES = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)
TRANSPOSITIONS = ("nn", "nt", "tn", "tt")
LAYERS = (
    (100, 784, 100, "nn"),
    (784, 100, 100, "tn"),
    (128, 784, 512, "nn"),
    (784, 128, 512, "tn"),
    (128, 512, 784, "nt"),
    (100, 28, 512, "nn"),
    (32, 4096, 4096, "nn"),
    (1, 1024, 1024, "nn"),
)
# What squares from this size on should reach: a share of the peak, and times NumPy.
BIG, SHARE, RATIO = 256, 0.88, 1.8


@dataclass(frozen=True)
class Product:
    """The product of an m × k and a k × n matrix, each of which may be stored transposed."""

    m: int
    k: int
    n: int
    transposed: str = "nn"

    @property
    def flops(self) -> int:
        """A multiplication and an addition for each term of each sum."""
        return 2 * self.m * self.k * self.n

    @property
    def big(self) -> bool:
        """Whether it is a square that should come near the peak."""
        return self.m == self.k == self.n >= BIG

    @property
    def name(self) -> str:
        """Its name, such as ``128x784x512 nn``."""
        return f"{self.m}x{self.k}x{self.n} {self.transposed}"


def products(*, quick: bool = False) -> Iterator[Product]:
    """Return all that are measured; a quick run takes some sizes, none above 512."""
    for size in (64, 256, 512) if quick else SIZES:
        for transposed in TRANSPOSITIONS:
            yield Product(size, size, size, transposed)
    for m, k, n, transposed in LAYERS:
        yield Product(m, k, n, transposed)


def run(settings: Settings) -> dict[str, Any]:
    """Measure, print the table, draw the picture, return everything."""
    names = [*(name for name in RIVALS if name in settings.peers), OWN]
    quick = ["--quick"] if settings.quick else []

    def measure(name: str) -> dict[str, Any]:
        if name == PEAK:
            return settings.machine.measure_peak()
        say(f"products: {PEERS[name].title}")
        return call("bench.products_worker", name, *quick, threads=settings.threads)

    answers, failures = alternate([PEAK, *names], settings.rounds, measure)
    required(failures, PEAK, OWN)
    peaks = [answer["flops"] / 1e9 for answer in answers.pop(PEAK)]
    speeds: Speeds = {product.name: {} for product in products(quick=settings.quick)}
    for found in answers.values():
        for answer in found:
            for who, measured in answer.items():
                for name, speed in measured.items():
                    speeds[name].setdefault(who, []).append(speed)
    listed = list(products(quick=settings.quick))
    print(settings.machine.title("Matrix products"))
    print(show(listed, speeds, peaks))
    path = settings.plots / "products.png"
    draw(listed, speeds, median(peaks), path)
    print(f"\nPicture: {path}")
    return {"gflops": speeds, "peaks": peaks, "failures": failures, "picture": str(path)}


def met(product: Product, found: dict[str, list[float]], peaks: list[float]) -> bool | None:
    """Return whether gyaku is ahead of everybody and, on big squares, far enough; None if alone.

    gyaku's speed is that of the replayed product, which is what training is made of.
    """
    rivals = [found[name] for name in RIVALS if name in found]
    if not rivals:
        return None
    own = found[REPLAYED]
    ahead = all(median_ratio(own, rival) >= 1 for rival in rivals)
    if not product.big:
        return ahead
    beside_numpy = "numpy" not in found or median_ratio(own, found["numpy"]) >= RATIO
    return ahead and beside_numpy and median_ratio(own, peaks) >= SHARE


def show(listed: list[Product], speeds: Speeds, peaks: list[float]) -> str:
    """Return the table, a line for each product."""
    rivals = [name for name in RIVALS if name in next(iter(speeds.values()))]
    columns = [*rivals, OWN, REPLAYED]
    header = [
        "m × k × n",
        "stored",
        *(PEERS[name].title if name in PEERS else name for name in columns),
    ]
    header += ["% of peak", "× best peer", "target"]
    lines = []
    for product in listed:
        found = speeds[product.name]
        # The best peer is the one that takes least time.
        first = best({name: [1 / speed for speed in found[name]] for name in rivals})
        lines.append(
            [
                f"{product.m} × {product.k} × {product.n}",
                product.transposed,
                *(number(median(found[name])) for name in columns),
                percent(median_ratio(found[REPLAYED], peaks)),
                factor(median_ratio(found[REPLAYED], found[first]) if first else None),
                {True: "met", False: "missed", None: "–"}[met(product, found, peaks)],
            ]
        )
    return page(
        table(header, lines),
        "GFLOP/s, median of the rounds; stored: n as it is, t transposed, for each factor. Per"
        " cent and ratio are those of the replayed product.",
        f"Target: never below NumPy or PyTorch; squares from {BIG} on {SHARE:.0%} of the peak and"
        f" {RATIO}× NumPy.",
    )


def draw(listed: list[Product], speeds: Speeds, peak: float, path: Path) -> None:
    """Draw GFLOP/s over size, a panel for each transposition, the peak as a line."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(2, 2, figsize=(10, 7), sharex=True, sharey=True)
    whose = [name for name in (*RIVALS, OWN, REPLAYED) if name in speeds[listed[0].name]]
    for panel, transposed in zip(panels.flat, TRANSPOSITIONS, strict=True):
        squares = [p for p in listed if p.m == p.k == p.n and p.transposed == transposed]
        panel.axhline(peak, color="black", linewidth=1, linestyle="--", label="measured peak")
        for name in whose:
            panel.plot(
                [product.n for product in squares],
                [median(speeds[product.name][name]) for product in squares],
                marker=".",
                label=PEERS[name].title if name in PEERS else name,
            )
        panel.set_xscale("log", base=2)
        panel.set_title(f"stored {transposed}")
        panel.grid(alpha=0.3)
        panel.set_ylim(bottom=0)
    figure.supxlabel("size of the square matrices")
    figure.supylabel("GFLOP/s")
    panels[0, 0].legend()
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
