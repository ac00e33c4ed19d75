"""Translation of PyTorch's traced modules into layers, module by module."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gyaku.interop.torch.modules import (
    ALPHAS,
    CHAINS,
    FEATURES_FIRST,
    FEATURES_LAST,
    PLAIN,
    check_options,
    layer_of,
    recurrent_layers,
)
from gyaku.interop.torch.state import load_state_dict, places
from gyaku.layers import (
    ArrayOperation,
    AvgPool1D,
    Bidirectional,
    Conv1D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    MaxPool1D,
    Permute,
    PReLU,
    Rescaling,
    Reshape,
    Slice,
    Softmax,
)
from gyaku.layers.recurrence import Recurrent
from gyaku.model import Model, Sequential
from gyaku.symbolic import Input

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

    from gyaku.layers import Layer
    from gyaku.symbolic import Tensor

__all__ = ["Translation", "takes_last"]

_RECURRENT = ("RNN", "LSTM", "GRU")
_SAME_SHAPE = ("Identity",)
_IN_PLACE = {*PLAIN, *ALPHAS, "GELU", "Softplus", "Dropout", "Identity", "PReLU"} - {"Flatten"}
_IN_PLACE |= {"BatchNorm1d", "LayerNorm", "RMSNorm"}
"""Modules that treat features alike, in whichever order."""
_OTHER_AXIS = "takes its features along the other axis than its input has them"


class Translation:
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
        self.made: dict[str, list[Layer]] = {}
        self.values: dict[Any, Any] = {}
        self.chain: list[Layer] | None = [] if len(self.inputs) == 1 else None
        self.end: Any = None
        # Sequences that PyTorch has as (features, time), and images that it has as gyaku.
        self.turned: set[Any] = set()
        # Values behind layers that slide along sequences.
        self.slid: set[Any] = set()
        # Nodes that take the last state of a recurrent module.
        self.states: set[Any] = set()
        # Zeros around the images of a node: left, right, top and bottom.
        self.pads: dict[Any, tuple[int, ...]] = {}

    def _first(self, given: Any) -> Any:
        """Return the module behind an input, None if a function is."""
        user = next(iter(given.users), None)
        return self.modules[user.target] if user is not None and user.op == "call_module" else None

    @property
    def dtype(self) -> Any:
        """The dtype of the parameters, without any PyTorch's default."""
        import torch

        found = {x.dtype for x in self.graph.state_dict().values() if x.is_floating_point()}
        if torch.float64 in found:
            return torch.float64
        return next(iter(found), torch.get_default_dtype())

    def input_shapes(self, given: Sequence[Any] | None) -> list[tuple[int, ...]]:
        """Return the shape of a sample of each input.

        Parameters
        ----------
        given : sequence of int or of such sequences, or None
            The shapes, if the user knows them.

        Returns
        -------
        list of tuple of int
            The shapes, channels last.
        """
        if given is not None:
            shapes = [given] if len(self.inputs) == 1 else given
            if len(shapes) != len(self.inputs):
                raise ValueError(
                    f"from_torch: input_shape must have a shape for each of {len(self.inputs)}"
                    f" inputs, got {given}"
                )
            return [tuple(each) for each in shapes]
        return [self._known_shape(each) for each in self.inputs]

    def _known_shape(self, given: Any) -> tuple[int, ...]:
        first = self._first(given)
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

    def _is_state(self, given: Any) -> bool:
        """Return whether an input is an initial state, (layers, samples, units)."""
        return any(
            self._kind(each) in _RECURRENT and given in _states(each) for each in given.users
        )

    def _are_places(self, given: Any) -> bool:
        """Return whether an input says where an unpooling puts its elements."""
        return any(
            self._kind(each).lower().startswith(("maxunpool", "max_unpool"))
            and each.args[1:2] == (given,)
            for each in given.users
        )

    def examples(self, shapes: Sequence[tuple[int, ...]]) -> list[Any]:
        """Return a batch of zeros for each input of the module.

        Parameters
        ----------
        shapes : sequence of tuple of int
            Shapes of a sample, channels last.

        Returns
        -------
        list of torch.Tensor
            The batches, channels first.
        """
        import torch

        found = []
        for given, shape in zip(self.inputs, shapes, strict=True):
            kind = type(self._first(given)).__name__
            if kind in FEATURES_FIRST and len(shape) == 2:
                self.turned.add(given)
            if len(shape) > 2 or kind in FEATURES_FIRST:
                shape = (shape[-1], *shape[:-1])
            is_index = kind == "Embedding" or self._are_places(given)
            dtype = torch.int64 if is_index else self.dtype
            sizes = (shape[0], 2, *shape[1:]) if self._is_state(given) else (2, *shape)
            found.append(torch.zeros(sizes, dtype=dtype))
        return found

    def model(self, shapes: Sequence[tuple[int, ...]]) -> Model:
        """Return the model with the weights of the module.

        Parameters
        ----------
        shapes : sequence of tuple of int
            Shapes of a sample.

        Returns
        -------
        Model
            The model.
        """
        dtype = "float64" if str(self.dtype) == "torch.float64" else "float32"
        starts = [Input(shape) for shape in shapes]
        self.values |= dict(zip(self.inputs, starts, strict=True))
        self.end = starts[0]
        output: Any = None
        for node in self.graph.graph.nodes:
            if node.op == "output":
                output = self.values[self._single(node.args[0])]
            elif node.op != "placeholder":
                self._translate(node)
        if self.chain:
            model: Model = Sequential(*self.chain, dtype=dtype)
        else:
            model = Model(starts if len(starts) > 1 else starts[0], output, dtype=dtype)
        model.build(shapes if len(shapes) > 1 else shapes[0])
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
        return len(node.meta["shape"])

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
        if sources and sources[0] in self.turned and self._rank(node) == self._rank(sources[0]):
            self.turned.add(node)
        slides = any(isinstance(each, (Conv1D, MaxPool1D, AvgPool1D)) for each in layers)
        by_rows = any(isinstance(each, (Dense, Recurrent, Bidirectional)) for each in layers)
        if slides or (sources and sources[0] in self.slid and not by_rows):
            self.slid.add(node)

    def _is_first(self, node: Any) -> bool:
        """Return whether PyTorch has the features of a value before its other axes."""
        rank = self._rank(node)
        return rank > 2 and (node in self.turned) == (rank == 3)

    def _axis(self, node: Any, axis: int) -> int:
        """Return the axis of a value in gyaku, from that in PyTorch; 0 is that of the samples."""
        rank = self._rank(node)
        axis %= rank
        if not self._is_first(node) or not axis:
            return axis
        return rank - 1 if axis == 1 else axis - 1

    def _translate(self, node: Any) -> None:
        if node.op == "call_module":
            self._module(node, self.modules[node.target], node.target)
        elif node.op in ("call_function", "call_method"):
            self._call(node)
        else:
            self._refuse(node)

    def _call(self, node: Any) -> None:
        """Translate a call of a function or of a tensor's method."""
        self._refuse(node)

    def _module(self, node: Any, module: Any, target: str) -> None:
        kind, source = type(module).__name__, node.args[0]
        if kind in _RECURRENT:
            self._recurrent(node, module, target)
            return
        sources = [each for each in node.args if isinstance(each, type(node))]
        if self._rank(source) not in _ranks(kind, self._rank(source)):
            self._refuse(node, "takes the input for a single sample, which has an axis less")
        if self._rank(source) > 2:
            is_single = kind == "PReLU" and module.num_parameters == 1
            wrong = kind in FEATURES_FIRST and not (self._is_first(source) or is_single)
            wrong |= kind in FEATURES_LAST and not self._takes_last(module, source)
            if wrong or (kind == "Block" and source in self.turned):
                self._refuse(
                    node, "takes its features along the other axis than its input has them"
                )
        if kind in _SAME_SHAPE:
            self._apply(node, [], source)
            return
        if kind.startswith("ZeroPad") and self._pads_convolutions(node):
            self.pads[node] = tuple(module.padding)
            self._apply(node, [], source)
            return
        if target not in self.made:
            self.made[target] = self._layers(node, module, target)
        elif self.made[target][0].takes_indices or kind.startswith("MaxUnpool"):
            self._refuse(node, "is called twice")
        self._apply(node, self.made[target], *sources)

    def _takes_last(self, module: Any, source: Any) -> bool:
        """Return whether the axes that a module takes as the last ones are those of the layer."""
        axes = len(getattr(module, "normalized_shape", (0,)))
        rank, is_first = self._rank(source), self._is_first(source)
        return axes == rank - 1 > 2 if is_first else rank < 4 or axes < rank - 1

    def _pads_convolutions(self, node: Any) -> bool:
        """Return whether all that take a padded image are convolutions."""
        return all(self._kind(each) in ("Conv1d", "Conv2d", "Conv3d") for each in node.users)

    def _layers(self, node: Any, module: Any, target: str) -> list[Layer]:
        kind, source = type(module).__name__, node.args[0]
        if kind in ("AdaptiveAvgPool2d", "AdaptiveMaxPool2d") and module.output_size in (1, (1, 1)):
            cls = GlobalAvgPool2D if "Avg" in kind else GlobalMaxPool2D
            return [cls(), Reshape((1, 1, -1))]
        if kind in CHAINS:
            return CHAINS[kind]()
        if kind in ("Softmax", "LogSoftmax", "Softmin"):
            made: Any = PLAIN.get(kind, Softmax)
            negative = [Rescaling(-1.0)] if kind == "Softmin" else []
            return [*negative, made(**self._along(node, module.dim))]
        if kind == "PReLU" and module.num_parameters == 1:
            layer: Layer = PReLU(range(1, self._rank(source)), name=target.replace(".", "_"))
            layer.trainable = module.weight.requires_grad
            return [layer]
        if kind.startswith("MaxUnpool"):
            return [self._unpooling(node)]
        if kind == "Flatten":
            check_options(module, target)
            return self._flattened(node, source)
        layer = layer_of(module, target.replace(".", "_"))
        if source in self.pads:
            self._join_padding(node, layer)
        return [layer]

    def _unpooling(self, node: Any) -> Layer:
        """Return the layer that puts elements at the places of the second argument."""
        options = {"sizes": list(node.meta["shape"][2:]), "wraps": False}
        return ArrayOperation("unpool", options)

    def _flattened(self, node: Any, source: Any) -> list[Layer]:
        """Return the layers that flatten samples in the order of PyTorch.

        The order of gyaku is the other one where `value_orders` finds it, and weights behind are
        converted.
        """
        rank, is_first = self._rank(source), self._is_first(source)
        moves = is_first and math.prod(source.meta["shape"][2:]) > 1
        if rank == 2 or (moves == (rank > 3 or source in self.slid) and not moves):
            return [Flatten()]
        if moves and (rank > 3 or source in self.slid) and self._ends_in_rows(node):
            return [Flatten()]
        return [*([Permute((rank - 1, *range(1, rank - 1)))] if moves else []), Reshape((-1,))]

    def _ends_in_rows(self, node: Any) -> bool:
        """Return whether all that takes the features of a value has weights in their order."""
        kinds = {each: self._kind(each) for each in node.users}
        return bool(kinds) and all(
            kind == "Linear" or (kind in _IN_PLACE and self._ends_in_rows(each))
            for each, kind in kinds.items()
        )

    def _kind(self, node: Any) -> str:
        """Return the class of the module of a node, "" without."""
        return type(self.modules[node.target]).__name__ if node.op == "call_module" else ""

    def _along(self, node: Any, dim: int | None) -> dict[str, int]:
        """Return the axis of a softmax or a concatenation, nothing if it is the last."""
        source = node.args[0][0] if isinstance(node.args[0], (tuple, list)) else node.args[0]
        axis = None if dim is None else self._axis(source, dim)
        if not axis:
            self._refuse(node, "is along the samples, or along an axis that it does not name")
        return {} if axis == self._rank(source) - 1 else {"axis": axis}

    def _join_padding(self, node: Any, layer: Any) -> None:
        """Add the zeros around an image to the padding of the convolution behind it."""
        pads = self.pads[node.args[0]]
        if layer.padding not in (0, (0,) * layer.dimensions):
            self._refuse(node, "pads a padded image")
        pairs = tuple(zip(pads[::2], pads[1::2], strict=True))[::-1]
        layer._where["padding"] = pairs
        layer.padding = pairs if len(pairs) > 1 else pairs[0]

    def _recurrent(self, node: Any, module: Any, target: str) -> None:
        rows = self._initial(node, module)
        check_options(module, target)
        if target in self.made:
            self._refuse(node, "is called twice")
        if self._is_first(node.args[0]):
            self._refuse(node, _OTHER_AXIS)
        used = [each for each in node.users if each.users]
        if len(used) != 1:
            self._refuse(node, "is used by more than its outputs or its last state")
        last = used[0].args[1] == 1
        if last:
            self._keep_states(used[0], module)
        elif all(takes_last(each) for each in used[0].users):
            last = True
            if module.bidirectional:
                self._refuse(node, "runs in both directions, and only the last step is used")
        layers = recurrent_layers(module, target.replace(".", "_"), sequences=not last)
        self.made[target] = layers
        if not rows:
            self._apply(node, layers, node.args[0])
            return
        self.chain, value = None, self.values[node.args[0]]
        each = len(rows) // module.num_layers
        for layer in layers:
            given, rows = ([], rows) if isinstance(layer, Dropout) else (rows[:each], rows[each:])
            value = layer(value, *given)
        self.values[node] = self.end = value

    def _initial(self, node: Any, module: Any) -> list[Tensor]:
        """Return the initial states of each layer and direction, in the order of its layer."""
        found = []
        for each in _states(node):
            is_stack = each.op == "call_function" and each.target.__name__ == "stack"
            if each.op != "placeholder" and not is_stack:
                self._refuse(node, "has an initial state that is neither an input nor a stack")
            if is_stack:
                found.append([self.values[row] for row in each.args[0]])
                continue
            state, count = self.values[each], each.meta["shape"][0]
            parts = [Slice(n, n + 1, axis=1)(state) for n in range(count)] if count > 1 else [state]
            found.append([Reshape((-1,))(part) for part in parts])
        return [state for rows in zip(*found, strict=True) for state in rows]

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


def _states(node: Any) -> list[Any]:
    """Return the nodes of the initial states of a recurrent module."""
    given = node.args[1] if len(node.args) > 1 else node.kwargs.get("hx")
    if given is None:
        return []
    return [*given] if isinstance(given, (tuple, list)) else [given]


def _ranks(kind: str, rank: int) -> tuple[int, ...]:
    """Return the numbers of axes of a batch, which the name of a module states."""
    digit = kind.removesuffix("d")[-1:]
    if kind not in FEATURES_FIRST or not digit.isdigit():
        return (rank,)
    return (2, 3) if kind == "BatchNorm1d" else (int(digit) + 2,)


def takes_last(node: Any) -> bool:
    """Return whether a node takes the last step of a sequence, ``y[:, -1]``.

    Parameters
    ----------
    node : torch.fx.Node
        The node.

    Returns
    -------
    bool
        Whether it does.
    """
    if getattr(node.target, "__name__", "") != "getitem":
        return False
    index = node.args[1]
    whole = slice(None, None, None)
    return index in ((whole, -1), (whole, -1, whole)) if isinstance(index, tuple) else False
