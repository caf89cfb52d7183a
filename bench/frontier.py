"""(d) The whole frontier of the instances against proving its points one by one with a plain big-M model.

The planner proves every K = 1..8 in one call. CP-SAT and HiGHS get :meth:`bench.big_m.BigM.plain` for each K from the
fewest orders that cover the demand to the fewest of the cheapest plans; a larger K has the last one's cost, and asking
for it again would only add to their times. Their times are those of solving; building the models is not counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, log
from statistics import fmean, median
from time import perf_counter

from rich import box
from rich.table import Table

from bench.big_m import BigM, Found, Limits, cp_sat_at_most
from bench.covering import Covering
from bench.highs import HighsProcess, highs_process
from bench.problems import NamedProblem, instance_frontiers, instance_problems
from planner.problem import Outcome
from planner.solve import solve
from planner.warm import warm

SOLVERS = ("CP-SAT", "HiGHS")
SECONDS_MAX_LONG = 5.0
SECONDS_MAX_SHORT = 1.0
EVERY_SHORT = 7
"""The short form takes every seventh instance."""


@dataclass(slots=True)
class FrontierTimes:
    """One instance: the planner's seconds, a value before each point of the others; theirs by point."""

    name: str
    breakpoints: int
    seconds_max: float
    planner_seconds: list[float] = field(default_factory=list)
    points: dict[str, list[Found]] = field(default_factory=lambda: {name: [] for name in SOLVERS})

    def ratio(self, solver: str) -> float:
        """How many times the planner's time all points together took; an unproven one counts with the limit."""
        spent = [
            point.solve_seconds if point.is_proven else min(point.solve_seconds, self.seconds_max)
            for point in self.points[solver]
        ]
        return sum(spent) / median(self.planner_seconds)


@dataclass(frozen=True, slots=True)
class FrontierRun:
    """What was run, and how it went."""

    times: list[FrontierTimes]
    seconds_max: float
    is_long: bool


def measure(*, long: bool = False) -> FrontierRun:
    """Planner, CP-SAT and HiGHS by turns, point by point.

    Raises:
        RuntimeError: a point is not proven by the planner, or two of the costs differ.
    """
    warm()
    seconds_max = SECONDS_MAX_LONG if long else SECONDS_MAX_SHORT
    problems = instance_problems()[:: 1 if long else EVERY_SHORT]
    with highs_process() as highs:
        times = [_instance(named, highs, seconds_max) for named in problems]
    return FrontierRun(times, seconds_max, long)


def _instance(named: NamedProblem, highs: HighsProcess, seconds_max: float) -> FrontierTimes:
    covering = Covering.of(named.problem)
    taken = FrontierTimes(named.name, covering.breakpoints, seconds_max)
    model, plain = BigM.plain(covering), covering.plain()
    outcome = solve(named.problem)
    _check_against_file(named.name, outcome)
    for point in outcome.frontier:
        solve(named.problem)  # The other solvers leave cold caches; a worker that plans is warm.
        started = perf_counter()
        solve(named.problem)
        taken.planner_seconds.append(perf_counter() - started)
        found = {
            "CP-SAT": cp_sat_at_most(model, point.orders_max, Limits(seconds_max)),
            "HiGHS": Found(**highs.at_most(plain, orders_max=point.orders_max, seconds_max=seconds_max)),
        }
        for solver, answer in found.items():
            if answer.is_proven and answer.cost_minor != point.cost_minor:
                raise RuntimeError(f"{named.name}: {solver} proves {answer.cost_minor}, not {point}")
            taken.points[solver].append(answer)
    return taken


def _check_against_file(name: str, outcome: Outcome) -> None:
    """Every K = 1..8 is proven and as in the file."""
    points = {point.orders_max: point for point in outcome.frontier}
    for orders, cost in instance_frontiers()[name].items():
        point = points.get(min(orders, max(points)))
        if (point and point.cost_minor) != cost or not (point is None or point.proven):
            raise RuntimeError(f"{name}: {cost} is known for {orders} orders, the planner says {point}")


def table(run: FrontierRun) -> Table:
    """Rows by the number of breakpoints, and all together."""
    result = Table(
        title=f"(d) whole frontier, ms, against its points in big-M models, {run.seconds_max:g} s a point at most",
        caption=_caption(run),
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    result.add_column("break-\npoints", no_wrap=True)
    headings = ["in-\nstances", "points", "median\nms", "worst\nms"]
    headings += [f"{solver}\n{what}" for solver in SOLVERS for what in ("unproven", "is times")]
    for heading in headings:
        result.add_column(heading, justify="right", no_wrap=True)
    for breakpoints in sorted({taken.breakpoints for taken in run.times}):
        _add_row(result, f"{breakpoints}", [taken for taken in run.times if taken.breakpoints == breakpoints])
    result.add_section()
    _add_row(result, "all", run.times)
    return result


def _add_row(result: Table, words: str, times: Sequence[FrontierTimes]) -> None:
    milliseconds = [median(taken.planner_seconds) * 1000 for taken in times]
    cells = []
    for solver in SOLVERS:
        unproven = sum(not point.is_proven for taken in times for point in taken.points[solver])
        mean = exp(fmean(log(taken.ratio(solver)) for taken in times))
        cells += [f"{unproven}" if unproven else "", f"{'>= ' if unproven else ''}{mean:,.0f}"]
    points = sum(len(taken.planner_seconds) for taken in times)
    result.add_row(
        words, f"{len(times)}", f"{points}", f"{median(milliseconds):.1f}", f"{max(milliseconds):.1f}", *cells
    )


def _caption(run: FrontierRun) -> str:
    which = "all 40" if run.is_long else f"every {EVERY_SHORT}th of the 40"
    return (
        f"{which} instances; K from the fewest orders that cover the demand to the fewest of the cheapest plans; the"
        " planner's K = 1..8 all proven and as in the file, costs equal wherever the others prove one. is times:"
        " solving all points, without building, to one call of the planner, geometric mean over the instances; a point"
        " that is not proven in time counts with the limit, so the true ratio is larger (>=)."
    )
