"""Trainings that are watched in the browser."""

from __future__ import annotations

import sys
import warnings
from threading import Lock, Thread
from time import perf_counter
from typing import TYPE_CHECKING
from weakref import WeakSet

from gyaku.callbacks import Callback
from gyaku.checks import texts, truth
from gyaku.lab.course import Course
from gyaku.lab.guests import LOST
from gyaku.lab.looks import Looks
from gyaku.lab.runs import OF_PROCESS
from gyaku.report.words import named

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from gyaku.lab.joined import Joined
    from gyaku.lab.runs import Run
    from gyaku.lab.server import Lab

__all__ = ["Live"]

_SECONDS = 0.09  # between two notes of the course

_shown: WeakSet[Any] = WeakSet()  # labs whose page was opened
_showing = Lock()

LEFT = "left the lab"
"""Reason of a run whose training goes on without the lab, which failed."""
STOPPED = "stopped in the lab"
"""Reason of a training that the page ended."""
_ENDS = ("interrupted", STOPPED, LEFT, LOST)


class Live(Callback):
    """Show the training in the lab, where it can be paused and ended.

    Parameters
    ----------
    title : str, optional
        Title of the run; by default the name of the model.
    names : sequence of str, optional
        Names of the classes; by default their numbers.
    open_browser : bool
        Whether to open the page; it is printed in any case.

    Attributes
    ----------
    url : str
        Address of the page, with its token; "" until the first training has started the lab.

    Raises
    ------
    TypeError
        If the names are no list.
    ImportError
        At the start of the training, if Starlette or uvicorn are not installed.

    Notes
    -----
    The first training starts the lab, or joins one of the same user that runs in another process,
    such as ``gyaku lab``; later ones, also of other models in other threads, join it, and their
    curves can be compared. The page shows loss and metrics of each epoch and within it, the sizes
    of the gradients, the findings of the doctor, and samples of the validation data that are still
    wrong. It may be closed and opened again.

    The training is the same as without the callback, bit by bit. If the lab fails, it goes on with
    a warning. A pause is not counted in the times of the history.

    Examples
    --------
    >>> import gyaku as gk
    >>> gk.lab.Live("digits, two layers", open_browser=False)
    Live(title='digits, two layers', open_browser=False)
    """

    url: str = ""

    def __init__(
        self,
        title: str | None = None,
        *,
        names: Sequence[str] | None = None,
        open_browser: bool = True,
    ) -> None:
        self.title = title
        self.names = None if names is None else texts("Live", "names", names)
        self.open_browser = truth("Live", "open_browser", open_browser)
        self._run: Run | None = None
        self._looks: Looks | None = None

    def on_train_begin(self) -> None:
        """Start or join the lab; see `Callback`."""
        self._run, self._looks, self._error = None, None, ""
        self._noted, self._epochs = 0.0, 0
        self._course: Course | None = None
        self._lab: Lab | Joined | None = None
        self._starts: Thread | None = None
        self._failure: Exception | None = None
        self._safely(self._begin)

    def _begin(self) -> None:
        """Begin the run, and start a lab beside the training if there is none."""
        from gyaku.lab.serve import opened

        self._lab = opened()
        runs = OF_PROCESS if self._lab is None else self._lab.runs
        assert runs is not None
        steps, history = self.training.training, self.training.history
        settings = {**history.settings, "samples": steps.data_count or None}
        self._run = runs.begin(
            {
                "title": self.title or str(self.model.title),
                "settings": settings,
                "names": {
                    lang: {name: named(name, lang) for name in (*settings, *_ENDS)}
                    for lang in ("en", "ja")
                },
                "parameters": int(self.model.flat_params.size),
            }
        )
        self._looks = Looks(self, self._run, self.names)
        if self._lab is None:
            self._starts = Thread(target=self._start, name="gyaku lab start", daemon=True)
            self._starts.start()
        else:
            self._show(self._lab)

    def _start(self) -> None:
        """Start the lab, or join that of another process, while the training goes on."""
        from gyaku.lab.serve import shared

        try:
            self._lab = shared()
            self._show(self._lab)
        except Exception as error:  # noqa: BLE001, raised by the next note
            self._failure = error

    def _show(self, lab: Lab | Joined) -> None:
        """Print the address of the page, and open it, once a lab."""
        self.url = lab.url
        with _showing:
            is_new = lab not in _shown  # later trainings appear on its page
            _shown.add(lab)
        if is_new:
            from tqdm import tqdm

            tqdm.write(f"lab: {lab.url}", file=sys.stderr)  # above the bar of progress
            if self.open_browser:
                lab.open("watch")

    def on_steps_end(self, step: int) -> str | None:
        """Note the course, and do what the page asks for; see `Callback.on_steps_end`."""
        run = self._run
        if run is None:
            return None
        if run.state == "paused" or perf_counter() - self._noted >= _SECONDS:
            self._safely(self._note)
            self._safely(self._rest)
            self._noted = perf_counter()
        return STOPPED if run.is_asked_to_stop else None

    def on_exception(self, error: BaseException) -> None:
        """Note why the training ends; see `Callback.on_exception`."""
        self._error = f"{type(error).__name__}: {error}".removesuffix(": ")

    def on_train_end(self) -> None:
        """Note where the training ended; see `Callback`."""
        run, reason = self._run, self.training.history.stopped or self._error
        if self._starts is not None and reason != "interrupted":
            self._starts.join()
        if run is not None:
            self._safely(self._note)
            if reason != "interrupted":
                self._look(Looks.look)
            self._safely(lambda: run.end(reason))
        self._run = self._looks = self._course = self._starts = None

    def _note(self) -> None:
        """Note what is new."""
        if self._failure is not None:
            raise self._failure
        run, loop = self._run, self.training
        assert run is not None
        history, first = loop.history, loop.history.initial_epoch + 1
        for epoch in range(self._epochs, history.epochs):
            run.add(first + epoch, {name: history[name][epoch] for name in history})
        self._epochs = history.epochs
        if self._course is None:
            self._course = Course(loop, self.steps_per_epoch)
        run.add(self._course.place, self._course.since_last())
        run.put("numbers", self._course.numbers())
        self._look(Looks.look_if_due)

    def _look(self, look: Callable[[Looks], None]) -> None:
        looks = self._looks
        if looks is not None and not self._tried(lambda: look(looks)):
            self._looks = None

    def _rest(self) -> None:
        """Wait while the page has paused the training."""
        run, loop, lab = self._run, self.training, self._lab
        if run is not None and (
            rested := run.wait(
                lambda: loop.is_asked_to_end or (lab is not None and not lab.is_open)
            )
        ):
            loop.rested(rested)
            if self._course is not None:
                self._course.rested(rested)

    def _safely(self, action: Callable[[], object]) -> None:
        """Run what must not end the training; leave the lab if it fails."""
        run = self._run
        if not self._tried(action):
            self._run = None
            if run is not None:
                self._tried(lambda: run.end(LEFT))

    def _tried(self, action: Callable[[], object]) -> bool:
        """Return whether an action succeeded; warn if not."""
        try:
            action()
        except ImportError:
            raise
        except Exception as error:  # noqa: BLE001, since a training is worth more than its picture
            warnings.warn(
                f"Live: the training goes on without the lab, which failed: {error!r}",
                stacklevel=2,
            )
            return False
        return True
