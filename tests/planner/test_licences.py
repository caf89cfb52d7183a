"""Additional licences as alternatives to spot contracts, mixed freely, at their own prices."""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from domain.contracts import BillingCycle, MainContract
from planner.case import Case
from planner.problem import OrderKind, PlannedOrder, PlanningProblem, PlanStatus
from planner.solve import solve
from planner.verify import verify
from tests.domain.builders import contract, period, term
from tests.planner.builders import larger_problem, planned, problem, seeds, small_problem
from tests.planner.oracle import cheapest, highs_answers, rows_of, units_missing

PLENTY = 60.0
HIGHS_PROBLEMS = 30


def licence(begin: str, end: str, net_minor: int, *, units: int = 1) -> PlannedOrder:
    return PlannedOrder(period(begin, end), None, units, units * 100, net_minor, OrderKind.ADDITIONAL_LICENCE)


# Two units for a month from 12 October, one from then on until the contract ends: 171 days, six months begun.
AUTUMN = problem(("2026-10-12", "2026-11-12", 300), ("2026-11-12", "2027-04-01", 200), additional_licences=True)
MONTHLY = contract(term(cycle=BillingCycle.MONTHLY))


def test_the_published_price_of_171_days_and_a_spot_on_top_save_15_946() -> None:
    outcome = solve(AUTUMN, PLENTY)
    assert outcome.status is PlanStatus.OPTIMAL
    assert outcome.orders == (planned("2026-10-12", 1), licence("2026-10-12", "2027-04-01", 14_054))
    assert outcome.cost_minor == outcome.lower_bound_minor == 19_054
    # Spots alone: seven months. The last one begins on 1 March, because none from the 12th fits into the contract.
    assert outcome.spots_only_cost_minor == 35_000
    assert [point.cost_minor for point in outcome.frontier] == [28_108, 19_054]


def test_a_term_paid_by_the_month_sells_licences_by_months_begun() -> None:
    outcome = solve(replace(AUTUMN, contract=MONTHLY), PLENTY)
    # From 12 November a licence costs as much as its five months of spots, which would be two orders.
    assert outcome.orders == (planned("2026-10-12", 1, units=2), licence("2026-11-12", "2027-04-01", 25_000))
    assert (outcome.cost_minor, outcome.spots_only_cost_minor) == (35_000, 35_000)


def test_licences_end_with_their_term_and_have_its_price() -> None:
    main = contract(term("2026-04-01", "2026-06-15"), term("2026-06-15", "2027-06-15", annual=36_500))
    asked = problem(("2026-06-01", "2027-06-15", 200), main=main, additional_licences=True)
    outcome = solve(asked, PLENTY)
    # 14 days of 30,000 a year; then the renewal's whole year.
    assert outcome.orders == (licence("2026-06-01", "2026-06-15", 1_150), licence("2026-06-15", "2027-06-15", 36_500))
    assert outcome.status is PlanStatus.OPTIMAL


def test_licences_cover_the_days_that_no_month_fits_into() -> None:
    asked = problem(("2027-03-20", "2027-04-01", 200), earliest_start="2027-03-15")
    assert solve(asked, PLENTY).status is PlanStatus.INFEASIBLE
    outcome = solve(replace(asked, additional_licences=True), PLENTY)
    assert outcome.orders == (licence("2027-03-20", "2027-04-01", 986),)
    assert outcome.spots_only_cost_minor is None
    assert outcome.baselines == ()


def test_without_being_asked_for_there_are_none() -> None:
    outcome = solve(replace(AUTUMN, additional_licences=False), PLENTY)
    assert {order.kind for order in outcome.orders} == {OrderKind.SPOT}
    assert (outcome.cost_minor, outcome.spots_only_cost_minor) == (35_000, None)


def test_limits_and_fees_hold_for_licences_as_well() -> None:
    # No order of more than one unit: a licence and a spot as before.
    assert solve(replace(AUTUMN, accounts_per_order_max=199), PLENTY).cost_minor == 19_054
    assert solve(replace(AUTUMN, orders_max=1), PLENTY).orders == (
        licence("2026-10-12", "2027-04-01", 28_108, units=2),
    )
    limited = solve(replace(AUTUMN, orders_max=1, accounts_per_order_max=199), 0.5)
    assert limited.status is PlanStatus.INFEASIBLE
    # The spot saves 9,054.
    for fee, orders in ((9_053, 2), (9_054, 1), (9_055, 1)):
        assert len(solve(replace(AUTUMN, order_fee_minor=fee), PLENTY).orders) == orders


@seeds(150, soak=1_000)
def test_mixes_of_small_problems_are_those_of_an_exhaustive_search(first_seed: int) -> None:
    kinds: Counter[str] = Counter()
    for seed in range(first_seed, first_seed + 50):
        asked = replace(small_problem(seed), additional_licences=True)
        outcome, best = solve(asked, PLENTY), cheapest(asked)
        if best is None:
            assert outcome.status is PlanStatus.INFEASIBLE, seed
            continue
        assert outcome.status is PlanStatus.OPTIMAL, seed
        assert outcome.cost_minor == outcome.lower_bound_minor == best[0], seed
        verify(asked, outcome.orders)
        spots_only = cheapest(replace(asked, additional_licences=False)) if outcome.orders else None
        assert outcome.spots_only_cost_minor == (spots_only[0] if spots_only else None), seed
        bought = {order.kind for order in outcome.orders}
        kinds["spots only"] += bought == {OrderKind.SPOT}
        kinds["licences only"] += bought == {OrderKind.ADDITIONAL_LICENCE}
        kinds["mixed"] += len(bought) == 2
        kinds["saves"] += outcome.cost_minor < (outcome.spots_only_cost_minor or 0)
    assert len(kinds) == 4, kinds
    assert min(kinds.values()) >= 2, kinds


def larger(seed: int) -> PlanningProblem:
    """Up to a year, with licences at a price that is worth it for about half of the time."""
    asked, random = larger_problem(seed), Random(seed)
    terms = [
        replace(
            sold,
            billing_cycle=random.choice(list(BillingCycle)),
            annual_unit_price_minor=random.randint(5, 9) * sold.monthly_unit_price_minor + random.randrange(100),
        )
        for sold in asked.contract.terms
    ]
    return replace(asked, contract=MainContract(tuple(terms)), additional_licences=True)


@pytest.fixture(scope="module")
def highs_optima() -> list[float]:
    questions = []
    for asked in map(larger, range(HIGHS_PROBLEMS)):
        first_day = asked.contract.starts_on.toordinal()
        deficit = [0] * (asked.contract.ends_before.toordinal() - first_day)
        for on, units in units_missing(asked).items():
            deficit[on.toordinal() - first_day] = units
        offers = [[start - first_day, end - first_day, price] for start, end, price in rows_of(asked)]
        questions.append({"offers": offers, "deficit": deficit})
    return highs_answers(questions)


def test_cost_of_larger_mixes_is_what_highs_proves(highs_optima: list[float]) -> None:
    mixed = 0
    for seed, optimum in enumerate(highs_optima):
        asked = larger(seed)
        outcome = solve(asked, 0.0)
        assert outcome.cost_minor == pytest.approx(optimum, abs=1e-3), seed
        assert outcome.lower_bound_minor == outcome.cost_minor, seed
        spots_only = solve(replace(asked, additional_licences=False), 0.0)
        assert outcome.spots_only_cost_minor == spots_only.cost_minor >= outcome.cost_minor, seed
        mixed += len({order.kind for order in outcome.orders}) == 2
    assert len(highs_optima) == HIGHS_PROBLEMS
    assert mixed >= HIGHS_PROBLEMS // 2


@pytest.mark.parametrize("seed", [0, 2, 3, 5, 6, 7, 9])
def test_the_spots_of_plans_of_spots_are_among_the_offers_of_a_mix(seed: int) -> None:
    case = Case(larger(seed))
    spots, mix = (case.question(offers).offers for offers in (case.spots, case.offers))
    assert OrderKind.ADDITIONAL_LICENCE in map(mix.kind, range(len(mix)))
    assert set(spots.keys()) <= set(mix.keys()) <= set(case.offers.keys())
    assert len(set(mix.keys())) == len(mix)


@pytest.mark.parametrize("seed", [22, 28, 34, 36])
def test_in_little_time_a_mix_is_still_no_dearer_than_the_spots_that_were_found(seed: int) -> None:
    asked = replace(larger_problem(seed), additional_licences=True, orders_max=3 + seed % 5)
    outcome = solve(asked, 0.1)
    assert outcome.spots_only_cost_minor is not None
    assert outcome.cost_minor <= outcome.spots_only_cost_minor
