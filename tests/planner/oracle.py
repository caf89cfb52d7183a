"""What the planner must answer, recounted day by day and searched exhaustively: slow, and none of its code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import combinations_with_replacement

from domain.months import ends_before
from planner.problem import PlannedOrder, PlanningProblem
from tests.domain.builders import days_of, recount

Interval = tuple[int, int, int]
"""Start, exclusive end, price of a unit."""

end_of = cache(ends_before)


@dataclass(frozen=True)
class NaiveOffer:
    """One unit for whole months."""

    starts_on: date
    ends_before: date
    months: int
    price: int


def naive_offers(problem: PlanningProblem) -> list[NaiveOffer]:
    """Every spot contract from every day on, longer and longer until it does not fit."""
    contract, offers = problem.contract, []
    starts_on = max(problem.earliest_start, contract.starts_on)
    while starts_on < contract.ends_before:
        months, price, month_starts_on = 1, 0, starts_on
        while (end := end_of(starts_on, months)) <= contract.ends_before:
            if problem.months_max is not None and months > problem.months_max:
                break
            price += contract.term_on(month_starts_on).monthly_unit_price_minor
            offers.append(NaiveOffer(starts_on, end, months, price))
            months, month_starts_on = months + 1, end
        starts_on += timedelta(days=1)
    return offers


def demand_on(problem: PlanningProblem, on: date) -> int:
    return sum(step.accounts for step in problem.demand if step.period.starts_on <= on < step.period.ends_before)


def accounts_missing(problem: PlanningProblem) -> dict[date, int]:
    """Accounts missing on each day of the demand's window, where any are."""
    missing = {on: demand_on(problem, on) - recount(problem.contract, on) for on in days_of(problem.window)}
    return {on: accounts for on, accounts in missing.items() if accounts > 0}


def units_missing(problem: PlanningProblem) -> dict[date, int]:
    unit = problem.contract.accounts_per_unit
    return {on: (accounts + unit - 1) // unit for on, accounts in accounts_missing(problem).items()}


def bought_on(orders: tuple[PlannedOrder, ...], on: date) -> int:
    """Accounts that orders add on one day."""
    return sum(order.accounts for order in orders if order.period.starts_on <= on < order.period.ends_before)


def cheapest(problem: PlanningProblem) -> tuple[int, int] | None:
    """The least cost and, at that cost, the fewest single-unit contracts; None where nothing covers a day."""
    rows = [
        (offer.starts_on.toordinal(), offer.ends_before.toordinal(), offer.price) for offer in naive_offers(problem)
    ]
    return cheapest_cover(rows, {on.toordinal(): units for on, units in units_missing(problem).items()})


def cheapest_cover(rows: Sequence[Interval], missing: Mapping[int, int]) -> tuple[int, int] | None:
    """The same for any intervals with a price per unit, and units missing per day.

    Walks the missing days in order. A state is the ends of the contracts that are still running; on a day that is
    short, every way to buy what is missing is tried. When a contract was started is of no interest later on, so
    of those that cover a day a cheaper one that runs at least as long is as good as any.
    """
    states: dict[tuple[int, ...], tuple[int, int]] = {(): (0, 0)}
    for day, units in sorted(missing.items()):
        menu = _menu([row for row in rows if row[0] <= day < row[1]])
        bought: dict[tuple[int, ...], tuple[int, int]] = {}
        for ends, (cost, contracts) in states.items():
            running = [end for end in ends if end > day]
            for chosen in combinations_with_replacement(menu, max(0, units - len(running))):
                state = tuple(sorted([*running, *(end for _, end, _ in chosen)]))
                total = (cost + sum(price for _, _, price in chosen), contracts + len(chosen))
                bought[state] = min(total, bought.get(state, total))
        states = bought
    return min(states.values(), default=None)


def _menu(covering: list[Interval]) -> list[Interval]:
    """The intervals of which none is both as cheap and as long."""
    menu: list[Interval] = []
    for row in sorted(covering, key=lambda row: (row[2], -row[1])):
        if not menu or row[1] > menu[-1][1]:
            menu.append(row)
    return menu
