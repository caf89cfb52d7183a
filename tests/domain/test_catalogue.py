"""Plans and their prices, each from a day on; a customer's calendar day."""

from datetime import UTC, datetime

import pytest

from domain.catalogue import Plan, PlanPrice
from domain.customers import Customer, CustomerKind
from tests.domain.builders import day

OLD = PlanPrice(day("2024-04-01"), 4_500, 27_000)
NEW = PlanPrice(day("2026-04-01"), 5_000, 30_000)


@pytest.mark.parametrize(
    ("on", "expected"),
    [("2024-03-31", None), ("2024-04-01", OLD), ("2026-03-31", OLD), ("2026-04-01", NEW), ("2030-01-01", NEW)],
)
def test_the_price_is_the_latest_in_force(on: str, expected: PlanPrice | None) -> None:
    for prices in ((OLD, NEW), (NEW, OLD)):
        assert Plan("STARTER", "Starter", 100, prices).price_on(day(on)) == expected


def test_the_free_plan_has_no_price() -> None:
    free = Plan("FREE", "Free", 100, ())
    assert free.is_free
    assert free.price_on(day("2026-04-01")) is None
    assert not Plan("STARTER", "Starter", 100, (NEW,)).is_free


@pytest.mark.parametrize(
    ("time_zone", "moment", "expected"),
    [
        ("Asia/Tokyo", datetime(2026, 3, 31, 14, 59, 59, tzinfo=UTC), "2026-03-31"),
        ("Asia/Tokyo", datetime(2026, 3, 31, 15, 0, tzinfo=UTC), "2026-04-01"),
        ("America/New_York", datetime(2026, 4, 1, 3, 59, 59, tzinfo=UTC), "2026-03-31"),
        ("America/New_York", datetime(2026, 4, 1, 4, 0, tzinfo=UTC), "2026-04-01"),
    ],
)
def test_a_customers_day_begins_in_its_own_time_zone(time_zone: str, moment: datetime, expected: str) -> None:
    created_at = datetime(2020, 1, 1, tzinfo=UTC)
    customer = Customer(1, "Example", CustomerKind.CORPORATE, time_zone, "JPY", created_at)
    assert customer.day_at(moment) == day(expected)


def test_only_organisations_are_corporate() -> None:
    created_at = datetime(2020, 1, 1, tzinfo=UTC)
    kinds = {kind: Customer(1, "", kind, "Asia/Tokyo", "JPY", created_at).is_corporate for kind in CustomerKind}
    assert kinds == {CustomerKind.CORPORATE: True, CustomerKind.INDIVIDUAL: False}
