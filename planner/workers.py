"""Solving in worker processes that can be stopped at a deadline; the event loop never solves."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from planner.problem import Outcome, PlanningProblem, PlanStatus
from planner.worker import Report, Reported, Worker, WorkerDiedError, solve

logger = logging.getLogger("spotplan")

MARGIN_SECONDS = 0.2
"""How long before the deadline a worker is to be done, so that its answer arrives in time."""
RETRY_SECONDS = 1.0
"""Between attempts to start a worker."""


class PlannerBusyError(RuntimeError):
    """More problems are waiting than the pool accepts; asking again later may succeed."""


class PlannerInterruptedError(RuntimeError):
    """The worker died while it solved; it is being replaced, and asking again may succeed."""


@dataclass(frozen=True, slots=True)
class Solved:
    """An outcome, and how long it was searched for: the seconds asked for, less the wait for a worker."""

    outcome: Outcome
    searched_seconds: float


class PlannerPool:
    """A few warm processes that solve planning problems.

    Args:
        workers: processes, each solving one problem at a time.
        waiting_max: problems accepted at a time, those being solved included.
    """

    def __init__(self, workers: int, waiting_max: int) -> None:
        self._size = workers
        self._waiting_max = waiting_max
        self._waiting = 0
        self._free = _FreeWorkers()
        self._workers: set[Worker] = set()
        self._keepers = ThreadPoolExecutor(workers, "planner-keeper")
        self._starting: list[Future[None]] = []
        self._closed = threading.Event()

    @property
    def problems(self) -> int:
        """How many are waiting or being solved."""
        return self._waiting

    async def warm(self) -> None:
        """Start the workers and load the solver in them, so that no request pays for it.

        Raises:
            WorkerDiedError: a worker does not start.
        """
        await asyncio.gather(*(asyncio.wrap_future(started) for started in self._begin()))

    async def solve(self, problem: PlanningProblem, seconds: float, report: Report | None = None) -> Outcome:
        """The outcome of :meth:`run`."""

        def read(reported: Reported) -> None:
            if report is not None:
                report(reported.outcome)

        return (await self.run(problem, seconds, read)).outcome

    async def run(self, problem: PlanningProblem, seconds: float, report: Callable[[Reported], None]) -> Solved:
        """Solve within ``seconds``, waiting included; ``report`` is called with each better plan or bound.

        Returns:
            The outcome. When the time is over before the worker has answered: the last one it reported, or
            else NO_PLAN_IN_TIME. The worker is stopped then, as it is when the caller is cancelled.

        Raises:
            PlannerBusyError, PlannerInterruptedError: both may succeed when tried again.
        """
        if self._waiting >= self._waiting_max:
            raise PlannerBusyError(f"{self._waiting} problems are waiting; try again in a moment")
        self._begin()
        job = _Job(seconds, report)
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds) as deadline, self._worker() as worker:
                answer = await worker.run(solve, problem, job.seconds_left(), job.heard)
                return Solved(answer.outcome, job.searched_seconds)
        except TimeoutError:
            if not deadline.expired():
                raise
            return Solved(job.partial_outcome(), job.searched_seconds)
        except WorkerDiedError:
            raise PlannerInterruptedError("the planner was interrupted; try again") from None
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Stop the workers, at once where one is still solving."""
        self._closed.set()
        await asyncio.to_thread(self._stop_all)

    @asynccontextmanager
    async def _worker(self) -> AsyncIterator[Worker]:
        """A worker for one job, when one is free; replaced unless the job ends in order."""
        worker = await self._free.get()
        while not worker.is_alive:  # killed while it was idle
            self._keepers.submit(self._replace, worker)
            worker = await self._free.get()
        try:
            yield worker
        finally:
            if worker.in_order:
                self._free.put(worker)
            elif not self._closed.is_set():
                self._keepers.submit(self._replace, worker)

    def _begin(self) -> list[Future[None]]:
        """Start the workers in the background, the first time."""
        if not self._starting:
            self._starting = [self._keepers.submit(self._hire) for _ in range(self._size)]
        return self._starting

    def _hire(self) -> None:
        """Start a worker. Runs in a keeper's thread, as all that waits for processes."""
        worker = Worker()
        self._workers.add(worker)
        try:
            worker.start()
        except WorkerDiedError:
            self._dismiss(worker)
            raise
        self._free.put(worker)

    def _replace(self, worker: Worker) -> None:
        self._dismiss(worker)
        while not self._closed.is_set():
            try:
                self._hire()
            except WorkerDiedError as error:
                if not self._closed.is_set():
                    logger.warning("%s; trying again", error)
                    self._closed.wait(RETRY_SECONDS)
            else:
                break

    def _dismiss(self, worker: Worker) -> None:
        worker.stop()
        self._workers.discard(worker)

    def _stop_all(self) -> None:
        for worker in tuple(self._workers):
            worker.stop()
        self._keepers.shutdown()
        for worker in tuple(self._workers):  # those that were about to start meanwhile
            worker.stop()


class _Job:
    """A problem on its way through the pool: the clock, and the best that was reported so far."""

    def __init__(self, seconds: float, report: Callable[[Reported], None]) -> None:
        self._seconds = seconds
        self._report = report
        self._asked_at = asyncio.get_running_loop().time()
        self._best: Reported | None = None
        self.searched_seconds = 0.0

    def seconds_left(self) -> float:
        """What a worker that begins now may take."""
        waited = asyncio.get_running_loop().time() - self._asked_at
        left = max(0.0, self._seconds - waited)
        # An answer that did not have to wait was searched for as long as was asked.
        self.searched_seconds = self._seconds if waited < MARGIN_SECONDS else left
        return max(left - MARGIN_SECONDS, left / 2)

    def heard(self, reported: Reported) -> None:
        self._best = reported
        self._report(reported)

    def partial_outcome(self) -> Outcome:
        """What is known when the time is over."""
        best = self._best.outcome if self._best else Outcome(PlanStatus.NO_PLAN_IN_TIME)
        return replace(best, solve_milliseconds=self._seconds * 1000)


class _FreeWorkers:
    """Workers without a job, and who waits for one, first come first served; any thread may put one in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: deque[Worker] = deque()
        self._waiting: deque[Future[Worker]] = deque()

    def put(self, worker: Worker) -> None:
        with self._lock:
            while self._waiting:
                waiter = self._waiting.popleft()
                if waiter.set_running_or_notify_cancel():  # not, if whoever waited has left
                    waiter.set_result(worker)
                    return
            self._free.append(worker)

    async def get(self) -> Worker:
        waiter: Future[Worker] = Future()
        with self._lock:
            if self._free:
                return self._free.popleft()
            self._waiting.append(waiter)
        try:
            return await asyncio.wrap_future(waiter)
        except asyncio.CancelledError:
            if not waiter.cancel():  # a worker came in the same moment
                self.put(waiter.result())
            raise
