"""Offers and units turned into dated orders, and why each order is there."""

from bisect import bisect_left, bisect_right
from itertools import groupby

import numpy as np

from domain.months import Period
from planner.offers import Days, Offers, day_of
from planner.problem import CoverageStep, Need, PlannedOrder, PlanningProblem, Reason


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
    """Per order, the days it serves and what one unit less of it leaves short. ``steps`` are with the plan."""
    starts, ends = [step.period.starts_on for step in steps], [step.period.ends_before for step in steps]
    missing = [step.demand - step.capacity_before for step in steps]
    one_less = [step.demand - step.capacity_after + problem.contract.accounts_per_unit for step in steps]
    result = []
    for order in orders:
        within = order.period
        touched = range(bisect_right(ends, within.starts_on), bisect_left(starts, within.ends_before))
        result.append(Reason(_needs(steps, missing, touched, within), _needs(steps, one_less, touched, within)))
    return tuple(result)


def _needs(steps: tuple[CoverageStep, ...], missing: list[int], touched: range, within: Period) -> tuple[Need, ...]:
    """The maximal runs of days with something missing, inside a period."""
    needs = []
    for is_short, run in groupby(touched, key=lambda index: missing[index] > 0):
        if is_short:
            indices = list(run)
            begin = max(steps[indices[0]].period.starts_on, within.starts_on)
            end = min(steps[indices[-1]].period.ends_before, within.ends_before)
            needs.append(Need(Period(begin, end), max(missing[index] for index in indices)))
    return tuple(needs)
