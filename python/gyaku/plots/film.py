"""Animations that a notebook shows, and that are saved without a screen."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes

__all__ = ["film"]


def film(
    ax: Axes, draw: Callable[[int], Any], frames: int, *, interval: int = 100
) -> FuncAnimation:
    """Return an animation, which a notebook shows as a GIF.

    Parameters
    ----------
    ax : Axes
        Axes of the figure.
    draw : callable
        Function to draw a frame, called with its number, from 0.
    frames : int
        Number of frames.
    interval : int
        Time of a frame in milliseconds.

    Returns
    -------
    FuncAnimation
        The animation; its ``save("film.gif")`` writes a file.
    """
    figure: Any = ax.get_figure(root=True)
    draw(0)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # one layout for all frames
    return _shown()(figure, draw, frames=frames, interval=interval, cache_frame_data=False)


@cache
def _shown() -> type[FuncAnimation]:
    """Return the class of animations that a notebook shows."""
    from base64 import b64encode
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from matplotlib.animation import FuncAnimation, PillowWriter

    class Shown(FuncAnimation):
        def __init__(self, *given: Any, interval: int, **options: Any) -> None:
            super().__init__(*given, interval=interval, **options)
            self._milliseconds = interval
            self._draw_was_started = True  # no warning where it is not shown
            self._gif = ""

        def save(  # type: ignore[override]
            self, filename: Any, writer: Any = None, **options: Any
        ) -> None:
            """Save it, by default with Pillow."""
            if writer is None and str(filename).lower().endswith(".gif"):
                writer = PillowWriter(fps=round(1000 / self._milliseconds))
            super().save(filename, writer, **options)

        def _repr_html_(self) -> str:
            if not self._gif:
                with TemporaryDirectory() as folder:
                    path = Path(folder) / "film.gif"
                    self.save(path, dpi=100)
                    self._gif = b64encode(path.read_bytes()).decode()
            return f'<img alt="animation" src="data:image/gif;base64,{self._gif}">'

    return Shown
