"""Plans are checked from the rules alone: each broken constraint is found, waste is not one."""

from dataclasses import replace

import pytest

from domain.months import Period
from planner.problem import OrderKind, PlannedOrder
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
        pytest.param(planned("2026-04-09", 1), "starts too early", id="before the earliest start"),
        pytest.param(planned("2026-04-04", 1), "starts too early", id="before today"),
        pytest.param(planned("2026-03-31", 1), "starts too early", id="before the contract"),
        pytest.param(planned("2026-05-01", 7), "runs too long", id="longer than allowed"),
        pytest.param(planned("2027-03-02", 1), "ends before 2027-04-01", id="past the contract's end"),
        pytest.param(planned("2027-04-01", 1), "ends before 2027-04-01", id="after the contract"),
        pytest.param(ending(LONG, "2026-07-02"), "does not end by the month rule", id="a day too long"),
        pytest.param(ending(LONG, "2026-06-30"), "does not end by the month rule", id="a day too short"),
        pytest.param(replace(LONG, months=3), "does not end by the month rule", id="months that are not its period's"),
        pytest.param(replace(LONG, months=0), "0 is not a whole number of months", id="no months"),
        pytest.param(replace(LONG, months=None), "runs too long", id="a spot without months"),
        pytest.param(replace(LONG, accounts=150), "is not 100 accounts per unit", id="half a unit"),
        pytest.param(replace(LONG, accounts=0, units=0, net_minor=0), "is not 100 accounts per unit", id="nothing"),
        pytest.param(
            replace(LONG, accounts=-100, units=-1, net_minor=-10_000), "is not 100 accounts per unit", id="negative"
        ),
        pytest.param(
            replace(LONG, kind=OrderKind.ADDITIONAL_LICENCE), "no additional licence", id="a licence of months"
        ),
        pytest.param(
            replace(LONG, kind=OrderKind.ADDITIONAL_LICENCE, months=None),
            "no additional licence that was asked for",
            id="a licence that was not asked for",
        ),
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
    with pytest.raises(PlanViolationError, match=rf"^V3: \d+ account-days are short, not 0: {message}"):
        verify(PROBLEM, plan)


def test_days_are_compared_where_capacity_changes_inside_a_step_of_demand() -> None:
    main = contract(spots=(spot("2026-04-10", "2026-04-20", 100),))
    asked = problem(("2026-04-12", "2026-04-22", 200), main=main)
    with pytest.raises(
        PlanViolationError,
        match="V3: 200 account-days are short, not 0: 200 accounts are needed from 2026-04-20, 100 are there",
    ):
        verify(asked, ())
    verify(problem(("2026-04-12", "2026-04-20", 200), main=main), ())


def test_days_between_steps_need_nothing() -> None:
    asked = problem(("2026-04-01", "2026-05-01", 200), ("2026-07-01", "2026-08-01", 200))
    verify(asked, (planned("2026-04-01", 1), planned("2026-07-01", 1)))
    assert asked.window == period("2026-04-01", "2026-08-01")


# Until the term's end: 61 days of 30,000 a year, 5,013 yen a unit; then the renewal's.
RENEWED = problem(
    ("2026-05-01", "2026-06-20", 300),
    main=contract(term("2026-04-01", "2026-07-01"), term("2026-07-01", "2027-07-01")),
    additional_licences=True,
)
LICENCE = PlannedOrder(period("2026-05-01", "2026-07-01"), None, 2, 200, 10_026, OrderKind.ADDITIONAL_LICENCE)


def test_an_additional_licence_until_its_terms_end_is_accepted() -> None:
    verify(RENEWED, (LICENCE,))
    later = replace(LICENCE, period=period("2026-07-01", "2027-07-01"), net_minor=60_000)
    verify(RENEWED, (LICENCE, later))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        pytest.param(ending(LICENCE, "2026-06-30"), "V1: .* does not end with its term", id="a day too short"),
        pytest.param(ending(LICENCE, "2027-07-01"), "V1: .* does not end with its term", id="across the renewal"),
        pytest.param(replace(LICENCE, months=2), "V1: .* is no additional licence", id="of months"),
        pytest.param(replace(LICENCE, net_minor=10_027), "V2: .* costs 10026", id="rounded up"),
        pytest.param(replace(LICENCE, net_minor=10_027 - 2), "V2: .* costs 10026", id="too cheap"),
        pytest.param(replace(LICENCE, kind=OrderKind.SPOT), "V1: .* runs too long", id="sold as a spot"),
        pytest.param(
            replace(LICENCE, period=period("2026-03-31", "2026-07-01")), "V1: .* starts too early", id="too early"
        ),
        pytest.param(replace(LICENCE, period=period("2027-07-01", "2028-07-01")), "V1: ", id="after the contract"),
    ],
)
def test_a_licence_that_the_rules_refuse_is_found(wrong: PlannedOrder, message: str) -> None:
    with pytest.raises(PlanViolationError, match=f"^{message}"):
        verify(RENEWED, (wrong, LICENCE))


def test_a_licence_that_nobody_asked_for_is_found() -> None:
    with pytest.raises(PlanViolationError, match=r"^V1: .* is no additional licence that was asked for$"):
        verify(replace(RENEWED, additional_licences=False), (LICENCE,))


def test_an_order_may_be_as_large_as_allowed_and_no_larger() -> None:
    for order, asked in ((replace(LONG, units=2, accounts=200, net_minor=20_000), PROBLEM), (LICENCE, RENEWED)):
        verify(replace(asked, accounts_per_order_max=200), (order, *PLAN) if asked is PROBLEM else (order,))
        with pytest.raises(PlanViolationError, match=r"^V1: .* is larger than 199 accounts$"):
            verify(replace(asked, accounts_per_order_max=199), (order,))


def test_there_are_as_many_orders_as_allowed_and_no_more() -> None:
    verify(replace(PROBLEM, orders_max=4), PLAN)
    with pytest.raises(PlanViolationError, match=r"^V4: 4 orders, not at most 3$"):
        verify(replace(PROBLEM, orders_max=3), PLAN)


def test_prices_and_fees_stay_within_the_budget() -> None:
    verify(replace(PROBLEM, budget_minor=25_000), PLAN)
    verify(replace(PROBLEM, budget_minor=25_400, order_fee_minor=100), PLAN)
    for budget, fee in ((24_999, 0), (25_399, 100), (0, 0)):
        with pytest.raises(PlanViolationError, match=f"^V4: {25_000 + 4 * fee} is over the budget of {budget}$"):
            verify(replace(PROBLEM, budget_minor=budget, order_fee_minor=fee), PLAN)


def test_a_shortfall_is_exactly_the_one_stated() -> None:
    # Without the last order the 31 days of March are short of 100 accounts.
    verify(PROBLEM, PLAN[:3], shortfall_account_days=3_100)
    for stated in (3_099, 3_101, 0):
        with pytest.raises(
            PlanViolationError, match=f"^V3: 3100 account-days are short, not {stated}: 200 accounts are"
        ):
            verify(PROBLEM, PLAN[:3], shortfall_account_days=stated)
    with pytest.raises(PlanViolationError, match=r"^V3: 0 account-days are short, not 1: $"):
        verify(PROBLEM, PLAN, shortfall_account_days=1)


def test_what_one_step_has_too_much_does_not_make_up_for_another() -> None:
    asked = problem(("2026-05-01", "2026-05-02", 300), ("2026-05-02", "2026-05-03", 100))
    verify(asked, (), shortfall_account_days=200)
    verify(asked, (planned("2026-05-01", 1, units=1),), shortfall_account_days=100)
