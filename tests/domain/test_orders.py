"""A spot order's states and moves."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from domain.errors import OrderMoveRefused
from domain.money import Charge
from domain.orders import (
    GIVES_CAPACITY,
    OPEN,
    OrderStatus,
    PaymentMethod,
    SpotOrder,
    available_payment_methods,
    check_move,
    invoice_due_on,
)
from tests.domain.builders import day, period

_S = OrderStatus
ALLOWED = {
    (_S.AWAITING_PAYMENT_METHOD, _S.PENDING_PAYMENT),
    (_S.AWAITING_PAYMENT_METHOD, _S.CONFIRMED),
    (_S.AWAITING_PAYMENT_METHOD, _S.CANCELLED),
    (_S.AWAITING_PAYMENT_METHOD, _S.EXPIRED),
    (_S.PENDING_PAYMENT, _S.AWAITING_PAYMENT_METHOD),
    (_S.PENDING_PAYMENT, _S.CONFIRMED),
    (_S.PENDING_PAYMENT, _S.CANCELLED),
    (_S.PENDING_PAYMENT, _S.EXPIRED),
    (_S.CONFIRMED, _S.ACTIVE),
    (_S.CONFIRMED, _S.CANCELLED),
    (_S.ACTIVE, _S.ENDED),
}
EXPIRES_AT = datetime(2026, 4, 10, 12, 30, tzinfo=UTC)
LONG_AGO, LONG_AFTER = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
ORDER = SpotOrder(
    id=42,
    customer_id=7,
    purchase_id=9,
    period=period("2026-05-01", "2026-06-01"),
    months=1,
    units=1,
    accounts=100,
    charge=Charge(5_000, 500, 1_000),
    currency="JPY",
    status=OrderStatus.AWAITING_PAYMENT_METHOD,
    payment_method=None,
    payment_due_on=None,
    terms_version="2026-01",
    placed_at=EXPIRES_AT - timedelta(minutes=30),
    expires_at=EXPIRES_AT,
    confirmed_at=None,
    cancelled_at=None,
)


@pytest.mark.parametrize(("status", "wanted"), [pair for pair in product(_S, _S) if pair in ALLOWED])
def test_moves_that_exist_are_allowed(status: OrderStatus, wanted: OrderStatus) -> None:
    check_move(status, wanted)


@pytest.mark.parametrize(("status", "wanted"), [pair for pair in product(_S, _S) if pair not in ALLOWED])
def test_moves_that_do_not_exist_are_refused_with_both_statuses(status: OrderStatus, wanted: OrderStatus) -> None:
    with pytest.raises(OrderMoveRefused) as refused:
        check_move(status, wanted)
    assert refused.value.data == {"status": status.value, "wanted": wanted.value}
    # Plain strings: they leave the process and become GraphQL values.
    assert {type(value) for value in refused.value.data.values()} == {str}


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (EXPIRES_AT - timedelta(microseconds=1), OrderStatus.AWAITING_PAYMENT_METHOD),
        (EXPIRES_AT, OrderStatus.EXPIRED),
        (LONG_AFTER, OrderStatus.EXPIRED),
    ],
)
def test_an_order_without_payment_method_expires_at_its_instant(moment: datetime, expected: OrderStatus) -> None:
    assert ORDER.status_at(moment, day("2026-04-10")) is expected


@pytest.mark.parametrize("stored", [OrderStatus.CONFIRMED, OrderStatus.ACTIVE])
@pytest.mark.parametrize(
    ("today", "expected"),
    [
        ("2026-05-01", OrderStatus.ACTIVE),
        ("2026-05-31", OrderStatus.ACTIVE),
        ("2026-06-01", OrderStatus.ENDED),
        ("2027-01-01", OrderStatus.ENDED),
    ],
)
def test_a_confirmed_order_is_active_in_its_period_and_ended_after(
    stored: OrderStatus, today: str, expected: OrderStatus
) -> None:
    assert replace(ORDER, status=stored).status_at(LONG_AFTER, day(today)) is expected


def test_a_confirmed_order_waits_for_its_first_day() -> None:
    assert (
        replace(ORDER, status=OrderStatus.CONFIRMED).status_at(LONG_AFTER, day("2026-04-30")) is OrderStatus.CONFIRMED
    )


@pytest.mark.parametrize("stored", sorted(OPEN))
def test_what_is_not_paid_expires_at_its_instant(stored: OrderStatus) -> None:
    order = replace(ORDER, status=stored)
    assert order.status_at(EXPIRES_AT - timedelta(microseconds=1), day("2026-04-10")) is stored
    assert order.status_at(EXPIRES_AT, day("2026-04-10")) is OrderStatus.EXPIRED


@pytest.mark.parametrize("stored", [OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.ENDED])
@pytest.mark.parametrize("today", ["2026-04-10", "2026-05-01", "2026-06-01"])
@pytest.mark.parametrize("moment", [LONG_AGO, LONG_AFTER])
def test_other_orders_do_not_move_by_time(stored: OrderStatus, today: str, moment: datetime) -> None:
    assert replace(ORDER, status=stored).status_at(moment, day(today)) is stored


def test_only_confirmed_orders_give_capacity() -> None:
    assert {OrderStatus.CONFIRMED, OrderStatus.ACTIVE, OrderStatus.ENDED} == GIVES_CAPACITY


@pytest.mark.parametrize(
    ("confirmed_on", "due_on"),
    [
        ("2026-04-01", "2026-05-31"),
        ("2026-04-30", "2026-05-31"),
        ("2026-01-31", "2026-02-28"),
        ("2028-01-31", "2028-02-29"),
        ("2028-02-29", "2028-03-31"),
        ("2026-11-30", "2026-12-31"),
        ("2026-12-01", "2027-01-31"),
        ("2026-12-31", "2027-01-31"),
    ],
)
def test_an_invoice_is_due_at_the_end_of_the_following_month(confirmed_on: str, due_on: str) -> None:
    assert invoice_due_on(day(confirmed_on)) == day(due_on)


def test_only_corporate_customers_pay_by_invoice() -> None:
    transfer = PaymentMethod.BANK_TRANSFER
    assert available_payment_methods(is_corporate=True, takes_cards=False) == [PaymentMethod.INVOICE, transfer]
    assert available_payment_methods(is_corporate=False, takes_cards=False) == [transfer]
    assert available_payment_methods(is_corporate=False, takes_cards=True) == [PaymentMethod.CREDIT_CARD, transfer]


def test_an_order_has_the_number_people_use() -> None:
    assert ORDER.number == "SO-2026-00042"
    assert replace(ORDER, id=123_456).number == "SO-2026-123456"
