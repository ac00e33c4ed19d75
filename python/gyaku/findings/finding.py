"""A finding, which says itself in English or Japanese."""

from __future__ import annotations

from math import nan
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from gyaku.findings.words import WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gyaku.findings.words import Wording

__all__ = ["Finding"]

_JOINTS = {"en": "; ", "ja": "。"}


class Finding(NamedTuple):
    """Finding on a training: one probable mistake and its remedy.

    Parameters
    ----------
    kind : str
        The kind, a key of `gyaku.findings.WORDS`.
    layer : str or None
        Path of the layer; None for data, outputs or the training as a whole.
    value : float
        The measured value; NaN if the architecture alone is at fault.
    facts : mapping of str to object
        Further facts of the sentence.
    lang : {"en", "ja"}
        The language.

    Examples
    --------
    >>> finding = Finding("byte_inputs", value=255.0)
    >>> finding.sentence
    'x holds bytes up to 255, which are taken at their value'
    >>> finding.remedy
    'put gyaku.Rescaling(1 / 255) in front of the first layer, or give x / 255'
    """

    kind: str
    layer: str | None = None
    value: float = nan
    facts: Mapping[str, object] = MappingProxyType({})
    lang: str = "en"

    def translated(self, lang: str) -> Finding:
        """Return the finding in a language.

        Parameters
        ----------
        lang : {"en", "ja"}
            The language.

        Returns
        -------
        Finding
            The same finding.
        """
        return self._replace(lang=lang)

    @property
    def title(self) -> str:
        """Name of the kind."""
        return self._words.title

    @property
    def sentence(self) -> str:
        """The finding in plain words."""
        return self._filled(self._words.sentence)

    @property
    def remedy(self) -> str:
        """The remedy in plain words."""
        return self._filled(self._words.remedy)

    @property
    def _words(self) -> Wording:
        return WORDS[self.kind][self.lang]

    def _filled(self, text: str) -> str:
        return text.format(layer=self.layer, value=self.value, **self.facts)

    def __str__(self) -> str:
        return _JOINTS[self.lang].join([self.sentence, self.remedy])
