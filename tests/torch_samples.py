"""Samples of PyTorch's own tests: how many gyaku takes, and computes alike, gradients included.

Modules (``ModuleInfo``) and functions (``OpInfo``, as modules of one call) go through
``from_torch``; optimizers (``OptimizerInfo``) take ten steps. All in float64, in prediction. A
sample that is refused in one sentence has no counterpart here; any other difference is a fault.

Run, with the packages torch and expecttest: python tests/torch_samples.py [part of a name]
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from test_torch_modules import same_gradients
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.common_modules import module_db
from torch.testing._internal.common_optimizers import optim_db
from torch_optimizers import START, gradient

import gyaku as gk
from gyaku.interop.torch.modules import FEATURES_FIRST

nn = torch.nn
DTYPE = torch.float64
# Of PyTorch 2.13: 181 of 1,805 samples of modules (857 are of LinearCrossEntropyLoss, and all other
# losses are not translated), 48 of 91 of optimizers, none wrong. This number may only grow.
PASSED = 229


class Refused(Exception):
    """A sample without a counterpart; the message is the reason."""


class Function(nn.Module):
    """A function of tensors, with the constants of a sample."""

    def __init__(self, function: Callable[..., Any], args: Any, options: dict[str, Any]) -> None:
        super().__init__()
        self.function, self.args, self.options = function, args, options

    def forward(self, x: Any) -> Any:
        """Call the function."""
        return self.function(x, *self.args, **self.options)


class OfSeveral(Function):
    """A function of several tensors, which are inputs as well."""

    def __init__(self, function: Callable[..., Any], args: Any, options: dict[str, Any]) -> None:
        super().__init__(function, args, options)
        self.input_count = 1 + sum(isinstance(each, torch.Tensor) for each in args)

    def forward(self, x: Any, *more: Any) -> Any:
        """Call the function."""
        given = iter(more)
        args = [next(given) if isinstance(each, torch.Tensor) else each for each in self.args]
        return self.function(x, *args, **self.options)


def of_modules() -> Iterator[tuple[str, Any, list[Any]]]:
    """Yield the samples of modules: a name, the module, and its inputs."""
    for info in module_db:
        samples = info.module_inputs_func(
            info, device="cpu", dtype=DTYPE, requires_grad=False, training=False
        )
        for each in samples:
            if each.forward_input is None:
                continue
            given = each.constructor_input
            options = {"dtype": DTYPE, "device": "cpu"}
            try:
                module = info.module_cls(*given.args, **given.kwargs, **options)
            except TypeError:  # of a module without parameters
                module = info.module_cls(*given.args, **given.kwargs)
            x = [*each.forward_input.args, *each.forward_input.kwargs.values()]
            yield f"module {info.module_cls.__name__}", nn.Sequential(module.to(DTYPE).eval()), x


def of_functions() -> Iterator[tuple[str, Any, list[Any]]]:
    """Yield the samples of functions that nn has, and of those of elements and reductions."""
    for info in op_db:
        if not info.name.startswith("nn.functional.") and info.name not in FUNCTIONS:
            continue
        if DTYPE not in info.dtypes:
            continue
        try:
            samples = list(info.sample_inputs("cpu", DTYPE))
        except (RuntimeError, ImportError):
            continue
        for each in samples:
            x = [each.input, *(one for one in each.args if isinstance(one, torch.Tensor))]
            kind = Function if len(x) == 1 else OfSeveral
            yield f"function {info.name}", kind(info.op, each.args, each.kwargs), x


FUNCTIONS = {
    *("abs", "acos", "acosh", "add", "amax", "amin", "asin", "asinh", "atan", "atanh", "bmm"),
    *("cat", "ceil", "clamp", "cos", "cosh", "div", "eq", "erf", "exp", "floor", "fmod", "ge"),
    *("gt", "isinf", "isnan", "le", "log", "log_softmax", "logical_and", "logical_not"),
    *("logical_or", "logical_xor", "logsumexp", "lt", "matmul", "maximum", "mean", "minimum"),
    *("movedim", "mul", "neg", "permute", "pow", "prod", "reciprocal", "relu", "remainder"),
    *("reshape", "round", "sigmoid", "sign", "sin", "sinh", "softmax", "sqrt", "sub", "sum"),
    *("tan", "tanh", "transpose", "trunc", "view", "where", "flatten"),
}
"""Functions outside torch.nn that have a counterpart."""


def moved(array: np.ndarray) -> np.ndarray:
    """Return a batch with channels last."""
    return np.ascontiguousarray(np.moveaxis(array, 1, -1))


def alike(a: np.ndarray, b: np.ndarray) -> np.ndarray | None:
    """Return a result of PyTorch in the layout of ours, None if neither layout has its shape."""
    layouts = [a, moved(a)] if a.ndim > 2 else [a]
    fitting = [each for each in layouts if each.shape == b.shape]
    equal = [each for each in fitting if np.allclose(each, b, rtol=1e-9, atol=1e-9, equal_nan=True)]
    return next(iter([*equal, *fitting]), None)


def check(module: Any, x: list[Any]) -> None:
    """Raise if a module is refused, or gives other outputs or gradients."""
    if not x or not all(isinstance(each, torch.Tensor) for each in x):
        raise Refused("takes something other than tensors")
    if any(each.ndim < 2 or len(each) != len(x[0]) or 0 in each.shape for each in x):
        raise Refused("takes no batch of samples")
    kind = type(module[0]).__name__ if isinstance(module, nn.Sequential) else ""
    arrays = [each.detach().numpy() for each in x]
    arrays = [
        moved(each) if each.ndim > 3 or (each.ndim == 3 and kind in FEATURES_FIRST) else each
        for each in arrays
    ]
    shapes = [each.shape[1:] for each in arrays]
    try:
        model = gk.interop.from_torch(module, shapes if len(x) > 1 else shapes[0])
    except (ValueError, TypeError) as error:
        raise Refused(str(error)) from None
    compare(model, module, x, arrays)


def compare(model: gk.Model, module: Any, x: list[Any], arrays: list[np.ndarray]) -> None:
    """Raise if outputs or gradients differ."""
    given = [each.detach().clone().requires_grad_(each.is_floating_point()) for each in x]
    y = module(*given)
    ours = model.forward(tuple(arrays) if len(arrays) > 1 else arrays[0])
    theirs = alike(y.detach().numpy() * 1.0, ours)
    assert theirs is not None, f"shapes {ours.shape} and {tuple(y.shape)}"
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
    if not y.requires_grad:
        return
    dy = np.random.default_rng(0).normal(size=y.shape)
    y.backward(torch.from_numpy(dy))
    is_moved = not np.array_equal(theirs, y.detach().numpy() * 1.0, equal_nan=True)
    floats = all(each.is_floating_point() for each in x)
    dx = model.backward(moved(dy) if is_moved else dy, input_gradient=floats)
    for one, each in zip(dx if len(x) > 1 else (dx,), given, strict=True):
        if floats and each.grad is not None:
            expected = alike(each.grad.numpy(), one)
            np.testing.assert_allclose(one, expected, rtol=1e-9, atol=1e-9)
    if [*module.parameters()]:
        same_gradients(model, module)


OPTIMIZERS: dict[str, tuple[str, dict[str, str]]] = {
    "Adadelta": ("AdaDelta", {"rho": "rho"}),
    "Adagrad": ("AdaGrad", {"initial_accumulator_value": "initial"}),
    "Adam": ("Adam", {"amsgrad": "amsgrad"}),
    "AdamW": ("AdamW", {"amsgrad": "amsgrad"}),
    "Adamax": ("Adamax", {}),
    "NAdam": ("NAdam", {"momentum_decay": "momentum_decay", "decoupled_weight_decay": "decoupled"}),
    "RAdam": ("RAdam", {"decoupled_weight_decay": "decoupled"}),
    "RMSprop": ("RMSProp", {"alpha": "rho", "momentum": "momentum", "centered": "centered"}),
    "Rprop": ("Rprop", {}),
    "SGD": ("SGD", {}),
}
COMMON = {"lr": "learning_rate", "eps": "epsilon", "weight_decay": "weight_decay"}
PAIRS = {
    "betas": ("beta1", "beta2"),
    "etas": ("shrink", "grow"),
    "step_sizes": ("least", "most"),
}
HOW = ("capturable", "foreach", "fused", "differentiable")  # it computes the same


def optimizer_of(name: str, given: dict[str, Any]) -> Any:
    """Return the optimizer of the same arguments; raise if there is none."""
    given = {key: each for key, each in given.items() if key not in HOW}
    if name not in OPTIMIZERS:
        raise Refused(f"{name} has no counterpart")
    kind, named = OPTIMIZERS[name]
    if name == "SGD":
        momentum, nesterov = given.pop("momentum", 0), given.pop("nesterov", False)
        kind = "Nesterov" if nesterov else "Momentum" if momentum else "SGD"
        named = {"dampening": "dampening"} if kind == "Momentum" else {}
        more = {"momentum": momentum, "rate_in_velocity": False} if momentum else {}
        given.pop("dampening", None) if not momentum or nesterov else None
    else:
        more = {}
    for key, each in given.items():
        value = each.item() if isinstance(each, torch.Tensor) else each
        if key in PAIRS:
            more |= dict(zip(PAIRS[key], map(float, each), strict=True))
        elif key in COMMON or key in named:
            more[{**COMMON, **named}[key]] = value
        elif value:
            raise Refused(f"{name} has {key}={value}")
    return getattr(gk, kind)(**{"learning_rate": DEFAULT_RATES.get(name, 1e-3)} | more)


DEFAULT_RATES = {"Adadelta": 1.0, "Adagrad": 0.01, "Adamax": 2e-3, "NAdam": 2e-3}
DEFAULT_RATES |= {"RMSprop": 0.01, "Rprop": 0.01}


def check_optimizer(name: str, given: dict[str, Any]) -> None:
    """Raise if an optimizer is refused, or takes other steps."""
    try:
        optimizer = optimizer_of(name, given)
    except (TypeError, ValueError) as error:
        raise Refused(f"{name}: {error}") from None
    w = nn.Parameter(torch.tensor(START, dtype=DTYPE))
    theirs = getattr(torch.optim, name)([w], **given)
    model = SimpleNamespace(flat_params=np.array(START), flat_grads=np.empty(len(START)))
    for _ in range(10):
        w.grad = torch.from_numpy(gradient(w.detach().numpy()))
        theirs.step()
        model.flat_grads[:] = gradient(model.flat_params)
        optimizer.step(model)
    np.testing.assert_allclose(model.flat_params, w.detach().numpy(), rtol=1e-9, atol=1e-9)


def checks() -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield a name and a check for each sample."""
    for name, module, x in of_modules():
        yield name, lambda module=module, x=x: check(module, x)  # type: ignore[misc]
    for info in optim_db:
        name = info.optim_cls.__name__
        for each in info.optim_inputs_func(device="cpu", dtype=DTYPE):
            given = each.kwargs
            yield f"optimizer {name}", lambda n=name, g=given: check_optimizer(n, g)  # type: ignore[misc]
    for name, module, x in of_functions():
        yield name, lambda module=module, x=x: check(module, x)  # type: ignore[misc]


def main() -> int:
    """Print how many samples of each kind pass, and why others are refused."""
    warnings.filterwarnings("ignore")
    torch.set_default_dtype(DTYPE)
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    passed, refused, wrong = Counter[str](), Counter[str](), Counter[str]()
    for name, run in checks():
        if part not in name:
            continue
        try:
            run()
        except Refused as error:
            refused[name] += 1
            if part:
                print(f"{name}: {str(error)[:200]}")
        except Exception as error:  # noqa: BLE001
            wrong[name] += 1
            print(f"WRONG {name}: {' '.join(str(error).split())[:300]}")
        else:
            passed[name] += 1
    for name in sorted(passed | refused | wrong):
        print(f"{name:<50} {passed[name]:>5} {refused[name]:>5} {wrong[name]:>5}")
    counts = [each.total() for each in (passed, refused, wrong)]
    print(f"{'passed, refused, wrong':<50} {counts[0]:>5} {counts[1]:>5} {counts[2]:>5}")
    return 1 if wrong or (not part and counts[0] < PASSED) else 0


if __name__ == "__main__":
    sys.exit(main())
