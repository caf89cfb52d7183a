"""Offers and units turned into dated orders, and why each order is there."""

from bisect import bisect_left, bisect_right
from itertools import groupby

import numpy as np

from domain.months import Period
from planner.offers import Days, Offers, day_of
from planner.problem import CoverageStep, PlannedOrder, PlanningProblem, Reason


def planned_order(problem: PlanningProblem, offers: Offers, index: int, units: int) -> PlannedOrder:
    """Units of one offer as an order."""
    return PlannedOrder(
        period=Period(day_of(offers, offers.start[index]), day_of(offers, offers.end[index])),
        months=int(offers.months[index]),
        units=units,
        accounts=units * problem.contract.accounts_per_unit,
        net_minor=units * int(offers.price[index]),
    )


def planned_orders(problem: PlanningProblem, offers: Offers, units: Days) -> tuple[PlannedOrder, ...]:
    """One order per offer with units, sorted by start, then end."""
    bought = np.flatnonzero(units)
    return tuple(planned_order(problem, offers, index, int(units[index])) for index in bought.tolist())


def reasons(
    problem: PlanningProblem, orders: tuple[PlannedOrder, ...], steps: tuple[CoverageStep, ...]
) -> tuple[Reason, ...]:
    """Per order, the days that one unit less of it would leave short. ``steps`` are with the plan."""
    starts, ends = [step.period.starts_on for step in steps], [step.period.ends_before for step in steps]
    missing = [step.demand - step.capacity_before for step in steps]
    runs = _tight_runs(steps, problem.contract.accounts_per_unit)
    run_starts, run_ends = [run.starts_on for run in runs], [run.ends_before for run in runs]
    result = []
    for order in orders:
        within = order.period
        tight = runs[bisect_right(run_ends, within.starts_on) : bisect_left(run_starts, within.ends_before)]
        touched = slice(bisect_right(ends, within.starts_on), bisect_left(starts, within.ends_before))
        most = max([0, *missing[touched]])
        result.append(Reason(tuple(_overlap(run, within) for run in tight), most))
    return tuple(result)


def _tight_runs(steps: tuple[CoverageStep, ...], accounts_per_unit: int) -> list[Period]:
    """The maximal runs of days on which one unit less would be too little."""
    runs: list[Period] = []
    for is_tight, run in groupby(steps, key=lambda step: step.capacity_after - accounts_per_unit < step.demand):
        if is_tight:
            touched = list(run)
            runs.append(Period(touched[0].period.starts_on, touched[-1].period.ends_before))
    return runs


def _overlap(one: Period, other: Period) -> Period:
    if other.starts_on <= one.starts_on and one.ends_before <= other.ends_before:
        return one  # Most are inside, and a period is not free to make.
    return Period(max(one.starts_on, other.starts_on), min(one.ends_before, other.ends_before))
