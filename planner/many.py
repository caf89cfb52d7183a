"""Many problems at once, on any executor: a pool of processes, or a cluster."""

import os
from collections.abc import Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from itertools import islice

from domain.errors import RuleError
from planner.problem import Outcome, PlanningProblem
from planner.processes import SeparateProcesses

IN_FLIGHT_MAX = 32
ATTEMPTS_MAX = 2
"""A problem whose process died is tried once more: somebody may have killed it, but hardly twice."""


class ExecutorLostError(RuntimeError):
    """The executor was shut down, or its cluster is gone, with problems left to answer."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a problem has no answer: ``code`` and ``field`` as in :class:`domain.errors.RuleError`.

    Other codes: PLANNER_INTERRUPTED, its processes died; PLANNER_TIMED_OUT, it was stopped; PLANNER_FAILED,
    a bug.
    """

    code: str
    message: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class NamedAnswer:
    """What came of one problem: either an outcome or why there is none."""

    name: str
    outcome: Outcome | None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class _Job:
    """A problem on an executor, and how often it was tried there."""

    name: str
    problem: PlanningProblem
    executor: Executor
    attempts: int


def processes(workers: int, seconds: float) -> SeparateProcesses:
    """Processes for problems that are searched for so long each; one that hangs is stopped."""
    return SeparateProcesses(workers, job_seconds_max=2 * seconds + 60)


def plan_many(
    problems: Iterable[tuple[str, PlanningProblem]],
    executor: Executor,
    seconds: float = 2.0,
    in_flight_max: int = IN_FLIGHT_MAX,
) -> Generator[NamedAnswer, None, None]:
    """Solve problems, each with a name, and yield the answers as they come.

    A problem that fails does not stop the others. Where a process dies, its problem is tried once more. An
    executor that broke as a whole when that happened is replaced by :func:`processes`, in which the problem can
    do no harm to others; it stays the caller's to shut down.

    Args:
        problems: any number of them; they are read as they are needed.
        executor: where to solve. Its processes need to be able to import the planner.
        seconds: how long each search may take.
        in_flight_max: how many problems the executor is given at a time, to keep all its workers busy.

    Raises:
        ExecutorLostError: the executor takes or finishes no more problems.
        Exception: what ``problems`` raised.
    """
    waiting = iter(problems)
    running: dict[Future[Outcome], _Job] = {}
    with ExitStack() as stack:
        stack.callback(_cancel, running)
        home = _Home(executor, seconds, in_flight_max, stack)
        while True:
            for name, problem in islice(waiting, in_flight_max - len(running)):
                home.submit(name, problem, running)
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                job = running.pop(future)
                if _was_interrupted(future) and home.allows_another(job):
                    home.submit(job.name, job.problem, running, after=job)
                else:
                    yield _answer(job.name, future)


class _Home:
    """The executor in use: the one that was given, or what took its place when it broke."""

    def __init__(self, executor: Executor, seconds: float, in_flight_max: int, stack: ExitStack) -> None:
        self._executor = executor
        self._seconds = seconds
        self._workers = min(in_flight_max, os.cpu_count() or 1)
        self._stack = stack

    def allows_another(self, job: _Job) -> bool:
        """Whether a problem is tried once more. What happened on an executor that broke does not count."""
        return job.executor is not self._executor or job.attempts < ATTEMPTS_MAX

    def submit(
        self,
        name: str,
        problem: PlanningProblem,
        running: dict[Future[Outcome], _Job],
        after: _Job | None = None,
    ) -> None:
        try:
            future = self._executor.submit(solve_warm, problem, self._seconds)
        except BrokenExecutor:
            self._executor = own = processes(self._workers, self._seconds)
            self._stack.callback(own.shutdown, wait=False)
            future = own.submit(solve_warm, problem, self._seconds)
        except RuntimeError as error:
            raise ExecutorLostError(str(error)) from error
        attempts = after.attempts + 1 if after is not None and after.executor is self._executor else 1
        running[future] = _Job(name, problem, self._executor, attempts)


def solve_warm(problem: PlanningProblem, seconds: float) -> Outcome:
    """Solve in a process that may be new: loading and compiling do not count as searching."""
    _warm_once()
    # Imported here, because it is not needed where problems are only handed out.
    from planner.solve import solve  # noqa: PLC0415

    return solve(problem, seconds)


@cache
def _warm_once() -> None:
    from planner.warm import warm  # noqa: PLC0415 # as above

    warm()


def _cancel(running: dict[Future[Outcome], _Job]) -> None:
    for future in running:
        future.cancel()


def _was_interrupted(future: Future[Outcome]) -> bool:
    return not future.cancelled() and _is_death(future.exception())


def _is_death(error: BaseException | None) -> bool:
    """Whether the process died. Dask blames all problems that were on it, and need not be installed to be named."""
    return isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker"


def _answer(name: str, future: Future[Outcome]) -> NamedAnswer:
    if future.cancelled():
        raise ExecutorLostError("problems were cancelled that were to be solved")
    error = future.exception()
    if error is None:
        return NamedAnswer(name, future.result())
    if isinstance(error, CancelledError):
        raise ExecutorLostError(str(error)) from error
    return NamedAnswer(name, None, _failure(error))


def _failure(error: BaseException) -> Failure:
    if isinstance(error, RuleError):
        return Failure(error.code, error.message, error.field)
    if _is_death(error):
        return Failure("PLANNER_INTERRUPTED", "Each process that tried to solve this died.")
    if isinstance(error, TimeoutError):
        return Failure("PLANNER_TIMED_OUT", "The process gave no answer for long after its time, and was stopped.")
    return Failure("PLANNER_FAILED", " ".join(f"{type(error).__name__}: {error}".split()))
