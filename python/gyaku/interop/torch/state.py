"""Weights of PyTorch's modules for models, and back: matched by name or by place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gyaku.interop.torch.layout import COUNTER, entries, feature_orders, to_gyaku, to_torch

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.interop.torch.layout import Entry
    from gyaku.layers import Layer
    from gyaku.model import Model

    State = Mapping[str, NDArray[Any]]

__all__ = ["load_state_dict", "state_dict"]

_RECURRENT = re.compile(r"(weight|bias)_(ih|hh|hr)_l(\d+)(_reverse)?")


class Group(NamedTuple):
    """Tensors of a module, or of one of the layers of a recurrent module.

    Parameters
    ----------
    name : str
        The module, such as ``"features.0"``.
    tensors : dict of str to ndarray
        Its tensors, by the names of a single layer.
    """

    name: str
    tensors: dict[str, NDArray[Any]]


class Place(NamedTuple):
    """Layer of a model that has weights.

    Parameters
    ----------
    path : str
        Its name in the model.
    layer : Layer
        The layer.
    entries : list of Entry
        The correspondences of its parameters.
    order : ndarray of int or None
        PyTorch's index of each feature of its inputs, if the order differs.
    """

    path: str
    layer: Layer
    entries: list[Entry]
    order: NDArray[np.intp] | None

    def convert(self, group: Group) -> dict[str, NDArray[Any]]:
        """Return the parameters of the layer from the tensors of a module.

        Parameters
        ----------
        group : Group
            The tensors.

        Returns
        -------
        dict of str to ndarray
            The parameters and buffers by name.
        """
        return {each.param: to_gyaku(each, group.tensors, self.order) for each in self.entries}

    def misfit(self, group: Group | None) -> str:
        """Return the reason why tensors do not fit, "" if they do.

        Parameters
        ----------
        group : Group or None
            The tensors.

        Returns
        -------
        str
            The reason.
        """
        if group is None:
            return "no module"
        wanted = {name for each in self.entries for name in each.tensors}
        if differing := wanted ^ (group.tensors.keys() - ({COUNTER} - wanted)):
            name = min(differing)
            return f"{name} is missing" if name in wanted else f"{name} has no counterpart"
        converted, arrays = self.convert(group), {**self.layer.params, **self.layer.buffers}
        for each in self.entries:
            if (found := converted[each.param].shape) != arrays[each.param].shape:
                given = group.tensors[each.tensors[0]].shape
                return (
                    f"{each.tensors[0]} {given}, which is {each.param} {found}, needs"
                    f" {each.param} {arrays[each.param].shape}"
                )
        return ""


def places(model: Model) -> list[Place]:
    """Return the layers of a model that have weights, in the order of the forward pass.

    Parameters
    ----------
    model : Model
        The model, built.

    Returns
    -------
    list of Place
        The layers.

    Raises
    ------
    ValueError
        If the model is not built, or PyTorch has no counterpart of a layer.
    """
    if not model.built:
        raise ValueError("model has no weights yet, call model.build(input_shape) first")
    orders, found = feature_orders(model), []
    for layer in model.plan.layers:
        if not layer.params and not layer.buffers:
            continue
        known = entries(layer)
        if known is None:
            raise ValueError(f"{layer}: PyTorch has no module with the weights of {layer!r}")
        found.append(Place(model.plan.paths[id(layer)], layer, known, orders.get(id(layer))))
    return found


def load_state_dict(
    model: Model,
    source: str | os.PathLike[str] | object,
    *,
    names: Mapping[str, str] | None = None,
) -> None:
    """Set the weights of a model to those of a PyTorch module.

    Parameters
    ----------
    model : Model
        The model, built; its architecture is that of the module, with channels last.
    source : str or path-like or torch.nn.Module or mapping of str to array_like
        A ``.pt`` file, which is read without running its code, a safetensors file, the
        ``.index.json`` of several, a module, or a state dict.
    names : mapping of str to str, optional
        Names of modules by the names of layers, such as ``{"dense": "fc1"}``. By default, the names
        are equal, or else the layers follow in the order of the modules; a safetensors file keeps
        no order, so that modules whose tensors fit several layers must be named.

    Raises
    ------
    ValueError
        If a layer has no module or a module no layer, or their shapes differ; the message lists
        them all, and the model is unchanged.
    FileError
        If the file is of another kind, is damaged, or wants to run code.
    OSError
        If it cannot be read.

    Notes
    -----
    Weights are transposed, the two biases of LSTM and RNN added, and the features of a `Dense`
    behind a `Flatten` of images put in the order of channels-last images.

    Examples
    --------
    >>> import gyaku as gk
    >>> model = gk.Sequential(gk.Dense(3, name="fc"))
    >>> model.build((2,))
    >>> load_state_dict(model, {"fc.weight": np.ones((3, 2)), "fc.bias": np.zeros(3)})
    >>> model.params["fc.weight"].shape
    (2, 3)
    """
    tensors, ordered = _tensors(source)
    layers, groups = places(model), _groups(tensors)
    matched = _matched(layers, groups, names, ordered)
    problems = [(p, g, p.misfit(g)) for p, g in matched]
    used = {g.name for _, g in matched if g}
    unused = [each.name for each in groups if each.name not in used]
    if unused or any(reason for *_, reason in problems):
        raise ValueError(_table(problems, unused))
    for place, group in matched:
        for name, array in place.convert(group).items() if group else ():
            arrays = place.layer.params if name in place.layer.params else place.layer.buffers
            arrays[name] = array


def state_dict(model: Model, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
    """Return the weights of a model as those of a PyTorch module, the inverse of `load_state_dict`.

    Parameters
    ----------
    model : Model
        The model, built.
    names : sequence of str, optional
        Names of the modules; by default those of the layers.

    Returns
    -------
    dict of str to ndarray
        The tensors by name, in the order of the layers.

    Raises
    ------
    ValueError
        If the model is not built, or PyTorch has no counterpart of a layer.

    Examples
    --------
    >>> import gyaku as gk
    >>> model = gk.Sequential(gk.Dense(3))
    >>> model.build((2,))
    >>> {name: tensor.shape for name, tensor in state_dict(model).items()}
    {'dense.weight': (3, 2), 'dense.bias': (3,)}
    """
    found: dict[str, NDArray[Any]] = {}
    for index, place in enumerate(places(model)):
        prefix = names[index] if names else place.path
        arrays = {**place.layer.params, **place.layer.buffers}
        for each in place.entries:
            for name, tensor in to_torch(each, arrays[each.param], place.order).items():
                found[f"{prefix}.{_numbered(name)}"] = tensor
        if "mean" in arrays:
            counted = arrays.get("batches", np.zeros(1))
            found[f"{prefix}.{COUNTER}"] = np.array(int(counted.item()))
    return found


def _numbered(name: str) -> str:
    """Return the name of a recurrent module's tensor with the number of its layer."""
    return re.sub(r"^((?:weight|bias)_(?:ih|hh|hr))", r"\1_l0", name)


def _tensors(source: Any) -> tuple[dict[str, NDArray[Any]], bool]:
    """Return tensors by name, and whether they are in the order of the modules."""
    if isinstance(source, str) or hasattr(source, "__fspath__"):
        from pathlib import Path

        from gyaku.interop.torch.file import read_state

        path = Path(source)
        tensors = read_state(path)
        return tensors, not path.name.endswith((".safetensors", ".index.json"))
    given = source.state_dict() if hasattr(source, "state_dict") else source
    if not hasattr(given, "items"):
        raise TypeError(
            "load_state_dict: source must be a path, a torch.nn.Module or its state dict, got"
            f" {type(source).__name__}"
        )
    return {str(name): _array(each) for name, each in given.items()}, True


def _array(tensor: Any) -> NDArray[Any]:
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        return np.asarray(tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor)
    return np.asarray(tensor)


def _groups(tensors: Mapping[str, NDArray[Any]]) -> list[Group]:
    """Return the tensors by module; each layer of a recurrent module is one by itself."""
    found: dict[str, dict[str, NDArray[Any]]] = {}
    for full, tensor in tensors.items():
        module, _, name = full.rpartition(".")
        if recurrent := _RECURRENT.fullmatch(name):
            kind, of, number, reverse = recurrent.groups()
            name = f"{kind}_{of}{reverse or ''}"
            module = f"{module}.l{number}" if int(number) else module
        found.setdefault(module, {})[name] = tensor
    return [Group(*each) for each in found.items()]


def _matched(
    layers: Sequence[Place],
    groups: Sequence[Group],
    names: Mapping[str, str] | None,
    ordered: bool,
) -> list[tuple[Place, Group | None]]:
    """Return the module of each layer."""
    by_name = {each.name: each for each in groups}
    if names is None and {each.path for each in layers} == set(by_name):
        names = {name: name for name in by_name}
    if names is not None:
        return [(each, by_name.get(names.get(each.path, each.path))) for each in layers]
    if ordered:
        padded = [*groups, *[None] * len(layers)]
        return list(zip(layers, padded, strict=False))
    return list(_fitting(layers, groups))


def _fitting(
    layers: Sequence[Place], groups: Sequence[Group]
) -> Iterator[tuple[Place, Group | None]]:
    """Yield the module of each layer by its shapes, from a file that keeps no order."""
    numbered = sorted(groups, key=lambda each: _natural(each.name))
    if len({re.sub(r"\d+", "#", each.name) for each in groups}) == 1:  # of a torch.nn.Sequential
        yield from zip(layers, [*numbered, *[None] * len(layers)], strict=False)
        return
    for layer in layers:
        fitting = [each for each in numbered if not layer.misfit(each)]
        if len(fitting) > 1:
            listed = " and ".join(each.name for each in fitting)
            raise ValueError(
                f"{listed} fit the layer {layer.path!r} alike, and a safetensors file keeps no"
                f" order; give names={{{layer.path!r}: {fitting[0].name!r}, ...}}"
            )
        yield layer, fitting[0] if fitting else None


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(each), "") if each.isdigit() else (0, each) for each in re.split(r"(\d+)", name)]


def _table(problems: Sequence[tuple[Place, Group | None, str]], unused: Sequence[str]) -> str:
    """Return what did not match, a line each."""
    wrong = sum(1 for *_, reason in problems if reason)
    lines = [
        f"  {place.path:<20} {group.name if group else '-':<20} {reason or 'fits'}"
        for place, group, reason in problems
    ]
    lines += [f"  {'-':<20} {name:<20} no layer" for name in unused]
    return "\n".join(
        [
            (
                f"{wrong} of {len(problems)} layers do not fit, {len(unused)} modules are left"
                " over; layer, module and reason:"
            ),
            *lines,
        ]
    )
