"""What simpler ways to buy would cost: the purchases a plan is compared with."""

import numpy as np

from planner.offers import Days, Offers
from planner.orders import planned_order
from planner.problem import Baseline, BaselineKind, PlannedOrder, PlanningProblem


def baselines(problem: PlanningProblem, offers: Offers, deficit: Days) -> tuple[Baseline, ...]:
    """All baselines for a deficit that is positive on at least one day, in a fixed order."""
    return (
        Baseline(BaselineKind.PEAK_FOR_WHOLE_SPAN, _peak_for_whole_span(problem, offers, deficit)),
        Baseline(BaselineKind.ONE_ORDER_PER_DEMAND_STEP, _first_need_first(problem, offers, deficit, by_step=True)),
        Baseline(BaselineKind.MONTH_BY_MONTH, _first_need_first(problem, offers, deficit, by_step=False)),
    )


def _peak_for_whole_span(problem: PlanningProblem, offers: Offers, deficit: Days) -> tuple[PlannedOrder, ...] | None:
    """One order of the highest deficit over all days with one: the cheapest plan of a single order.

    None where no single period of whole months covers them all.
    """
    days = np.flatnonzero(deficit)
    fits = np.flatnonzero((offers.start <= days[0]) & (offers.end > days[-1]))
    if not len(fits):
        return None
    # The cheapest; among equals the latest start.
    best = fits[np.lexsort((-offers.start[fits], offers.price[fits]))[0]]
    return (planned_order(problem, offers, int(best), int(deficit.max())),)


def _first_need_first(
    problem: PlanningProblem, offers: Offers, deficit: Days, *, by_step: bool
) -> tuple[PlannedOrder, ...] | None:
    """Buy for the first day that is still short, until none is.

    By step: an order of what is missing for as long as exactly that is missing. By month: one month of the
    most that is missing in it. None where no single period covers a step.
    """
    missing = deficit.copy()
    orders = []
    while len(short := np.flatnonzero(missing)):
        day = int(short[0])
        changes = np.flatnonzero(missing[day:] != missing[day])
        until = day + int(changes[0]) if by_step and len(changes) else len(missing) if by_step else day + 1
        index = _shortest(offers, day, until)
        if index is None:
            return None
        covered = slice(int(offers.start[index]), int(offers.end[index]))
        units = int(missing[day] if by_step else missing[covered].max())
        missing[covered] = np.maximum(missing[covered] - units, 0)
        orders.append(planned_order(problem, offers, index, units))
    return tuple(orders)


def _shortest(offers: Offers, day: int, until: int) -> int | None:
    """The shortest offer from a day that reaches ``until``; where none fits, the cheapest earlier one."""
    first, last = np.searchsorted(offers.start, [day, day + 1]).tolist()
    index = int(first + np.searchsorted(offers.end[first:last], until))
    if index < int(last):
        return index
    fits = np.flatnonzero((offers.start[:first] <= day) & (offers.end[:first] >= until))
    return int(fits[np.lexsort((-offers.start[fits], offers.price[fits]))[0]]) if len(fits) else None
