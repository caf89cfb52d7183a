"""Solving in worker processes that can be killed at a deadline; the event loop never solves."""

import asyncio
import signal
from multiprocessing import get_context

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from planner.problem import Outcome, PlanningProblem, PlanStatus
from planner.solve import solve


class PlannerBusyError(RuntimeError):
    """More problems are waiting than the pool accepts; asking again later may succeed."""


class PlannerInterruptedError(RuntimeError):
    """The worker died while it solved; it is being replaced, and asking again may succeed."""


class PlannerPool:
    """A few warm processes that solve planning problems.

    Args:
        workers: processes, each solving one problem at a time.
        waiting_max: problems accepted at a time, those being solved included.
    """

    def __init__(self, workers: int, waiting_max: int) -> None:
        self._workers = workers
        self._pool = self._new_pool()
        self._waiting_max = waiting_max
        self._waiting = 0

    def _new_pool(self) -> ProcessPool:
        # Spawned, not forked: the server has threads, and a fork could inherit their locks.
        return ProcessPool(max_workers=self._workers, initializer=_start_worker, context=get_context("spawn"))

    def _schedule(self, problem: PlanningProblem) -> ProcessFuture[Outcome]:
        try:
            return self._pool.schedule(solve, args=[problem])
        except RuntimeError:
            # Pebble gives a pool up when its idle workers were killed from outside: begin a new one.
            self._pool = self._new_pool()
            return self._pool.schedule(solve, args=[problem])

    async def warm(self) -> None:
        """Start the workers and load the solver in them, so that no request pays for it."""
        started = [asyncio.wrap_future(self._pool.schedule(_ready)) for _ in range(self._workers)]
        await asyncio.gather(*started)

    async def solve(self, problem: PlanningProblem, seconds: float) -> Outcome:
        """Solve within ``seconds``, waiting included.

        Returns:
            The outcome; NO_PLAN_IN_TIME when the time is over. The worker is stopped then, as it is when the
            caller is cancelled.

        Raises:
            PlannerBusyError, PlannerInterruptedError: both may succeed when tried again.
        """
        if self._waiting >= self._waiting_max:
            raise PlannerBusyError(f"{self._waiting} problems are waiting; try again in a moment")
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(self._schedule(problem))
        except TimeoutError:
            return Outcome(PlanStatus.NO_PLAN_IN_TIME, solve_milliseconds=seconds * 1000)
        except ProcessExpired:
            raise PlannerInterruptedError("the planner was interrupted; try again") from None
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Stop the workers, at once where one is still solving."""
        self._pool.stop()  # type: ignore[no-untyped-call] # pebble leaves it unannotated
        await asyncio.to_thread(self._pool.join)


def _start_worker() -> None:
    """Runs first in each worker; the solver is loaded by importing this module.

    Ctrl-C reaches the whole process group: the server decides when workers stop, so they ignore it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _ready() -> None:
    """Answered as soon as the worker is up."""
