"""Counterparts of PyTorch's modules: the layer of a module, and the module of a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.layers import (
    CELU,
    ELU,
    GELU,
    GRU,
    LSTM,
    SELU,
    AdaptiveAvgPool1D,
    AdaptiveAvgPool2D,
    AdaptiveAvgPool3D,
    AdaptiveMaxPool1D,
    AdaptiveMaxPool2D,
    AdaptiveMaxPool3D,
    ArrayOperation,
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    BatchNorm,
    Bidirectional,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GELUTanh,
    GroupNorm,
    HardSigmoid,
    HardSwish,
    InstanceNorm,
    LayerNorm,
    LeakyReLU,
    LocalResponseNorm,
    LogSoftmax,
    LPPool2D,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    Mish,
    Pad,
    PReLU,
    ReLU,
    Rescaling,
    RMSNorm,
    Sigmoid,
    SiLU,
    SimpleRNN,
    Softmax,
    Softplus,
    Softsign,
    Tanh,
    Upsample,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from gyaku.layers import Layer
    from gyaku.layers.activation import Parametric

__all__ = [
    "ALPHAS",
    "CHAINS",
    "FEATURES_FIRST",
    "FEATURES_LAST",
    "PLAIN",
    "check_options",
    "layer_of",
]
__all__ += ["recurrent_layers"]

_BY_AXES = (
    *("Conv", "ConvTranspose", "MaxPool", "AvgPool", "LPPool", "AdaptiveAvgPool"),
    *(
        "AdaptiveMaxPool",
        "MaxUnpool",
        "BatchNorm",
        "InstanceNorm",
        "ZeroPad",
        "ConstantPad",
        "ReflectionPad",
    ),
    *("ReplicationPad", "CircularPad"),
)
FEATURES_FIRST = {
    *(f"{kind}{axes}d" for kind in _BY_AXES for axes in (1, 2, 3)),
    *("GroupNorm", "LocalResponseNorm", "PReLU", "Upsample"),
}
"""Modules that take the features along the axis behind the samples."""
FEATURES_LAST = {"Linear", "LayerNorm", "RMSNorm"}
"""Modules that take the features along the last axis."""

PLAIN: dict[str, type[Layer]] = {
    "ReLU": ReLU, "Tanh": Tanh, "Sigmoid": Sigmoid, "SELU": SELU, "SiLU": SiLU, "Mish": Mish,
    "Hardsigmoid": HardSigmoid, "Hardswish": HardSwish, "Softsign": Softsign,
    "Softmax": Softmax, "LogSoftmax": LogSoftmax, "Flatten": Flatten,
}  # fmt: skip
"""Layers without arguments, by the name of the module."""
ALPHAS: dict[str, tuple[type[Parametric], str]] = {
    "LeakyReLU": (LeakyReLU, "negative_slope"),
    "ELU": (ELU, "alpha"),
    "CELU": (CELU, "alpha"),
}
"""Layers with a parameter alpha, and its name in the module."""
# Arguments whose only value with a counterpart is this one.
_ONLY = {
    "padding_mode": "zeros", "padding_idx": None, "recompute_scale_factor": None,
    "max_norm": None, "return_indices": False, "start_dim": 1, "end_dim": -1,
    "batch_first": True, "scale_grad_by_freq": False, "sparse": False,
}  # fmt: skip


def _refuse(name: str, module: Any, reason: str) -> NoReturn:
    raise ValueError(f"from_torch: {name or 'the module'} ({module}) {reason}")


def _named(module: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(module, name) for name in names}


def _bare(value: Any) -> Any:
    """Return the number of a single axis without its tuple."""
    return value[0] if isinstance(value, tuple) and len(value) == 1 else value


def _conv(cls: Any) -> Callable[[Any, str], Any]:
    def made(module: Any, name: str) -> Any:
        names = ["kernel_size", "stride", "padding", "dilation", "groups"]
        names += ["output_padding"] * issubclass(cls, (Conv2DTranspose, Conv3DTranspose))
        options = {key: _bare(value) for key, value in _named(module, *names).items()}
        return cls(module.out_channels, use_bias=module.bias is not None, name=name, **options)

    return made


def _pool(cls: Any, *names: str) -> Callable[[Any, str], Any]:
    def made(module: Any, _: str) -> Any:
        options = _named(module, "kernel_size", "stride", "padding", "ceil_mode", *names)
        return cls(**{key: _bare(value) for key, value in options.items()})

    return made


def _adaptive(cls: Any) -> Callable[[Any, str], Any]:
    return lambda module, _: cls(_bare(module.output_size))


def _lp_pool(module: Any, name: str) -> Layer:
    if module.norm_type % 2:
        _refuse(name, module, "sums powers of negative elements, LPPool2D those of magnitudes")
    options = _named(module, "kernel_size", "stride", "ceil_mode")
    return LPPool2D(module.norm_type, **options)


def _pad(mode: str) -> Callable[[Any, str], Layer]:
    def made(module: Any, name: str) -> Layer:
        pads = tuple(module.padding)
        if min(pads) < 0:
            _refuse(name, module, "has negative padding, which Crop takes away")
        pairs = tuple(zip(pads[::2], pads[1::2], strict=True))[::-1]
        value = float(getattr(module, "value", 0.0))
        return Pad(pairs if len(pairs) > 1 else pairs[0], mode, value=value)

    return made


_PADS = {
    "Zero": "constant", "Constant": "constant", "Reflection": "reflect", "Replication": "edge",
    "Circular": "wrap",
}  # fmt: skip


def _upsample(module: Any, name: str) -> Layer:
    mode = module.mode.removeprefix("bi").removeprefix("tri")
    given = {"scale": module.scale_factor, "size": module.size}
    options = {key: each for key, each in given.items() if each is not None}
    return Upsample(mode=mode, align_corners=bool(module.align_corners), **options)


def _parameters(module: Any) -> dict[str, bool]:
    return {"scale": module.weight is not None, "shift": module.bias is not None}


def _layer_norm(module: Any, name: str) -> Layer:
    axes = len(module.normalized_shape)
    return LayerNorm(module.eps, axes=axes, name=name, **_parameters(module))


def _batch_norm(module: Any, name: str) -> Layer:
    track = module.running_mean is not None
    options = _parameters(module)
    return BatchNorm(module.momentum, module.eps, track_running_stats=track, name=name, **options)


def _instance_norm(module: Any, name: str) -> Layer:
    if module.running_mean is not None:
        _refuse(name, module, "has track_running_stats=True, the counterpart has False")
    return InstanceNorm(module.eps, name=name, **_parameters(module))


def _rms_norm(module: Any, name: str) -> Layer:
    if module.eps is None:
        _refuse(name, module, "has no eps, and gyaku's needs one")
    axes, scale = len(module.normalized_shape), module.weight is not None
    return RMSNorm(module.eps, axes=axes, scale=scale, name=name)


def _softplus(module: Any, _: str) -> Layer:
    given = module.beta, module.threshold
    return Softplus(*given) if given != (1, 20) else Softplus()


def _clip(least: float, most: float) -> Layer:
    return ArrayOperation("clip", {"least": float(least), "most": float(most)})


def _shrink(bias: float, limit: float) -> Layer:
    return ArrayOperation("shrink", {"bias": float(bias), "limit": float(limit)})


_MADE: dict[str, Callable[[Any, str], Any]] = {
    "Linear": lambda m, name: Dense(m.out_features, use_bias=m.bias is not None, name=name),
    "Conv1d": _conv(Conv1D),
    "Conv2d": _conv(Conv2D),
    "Conv3d": _conv(Conv3D),
    "ConvTranspose2d": _conv(Conv2DTranspose),
    "ConvTranspose3d": _conv(Conv3DTranspose),
    "MaxPool1d": _pool(MaxPool1D, "dilation"),
    "MaxPool2d": _pool(MaxPool2D, "dilation"),
    "MaxPool3d": _pool(MaxPool3D, "dilation"),
    "AvgPool1d": _pool(AvgPool1D, "count_include_pad"),
    "AvgPool2d": _pool(AvgPool2D, "count_include_pad", "divisor_override"),
    "AvgPool3d": _pool(AvgPool3D, "count_include_pad", "divisor_override"),
    "AdaptiveAvgPool1d": _adaptive(AdaptiveAvgPool1D),
    "AdaptiveAvgPool2d": _adaptive(AdaptiveAvgPool2D),
    "AdaptiveAvgPool3d": _adaptive(AdaptiveAvgPool3D),
    "AdaptiveMaxPool1d": _adaptive(AdaptiveMaxPool1D),
    "AdaptiveMaxPool2d": _adaptive(AdaptiveMaxPool2D),
    "AdaptiveMaxPool3d": _adaptive(AdaptiveMaxPool3D),
    "LPPool2d": _lp_pool,
    "Upsample": _upsample,
    **{f"{kind}Pad{axes}d": _pad(mode) for kind, mode in _PADS.items() for axes in (1, 2, 3)},
    **dict.fromkeys((f"BatchNorm{axes}d" for axes in (1, 2, 3)), _batch_norm),
    **dict.fromkeys((f"InstanceNorm{axes}d" for axes in (1, 2, 3)), _instance_norm),
    "LayerNorm": _layer_norm,
    "GroupNorm": lambda m, name: GroupNorm(m.num_groups, m.eps, name=name, **_parameters(m)),
    "RMSNorm": _rms_norm,
    "LocalResponseNorm": lambda m, _: LocalResponseNorm(m.size, m.alpha, m.beta, m.k),
    "PReLU": lambda m, name: PReLU(name=name),
    "Embedding": lambda m, name: Embedding(m.num_embeddings, m.embedding_dim, name=name),
    "Dropout": lambda m, _: Dropout(m.p),
    "ReLU6": lambda m, _: _clip(0.0, 6.0),
    "Hardtanh": lambda m, _: _clip(m.min_val, m.max_val),
    "Softshrink": lambda m, _: _shrink(m.lambd, m.lambd),
    "Hardshrink": lambda m, _: _shrink(0.0, m.lambd),
    "GELU": lambda m, _: GELUTanh() if m.approximate == "tanh" else GELU(),
    "Softplus": _softplus,
    "Block": lambda m, name: type(m.layer)(**m.layer.config()),
}


CHAINS: dict[str, Callable[[], list[Layer]]] = {
    "LogSigmoid": lambda: [Rescaling(-1.0), Softplus(), Rescaling(-1.0)],
}
"""Modules that are several layers."""


def layer_of(module: Any, name: str) -> Layer:
    """Return the layer of a module, without its weights.

    Parameters
    ----------
    module : torch.nn.Module
        The module.
    name : str
        Name of the layer, if it has weights.

    Returns
    -------
    Layer
        The layer.

    Raises
    ------
    ValueError
        If the module, or one of its options, has no counterpart.
    """
    kind = type(module).__name__
    check_options(module, name)
    layer: Any = None
    if kind in PLAIN:
        layer = PLAIN[kind]()
    elif kind in ALPHAS:
        cls, alpha = ALPHAS[kind]
        layer = cls(getattr(module, alpha))
    elif kind in _MADE:
        layer = _MADE[kind](module, name)
    else:
        _refuse(name, module, "has no counterpart in gyaku")
    parameters = list(module.parameters())
    layer.trainable = not parameters or any(each.requires_grad for each in parameters)
    made: Layer = layer
    return made


def check_options(module: Any, name: str) -> None:
    """Raise if an option of a module has no counterpart.

    Parameters
    ----------
    module : torch.nn.Module
        The module.
    name : str
        Its name, for the error.

    Raises
    ------
    ValueError
        If there is such an option.
    """
    for option, value in _ONLY.items():
        if option in vars(module) and getattr(module, option) != value:
            given = getattr(module, option)
            _refuse(name, module, f"has {option}={given!r}, the counterpart has {value!r}")


def recurrent_layers(module: Any, name: str, sequences: bool) -> list[Layer]:
    """Return the layers of a recurrent module, one for each of its own.

    Parameters
    ----------
    module : torch.nn.Module
        An ``RNN``, ``LSTM`` or ``GRU``.
    name : str
        Beginning of the names of the layers.
    sequences : bool
        Whether the last layer gives the outputs of all steps, or that of the last one.

    Returns
    -------
    list of Layer
        The layers, with dropout between them.

    Raises
    ------
    ValueError
        If an option has no counterpart.
    """
    kind = type(module).__name__
    found: list[Layer] = []
    for index in range(module.num_layers):
        options: dict[str, Any] = {
            "return_sequences": sequences or index + 1 < module.num_layers,
            "use_bias": module.bias,
            "name": name if not index else f"{name}_l{index}",
        }
        layer: Any
        if kind == "RNN":
            layer = SimpleRNN(module.hidden_size, module.nonlinearity, **options)
        elif kind == "GRU":
            layer = GRU(module.hidden_size, **options)
        else:
            layer = LSTM(module.hidden_size, projection=module.proj_size or None, **options)
        layer.trainable = any(each.requires_grad for each in module.parameters())
        found.append(Bidirectional(layer, name=options["name"]) if module.bidirectional else layer)
        if module.dropout and index + 1 < module.num_layers:
            found.append(Dropout(module.dropout))
    return found
