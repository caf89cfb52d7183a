"""Periods of whole months by Civil Code art. 143."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import MonthsOutOfRange
from domain.months import Period, ends_before, months_begun
from tests.domain.builders import SEARCH, contract_days, day, period

lengths = st.integers(min_value=1, max_value=60)


def corresponding_day_or_month_end(starts_on: date, months: int) -> date:
    """The rule read aloud: count the months one by one, then look for the day; the slow way."""
    year, month = starts_on.year, starts_on.month
    for _ in range(months):
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    try:
        return date(year, month, starts_on.day)
    except ValueError:
        last = date(year, month, 28)
        while last.month == month:
            last += timedelta(days=1)
        return last


@pytest.mark.parametrize(
    ("starts_on", "months", "last_day", "expected"),
    [
        ("2026-04-01", 1, "2026-04-30", "2026-05-01"),
        ("2026-01-15", 1, "2026-02-14", "2026-02-15"),
        ("2026-01-29", 1, "2026-02-28", "2026-03-01"),
        ("2028-01-29", 1, "2028-02-28", "2028-02-29"),
        ("2028-01-30", 1, "2028-02-29", "2028-03-01"),
        ("2026-01-31", 1, "2026-02-28", "2026-03-01"),
        ("2026-01-31", 2, "2026-03-30", "2026-03-31"),
        ("2026-02-28", 1, "2026-03-27", "2026-03-28"),
        ("2026-12-31", 2, "2027-02-28", "2027-03-01"),
        ("2028-02-29", 12, "2029-02-28", "2029-03-01"),
        ("2028-02-29", 48, "2032-02-28", "2032-02-29"),
        ("2026-11-30", 1, "2026-12-29", "2026-12-30"),
        ("2026-12-01", 1, "2026-12-31", "2027-01-01"),
        ("2026-01-01", 600, "2075-12-31", "2076-01-01"),
    ],
)
def test_period_ends_before_the_corresponding_day_or_with_the_month(
    starts_on: str, months: int, last_day: str, expected: str
) -> None:
    end = ends_before(day(starts_on), months)
    assert end == day(expected)
    assert Period(day(starts_on), end).last_day == day(last_day)


def test_two_chained_months_reach_further_than_one_period_of_two_months() -> None:
    first_end = ends_before(day("2026-01-31"), 1)
    assert ends_before(first_end, 1) == day("2026-04-01")
    assert ends_before(day("2026-01-31"), 2) == day("2026-03-31")


@SEARCH
@given(starts_on=contract_days, months=lengths)
def test_end_is_the_rule_read_aloud(starts_on: date, months: int) -> None:
    assert ends_before(starts_on, months) == corresponding_day_or_month_end(starts_on, months)


@SEARCH
@given(starts_on=contract_days, months=lengths)
def test_a_later_start_never_ends_earlier(starts_on: date, months: int) -> None:
    assert ends_before(starts_on, months) <= ends_before(starts_on + timedelta(days=1), months)


@SEARCH
@given(starts_on=contract_days, months=lengths)
def test_more_months_end_later(starts_on: date, months: int) -> None:
    assert ends_before(starts_on, months) < ends_before(starts_on, months + 1)


@SEARCH
@given(starts_on=contract_days, months=lengths)
def test_a_month_has_at_least_28_days(starts_on: date, months: int) -> None:
    assert ends_before(starts_on, months) >= starts_on + timedelta(days=28 * months)


@SEARCH
@given(starts_on=contract_days, months=lengths)
def test_a_chain_of_single_months_covers_at_least_the_longer_period(starts_on: date, months: int) -> None:
    chained = starts_on
    for _ in range(months):
        chained = ends_before(chained, 1)
    assert chained >= ends_before(starts_on, months)


@pytest.mark.parametrize("months", [0, -1, 601])
def test_months_outside_1_to_600_are_refused_with_both_numbers(months: int) -> None:
    with pytest.raises(MonthsOutOfRange) as refused:
        ends_before(day("2026-04-01"), months)
    assert refused.value.data == {"months": months, "months_max": 600}
    assert refused.value.field == "months"


@pytest.mark.parametrize(("starts_on", "months"), [("9999-12-01", 1), ("9999-01-15", 12), ("9990-06-01", 600)])
def test_a_period_past_the_last_day_of_the_calendar_is_refused(starts_on: str, months: int) -> None:
    with pytest.raises(MonthsOutOfRange) as refused:
        ends_before(day(starts_on), months)
    assert refused.value.data == {"months": months, "months_max": 600}


@pytest.mark.parametrize(
    ("starts_on", "months", "expected"),
    [("9998-12-15", 1, "9999-01-15"), ("9999-11-30", 1, "9999-12-30"), ("9999-01-31", 11, "9999-12-31")],
)
def test_a_period_may_end_in_the_last_year_of_the_calendar(starts_on: str, months: int, expected: str) -> None:
    assert ends_before(day(starts_on), months) == day(expected)


@pytest.mark.parametrize(("starts_on", "end"), [("2026-04-01", "2026-04-01"), ("2026-04-02", "2026-04-01")])
def test_a_period_holds_at_least_one_day(starts_on: str, end: str) -> None:
    with pytest.raises(ValueError, match=f"must end after it starts: {starts_on} to {end}"):
        period(starts_on, end)


def test_a_period_is_half_open() -> None:
    april = period("2026-04-01", "2026-05-01")
    inside = [
        day
        for day in ("2026-03-31", "2026-04-01", "2026-04-30", "2026-05-01")
        if april.contains(date.fromisoformat(day))
    ]
    assert inside == ["2026-04-01", "2026-04-30"]
    assert april.days == 30


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (("2026-03-01", "2026-04-01"), False),
        (("2026-03-01", "2026-04-02"), True),
        (("2026-04-10", "2026-04-11"), True),
        (("2026-03-01", "2026-06-01"), True),
        (("2026-04-30", "2026-06-01"), True),
        (("2026-05-01", "2026-06-01"), False),
    ],
)
def test_periods_overlap_when_they_share_a_day(other: tuple[str, str], expected: bool) -> None:
    april = period("2026-04-01", "2026-05-01")
    assert april.overlaps(period(*other)) is expected
    assert period(*other).overlaps(april) is expected


@pytest.mark.parametrize(
    ("starts_on", "end", "expected"),
    [
        ("2026-04-01", "2026-04-02", 1),
        ("2026-04-01", "2026-05-01", 1),
        ("2026-04-01", "2026-05-02", 2),
        ("2026-01-31", "2026-03-01", 1),
        ("2026-01-31", "2026-03-02", 2),
        ("2026-01-31", "2026-03-31", 2),
        ("2026-04-15", "2027-04-15", 12),
        ("2026-04-15", "2027-04-16", 13),
    ],
)
def test_a_month_counts_from_its_first_day(starts_on: str, end: str, expected: int) -> None:
    assert months_begun(period(starts_on, end)) == expected


@SEARCH
@given(starts_on=contract_days, days=st.integers(min_value=1, max_value=1_500))
def test_months_begun_is_the_fewest_months_that_reach_the_end(starts_on: date, days: int) -> None:
    end = starts_on + timedelta(days=days)
    fewest = next(months for months in range(1, 60) if corresponding_day_or_month_end(starts_on, months) >= end)
    assert months_begun(Period(starts_on, end)) == fewest
