"""The Python that does the same as the playground."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gyaku.lab.toy_settings import Settings

__all__ = ["script"]

_FORM = """\
import gyaku as gk
import matplotlib.pyplot as plt
import numpy as np
from gyaku.lab.toy_data import {imports}

{points}
test = held_out(len(points), {test})


def features(points):
    x1, x2 = points.T
    return np.stack([{features}], axis=1)


model = gk.Sequential(
{layers}
)
history = model.fit(
    features(points[~test]),
    classes[~test],
    loss="sigmoid_cross_entropy",
    optimizer=gk.{optimizer}({rate}{decay}),
    batch_size={batch},
    epochs={epochs},
    seed={seed},
)
accuracy = gk.metrics.BinaryAccuracy(threshold=0)  # the outputs are logits
for name, part in ("training", ~test), ("test", test):
    if part.any():
        found = model.evaluate(features(points[part]), classes[part], metrics=[accuracy])
        print(f"{{name}}: loss {{found['loss']:.6g}}, error {{1 - found['binary_accuracy']:.4f}}")

gk.plots.decision_boundary(
    lambda points: model.predict(features(points)), points, classes, threshold=0
)
plt.show()
"""


def script(settings: Settings, epochs: int) -> str:
    """Return the program that trains the same network, with the same bits.

    Parameters
    ----------
    settings : Settings
        The settings.
    epochs : int
        Number of passes over the training points.

    Returns
    -------
    str
        The program.

    Examples
    --------
    >>> from gyaku.lab.toy_settings import Settings
    >>> print(script(Settings(), 20)[:18])
    import gyaku as gk
    """
    own = settings.data == "own"
    return _FORM.format(
        imports="held_out" if own else "held_out, toy_data",
        points=_own_points(settings) if own else _toy_points(settings),
        test=settings.test,
        features=", ".join(settings.features),
        layers="\n".join(f"    gk.{each}," for each in _layers(settings)),
        optimizer=settings.optimizer,
        rate=settings.rate,
        decay=f", weight_decay={settings.decay}" if settings.decay else _no_decay(settings),
        batch=settings.batch,
        epochs=epochs,
        seed=settings.seed,
    )


def _toy_points(settings: Settings) -> str:
    return (
        f'points, classes = toy_data("{settings.data}", {settings.samples},'
        f" noise={settings.noise}, seed={settings.seed})"
    )


def _own_points(settings: Settings) -> str:
    rows = "".join(f"    [{x1}, {x2}, {kind}],\n" for x1, x2, kind in settings.points)
    return (
        f"table = np.array([\n{rows}], dtype=float).reshape(-1, 3)\n"
        "points, classes = table[:, :2], table[:, 2]"
    )


def _no_decay(settings: Settings) -> str:
    return ", weight_decay=0.0" if settings.optimizer == "AdamW" else ""  # which has one by default


def _layers(settings: Settings) -> list[str]:
    found = []
    for units in settings.hidden:
        found += [f"Dense({units})", f"{settings.activation}()"]
        if settings.dropout:
            found.append(f"Dropout({settings.dropout})")
    return [*found, "Dense(1)"]
