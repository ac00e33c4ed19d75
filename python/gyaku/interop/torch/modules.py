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
    AvgPool1D,
    AvgPool2D,
    BatchNorm,
    Bidirectional,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
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
    Mish,
    ReLU,
    RMSNorm,
    Sigmoid,
    SiLU,
    SimpleRNN,
    Softmax,
    Softplus,
    Softsign,
    Tanh,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from gyaku.layers import Layer
    from gyaku.layers.activation import Parametric

__all__ = ["ALPHAS", "FEATURES_FIRST", "PLAIN", "check_options", "layer_of", "recurrent_layers"]

FEATURES_FIRST = (
    *("Conv1d", "MaxPool1d", "AvgPool1d", "BatchNorm1d", "GroupNorm", "InstanceNorm1d"),
    "LocalResponseNorm",
)
"""Modules that take the features of a sequence along the axis behind the samples."""

PLAIN: dict[str, type[Layer]] = {
    "ReLU": ReLU, "Tanh": Tanh, "Sigmoid": Sigmoid, "SELU": SELU, "SiLU": SiLU, "Mish": Mish,
    "Hardsigmoid": HardSigmoid, "Hardswish": HardSwish, "Softsign": Softsign,
    "Softmax": Softmax, "LogSoftmax": LogSoftmax,
    "Flatten": Flatten,
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
    "padding_mode": "zeros", "padding_idx": None,
    "max_norm": None, "return_indices": False, "start_dim": 1, "end_dim": -1,
    "batch_first": True, "scale_grad_by_freq": False, "sparse": False,
}  # fmt: skip


def _refuse(name: str, module: Any, reason: str) -> NoReturn:
    raise ValueError(f"from_torch: {name or 'the module'} ({module}) {reason}")


def _named(module: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(module, name) for name in names}


def _conv(cls: Any) -> Callable[[Any, str], Any]:
    def made(module: Any, name: str) -> Any:
        more = ("output_padding",) if cls is Conv2DTranspose else ()
        return cls(
            module.out_channels,
            module.kernel_size if cls is not Conv1D else module.kernel_size[0],
            use_bias=module.bias is not None,
            name=name,
            **{
                key: value[0] if cls is Conv1D and isinstance(value, tuple) else value
                for key, value in _named(
                    module, "stride", "padding", "dilation", "groups", *more
                ).items()
            },
        )

    return made


def _pool(cls: Any, *names: str) -> Callable[[Any, str], Any]:
    def made(module: Any, _: str) -> Any:
        options = _named(module, "kernel_size", "stride", *names)
        if cls in (MaxPool1D, AvgPool1D):
            options = {k: v[0] if isinstance(v, tuple) else v for k, v in options.items()}
        return cls(**options)

    return made


def _lp_pool(module: Any, _: str) -> Layer:
    options = _named(module, "kernel_size", "stride", "ceil_mode")
    return LPPool2D(module.norm_type, **options)


def _parameters(module: Any) -> dict[str, bool]:
    return {"scale": module.weight is not None, "shift": module.bias is not None}


def _layer_norm(module: Any, name: str) -> Layer:
    if len(module.normalized_shape) != 1:
        _refuse(name, module, "normalises several axes, gyaku's are in another order")
    return LayerNorm(module.eps, name=name, **_parameters(module))


def _batch_norm(module: Any, name: str) -> Layer:
    track = module.running_mean is not None
    options = _parameters(module)
    return BatchNorm(module.momentum, module.eps, track_running_stats=track, name=name, **options)


def _instance_norm(module: Any, name: str) -> Layer:
    if module.running_mean is not None:
        _refuse(name, module, "has track_running_stats=True, the counterpart has False")
    return InstanceNorm(module.eps, name=name, **_parameters(module))


def _rms_norm(module: Any, name: str) -> Layer:
    if len(module.normalized_shape) != 1 or module.eps is None:
        _refuse(name, module, "normalises several axes or has no eps, gyaku's one axis with it")
    return RMSNorm(module.eps, scale=module.weight is not None, name=name)


def _softplus(module: Any, _: str) -> Layer:
    given = module.beta, module.threshold
    return Softplus(*given) if given != (1, 20) else Softplus()


_MADE: dict[str, Callable[[Any, str], Any]] = {
    "Linear": lambda m, name: Dense(m.out_features, use_bias=m.bias is not None, name=name),
    "Conv1d": _conv(Conv1D),
    "Conv2d": _conv(Conv2D),
    "ConvTranspose2d": _conv(Conv2DTranspose),
    "MaxPool1d": _pool(MaxPool1D, "padding", "ceil_mode"),
    "MaxPool2d": _pool(MaxPool2D, "padding", "dilation", "ceil_mode"),
    "AvgPool1d": _pool(AvgPool1D, "padding", "ceil_mode", "count_include_pad"),
    "AvgPool2d": _pool(AvgPool2D, "padding", "ceil_mode", "count_include_pad", "divisor_override"),
    "LPPool2d": _lp_pool,
    "BatchNorm1d": _batch_norm,
    "BatchNorm2d": _batch_norm,
    "LayerNorm": _layer_norm,
    "GroupNorm": lambda m, name: GroupNorm(m.num_groups, m.eps, name=name, **_parameters(m)),
    "InstanceNorm1d": _instance_norm,
    "InstanceNorm2d": _instance_norm,
    "RMSNorm": _rms_norm,
    "LocalResponseNorm": lambda m, _: LocalResponseNorm(m.size, m.alpha, m.beta, m.k),
    "Embedding": lambda m, name: Embedding(m.num_embeddings, m.embedding_dim, name=name),
    "Dropout": lambda m, _: Dropout(m.p),
    "GELU": lambda m, _: GELUTanh() if m.approximate == "tanh" else GELU(),
    "Softplus": _softplus,
}


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
