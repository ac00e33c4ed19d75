"""The doctor: findings on a model and its data, each with a remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.diagnosis.examination import Examination, checked_language
from gyaku.model import Model
from gyaku.optim import optimizer as as_optimizer
from gyaku.train.criterion import last_criterion
from gyaku.train.dataset import checked_inputs, checked_lengths, checked_samples
from gyaku.train.verb import alone
from gyaku.train.weights import by_class, weighted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Literal

    from gyaku.diagnosis.diagnosis import Diagnosis
    from gyaku.losses import Loss
    from gyaku.optim import Optimizer

__all__ = ["diagnose"]


def diagnose(
    model: Model,
    x: object,
    y: object,
    *,
    lengths: object = None,
    sample_weight: object = None,
    class_weight: str | Mapping[Any, Any] | None = None,
    loss: str | Loss | Callable[..., Any] | Sequence[Any] | Mapping[str, Any] | None = None,
    optimizer: str | Optimizer | None = None,
    history: Mapping[str, Sequence[float]] | None = None,
    lang: Literal["en", "ja"] = "en",
) -> Diagnosis:
    """Return what is probably wrong with a model, its data or its training, and the remedies.

    Parameters
    ----------
    model : Model
        The model, which stays unchanged; it is built if it is not.
    x, y, lengths : array_like
        Inputs, targets and lengths of padded sequences, as in `Model.fit`.
    sample_weight, class_weight : array_like, str or dict, optional
        Weights of samples and classes, as in `Model.fit`.
    loss : str or Loss or callable, optional
        The loss; by default that of the last `fit`.
    optimizer : str or Optimizer, optional
        The optimizer, whose next update is compared with the weights; by default that of the last
        `fit`, if there was one.
    history : History or mapping of str to sequence of float, optional
        The history of the training, which shows a wrong learning rate and over-fitting.
    lang : {"en", "ja"}
        Language of the findings.

    Returns
    -------
    Diagnosis
        A sequence of findings; ``ok`` if there is none. Findings that follow from others are left
        out.

    Raises
    ------
    ValueError
        If data or arguments are invalid.
    TypeError
        If one of them is of the wrong kind.
    RuntimeError
        If another thread uses the model.

    Notes
    -----
    Dead and saturated units, gradients and the update are those of one training step on at most
    256 samples, evenly spaced in the data. A warning that `fit` gives is among the findings. The
    page on the doctor lists all kinds.

    Examples
    --------
    >>> import numpy as np
    >>> import gyaku as gk
    >>> x = np.random.default_rng(0).normal(size=(100, 4))
    >>> model = gk.Sequential(gk.Dense(16, "relu"), gk.Dense(2), gk.Softmax())
    >>> gk.diagnose(model, x, x[:, 0] > 0, loss="softmax_cross_entropy")
    Diagnosis of Sequential, 100 samples: 1 finding
      softmax twice: the model ends with a softmax and SoftmaxCrossEntropy adds another, so it will
      learn slowly
        -> leave the model's out, or use CrossEntropy
    """
    checked_language("diagnose", lang)
    given: object = model
    if not isinstance(given, Model):
        raise TypeError(f"diagnose: model must be a Model, got {type(given).__name__}")
    with alone("diagnose", model):
        criterion = last_criterion("diagnose", model, loss, ())
        inputs = checked_inputs("diagnose", model, x)
        passes = model.passes([each.shape[1:] for each in inputs])
        known = checked_lengths("diagnose", model, passes, lengths, inputs)
        pair = x, inputs
        samples = checked_samples("diagnose", model, passes, pair, y, criterion, known)
        weighting = model.output_names, passes, criterion
        samples = weighted("diagnose", samples, sample_weight, *weighting)
        samples = by_class("diagnose", samples, class_weight, *weighting)
        model.adopt(passes)
        chosen = model.optimizer if optimizer is None else as_optimizer(optimizer)
        return Examination(model, samples, criterion).look(chosen, history or {}, lang)
