"""Simpler ways to buy, to compare a plan with."""

import pytest

from planner.problem import BaselineKind, FrontierPoint, PlannedOrder, PlanStatus
from planner.solve import solve
from planner.verify import verify
from tests.domain.builders import contract, term
from tests.planner.builders import larger_problem, planned, problem, small_problem

_K = BaselineKind
# A summer with a short peak at its end, and a winter from the 31st to the end of March.
SEASONS = problem(
    ("2026-06-01", "2026-07-20", 200),
    ("2026-07-20", "2026-08-05", 400),
    ("2027-01-31", "2027-04-01", 200),
    main=contract(term(), term("2027-04-01", "2028-04-01")),
)


def test_the_cheapest_plan_costs_less_than_each_simpler_way() -> None:
    outcome = solve(SEASONS)
    # Summer: three months of one unit and one month of two more. Winter: two single months (31 January, 1 March).
    assert outcome.net_minor == 35_000
    assert {baseline.kind: baseline.net_minor for baseline in outcome.baselines} == {
        _K.PEAK_FOR_WHOLE_SPAN: 150_000,
        _K.ONE_ORDER_PER_DEMAND_STEP: 40_000,
        _K.MONTH_BY_MONTH: 45_000,
    }


EXPECTED = {
    # Three units from the first missing day to the last, 1 June to 31 March.
    _K.PEAK_FOR_WHOLE_SPAN: (planned("2026-06-01", 10, units=3),),
    _K.ONE_ORDER_PER_DEMAND_STEP: (
        planned("2026-06-01", 2),  # one is missing until 20 July
        planned("2026-07-20", 1, units=2),  # two more until the first order ends
        planned("2026-08-01", 1),  # the first unit again, until 5 August
        planned("2027-01-31", 3),  # two months from the 31st end on 30 March, so three
    ),
    _K.MONTH_BY_MONTH: (
        planned("2026-06-01", 1),
        planned("2026-07-01", 1, units=3),
        planned("2026-08-01", 1, units=3),
        planned("2027-01-31", 1),
        planned("2027-03-01", 1),
    ),
}


@pytest.mark.parametrize("kind", BaselineKind)
def test_orders_of_each_simpler_way(kind: BaselineKind) -> None:
    orders = {baseline.kind: baseline.orders for baseline in solve(SEASONS).baselines}
    assert orders[kind] == EXPECTED[kind]


def test_a_way_that_does_not_fit_into_the_contract_has_no_orders() -> None:
    # From 1 January two months end on 28 February and three would end a day after the contract.
    asked = problem(
        ("2026-01-01", "2026-03-31", 200), main=contract(term("2026-01-01", "2026-03-31")), earliest_start="2026-01-01"
    )
    outcome = solve(asked)
    assert outcome.net_minor == 15_000
    assert {baseline.kind: (baseline.orders, baseline.net_minor) for baseline in outcome.baselines} == {
        _K.PEAK_FOR_WHOLE_SPAN: (None, None),
        _K.ONE_ORDER_PER_DEMAND_STEP: (None, None),
        _K.MONTH_BY_MONTH: (
            (
                planned("2026-01-01", 1),
                planned("2026-02-01", 1),
                # From March on no month fits: the latest earlier one, then the latest that reaches the end.
                planned("2026-02-28", 1),
                planned("2026-01-31", 2),
            ),
            25_000,
        ),
    }
    assert outcome.frontier == (FrontierPoint(len(outcome.orders), outcome.orders, 15_000, 15_000),)


def test_a_single_order_starts_as_late_as_it_can_at_its_price() -> None:
    outcome = solve(problem(("2026-06-10", "2026-06-12", 300)))
    single: tuple[PlannedOrder, ...] = (planned("2026-06-10", 1, units=2),)
    assert outcome.orders == single
    assert [baseline.orders for baseline in outcome.baselines] == [single] * 3
    assert outcome.frontier == (FrontierPoint(1, outcome.orders, 10_000, 10_000),)


def test_nothing_missing_is_compared_with_nothing() -> None:
    outcome = solve(problem(("2026-04-01", "2027-04-01", 100)))
    assert (outcome.status, outcome.orders, outcome.baselines, outcome.frontier) == (PlanStatus.OPTIMAL, (), (), ())


@pytest.mark.parametrize("larger", [False, True])
@pytest.mark.parametrize("first_seed", range(0, 100, 50))
def test_every_simpler_way_covers_the_demand_and_costs_at_least_the_optimum(first_seed: int, larger: bool) -> None:
    compared = dearer = 0
    for seed in range(first_seed, first_seed + 50):
        asked = larger_problem(seed) if larger else small_problem(seed)
        outcome = solve(asked, 0.0 if larger else 60.0)
        if not outcome.orders:
            assert outcome.baselines == (), seed
            continue
        assert [baseline.kind for baseline in outcome.baselines] == list(BaselineKind), seed
        for baseline in outcome.baselines:
            if baseline.orders is not None:
                verify(asked, baseline.orders)
                assert baseline.net_minor == sum(order.net_minor for order in baseline.orders), seed
                assert baseline.net_minor >= outcome.net_minor, seed
                compared += 1
                dearer += baseline.net_minor > outcome.net_minor
    assert compared >= 60
    assert dearer >= 15
