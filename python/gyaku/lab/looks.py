"""Looks at a training between two steps: the doctor's, and one at samples that are still wrong."""

from __future__ import annotations

from base64 import b64encode
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from gyaku.diagnosis.examination import Examination
from gyaku.report.decisions import decisions
from gyaku.report.pictures import pictures
from gyaku.train.evaluation import StreamedEvaluation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.callbacks import Callback
    from gyaku.findings import Finding
    from gyaku.lab.runs import Run
    from gyaku.train.samples import Samples

__all__ = ["Looks"]

_SHARE = 100  # a look follows when 100 times as long as the last one took has passed
_FIRST, _LEAST = 2.0, 1.0  # seconds before the first look, and between two
_SAMPLES = 512  # among which wrong ones are searched
_AT_ONCE = 32  # samples, whose outputs stay in the cache
_SHOWN = 24


class Looks:
    """Looks at a training, which leave it as it is.

    Parameters
    ----------
    callback : Callback
        A callback in training.
    run : Run
        The run to note them in.
    names : sequence of str or None
        Names of the classes.
    """

    def __init__(self, callback: Callback, run: Run, names: Sequence[str] | None) -> None:
        self._callback, self._run, self._names = callback, run, names or ()
        self._due = perf_counter() + _FIRST
        self._examination: Examination | None = None
        self._chosen: _Chosen | None = None

    def look_if_due(self) -> None:
        """Look if the last look is long enough ago."""
        if perf_counter() >= self._due:
            self.look()

    def look(self) -> None:
        """Note findings, sizes of gradients, and wrong samples."""
        began = perf_counter()
        if self._examination is None:
            self._examination = Examination.during("Live", self._callback)
            self._chosen = _Chosen.of(self._callback)
        self._diagnose(self._examination)
        if self._chosen is not None:
            self._run.put("wrong", self._wrong(self._chosen))
        now = perf_counter()
        self._due = now + max(_LEAST, _SHARE * (now - began))

    def _diagnose(self, examination: Examination) -> None:
        callback = self._callback
        found = examination.look(callback.model.optimizer, callback.training.history, "en")
        self._run.put("findings", [_in_both_languages(each) for each in found])
        sizes = [
            {"layer": each.layer, "gradient": each.gradient, "weights": each.size,
             "update": each.update}
            for each in examination.measures.weights
        ]  # fmt: skip
        self._run.put("layers", sizes)

    def _wrong(self, chosen: _Chosen) -> dict[str, Any] | None:
        """Return the samples that are wrong; None if outputs and targets are no classes."""
        model = self._callback.model
        with model.states_aside():
            outputs = model.predict(chosen.x, batch_size=_AT_ONCE)
        found = decisions(outputs, chosen.y, model.loss)
        if found is None:
            self._chosen = None
            return None
        wrong = found.wrong
        shown = wrong[:_SHOWN]
        drawn = pictures(chosen.x[shown])
        names = [*self._names]
        names += [str(number) for number in range(len(names), found.classes)]
        items: list[dict[str, Any]] = [
            {
                "sample": int(chosen.rows[row]),
                "true": names[found.true[row]],
                "found": names[found.found[row]],
            }
            for row in shown
        ]
        for item, picture in zip(items, () if drawn is None else drawn, strict=False):
            item["pixels"] = b64encode(picture.tobytes()).decode("ascii")
        return {
            "of": chosen.of_which,
            "count": len(chosen.rows),
            "wrong": len(wrong),
            "shape": None if drawn is None else list(drawn.shape[1:]),
            "items": items,
        }


class _Chosen:
    """Samples among which wrong ones are searched.

    Parameters
    ----------
    samples : Samples
        The data set, of one input and one output.
    of_which : {"validation", "training"}
        Which one it is.
    """

    def __init__(self, samples: Samples, of_which: str) -> None:
        self.of_which = of_which
        count = min(_SAMPLES, samples.count)
        places = np.linspace(0, samples.count - 1, count).astype(np.int64)
        self.rows: NDArray[np.int64] = places if samples.rows is None else samples.rows[places]
        self.x, self.y = samples.x[0][self.rows], samples.y[0][self.rows]

    @classmethod
    def of(cls, callback: Callback) -> _Chosen | None:
        """Return samples of the validation, else of the training; None if there are none."""
        validation = callback.training.validation
        samples, of_which = callback.samples, "training"
        if validation is not None and not isinstance(validation, StreamedEvaluation):
            samples, of_which = validation.samples, "validation"
        if samples is None or not samples.count or samples.lengths:
            return None
        if len(samples.x) != 1 or len(samples.y) != 1:
            return None
        return cls(samples, of_which)


def _in_both_languages(finding: Finding) -> dict[str, Any]:
    said: dict[str, Any] = {"kind": finding.kind, "layer": finding.layer}
    for lang in ("en", "ja"):
        each = finding.translated(lang)
        said[lang] = {"title": each.title, "sentence": each.sentence, "remedy": each.remedy}
    return said
