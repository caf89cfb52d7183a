"""The domain's rules as arrays: the same periods and the same prices as the rules themselves."""

from datetime import date, timedelta

import numpy as np
import pytest

from domain.contracts import MainContract
from domain.months import ends_before
from domain.pricing import spot_net_minor
from planner.offers import Offers, day_of, period_ends, spot_offers, unit_price_by_day
from planner.problem import PlanningProblem
from tests.domain.builders import contract, day, term
from tests.planner.builders import problem, small_problem
from tests.planner.oracle import naive_offers

APRIL = ("2026-04-01", "2026-05-01", 200)
RENEWED = contract(term("2025-04-01", "2026-04-01"), term("2026-04-01", "2026-06-01", monthly=6_000))


def listed(offers: Offers) -> list[tuple[date, date, int, int]]:
    columns = (offers.start.tolist(), offers.end.tolist(), offers.months.tolist(), offers.price.tolist())
    return [
        (day_of(offers, start), day_of(offers, end), months, price)
        for start, end, months, price in zip(*columns, strict=True)
    ]


@pytest.mark.parametrize(
    ("first_day", "days"),
    [
        pytest.param("2026-01-01", 5 * 365 + 1, id="five years, with the leap year 2028"),
        pytest.param("2026-02-17", 60, id="not from a month's first day"),
        pytest.param("2095-01-31", 366, id="into 2100, which is no leap year"),
    ],
)
def test_ends_are_those_of_the_month_rule(first_day: str, days: int) -> None:
    origin = day(first_day)
    expected = [
        [(ends_before(origin + timedelta(days=start), months) - origin).days for months in range(1, 61)]
        for start in range(days)
    ]
    assert period_ends(origin, days, 60).tolist() == expected


@pytest.mark.parametrize("first_seed", range(0, 200, 50))
def test_offers_are_every_spot_contract_that_the_rules_allow(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + 50):
        asked = small_problem(seed)
        allowed = [(offer.starts_on, offer.ends_before, offer.months, offer.price) for offer in naive_offers(asked)]
        assert listed(spot_offers(asked)) == allowed, seed


@pytest.mark.parametrize("first_seed", range(0, 100, 50))
def test_prices_are_those_of_the_domain(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + 50):
        asked = small_problem(seed)
        for starts_on, _, months, price in listed(spot_offers(asked)):
            assert price == spot_net_minor(asked.contract, starts_on=starts_on, months=months, units=1), seed


def test_a_year_of_starter_has_2_025_offers() -> None:
    # 365 starts for one month less those in the last one, and so on up to the single one of twelve months.
    assert len(spot_offers(problem(APRIL))) == 2_025


def test_months_of_an_offer_across_a_renewal_have_the_price_of_their_first_day() -> None:
    offers = listed(spot_offers(problem(APRIL, main=RENEWED, earliest_start="2026-01-31")))
    assert [row for row in offers if row[0] == day("2026-01-31")] == [
        (day("2026-01-31"), day("2026-03-01"), 1, 5_000),
        (day("2026-01-31"), day("2026-03-31"), 2, 10_000),
        # The third month begins on 31 March, a day before the renewal; the fourth would end on 31 May.
        (day("2026-01-31"), day("2026-05-01"), 3, 15_000),
        (day("2026-01-31"), day("2026-05-31"), 4, 21_000),
    ]
    assert offers[-1] == (day("2026-05-01"), day("2026-06-01"), 1, 6_000)


def test_no_offer_starts_before_the_earliest_start_or_the_contract() -> None:
    late = spot_offers(problem(APRIL, earliest_start="2026-12-20"))
    assert late.first_day == day_of(late, int(late.start.min())) == day("2026-12-20")
    early = spot_offers(problem(APRIL, earliest_start="2025-01-01"))
    assert early.first_day == day_of(early, int(early.start.min())) == day("2026-04-01")


def test_no_offer_runs_longer_than_allowed() -> None:
    assert sorted(set(spot_offers(problem(APRIL, months_max=3)).months.tolist())) == [1, 2, 3]


@pytest.mark.parametrize(
    ("earliest_start", "main"),
    [
        pytest.param("2027-04-01", contract(), id="the contract has ended"),
        pytest.param("2028-01-01", contract(), id="long ago"),
        pytest.param("2027-03-02", contract(), id="less than a month is left"),
        pytest.param("2026-04-01", contract(term("2026-04-01", "2026-04-02")), id="the contract is of one day"),
    ],
)
def test_there_is_no_offer_where_no_month_fits(earliest_start: str, main: MainContract) -> None:
    offers = spot_offers(problem(APRIL, main=main, earliest_start=earliest_start))
    assert len(offers) == 0
    assert {column.dtype for column in (offers.start, offers.end, offers.months, offers.price)} == {np.dtype("int64")}


@pytest.mark.parametrize("first_day", ["2026-03-30", "2026-04-01"])
def test_unit_price_by_day_changes_on_the_renewals_first_day(first_day: str) -> None:
    before = (day("2026-04-01") - day(first_day)).days
    assert unit_price_by_day(RENEWED, day(first_day), before + 2).tolist() == [5_000] * before + [6_000] * 2


def test_days_outside_the_contract_have_no_price() -> None:
    assert unit_price_by_day(RENEWED, day("2025-03-31"), 2).tolist() == [0, 5_000]
    assert unit_price_by_day(RENEWED, day("2026-05-31"), 2).tolist() == [6_000, 0]


def test_selected_offers_keep_their_order() -> None:
    asked: PlanningProblem = problem(APRIL, months_max=2)
    offers = spot_offers(asked)
    assert listed(offers.select(offers.months == 2)) == [row for row in listed(offers) if row[2] == 2]
