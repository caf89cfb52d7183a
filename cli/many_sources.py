"""Where the problems of ``plan-many`` come from: the files of a folder, or the lines of one file."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cli.errors import InputError
from cli.plan_file import decoded, read_text

SUFFIXES = (".json", ".csv")


@dataclass(frozen=True, slots=True)
class Source:
    """One problem, not read yet. ``text`` raises InputError where it cannot be read."""

    name: str
    text: Callable[[], str]
    is_csv: bool


@dataclass(frozen=True, slots=True)
class Sources:
    """Problems with different names. ``one_by_one`` begins again each time, so that few are held at a time."""

    names: tuple[str, ...]
    one_by_one: Callable[[], Iterator[Source]]


def sources(path: Path) -> Sources:
    """The problems of a folder's JSON and CSV files or of a file's lines.

    Raises:
        InputError: the path cannot be read, holds no problem, or two of the same name.
    """
    try:
        found = _of_folder(path) if path.is_dir() else _of_lines(path)
    except OSError as error:
        raise InputError(str(path), error.strerror or str(error)) from None
    if not found.names:
        raise InputError(str(path), "holds no problem")
    return found


def _of_folder(folder: Path) -> Sources:
    """A file's problem has the file's name without its ending."""
    by_name: dict[str, Path] = {}
    for file in sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES and not file.is_dir()):
        if file.stem in by_name:
            raise InputError(str(folder), f"{by_name[file.stem].name} and {file.name} have the same name")
        by_name[file.stem] = file

    def one_by_one() -> Iterator[Source]:
        for name, file in by_name.items():
            yield Source(name, partial(read_text, str(file)), file.suffix == ".csv")

    return Sources(tuple(by_name), one_by_one)


def _of_lines(path: Path) -> Sources:
    """A line's problem has the name in it, or else the line's number; blank lines are none."""
    line_by_name: dict[str, int] = {}
    for number, line in _lines(path):
        name = _name(line) or str(number)
        if name in line_by_name:
            same = f"lines {line_by_name[name]} and {number} have the same name"
            raise InputError(str(path), f"{same}, {json.dumps(name)[:60]}")
        line_by_name[name] = number

    def one_by_one() -> Iterator[Source]:
        for name, (number, line) in zip(line_by_name, _lines(path), strict=True):
            yield Source(name, partial(decoded, line, f"line {number}"), is_csv=False)

    return Sources(tuple(line_by_name), one_by_one)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if text := line.strip():
                yield number, text


def _name(line: bytes) -> str | None:
    """The name in a problem; None where the line has none, or is none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    name = value.get("name") if isinstance(value, dict) else None
    return str(name) if isinstance(name, str | int) and not isinstance(name, bool) else None
