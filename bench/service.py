"""(c) The instances with a known optimum: solving in a warm process, and what the way to a worker adds."""

import asyncio
from dataclasses import dataclass
from statistics import median
from time import perf_counter

from rich import box
from rich.table import Table

from bench.problems import NamedProblem
from planner.solve import solve
from planner.workers import PlannerPool

ROUNDS = 5
SECONDS_MAX = 10.0


@dataclass(frozen=True, slots=True)
class ServiceTimes:
    """Milliseconds, one value per instance: the median of its rounds."""

    here: list[float]
    in_worker: list[float]
    wire: list[float]


async def measure(problems: list[NamedProblem]) -> ServiceTimes:
    """Each instance here and through an idle pool, in every round."""
    here: list[list[float]] = [[] for _ in problems]
    in_worker: list[list[float]] = [[] for _ in problems]
    wire: list[list[float]] = [[] for _ in problems]
    pool = PlannerPool(workers=1, waiting_max=1)
    try:
        await pool.warm()
        for number in range(ROUNDS + 1):
            for index, named in enumerate(problems):
                outcome = solve(named.problem)
                started = perf_counter()
                answer = await pool.solve(named.problem, SECONDS_MAX)
                round_trip = (perf_counter() - started) * 1000
                if (answer.status, answer.net_minor) != (outcome.status, outcome.net_minor):
                    raise RuntimeError(f"{named.name}: the worker answers otherwise")
                if number:  # The first round warms caches.
                    here[index].append(outcome.solve_milliseconds)
                    in_worker[index].append(answer.solve_milliseconds)
                    wire[index].append(round_trip - answer.solve_milliseconds)
    finally:
        await pool.close()
    return ServiceTimes(*([median(values) for values in kind] for kind in (here, in_worker, wire)))


def table(problems: list[NamedProblem], times: ServiceTimes) -> Table:
    """Median and maximum over the instances."""
    title = f"(c) {len(problems)} instances, ms, medians of {ROUNDS} rounds"
    result = Table(title=title, box=box.SIMPLE_HEAD)
    result.add_column("", no_wrap=True)
    for heading in ("median", "max", "instance of the max"):
        result.add_column(heading, justify="right")
    rows = {
        "solve(), warm process": times.here,
        "solve(), in a worker": times.in_worker,
        "way to the worker and back": times.wire,
    }
    for words, values in rows.items():
        slowest = max(range(len(values)), key=values.__getitem__)
        result.add_row(words, f"{median(values):.2f}", f"{values[slowest]:.2f}", problems[slowest].name)
    return result


def run(problems: list[NamedProblem]) -> Table:
    """Measure and tabulate."""
    return table(problems, asyncio.run(measure(problems)))
