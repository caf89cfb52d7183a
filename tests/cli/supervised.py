"""What stands in for server processes: they say that they are ready, or not, and end or do not end."""

import signal
import sys
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

CONTEXT = get_context("spawn")


def started(work: Callable[[Connection], None], line: Connection) -> BaseProcess:
    process = CONTEXT.Process(target=work, args=[line])
    process.start()
    return process


def fails(_line: Connection) -> None:
    """Ends before it is ready."""
    sys.exit(3)


def obeys(line: Connection) -> None:
    """Ends when it is told to."""
    line.send(True)
    line.recv()


def ignores(line: Connection) -> None:
    """Ends by SIGKILL only."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    line.send(True)
    while True:
        line.recv()
