"""The doctor as a callback, which looks at a training once an epoch."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING

from gyaku.callbacks import Callback
from gyaku.diagnosis.examination import Examination, checked_language, consequences

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from gyaku.diagnosis.diagnosis import Diagnosis

__all__ = ["Doctor"]


def _level() -> int:
    """Return the stack level, for a warning of the caller, of the line that calls `fit`."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and frame.f_globals["__name__"].startswith("gyaku."):
        frame, level = frame.f_back, level + 1
    return level


class Doctor(Callback):
    """Look at the training before the first epoch and after each, and warn of what is wrong.

    Parameters
    ----------
    lang : {"en", "ja"}
        Language of the findings.

    Attributes
    ----------
    diagnosis : Diagnosis or None
        All findings at the last look.

    Raises
    ------
    ValueError
        If the language is unknown.

    Notes
    -----
    A look is one training step on at most 256 samples without its update; see `gyaku.diagnose`. Of
    data that are not in memory, it is one on the first samples read, without findings on labels.
    There is one warning for each kind of finding, none for what follows from one that was named
    before, and none for what `fit` warns of itself. The
    training is the same as without the callback, bit by bit.

    Examples
    --------
    >>> import gyaku as gk
    >>> (x, y), _ = gk.data.digits()
    >>> model = gk.models.mlp([32])
    >>> doctor = gk.Doctor()
    >>> history = model.fit(
    ...     x, y, loss="softmax_cross_entropy", epochs=3, callbacks=doctor, verbose=0
    ... )
    >>> doctor.diagnosis
    Diagnosis of Sequential 'mlp', 256 samples: nothing found
    """

    diagnosis: Diagnosis | None = None

    def __init__(self, *, lang: Literal["en", "ja"] = "en") -> None:
        self.lang = checked_language("Doctor", lang)

    def on_train_begin(self) -> None:
        """Look at data and initial weights; see `Callback`."""
        self._examination = Examination.during("Doctor", self)
        self._said = {each.kind for each in self._examination.advice}
        self._look()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Look at the training; see `Callback.on_epoch_end`."""
        self._look()

    def on_train_end(self) -> None:
        """Forget the data; see `Callback`."""
        vars(self).pop("_examination", None)

    def _look(self) -> None:
        self.diagnosis = self._examination.look(
            self.model.optimizer, self.training.history, self.lang
        )
        for each in self.diagnosis:
            if each.kind not in self._said:
                self._said |= {each.kind, *consequences(each.kind)}
                warnings.warn(f"Doctor: {each}", stacklevel=_level())
