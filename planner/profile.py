"""Demand against capacity: the steps of the line of days, what is missing, and what nothing can cover."""

from datetime import date
from itertools import pairwise

import numpy as np

from domain.capacity import capacity_changes, level_steps
from domain.months import Period
from planner.offers import Days, Offers, day_of
from planner.problem import CoverageStep, PlannedOrder, PlanningProblem, Shortfall, ShortfallReason


def coverage_steps(problem: PlanningProblem, orders: tuple[PlannedOrder, ...] = ()) -> tuple[CoverageStep, ...]:
    """Demand, and capacity before and after the orders, as maximal steps over the demand's window."""
    window = problem.window
    series = [
        level_steps([(step.period, step.accounts) for step in problem.demand], window),
        level_steps(capacity_changes(problem.contract), window),
        level_steps([(order.period, order.accounts) for order in orders], window),
    ]
    cuts = sorted({period.starts_on for steps in series for period, _ in steps} | {window.ends_before})
    at = [0, 0, 0]
    result: list[CoverageStep] = []
    for begin, until in pairwise(cuts):
        for row, steps in enumerate(series):
            if steps[at[row]][0].ends_before <= begin:
                at[row] += 1
        demand, before, bought = (steps[at[row]][1] for row, steps in enumerate(series))
        result.append(CoverageStep(Period(begin, until), demand, before, before + bought))
    return tuple(result)


def missing_units(problem: PlanningProblem, step: CoverageStep) -> int:
    """Units missing on each day of a step: the demand above capacity, rounded up to whole units."""
    return max(0, -((step.capacity_before - step.demand) // problem.contract.accounts_per_unit))


def deficit_by_day(problem: PlanningProblem, steps: tuple[CoverageStep, ...], first_day: date, days: int) -> Days:
    """Units missing per day, for ``days`` days from ``first_day`` on; shape (days,)."""
    deficit = np.zeros(days, dtype=np.int64)
    for step in steps:
        begin = max(0, (step.period.starts_on - first_day).days)
        end = max(0, (step.period.ends_before - first_day).days)
        deficit[begin:end] = missing_units(problem, step)
    return deficit


def shortfalls(problem: PlanningProblem, steps: tuple[CoverageStep, ...], offers: Offers) -> tuple[Shortfall, ...]:
    """The days with a deficit that no offer covers, as maximal runs with one reason and number each."""
    covered = _covered_periods(offers)
    cuts = _reason_cuts(problem, covered)
    result: list[Shortfall] = []
    for step in steps:
        missing = step.demand - step.capacity_before
        if missing <= 0:
            continue
        begin, until = step.period.starts_on, step.period.ends_before
        for day, next_day in pairwise([begin, *(cut for cut in cuts if begin < cut < until), until]):
            if not any(period.contains(day) for period in covered):
                _append(result, Shortfall(Period(day, next_day), missing, _why_uncovered(problem, day)))
    return tuple(result)


def _append(result: list[Shortfall], piece: Shortfall) -> None:
    """Add a piece, joined to the last one where it only continues it."""
    last = result[-1] if result else None
    if (
        last
        and last.period.ends_before == piece.period.starts_on
        and (last.accounts_missing, last.reason) == (piece.accounts_missing, piece.reason)
    ):
        period = Period(last.period.starts_on, piece.period.ends_before)
        result[-1] = Shortfall(period, piece.accounts_missing, piece.reason)
    else:
        result.append(piece)


def _covered_periods(offers: Offers) -> list[Period]:
    """The maximal runs of days that some offer covers."""
    change = np.zeros(int(offers.end.max(initial=0)) + 1, dtype=np.int64)
    np.add.at(change, offers.start, 1)
    np.add.at(change, offers.end, -1)
    edges = np.flatnonzero(np.diff(np.cumsum(change) > 0, prepend=False)).tolist()
    return [
        Period(day_of(offers, begin), day_of(offers, end)) for begin, end in zip(edges[::2], edges[1::2], strict=True)
    ]


def _reason_cuts(problem: PlanningProblem, covered: list[Period]) -> list[date]:
    """The days on which the reason can change, sorted."""
    contract = problem.contract
    edges = {edge for period in covered for edge in (period.starts_on, period.ends_before)}
    return sorted(edges | {contract.starts_on, contract.ends_before, problem.today, problem.earliest_start})


def _why_uncovered(problem: PlanningProblem, day: date) -> ShortfallReason:
    """The reason for a day that no offer covers, the firmest first."""
    if not problem.contract.starts_on <= day < problem.contract.ends_before:
        return ShortfallReason.OUTSIDE_CONTRACT
    if day < problem.today:
        return ShortfallReason.IN_THE_PAST
    if day < problem.earliest_start:
        return ShortfallReason.BEFORE_EARLIEST_START
    return ShortfallReason.LESS_THAN_A_MONTH_LEFT
