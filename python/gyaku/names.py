"""Choice by name, aliases, and the closest match of a name that does not exist."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import NoReturn

__all__ = [
    "ALIASES",
    "ELSEWHERE",
    "FOREIGN",
    "KEYWORDS",
    "choose",
    "closest",
    "missing_from",
    "snake_case",
]
__all__ += ["is_known", "suggestion", "unknown"]

T = TypeVar("T")

# Beginnings of words in a class name: two in LayerNorm, two in Conv2DTranspose.
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=\d)(?=[A-Z][a-z])|(?<=\dD)(?=[A-Z])")

ALIASES = {
    "acc": "accuracy",
    "bce": "binary_cross_entropy",
    "binary_crossentropy": "binary_cross_entropy",
    "f1_score": "f1",
    "glorot": "xavier",
    "glorot_uniform": "xavier",
    "he_normal": "he",
    "kaiming": "he",
    "linear": "identity",
    "mae": "mean_absolute_error",
    "mse": "mean_squared_error",
    "r2_score": "r2",
    "rmse": "root_mean_squared_error",
    "roc_auc": "auc",
    "swish": "silu",
    "top_k_accuracy": "top_accuracy",
}
"""Aliases of names for `choose`."""

KEYWORDS = {
    "deviation": "std",
    "eps": "epsilon",
    "lr": "learning_rate",
    "window": "kernel_size",
}
"""Aliases of arguments, where the argument exists; old model files hold them."""

FOREIGN = {
    # Layers of Keras and PyTorch; names that differ in case only are matched without an entry.
    "AveragePooling1D": "AvgPool1D",
    "AveragePooling2D": "AvgPool2D",
    "BatchNormalization": "BatchNorm",
    "BatchNorm1d": "BatchNorm",
    "BatchNorm2d": "BatchNorm",
    "ConvTranspose2d": "Conv2DTranspose",
    "GlobalAveragePooling2D": "GlobalAvgPool2D",
    "GlobalMaxPooling2D": "GlobalMaxPool2D",
    "LayerNormalization": "LayerNorm",
    "Linear": "Dense",
    "MaxPooling1D": "MaxPool1D",
    "MaxPooling2D": "MaxPool2D",
    "RNN": "SimpleRNN",
    "Swish": "SiLU",
    # Losses.
    "BCELoss": "losses.BinaryCrossEntropy",
    "BCEWithLogitsLoss": "losses.SigmoidCrossEntropy",
    "BinaryCrossentropy": "losses.BinaryCrossEntropy",
    "CategoricalCrossentropy": "losses.SoftmaxCrossEntropy",
    "CrossEntropyLoss": "losses.SoftmaxCrossEntropy",
    "HuberLoss": "losses.Huber",
    "L1Loss": "losses.MeanAbsoluteError",
    "MSELoss": "losses.MeanSquaredError",
    "SmoothL1Loss": "losses.Huber",
    "SparseCategoricalCrossentropy": "losses.SoftmaxCrossEntropy",
    # Arguments.
    "accumulate_grad_batches": "accumulate",
    "bias_initializer": "bias_init",
    "clipnorm": "clip_norm",
    "clipvalue": "clip_value",
    "depth_multiplier": "multiplier",
    "dilation_rate": "dilation",
    "global_clipnorm": "clip_norm",
    "gradient_accumulation_steps": "accumulate",
    "gradient_clip_val": "clip_norm",
    "hidden_size": "units",
    "kernel_initializer": "weight_init",
    "max_grad_norm": "clip_norm",
    "merge_mode": "merge",
    "negative_slope": "alpha",
    "out_channels": "filters",
    "out_features": "units",
    "p": "rate",
    "pool_size": "kernel_size",
    "proj_size": "projection",
    "recurrent_initializer": "recurrent_init",
    "stddev": "std",
    "strides": "stride",
    # Attributes.
    "requires_grad": "trainable",
}
"""Names in Keras and PyTorch, for the hint of an error."""

_BOTH = (
    "'softmax_cross_entropy' for a last layer without activation, 'cross_entropy' for a model that"
    " ends in Softmax; both take class numbers and rows"
)
ELSEWHERE = {
    "clipnorm": "fit has clip_norm",
    "clipvalue": "fit has clip_value",
    "global_clipnorm": "fit has clip_norm",
    "gradient_accumulation_steps": "fit has accumulate",
}
"""Arguments of classes in Keras and PyTorch that belong to something else here."""

ADVICE = {
    "categorical_crossentropy": _BOTH,
    "sparse_categorical_crossentropy": _BOTH,
}
"""Advice for ambiguous names."""


def snake_case(name: str) -> str:
    """Return a class name in snake case.

    Parameters
    ----------
    name : str
        The name.

    Returns
    -------
    str
        Its words, joined by underscores.

    Examples
    --------
    >>> snake_case("LayerNorm"), snake_case("Conv2DTranspose")
    ('layer_norm', 'conv2d_transpose')
    """
    return _WORDS.sub("_", name).lower()


def choose(kind: str, given: str, table: Mapping[str, T]) -> T:
    """Return the entry of a table by name or alias, in upper or lower case.

    Parameters
    ----------
    kind : str
        Kind of the entries, for the error.
    given : str
        The name.
    table : mapping of str to object
        Entries by name.

    Returns
    -------
    object
        The entry.

    Raises
    ------
    ValueError
        If there is no such entry.

    Examples
    --------
    >>> choose("loss", "mse", {"mean_squared_error": 1, "cross_entropy": 2})
    1
    >>> choose("optimizer", "adma", {"adam": 1, "sgd": 2})
    Traceback (most recent call last):
    ...
    ValueError: unknown optimizer 'adma', did you mean 'adam'? Known are adam, sgd
    """
    for name in _readings(given):
        if name in table:
            return table[name]
    raise ValueError(unknown(kind, given, table))


def is_known(given: str, table: Mapping[str, object]) -> bool:
    """Return whether `choose` finds an entry.

    Parameters
    ----------
    given : str
        The name.
    table : mapping of str to object
        Entries by name.

    Returns
    -------
    bool
        Whether it does.
    """
    return any(name in table for name in _readings(given))


def _readings(given: str) -> tuple[str, str, str]:
    small = given.lower()
    return given, small, ALIASES.get(small, small)


def closest(given: str, names: Iterable[str], *, cutoff: float = 0.65) -> str:
    """Return the closest known name to an unknown one.

    Parameters
    ----------
    given : str
        The unknown name.
    names : iterable of str
        Known names.
    cutoff : float
        Smallest similarity of a close spelling, between 0 and 1.

    Returns
    -------
    str
        The name that differs in case only, or the equivalent of another library's name, or the
        closest in spelling; "" if none is close.

    Examples
    --------
    >>> closest("strides", ["padding", "stride"]), closest("Conv2d", ["Conv2D"])
    ('stride', 'Conv2D')
    """
    import difflib

    folded = {name.lower(): name for name in names}
    for name in (given, FOREIGN.get(given, ""), ALIASES.get(given, ""), KEYWORDS.get(given, "")):
        if name.lower() in folded:
            return folded[name.lower()]
    near = difflib.get_close_matches(given.lower(), sorted(folded), n=1, cutoff=cutoff)
    return folded[near[0]] if near else ""


def suggestion(given: str, names: Iterable[str]) -> str:
    """Return the end of a sentence about an unknown name.

    Parameters
    ----------
    given : str
        The unknown name.
    names : iterable of str
        Known names.

    Returns
    -------
    str
        A question with the closest of them, or "".

    Examples
    --------
    >>> suggestion("stirde", ["padding", "stride"])
    ", did you mean 'stride'?"
    """
    close = closest(given, names)
    return f", did you mean {close!r}?" if close else ""


def unknown(kind: str, given: str, names: Iterable[str]) -> str:
    """Return the sentence about an unknown name.

    Parameters
    ----------
    kind : str
        Kind of the named things.
    given : str
        The unknown name.
    names : iterable of str
        Known names.

    Returns
    -------
    str
        The sentence, with advice or the closest name, and all names.
    """
    known = sorted(names)
    if given.lower() in ADVICE:
        return f"unknown {kind} {given!r}: {ADVICE[given.lower()]}"
    close = suggestion(given, known)
    if close:
        return f"unknown {kind} {given!r}{close} Known are {', '.join(known)}"
    return f"unknown {kind} {given!r}, known are {', '.join(known)}"


def missing_from(module: str) -> Callable[[str], NoReturn]:
    """Return the `__getattr__` of a module, which suggests one of its names for another.

    Parameters
    ----------
    module : str
        The module's name.

    Returns
    -------
    callable
        The function.
    """

    def missing(name: str) -> NoReturn:
        hint = ""
        if not name.startswith("_"):
            names, stem = sys.modules[module].__all__, module.rpartition(".")[2]
            hint = suggestion(name, [*names, *(f"{stem}.{each}" for each in names)])
        raise AttributeError(f"module {module!r} has no attribute {name!r}{hint}")

    return missing
