"""Markdown with equations as plain text for a terminal."""

from __future__ import annotations

import re

__all__ = ["plain"]

_SYMBOLS = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "delta": "δ",
    "Delta": "Δ",
    "epsilon": "ε",
    "varepsilon": "ε",
    "eta": "η",
    "theta": "θ",
    "lambda": "λ",
    "mu": "μ",
    "nu": "ν",
    "pi": "π",
    "rho": "ρ",
    "sigma": "σ",
    "tau": "τ",
    "phi": "φ",
    "varphi": "φ",
    "partial": "∂",
    "nabla": "∇",
    "sum": "Σ",
    "prod": "Π",
    "int": "∫",
    "infty": "∞",
    "cdot": "·",
    "times": "×",
    "odot": "⊙",
    "circ": "∘",
    "ast": "*",
    "pm": "±",
    "le": "≤",
    "leq": "≤",
    "ge": "≥",
    "geq": "≥",
    "ne": "≠",
    "neq": "≠",
    "approx": "≈",
    "gg": "≫",
    "ll": "≪",
    "sim": "~",
    "propto": "∝",
    "in": "∈",
    "leftarrow": "←",
    "rightarrow": "→",
    "to": "→",
    "mapsto": "↦",
    "dots": "…",
    "ldots": "…",
    "cdots": "…",
    "lVert": "‖",
    "rVert": "‖",
    "mid": "|",
    "qquad": "    ",
    "quad": "   ",
    "left": "",
    "right": "",
    "big": "",
    "Big": "",
    **{name: name for name in ("exp", "log", "ln", "max", "min", "tanh", "sin", "cos", "det")},
}
_RAISED = dict(zip("0123456789+-()nTt", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿᵀᵗ", strict=True))
_LOWERED = dict(zip("0123456789+-()ijklmnt", "₀₁₂₃₄₅₆₇₈₉₊₋₍₎ᵢⱼₖₗₘₙₜ", strict=True))
_GROUP = r"\{((?:[^{}]|\{[^{}]*\})*)\}"  # braces with at most one level of braces inside


def plain(markdown: str) -> str:
    r"""Return Markdown as plain text.

    Parameters
    ----------
    markdown : str
        Text with headings, links, emphasis and equations in TeX.

    Returns
    -------
    str
        The text; a link keeps its words, an equation becomes a line of Unicode.

    Examples
    --------
    >>> plain(r"**Loss** $E = \frac{1}{2} \sum (o - y)^2$, see [losses](05_losses.md)")
    'Loss E = 1/2 Σ (o - y)², see losses'
    """
    text = re.sub(r"\A.*English.*日本語.*\n", "", markdown)
    text = re.sub(r"\$\$(.+?)\$\$", lambda m: "    " + _equation(m[1]), text, flags=re.DOTALL)
    text = re.sub(r"\$([^$]+)\$", lambda m: _equation(m[1]), text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)\s]*\)", r"\1", text)
    text = re.sub(r"\*\*(.+?)\*\*", r"\1", text)
    text = re.sub(r"(?<![\w`])_([^_\n]+)_(?![\w`])", r"\1", text)
    text = re.sub(r"^# (.+)$", lambda m: f"{m[1]}\n{'=' * _width(m[1])}", text, flags=re.MULTILINE)
    text = re.sub(
        r"^##+ (.+)$", lambda m: f"{m[1]}\n{'-' * _width(m[1])}", text, flags=re.MULTILINE
    )
    return text.strip("\n")


def _width(text: str) -> int:
    """Return the columns of a terminal that a text takes."""
    from unicodedata import east_asian_width

    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _equation(tex: str) -> str:
    """Return an equation in TeX as a line of Unicode."""
    text = re.sub(r"\\(?:text|mathrm|mathbf|operatorname)" + _GROUP, r"\1", tex)
    text = re.sub(r"\\begin\{cases\}(.*?)\\end\{cases\}", _cases, text, flags=re.DOTALL)
    for _ in range(2):  # a fraction in a fraction
        text = re.sub(r"\\[dt]?frac" + _GROUP + r"\s*" + _GROUP, _fraction, text)
    text = re.sub(r"\\sqrt" + _GROUP, r"√(\1)", text)
    text = re.sub(r"\\hat" + _GROUP, "\\1\u0302", text)
    text = re.sub(r"\\[,;:! ]", " ", text)
    text = re.sub(r"\\([{}%|])", lambda m: {"{": "❴", "}": "❵"}.get(m[1], m[1]), text)
    text = re.sub(r"\\([A-Za-z]+)", lambda m: _SYMBOLS.get(m[1], m[0]), text)
    text = re.sub(r"\^(?:" + _GROUP + r"|(\S))", lambda m: _script(m, "^", _RAISED), text)
    text = re.sub(r"_(?:" + _GROUP + r"|(\S))", lambda m: _script(m, "_", _LOWERED), text)
    text = text.translate({ord("❴"): "{", ord("❵"): "}", ord("{"): None, ord("}"): None})
    return re.sub(r"\s+", " ", text).strip()


def _cases(found: re.Match[str]) -> str:
    rows = [row.replace("&", "  ").strip() for row in re.split(r"\\\\", found[1])]
    return "; ".join(row for row in rows if row)


def _fraction(found: re.Match[str]) -> str:
    parts = (re.sub(r"\\partial\s+", "∂", part.strip()) for part in found.groups())
    above, below = (f"({part})" if re.search(r"[+\- ]", part) else part for part in parts)
    return f"{above}/{below}"


def _script(found: re.Match[str], sign: str, table: dict[str, str]) -> str:
    content = (found[1] or found[2] or "").strip()
    if content and all(letter in table for letter in content):
        return "".join(table[letter] for letter in content)
    if content in ("'", "′"):
        return "′"
    return f"{sign}{content}" if len(content) == 1 else f"{sign}({content})"
