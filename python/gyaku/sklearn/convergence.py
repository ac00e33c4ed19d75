"""End of a training, by the rules of scikit-learn's networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.callbacks import Callback

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

__all__ = ["Convergence"]


class Convergence(Callback):
    """Record of a training, which ends when neither loss nor score improves.

    Parameters
    ----------
    estimator : Estimator
        The estimator, whose attributes of the training are set.
    loss : callable
        Function from the loss of an epoch to that of scikit-learn, with the penalty.
    score : callable, optional
        Function that returns the score of the validation data, for early stopping.
    rates : callable, optional
        Function from the event, "epoch" or "plateau", to whether the training goes on, which may
        change the learning rate; by default a plateau ends the training.
    """

    def __init__(
        self,
        estimator: Any,
        loss: Callable[[float], float],
        score: Callable[[], float] | None = None,
        rates: Callable[[str], bool] | None = None,
    ) -> None:
        self.estimator, self.loss, self.score = estimator, loss, score
        self.rates = rates
        self._best_params: Any = None
        self._first = True

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> str:
        """Record the epoch, and end the training if it has converged."""
        own = self.estimator
        own.n_iter_ = 1 if self._first else own.n_iter_ + 1
        self._first = False
        own.loss_ = self.loss(logs["loss"])
        own.loss_curve_.append(own.loss_)
        if own.verbose:
            print(f"Iteration {own.n_iter_}, loss = {own.loss_:.8f}")
        return self._reason()

    def on_train_end(self) -> None:
        """Go back to the weights with the best score."""
        if self._best_params is not None:
            self.model.flat_params[...] = self._best_params

    def _reason(self) -> str:
        own = self.estimator
        if not own.solver_is_stochastic:
            before, loss = own.loss_curve_[-2:] if own.n_iter_ > 1 else (np.inf, own.loss_)
            # SciPy's rule, with its default `ftol`; the first iteration has none before it.
            stands_still = before - loss <= 2.22e-9 * max(abs(before), abs(loss), 1.0) < np.inf
            return "the loss stands still" if stands_still else ""
        self._count()
        if self.rates is not None:
            self.rates("epoch")
        if own._no_improvement_count <= own.n_iter_no_change:
            return ""
        if self.rates is not None and self.rates("plateau"):
            own._no_improvement_count = 0
            return ""
        kind = "Training loss" if self.score is None else "Validation score"
        text = (
            f"{kind} did not improve more than tol={own.tol:f} for {own.n_iter_no_change}"
            " consecutive epochs."
        )
        if own.verbose:
            print(f"{text} Stopping.")
        return text

    def _count(self) -> None:
        """Count the epochs without improvement."""
        own = self.estimator
        if self.score is None:
            improved = own.loss_ <= own.best_loss_ - own.tol
            own.best_loss_ = min(own.best_loss_, own.loss_)
        else:
            score = self.score()
            own.validation_scores_.append(score)
            if own.verbose:
                print(f"Validation score: {score:f}")
            improved = score >= own.best_validation_score_ + own.tol
            if score > own.best_validation_score_:
                own.best_validation_score_ = score
                self._best_params = self.model.flat_params.copy()
        own._no_improvement_count = 0 if improved else own._no_improvement_count + 1
