"""Nodes of the textbook's first computational graphs: the product and the sum of two numbers."""

from __future__ import annotations

from typing import Any

__all__ = ["AddLayer", "MulLayer"]


class MulLayer:
    """The product x y of two numbers, or of two arrays of the same shape.

    Examples
    --------
    >>> apples = MulLayer()
    >>> apples.forward(100, 2), apples.backward(1.1)
    (200, (2.2, 110.00000000000001))
    """

    def forward(self, x: Any, y: Any) -> Any:
        """Return the product, and save both factors.

        Parameters
        ----------
        x, y : number or ndarray
            The factors.

        Returns
        -------
        number or ndarray
            Their product.
        """
        self.x, self.y = x, y
        return x * y

    def backward(self, dout: Any) -> tuple[Any, Any]:
        """Return the gradients, each the other factor times `dout`.

        Parameters
        ----------
        dout : number or ndarray
            Gradient with respect to the product.

        Returns
        -------
        tuple of number or ndarray
            Gradients with respect to `x` and `y`.
        """
        return dout * self.y, dout * self.x


class AddLayer:
    """The sum x + y of two numbers, or of two arrays of the same shape.

    Examples
    --------
    >>> fruit = AddLayer()
    >>> fruit.forward(200, 450), fruit.backward(1.1)
    (650, (1.1, 1.1))
    """

    def forward(self, x: Any, y: Any) -> Any:
        """Return the sum.

        Parameters
        ----------
        x, y : number or ndarray
            The terms.

        Returns
        -------
        number or ndarray
            Their sum.
        """
        return x + y

    def backward(self, dout: Any) -> tuple[Any, Any]:
        """Return the gradients, both `dout`.

        Parameters
        ----------
        dout : number or ndarray
            Gradient with respect to the sum.

        Returns
        -------
        tuple of number or ndarray
            Gradients with respect to `x` and `y`.
        """
        return dout, dout
