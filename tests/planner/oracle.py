"""What the planner must answer, recounted day by day and searched exhaustively: slow, and none of its code.

Plans as sets of orders, for frontiers and ties, are in :mod:`tests.planner.order_oracle`.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

from domain.contracts import BillingCycle, Term
from domain.months import ends_before
from planner.problem import PlannedOrder, PlanningProblem
from tests.domain.builders import days_of, recount

Interval = tuple[int, int, int]
"""Start, exclusive end, price of a unit."""

end_of = cache(ends_before)


@dataclass(frozen=True)
class NaiveOffer:
    """One unit for whole months, or, as a licence of 0 months, until the end of a term."""

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


def naive_licences(problem: PlanningProblem) -> list[NaiveOffer]:
    """An additional licence from every day on until the end of its term, where the problem asks for them."""
    licences = []
    starts_on = max(problem.earliest_start, problem.contract.starts_on)
    while problem.additional_licences and starts_on < problem.contract.ends_before:
        term = problem.contract.term_on(starts_on)
        licences.append(NaiveOffer(starts_on, term.period.ends_before, 0, licence_price(term, starts_on)))
        starts_on += timedelta(days=1)
    return licences


def licence_price(term: Term, starts_on: date) -> int:
    """A unit until the term's end: the share of the year in days, or each month begun."""
    end = term.period.ends_before
    if term.billing_cycle is BillingCycle.ANNUAL:
        return term.annual_unit_price_minor * (end - starts_on).days // 365
    months = 1
    while end_of(starts_on, months) < end:
        months += 1
    return months * term.monthly_unit_price_minor


def rows_of(problem: PlanningProblem) -> list[Interval]:
    """All that is on offer as (start, end, price), days counted as ordinals."""
    return [
        (offer.starts_on.toordinal(), offer.ends_before.toordinal(), offer.price)
        for offer in naive_offers(problem) + naive_licences(problem)
    ]


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
    return cheapest_cover(rows_of(problem), {on.toordinal(): units for on, units in units_missing(problem).items()})


def cheapest_cover(rows: Sequence[Interval], missing: Mapping[int, int]) -> tuple[int, int] | None:
    """The same for any intervals with a price per unit, and units missing per day.

    Walks the missing days in order. A state is the ends of the contracts that are still running; on a day that is
    short, every way to buy what is missing is tried. When a contract was started is of no interest later on, so
    of those that cover a day a cheaper one that runs at least as long is as good as any.
    """
    states: dict[tuple[int, ...], tuple[int, int]] = {(): (0, 0)}
    for day, units in sorted(missing.items()):
        menu = cheap_and_long([row for row in rows if row[0] <= day < row[1]])
        bought: dict[tuple[int, ...], tuple[int, int]] = {}
        for ends, (cost, contracts) in states.items():
            running = [end for end in ends if end > day]
            for chosen in combinations_with_replacement(menu, max(0, units - len(running))):
                state = tuple(sorted([*running, *(end for _, end, _ in chosen)]))
                total = (cost + sum(price for _, _, price in chosen), contracts + len(chosen))
                bought[state] = min(total, bought.get(state, total))
        states = bought
    return min(states.values(), default=None)


def cheap_and_long(covering: Sequence[Interval]) -> list[Interval]:
    """The intervals of which none is both as cheap and as long."""
    menu: list[Interval] = []
    for row in sorted(covering, key=lambda row: (row[2], -row[1])):
        if not menu or row[1] > menu[-1][1]:
            menu.append(row)
    return menu


def highs_answers(questions: Sequence[Mapping[str, Any]]) -> list[Any]:
    """What HiGHS says to the questions of :mod:`tests.planner.highs_optima`."""
    script = Path(__file__).with_name("highs_optima.py")
    asked = json.dumps(questions)
    answers = subprocess.run([sys.executable, script], input=asked, capture_output=True, text=True, check=True)
    found: list[Any] = json.loads(answers.stdout.splitlines()[-1])
    return found
