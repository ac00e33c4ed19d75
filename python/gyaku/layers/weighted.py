"""Base of dense layers and convolutions: weights, a bias and an activation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gyaku.init import initializer
from gyaku.layers.activation import activation as as_activation
from gyaku.layers.base import Layer
from gyaku.ops.activation import ACTIVATIONS

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.init import Initialize
    from gyaku.layers.activation import Activation

__all__ = ["Weighted"]


class Weighted(Layer, abstract=True):
    """Base of layers with a weight, a bias and an activation.

    Parameters
    ----------
    activation : str or Activation, optional
        The activation of the sums, by name or as a layer; by default none.
    use_bias : bool
        Whether a bias is added.
    weight_init, bias_init : str or callable
        Initialisers, by name or as objects. ``"auto"`` is `He` before a rectifier and `Xavier`
        otherwise; the activation may also be the model's next layer.
    name : str, optional
        The layer's name.

    Attributes
    ----------
    applied : Activation or None
        The activation as a layer.
    epilogue : dict
        Keywords of the product for a fused activation, {} without.
    """

    applied: Activation | None
    epilogue: dict[str, Any]

    def __init__(
        self,
        *,
        activation: str | Activation | None,
        use_bias: bool,
        weight_init: str | Initialize,
        bias_init: str | Initialize,
        name: str | None,
    ) -> None:
        super().__init__(name=name)
        self.activation = activation
        self.use_bias = bool(use_bias)
        self.weight_init = weight_init
        self.bias_init = bias_init
        self.applied = None if activation is None else as_activation(activation)
        act = self.applied
        if act is not None and act.options.get("axis", -1) != -1:
            raise ValueError(
                f"{self}: activation must be along the features, got {act!r}; make it a layer of"
                " its own"
            )
        self._fused = act is not None and act.is_fused
        self.epilogue = {}
        if act and self._fused:
            self.epilogue = {"activation": act.op, "alpha": act.options.get("alpha")}
        initializer(bias_init)
        if weight_init != "auto":
            initializer(weight_init)

    def add_weights(
        self,
        shape: tuple[int, ...],
        outputs: int,
        *,
        groups: int = 1,
        transposed: bool = False,
    ) -> None:
        """Declare ``weight`` and ``bias``, in `build`.

        Parameters
        ----------
        shape : tuple of int
            The weight's shape; its last axis holds the outputs, the one before it the inputs.
        outputs : int
            Length of the bias.
        groups : int
            Number of groups of outputs, each with inputs of its own.
        transposed : bool
            Whether the last two axes are exchanged.
        """
        initial = self.weight_init
        if initial == "auto":
            follows = self.applied.op if self.applied else self.activation_after
            row = ACTIVATIONS.get(follows or "")
            initial = "he" if row and row.rectifies else "xavier"
        draw = initializer(initial)

        def by_groups(shape: tuple[int, ...], random: np.random.Generator) -> NDArray[Any]:
            # Initialisers take fan-in and fan-out from the shape.
            inputs, outputs = shape[:-3:-1] if transposed else shape[-2:]
            if transposed:
                inputs //= groups
            else:
                outputs //= groups
            parts = [draw((*shape[:-2], inputs, outputs), random) for _ in range(groups)]
            return np.concatenate(
                [part.swapaxes(-1, -2) if transposed else part for part in parts], axis=-1
            )

        self.add_param("weight", shape, by_groups if groups > 1 or transposed else draw)
        if self.use_bias:
            self.add_param("bias", (outputs,), self.bias_init)

    def activate(self, y: NDArray[Any], training: bool) -> NDArray[Any]:
        """Return the outputs, from the result of a product with `epilogue`.

        Parameters
        ----------
        y : ndarray
            Result of the product.
        training : bool
            Whether this pass belongs to a training step.

        Returns
        -------
        ndarray
            The outputs.
        """
        act = self.applied
        if act is None:
            return y
        if self._fused:
            vars(act)["saved"] = y  # without the check of attributes, for small layers
            return y
        return act.forward(y, training)

    def gradient_of_sums(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Return the gradient with respect to the sums, before the activation.

        Parameters
        ----------
        dy : ndarray
            Gradient with respect to the outputs, in the shape of `y` of `activate`.

        Returns
        -------
        ndarray
            Gradient with respect to the sums.
        """
        return self.applied.backward(dy) if self.applied else dy

    def work(self, terms: int) -> int:
        """Return the floating-point operations of a sample.

        Parameters
        ----------
        terms : int
            Number of weighted inputs in each sum.

        Returns
        -------
        int
            Two for each weighted input, one for a bias, and those of the activation.
        """
        return math.prod(self.output_shape) * (2 * terms + self.ending_flops)

    @property
    def ending_flops(self) -> int:
        """Floating-point operations of bias and activation, for one element."""
        return self.use_bias + (self.applied.element_flops if self.applied else 0)
