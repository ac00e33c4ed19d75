"""Samples of PyTorch's own tests: how many gyaku takes, and computes alike, gradients included.

Modules (``ModuleInfo``) and functions (``OpInfo``, as modules of one call) go through
``from_torch``; optimizers (``OptimizerInfo``) take ten steps. All in float64, in prediction. A
sample that is refused in one sentence has no counterpart here; any other difference is a fault.

Run, with the packages torch and expecttest: python tests/torch_samples.py [NAME | --reasons], where
NAME is a part of names.
"""

from __future__ import annotations

import copy
import functools
import random
import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from test_torch_modules import same_gradients
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.common_modules import module_db
from torch.testing._internal.common_optimizers import optim_db
from torch_sample_functions import ELEMENTS, MODULES, check_arrays, is_of_arrays, kind_of, named
from torch_sample_losses import LOSSES, Refused, check_loss, of_module
from torch_sample_losses import MODULES as LOSS_MODULES
from torch_sample_optimizers import check_optimizer

import gyaku as gk
from gyaku.interop.torch.modules import FEATURES_FIRST

nn = torch.nn
DTYPE = torch.float64
# Of torch 2.13.0: 1,437 of 1,805 samples of modules, 70 of 91 of optimizers, 5,149 of 6,341 of
# functions, none wrong. This number may only grow.
PASSED = 6656


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


class Unpooling(nn.Module):
    """A max_unpool function, to the size that a sample gives, as its module."""

    input_count = 2

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        super().__init__()
        self.size = options.pop("output_size")
        self.unpool = getattr(nn, f"MaxUnpool{name[-2:]}")(**options)

    def forward(self, x: Any, places: Any) -> Any:
        """Call the module."""
        return self.unpool(x, places, self.size)


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
            yield f"module {info.module_cls.__name__}", module.to(DTYPE).eval(), x


def check_module(module: Any, x: list[Any]) -> None:
    """Raise if a module is refused, or gives other outputs or gradients."""
    kind = type(module).__name__
    if kind in LOSS_MODULES:
        check_loss(*of_module(module, x))
        return
    if kind in ELEMENT_MODULES and len(x) == 1:
        x = [x[0].reshape(1, -1)]
    if kind in ("RNN", "GRU", "LSTM") and len(x) > 1 and x[1] is not None:
        check_states(module, x[0], *(x[1] if kind == "LSTM" else x[1:]))
        return
    if kind in ("RNN", "GRU", "LSTM"):
        module, x = Sequences(module), sequences(module, x)
    else:
        if "Lazy" in kind:
            module(*x)  # which makes it one that has its shape
        module = nn.Sequential(module)
    check_batch_of_one(module.eval(), x)


class Sequences(nn.Module):
    """The outputs of a recurrent module at all steps, with the batch first."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.module = copy.deepcopy(module)
        self.module.batch_first = True

    def forward(self, x: Any) -> Any:
        """Return the outputs."""
        return self.module(x)[0]

    def named_parameters(self, *args: Any, **keywords: Any) -> Iterator[tuple[str, Any]]:
        """Yield the parameters by the names of layers of their own."""
        for name, each in super().named_parameters(*args, **keywords):
            place = re.sub(r"module\.(.*)_l(\d+)", r"module_l\2.\1_l0", name)
            yield place.replace("module_l0.", "module."), each


class FromStates(Sequences):
    """The outputs of a recurrent module from given states."""

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.input_count = 3 if isinstance(module, nn.LSTM) else 2

    def forward(self, x: Any, *states: Any) -> Any:
        """Return the outputs."""
        return self.module(x, states if len(states) > 1 else states[0])[0]


def check_states(module: Any, x: Any, *states: Any) -> None:
    """Raise if a recurrent module with initial states is refused, or gives other results."""
    (x,) = sequences(module, [x])
    if x.ndim == 2:  # a single sample
        x, states = x.unsqueeze(0), tuple(each.unsqueeze(1) for each in states)
    given = [x, *states]
    arrays = [each.detach().numpy() for each in given]
    arrays[1:] = [np.ascontiguousarray(each.swapaxes(0, 1)) for each in arrays[1:]]
    whole = FromStates(module).eval()
    try:
        model = gk.interop.from_torch(whole, [each.shape[1:] for each in arrays])
    except (ValueError, TypeError) as error:
        raise Refused(str(error)) from None
    compare(model, whole, given, arrays)


def sequences(module: Any, x: list[Any]) -> list[Any]:
    """Return sequences with the batch first."""
    is_last = x[0].ndim == 3 and not module.batch_first
    return [x[0].swapaxes(0, 1).contiguous() if is_last else x[0]]


def functions() -> Iterator[tuple[Any, Any]]:
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
            yield info, each


def check_function(info: Any, sample: Any) -> None:
    """Raise if a function is refused, or gives other results or gradients."""
    name, kind = info.name.removeprefix("nn.functional."), kind_of(info.name)
    args, options = sample.args, dict(sample.kwargs)
    if name in LOSSES:
        check_loss(name, [sample.input, *args], options)
        return
    if is_of_arrays(info.name):
        check_arrays(info, sample)
        return
    if isinstance(sample.input, torch.Tensor) and 0 in sample.input.shape:
        raise Refused("is empty")
    if kind in MODULES:
        module, x = MODULES[kind](name, sample.input, named(kind, args, options))
        check_batch_of_one(nn.Sequential(module).train(module.training), [x])
        return
    if name == "hardsigmoid":
        raise Refused("has 1/6 rounded to float32 as its slope in PyTorch, in float64 too")
    if "dropout" in kind and options.get("training", True):
        raise Refused("draws random numbers")
    if kind == "max_unpool":
        check(Unpooling(name, options).eval(), [sample.input, *args])
        return
    x = [sample.input, *(one for one in args if isinstance(one, torch.Tensor))]
    if name in ELEMENTS and len(x) == 1:
        x = [sample.input.reshape(1, -1)]
    made = (Function if len(x) == 1 else OfSeveral)(info.op, args, options)
    check_batch_of_one(made.eval(), x)


def check_batch_of_one(module: Any, x: list[Any]) -> None:
    """Raise if a module is refused, with its input as it is and as a batch of one sample."""
    try:
        check(module, x)
    except Refused as error:
        if len(x) != 1 or not isinstance(x[0], torch.Tensor) or not x[0].is_floating_point():
            raise
        batch = x[0].detach().unsqueeze(0)
        try:
            is_same = torch.equal(module(batch), module(x[0]).unsqueeze(0))
        except (AssertionError, RuntimeError, ValueError, IndexError, TypeError):
            is_same = False
        if not is_same:
            raise
        try:
            check(module, [batch])
        except (Refused, RuntimeError):  # of PyTorch, about the shape
            raise error from None


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
ELEMENT_MODULES = {
    *("CELU", "ELU", "GELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU"),
    *("LogSigmoid", "Mish", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softplus", "Softshrink"),
    *("Softsign", "Tanh", "Tanhshrink", "Threshold"),
}
"""Modules of each element, whose samples may have any axes."""


def moved(array: np.ndarray) -> np.ndarray:
    """Return a batch with channels last."""
    return np.ascontiguousarray(np.moveaxis(array, 1, -1))


def alike(a: np.ndarray, b: np.ndarray) -> np.ndarray | None:
    """Return a result of PyTorch in the layout of ours, None if no layout has its shape."""
    layouts = [a, moved(a), a.swapaxes(0, 1)] if a.ndim > 2 else [a]  # the last one of states
    fitting = [each for each in layouts if each.shape == b.shape]
    equal = [each for each in fitting if np.allclose(each, b, rtol=1e-9, atol=1e-9, equal_nan=True)]
    return next(iter([*equal, *fitting]), None)


def check(module: Any, x: list[Any]) -> None:
    """Raise if a module is refused, or gives other outputs or gradients."""
    if not x or not all(isinstance(each, torch.Tensor) for each in x):
        raise Refused("takes something other than tensors")
    if any(each.ndim < 2 or len(each) != len(x[0]) or 0 in each.shape for each in x):
        raise Refused("takes no batch of samples")
    first = module[0] if isinstance(module, nn.Sequential) else getattr(module, "unpool", module)
    kind = type(first).__name__
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
    """Raise if outputs or gradients differ, those of training if the module is in training."""
    given = [each.detach().clone().requires_grad_(each.is_floating_point()) for each in x]
    y = module(*given)
    given_arrays = tuple(arrays) if len(arrays) > 1 else arrays[0]
    ours = model.forward(given_arrays, training=module.training)
    theirs = alike(y.detach().numpy() * 1.0, ours)
    assert theirs is not None, f"shapes {ours.shape} and {tuple(y.shape)}"
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
    if not y.requires_grad:
        return
    dy = np.random.default_rng(0).normal(size=y.shape)
    y.backward(torch.from_numpy(dy))
    is_moved = not np.array_equal(theirs, y.detach().numpy() * 1.0, equal_nan=True)
    floats = any(each.is_floating_point() for each in x)
    dx = model.backward(moved(dy) if is_moved else dy, input_gradient=floats)
    for one, each in zip(dx if len(x) > 1 else (dx,), given, strict=True):
        if floats and each.grad is not None:
            expected = alike(each.grad.numpy(), one)
            np.testing.assert_allclose(one, expected, rtol=1e-9, atol=1e-9)
    if [*module.parameters()]:
        same_gradients(model, module)


def checks() -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield a name and a check for each sample."""
    for name, module, x in of_modules():
        yield name, functools.partial(check_module, module, x)
    for info in optim_db:
        name = info.optim_cls.__name__
        for each in info.optim_inputs_func(device="cpu", dtype=DTYPE):
            yield f"optimizer {name}", functools.partial(check_optimizer, name, each.kwargs)
    for info, sample in functions():
        yield f"function {info.name}", functools.partial(check_function, info, sample)


def reason_of(name: str, reason: str) -> str:
    """Return a reason without nodes and numbers, behind the name of the sample."""
    short = re.sub(r"from_torch: %.*? : .*?kwargs = \{.*?\}\)", "", reason.split("\n")[0])
    return f"{name}: " + re.sub(r"\d[\d.e-]*", "N", short)[:90]


def main() -> int:
    """Print how many samples of each kind pass, and why others are refused."""
    warnings.filterwarnings("ignore")
    torch.set_default_dtype(DTYPE)
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - by which PyTorch draws some samples
    random.seed(0)
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    by_reason, part = part == "--reasons", part.removeprefix("--reasons")
    passed, refused, wrong = Counter[str](), Counter[str](), Counter[str]()
    reasons = Counter[str]()
    for name, run in checks():
        if not by_reason and part not in name:
            continue
        try:
            run()
        except Refused as error:
            refused[name] += 1
            reasons[reason_of(name, str(error))] += 1
            if part:
                print(f"{name}: {str(error)[:200]}")
        except Exception as error:  # noqa: BLE001
            wrong[name] += 1
            print(f"WRONG {name}: {' '.join(str(error).split())[:300]}")
        else:
            passed[name] += 1
    for reason, count in reasons.most_common() if by_reason else ():
        print(f"{count:>5} {reason}")
    for name in sorted(passed | refused | wrong):
        print(f"{name:<50} {passed[name]:>5} {refused[name]:>5} {wrong[name]:>5}")
    counts = [each.total() for each in (passed, refused, wrong)]
    print(f"{'passed, refused, wrong':<50} {counts[0]:>5} {counts[1]:>5} {counts[2]:>5}")
    return 1 if wrong or (not part and counts[0] < PASSED) else 0


if __name__ == "__main__":
    sys.exit(main())
