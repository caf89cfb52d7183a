"""A program that has a process plan for ever, until it is killed: ``python -m tests.planner.abandoned KIND MARKER``."""

import asyncio
import sys
from functools import partial
from pathlib import Path

from planner.processes import SeparateProcesses
from planner.worker import Worker
from tests.planner.builders import problem
from tests.planner.stand_ins import stall

PROBLEM = problem(("2026-05-10", "2026-08-10", 200))


def main(kind: str, marker: Path) -> None:
    """By a worker of the server, or of ``plan-many``."""
    if kind == "server":
        worker = Worker()
        worker.start()
        asyncio.run(worker.run(partial(stall, marker), PROBLEM, 600.0, print))
    else:
        SeparateProcesses(1, 600.0).submit(stall, marker, PROBLEM, 600.0, print).result()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
