"""The textbook's training loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.dlfs import optimizer as rules
from gyaku.dlfs.networks import Network
from gyaku.dlfs.util import clip_grads, shuffle_dataset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["Trainer"]


class Trainer:
    """Training of a network, with the arguments of either volume.

    Parameters
    ----------
    network : network
        With `loss`, `gradient`, `accuracy` and a dictionary `params` (volume 1); or with `forward`,
        `backward` and lists `params` and `grads` (volume 2).
    x_train : ndarray or optimizer
        Training samples (volume 1), or the optimizer (volume 2): ``Trainer(model, optimizer)``.
    t_train, x_test, t_test : ndarray or None, optional
        Targets, and test data (volume 1).
    epochs : int, default 20
        Number of epochs.
    mini_batch_size : int, default 100
        Samples of a gradient step, drawn with replacement from `numpy.random`.
    optimizer : str, default "SGD"
        Name of the optimizer, in any case.
    optimizer_param : mapping or None, optional
        Its arguments; None is a learning rate of 0.01.
    evaluate_sample_num_per_epoch : int or None, optional
        Number of first samples to measure the accuracy on; None is all.
    verbose : bool, default True
        Whether to print losses and accuracies.

    Attributes
    ----------
    train_loss_list, train_acc_list, test_acc_list : list of float
        The loss of each step, the accuracies of each epoch (volume 1).
    loss_list : list of float
        Mean losses between evaluations (volume 2).

    Raises
    ------
    ValueError
        If there is no optimizer of that name.
    """

    def __init__(
        self,
        network: Any,
        x_train: Any,
        t_train: Any = None,
        x_test: Any = None,
        t_test: Any = None,
        epochs: int = 20,
        mini_batch_size: int = 100,
        optimizer: str = "SGD",
        optimizer_param: Mapping[str, float] | None = None,
        evaluate_sample_num_per_epoch: int | None = None,
        verbose: bool = True,
    ) -> None:
        self.network = self.model = network
        self.train_loss_list: list[float] = []
        self.train_acc_list: list[float] = []
        self.test_acc_list: list[float] = []
        self.loss_list: list[float] = []
        self.verbose = verbose
        if hasattr(x_train, "update"):
            self.optimizer = x_train
            return
        self.x_train, self.t_train, self.x_test, self.t_test = x_train, t_train, x_test, t_test
        self.optimizer = _optimizer(optimizer, optimizer_param or {"lr": 0.01})
        self.batch_size = mini_batch_size
        self.evaluated = evaluate_sample_num_per_epoch
        self.iter_per_epoch = max(len(x_train) // mini_batch_size, 1)
        self.max_iter = int(epochs * self.iter_per_epoch)

    def train_step(self) -> None:
        """Take one gradient step on a batch drawn with replacement; measure once an epoch."""
        chosen = np.random.choice(len(self.x_train), self.batch_size)
        self.train_loss_list.append(self._step(chosen))
        if (len(self.train_loss_list) - 1) % self.iter_per_epoch == 0:
            self._measure()

    def _step(self, chosen: Array) -> float:
        network, rule, t = self.network, self.optimizer, self.t_train[chosen]
        if isinstance(network, Network) and type(rule) in rules.RULES:
            step = network.step(self.x_train, len(chosen), rule)
            if step is not None:
                return step.train(chosen, t) + network.penalty
        x = self.x_train[chosen]
        rule.update(network.params, network.gradient(x, t))
        return float(network.loss(x, t))

    def _measure(self) -> None:
        first = slice(self.evaluated)
        data = ((self.x_train, self.t_train), (self.x_test, self.t_test))
        train, test = (self.network.accuracy(x[first], t[first]) for x, t in data)
        self.train_acc_list.append(train)
        self.test_acc_list.append(test)
        if self.verbose:
            epoch = len(self.test_acc_list)
            print(f"epoch {epoch}: training accuracy {train:.4f}, test accuracy {test:.4f}")

    def train(self) -> None:
        """Train for all epochs (volume 1), and print the test accuracy at the end."""
        for _ in range(self.max_iter):
            self.train_step()
        accuracy = self.network.accuracy(self.x_test, self.t_test)
        if self.verbose:
            print(f"final test accuracy {accuracy:.4f}")

    def fit(
        self,
        x: Array,
        t: Array,
        max_epoch: int = 10,
        batch_size: int = 32,
        max_grad: float | None = None,
        eval_interval: int | None = 20,
    ) -> None:
        """Train a model with lists of parameters and gradients (volume 2).

        Parameters
        ----------
        x : ndarray
            Samples along the first axis.
        t : ndarray
            Targets.
        max_epoch : int, default 10
            Number of epochs, each in a new random order.
        batch_size : int, default 32
            Samples of a gradient step; those that fill no batch are left out.
        max_grad : float or None, optional
            The largest norm of all gradients; None is no limit.
        eval_interval : int or None, default 20
            Number of steps from one mean loss to the next; None records none.
        """
        for epoch in range(max_epoch):
            x, t = shuffle_dataset(x, t)
            losses: list[float] = []
            for step in range(len(x) // batch_size):
                batch = slice(step * batch_size, (step + 1) * batch_size)
                losses.append(self.model.forward(x[batch], t[batch]))
                self.model.backward()
                if max_grad is not None:
                    clip_grads(self.model.grads, max_grad)
                self.optimizer.update(self.model.params, self.model.grads)
                if eval_interval is not None and step % eval_interval == 0:
                    self.loss_list.append(float(np.mean(losses)))
                    losses = []
                    if self.verbose:
                        print(f"epoch {epoch + 1}, step {step + 1}: loss {self.loss_list[-1]:.4f}")

    def plot(self) -> None:
        """Draw the losses of `fit`."""
        from matplotlib import pyplot as plt

        plt.plot(self.loss_list, label="train")
        plt.xlabel("evaluations")
        plt.ylabel("loss")
        plt.show()


def _optimizer(name: str, arguments: Mapping[str, float]) -> Any:
    known = {each.lower(): getattr(rules, each) for each in rules.__all__}
    if name.lower() not in known:
        raise ValueError(f"Trainer: optimizer must be one of {rules.__all__}, got {name!r}")
    return known[name.lower()](**arguments)
