"""Choice by name, aliases, and the closest match of a name that does not exist."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import NoReturn

__all__ = ["ALIASES", "FOREIGN", "KEYWORDS", "choose", "closest", "missing_from", "snake_case"]
__all__ += ["suggestion", "unknown"]

T = TypeVar("T")

# Where a word of a class's name begins: LayerNorm has two, Conv2DTranspose too.
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=\d)(?=[A-Z][a-z])|(?<=\dD)(?=[A-Z])")

ALIASES = {
    "acc": "accuracy",
    "glorot": "xavier",
    "glorot_uniform": "xavier",
    "he_normal": "he",
    "kaiming": "he",
    "linear": "identity",
    "mae": "mean_absolute_error",
    "mse": "mean_squared_error",
    "swish": "silu",
}
"""Other names of what can be chosen by name."""

KEYWORDS = {
    "deviation": "std",
    "eps": "epsilon",
    "lr": "learning_rate",
    "window": "kernel_size",
}
"""Other names of arguments, taken where the argument exists; model files hold the older ones."""

FOREIGN = {
    # Layers of Keras and PyTorch; those that differ in upper and lower case alone are found.
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
    "Swish": "SiLU",
    # Losses.
    "BinaryCrossentropy": "losses.CrossEntropy",
    "CategoricalCrossentropy": "losses.SoftmaxCrossEntropy",
    "CrossEntropyLoss": "losses.SoftmaxCrossEntropy",
    "MSELoss": "losses.MeanSquaredError",
    "SparseCategoricalCrossentropy": "losses.SoftmaxCrossEntropy",
    # Arguments.
    "bias_initializer": "bias_init",
    "depth_multiplier": "multiplier",
    "dilation_rate": "dilation",
    "kernel_initializer": "weight_init",
    "negative_slope": "alpha",
    "out_channels": "filters",
    "out_features": "units",
    "p": "rate",
    "pool_size": "kernel_size",
    "stddev": "std",
    "strides": "stride",
    # Attributes.
    "requires_grad": "trainable",
}
"""Names in Keras and PyTorch that are not taken but answered with the name here."""

_BOTH = (
    "'softmax_cross_entropy' for a last layer without activation, 'cross_entropy' for a model that"
    " ends in Softmax; both take class numbers and rows"
)
_TWO = (
    "for two classes end the model in Dense(2) and choose 'softmax_cross_entropy', whose targets"
    " are the class numbers 0 and 1"
)
ADVICE = {
    "bce": _TWO,
    "binary_crossentropy": _TWO,
    "binary_cross_entropy": _TWO,
    "categorical_crossentropy": _BOTH,
    "sparse_categorical_crossentropy": _BOTH,
}
"""Sentences for names that could mean several things here."""


def snake_case(name: str) -> str:
    """Return a class's name in small letters.

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
    """Return the row of a table that has a name, in capital or small letters, or an alias.

    Parameters
    ----------
    kind : str
        The kind of the rows, for the error.
    given : str
        The name.
    table : mapping of str to object
        The rows by name.

    Returns
    -------
    object
        The row.

    Raises
    ------
    ValueError
        If no row has this name.

    Examples
    --------
    >>> choose("loss", "mse", {"mean_squared_error": 1, "cross_entropy": 2})
    1
    >>> choose("optimizer", "adma", {"adam": 1, "sgd": 2})
    Traceback (most recent call last):
    ...
    ValueError: unknown optimizer 'adma', did you mean 'adam'? Known are adam, sgd
    """
    small = given.lower()
    for name in (given, small, ALIASES.get(small, small)):
        if name in table:
            return table[name]
    raise ValueError(unknown(kind, given, table))


def closest(given: str, names: Iterable[str], *, cutoff: float = 0.65) -> str:
    """Return the name that was probably meant.

    Parameters
    ----------
    given : str
        A name that does not exist.
    names : iterable of str
        The names that exist.
    cutoff : float
        The similarity, between 0 and 1, from which a spelling is close.

    Returns
    -------
    str
        The one with the same letters or another library's name for it, else the closest in
        spelling; "" if none is close.

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
    """Return the end of a sentence about a name that does not exist.

    Parameters
    ----------
    given : str
        The name that was given.
    names : iterable of str
        The names that exist.

    Returns
    -------
    str
        A question for the closest of them, or nothing.

    Examples
    --------
    >>> suggestion("stirde", ["padding", "stride"])
    ", did you mean 'stride'?"
    """
    close = closest(given, names)
    return f", did you mean {close!r}?" if close else ""


def unknown(kind: str, given: str, names: Iterable[str]) -> str:
    """Return the sentence for a name that does not exist.

    Parameters
    ----------
    kind : str
        The kind of thing to choose.
    given : str
        The name that was given.
    names : iterable of str
        The names that exist.

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
