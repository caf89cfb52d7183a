"""An executor of processes that share nothing: one that dies takes only its own job with it."""

import signal
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessPool

from planner.parent import end_with_parent

P = ParamSpec("P")
T = TypeVar("T")


class SeparateProcesses(Executor):
    """Warm processes for planning, each kept by a thread of its own.

    The standard library's pool breaks as a whole when one of its processes dies, and does not say which job it
    was. Here a dead process is replaced, and only its job fails, with BrokenProcessPool.

    Args:
        workers: how many processes; they start with their first jobs.
        job_seconds_max: a job that takes longer is stopped, and fails with TimeoutError.
    """

    def __init__(self, workers: int, job_seconds_max: float) -> None:
        self._job_seconds_max = job_seconds_max
        self._keepers = ThreadPoolExecutor(workers, "process-keeper")
        self._kept = threading.local()
        self._lock = threading.Lock()
        self._jobs: dict[ProcessPool, Future[Any] | None] = {}
        self._stopped = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a function in one of the processes."""
        return self._keepers.submit(self._run, fn, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Stop the processes: after all jobs, or if it shall not wait, at once, whatever they do."""
        if wait:
            self._keepers.shutdown(cancel_futures=cancel_futures)
        with self._lock:
            self._stopped = True
            jobs = dict(self._jobs)
        for pool, job in jobs.items():
            self._dismiss(pool)
            if job is not None:  # pebble does not tell who waits for it
                job.cancel()
        self._keepers.shutdown(cancel_futures=cancel_futures or not wait)

    def _run(self, fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        """Runs in a keeper's thread."""
        pool = self._own_pool()
        with self._lock:
            if self._stopped:
                raise CancelledError
            job: Future[T] = pool.schedule(fn, args=args, kwargs=kwargs, timeout=self._job_seconds_max)
            self._jobs[pool] = job
        try:
            return job.result()
        except ProcessExpired as error:
            self._dismiss(pool)
            raise BrokenProcessPool(f"the process died with exit code {error.exitcode}") from None
        except (BrokenProcessPool, TimeoutError):
            # A process that was killed may hold a lock or leave half a message: nothing of it is used again.
            self._dismiss(pool)
            raise
        finally:
            with self._lock:
                if pool in self._jobs:
                    self._jobs[pool] = None

    def _own_pool(self) -> ProcessPool:
        pool: ProcessPool | None = getattr(self._kept, "pool", None)
        if pool is None or not pool.active:
            # Spawned, not forked: a fork could inherit locks of our threads.
            pool = ProcessPool(max_workers=1, initializer=_start_process, context=get_context("spawn"))
            self._kept.pool = pool
            with self._lock:
                self._jobs[pool] = None
        return pool

    def _dismiss(self, pool: ProcessPool) -> None:
        with self._lock:
            self._jobs.pop(pool, None)
        pool.stop()  # type: ignore[no-untyped-call] # pebble leaves it unannotated
        pool.join()


def _start_process() -> None:
    """Runs first in each process."""
    # Ctrl-C reaches the whole process group: who started the processes decides when they stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A Python handler, as pebble sets one, waits until native code returns; this ends a solver at once.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent()
    from planner.warm import warm  # noqa: PLC0415 # loads and compiles what only the processes need

    warm()
