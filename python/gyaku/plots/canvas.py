"""Axes to draw into: given ones, or those of a new figure, which a notebook shows."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import IO, Any

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["axes_for", "divided", "save"]


def axes_for(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return given axes, or those of a new figure, which show themselves in a notebook.

    Parameters
    ----------
    ax : Axes or None
        The given axes.
    size : tuple of float
        Width and height of a new figure in inches.

    Returns
    -------
    Axes
        The axes.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    if ax is not None:
        if not hasattr(ax, "get_subplotspec"):
            raise TypeError(f"ax must be Axes of Matplotlib, got {type(ax).__name__}")
        return ax
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08, wspace=0.04)
    figure = Figure(figsize=size, dpi=150, layout=layout)
    return figure.add_subplot(axes_class=_shown())


@cache
def _shown() -> type[Axes]:
    """Return the class of axes whose picture a notebook shows."""
    from io import BytesIO

    from matplotlib.axes import Axes

    class Shown(Axes):
        def _repr_png_(self) -> bytes:
            stream = BytesIO()
            save(self, stream)
            return stream.getvalue()

    return Shown


def save(ax: Axes, stream: IO[bytes], kind: str = "png") -> None:
    """Write the figure of axes to a stream.

    Parameters
    ----------
    ax : Axes
        The axes.
    stream : binary stream
        The stream.
    kind : str
        The format, such as "png" or "pdf".

    Raises
    ------
    ValueError
        If the format is unknown.
    """
    figure: Any = ax.get_figure(root=True)
    figure.savefig(stream, format=kind)


def divided(ax: Axes, rows: int, columns: int, **options: Any) -> NDArray[Any]:
    """Divide axes into panels.

    Parameters
    ----------
    ax : Axes
        The axes, of which nothing but the place is used.
    rows, columns : int
        Number of panels below and beside each other.
    **options : object
        Of `matplotlib.figure.Figure.subplots` and of the grid: ``sharex``, ``width_ratios``.

    Returns
    -------
    ndarray of Axes
        The panels, (rows, columns).
    """
    from matplotlib.gridspec import GridSpec

    share = {key: options.pop(key) for key in ("sharex", "sharey") if key in options}
    spec, figure = ax.get_subplotspec(), ax.figure
    ax.set_axis_off()
    if spec is not None:
        grid: Any = spec.subgridspec(rows, columns, **options)
    else:
        box = ax.get_position()
        edges = {"left": box.x0, "right": box.x1, "bottom": box.y0, "top": box.y1}
        grid = GridSpec(rows, columns, figure, **edges, **options)  # type: ignore[arg-type]
    panels: NDArray[Any] = grid.subplots(squeeze=False, **share)
    return panels
