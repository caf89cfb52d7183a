"""What spot contracts and additional licences cost, before tax."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.contracts import BillingCycle, MainContract
from domain.months import Period, ends_before
from domain.pricing import PriceLine, additional_licence_net_minor, spot_net_minor, spot_price_lines
from tests.domain.builders import SEARCH, contract, day, term

RENEWED = contract(term("2025-04-01", "2026-04-01"), term("2026-04-01", "2027-04-01", monthly=6_000))


def test_the_pages_example_is_5_000_yen_net() -> None:
    assert spot_net_minor(contract(), starts_on=day("2026-04-01"), months=1, units=1) == 5_000


@pytest.mark.parametrize(("months", "units", "expected"), [(3, 1, 15_000), (1, 4, 20_000), (12, 3, 180_000)])
def test_price_is_unit_price_times_units_times_months(months: int, units: int, expected: int) -> None:
    assert spot_net_minor(contract(), starts_on=day("2026-04-01"), months=months, units=units) == expected
    assert spot_price_lines(contract(), starts_on=day("2026-04-01"), months=months, units=units) == (
        PriceLine(day("2026-04-01"), months, units, 5_000),
    )


def test_a_spot_across_a_renewal_is_priced_month_by_month() -> None:
    lines = spot_price_lines(RENEWED, starts_on=day("2026-02-15"), months=3, units=2)
    # 15 February and 15 March begin in the first term, 15 April in the renewal.
    assert lines == (
        PriceLine(day("2026-02-15"), 2, 2, 5_000),
        PriceLine(day("2026-04-15"), 1, 2, 6_000),
    )
    assert [line.net_minor for line in lines] == [20_000, 12_000]
    assert spot_net_minor(RENEWED, starts_on=day("2026-02-15"), months=3, units=2) == 32_000


def test_months_of_a_spot_from_the_31st_begin_where_the_month_rule_says() -> None:
    # 31 January, 1 March, 31 March, 1 May: the third month begins a day before the renewal.
    lines = spot_price_lines(RENEWED, starts_on=day("2026-01-31"), months=4, units=1)
    assert lines == (
        PriceLine(day("2026-01-31"), 3, 1, 5_000),
        PriceLine(day("2026-05-01"), 1, 1, 6_000),
    )


def test_a_month_that_begins_on_the_renewals_first_day_has_its_price() -> None:
    assert spot_net_minor(RENEWED, starts_on=day("2026-03-01"), months=2, units=1) == 11_000
    assert spot_net_minor(RENEWED, starts_on=day("2026-03-31"), months=1, units=1) == 5_000
    assert spot_net_minor(RENEWED, starts_on=day("2026-04-01"), months=1, units=1) == 6_000


def test_a_renewal_at_the_same_price_makes_no_second_line() -> None:
    renewed = contract(term("2025-04-01", "2026-04-01"), term("2026-04-01", "2027-04-01"))
    lines = spot_price_lines(renewed, starts_on=day("2026-03-10"), months=2, units=1)
    assert lines == (PriceLine(day("2026-03-10"), 2, 1, 5_000),)


@pytest.mark.parametrize(("starts_on", "outside"), [("2026-03-31", "2026-03-31"), ("2027-03-10", "2027-04-10")])
def test_a_month_that_begins_outside_the_contract_has_no_price(starts_on: str, outside: str) -> None:
    with pytest.raises(LookupError, match=f"no term is in force on {outside}"):
        spot_net_minor(contract(), starts_on=day(starts_on), months=2, units=1)


@SEARCH
@given(
    starts_on=st.dates(min_value=date(2025, 4, 1), max_value=date(2026, 4, 1)),
    months=st.integers(min_value=1, max_value=12),
    units=st.integers(min_value=1, max_value=9),
)
def test_price_is_the_sum_of_its_months(starts_on: date, months: int, units: int) -> None:
    first_days = [starts_on, *(ends_before(starts_on, number) for number in range(1, months))]
    expected = sum(units * (5_000 if first_day < day("2026-04-01") else 6_000) for first_day in first_days)
    lines = spot_price_lines(RENEWED, starts_on=starts_on, months=months, units=units)
    assert sum(line.net_minor for line in lines) == expected
    assert sum(line.months for line in lines) == months
    assert len({line.unit_price_minor for line in lines}) == len(lines)


# 171 days before 1 April 2027.
MID_TERM = day("2026-10-12")


@pytest.mark.parametrize(
    ("annual", "units", "expected"), [(30_000, 1, 14_054), (60_000, 2, 56_218), (90_000, 1, 42_164)]
)
def test_additional_licences_of_an_annual_term_cost_their_share_of_the_year(
    annual: int, units: int, expected: int
) -> None:
    sold = term(annual=annual)
    assert Period(MID_TERM, sold.period.ends_before).days == 171
    assert additional_licence_net_minor(sold, starts_on=MID_TERM, units=units) == expected


def test_the_published_example_of_additional_licences_is_98_382_yen() -> None:
    two = additional_licence_net_minor(term(annual=60_000), starts_on=MID_TERM, units=2)
    one = additional_licence_net_minor(term(annual=90_000), starts_on=MID_TERM, units=1)
    assert two == 2 * 28_109
    assert two + one == 98_382


def test_a_whole_year_costs_the_annual_price_and_a_last_day_its_365th() -> None:
    assert additional_licence_net_minor(term(), starts_on=day("2026-04-01"), units=3) == 90_000
    assert additional_licence_net_minor(term(), starts_on=day("2027-03-31"), units=3) == 3 * 82


@pytest.mark.parametrize(
    ("starts_on", "months"),
    [("2026-04-01", 12), ("2026-04-02", 12), ("2027-02-28", 2), ("2027-03-01", 1), ("2027-03-31", 1)],
)
def test_additional_licences_of_a_monthly_term_cost_the_months_begun(starts_on: str, months: int) -> None:
    sold = term(cycle=BillingCycle.MONTHLY)
    assert additional_licence_net_minor(sold, starts_on=day(starts_on), units=2) == 2 * months * 5_000


@pytest.mark.parametrize("starts_on", ["2026-03-31", "2027-04-01"])
def test_additional_licences_start_inside_the_term(starts_on: str) -> None:
    with pytest.raises(ValueError, match=f"{starts_on} is outside the term"):
        additional_licence_net_minor(term(), starts_on=day(starts_on), units=1)


def test_the_price_is_the_terms_not_the_catalogues() -> None:
    sold: MainContract = contract(term(monthly=4_321, accounts_per_unit=50))
    assert spot_net_minor(sold, starts_on=day("2026-05-01"), months=2, units=3) == 6 * 4_321
