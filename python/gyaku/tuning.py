"""The search for hyperparameters: trials on Optuna, pruned while they train."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.callbacks import Callback
from gyaku.callbacks.monitor import Monitor
from gyaku.checks import whole
from gyaku.train import NonFiniteError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from gyaku.history import History

__all__ = ["Tuning", "tune"]


def tune(
    model_fn: Callable[[Any], Any],
    x: object,
    y: object,
    *,
    trials: int = 20,
    monitor: str = "val_loss",
    mode: str = "auto",
    prune: bool = True,
    study: Any = None,
    seed: int = 0,
    **options: Any,
) -> Tuning:
    """Search for the hyperparameters of the best model, with Optuna.

    Parameters
    ----------
    model_fn : callable
        Function that takes an `optuna.Trial` and returns a new model, or a pair of it and a dict of
        arguments of `fit`, such as the optimizer, made from what the trial suggests.
    x, y : array_like
        Inputs and targets, as in `fit`.
    trials : int
        Number of models to train.
    monitor : str
        Loss or metric to optimise; its best value over the epochs counts.
    mode : {"auto", "min", "max"}
        Whether less or more is better; "auto" as in `EarlyStopping`.
    prune : bool
        Whether to end trials early that are worse than the median of those before.
    study : optuna.Study, optional
        A study to go on with, with a sampler and a pruner of its own.
    seed : int
        Seed of the sampler and of each training. The same trials follow from it in one release of
        Optuna; the study notes release and sampler.
    **options : object
        Further arguments of `fit`; a fifth of the samples validates if they give no validation.

    Returns
    -------
    Tuning
        The best model and its hyperparameters. Ctrl-C ends the search, and the result is that of
        the trials so far.

    Raises
    ------
    ImportError
        If Optuna is not installed.
    ValueError
        If an argument is invalid, or no trial has finished an epoch.

    Notes
    -----
    A trial whose loss becomes NaN or infinite counts as pruned. The sampler is the tree-structured
    Parzen estimator (J. Bergstra, R. Bardenet, Y. Bengio and B. Kégl, Algorithms for
    hyper-parameter optimization, 2011).

    Examples
    --------
    >>> import gyaku as gk
    >>> (x, y), _ = gk.data.digits()
    >>> def network(trial):
    ...     units = trial.suggest_int("units", 8, 32)
    ...     rate = trial.suggest_float("rate", 1e-3, 1e-1, log=True)
    ...     layers = gk.Rescaling(1 / 255), gk.Flatten(), gk.Dense(units, "relu"), gk.Dense(10)
    ...     return gk.Sequential(*layers), {"optimizer": gk.Adam(rate)}
    >>> found = gk.tune(
    ...     network, x, y, trials=3, loss="softmax_cross_entropy", epochs=2, batch_size=128
    ... )
    >>> sorted(found.params), len(found.study.trials)
    (['rate', 'units'], 3)
    """
    trials = whole("tune", "trials", trials)
    seed = whole("tune", "seed", seed, least=0)
    if "validation_data" not in options:
        options.setdefault("validation_split", 0.2)
    # Its own mode is that of the search.
    largest = Monitor(monitor, mode=mode).prefers_more
    optuna = _optuna()
    search = _Search(model_fn, x, y, monitor, mode, {"verbose": 0, "seed": seed, **options})
    if study is None:
        study = _study(optuna, largest, prune, seed)
    elif (study.direction == optuna.study.StudyDirection.MAXIMIZE) != largest:
        raise ValueError(
            f"tune: {monitor} is to be {'maximised' if largest else 'minimised'}, but the study's"
            f" direction is {study.direction.name.lower()}; give mode or another study"
        )
    study.optimize(search, n_trials=trials)
    if search.best is None:
        raise ValueError(f"tune: none of {len(study.trials)} trials has finished an epoch")
    return Tuning(study, *search.best)


class Tuning:
    """The best of several trainings; the result of `tune`.

    Parameters
    ----------
    study : optuna.Study
        The study, with all trials.
    value : float
        The best value of the loss or metric.
    params : dict
        The hyperparameters of the best model.
    model : Model
        The best model, as its training left it.
    history : History
        The history of its training.

    Examples
    --------
    >>> Tuning(None, 0.5, {"units": 16}, None, None)
    Tuning(0.5 by units=16)
    """

    def __init__(
        self, study: Any, value: float, params: Mapping[str, Any], model: Any, history: Any
    ) -> None:
        self.study = study
        self.value = value
        self.params = dict(params)
        self.model = model
        self.history: History = history

    def __repr__(self) -> str:
        params = ", ".join(f"{name}={value!r}" for name, value in self.params.items())
        return f"Tuning({self.value:.4g} by {params})"


class _Search:
    """The objective of a study: train a model, return its value, keep the best one."""

    def __init__(
        self,
        model_fn: Callable[[Any], Any],
        x: object,
        y: object,
        monitor: str,
        mode: str,
        options: Mapping[str, Any],
    ) -> None:
        self.model_fn, self.data = model_fn, (x, y)
        self.monitor, self.mode, self.options = monitor, mode, options
        self.best: tuple[float, dict[str, Any], Any, History] | None = None

    def __call__(self, trial: Any) -> float:
        from optuna import TrialPruned

        made = self.model_fn(trial)
        model, more = made if isinstance(made, tuple) else (made, {})
        if not hasattr(model, "fit"):
            raise TypeError(
                "tune: model_fn must return a model, or a model and a dict of arguments of fit, got"
                f" {type(made).__name__}"
            )
        given = {**self.options, **more}
        report = _Report(self.monitor, self.mode, trial)
        given["callbacks"] = [*_listed(given.get("callbacks")), report]
        try:
            history = model.fit(*self.data, **given)
        except NonFiniteError as error:
            raise TrialPruned(str(error)) from None
        if report.best_epoch >= 0 and report.beats(self.best and self.best[0]):
            self.best = report.best, dict(trial.params), model, history
        if history.stopped == "interrupted":
            trial.study.stop()
        if report.is_pruned or report.best_epoch < 0:
            raise TrialPruned(history.stopped or "no epoch was finished")
        return report.best


class _Report(Monitor):
    """Report each epoch to Optuna, which may end the trial."""

    def __init__(self, monitor: str, mode: str, trial: Any) -> None:
        super().__init__(monitor, mode=mode)
        self.trial = trial
        self.is_pruned = False

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> str | None:
        """Report the value; see `Callback.on_epoch_end`."""
        if self.improves(epoch, logs) is None:
            return None
        self.trial.report(self.best, epoch)
        self.is_pruned = self.trial.should_prune()
        return "pruned, as worse than other trials" if self.is_pruned else None

    def beats(self, other: float | None) -> bool:
        """Return whether the best value is better than another."""
        return other is None or (self.best > other if self.prefers_more else self.best < other)


def _listed(callbacks: Any) -> list[Any]:
    if callbacks is None:
        return []
    one = isinstance(callbacks, Callback) or callable(callbacks)
    return [callbacks] if one else list(callbacks)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise ImportError("tune needs Optuna: pip install 'gyaku[tune]'") from None
    return optuna


def _study(optuna: Any, largest: bool, prune: bool, seed: int) -> Any:
    """Return a new study, which notes what its trials follow from."""
    sampler = optuna.samplers.TPESampler(seed=seed)
    pruner = optuna.pruners.MedianPruner() if prune else optuna.pruners.NopPruner()
    direction = "maximize" if largest else "minimize"
    study = optuna.create_study(direction=direction, sampler=sampler, pruner=pruner)
    study.set_user_attr("optuna", optuna.__version__)
    study.set_user_attr("sampler", f"TPESampler(seed={seed})")
    return study
