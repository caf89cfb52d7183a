"""Where ``plan-many`` solves: in processes of this machine, or on a Dask cluster."""

import os
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

from cli.errors import InputError
from planner.many import processes

Solver: TypeAlias = AbstractContextManager[tuple[Executor, int]]
"""Opens an executor, and says how many problems it is best given at a time."""

IN_FLIGHT_PER_WORKER = 2
"""One is solved while the next is on its way."""
CONNECT_SECONDS_MAX = 10


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def local_processes(workers: int, seconds: float) -> Iterator[tuple[Executor, int]]:
    """Warm processes of this machine, stopped at the end, whatever they do then.

    Raises:
        InputError: they cannot be started.
    """
    executor = processes(workers, seconds)
    try:
        _start(executor, workers)
        yield executor, workers * IN_FLIGHT_PER_WORKER
    finally:
        executor.shutdown(wait=False)


def _start(executor: Executor, workers: int) -> None:
    """Find out whether processes can start: otherwise that would be an error of each problem."""
    try:
        for started in [executor.submit(os.getpid) for _ in range(workers)]:
            started.result()
    except BrokenExecutor as error:
        raise InputError("--workers", f"a process cannot be started: {error}") from None


@contextmanager
def on_dask(address: str) -> Iterator[tuple[Executor, int]]:
    """The workers of a Dask cluster, which need to be able to import the planner.

    Raises:
        InputError: Dask is not installed, or no cluster with workers is there.
    """
    try:
        from distributed import Client  # noqa: PLC0415 # optional, and loads for a second
    except ImportError:
        raise InputError("--dask", "needs Dask: pip install 'spotplan[dask]'") from None
    try:
        client = Client(address, timeout=CONNECT_SECONDS_MAX, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise InputError("--dask", f"no scheduler answers at {address}: {_one_line(error)}") from None
    try:
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS_MAX)
        except TimeoutError:
            raise InputError("--dask", f"the cluster at {address} has no workers") from None
        threads: dict[str, int] = client.nthreads()  # type: ignore[no-untyped-call]
        executor: Executor = client.get_executor(pure=False)  # type: ignore[no-untyped-call]
        yield executor, sum(threads.values()) * IN_FLIGHT_PER_WORKER
    finally:
        client.close()  # type: ignore[no-untyped-call]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
