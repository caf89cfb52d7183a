"""What simpler ways to buy would cost: the purchases a plan is compared with."""

from bisect import bisect_left

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
    # Lists, because each order touches few days: an array operation would cost more than the work in it.
    missing: list[int] = deficit.tolist()
    ends: list[int] = offers.end.tolist()
    first_of_day: list[int] = np.searchsorted(offers.start, np.arange(len(missing) + 1)).tolist()
    orders = []
    for day, units in enumerate(missing):
        if not units:
            continue
        until = day + 1
        while by_step and until < len(missing) and missing[until] == units:
            until += 1
        # The shortest offer from the day that reaches far enough.
        index = bisect_left(ends, until, first_of_day[day], first_of_day[day + 1])
        if index == first_of_day[day + 1]:
            earlier = _cheapest_earlier(offers, day, until)
            if earlier is None:
                return None
            index = earlier
        begin, end = int(offers.start[index]), ends[index]
        bought = units if by_step else max(missing[begin:end])
        missing[begin:end] = [max(0, needed - bought) for needed in missing[begin:end]]
        orders.append(planned_order(problem, offers, index, bought))
    return tuple(orders)


def _cheapest_earlier(offers: Offers, day: int, until: int) -> int | None:
    """The cheapest offer that starts before a day and reaches ``until``; among equals the latest start."""
    fits = np.flatnonzero((offers.start < day) & (offers.end >= until))
    return int(fits[np.lexsort((-offers.start[fits], offers.price[fits]))[0]]) if len(fits) else None
