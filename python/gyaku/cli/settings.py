"""Settings from a TOML file, as arguments of a command."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from gyaku.cli.parser import UsageError
from gyaku.files import FileError
from gyaku.names import unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gyaku.cli.parser import Parser

__all__ = ["with_settings"]

_SUFFIX = ".toml"
_PATHS = {"data", "output", "report"}


def with_settings(given: Sequence[str], parser: Parser) -> list[str]:
    """Return arguments with those of a settings file in front of them, so that they prevail.

    Parameters
    ----------
    given : sequence of str
        Arguments of a command, one of which may be a settings file, alone or behind ``--config``.
    parser : Parser
        The command's parser.

    Returns
    -------
    list of str
        Arguments without the file: for each setting the option of that name, and its value.

    Raises
    ------
    UsageError
        If there is no option of that name.
    FileError
        If the file is no TOML.

    Notes
    -----
    Paths are relative to the file. A list gives several values, and true the option alone.
    """
    joined = [part for each in given for part in _parts(each)]
    files = [each for each in joined if each.lower().endswith(_SUFFIX)]
    for option, value in pairwise(joined):
        if option == "--config" and value not in files:
            raise UsageError(f"--config must be a file of settings (.toml), got {value!r}")
    if not files:
        return list(given)
    if len(files) > 1:
        raise UsageError(f"give one settings file, not {' and '.join(files)}")
    own = [each for each in joined if each not in ("--config", files[0])]
    data, options = _arguments(Path(files[0]), parser)
    has_data = bool(own) and not own[0].startswith("-")
    return [*own[:1], *options, *own[1:]] if has_data else [*data, *options, *own]


def _parts(argument: str) -> list[str]:
    return argument.split("=", 1) if argument.startswith("--config=") else [argument]


def _arguments(path: Path, parser: Parser) -> tuple[list[str], list[str]]:
    """Return the data and the options of a settings file."""
    import tomllib

    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FileError(f"{path} is no TOML file: {error}") from None
    names = [each for each in parser.long_options() if each not in ("--config", "--help")]
    known = [each.removeprefix("--") for each in names]
    flags = parser.long_options(flags=True)
    data: list[str] = []
    options: list[str] = []
    for key, value in settings.items():
        name = key.replace("_", "-")
        if name != "data" and name not in known:
            raise UsageError(f"{path}: {unknown('setting', key, ['data', *known])}")
        if isinstance(value, bool) is not (f"--{name}" in flags):
            if isinstance(value, bool):
                raise UsageError(f"{path}: {key} needs a value, not {str(value).lower()}")
            raise UsageError(f"{path}: {key} must be true or false, got {value!r}")
        if name in _PATHS and isinstance(value, str):
            value = str(path.parent / value)
        if name == "data":
            data.append(str(value))
        elif value is True:
            options.append(f"--{name}")
        elif value is not False:
            options += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return data, options
