"""A planner whose solves are measured: one span and one set of numbers for each."""

import asyncio
from collections.abc import Callable
from time import perf_counter

from opentelemetry.trace import Status, StatusCode, get_tracer

from planner.problem import PlanningProblem
from planner.worker import Reported
from planner.workers import PlannerBusyError, PlannerInterruptedError, PlannerPool, Solved
from resolvers import metrics

TRACER = get_tracer("spotplan")
FAILURES: dict[type[BaseException], str] = {
    PlannerBusyError: "BUSY",
    PlannerInterruptedError: "INTERRUPTED",
    asyncio.CancelledError: "CANCELLED",
}


class ObservedPool:
    """The pool as :class:`planner.answers.Answers` uses it."""

    def __init__(self, pool: PlannerPool) -> None:
        self._pool = pool

    async def run(self, problem: PlanningProblem, seconds: float, report: Callable[[Reported], None]) -> Solved:
        """As :meth:`PlannerPool.run`, with its errors."""
        started = perf_counter()
        outcome = "FAILED"
        # Exceptions are not recorded: their texts may say what is in the problem.
        with TRACER.start_as_current_span("solve", record_exception=False, set_status_on_exception=False) as span:
            span.set_attribute("spotplan.solve.seconds_max", seconds)
            try:
                solved = await self._pool.run(problem, seconds, report)
                outcome = solved.outcome.status.value
                if solved.outcome.orders:
                    metrics.SOLVE_GAP.observe(solved.outcome.gap)
                    span.set_attribute("spotplan.solve.gap", solved.outcome.gap)
            except BaseException as failure:
                outcome = FAILURES.get(type(failure), outcome)
                span.set_status(Status(StatusCode.ERROR, outcome))
                raise
            finally:
                span.set_attribute("spotplan.solve.outcome", outcome)
                metrics.SOLVE_SECONDS.labels(outcome).observe(perf_counter() - started)
        return solved
