"""JAX: a whole epoch, or many small ones, is one compiled scan; its state is donated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.workloads import Adam, Conv, Dense, Dropout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.data import Weights
    from bench.workloads import Workload

ACTIVATIONS = {"sigmoid": jax.nn.sigmoid, "relu": jax.nn.relu, "identity": lambda x: x}
# Rows of a call: as many epochs of a small data set share one.
ROWS = 1 << 16


class Jax:
    """A network of JAX: its parameters, the optimizer's state, and the compiled epoch."""

    def __init__(
        self, workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights, option: str
    ) -> None:
        self.workload = workload
        self.batch, self.count = workload.batch, len(x)
        self.unroll = 8 if "unrolled" in option else 1
        self.random = np.random.default_rng(0)
        key = jax.random.key(0, impl="rbg" if "rbg" in option else "threefry2x32")
        params = [(jnp.array(w), jnp.array(b)) for w, b in weights]
        zeros = jax.tree.map(jnp.zeros_like, (params, params))
        self.state: Any = (params, zeros, jnp.zeros((), jnp.int32), key)
        self.x = jnp.array(x)
        self.autoencoder = y is x
        self.y = self.x if self.autoencoder else jnp.array(y)
        self.stepwise = option.startswith("step by step")
        self.run = jax.jit(self.step if self.stepwise else self.scan, donate_argnums=(0,))

    def train(self, epochs: int) -> None:
        """Train; see `Trainer`."""
        self.epochs(epochs)

    def loss(self, epochs: int) -> float:
        """Train and return the loss; see `Trainer`."""
        self.epochs(epochs - 1)
        return self.epochs(1)

    def epochs(self, epochs: int) -> float:
        """Train, in calls of at most `ROWS` samples; return the mean loss of the last call."""
        whole = self.count // self.batch * self.batch
        together = max(1, ROWS // self.count) if whole == self.count else 1
        value = 0.0
        while epochs > 0:
            now = min(epochs, together)
            order = np.broadcast_to(np.arange(self.count, dtype=np.int32), (now, self.count))
            order = self.random.permuted(order, axis=1)
            total = self.call(order[:, :whole].reshape(-1, self.batch))
            if whole < self.count:
                total += self.call(order[:, whole:])
            value = total / (now * self.count)
            epochs -= now
        return float(value)

    def call(self, order: NDArray[np.int32]) -> Any:
        """Run the steps on the rows of `order` and return the sum of their losses."""
        total = jnp.zeros(())
        for part in order if self.stepwise else [order]:
            self.state, value = self.run(self.state, self.x, self.y, part)
            total += value
        return total.block_until_ready()

    def scan(self, state: Any, x: Any, y: Any, order: Any) -> tuple[Any, Any]:
        """Return the state after all steps of `order`, and the sum of the losses."""

        def step(carry: Any, rows: Any) -> tuple[Any, None]:
            state, value = self.step(carry[0], x, y, rows)
            return (state, carry[1] + value), None

        (state, total), _ = jax.lax.scan(step, (state, 0.0), order, unroll=self.unroll)
        return state, total

    def step(self, state: Any, x: Any, y: Any, rows: Any) -> tuple[Any, Any]:
        """Return the state after a step on some rows, and the sum of their losses."""
        params, moments, count, key = state
        batch = target = x.at[rows].get(mode="promise_in_bounds")
        if not self.autoencoder:
            target = y.at[rows].get(mode="promise_in_bounds")
        mask_key = jax.random.fold_in(key, count) if self.workload.drops else key
        value, grads = jax.value_and_grad(self.forward)(params, batch, target, mask_key)
        params, moments = self.update(params, grads, moments, count + 1)
        return (params, moments, count + 1, key), value * len(rows)

    def forward(self, params: Any, x: Any, target: Any, key: Any) -> Any:
        """Return the loss of a batch."""
        given = iter(params)
        for number, layer in enumerate(self.workload.layers):
            if isinstance(layer, Dropout):
                kept = jax.random.bernoulli(
                    jax.random.fold_in(key, number), 1 - layer.rate, x.shape
                )
                x = jnp.where(kept, x / (1 - layer.rate), 0)
                continue
            if isinstance(layer, Dense):
                weight, bias = next(given)
                x = x.reshape(len(x), -1) @ weight + bias
            elif isinstance(layer, Conv):
                weight, bias = next(given)
                border = [(layer.padding, layer.padding)] * 2
                x = bias + jax.lax.conv_general_dilated(
                    x, weight, (1, 1), border, dimension_numbers=("NHWC", "HWIO", "NHWC")
                )
            else:
                window = (1, layer.window, layer.window, 1)
                x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")
            x = ACTIVATIONS[layer.activation](x)
        if self.workload.loss == "mean_squared_error":
            return jnp.mean((x - target) ** 2)
        logp = jax.nn.log_softmax(x)
        return -jnp.sum(logp * jax.nn.one_hot(target, x.shape[1])) / len(x)

    def update(self, params: Any, grads: Any, moments: Any, count: Any) -> tuple[Any, Any]:
        """Return parameters and moments after a step of the optimizer."""
        how = self.workload.optimizer
        if not isinstance(how, Adam):
            return jax.tree.map(lambda p, g: p - how.learning_rate * g, params, grads), moments
        mean = jax.tree.map(lambda m, g: how.beta1 * m + (1 - how.beta1) * g, moments[0], grads)
        square = jax.tree.map(
            lambda v, g: how.beta2 * v + (1 - how.beta2) * g * g, moments[1], grads
        )
        mean_share, square_share = 1 - how.beta1**count, 1 - how.beta2**count

        def move(p: Any, m: Any, v: Any) -> Any:
            root = jnp.sqrt(v / square_share) + how.epsilon
            return p - how.learning_rate * (m / mean_share) / root

        return jax.tree.map(move, params, mean, square), (mean, square)


def build(
    workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights, option: str
) -> Jax:
    """Return the network; `option` chooses loop, random numbers and unrolling."""
    return Jax(workload, x, y, weights, option)
