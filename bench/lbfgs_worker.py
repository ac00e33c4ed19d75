"""L-BFGS on the full batch: `python -m bench.lbfgs_worker PEER DATA [LOSS]` prints a line of JSON.

With a loss, the training ends where it is reached.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bench.peers import OWN

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

ROW = "mlp_full"
ITERATIONS, MOST = 30, 90
"""Iterations of SciPy's L-BFGS-B, and the most that gyaku may take to the same loss."""
SCIPY, SKLEARN = "scipy", "sklearn"
PEERS = (OWN, SCIPY, f"{SKLEARN} float32", f"{SKLEARN} float64")


def measure(peer: str, data: Path, loss: float, samples: int | None = None) -> dict[str, float]:
    """Return the seconds of a training, its last loss, and how many iterations it took."""
    from dataclasses import replace

    from bench.data import initial_weights, load
    from bench.rows import ROWS

    row = replace(ROWS[ROW], samples=samples)
    x, y = load(row, data, raw=peer in (OWN, SCIPY))
    ways = {OWN: by_gyaku, SCIPY: by_scipy}
    return ways.get(peer, by_sklearn)(row, x, y, initial_weights(row), peer.split()[-1], loss)


def by_gyaku(row: Any, x: Any, y: Any, weights: Any, _: str, loss: float) -> dict[str, float]:
    """Train with `fit` until a loss is reached."""
    import gyaku as gk
    from bench.peers.with_gyaku import fill, network

    class Reached(gk.Callback):
        """Ends the training at the loss."""

        def on_epoch_end(self, epoch: int, logs: Any) -> bool:
            return bool(logs["loss"] <= loss)

    model = network(row)
    model.build(row.inputs)
    fill(model, weights)
    start = perf_counter()
    history = model.fit(
        *(x, y),
        loss=row.loss,
        optimizer=gk.LBFGS(tolerance=0),
        batch_size=None,
        epochs=MOST,
        callbacks=Reached(),
        verbose=0,
    )
    seconds = perf_counter() - start
    return {"seconds": seconds, "loss": history["loss"][-1], "iterations": history.epochs}


def by_scipy(row: Any, x: Any, y: Any, weights: Any, _: str, loss: float) -> dict[str, float]:
    """Minimise the same function, with gyaku's gradients, by SciPy's L-BFGS-B."""
    import gyaku as gk
    from bench.peers.with_gyaku import fill, network

    model = network(row)
    model.build(row.inputs)
    fill(model, weights)
    found: dict[str, float] = {}

    class Searched(gk.Optimizer):
        """The function and its gradient, for SciPy."""

        native = True

        def run_step(self, gradients: Callable[[], float], update: Callable[[], None]) -> None:
            """Search for the minimum in one step."""
            update()

            def function(w: Vector) -> tuple[float, Vector]:
                self.params[...] = w
                return gradients(), self.grads.astype("f8")

            found.update(minimised(function, self.params.astype("f8")))

        def update(self, params: Any, grads: Any) -> None:
            """Leave the parameters, which `run_step` changes."""

    start = perf_counter()
    model.fit(x, y, loss=row.loss, optimizer=Searched(1.0), batch_size=None, epochs=1, verbose=0)
    return {"seconds": perf_counter() - start, **found}


def minimised(
    function: Callable[[Vector], tuple[float, Vector]], start: Vector
) -> dict[str, float]:
    """Return where scikit-learn's call of L-BFGS-B ends."""
    from scipy.optimize import minimize

    options = {"maxiter": ITERATIONS, "maxfun": 15_000, "gtol": 0.0, "ftol": 0.0}
    found = minimize(function, start, method="L-BFGS-B", jac=True, options=options)
    return {"loss": float(found.fun), "iterations": int(found.nit), "evaluations": int(found.nfev)}


def by_sklearn(row: Any, x: Any, y: Any, weights: Any, dtype: str, _: float) -> dict[str, float]:
    """Train scikit-learn's classifier."""
    from sklearn.exceptions import ConvergenceWarning

    from bench.peers.with_sklearn import Sklearn

    warnings.simplefilter("ignore", ConvergenceWarning)
    x = x.astype(dtype)
    model = Sklearn(
        row, x, y, [tuple(each.astype(dtype) for each in pair) for pair in weights]
    ).model
    model.set_params(solver="lbfgs", max_iter=ITERATIONS, tol=0.0)
    start = perf_counter()
    model.fit(x, y)
    seconds = perf_counter() - start
    return {"seconds": seconds, "loss": float(model.loss_), "iterations": int(model.n_iter_)}


def main(peer: str, data: str, loss: str = "-inf", samples: str = "") -> None:
    """Print the result."""
    found = measure(peer, Path(data), float(loss), int(samples) if samples else None)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
