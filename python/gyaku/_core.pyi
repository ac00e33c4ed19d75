"""Native kernels, programs and machine facts of gyaku."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

__version__: str

class Program:
    def __init__(self) -> None: ...
    def begin(self) -> None: ...
    def end(self, outputs: Sequence[NDArray[Any]] = ()) -> None: ...
    def abort(self) -> None: ...
    def tasks(self) -> list[dict[str, Any]]: ...
    def profile(self, steps: int) -> list[float]: ...
    @property
    def temporary_bytes(self) -> int: ...
    @property
    def arena_bytes(self) -> int: ...

def recording() -> bool: ...
def host(
    function: Callable[[], object],
    reads: Sequence[NDArray[Any]],
    writes: Sequence[NDArray[Any]],
) -> None: ...
def replay(schedule: Sequence[tuple[Program, int]], times: int = 1) -> None: ...
def empty(shape: Sequence[int], dtype: DTypeLike, operation: str = "empty") -> NDArray[Any]: ...
def zeros(shape: Sequence[int], dtype: DTypeLike, operation: str = "zeros") -> NDArray[Any]: ...
def isa() -> str: ...
def isas() -> list[str]: ...
def cpu_info() -> dict[str, Any]: ...
def parse_cpu_max(text: str) -> int | None: ...
def num_threads() -> int: ...
def set_num_threads(threads: int) -> None: ...
def measure_flops(dtype: str, threads: int) -> float: ...
def measure_bandwidth(bytes: int, threads: int) -> float: ...
def matmul(
    a: ArrayLike,
    b: ArrayLike,
    bias: ArrayLike | None,
    out: NDArray[Any] | None,
    transpose_a: bool,
    transpose_b: bool,
    activation: str,
    alpha: float,
    independent_rows: bool = False,
) -> NDArray[Any]: ...
def sum_rows(x: ArrayLike, out: NDArray[Any] | None) -> NDArray[Any]: ...
def conv2d(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None,
    out: NDArray[Any] | None,
    rows: Sequence[int],
    columns: Sequence[int],
    groups: int,
    activation: str,
    alpha: float,
) -> NDArray[Any]: ...
def conv2d_backward_data(
    dy: ArrayLike,
    w: ArrayLike,
    out: NDArray[Any] | None,
    rows: Sequence[int],
    columns: Sequence[int],
    groups: int,
    argmax: NDArray[Any] | None = None,
) -> NDArray[Any]: ...
def takes_maxima(
    rows: Sequence[int], columns: Sequence[int], channels: int, filters: int, item_bytes: int
) -> bool: ...
def conv2d_transpose(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None,
    out: NDArray[Any] | None,
    rows: Sequence[int],
    columns: Sequence[int],
    groups: int,
    activation: str,
    alpha: float,
) -> NDArray[Any]: ...
def conv2d_backward_weights(
    dy: ArrayLike,
    x: ArrayLike,
    dw: NDArray[Any] | None,
    db: NDArray[Any] | None,
    rows: Sequence[int],
    columns: Sequence[int],
    groups: int,
    argmax: NDArray[Any] | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]: ...
def activation(x: ArrayLike, out: NDArray[Any] | None, name: str, alpha: float) -> NDArray[Any]: ...
def activation_backward(
    dy: ArrayLike, saved: ArrayLike, out: NDArray[Any] | None, name: str, alpha: float
) -> NDArray[Any]: ...
def add(a: ArrayLike, b: ArrayLike, out: NDArray[Any] | None) -> NDArray[Any]: ...
def multiply(a: ArrayLike, b: ArrayLike, out: NDArray[Any] | None) -> NDArray[Any]: ...
def copy_columns(x: ArrayLike, out: NDArray[Any], start: int) -> None: ...
def take_columns(x: ArrayLike, start: int, count: int) -> NDArray[Any]: ...
def max_pool2d(
    x: ArrayLike, rows: Sequence[int], columns: Sequence[int], is_global: bool
) -> tuple[NDArray[Any], NDArray[Any]]: ...
def max_pool2d_backward(
    dy: ArrayLike,
    argmax: NDArray[Any],
    rows: Sequence[int],
    columns: Sequence[int],
    is_global: bool,
) -> NDArray[Any]: ...
def avg_pool2d(
    x: ArrayLike,
    rows: Sequence[int],
    columns: Sequence[int],
    count_include_pad: bool,
    is_global: bool,
) -> NDArray[Any]: ...
def avg_pool2d_backward(
    dy: ArrayLike,
    rows: Sequence[int],
    columns: Sequence[int],
    count_include_pad: bool,
    is_global: bool,
) -> NDArray[Any]: ...
def lp_pool2d(
    x: ArrayLike, rows: Sequence[int], columns: Sequence[int], norm_type: float
) -> NDArray[Any]: ...
def lp_pool2d_backward(
    dy: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    rows: Sequence[int],
    columns: Sequence[int],
    norm_type: float,
) -> NDArray[Any]: ...
def batch_norm(
    x: ArrayLike, gamma: ArrayLike, beta: ArrayLike, epsilon: float
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]: ...
def batch_norm_inference(
    x: ArrayLike,
    gamma: ArrayLike,
    beta: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    epsilon: float,
) -> tuple[NDArray[Any], NDArray[Any]]: ...
def batch_norm_backward(
    dy: ArrayLike,
    x: ArrayLike,
    gamma: ArrayLike,
    mean: ArrayLike,
    inverse: ArrayLike,
    training: bool,
    dx: NDArray[Any] | None,
    dgamma: NDArray[Any] | None,
    dbeta: NDArray[Any] | None,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]: ...
def layer_norm(
    x: ArrayLike, gamma: ArrayLike, beta: ArrayLike, epsilon: float
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]: ...
def layer_norm_backward(
    dy: ArrayLike,
    x: ArrayLike,
    gamma: ArrayLike,
    mean: ArrayLike,
    inverse: ArrayLike,
    dx: NDArray[Any] | None,
    dgamma: NDArray[Any] | None,
    dbeta: NDArray[Any] | None,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]: ...
def update_running(
    running_mean: NDArray[Any],
    running_var: NDArray[Any],
    mean: NDArray[Any],
    variance: NDArray[Any],
    samples: int,
    momentum: float,
) -> None: ...
def softmax(x: ArrayLike, out: NDArray[Any] | None) -> NDArray[Any]: ...
def log_softmax(x: ArrayLike, out: NDArray[Any] | None) -> NDArray[Any]: ...
def softmax_backward(dy: ArrayLike, y: ArrayLike, out: NDArray[Any] | None) -> NDArray[Any]: ...
def log_softmax_backward(dy: ArrayLike, y: ArrayLike, out: NDArray[Any] | None) -> NDArray[Any]: ...
def softmax_cross_entropy(
    logits: ArrayLike,
    target: ArrayLike,
    lengths: ArrayLike | None,
    label_smoothing: float,
    reduction: str,
) -> tuple[NDArray[np.float64], NDArray[Any]]: ...
def cross_entropy(
    p: ArrayLike, target: ArrayLike, lengths: ArrayLike | None, delta: float, reduction: str
) -> tuple[NDArray[np.float64], NDArray[Any]]: ...
def squared_error(
    y: ArrayLike,
    t: ArrayLike,
    lengths: ArrayLike | None,
    mean_over_features: bool,
    reduction: str,
) -> tuple[NDArray[np.float64], NDArray[Any]]: ...
def count_correct(
    scores: ArrayLike, target: ArrayLike, lengths: ArrayLike | None
) -> NDArray[np.float64]: ...
def count_steps(lengths: ArrayLike, steps: int) -> NDArray[np.float64]: ...
def dropout(
    x: ArrayLike,
    clock: NDArray[np.int64],
    out: NDArray[Any] | None,
    rate: float,
    seed: int,
    stream: int,
) -> NDArray[Any]: ...
def permutation(order: NDArray[np.int64], n: int, seed: int, first_epoch: int) -> None: ...
def philox(counter: Sequence[int], key: Sequence[int]) -> list[int]: ...
def embedding(ids: ArrayLike, table: ArrayLike) -> NDArray[Any]: ...
def embedding_backward(
    dy: ArrayLike,
    ids: ArrayLike,
    vocabulary_size: int,
    padding: int | None,
    out: NDArray[Any] | None,
) -> NDArray[Any]: ...
def sequence_lengths(ids: ArrayLike) -> NDArray[np.int64]: ...
def gather(
    source: NDArray[Any],
    order: NDArray[np.int64],
    cursor: NDArray[np.int64],
    out: NDArray[Any],
    scale: float,
) -> None: ...
def gather_images(
    source: NDArray[Any],
    order: NDArray[np.int64],
    cursor: NDArray[np.int64],
    epoch: NDArray[np.int64],
    out: NDArray[Any],
    scale: float,
    shift: int,
    flip: bool,
    seed: int,
) -> None: ...
def rescale(x: ArrayLike, scale: float, offset: float) -> NDArray[Any]: ...
def advance(counter: NDArray[np.int64], amount: int) -> None: ...
def accumulate(
    value: NDArray[np.float64],
    totals: NDArray[np.float64],
    slot: NDArray[np.int64],
    weight: float,
    count: NDArray[np.float64] | None,
) -> None: ...
def optimizer_tick(
    clock: NDArray[np.float64], rates: NDArray[np.float64], beta1: float, beta2: float
) -> None: ...
def update(
    name: str,
    params: NDArray[Any],
    grads: NDArray[Any],
    states: Sequence[NDArray[Any]],
    clock: NDArray[np.float64],
    weight_decay: float,
    beta1: float = ...,
    beta2: float = ...,
    epsilon: float = ...,
    nesterov: bool = ...,
) -> None: ...
def recurrent(
    cell: str,
    gates: NDArray[Any],
    u: NDArray[Any],
    bias: NDArray[Any] | None,
    h0: NDArray[Any] | None,
    c0: NDArray[Any] | None,
    peepholes: NDArray[Any] | None,
    projection: NDArray[Any] | None,
    lengths: NDArray[np.int64] | None,
    reverse: bool,
) -> tuple[Any, ...]: ...
def recurrent_backward(
    cell: str,
    dy: NDArray[Any] | None,
    dhn: NDArray[Any] | None,
    dcn: NDArray[Any] | None,
    u: NDArray[Any],
    gates: NDArray[Any],
    cells: NDArray[Any] | None,
    inner: NDArray[Any] | None,
    previous: NDArray[Any],
    c0: NDArray[Any] | None,
    peepholes: NDArray[Any] | None,
    projection: NDArray[Any] | None,
    lengths: NDArray[np.int64] | None,
    reverse: bool,
) -> tuple[Any, ...]: ...
