"""The result of a diagnosis: findings as a list, in text and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from gyaku.findings import Finding

__all__ = ["LANGUAGES", "Diagnosis"]

LANGUAGES = ("en", "ja")
_HEADERS = {
    "en": ("finding", "layer", "observation", "remedy"),
    "ja": ("所見", "層", "観察", "対策"),
}


class Diagnosis(Sequence["Finding"]):
    """Findings on a model and its training.

    Parameters
    ----------
    model : str
        Name of the model.
    samples : int
        Number of samples that were measured.
    findings : sequence of Finding
        The findings.
    lang : {"en", "ja"}
        The language.

    Examples
    --------
    >>> from gyaku.findings import Finding
    >>> Diagnosis("Sequential", 256, [Finding("byte_inputs", value=255)])
    Diagnosis of Sequential, 256 samples: 1 finding
      bytes as inputs: x holds bytes up to 255, which are taken at their value
        -> put gyaku.Rescaling(1 / 255) in front of the first layer, or give x / 255
    >>> Diagnosis("Sequential", 256, []).ok
    True
    """

    def __init__(
        self, model: str, samples: int, findings: Sequence[Finding], lang: str = "en"
    ) -> None:
        self.model, self.samples, self.lang = model, samples, lang
        self._findings = [each.translated(lang) for each in findings]

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self._findings

    @overload
    def __getitem__(self, which: int) -> Finding: ...
    @overload
    def __getitem__(self, which: slice) -> Sequence[Finding]: ...
    def __getitem__(self, which: int | slice) -> Finding | Sequence[Finding]:
        """Return findings by index."""
        return self._findings[which]

    def __len__(self) -> int:
        return len(self._findings)

    @property
    def title(self) -> str:
        """Model, number of samples and number of findings."""
        count = len(self)
        if self.lang == "ja":
            found = f"所見 {count} 件" if count else "所見なし"
            return f"{self.model} の診断({self.samples} サンプル):{found}"
        found = f"{count} finding{'s' * (count > 1)}" if count else "nothing found"
        return f"Diagnosis of {self.model}, {self.samples} samples: {found}"

    def __repr__(self) -> str:
        lines = [self.title]
        for each in self:
            lines += [f"  {each.title}: {each.sentence}", f"    -> {each.remedy}"]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        caption = f"<caption>{escape(self.title)}</caption>"
        if self.ok:
            return f"<table>{caption}</table>"
        rows = [(f.title, f.layer or "", f.sentence, f.remedy) for f in self]
        head = "".join(f"<th>{escape(cell)}</th>" for cell in _HEADERS[self.lang])
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
        )
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
