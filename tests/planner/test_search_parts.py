"""Each way to an answer alone: what it finds and proves must hold without the others as well."""

from collections.abc import Iterator
from time import perf_counter

import numpy as np
import pytest

from planner.board import Board, Question, Selection
from planner.branch import branch
from planner.case import Case
from planner.heuristics import Heuristics
from planner.native.fit import INFEASIBLE
from planner.problem import PlanningProblem
from planner.search import Search
from planner.solve import solve
from tests.planner.builders import larger_problem, offers_of, seeds, small_problem, with_options
from tests.planner.order_oracle import NEVER, FrontierOracle

PLENTY = 60.0
BLOCK = 50


def asked(seed: int) -> PlanningProblem:
    return with_options(small_problem(seed), seed)


def searches(first_seed: int) -> Iterator[tuple[int, PlanningProblem, Search]]:
    """Searches that have done nothing yet but the flow, for problems of which everything can be covered."""
    for seed in range(first_seed, first_seed + BLOCK):
        problem = asked(seed)
        case = Case(problem)
        if not case.needs_nothing and not case.uncovered:
            yield seed, problem, Search(case.question(case.offers), None, perf_counter() + PLENTY)


def assert_between(problem: PlanningProblem, search: Search, seed: int) -> None:
    """For every number of orders the true cost is between what is proven and what is known."""
    costs = FrontierOracle(problem, search.orders_asked + 1).costs()
    for orders in range(1, search.orders_asked + 1):
        plan = search.board.at_most(orders)
        if costs[orders] >= NEVER:
            assert plan is None, seed
            assert search.board.bound(orders) >= INFEASIBLE, seed
        else:
            assert search.board.bound(orders) <= costs[orders], seed
            assert plan is None or plan.cost_minor >= costs[orders], seed
    assert search.bound_minor <= costs[-1] <= search.best.cost_minor, seed
    # Nothing as cheap as what is known has fewer orders than is said to be proven.
    as_cheap = next(orders for orders, cost in enumerate(costs) if cost <= search.best.cost_minor)
    assert search.orders_bound <= as_cheap <= len(search.best), seed


@seeds(100, soak=1_000)
def test_the_flow_alone_gives_plans_and_bounds(first_seed: int) -> None:
    for seed, problem, search in searches(first_seed):
        assert_between(problem, search, seed)
        if not problem.order_fee_minor:
            assert search.bound_minor == search.best.cost_minor, seed


@seeds(100, soak=1_000)
def test_heuristics_never_find_what_is_not_possible(first_seed: int) -> None:
    improved = 0
    for seed, problem, search in searches(first_seed):
        before = search.board.plans()
        for _ in search._first_plans():
            pass
        for orders in range(search.board.orders_min, search.orders_asked + 1):
            search._heuristics.anneal(orders)
        assert_between(problem, search, seed)
        improved += search.board.plans() != before
    assert improved >= 1


@seeds(100, soak=1_000)
def test_constraints_prove_every_number_of_orders(first_seed: int) -> None:
    for seed, problem, search in searches(first_seed):
        costs = FrontierOracle(problem, search.orders_asked).costs()
        for orders in range(1, search.orders_asked + 1):
            known, deadline = search.board.plans()[0], perf_counter() + PLENTY
            found = branch(search.question, search._line, known, orders_max=orders, deadline=deadline, face=None)
            if costs[orders] >= NEVER:
                assert found.plan is None, seed
            else:
                assert found.plan is not None, seed
                assert found.plan.cost_minor == found.bound == costs[orders], (seed, orders)
                assert len(found.plan) <= orders, seed


@seeds(100, soak=1_000)
def test_constraints_prove_the_fewest_orders_on_the_optimal_face(first_seed: int) -> None:
    fewer = 0
    for seed, problem, search in searches(first_seed):
        if problem.order_fee_minor:
            continue
        flow, deadline = search.board.plans()[0], perf_counter() + PLENTY
        line, face = search._line, search._face()
        found = branch(search.question, line, flow, orders_max=len(flow), deadline=deadline, face=face)
        costs = FrontierOracle(problem, len(flow)).costs()
        assert found.plan is not None, seed
        assert found.plan.cost_minor == search.board.prices_floor_minor == costs[-1], seed
        assert len(found.plan) == found.bound == costs.index(costs[-1]), seed
        fewer += len(found.plan) < len(flow)
    assert fewer >= 2


def test_without_the_exact_search_answers_are_still_true(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the table would be too large, as in a daily forecast."""
    monkeypatch.setattr("planner.exact.TERMINALS_MAX", 0)
    proven = 0
    for seed in range(60):
        problem = asked(seed)
        outcome = solve(problem, 1.0)
        if not outcome.orders:
            continue
        costs = FrontierOracle(problem, outcome.frontier[-1].orders_max + 1).costs()
        assert outcome.lower_bound_minor <= costs[-1] <= outcome.cost_minor, seed
        for point in outcome.frontier:
            assert point.lower_bound_minor <= costs[point.orders_max] <= point.cost_minor, (seed, point.orders_max)
        if outcome.fewest_proven:
            assert len(outcome.orders) == costs.index(outcome.cost_minor), seed
        proven += outcome.fewest_proven
    assert proven >= 30


def test_moving_orders_later_changes_nothing_but_their_starts() -> None:
    moved = 0
    for seed in range(30):
        problem = larger_problem(seed)
        case = Case(problem)
        search = Search(case.question(case.offers), None, perf_counter())
        for plan in search.board.plans():
            later = search._heuristics.later(plan)
            assert (later.cost_minor, len(later)) == (plan.cost_minor, len(plan)), seed
            assert later.starts >= plan.starts, seed
            assert sorted(later.units) == sorted(plan.units), seed
            covered = search._line.coverage(later.offers, later.units)
            assert (covered >= search._line.deficit).all(), seed
            moved += later.starts > plan.starts
    assert moved >= 5


def question(**changes: int) -> Question:
    limits = {"units_max": 5, "fee_minor": 0} | changes
    return Question(offers_of([(0, 3, 10), (1, 4, 20)]), np.array([5, 5, 5, 5]), **limits)


def plan(asked: Question, *orders: tuple[int, int]) -> Selection:
    return Selection.of(asked, *(np.array(column, dtype=np.int64) for column in zip(*orders, strict=True)))


def test_units_that_one_order_may_not_hold_become_several_orders() -> None:
    bought = plan(question(units_max=2, fee_minor=7), (0, 5), (1, 0))
    assert list(zip(bought.offers.tolist(), bought.units.tolist(), strict=True)) == [(0, 2), (0, 2), (0, 1)]
    assert (bought.cost_minor, bought.starts, bought.key) == (5 * 10 + 3 * 7, 0, (71, 3, 0))


def test_a_board_keeps_the_best_plan_of_each_number_of_orders() -> None:
    asked, board = question(), Board(100, 1)
    two, one, dear = plan(asked, (0, 5), (1, 2)), plan(asked, (1, 4)), plan(asked, (1, 5))
    assert board.at_most(None) is None
    assert [board.add(new) for new in (two, dear, one, dear, two)] == [True, True, True, False, False]
    assert board.at_most(0) is None
    assert [board.at_most(orders) for orders in (1, 2, None)] == [one, one, one]
    assert board.plans() == [two, one]


def test_bounds_of_more_orders_hold_for_fewer() -> None:
    board = Board(100, 2)
    assert [board.bound(orders) for orders in (1, 2, 5)] == [INFEASIBLE, 100, 100]
    board.raise_bound(4, 150)
    board.raise_bound(4, 140)
    board.raise_bound(3, INFEASIBLE)
    assert [board.bound(orders) for orders in (2, 3, 4, 5)] == [INFEASIBLE, INFEASIBLE, 150, 100]


def test_with_a_fee_plans_of_more_orders_cost_at_least_their_fees() -> None:
    # Prices are at least 100. Up to two orders cost at least 190; three or more at least 100 and three fees.
    board = Board(100, 1, fee_minor=20)
    assert [board.bound(orders) for orders in (1, 2, 9)] == [120, 120, 120]
    board.raise_bound(2, 190)
    assert [board.bound(orders) for orders in (1, 2, 3, 9)] == [190, 190, 160, 160]


def test_heuristics_refuse_offers_that_leave_a_day_short() -> None:
    asked, board = question(), Board(0, 1)
    assert Heuristics(asked, board).add(np.array([0])) is None
    assert Heuristics(asked, board).add(np.array([0, 1]), 4) is None
    assert board.plans() == []
    found = Heuristics(asked, board).add(np.array([0, 1]))
    assert found is not None
    assert (found.units.tolist(), found.cost_minor) == ([5, 5], 150)
