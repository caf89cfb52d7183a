"""Planning problems: by hand, small random ones for exhaustive search, larger ones for another solver."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest

from domain.contracts import AdditionalLicence, BillingCycle, MainContract, SpotContract, Term
from domain.months import Period, ends_before
from planner.offers import Offers
from planner.problem import DemandStep, PlannedOrder, PlanningProblem
from tests.domain.builders import contract, day, days_of, period, recount, term

ONE_DAY = timedelta(days=1)


def seeds(always: int, *, soak: int, block: int = 50) -> pytest.MarkDecorator:
    """Parametrizes ``first_seed``, in blocks; the ones from ``always`` on are only tested where time is no object."""
    later = (pytest.param(first, marks=pytest.mark.soak) for first in range(always, soak, block))
    return pytest.mark.parametrize("first_seed", [*range(0, always, block), *later])


def problem(
    *steps: tuple[str, str, int],
    main: MainContract | None = None,
    earliest_start: str = "2026-04-01",
    today: str | None = None,
    **options: Any,
) -> PlanningProblem:
    """A problem in a year of Starter (100 accounts, 5,000 yen a month) from April, unless told otherwise.

    The options are those of :class:`PlanningProblem`.
    """
    return PlanningProblem(
        contract=main or contract(),
        demand=tuple(DemandStep(period(begin, end), accounts) for begin, end, accounts in steps),
        today=day(today or earliest_start),
        earliest_start=day(earliest_start),
        **options,
    )


def offers_of(rows: Sequence[tuple[int, int, int]]) -> Offers:
    """Offers from (start, end, price) directly, no calendar involved."""
    start, end, price = (np.array(column, dtype=np.int64) for column in zip(*sorted(rows), strict=True))
    return Offers(date(2026, 1, 1), start, end, end - start, price)


def with_options(problem: PlanningProblem, seed: int) -> PlanningProblem:
    """A problem with a fee per order, large and small orders, and additional licences, each for some seeds."""
    random, unit = Random(seed), problem.contract.accounts_per_unit
    return replace(
        problem,
        order_fee_minor=random.choice([0, 0, 0, 1, 700, 5_000]),
        accounts_per_order_max=random.choice([None, None, unit * random.randint(1, 3) + random.randrange(unit)]),
        additional_licences=random.random() < 0.3,
    )


def tiny_problem(seed: int) -> PlanningProblem:
    """One or two months, so that every set of a few orders can be looked at."""
    random = Random(seed)
    starts_on = date(2026, 1, 1) + timedelta(days=random.randrange(730))
    main = _random_contract(random, starts_on, random.randint(30, 60), random.choice([1, 10]))
    earliest_start = starts_on + timedelta(days=random.choice([0, 0, 0, 5]))
    return PlanningProblem(
        contract=main,
        demand=_random_demand(random, main, Period(earliest_start, main.ends_before)),
        today=earliest_start,
        earliest_start=earliest_start,
        months_max=random.choice([None, None, 1]),
    )


def small_problem(seed: int) -> PlanningProblem:
    """A few months and at most three units missing, with month ends, renewals, spots and limits."""
    random = Random(seed)
    starts_on = date(random.choice([2026, 2027, 2028]), random.randint(1, 12), 1)
    starts_on += timedelta(days=random.choice([0, 14, 26, 27, 28, 29, 30, random.randrange(31)]))
    contract_ends = starts_on + timedelta(days=random.randint(29, 130))
    if random.random() < 0.3:
        # No single month ends here, so only longer periods reach the last days.
        contract_ends = date(starts_on.year + 1, 3, random.choice([29, 30, 31]))
        starts_on = contract_ends - timedelta(days=random.randint(60, 130))
    main = _random_contract(random, starts_on, (contract_ends - starts_on).days, random.choice([1, 10, 100]))
    earliest_start = starts_on + timedelta(days=random.choice([-3, 0, 0, 0, random.randint(0, 25)]))
    first_need = max(earliest_start, starts_on) - ONE_DAY * random.choice([0, 0, 0, 0, 3])
    last_need = contract_ends + ONE_DAY * random.choice([0, 0, 0, 0, 0, 0, 0, 0, 2])
    return PlanningProblem(
        contract=main,
        demand=_random_demand(random, main, Period(first_need, max(last_need, first_need + ONE_DAY))),
        today=earliest_start - ONE_DAY * random.choice([0, 0, 5]),
        earliest_start=earliest_start,
        months_max=random.choice([None, None, None, 1, 2, 3]),
    )


def _random_contract(random: Random, starts_on: date, days: int, unit: int) -> MainContract:
    cuts = sorted(random.sample(range(1, days), random.choice([0, 0, 1, 1, 2])))
    terms = tuple(
        Term(
            Period(starts_on + timedelta(days=begin), starts_on + timedelta(days=end)),
            plan_code="STARTER",
            units=random.randint(1, 2),
            accounts_per_unit=unit,
            billing_cycle=BillingCycle.MONTHLY if (begin + days) % 3 else BillingCycle.ANNUAL,
            monthly_unit_price_minor=random.choice([3_000, 5_000, 5_001, 7_000]),
            annual_unit_price_minor=30_000 + begin,
        )
        for begin, end in pairwise([0, *cuts, days])
    )

    def some_days() -> Period:
        begin = random.randrange(days)
        return Period(starts_on + timedelta(days=begin), starts_on + timedelta(days=random.randint(begin, days) + 1))

    return MainContract(
        terms,
        tuple(AdditionalLicence(some_days(), unit) for _ in range(random.choice([0, 0, 1]))),
        tuple(SpotContract(some_days(), random.randint(1, 2 * unit)) for _ in range(random.choice([0, 0, 1, 2]))),
    )


def _random_demand(random: Random, main: MainContract, window: Period) -> tuple[DemandStep, ...]:
    """Steps with gaps; none needs more than three units above the lowest capacity of its days."""
    drawn = random.sample(range(window.days + 1), min(window.days + 1, random.randint(2, 7)))
    cuts = sorted({*drawn, random.choice([drawn[0], 0]), random.choice([drawn[0], window.days])})
    steps: list[DemandStep] = []
    for begin, end in pairwise(cuts):
        span = Period(window.starts_on + timedelta(days=begin), window.starts_on + timedelta(days=end))
        if steps and random.random() < 0.2:
            continue
        there = min(recount(main, on) for on in days_of(span))
        steps.append(DemandStep(span, random.randint(0, there + 3 * main.accounts_per_unit)))
    return tuple(steps)


def larger_problem(seed: int) -> PlanningProblem:
    """Up to a year, as a daily forecast (even seeds) or as a few events (odd seeds), half with a renewal."""
    random = Random(seed)
    starts_on = date(2026, 1, 1) + timedelta(days=random.randrange(730))
    days = random.randint(150, 365)
    contract_ends = starts_on + timedelta(days=days)
    renewal = starts_on + timedelta(days=random.randint(40, days - 40))
    edges = random.choice([[starts_on, contract_ends], [starts_on, renewal, contract_ends]])
    terms = [
        term(str(begin), str(end), accounts_per_unit=10, units=10, monthly=random.choice([900, 1_000, 1_100]))
        for begin, end in pairwise(edges)
    ]
    levels = _forecast(random, days - 31) if seed % 2 == 0 else _events(random, days - 31)
    return PlanningProblem(
        contract=contract(*terms),
        demand=tuple(
            DemandStep(Period(starts_on + timedelta(days=offset), starts_on + timedelta(days=offset + 1)), level)
            for offset, level in enumerate(levels)
        ),
        today=starts_on,
        earliest_start=starts_on,
        months_max=random.choice([None, None, 3]),
    )


def _forecast(random: Random, days: int) -> list[int]:
    """A season, a week, and noise around the contract's 100 accounts."""
    season, week, noise = random.randint(20, 150), random.randint(0, 60), random.randint(1, 40)
    return [
        max(0, round(100 + season * math.sin(t / 40) + week * (t % 7 < 5) + random.gauss(0, noise)))
        for t in range(days)
    ]


def _events(random: Random, days: int) -> list[int]:
    levels = [100] * days
    for _ in range(random.randint(3, 10)):
        begin, length, extra = random.randrange(days), random.randint(1, 70), random.randint(1, 200)
        for offset in range(begin, min(begin + length, days)):
            levels[offset] += extra
    return levels


def planned(
    starts_on: str, months: int, *, units: int = 1, unit_price_minor: int = 5_000, accounts_per_unit: int = 100
) -> PlannedOrder:
    """An order as it should be, at one monthly price."""
    return PlannedOrder(
        period=Period(day(starts_on), ends_before(day(starts_on), months)),
        months=months,
        units=units,
        accounts=units * accounts_per_unit,
        net_minor=months * units * unit_price_minor,
    )
