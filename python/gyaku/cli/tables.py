"""Predictions for the rows of tables."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gyaku.cli.model_file import probabilities
from gyaku.cli.parser import UsageError
from gyaku.cli.table import listed, read_table
from gyaku.files import check_writable, write_atomically

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from gyaku.cli.columns import Columns
    from gyaku.model import Model

__all__ = ["predict_tables"]


def predict_tables(model: Model, columns: Columns, arguments: argparse.Namespace) -> int:
    """Print or write the predictions for the rows of tables.

    Parameters
    ----------
    model : Model
        The model.
    columns : Columns
        The rule by which it takes tables.
    arguments : argparse.Namespace
        With ``files``, ``index``, ``output`` and ``json``.

    Returns
    -------
    int
        The exit code.
    """
    if not arguments.files:
        raise UsageError(
            "the model was trained on a table; give a table with the columns"
            f" {listed([column.name for column in columns.inputs])}"
        )
    if arguments.output:
        check_writable(arguments.output)
    rows = [row for file in arguments.files for row in _rows(model, columns, file, arguments.index)]
    if len(arguments.files) == 1:
        for row in rows:
            del row["file"]
    text = json.dumps(rows) + "\n" if arguments.json else _as_csv(rows)
    if arguments.output:
        write_atomically(arguments.output, lambda stream: stream.write(text.encode()))
    else:
        sys.stdout.write(text)
    return 0


def _rows(
    model: Model, columns: Columns, file: str, chosen: list[int] | None
) -> list[dict[str, Any]]:
    """Return the predictions for a table, one for each row."""
    table = read_table(Path(file))
    more = columns.check_names(table)
    if more:
        print(
            f"gyaku predict: {file} has columns that the model does not know and leaves out:"
            f" {listed(more)}",
            file=sys.stderr,
        )
    if chosen:
        for index in chosen:
            if index >= len(table):
                raise UsageError(f"--index goes from 0 to {len(table) - 1} for {file}, got {index}")
        table = table.only(chosen)
    table.check_complete([column.name for column in columns.inputs])
    x = columns.encode(table)
    places = [{"file": file, "line": line} for line in table.lines]
    if columns.classes is None:
        found = model.predict(x)[:, 0]
        return [
            place | {"prediction": float(value)} for place, value in zip(places, found, strict=True)
        ]
    sure = probabilities(model, x)
    return [
        place
        | {
            "prediction": columns.classes[row.argmax()],
            "probability": round(float(row.max()), 6),
        }
        for place, row in zip(places, sure, strict=True)
    ]


def _as_csv(rows: list[dict[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
