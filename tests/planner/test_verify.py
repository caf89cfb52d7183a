"""Plans are checked from the rules alone: each broken constraint is found, waste is not one."""

from dataclasses import replace

import pytest

from domain.months import Period
from planner.problem import PlannedOrder
from planner.verify import PlanViolationError, verify
from tests.domain.builders import contract, day, period, spot, term
from tests.planner.builders import planned, problem

PROBLEM = problem(
    ("2026-05-01", "2026-06-20", 300),
    ("2026-06-20", "2026-07-01", 200),
    ("2027-03-01", "2027-04-01", 200),
    earliest_start="2026-04-10",
    today="2026-04-05",
    months_max=6,
)
LONG, SHORT, LAST = planned("2026-05-01", 2), planned("2026-05-20", 1), planned("2027-03-01", 1)
FIRST = planned("2026-05-01", 1)
PLAN = (LONG, FIRST, SHORT, LAST)


def ending(order: PlannedOrder, ends_before: str) -> PlannedOrder:
    return replace(order, period=Period(order.period.starts_on, day(ends_before)))


def test_a_plan_that_just_covers_the_demand_is_accepted() -> None:
    verify(PROBLEM, PLAN)


@pytest.mark.parametrize(
    "wasteful",
    [
        pytest.param((*PLAN, planned("2026-09-01", 6, units=9)), id="an order where nothing is needed"),
        pytest.param((*PLAN, LAST), id="an order twice"),
        pytest.param((LONG, LONG, LAST, replace(SHORT, units=3, accounts=300, net_minor=15_000)), id="units too many"),
        pytest.param((planned("2026-04-10", 4, units=2), LAST), id="from the earliest start on, a month too long"),
    ],
)
def test_waste_is_allowed(wasteful: tuple[PlannedOrder, ...]) -> None:
    verify(PROBLEM, wasteful)


@pytest.mark.parametrize(
    ("added", "message"),
    [
        pytest.param(planned("2026-04-09", 1), "starts too early or runs too long", id="before the earliest start"),
        pytest.param(planned("2026-04-04", 1), "before today, 2026-04-05", id="before today"),
        pytest.param(planned("2026-03-31", 1), "before today", id="before the contract"),
        pytest.param(planned("2026-05-01", 7), "starts too early or runs too long", id="longer than allowed"),
        pytest.param(planned("2027-03-02", 1), "ends before 2027-04-01", id="past the contract's end"),
        pytest.param(planned("2027-04-01", 1), "ends before 2027-04-01", id="after the contract"),
        pytest.param(ending(LONG, "2026-07-02"), "does not end by the month rule", id="a day too long"),
        pytest.param(ending(LONG, "2026-06-30"), "does not end by the month rule", id="a day too short"),
        pytest.param(replace(LONG, months=3), "does not end by the month rule", id="months that are not its period's"),
        pytest.param(replace(LONG, months=0), "0 is not a whole number of months", id="no months"),
        pytest.param(replace(LONG, accounts=150), "150 accounts is not a positive multiple", id="half a unit"),
        pytest.param(replace(LONG, accounts=0, units=0, net_minor=0), "0 accounts is not", id="nothing"),
        pytest.param(replace(LONG, accounts=-100, units=-1, net_minor=-10_000), "-100 accounts is not", id="negative"),
        pytest.param(replace(LONG, accounts=200), "is not 100 accounts per unit", id="accounts of other units"),
    ],
)
def test_an_order_that_the_rules_refuse_is_found(added: PlannedOrder, message: str) -> None:
    with pytest.raises(PlanViolationError, match=rf"^V1: PlannedOrder.*{message}"):
        verify(PROBLEM, (*PLAN, added))


@pytest.mark.parametrize("net_minor", [9_999, 10_001, 0, 20_000])
def test_a_wrong_price_is_found(net_minor: int) -> None:
    with pytest.raises(PlanViolationError, match=r"^V2: PlannedOrder.* costs 10000$"):
        verify(PROBLEM, (replace(LONG, net_minor=net_minor), FIRST, SHORT, LAST))


def test_a_price_across_a_renewal_is_checked_by_the_month() -> None:
    renewed = problem(
        ("2026-03-15", "2026-05-01", 200),
        main=contract(term("2025-04-01", "2026-04-01"), term("2026-04-01", "2027-04-01", monthly=6_000)),
        earliest_start="2026-03-01",
    )
    order = planned("2026-03-15", 2)
    verify(renewed, (replace(order, net_minor=11_000),))
    for wrong in (10_000, 12_000):
        with pytest.raises(PlanViolationError, match="costs 11000"):
            verify(renewed, (replace(order, net_minor=wrong),))


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        pytest.param((), "300 accounts are needed from 2026-05-01, 100 are there", id="no order"),
        pytest.param((FIRST, SHORT, LAST), "300 .* from 2026-05-01, 200 are there", id="without the first"),
        pytest.param((LONG, SHORT, LAST), "300 .* from 2026-05-01, 200 are there", id="without the second"),
        pytest.param((LONG, FIRST, LAST), "300 .* from 2026-06-01, 200 are there", id="without the third"),
        pytest.param((LONG, FIRST, SHORT), "200 .* from 2027-03-01, 100 are there", id="without the last"),
        pytest.param(
            (planned("2026-05-01", 2, units=1), LAST), "300 .* from 2026-05-01, 200 are there", id="a unit less"
        ),
        pytest.param((planned("2026-05-02", 2, units=2), LAST), "300 .* from 2026-05-01, 100", id="a day too late"),
        pytest.param((planned("2026-05-01", 1, units=2), LAST), "300 .* from 2026-06-01, 100", id="a month too short"),
    ],
)
def test_a_day_that_stays_short_is_found(plan: tuple[PlannedOrder, ...], message: str) -> None:
    with pytest.raises(PlanViolationError, match=f"^V3: {message}"):
        verify(PROBLEM, plan)


def test_days_are_compared_where_capacity_changes_inside_a_step_of_demand() -> None:
    main = contract(spots=(spot("2026-04-10", "2026-04-20", 100),))
    asked = problem(("2026-04-12", "2026-04-22", 200), main=main)
    with pytest.raises(PlanViolationError, match="V3: 200 accounts are needed from 2026-04-20, 100 are there"):
        verify(asked, ())
    verify(problem(("2026-04-12", "2026-04-20", 200), main=main), ())


def test_days_between_steps_need_nothing() -> None:
    asked = problem(("2026-04-01", "2026-05-01", 200), ("2026-07-01", "2026-08-01", 200))
    verify(asked, (planned("2026-04-01", 1), planned("2026-07-01", 1)))
    assert asked.window == period("2026-04-01", "2026-08-01")
