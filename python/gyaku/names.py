"""Choice by name, aliases, and the closest match of a name that does not exist."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import NoReturn

__all__ = ["ALIASES", "FOREIGN", "KEYWORDS", "choose", "closest", "equivalent", "hint"]
__all__ += ["is_known", "missing_from", "snake_case", "suggestion", "unknown"]

T = TypeVar("T")

# Beginnings of words in a class name: two in LayerNorm, KLDivergence and Conv2DTranspose.
_WORDS = re.compile(
    r"(?<=[a-z])(?=[A-Z])|(?<=\d)(?=[A-Z][a-z])|(?<=\dD)(?=[A-Z])|(?<=^KL)(?=D)|(?<=^RMS)(?=N)"
)

ALIASES = {
    "acc": "accuracy",
    "bce": "binary_cross_entropy",
    "binary_crossentropy": "binary_cross_entropy",
    "f1_score": "f1",
    "glorot": "xavier",
    "glorot_uniform": "xavier",
    "he_normal": "he",
    "huber_loss": "huber",
    "kaiming": "he",
    "kl_div": "kl_divergence",
    "kld": "kl_divergence",
    "l1": "mean_absolute_error",
    "linear": "identity",
    "mae": "mean_absolute_error",
    "mse": "mean_squared_error",
    "nll": "negative_log_likelihood",
    "nll_loss": "negative_log_likelihood",
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
    "AveragePooling3D": "AvgPool3D",
    "BatchNormalization": "BatchNorm",
    "BatchNorm1d": "BatchNorm",
    "BatchNorm2d": "BatchNorm",
    "GroupNormalization": "GroupNorm",
    "InstanceNorm1d": "InstanceNorm",
    "InstanceNorm2d": "InstanceNorm",
    "RMSNormalization": "RMSNorm",
    "ConstantPad1d": "Pad",
    "ConstantPad2d": "Pad",
    "ConvTranspose2d": "Conv2DTranspose",
    "ConvTranspose3d": "Conv3DTranspose",
    "Cropping1D": "Crop",
    "Cropping2D": "Crop",
    "GlobalAveragePooling2D": "GlobalAvgPool2D",
    "GlobalMaxPooling2D": "GlobalMaxPool2D",
    "LayerNormalization": "LayerNorm",
    "Linear": "Dense",
    "MaxPooling1D": "MaxPool1D",
    "MaxPooling2D": "MaxPool2D",
    "MaxPooling3D": "MaxPool3D",
    "InputLayer": "Input",
    "Module": "Layer",
    "RNN": "SimpleRNN",
    "ReflectionPad1d": "Pad",
    "ReflectionPad2d": "Pad",
    "ReplicationPad1d": "Pad",
    "ReplicationPad2d": "Pad",
    "Resize": "Upsample",
    "Swish": "SiLU",
    "Transpose": "Permute",
    "UpSampling1D": "Upsample",
    "UpSampling2D": "Upsample",
    "UpsamplingBilinear2d": "Upsample",
    "UpsamplingNearest2d": "Upsample",
    "ZeroPad2d": "Pad",
    "ZeroPadding1D": "Pad",
    "ZeroPadding2D": "Pad",
    # Callbacks and schedules.
    "BackupAndRestore": "ModelCheckpoint",
    "CosineAnnealingLR": "schedules.Cosine",
    "CosineAnnealingWarmRestarts": "schedules.Cosine",
    "CosineDecay": "schedules.Cosine",
    "CyclicLR": "schedules.Cyclic",
    "ExponentialDecay": "schedules.Exponential",
    "ExponentialLR": "schedules.Exponential",
    "ExponentialMovingAverage": "EMA",
    "LRFinder": "find_learning_rate",
    "LinearLR": "schedules.Polynomial",
    "MultiStepLR": "schedules.MultiStep",
    "OneCycleLR": "schedules.OneCycle",
    "PolynomialDecay": "schedules.Polynomial",
    "PolynomialLR": "schedules.Polynomial",
    "SequentialLR": "schedules.Joined",
    "StepLR": "schedules.Step",
    # Losses.
    "BCELoss": "losses.BinaryCrossEntropy",
    "BCEWithLogitsLoss": "losses.SigmoidCrossEntropy",
    "BinaryCrossentropy": "losses.BinaryCrossEntropy",
    "CategoricalCrossentropy": "losses.SoftmaxCrossEntropy",
    "CrossEntropyLoss": "losses.SoftmaxCrossEntropy",
    "CosineEmbeddingLoss": "losses.CosineSimilarity",
    "CosineSimilarity": "losses.CosineSimilarity",
    "HuberLoss": "losses.Huber",
    "KLDivLoss": "losses.KLDivergence",
    "L1Loss": "losses.MeanAbsoluteError",
    "MSELoss": "losses.MeanSquaredError",
    "MultiMarginLoss": "losses.MultiMargin",
    "NLLLoss": "losses.NegativeLogLikelihood",
    "PoissonNLLLoss": "losses.Poisson",
    "SmoothL1Loss": "losses.SmoothL1",
    "SparseCategoricalCrossentropy": "losses.SoftmaxCrossEntropy",
    # Arguments.
    "affine": "scale",
    "center": "shift",
    "elementwise_affine": "scale",
    "num_groups": "groups",
    "accumulate_grad_batches": "accumulate",
    "betas": "beta1",
    "bias": "use_bias",
    "bias_initializer": "bias_init",
    "ckpt_path": "resume",
    "clipnorm": "clip_norm",
    "clipvalue": "clip_value",
    "decoupled_weight_decay": "decoupled",
    "depth_multiplier": "multiplier",
    "dilation_rate": "dilation",
    "global_clipnorm": "clip_norm",
    "gradient_accumulation_steps": "accumulate",
    "initial_accumulator_value": "initial",
    "grad_clip": "clip_norm",
    "gradient_clip_val": "clip_norm",
    "dim": "axis",
    "hidden_size": "units",
    "interpolation": "mode",
    "max_iter": "epochs",
    "n_iter": "epochs",
    "nb_epoch": "epochs",
    "random_state": "seed",
    "restore_best_weights": "restore_best",
    "resume_from_checkpoint": "resume",
    "save_freq": "steps",
    "scale_factor": "scale",
    "save_top_k": "keep",
    "validation": "validation_data",
    "weights": "sample_weight",
    "init": "weight_init",
    "initializer": "weight_init",
    "kernel_initializer": "weight_init",
    "max_grad_norm": "clip_norm",
    "merge_mode": "merge",
    "negative_slope": "alpha",
    "out_channels": "filters",
    "out_features": "units",
    "p": "rate",
    "pool_size": "kernel_size",
    "pos_weight": "positive_weight",
    "proj_size": "projection",
    "recurrent_initializer": "recurrent_init",
    "stddev": "std",
    "strides": "stride",
    # Modules and attributes.
    "criterion": "loss",
    "initializers": "init",
    "optimizers": "optim",
    "requires_grad": "trainable",
}
"""Names in Keras and PyTorch, for the hint of an error."""

_BOTH = (
    "'softmax_cross_entropy' for a last layer without activation, 'cross_entropy' for a model that"
    " ends in Softmax; both take class numbers and rows"
)
ADVICE = {
    "categorical_crossentropy": _BOTH,
    "sparse_categorical_crossentropy": _BOTH,
}
"""Advice for ambiguous names."""

_OF_OPTIMIZER = "it belongs to the optimizer, as in optimizer=gyaku.Adam(0.001)"
_INFERRED = "the number of inputs is inferred when the model is built"
_PARAMS = "params has the parameters by name, and takes new ones: params['dense.weight'] = array"
_PART = (
    "layers that predict by themselves are a model of their own within the model:"
    " encoder = gyaku.Sequential(...), gyaku.Sequential(encoder, ...), encoder.predict(x)"
)
_SETS = (
    "scikit-learn and torchvision have more data sets, such as"
    " sklearn.datasets.load_iris(return_X_y=True)"
)
_ROWS = (
    "numpy.eye(classes)[y] makes rows of class numbers, and softmax_cross_entropy takes class"
    " numbers themselves"
)
_OUTPUTS = (
    "predict gives the outputs, which are probabilities behind Softmax; classes are"
    " predict(x).argmax(axis=1)"
)
_ON_CPU = "gyaku runs on CPUs; gyaku.set_num_threads sets the number of threads"
_OTHER_WAYS = {
    # Arguments.
    "clipnorm": "fit has clip_norm",
    "clipvalue": "fit has clip_value",
    "approximate": "GELUTanh is the approximation by tanh",
    "decay": "a falling learning rate is a schedule, such as gyaku.schedules.InverseTime",
    "lr_decay": "a falling learning rate is a schedule, such as gyaku.schedules.InverseTime",
    "maximize": "training minimises; change the sign of the loss",
    "device": _ON_CPU,
    "global_clipnorm": "fit has clip_norm",
    "gradient_accumulation_steps": "fit has accumulate",
    "in_channels": _INFERRED,
    "in_features": _INFERRED,
    "input_dim": _INFERRED,
    "input_shape": _INFERRED,
    "input_size": _INFERRED,
    "learning_rate": _OF_OPTIMIZER,
    "lr": _OF_OPTIMIZER,
    "momentum": "it belongs to the optimizer, as in optimizer=gyaku.Momentum(0.01, momentum=0.9)",
    "nesterov": "the optimizer gyaku.Nesterov has Nesterov's momentum",
    "layer": _PART,
    "n_jobs": _ON_CPU,
    "learningratescheduler": "a schedule is a learning rate, as in"
    " gyaku.SGD(gyaku.schedules.Cosine(0.1)), or a function of the number of steps",
    "patience": "early stopping is a callback, callbacks=gyaku.EarlyStopping(patience=5)",
    "save_best_only": "keep='best' keeps the best",
    "weight_decay": _OF_OPTIMIZER,
    "workers": _ON_CPU,
    # Attributes of models and layers.
    "add": "the constructor takes all layers",
    "append": "the constructor takes all layers",
    "compile": "fit takes loss, optimizer and metrics",
    "cpu": _ON_CPU,
    "cuda": _ON_CPU,
    "eval": "only fit trains; predict and evaluate leave out dropout by themselves",
    "export": "gyaku.interop.to_onnx(model, path) writes ONNX, to_c and to_numpy one file of code",
    "fit_generator": "fit takes all kinds of data",
    "get_weights": _PARAMS,
    "history": "fit returns a history, a mapping, as in history['loss']",
    "load_state_dict": _PARAMS,
    "load_weights": "gyaku.load(path) returns a model from a file",
    "parameters": _PARAMS,
    "pop": _PART,
    "predict_classes": _OUTPUTS,
    "predict_proba": _OUTPUTS,
    "save_weights": "save(path) writes a model to a file",
    "score": "evaluate(x, y, metrics='accuracy') measures a model",
    "set_weights": _PARAMS,
    "state_dict": _PARAMS,
    "to": _ON_CPU,
    "to_onnx": "gyaku.interop.to_onnx(model, path) writes ONNX",
    "train": "fit(x, y, loss=...) trains a model",
    "train_on_batch": "fit(x, y, batch_size=None) does one step an epoch",
    "transform": _OUTPUTS,
    "weights": _PARAMS,
    "zero_grad": "backward writes new gradients by itself",
    # Names of modules.
    "cifar10": _SETS,
    "fashion_mnist": _SETS,
    "iris": _SETS,
    "load_iris": _SETS,
    "make_moons": _SETS,
    "moons": _SETS,
    "nn": "layers are names of gyaku itself, such as gyaku.Dense",
    "no_grad": "forward computes no gradients, backward does",
    "tensor": "arrays are those of NumPy",
    "one_hot": _ROWS,
    "to_categorical": _ROWS,
    "train_test_split": "fit takes validation_split=0.2, and validation_data=(x, y)",
}
"""What gyaku has in place of names that are found in other libraries."""


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


def equivalent(given: str, names: Iterable[str]) -> str:
    """Return the known name that means the same as an unknown one.

    Parameters
    ----------
    given : str
        The unknown name.
    names : iterable of str
        Known names.

    Returns
    -------
    str
        The name that differs in case only, or the equivalent of another library's name, or "".

    Examples
    --------
    >>> equivalent("RMSprop", ["RMSProp", "SGD"]), equivalent("Linear", ["Dense"])
    ('RMSProp', 'Dense')
    """
    folded = {name.lower(): name for name in names}
    alias = ALIASES.get(given.lower(), "")
    for name in (given, FOREIGN.get(given, ""), alias, alias.replace("_", ""), KEYWORDS.get(given)):
        if name and name.lower() in folded:
            return folded[name.lower()]
    return ""


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
    meant = equivalent(given, folded.values())
    if meant:
        return meant
    swapped = [name for name in folded if sorted(name) == sorted(given.lower())]
    near = swapped or difflib.get_close_matches(given.lower(), sorted(folded), n=1, cutoff=cutoff)
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


def hint(given: str, names: Iterable[str]) -> str:
    """Return the end of a sentence about an unknown argument or attribute.

    Parameters
    ----------
    given : str
        The unknown name.
    names : iterable of str
        Known names.

    Returns
    -------
    str
        A question with the name that means the same, or what there is in place of a name of other
        libraries, or a question with the closest name, or "".

    Examples
    --------
    >>> hint("compile", ["fit", "save"]), hint("strides", ["stride"])
    ('; fit takes loss, optimizer and metrics', ", did you mean 'stride'?")
    """
    known = list(names)
    other = "" if equivalent(given, known) else _OTHER_WAYS.get(given.lower(), "")
    return f"; {other}" if other else suggestion(given, known)


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
    close = hint(given, known) if kind == "argument" else suggestion(given, known)
    if close.endswith("?"):
        return f"unknown {kind} {given!r}{close} Known are {', '.join(known)}"
    if close:
        return f"unknown {kind} {given!r}{close}"
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
        close = ""
        if not name.startswith("_"):
            names, stem = sys.modules[module].__all__, module.rpartition(".")[2]
            close = hint(name, [*names, *(f"{stem}.{each}" for each in names)])
        raise AttributeError(f"module {module!r} has no attribute {name!r}{close}")

    return missing
