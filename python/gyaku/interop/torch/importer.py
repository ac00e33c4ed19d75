"""Models from PyTorch's modules, by way of their traced graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.interop.torch.modules import FEATURES_FIRST, check_options, layer_of, recurrent_layers
from gyaku.interop.torch.state import load_state_dict, places
from gyaku.layers import (
    Add,
    Concatenate,
    Flatten,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    Rescaling,
    Reshape,
)
from gyaku.model import Model, Sequential
from gyaku.symbolic import Input

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn

    from gyaku.layers import Layer
    from gyaku.symbolic import Tensor

__all__ = ["from_torch"]

_RECURRENT = ("RNN", "LSTM", "GRU")
_SAME_SHAPE = ("Identity",)
# Functions and methods, by the module that does the same.
_FUNCTIONS = {
    "relu": "ReLU", "relu_": "ReLU", "tanh": "Tanh", "sigmoid": "Sigmoid", "selu": "SELU",
    "gelu": "GELU", "silu": "SiLU", "mish": "Mish", "softplus": "Softplus", "elu": "ELU",
    "leaky_relu": "LeakyReLU", "celu": "CELU", "hardsigmoid": "Hardsigmoid",
    "hardswish": "Hardswish", "softsign": "Softsign", "softmax": "Softmax",
    "log_softmax": "LogSoftmax", "max_pool2d": "MaxPool2d", "max_pool1d": "MaxPool1d",
    "avg_pool2d": "AvgPool2d", "avg_pool1d": "AvgPool1d", "dropout": "Dropout",
    "adaptive_avg_pool2d": "AdaptiveAvgPool2d", "adaptive_max_pool2d": "AdaptiveMaxPool2d",
    "flatten": "Flatten",
}  # fmt: skip


def from_torch(module: Any, input_shape: Sequence[int] | None = None) -> Model:
    """Return a model with the layers and weights of a PyTorch module.

    Parameters
    ----------
    module : torch.nn.Module
        The module; its ``forward`` is traced by ``torch.fx`` and consists of modules and functions
        that have counterparts.
    input_shape : sequence of int, optional
        Shape of an input sample with channels last, such as (28, 28, 1); by default that of the
        first module, which a convolution does not know.

    Returns
    -------
    Model
        The model, a `Sequential` if the graph is a chain. It takes images with channels last,
        ``x.transpose(0, 2, 3, 1)``, and sequences as (samples, time, features).

    Raises
    ------
    ValueError
        If a module, an option or a function has no counterpart; the message names it.
    ImportError
        If PyTorch is not installed.

    Notes
    -----
    Weights are copied and converted by `load_state_dict`; outputs and gradients are those of the
    module up to rounding. A module whose parameters need no gradient becomes a frozen layer.
    """
    import torch

    graph = _traced(module)
    graph.graph.eliminate_dead_code()
    translation = _Translation(graph)
    shape = translation.input_shape(input_shape)
    training = [each for each in module.modules() if each.training]
    module.eval()
    try:
        _keep_ranks(graph, translation.example(shape))
    except (RuntimeError, IndexError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"from_torch: the module does not take samples of shape {shape}, {reason}"
        ) from None
    finally:
        for each in training:
            each.training = True
    return translation.model(shape, torch.float64)


def _traced(module: Any) -> Any:
    """Return the graph of a module, in which those of PyTorch are single nodes."""
    import torch

    if type(module).__module__.startswith("torch.nn") and not list(module.children()):
        module = torch.nn.Sequential(module)
    try:
        return torch.fx.symbolic_trace(module)
    except (torch.fx.proxy.TraceError, TypeError) as error:
        raise ValueError(f"from_torch: the module cannot be traced, {error}") from None


def _keep_ranks(graph: Any, x: Any) -> None:
    """Run a traced module, and keep the number of axes of the tensor of each node."""
    import torch

    class Ranks(torch.fx.Interpreter):  # type: ignore[misc]
        def run_node(self, n: Any) -> Any:
            result = super().run_node(n)
            n.meta["rank"] = getattr(result, "ndim", None)
            return result

    with torch.no_grad():
        Ranks(graph).run(x)


class _Translation:
    """Translation of a traced module, node by node.

    Parameters
    ----------
    graph : torch.fx.GraphModule
        The traced module.
    """

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.modules = dict(graph.named_modules())
        self.inputs = [node for node in graph.graph.nodes if node.op == "placeholder"]
        if len(self.inputs) != 1:
            raise ValueError(f"from_torch: the module must have one input, got {len(self.inputs)}")
        self.made: dict[str, list[Layer]] = {}
        self.values: dict[Any, Any] = {}
        self.chain: list[Layer] | None = []
        self.end: Any = None
        # Sequences that PyTorch has as (features, time).
        self.features_first: set[Any] = set()
        # Nodes that take the last state of a recurrent module.
        self.states: set[Any] = set()
        # Zeros around the images of a node: left, right, top and bottom.
        self.pads: dict[Any, tuple[int, int, int, int]] = {}

    @property
    def _first(self) -> Any:
        """The module behind the input, None if a function is."""
        user = next(iter(self.inputs[0].users), None)
        return self.modules[user.target] if user is not None and user.op == "call_module" else None

    def input_shape(self, given: Sequence[int] | None) -> tuple[int, ...]:
        """Return the shape of an input sample.

        Parameters
        ----------
        given : sequence of int or None
            The shape, if the user knows it.

        Returns
        -------
        tuple of int
            The shape, channels last.
        """
        if given is not None:
            return tuple(given)
        first = self._first
        kind = type(first).__name__
        if kind == "Linear":
            return (first.in_features,)
        if kind in _RECURRENT:
            return (2, first.input_size)
        if kind == "Embedding":
            return (2,)
        raise ValueError(
            f"from_torch: needs input_shape, the shape of a sample with channels last, such as"
            f" (28, 28, 1); {kind if first is not None else 'the first function'} does not know it"
        )

    def example(self, shape: tuple[int, ...]) -> Any:
        """Return a batch of zeros for the module.

        Parameters
        ----------
        shape : tuple of int
            Shape of a sample, channels last.

        Returns
        -------
        torch.Tensor
            The batch, channels first.
        """
        import torch

        kind = type(self._first).__name__
        if kind in FEATURES_FIRST:
            self.features_first.add(self.inputs[0])
        if len(shape) == 3 or kind in FEATURES_FIRST:
            shape = (shape[-1], *shape[:-1])
        floats = [x.dtype for x in self.graph.state_dict().values() if x.is_floating_point()]
        dtype = torch.int64 if kind == "Embedding" else (floats or [torch.float32])[0]
        return torch.zeros((2, *shape), dtype=dtype)

    def model(self, shape: tuple[int, ...], double: Any) -> Model:
        """Return the model with the weights of the module.

        Parameters
        ----------
        shape : tuple of int
            Shape of a sample.
        double : torch.dtype
            The dtype of 64 bits.

        Returns
        -------
        Model
            The model.
        """
        wide = any(each.dtype == double for each in self.graph.state_dict().values())
        dtype = "float64" if wide else "float32"
        self.values[self.inputs[0]] = self.end = start = Input(shape)
        output: Any = None
        for node in self.graph.graph.nodes:
            if node.op == "output":
                output = self.values[self._single(node.args[0])]
            elif node.op != "placeholder":
                self._translate(node)
        if self.chain:
            model: Model = Sequential(*self.chain, dtype=dtype)
        else:
            model = Model(start, output, dtype=dtype)
        model.build(shape)
        load_state_dict(model, self.graph, names=self._names(model))
        return model

    def _names(self, model: Model) -> dict[str, str]:
        """Return the modules of the layers."""
        of: dict[int, str] = {}
        for target, layers in self.made.items():
            weighted = [each for each in layers if each.params or each.buffers]
            of |= {
                id(each): f"{target}.l{index}" if index else target
                for index, each in enumerate(weighted)
            }
        return {each.path: of[id(each.layer)] for each in places(model)}

    def _single(self, given: Any) -> Any:
        if isinstance(given, (tuple, list, dict)) or given not in self.values:
            raise ValueError(f"from_torch: the module must return one tensor, got {given}")
        return given

    def _refuse(self, node: Any, reason: str = "has no counterpart in gyaku") -> NoReturn:
        raise ValueError(f"from_torch: {node.format_node()} {reason}")

    def _rank(self, node: Any) -> int:
        return int(node.meta["rank"])

    def _apply(self, node: Any, layers: Sequence[Layer], *sources: Any) -> None:
        """Connect layers to the values of nodes."""
        given: list[Tensor] = [self.values[each] for each in sources]
        for layer in layers:
            if len(given) != 1 or given[0] is not self.end:
                self.chain = None  # a graph with branches
            if self.chain is not None:
                self.chain.append(layer)
            given = [self.end] = [layer(*given)]
        self.values[node] = given[0]
        if sources and sources[0] in self.features_first and self._rank(node) == 3:
            self.features_first.add(node)

    def _translate(self, node: Any) -> None:
        if node.op == "call_module":
            self._module(node, self.modules[node.target], node.target)
        elif node.op in ("call_function", "call_method"):
            name = node.target if node.op == "call_method" else node.target.__name__
            method = getattr(self, f"_{name}", None)
            if method is not None:
                method(node)
            elif name in _FUNCTIONS:
                self._function(node, _FUNCTIONS[name])
            else:
                self._refuse(node)
        else:
            self._refuse(node)

    def _module(self, node: Any, module: Any, target: str) -> None:
        kind, source = type(module).__name__, node.args[0]
        if kind in _RECURRENT:
            self._recurrent(node, module, target)
            return
        along = kind in FEATURES_FIRST
        bound = along or kind in ("Linear", "LayerNorm", "RMSNorm", "Softmax", "LogSoftmax")
        if bound and self._rank(source) == 3 and (source in self.features_first) != along:
            self._refuse(node, "takes its features along the other axis than its input has them")
        if kind in _SAME_SHAPE:
            self._apply(node, [], source)
            return
        if kind == "ZeroPad2d":
            self.pads[node] = module.padding
            self._apply(node, [], source)
            return
        if source in self.pads and kind != "Conv2d":
            self._refuse(node, "takes a padded image, which only a convolution does in gyaku")
        if target not in self.made:
            self._check_axis(node, module, source)
            self.made[target] = self._layers(node, module, target)
        elif self.made[target][0].takes_indices:
            self._refuse(node, "is called twice")
        self._apply(node, self.made[target], source)

    def _layers(self, node: Any, module: Any, target: str) -> list[Layer]:
        kind = type(module).__name__
        if kind in ("AdaptiveAvgPool2d", "AdaptiveMaxPool2d"):
            if module.output_size not in (1, (1, 1)):
                self._refuse(node, "has an output size other than 1")
            cls = GlobalAvgPool2D if "Avg" in kind else GlobalMaxPool2D
            return [cls(), Reshape((1, 1, -1))]
        layer = layer_of(module, target.replace(".", "_"))
        if node.args[0] in self.pads:
            self._pad(node, layer)
        return [layer]

    def _pad(self, node: Any, layer: Any) -> None:
        """Add the zeros around an image to the padding of the convolution behind it."""
        left, right, top, bottom = self.pads[node.args[0]]
        if layer.padding != (0, 0):
            self._refuse(node, "pads a padded image")
        padding = ((top, bottom), (left, right))
        layer.padding = padding
        layer._where["padding"] = padding

    def _check_axis(self, node: Any, module: Any, source: Any) -> None:
        """Raise if a softmax is not along the features."""
        if not type(module).__name__.endswith("Softmax"):
            return
        rank = self._rank(source)
        features = 1 if rank == 4 or source in self.features_first else rank - 1
        if module.dim is None or module.dim % rank != features:
            self._refuse(node, "is not along the features")

    def _function(self, node: Any, kind: str) -> None:
        """Translate a function by the module of the same arguments."""
        import inspect

        import torch

        cls = getattr(torch.nn, kind)
        names = [*inspect.signature(cls).parameters]
        ordered = dict(zip(names, node.args[1:], strict=False))
        more = {"p" if k == "p" else k: v for k, v in node.kwargs.items() if k in names}
        if kind == "Flatten" and ordered.get("start_dim", more.get("start_dim", 0)) != 1:
            self._refuse(node, "flattens the samples as well")
        if kind == "Dropout" and not node.kwargs.get("training", True):
            self._apply(node, [], node.args[0])
            return
        self._module(node, cls(**(ordered | more)), f"{node.name}")

    def _recurrent(self, node: Any, module: Any, target: str) -> None:
        if len(node.args) > 1 and node.args[1] is not None:
            self._refuse(node, "has an initial state")
        check_options(module, target)
        if target in self.made:
            self._refuse(node, "is called twice")
        used = [each for each in node.users if each.users]
        if len(used) != 1:
            self._refuse(node, "is used by more than its outputs or its last state")
        last = used[0].args[1] == 1
        if last:
            self._keep_states(used[0], module)
        elif all(_takes_last(each) for each in used[0].users):
            last = True
            if module.bidirectional:
                self._refuse(node, "runs in both directions, and only the last step is used")
        layers = recurrent_layers(module, target.replace(".", "_"), sequences=not last)
        self.made[target] = layers
        self._apply(node, layers, node.args[0])

    def _keep_states(self, states: Any, module: Any) -> None:
        """Find the nodes that are the last state of the last layer."""
        if type(module).__name__ == "LSTM":
            self.states.add(states)
            (states,) = [each for each in states.users if each.users] or [states]
            if states.args[1] != 0:
                self._refuse(states, "takes the state of the cells")
        self.states.add(states)
        indices = {each: each.args[1] for each in states.users}
        if module.bidirectional:
            ends = {each for user in states.users for each in user.users}
            if sorted(indices.values()) != [-2, -1] or len(ends) != 1:
                self._refuse(states, "takes other states than those of both directions")
            self.states |= ends
        elif not set(indices.values()) <= {-1, module.num_layers - 1}:
            self._refuse(states, "takes other states than those of the last layer")
        self.states |= set(indices)

    def _getitem(self, node: Any) -> None:
        source = node.args[0]
        self.values[node] = self.values[source]
        of_outputs = source.op == "call_module" and node.args[1] == 0
        if not (node in self.states or of_outputs or not node.users or _takes_last(node)):
            self._refuse(node, "takes a part of a tensor")

    def _size(self, node: Any) -> None:
        self.values[node] = None

    def _view(self, node: Any) -> None:
        source, *shape = node.args
        shape = [*shape[0]] if shape and isinstance(shape[0], (tuple, list)) else shape
        if len(shape) != 2:
            self._refuse(node, "gives samples another shape than a row")
        self._apply(node, [Flatten()], source)

    _reshape = _view

    def _contiguous(self, node: Any) -> None:
        self._apply(node, [], node.args[0])

    def _transpose(self, node: Any) -> None:
        source, *axes = node.args
        rank = self._rank(source)
        if rank != 3 or {axis % rank for axis in axes} not in ({1, 2}, {0, 1, 2}):
            self._refuse(node, "exchanges other axes than those of features and time")
        was_first = source in self.features_first
        self._apply(node, [], source)
        (self.features_first.discard if was_first else self.features_first.add)(node)

    _permute = _transpose

    def _add(self, node: Any) -> None:
        first, second = node.args
        if _is_number(second):
            self._apply(node, [Rescaling(1.0, float(second))], first)
            return
        if _is_number(first) or self._rank(first) != self._rank(second):
            self._refuse(node, "adds something other than tensors of one shape")
        self._apply(node, [Add()], first, second)

    def _mul(self, node: Any) -> None:
        self._rescale(node, lambda number: number)

    def _truediv(self, node: Any) -> None:
        self._rescale(node, lambda number: 1 / number)

    def _rescale(self, node: Any, scale: Callable[[float], float]) -> None:
        source, number = node.args
        if not _is_number(number):
            self._refuse(node, "multiplies by something other than a number")
        self._apply(node, [Rescaling(scale(float(number)))], source)

    _iadd = _add

    def _cat(self, node: Any) -> None:
        tensors = node.args[0] if node.args else node.kwargs["tensors"]
        axis = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
        if node in self.states:
            self.values[node] = self.values[tensors[0]]
            return
        rank = self._rank(tensors[0])
        features = 1 if rank == 4 or tensors[0] in self.features_first else rank - 1
        if axis % rank != features:
            self._refuse(node, "is not along the features")
        self._apply(node, [Concatenate()], *tensors)

    def _mean(self, node: Any) -> None:
        axes = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
        if self._rank(node.args[0]) != 4 or {a % 4 for a in axes or ()} != {2, 3}:
            self._refuse(node, "is not the mean over height and width")
        keeps = node.kwargs.get("keepdim", False)
        layers: list[Layer] = [GlobalAvgPool2D(), *([Reshape((1, 1, -1))] if keeps else [])]
        self._apply(node, layers, node.args[0])


def _takes_last(node: Any) -> bool:
    """Return whether a node takes the last step of a sequence, ``y[:, -1]``."""
    if getattr(node.target, "__name__", "") != "getitem":
        return False
    index = node.args[1]
    whole = slice(None, None, None)
    return index in ((whole, -1), (whole, -1, whole)) if isinstance(index, tuple) else False


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))
