"""A file of answers, one JSON object a line, that a run adds to and a later run goes on with."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from cli.errors import InputError

BEGIN = b'{"name": "'
"""How each line begins; what a run that was killed left half-written begins so too."""


class AnswerFile:
    """The answers of one ``--out``; made by :func:`answer_file`."""

    def __init__(self, file: BinaryIO, failed_by_name: dict[str, bool], size: int) -> None:
        self._file = file
        self._size = size
        self.failed_by_name = failed_by_name
        """Whether it is an error, for each answer that is there."""

    def append(self, name: str, answer: dict[str, Any]) -> None:
        """Add one line, whole: it is the operating system's when this returns."""
        line = json.dumps({"name": name, **answer}).encode() + b"\n"
        self._file.write(line)
        self._file.flush()
        self._size += len(line)
        self.failed_by_name[name] = "error" in answer

    def cut(self) -> None:
        """Drop what is behind the last whole line."""
        self._file.truncate(self._size)


@contextmanager
def answer_file(path: Path) -> Iterator[AnswerFile]:
    """Open a file of answers for this run alone, and make it if there is none.

    The last line is cut off where a run was killed while it wrote it, and at the end where this run was
    interrupted in the middle of one.

    Raises:
        InputError: it cannot be written, another run has it, or it holds something else.
    """
    try:
        with path.open("ab+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError("--out", f"another run is writing {path}") from None
            answers = _read(path, file)
            answers.cut()
            try:
                yield answers
            finally:
                answers.cut()
    except OSError as error:
        raise InputError("--out", f"cannot write {path}: {error.strerror or error}") from None


def _read(path: Path, file: BinaryIO) -> AnswerFile:
    file.seek(0)
    failed_by_name: dict[str, bool] = {}
    size = 0
    for number, line in enumerate(file, start=1):
        is_torn = not line.endswith(b"\n")  # only the last line can be
        if is_torn and line[: len(BEGIN)] == BEGIN[: len(line)]:
            break
        name, failed = _answer(line)
        if is_torn or name is None:
            raise InputError("--out", f"line {number} of {path} is not an answer of plan-many")
        failed_by_name[name] = failed
        size += len(line)
    return AnswerFile(file, failed_by_name, size)


def _answer(line: bytes) -> tuple[str | None, bool]:
    """The name in a line and whether it has an error; no name if it is no answer."""
    try:
        value = json.loads(line)
    except ValueError:
        return None, False
    is_answer = (
        isinstance(value, dict) and isinstance(value.get("name"), str) and ("status" in value) != ("error" in value)
    )
    return (value["name"], "error" in value) if is_answer else (None, False)
