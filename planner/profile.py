"""Demand against capacity: the steps of the line of days, what is missing, and what nothing can cover."""

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import pairwise

import numpy as np

from domain.capacity import capacity_changes, level_steps
from domain.months import Period
from planner.offers import Days, Offers, day_of
from planner.problem import CoverageStep, PlannedOrder, PlanningProblem, Shortfall, ShortfallReason


def coverage_steps(problem: PlanningProblem) -> tuple[CoverageStep, ...]:
    """Demand and capacity before any order, as maximal steps over the demand's window."""
    capacity = level_steps(capacity_changes(problem.contract), problem.window)
    levels = _demand_levels(problem)
    return tuple(
        CoverageStep(period, levels[index][1], accounts, accounts)
        for index, period, accounts in _cut((period for period, _ in levels), capacity)
    )


def with_orders(
    problem: PlanningProblem, steps: tuple[CoverageStep, ...], orders: tuple[PlannedOrder, ...]
) -> tuple[CoverageStep, ...]:
    """The steps with the orders' accounts in ``capacity_after``, cut where these change."""
    bought = level_steps([(order.period, order.accounts) for order in orders], problem.window)
    result: list[CoverageStep] = []
    for index, period, accounts in _cut((step.period for step in steps), bought):
        demand, before = steps[index].demand, steps[index].capacity_before
        result.append(CoverageStep(period, demand, before, before + accounts))
    return tuple(result)


def _demand_levels(problem: PlanningProblem) -> list[tuple[Period, int]]:
    """The demand without gaps, neighbours of equal level joined."""
    levels: list[tuple[Period, int]] = []
    end = problem.window.starts_on
    for step in problem.demand:
        if end < step.period.starts_on:
            _extend(levels, Period(end, step.period.starts_on), 0)
        _extend(levels, step.period, step.accounts)
        end = step.period.ends_before
    return levels


def _extend(levels: list[tuple[Period, int]], period: Period, level: int) -> None:
    if levels and levels[-1][1] == level:
        period = Period(levels.pop()[0].starts_on, period.ends_before)
    levels.append((period, level))


def _cut(periods: Iterable[Period], levels: tuple[tuple[Period, int], ...]) -> Iterator[tuple[int, Period, int]]:
    """Sorted periods cut where a level changes: index of the period, piece, level. Levels cover all of them."""
    at = 0
    for index, period in enumerate(periods):
        begin, end = period.starts_on, period.ends_before
        while levels[at][0].ends_before <= begin:
            at += 1
        while (until := levels[at][0].ends_before) < end:
            yield index, Period(begin, until), levels[at][1]
            begin = until
            at += 1
        # Most periods are not cut, and a period is not free to make.
        yield index, period if begin == period.starts_on else Period(begin, end), levels[at][1]


def missing_units(problem: PlanningProblem, step: CoverageStep) -> int:
    """Units missing on each day of a step: the demand above capacity, rounded up to whole units."""
    return max(0, -((step.capacity_before - step.demand) // problem.contract.accounts_per_unit))


def deficit_by_day(problem: PlanningProblem, steps: tuple[CoverageStep, ...], first_day: date, days: int) -> Days:
    """Units missing per day, for ``days`` days from ``first_day`` on; shape (days,)."""
    return _by_day([missing_units(problem, step) for step in steps], steps, first_day, days)


def missing_by_day(steps: tuple[CoverageStep, ...], first_day: date, days: int) -> Days:
    """Accounts missing per day before the plan; otherwise as :func:`deficit_by_day`."""
    return _by_day([max(0, step.demand - step.capacity_before) for step in steps], steps, first_day, days)


def _by_day(values: list[int], steps: tuple[CoverageStep, ...], first_day: date, days: int) -> Days:
    edges = [(step.period.starts_on - first_day).days for step in steps]
    edges.append((steps[-1].period.ends_before - first_day).days)
    inside = np.clip(np.array(edges, dtype=np.int64), 0, days)
    by_day = np.zeros(days, dtype=np.int64)
    by_day[inside[0] : inside[-1]] = np.repeat(np.array(values, dtype=np.int64), np.diff(inside))
    return by_day


def shortfall_account_days(steps: tuple[CoverageStep, ...]) -> int:
    """Accounts missing with the plan, summed over the days; ``steps`` are with the plan."""
    return sum(step.period.days * max(0, step.demand - step.capacity_after) for step in steps)


def still_short(
    steps: tuple[CoverageStep, ...], uncovered: tuple[Shortfall, ...], otherwise: ShortfallReason
) -> tuple[Shortfall, ...]:
    """What a plan leaves short, as maximal runs: days that nothing covers have their own reason."""
    result: list[Shortfall] = []
    for step in steps:
        missing = step.demand - step.capacity_after
        if missing <= 0:
            continue
        begin = step.period.starts_on
        while begin < step.period.ends_before:
            inside = next((item for item in uncovered if item.period.contains(begin)), None)
            edges = [item.period.starts_on for item in uncovered if item.period.starts_on > begin]
            end = min([step.period.ends_before, *([inside.period.ends_before] if inside else edges)])
            _append(result, Shortfall(Period(begin, end), missing, inside.reason if inside else otherwise))
            begin = end
    return tuple(result)


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
        if any(period.starts_on <= begin and until <= period.ends_before for period in covered):
            continue
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
