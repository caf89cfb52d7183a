"""The one door: a problem in, a verified outcome out."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from time import perf_counter

from planner.case import Case
from planner.problem import Outcome, PlanningProblem, ShortfallReason
from planner.search import Search
from planner.shortage import most_useful, nothing_bought

Report = Callable[[Outcome], None]
"""Called with each better plan or bound while the search goes on."""

Tell = Callable[[Callable[[], Outcome]], None]
"""Takes what would write the outcome up, because nobody may want to know."""

SECONDS = 2.0
"""How long a search may take unless it is told otherwise."""
WRITING_SHARE = 0.05
"""Of the time, for writing the answer up."""
REPORT_SECONDS = 0.1
"""Between two reports, so that telling takes little of the time."""
SPOTS_SHARE = 0.3
"""Of the time, for the same search without additional licences, to say what these save."""
COVERING_SHARE = 0.5
"""Of the time, for finding out whether everything can be covered within a budget."""


def solve(problem: PlanningProblem, seconds: float = SECONDS, report: Report | None = None) -> Outcome:
    """The best orders for a demand and what is proven of them, within about ``seconds``.

    Returns:
        OPTIMAL or FEASIBLE with the plan, its bound, the frontier, baselines and coverage; or INFEASIBLE with what
        stays short, why, and the nearest demand that could be covered.

    Raises:
        PlanViolationError, SolverFailedError: a bug; no plan leaves unverified.
    """
    started = perf_counter()

    def timed(outcome: Outcome) -> Outcome:
        return replace(outcome, solve_milliseconds=(perf_counter() - started) * 1000)

    def tell(write_up: Callable[[], Outcome]) -> None:
        if report is not None:
            report(timed(write_up()))

    return timed(_solve(Case(problem), started + seconds * (1 - WRITING_SHARE), tell))


def _solve(case: Case, deadline: float, tell: Tell) -> Outcome:
    problem = case.problem
    if case.needs_nothing:
        return case.nothing_missing()
    if case.uncovered and problem.budget_minor is None:
        return case.uncoverable()
    if problem.budget_minor is not None:
        tell(lambda: case.partly_covered(nothing_bought(case.shortage), ShortfallReason.OVER_BUDGET))
    limits_are_met = False
    if not case.uncovered:
        share = 1.0 if problem.budget_minor is None else COVERING_SHARE
        search = Search(case.question(case.offers), problem.orders_max, _part(deadline, share))
        limits_are_met = search.is_possible
        if limits_are_met:
            outcome = _cover(case, search, tell)
            if outcome is not None:
                return outcome
    otherwise = ShortfallReason.OVER_BUDGET if limits_are_met or case.uncovered else ShortfallReason.ORDERS_LIMITED
    return _cover_partly(case, otherwise, deadline, tell)


def _cover_partly(case: Case, otherwise: ShortfallReason, deadline: float, tell: Tell) -> Outcome:
    """The most useful plan where not everything can be covered; ``otherwise`` says why not."""
    outcome, told = None, None
    for useful in most_useful(case.shortage, deadline):
        if useful.progress != told:
            outcome, told = case.partly_covered(useful, otherwise), useful.progress
            tell(partial(_known, outcome))
    return _known(outcome)


def _known(outcome: Outcome | None) -> Outcome:
    if outcome is None:
        raise RuntimeError("the search ended without an outcome")
    return outcome


def _part(deadline: float, share: float) -> float:
    """The deadline of a part of the work."""
    now = perf_counter()
    return now + (deadline - now) * share


def _cover(case: Case, search: Search, tell: Tell) -> Outcome | None:
    """Search for plans that cover everything; None where that is not known to be possible within the budget."""
    budget = case.problem.budget_minor
    if budget is not None and search.bound_minor > budget:
        return None

    def fits() -> bool:
        return budget is None or search.best.cost_minor <= budget

    if fits():
        tell(lambda: case.covered(search, None))
    spots_only = _spots_only(case, search)
    told_at, told = perf_counter(), search.progress
    for _ in search.run():
        if budget is not None and search.bound_minor > budget:
            return None
        if fits() and search.progress != told and perf_counter() - told_at >= REPORT_SECONDS:
            tell(lambda: case.covered(search, spots_only))
            told_at, told = perf_counter(), search.progress
    return case.covered(search, spots_only) if fits() else None


def _spots_only(case: Case, search: Search) -> int | None:
    """The cost of the best plan found without additional licences, where these are allowed and not needed.

    Its plans are plans of the search as well: what licences save is never negative.
    """
    problem = case.problem
    if not problem.additional_licences or not case.spots_cover_all:
        return None
    spots = Search(case.question(case.spots), problem.orders_max, _part(search.deadline, SPOTS_SHARE))
    if not spots.is_possible:
        return None
    if spots.best.cost_minor > spots.bound_minor:
        for _ in spots.run():
            pass
    search.adopt(spots)
    return spots.best.cost_minor
