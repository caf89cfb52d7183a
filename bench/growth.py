"""(f) How time grows with the horizon and with the breakpoints, on random demand, and by which methods.

The demand of a seed has exactly so many breakpoints (days on which the units missing change), spread evenly at random
over the contract, with 0 to 8 units missing between them. The cost of the cheapest plan is proven by the flow at
once; the frontier is what grows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from random import Random
from statistics import median
from time import perf_counter

from rich import box
from rich.table import Table

from bench.covering import Covering
from bench.problems import problem_of_levels
from domain.months import Period, ends_before
from planner.case import Case
from planner.problem import Outcome, PlanningProblem, PlanStatus
from planner.search import Search
from planner.solve import solve
from planner.warm import warm

MONTHS = (6, 12, 24, 36, 60)
BREAKPOINTS_OF_MONTHS = 8
BREAKPOINTS = (2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 34, 40)
MONTHS_OF_BREAKPOINTS = 12
CAPACITY, ACCOUNTS_PER_UNIT, UNITS_MAX = 300, 100, 8
METHODS = ("flow", "exact", "heuristic", "branch")


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: seeds for each row, and what the planner may take for one of them."""

    seeds: int
    seconds: float


SHORT = Effort(seeds=3, seconds=2.0)
LONG = Effort(seeds=9, seconds=10.0)


@dataclass(frozen=True, slots=True)
class Solved:
    """One problem: milliseconds until the least cost was proven, and until all was; the methods used."""

    offers: int
    cost_milliseconds: float
    whole_milliseconds: float
    outcome: Outcome
    methods: frozenset[str]

    @property
    def is_whole(self) -> bool:
        """Whether every point of the frontier is proven."""
        return self.outcome.fewest_proven and all(point.proven for point in self.outcome.frontier)

    @property
    def worst_gap(self) -> float:
        """The largest share by which a plan for some number of orders might be cheaper than the known one."""
        return max(1 - point.lower_bound_minor / point.cost_minor for point in self.outcome.frontier)


@dataclass(frozen=True, slots=True)
class Row:
    """The seeds of one size."""

    months: int
    breakpoints: int
    solved: tuple[Solved, ...]


def measure(effort: Effort) -> list[Row]:
    """Every size with every seed, the seeds outermost, so that a slow moment of the machine hits no single size."""
    warm()
    sizes = [(months, BREAKPOINTS_OF_MONTHS) for months in MONTHS]
    sizes += [(MONTHS_OF_BREAKPOINTS, breakpoints) for breakpoints in BREAKPOINTS]
    solved: dict[tuple[int, int], list[Solved]] = {size: [] for size in sizes}
    for seed in range(effort.seeds):
        for (months, breakpoints), of_size in solved.items():
            of_size.append(_solved(random_problem(months, breakpoints, seed), effort.seconds))
    return [Row(*size, tuple(solved[size])) for size in sizes]


def random_problem(months: int, breakpoints: int, seed: int) -> PlanningProblem:
    """Demand whose missing units change on exactly so many days, at least 2."""
    rng = Random(f"{months} {breakpoints} {seed}")
    first = date(2026, 4, 1)
    contract = Period(first, ends_before(first, months))
    changes = sorted(rng.sample(range(1, contract.days), breakpoints))
    levels = [CAPACITY] * contract.days
    for (begin, end), units in zip(pairwise(changes), _units(rng, breakpoints - 1), strict=True):
        levels[begin:end] = [CAPACITY + ACCOUNTS_PER_UNIT * units] * (end - begin)
    return problem_of_levels(contract, levels, CAPACITY, ACCOUNTS_PER_UNIT)


def _units(rng: Random, count: int) -> Iterator[int]:
    """Neighbours differ, and the first and the last are not 0."""
    before = 0
    for left in range(count, 0, -1):
        before = rng.choice([units for units in range(UNITS_MAX + 1) if units != before and (units or left > 1)])
        yield before


def _solved(problem: PlanningProblem, seconds: float) -> Solved:
    reports: list[Outcome] = []
    started = perf_counter()
    outcome = solve(problem, seconds, reports.append)
    whole = (perf_counter() - started) * 1000
    proven = next(report for report in [*reports, outcome] if report.status is PlanStatus.OPTIMAL)
    return Solved(
        len(Covering.of(problem).offers), proven.solve_milliseconds, whole, outcome, _methods(problem, seconds)
    )


def _methods(problem: PlanningProblem, seconds: float) -> frozenset[str]:
    """What a search for the same answer uses; apart from the measured one, which does not tell."""
    started = perf_counter()
    case = Case(problem)
    search = Search(case.question(case.offers), problem.orders_max, started + seconds)
    for _ in search.run():
        pass
    return frozenset(search.methods | {"flow"})


def table(effort: Effort, rows: list[Row]) -> Table:
    """Medians over the seeds; the frontier's time only where most of them are proven."""
    result = Table(
        title=f"(f) growth, ms, medians of {effort.seeds} seeds, at most {effort.seconds:g} s each",
        caption=_CAPTION,
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    headings = (
        "months",
        "break-\npoints",
        "offers",
        "proven\ncost",
        "proven\nfrontier",
        "seeds\nproven",
        "points\nproven",
    )
    for heading in (*headings, "worst\ngap"):
        result.add_column(heading, justify="right", no_wrap=True)
    result.add_column("methods")
    for row in rows:
        if row is rows[len(MONTHS)]:
            result.add_section()
        result.add_row(f"{row.months}", f"{row.breakpoints}", *_cells(effort, row.solved))
    return result


_CAPTION = (
    "> : not proven in that time for most seeds. proven cost: until the first report of the cheapest plan, which is"
    " proven, with all that is written about it. points proven: of all numbers of orders from the fewest possible to"
    " the fewest of the cheapest plans. worst gap: of the point with the largest."
)


def _cells(effort: Effort, solved: tuple[Solved, ...]) -> Iterator[str]:
    whole = [one.whole_milliseconds for one in solved if one.is_whole]
    points = [point for one in solved for point in one.outcome.frontier]
    yield f"{median(one.offers for one in solved):,.0f}"
    yield f"{median(one.cost_milliseconds for one in solved):.1f}"
    is_typical = 2 * len(whole) > len(solved)
    yield f"{median(one.whole_milliseconds for one in solved):,.1f}" if is_typical else f"> {effort.seconds:g} s"
    yield f"{len(whole)}/{len(solved)}"
    yield f"{sum(point.proven for point in points)}/{len(points)}"
    yield f"{median(one.worst_gap for one in solved):.1%}"
    used = frozenset[str]().union(*(one.methods for one in solved))
    yield ", ".join(method for method in METHODS if method in used)
