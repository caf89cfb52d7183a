"""Files that appear whole or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cli.errors import InputError


def check_writable(path: Path, option: str) -> None:
    """Find out before long work whether its result can be written.

    Raises:
        InputError: it cannot; with the name of the option that named the path.
    """
    with _part(path, option):
        pass


def write_whole(path: Path, option: str, content: bytes) -> None:
    """Write a file; after an error what was there is as it was. Errors as in :func:`check_writable`."""
    with _part(path, option) as file:
        file.write(content)
        file.close()
        Path(file.name).replace(path)


@contextmanager
def _part(path: Path, option: str) -> Iterator[BinaryIO]:
    """A new file beside ``path``, which is gone afterwards."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        try:
            with part.open("xb") as file:
                yield file
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(option, f"cannot write {path}: {error.strerror or error}") from None
