"""The table of precisions: test accuracy on MNIST over seeds.

`python -m bench precision`. Each network is trained in float32, with products in bfloat16, and with
Adam's state in bfloat16 as well, from the same initial weights and in the same order of samples.
"""

from __future__ import annotations

from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from bench.rows import ROWS
from bench.table import judged, page, table

if TYPE_CHECKING:
    from typing import Literal

    from bench.settings import Settings
    from gyaku.precision import Precision

NETWORKS = {"mlp_big": 3, "lenet": 1}
"""Networks of rows, and the epochs of a training."""
FORMS: dict[str, tuple[Literal["bfloat16"] | None, Precision]] = {
    "float32": (None, "float32"),
    "bfloat16": (None, "bfloat16"),
    "bfloat16, Adam's state too": ("bfloat16", "bfloat16"),
}
"""Dtype of Adam's state and precision of products, by name."""


def accuracy(name: str, form: str, seed: int) -> float:
    """Train a network, and return its test accuracy."""
    import gyaku as gk
    from bench.peers.with_gyaku import network

    workload = ROWS[name]
    (x, y), test = gk.data.mnist()
    if len(workload.inputs) == 1:
        x, test = x.reshape(len(x), -1), (test[0].reshape(len(test[0]), -1), test[1])
    state, precision = FORMS[form]
    model = network(workload)
    model.fit(
        *(x, y),
        loss=workload.loss,
        optimizer=gk.Adam(workload.optimizer.learning_rate, state_dtype=state),
        epochs=NETWORKS[name],
        batch_size=workload.batch,
        seed=seed,
        precision=precision,
        verbose=0,
    )
    return float(model.evaluate(*test, metrics="accuracy", precision=precision)["accuracy"])


def run(settings: Settings) -> dict[str, Any]:
    """Measure, print the table, return all accuracies."""
    seeds = 2 if settings.quick else 10
    found: dict[str, dict[str, list[float]]] = {
        name: {form: [] for form in FORMS} for name in NETWORKS
    }
    for name, forms in found.items():
        for seed in range(seeds):
            for form in forms:
                forms[form].append(accuracy(name, form, seed))
        settings.keep("precision", found)
    print(settings.machine.title("Precision", []))
    print(show(found))
    return found


def show(found: dict[str, dict[str, list[float]]]) -> str:
    """Return the table, a line for each network and form."""
    lines = []
    for name, forms in found.items():
        first = forms["float32"]
        spread = stdev(first)
        for form, values in forms.items():
            near = judged(abs(mean(values) - mean(first)) <= spread)
            own = [f"{mean(values):.2%}", f"{stdev(values):.2%}"]
            lines.append([name, form, *own, "" if values is first else near])
    seeds = len(next(iter(found["lenet"].values())))
    return page(
        table(["network", "precision", "test accuracy", "± of seeds", "target"], lines, left=2),
        f"{seeds} seeds. Target: the mean within a standard deviation of float32's.",
    )
