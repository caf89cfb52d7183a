"""Loaded once by the process that all workers are forked from: with the planner in it, a worker starts in 0.05 s."""

import os
from contextlib import suppress


def _load() -> None:
    # A process that forks must have no other threads: their locks would never be released in the forks.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    with suppress(Exception):  # the workers warm up, too, and say then what is wrong
        from planner.warm import warm  # noqa: PLC0415 # after the environment is set

        warm()


_load()
