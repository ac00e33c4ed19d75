"""Models from PyTorch's modules, by way of their traced graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.interop.torch.blocks import block_class
from gyaku.interop.torch.functions import Functions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from gyaku.model import Model

__all__ = ["from_torch"]


def from_torch(module: Any, input_shape: Sequence[Any] | None = None) -> Model:
    """Return a model with the layers and weights of a PyTorch module.

    Parameters
    ----------
    module : torch.nn.Module
        The module; its ``forward`` is traced by ``torch.fx`` and consists of modules and functions
        that have counterparts.
    input_shape : sequence of int or of such sequences, optional
        Shape of an input sample with channels last, such as (28, 28, 1), one for each input if
        there are several; by default that of the first module, which a convolution does not know.

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
    module up to rounding. A module whose parameters need no gradient becomes a frozen layer. The
    modules that `to_torch` makes of layers which PyTorch lacks become these layers again. A state
    that is an input is (layers, units) for each sample, with a row for each direction.
    """
    graph = _traced(module)
    graph.graph.eliminate_dead_code()
    translation = Functions(graph)
    shapes = translation.input_shapes(input_shape)
    training = [each for each in module.modules() if each.training]
    module.eval()
    try:
        _keep_shapes(graph, translation.examples(shapes))
    except (RuntimeError, IndexError) as error:
        reason = str(error).strip().partition("\n")[0]
        listed = ", ".join(map(str, shapes))
        raise ValueError(
            f"from_torch: the module does not take samples of shape {listed}, {reason}"
        ) from None
    finally:
        for each in training:
            each.training = True
    return translation.model(shapes)


def _traced(module: Any) -> Any:
    """Return the graph of a module, in which those of PyTorch are single nodes."""
    import torch

    class Tracer(torch.fx.Tracer):  # type: ignore[misc]
        def is_leaf_module(self, m: Any, module_qualified_name: str) -> bool:
            is_block = isinstance(m, block_class())
            return is_block or bool(super().is_leaf_module(m, module_qualified_name))

        def create_args_for_root(self, root_fn: Any, *given: Any, **options: Any) -> Any:
            count = getattr(self.root, "input_count", 1)  # of a module that to_torch made
            if count == 1:
                return super().create_args_for_root(root_fn, *given, **options)
            names = (f"x{n}" for n in range(count))
            return root_fn, [
                self.root,
                *(self.create_proxy("placeholder", name, (), {}) for name in names),
            ]

    if Tracer().is_leaf_module(module, "") and not list(module.children()):
        module = torch.nn.Sequential(module)
    try:
        return torch.fx.GraphModule(module, Tracer().trace(module))
    except (torch.fx.proxy.TraceError, RuntimeError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"from_torch: the module cannot be traced, {reason}") from None


def _keep_shapes(graph: Any, x: Sequence[Any]) -> None:
    """Run a traced module, and keep the shape of the tensor of each node."""
    import torch

    class Shapes(torch.fx.Interpreter):  # type: ignore[misc]
        def run_node(self, n: Any) -> Any:
            result = super().run_node(n)
            n.meta["shape"] = getattr(result, "shape", None)
            return result

    with torch.no_grad():
        Shapes(graph).run(*x)
