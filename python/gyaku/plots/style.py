"""What all plots share: colours, languages, spines."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Literal, TypeVar

    from matplotlib.axes import Axes

    Words = TypeVar("Words")
    Language = Literal["en", "ja"]

__all__ = ["BLUE", "COLORS", "GREY", "GRID", "INK", "VERMILION", "decorate", "frameless"]
__all__ += ["heading", "japanese_font", "percent", "set_font", "wording"]

# Okabe and Ito's colours, which are safe for all kinds of colour vision.
BLUE, VERMILION = "#0072B2", "#D55E00"
COLORS = (BLUE, VERMILION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C8C00", "#000000")
INK, GREY, GRID = "#333333", "#8A8A8A", "#E4E4E4"

_JAPANESE_FONTS = (
    *("Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "IPAGothic", "Hiragino Sans"),
    *("Yu Gothic", "Meiryo", "TakaoPGothic", "VL PGothic", "Source Han Sans JP"),
)


def wording(owner: str, words: Mapping[str, Words], lang: Language) -> tuple[Words, str | None]:
    """Return the words of a language, and its font.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    words : mapping of str to object
        Words by language, ``"en"`` and ``"ja"``.
    lang : {"en", "ja"}
        The language; without a Japanese font the words are English, with a warning.

    Returns
    -------
    words : object
        The words.
    font : str or None
        Name of the font's family; None for that of Matplotlib.

    Raises
    ------
    ValueError
        If the language is unknown.
    """
    if lang not in words:
        raise ValueError(f"{owner}: lang must be 'en' or 'ja', got {lang!r}")
    font = japanese_font() if lang == "ja" else None
    return words["en" if font is None else lang], font


def japanese_font() -> str | None:
    """Return a Japanese font of this machine, or warn and return None.

    Returns
    -------
    str or None
        Name of the font's family.
    """
    import warnings

    from matplotlib.font_manager import fontManager

    for look_again in (False, True):
        if look_again:
            _add_new_fonts()
        installed = set(fontManager.get_font_names())
        for family in _JAPANESE_FONTS:
            if family in installed:
                return family
    warnings.warn(
        "no Japanese font was found, so the labels are English: install one, for example"
        " Noto Sans CJK JP (package fonts-noto-cjk)",
        stacklevel=4,
    )
    return None


def _add_new_fonts() -> None:
    """Add fonts that were installed after Matplotlib made its list."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    listed = {entry.fname for entry in fontManager.ttflist}
    for path in findSystemFonts():
        if path not in listed:
            with suppress(RuntimeError, OSError):  # no font, or one that cannot be read
                fontManager.addfont(path)


def set_font(font: str | None, *axes: Axes) -> None:
    """Set the font of all texts of axes.

    Parameters
    ----------
    font : str or None
        Name of the font's family; None changes nothing.
    *axes : Axes
        The axes.
    """
    for each in axes if font is not None else ():
        for text in each.findobj(lambda artist: hasattr(artist, "set_fontfamily")):
            text.set_fontfamily(font)  # type: ignore[attr-defined]


def decorate(panel: Axes) -> None:
    """Draw horizontal grid lines and the bottom spine alone.

    Parameters
    ----------
    panel : Axes
        The axes.
    """
    panel.grid(axis="y", color=GRID, linewidth=0.8)
    panel.set_axisbelow(True)
    frameless(panel)
    panel.spines["bottom"].set_visible(True)
    panel.spines["bottom"].set_color(INK)


def frameless(panel: Axes) -> None:
    """Remove the spines and the marks of the ticks; their labels stay.

    Parameters
    ----------
    panel : Axes
        The axes.
    """
    panel.tick_params(which="both", colors=INK, length=0, labelsize=9)
    for spine in panel.spines.values():
        spine.set_visible(False)


def heading(panel: Axes, text: str) -> None:
    """Write a title, on the left above the axes.

    Parameters
    ----------
    panel : Axes
        The axes.
    text : str
        The title.
    """
    panel.set_title(text, loc="left", color=INK, fontsize=11)


def percent(fraction: Any) -> str:
    """Return a fraction as a percentage, with one decimal.

    Parameters
    ----------
    fraction : float
        The fraction.

    Returns
    -------
    str
        The text.

    Examples
    --------
    >>> percent(0.875)
    '87.5 %'
    """
    return f"{100 * fraction:.1f} %"
