"""The cheapest plan with at most k orders, for every k: against every set of orders that could be bought."""

from collections import Counter
from dataclasses import replace

import pytest

from planner.problem import FrontierPoint, Outcome, PlannedOrder, PlanningProblem, PlanStatus, ShortfallReason
from planner.solve import solve
from planner.verify import verify
from tests.planner.builders import problem, seeds, small_problem, tiny_problem, with_options
from tests.planner.oracle import accounts_missing, bought_on, naive_licences, naive_offers
from tests.planner.order_oracle import NEVER, Best, Costs, FrontierOracle, best_sets

BLOCK = 50
PLENTY = 60.0
"""Seconds that small problems never need."""


def asked(seed: int) -> PlanningProblem:
    return with_options(small_problem(seed), seed)


def oracle_costs(problem: PlanningProblem, outcome: Outcome) -> Costs:
    """For every number of orders up to one more than the outcome has."""
    return FrontierOracle(problem, outcome.frontier[-1].orders_max + 1).costs()


def assert_frontier(problem: PlanningProblem, outcome: Outcome, seed: int) -> Costs:
    """All points are there, from the fewest orders possible to those of the optimum, each verified and the cheapest."""
    costs = oracle_costs(problem, outcome)
    found = {point.orders_max: point.cost_minor for point in outcome.frontier}
    assert found == {orders: cost for orders, cost in enumerate(costs[:-1]) if cost < NEVER}, seed
    assert outcome.cost_minor == costs[-1] == outcome.lower_bound_minor, seed
    assert outcome.status is PlanStatus.OPTIMAL, seed
    for point in outcome.frontier:
        verify(problem, point.orders)
        assert len(point.orders) <= point.orders_max, seed
        assert point.cost_minor == point.net_minor + len(point.orders) * problem.order_fee_minor, seed
    return costs


@seeds(500, soak=5_000)
def test_frontiers_are_those_of_an_exhaustive_search(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + BLOCK):
        problem = replace(asked(seed), accounts_per_order_max=None)
        outcome = solve(problem, PLENTY)
        if outcome.orders:
            costs = assert_frontier(problem, outcome, seed)
            assert all(point.proven for point in outcome.frontier), seed
            assert len(outcome.orders) == costs.index(outcome.cost_minor), seed
            assert outcome.fewest_proven, seed
        assert outcome.status is PlanStatus.OPTIMAL or outcome.shortfalls, seed


@seeds(200, soak=5_000)
def test_frontiers_of_small_orders_are_those_of_an_exhaustive_search(first_seed: int) -> None:
    limited = 0
    for seed in range(first_seed, first_seed + BLOCK):
        unit = small_problem(seed).contract.accounts_per_unit
        problem = replace(asked(seed), accounts_per_order_max=unit * (1 + seed % 2))
        outcome = solve(problem, PLENTY)
        if outcome.orders:
            costs = assert_frontier(problem, outcome, seed)
            assert all(point.proven for point in outcome.frontier), seed
            assert len(outcome.orders) == costs.index(outcome.cost_minor), seed
            assert all(order.units <= 1 + seed % 2 for point in outcome.frontier for order in point.orders), seed
            limited += any(order.units > 1 + seed % 2 for order in solve(problem.without_limits(), PLENTY).orders)
    assert limited >= 5


@seeds(100, soak=1_000)
def test_a_limit_on_orders_is_kept_at_the_cost_of_that_point(first_seed: int) -> None:
    impossible = dearer = 0
    for seed in range(first_seed, first_seed + BLOCK):
        problem = asked(seed)
        unlimited = solve(problem, PLENTY)
        if not unlimited.orders:
            continue
        costs = oracle_costs(problem, unlimited)
        for orders_max in range(1, len(unlimited.orders) + 1):
            is_possible = costs[orders_max] < NEVER
            outcome = solve(replace(problem, orders_max=orders_max), PLENTY if is_possible else 0.2)
            if not is_possible:
                assert (outcome.status, outcome.orders) == (PlanStatus.INFEASIBLE, ()), seed
                assert {short.reason for short in outcome.shortfalls} == {ShortfallReason.ORDERS_LIMITED}, seed
                impossible += 1
                continue
            assert outcome.cost_minor == outcome.lower_bound_minor == costs[orders_max], seed
            assert len(outcome.orders) == costs.index(costs[orders_max]), seed
            assert [point.cost_minor for point in outcome.frontier] == [
                cost for cost in costs[: outcome.frontier[-1].orders_max + 1] if cost < NEVER
            ], seed
            dearer += outcome.cost_minor > unlimited.cost_minor
    assert impossible >= 5
    assert dearer >= 5


def test_the_small_problems_are_of_every_kind() -> None:
    kinds: Counter[str] = Counter()
    for seed in range(500):
        problem = asked(seed)
        outcome = solve(replace(problem, accounts_per_order_max=None), PLENTY)
        costs = {point.cost_minor for point in outcome.frontier}
        kinds["solved"] += bool(outcome.orders)
        kinds["several points"] += len(outcome.frontier) > 1
        kinds["several costs"] += len(costs) > 1
        kinds["three or more costs"] += len(costs) > 2
        kinds["no plan of one order"] += bool(outcome.frontier) and outcome.frontier[0].orders_max > 1
        if len(outcome.frontier) > 1:
            kinds["several points, price changes"] += len(problem.contract.terms) > 1
            kinds["several points, limited months"] += problem.months_max is not None
            kinds["several points, fee"] += problem.order_fee_minor > 0
            kinds["several points, licences"] += problem.additional_licences
            kinds["several points, starts on a month end"] += problem.contract.starts_on.day > 28
        kinds["fee decides"] += outcome.net_minor > solve(problem.without_limits(), PLENTY).net_minor
    assert kinds["solved"] >= 300, kinds
    assert kinds["several costs"] >= 100, kinds
    assert min(kinds.values()) >= 10, kinds


def best_of(point: Outcome | FrontierPoint) -> Best:
    starts = sum(order.period.starts_on.toordinal() for order in point.orders)
    return Best(0, point.cost_minor, len(point.orders), -starts)


@seeds(200, soak=2_000)
def test_of_equally_cheap_plans_that_of_the_fewest_orders_and_latest_starts_is_taken(first_seed: int) -> None:
    compared = 0
    for seed in range(first_seed, first_seed + BLOCK):
        problem = replace(with_options(tiny_problem(seed), seed), accounts_per_order_max=None)
        outcome = solve(problem, PLENTY)
        if not 1 <= len(outcome.orders) <= 3:
            continue
        best = best_sets(problem, len(outcome.orders))
        for point in outcome.frontier:
            assert best_of(point) == best[point.orders_max], (seed, point.orders_max)
            compared += 1
        assert outcome.orders == outcome.frontier[-1].orders, seed
    assert compared >= 40


def can_start_later(problem: PlanningProblem, orders: tuple[PlannedOrder, ...], order: PlannedOrder) -> bool:
    """Whether an order could be exchanged for a later one of equal length, no dearer, with every day still covered."""
    offers = naive_offers(problem) if order.months else naive_licences(problem)
    needed = [
        on for on, missing in accounts_missing(problem).items() if bought_on(orders, on) - order.accounts < missing
    ]
    return any(
        offer.months == (order.months or 0)
        and offer.starts_on > order.period.starts_on
        and offer.price * order.units <= order.net_minor
        and all(offer.starts_on <= on < offer.ends_before for on in needed)
        for offer in offers
    )


def assert_late(problem: PlanningProblem, outcome: Outcome) -> None:
    for point in outcome.frontier:
        assert not any(can_start_later(problem, point.orders, order) for order in point.orders), point


@seeds(100, soak=2_000)
def test_small_orders_are_the_fewest_and_none_of_them_can_start_later(first_seed: int) -> None:
    compared = 0
    for seed in range(first_seed, first_seed + BLOCK):
        problem = with_options(tiny_problem(seed), seed)
        problem = replace(problem, accounts_per_order_max=problem.contract.accounts_per_unit * (1 + seed % 2))
        outcome = solve(problem, PLENTY)
        if 1 <= len(outcome.orders) <= 3:
            best = best_sets(problem, len(outcome.orders))[-1]
            assert (best_of(outcome).cost, len(outcome.orders)) == (best.cost, best.orders), seed
        assert_late(problem, outcome)
        compared += sum(len(point.orders) for point in outcome.frontier)
    assert compared >= 50


@pytest.mark.parametrize("seed", [1_724, 1_888, 2_413])
def test_plans_that_the_exact_search_has_in_too_large_orders_start_late_as_well(seed: int) -> None:
    problem = with_options(tiny_problem(seed), seed)
    for units in (1, 2):
        small = replace(problem, accounts_per_order_max=problem.contract.accounts_per_unit * units)
        outcome = solve(small, PLENTY)
        assert outcome.fewest_proven
        assert_late(small, outcome)


def test_fewer_orders_cost_more_and_a_fee_decides() -> None:
    # Six units for a week, three until August, one until November.
    steps = ("2026-06-01", "2026-06-08", 700), ("2026-06-08", "2026-08-01", 400), ("2026-08-01", "2026-11-01", 200)
    outcome = solve(problem(*steps), PLENTY)
    # All six for five months; one for five and five for two months; three orders, one per level.
    assert [point.cost_minor for point in outcome.frontier] == [150_000, 75_000, 60_000]
    for fee, orders in ((14_999, 3), (15_000, 2), (74_999, 2), (75_000, 1)):
        with_fee = solve(problem(*steps, order_fee_minor=fee), PLENTY)
        assert len(with_fee.orders) == orders, fee
        assert with_fee.cost_minor == outcome.frontier[orders - 1].net_minor + orders * fee
