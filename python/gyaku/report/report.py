"""The report of a training: settings, course, model, test, findings and environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.checks import whole
from gyaku.files import write_atomically
from gyaku.report import page
from gyaku.report.environment import environment
from gyaku.report.outcome import Outcome, outcome_parts
from gyaku.report.training import course_parts, duration, settings_parts
from gyaku.report.words import WORDS, named

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence
    from typing import Any, Literal

    from gyaku.diagnosis import Diagnosis
    from gyaku.history import History

__all__ = ["write"]


def write(
    history: History,
    path: str | os.PathLike[str],
    *,
    model: Any = None,
    data: tuple[object, object] | None = None,
    diagnosis: Diagnosis | None = None,
    names: Sequence[str] | None = None,
    title: str | None = None,
    count: int = 40,
    lang: Literal["en", "ja"] = "en",
) -> None:
    """Write the report of a training; see `History.report`.

    Parameters
    ----------
    history : History
        The history.
    path : str or path-like
        The file.
    model, data, diagnosis, names, title, count, lang : object
        See `History.report`.
    """
    owner = "report"
    if lang not in WORDS:
        raise ValueError(f"{owner}: lang must be 'en' or 'ja', got {lang!r}")
    if data is not None and model is None:
        raise ValueError(f"{owner}: data need the model that they test, as in model=model")
    if model is not None and not hasattr(model, "predict"):
        raise TypeError(f"{owner}: model must be a Model, got {type(model).__name__}")
    if diagnosis is not None:
        _validate(owner, diagnosis)
    outcome = None
    if data is not None:
        outcome = Outcome.of(owner, model, data, names, whole(owner, "count", count, least=0))
        if diagnosis is None and model.loss is not None:
            from gyaku.diagnosis import diagnose

            diagnosis = diagnose(model, outcome.x, outcome.y, history=history, lang=lang)
    words = WORDS[lang]
    of_model = words["untitled"] if model is None else words["title"].format(name=_of(model))
    name = str(title or of_model)
    body = [
        _head(history, name, lang),
        *settings_parts(history, lang),
        *course_parts(history, lang),
        *_model_parts(model, lang),
        *([] if outcome is None else outcome_parts(outcome, lang)),
        *_findings_parts(diagnosis, lang),
        page.section("environment", words["environment"], [page.facts(environment(lang))]),
    ]
    text = page.document(lang, name, body)
    write_atomically(path, lambda stream: stream.write(text.encode()))


def _validate(owner: str, diagnosis: object) -> None:
    """Raise TypeError if it is no diagnosis."""
    from gyaku.diagnosis import Diagnosis

    if not isinstance(diagnosis, Diagnosis):
        kind = type(diagnosis).__name__
        raise TypeError(f"{owner}: diagnosis must be one of gyaku.diagnose, got {kind}")


def _of(model: Any) -> str:
    return str(getattr(model, "title", type(model).__name__))


def _head(history: History, name: str, lang: str) -> str:
    """Return the title, and when and how the training ended."""
    words, epochs = WORDS[lang], history.epochs
    parts = []
    if begun := history.settings.get("begun"):
        parts.append(words["begun"].format(begun=str(begun).replace("T", " ")))
    parts.append(words["after_one"] if epochs == 1 else words["after"].format(epochs=epochs))
    parts.append(words["took"].format(seconds=duration(sum(history.seconds), lang)))
    lines = [page.note("、".join(parts) if lang == "ja" else ", ".join(parts))]
    if epochs:
        last = [f"{named(key, lang)} {page.number(value)}" for key, value in history.last().items()]
        lines.append(page.note(" · ".join(last)))
    if history.stopped:
        lines.append(page.note(words["stopped"].format(reason=named(history.stopped, lang))))
    return page.header(name, lines)


def _model_parts(model: Any, lang: str) -> Iterator[str]:
    if model is None:
        return
    from gyaku.model.report import summary

    words, layers = WORDS[lang], summary(model)
    parts = [page.table([named(each, lang) for each in layers.header], layers.rows, kind="numbers")]
    if model.built:
        size = sum(view.size for view in model.params.values())
        facts = {"count": f"{size:,}", "dtype": model.dtype, "shape": model.input_shape}
        parts.append(page.note(words["parameters"].format(**facts)))
    yield page.section("model", words["model"], parts)


def _findings_parts(diagnosis: Diagnosis | None, lang: str) -> Iterator[str]:
    if diagnosis is None:
        return
    words = WORDS[lang]
    header = [words[name] for name in ("finding", "layer", "observation", "remedy")]
    each = [finding.translated(lang) for finding in diagnosis]
    rows = [(f.title, f.layer or "", f.sentence, f.remedy) for f in each]
    part = page.table(header, rows) if rows else page.note(words["nothing_found"])
    yield page.section("findings", words["findings"], [part])
