"""The file of results, which an interrupted run leaves behind with all that it measured."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class Record:
    """The results of a run so far, by table; without a path they are kept in memory alone."""

    def __init__(self, path: Path | None = None, notes: list[str] | None = None) -> None:
        self.path = path
        self.found: dict[str, Any] = {"notes": notes or [], "machine": {}, "failures": {}}

    def keep(self, table: str, value: Any, machine: dict[str, Any]) -> None:
        """Replace a table's results, and the machine during them, and write the file."""
        self.found[table] = value
        self.found["machine"][table] = machine
        self.write()

    def fail(self, name: str, why: str) -> None:
        """Keep the reason why something could not be measured."""
        self.found["failures"][name] = why
        self.write()

    def write(self) -> None:
        """Replace the file as a whole, so that a kill leaves the old one or the new one."""
        if self.path is None:
            return
        from gyaku.files import write_atomically

        text = json.dumps(self.found, indent=1) + "\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, lambda stream: stream.write(text.encode()))


def read(path: Path) -> dict[str, Any]:
    """Return the results of a file, or exit with the reason."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SystemExit(f"bench: {path} cannot be read: {error}") from None
    if not isinstance(found, dict) or "machine" not in found:
        raise SystemExit(f"bench: {path} has no results of python -m bench")
    return found
