"""Planning problems with every combination of options, for hypothesis."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from domain.contracts import AdditionalLicence, BillingCycle, MainContract, SpotContract, Term
from domain.months import Period
from planner.problem import DemandStep, PlanningProblem

ONE_DAY = timedelta(days=1)


@st.composite
def contracts(draw: st.DrawFn) -> MainContract:
    """One to three terms of different prices and billing cycles in one to six months, with what was added to them."""
    starts_on = draw(st.dates(date(2027, 12, 1), date(2028, 3, 31)))
    days = draw(st.integers(30, 180))
    cuts = draw(st.lists(st.integers(1, days - 1), max_size=2, unique=True))
    unit = draw(st.sampled_from([1, 10, 100]))
    terms = tuple(
        Term(
            Period(starts_on + begin * ONE_DAY, starts_on + end * ONE_DAY),
            plan_code="STARTER",
            units=draw(st.integers(1, 3)),
            accounts_per_unit=unit,
            billing_cycle=draw(st.sampled_from(BillingCycle)),
            monthly_unit_price_minor=draw(st.sampled_from([3_000, 5_000, 5_001, 7_000])),
            annual_unit_price_minor=draw(st.integers(20_000, 60_000)),
        )
        for begin, end in pairwise([0, *sorted(cuts), days])
    )
    periods = _periods(Period(starts_on, starts_on + days * ONE_DAY))
    licences = draw(st.lists(st.builds(AdditionalLicence, periods, st.just(unit)), max_size=1))
    spots = draw(st.lists(st.builds(SpotContract, periods, st.integers(1, 2 * unit)), max_size=2))
    return MainContract(terms, tuple(licences), tuple(spots))


def _periods(within: Period) -> st.SearchStrategy[Period]:
    edges = st.lists(st.integers(0, within.days), min_size=2, max_size=2, unique=True)
    return edges.map(lambda pair: Period(*(within.starts_on + day * ONE_DAY for day in sorted(pair))))


@st.composite
def demands(draw: st.DrawFn, window: Period, accounts_max: int) -> tuple[DemandStep, ...]:
    """One to six steps, some days between them without any."""
    cuts = draw(st.lists(st.integers(0, window.days), min_size=2, max_size=7, unique=True))
    levels = [draw(st.none() | st.integers(0, accounts_max)) for _ in cuts[1:]]
    steps = tuple(
        DemandStep(Period(window.starts_on + begin * ONE_DAY, window.starts_on + end * ONE_DAY), accounts)
        for (begin, end), accounts in zip(pairwise(sorted(cuts)), levels, strict=True)
        if accounts is not None
    )
    return steps or (DemandStep(window, accounts_max),)


@st.composite
def unlimited_problems(draw: st.DrawFn, *, is_coverable: bool = True) -> PlanningProblem:
    """No options but the earliest start; mostly every day can be covered."""
    main = draw(contracts())
    today = main.starts_on + draw(st.integers(0, 10)) * ONE_DAY
    earliest_start = today + draw(st.sampled_from([0, 0, 3])) * ONE_DAY
    outside = 0 if is_coverable else draw(st.integers(0, 3))
    begin = max(min(earliest_start, main.ends_before - 28 * ONE_DAY), main.starts_on)
    window = Period(begin - outside * ONE_DAY, main.ends_before + outside * ONE_DAY)
    accounts_max = (max(term.units for term in main.terms) + draw(st.integers(1, 5))) * main.accounts_per_unit
    demand = draw(demands(window, accounts_max))
    return PlanningProblem(main, demand, today, earliest_start)


def options(problem: PlanningProblem, always: str | None = None) -> st.SearchStrategy[dict[str, Any]]:
    """Any of the options, and any number of them; one of them ``always``."""
    unit = problem.contract.accounts_per_unit
    values: dict[str, st.SearchStrategy[Any]] = {
        "orders_max": st.integers(1, 6),
        "accounts_per_order_max": st.integers(unit, 4 * unit),
        "order_fee_minor": st.sampled_from([1, 100, 2_500, 20_000]),
        "budget_minor": st.integers(0, 120_000),
        "months_max": st.integers(1, 4),
        "earliest_start": st.integers(0, 20).map(lambda days: problem.earliest_start + days * ONE_DAY),
        "additional_licences": st.booleans(),
    }
    required = {name: values.pop(name) for name in [always] if name}
    return st.fixed_dictionaries(required, optional=values)


@st.composite
def problems(draw: st.DrawFn) -> PlanningProblem:
    """With any of the options."""
    plain = draw(unlimited_problems(is_coverable=draw(st.booleans())))
    return replace(plain, **draw(options(plain)))
