"""What all plots share: colours, languages, spines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BLUE", "GRID", "INK", "VERMILION", "decorate", "japanese_font", "set_font"]

# Okabe and Ito's blue and vermilion, which are safe for all kinds of colour vision.
BLUE, VERMILION = "#0072B2", "#D55E00"
INK, GRID = "#333333", "#E4E4E4"

_JAPANESE_FONTS = (
    *("Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "IPAGothic", "Hiragino Sans"),
    *("Yu Gothic", "Meiryo", "TakaoPGothic", "VL PGothic", "Source Han Sans JP"),
)


def japanese_font() -> str | None:
    """Return a Japanese font of this machine, or warn and return None.

    Returns
    -------
    str or None
        Name of the font's family.
    """
    import warnings

    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    for family in _JAPANESE_FONTS:
        if family in installed:
            return family
    warnings.warn(
        "no Japanese font was found, so the labels are English: install one, for example"
        " Noto Sans CJK JP",
        stacklevel=3,
    )
    return None


def set_font(figure: Figure, family: str) -> None:
    """Set the font of all texts of a figure.

    Parameters
    ----------
    figure : Figure
        The figure.
    family : str
        Name of the font's family.
    """
    for text in figure.findobj(lambda artist: hasattr(artist, "set_fontfamily")):
        text.set_fontfamily(family)  # type: ignore[attr-defined]


def decorate(panel: Axes) -> None:
    """Draw horizontal grid lines and the bottom spine alone.

    Parameters
    ----------
    panel : Axes
        The axes.
    """
    panel.grid(axis="y", color=GRID, linewidth=0.8)
    panel.set_axisbelow(True)
    panel.tick_params(colors=INK, length=0, labelsize=9)
    for side, spine in panel.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(INK)
