"""When a customer's days begin and end, wherever it is and whatever the clocks do there."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.customers import Customer, CustomerKind
from tests.domain.builders import SEARCH, day

MICROSECOND = timedelta(microseconds=1)
LEFT_OUT = {
    ("Kwajalein", day("1993-08-21")),
    ("Pacific/Kwajalein", day("1993-08-21")),
    ("Pacific/Enderbury", day("1994-12-31")),
    ("Pacific/Kanton", day("1994-12-31")),
    ("Pacific/Kiritimati", day("1994-12-31")),
    ("Pacific/Apia", day("2011-12-30")),
    ("Pacific/Fakaofo", day("2011-12-30")),
}
"""Days that never were, because a country moved across the date line."""


def customer(time_zone: str) -> Customer:
    return Customer(1, "Aoba Academy", CustomerKind.CORPORATE, time_zone, "JPY", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("time_zone", "on", "begins_at"),
    [
        pytest.param("Asia/Tokyo", "2026-06-01", "2026-05-31T15:00:00+00:00", id="Tokyo has no summer time"),
        pytest.param("America/New_York", "2024-03-10", "2024-03-10T05:00:00+00:00", id="the day that loses an hour"),
        pytest.param("America/New_York", "2024-03-11", "2024-03-11T04:00:00+00:00", id="the day after it"),
        pytest.param("America/New_York", "2024-11-03", "2024-11-03T04:00:00+00:00", id="the day that wins an hour"),
        pytest.param("America/New_York", "2024-11-04", "2024-11-04T05:00:00+00:00", id="the day after that"),
        pytest.param("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00+00:00", id="there is no midnight"),
        pytest.param("America/Sao_Paulo", "2018-11-05", "2018-11-05T02:00:00+00:00", id="the day after no midnight"),
        pytest.param("America/Sao_Paulo", "2019-02-17", "2019-02-17T03:00:00+00:00", id="23 o'clock came twice before"),
        pytest.param("America/Havana", "2024-03-10", "2024-03-10T05:00:00+00:00", id="no midnight in Havana either"),
        pytest.param("America/Havana", "2024-11-03", "2024-11-03T04:00:00+00:00", id="midnight twice: the first one"),
        pytest.param("Pacific/Kiritimati", "2026-01-01", "2025-12-31T10:00:00+00:00", id="the first to have a day"),
        pytest.param("Pacific/Pago_Pago", "2026-01-01", "2026-01-01T11:00:00+00:00", id="the last to have it"),
        pytest.param("Asia/Kathmandu", "2026-01-01", "2025-12-31T18:15:00+00:00", id="a quarter of an hour"),
        pytest.param("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00+00:00", id="a day that never was"),
        pytest.param("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00+00:00", id="the day that came instead"),
    ],
)
def test_a_day_begins_at_its_first_instant(time_zone: str, on: str, begins_at: str) -> None:
    assert customer(time_zone).day_begins_at(day(on)).isoformat() == begins_at


def begins_with_its_first_instant(time_zone: str, on: date) -> bool:
    """Whether a day's instants begin where day_begins_at says; the clock alone decides what day an instant is on."""
    who = customer(time_zone)
    begins_at = who.day_begins_at(on)
    before = on - timedelta(days=2 if (time_zone, on - timedelta(days=1)) in LEFT_OUT else 1)
    return who.day_at(begins_at) == on and who.day_at(begins_at - MICROSECOND) == before


@pytest.mark.parametrize(
    "time_zone",
    [
        "Asia/Tokyo",
        "Asia/Kathmandu",
        "America/New_York",
        "America/Sao_Paulo",
        "America/Havana",
        "Australia/Lord_Howe",  # half an hour of summer time
        "Africa/Cairo",  # on and off again, at midnight
        "Pacific/Apia",
        "Pacific/Kiritimati",
    ],
)
def test_every_day_of_thirty_years_begins_with_its_first_instant(time_zone: str) -> None:
    days = [date(2005, 1, 1) + timedelta(days=offset) for offset in range(30 * 365)]
    wrong = [on for on in days if (time_zone, on) not in LEFT_OUT and not begins_with_its_first_instant(time_zone, on)]
    assert wrong == []
    begins = [customer(time_zone).day_begins_at(on) for on in days if (time_zone, on) not in LEFT_OUT]
    assert all(earlier < later for earlier, later in pairwise(begins))


@SEARCH
@given(
    time_zone=st.sampled_from(sorted(available_timezones())),
    on=st.dates(min_value=date(1970, 1, 2), max_value=date(2037, 12, 31)),
)
def test_a_day_anywhere_begins_with_its_first_instant(time_zone: str, on: date) -> None:
    assert (time_zone, on) in LEFT_OUT or begins_with_its_first_instant(time_zone, on)


def test_a_day_is_the_customers_own() -> None:
    instant = datetime(2026, 5, 31, 15, tzinfo=UTC)
    assert customer("Asia/Tokyo").day_at(instant) == day("2026-06-01")
    assert customer("Asia/Tokyo").day_at(instant - MICROSECOND) == day("2026-05-31")
    assert customer("UTC").day_at(instant) == day("2026-05-31")
    # The same instant in another offset is the same day.
    assert customer("Asia/Tokyo").day_at(datetime.fromisoformat("2026-05-31T11:00:00-04:00")) == day("2026-06-01")
