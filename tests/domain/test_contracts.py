"""The main contract, and every reason to refuse a spot order (page, rules 1, 2, 3, 5, 6 and 8)."""

from typing import Any

import pytest

from domain.contracts import AdditionalLicence, MainContract, SpotContract, end_refusals, spot_refusals
from domain.errors import (
    AccountsNotMultiple,
    EndsAfterContract,
    MonthsOutOfRange,
    NoPaidContract,
    RuleError,
    StartsBeforeContract,
    StartsInThePast,
)
from tests.domain.builders import contract, day, licence, period, spot, term

Refusals = list[tuple[type[RuleError], str, dict[str, Any]]]


def refused(
    main: MainContract | None, *, accounts: int = 100, starts_on: str, months: int = 1, today: str = "2026-04-10"
) -> Refusals:
    """What is refused, as comparable values."""
    refusals = spot_refusals(main, accounts=accounts, starts_on=day(starts_on), months=months, today=day(today))
    return [(type(refusal), refusal.field, refusal.data) for refusal in refusals]


@pytest.mark.parametrize(
    ("starts_on", "months", "today"),
    [
        pytest.param("2026-04-10", 1, "2026-04-10", id="starts today"),
        pytest.param("2026-04-01", 1, "2026-03-01", id="starts on the first day of a contract in the future"),
        pytest.param("2026-04-01", 12, "2026-04-01", id="runs from the first day to the contract's end"),
        pytest.param("2027-03-01", 1, "2026-04-10", id="ends exactly with the contract"),
        pytest.param("2027-02-28", 1, "2026-04-10", id="ends four days before the contract"),
        pytest.param("2027-01-31", 2, "2027-01-31", id="ends before 31 March, from the 31st"),
        pytest.param("2027-03-01", 1, "2027-03-01", id="last possible start, ordered on the day"),
    ],
)
def test_a_spot_inside_the_contract_is_allowed(starts_on: str, months: int, today: str) -> None:
    assert refused(contract(), starts_on=starts_on, months=months, today=today) == []


@pytest.mark.parametrize("accounts", [0, -100, 1, 99, 150, 201])
def test_accounts_are_a_positive_multiple_of_the_unit(accounts: int) -> None:
    expected: Refusals = [(AccountsNotMultiple, "accounts", {"accounts": accounts, "accounts_per_unit": 100})]
    assert refused(contract(), accounts=accounts, starts_on="2026-05-01") == expected


@pytest.mark.parametrize("months", [0, -1, 601])
def test_months_are_whole_and_at_least_one(months: int) -> None:
    expected: Refusals = [(MonthsOutOfRange, "months", {"months": months, "months_max": 600})]
    assert refused(contract(), starts_on="2026-05-01", months=months) == expected


def test_a_spot_does_not_start_before_today() -> None:
    expected: Refusals = [
        (StartsInThePast, "startsOn", {"starts_on": day("2026-04-09"), "today": day("2026-04-10")}),
    ]
    assert refused(contract(), starts_on="2026-04-09") == expected


def test_the_time_before_the_paid_plan_is_closed() -> None:
    expected: Refusals = [
        (
            StartsBeforeContract,
            "startsOn",
            {"starts_on": day("2026-03-31"), "contract_starts_on": day("2026-04-01")},
        ),
    ]
    assert refused(contract(), starts_on="2026-03-31", today="2026-03-01") == expected


@pytest.mark.parametrize(
    ("starts_on", "months", "ends_before"),
    [
        ("2027-03-02", 1, "2027-04-02"),
        ("2026-04-01", 13, "2027-05-01"),
        ("2027-04-01", 1, "2027-05-01"),
        ("2027-01-31", 3, "2027-05-01"),
    ],
)
def test_a_spot_does_not_reach_past_the_contracts_end(starts_on: str, months: int, ends_before: str) -> None:
    expected: Refusals = [
        (
            EndsAfterContract,
            "months",
            {"ends_before": day(ends_before), "contract_ends_before": day("2027-04-01")},
        ),
    ]
    assert refused(contract(), starts_on=starts_on, months=months, today="2026-04-01") == expected


def test_a_renewal_extends_the_end() -> None:
    renewed = contract(term(), term("2027-04-01", "2028-04-01", units=2))
    assert refused(renewed, starts_on="2027-03-02", months=1) == []
    assert refused(renewed, starts_on="2027-04-01", months=12) == []
    assert refused(renewed, starts_on="2027-04-01", months=13) == [
        (
            EndsAfterContract,
            "months",
            {"ends_before": day("2028-05-01"), "contract_ends_before": day("2028-04-01")},
        ),
    ]


def test_a_spot_ends_before_the_leap_day_or_with_it() -> None:
    # From 29 January 2028 it ends before 29 February, from the 30th before 1 March.
    until_the_leap_day = contract(term("2027-02-28", "2028-02-29"))
    assert refused(until_the_leap_day, starts_on="2028-01-29", today="2027-04-01") == []
    assert refused(until_the_leap_day, starts_on="2028-01-30", today="2027-04-01") == [
        (
            EndsAfterContract,
            "months",
            {"ends_before": day("2028-03-01"), "contract_ends_before": day("2028-02-29")},
        ),
    ]
    assert (
        refused(contract(term("2028-02-29", "2029-03-01")), starts_on="2028-02-29", months=12, today="2028-02-29") == []
    )


def test_a_customer_without_contract_is_told_only_that() -> None:
    expected: Refusals = [(NoPaidContract, "customerId", {"contract_ended_before": None})]
    assert refused(None, accounts=7, starts_on="2020-01-01", months=0) == expected


@pytest.mark.parametrize("today", ["2027-04-01", "2030-01-01"])
def test_a_contract_that_has_ended_is_no_contract(today: str) -> None:
    expected: Refusals = [(NoPaidContract, "customerId", {"contract_ended_before": day("2027-04-01")})]
    assert refused(contract(), accounts=7, starts_on="2020-01-01", months=0, today=today) == expected


def test_every_reason_is_given_the_most_basic_first() -> None:
    assert refused(contract(), accounts=150, starts_on="2026-03-31", months=14) == [
        (AccountsNotMultiple, "accounts", {"accounts": 150, "accounts_per_unit": 100}),
        (StartsInThePast, "startsOn", {"starts_on": day("2026-03-31"), "today": day("2026-04-10")}),
        (
            StartsBeforeContract,
            "startsOn",
            {"starts_on": day("2026-03-31"), "contract_starts_on": day("2026-04-01")},
        ),
        (
            EndsAfterContract,
            "months",
            {"ends_before": day("2027-05-31"), "contract_ends_before": day("2027-04-01")},
        ),
    ]


def test_a_number_of_months_that_is_refused_has_no_end_to_refuse() -> None:
    assert [kind for kind, _, _ in refused(contract(), accounts=0, starts_on="2026-04-09", months=0)] == [
        AccountsNotMultiple,
        StartsInThePast,
        MonthsOutOfRange,
    ]


@pytest.mark.parametrize(
    ("licences", "spots"),
    [
        pytest.param((), (spot("2026-05-01", "2026-06-01", 300),), id="the same period as another spot (rule 5)"),
        pytest.param((), tuple([spot("2026-04-15", "2026-05-15", 100)] * 5), id="several spots (rule 6)"),
        pytest.param((licence("2026-04-20", "2027-04-01", 200),), (), id="an additional licence (pattern 02)"),
    ],
)
def test_overlaps_are_allowed(licences: tuple[AdditionalLicence, ...], spots: tuple[SpotContract, ...]) -> None:
    busy = contract(licences=licences, spots=spots)
    assert refused(busy, starts_on="2026-05-01") == []


def test_an_end_on_the_contracts_is_not_past_it() -> None:
    assert end_refusals(contract(), day("2027-04-01")) == []
    assert [refusal.data for refusal in end_refusals(contract(), day("2027-04-02"))] == [
        {"ends_before": day("2027-04-02"), "contract_ends_before": day("2027-04-01")}
    ]


def test_a_main_contract_has_a_term() -> None:
    with pytest.raises(ValueError, match="a main contract has at least one term"):
        MainContract(())


@pytest.mark.parametrize("renewal_starts_on", ["2027-03-31", "2027-04-02", "2026-04-01"])
def test_terms_leave_no_gap_and_do_not_overlap(renewal_starts_on: str) -> None:
    with pytest.raises(ValueError, match="terms are not contiguous"):
        contract(term(), term(renewal_starts_on, "2028-04-01"))


def test_a_unit_has_one_size_in_all_terms() -> None:
    with pytest.raises(ValueError, match="the same accounts per unit"):
        contract(term(), term("2027-04-01", "2028-04-01", accounts_per_unit=50))


def test_a_renewed_contract_spans_its_terms() -> None:
    first, renewal = term(units=2), term("2027-04-01", "2028-04-01", units=3)
    renewed = contract(first, renewal)
    assert (renewed.starts_on, renewed.ends_before) == (day("2026-04-01"), day("2028-04-01"))
    assert renewed.accounts_per_unit == 100
    assert (first.accounts, renewal.accounts) == (200, 300)
    assert renewed.term_on(day("2026-04-01")) is renewed.term_on(day("2027-03-31")) is first
    assert renewed.term_on(day("2027-04-01")) is renewed.term_on(day("2028-03-31")) is renewal
    assert not renewed.has_ended(by=day("2028-03-31"))
    assert renewed.has_ended(by=day("2028-04-01"))


@pytest.mark.parametrize("outside", ["2026-03-31", "2027-04-01"])
def test_no_term_is_in_force_outside_the_contract(outside: str) -> None:
    with pytest.raises(LookupError, match=f"no term is in force on {outside}"):
        contract().term_on(day(outside))


def test_periods_of_one_day_are_a_contract_too() -> None:
    one_day = contract(term("2026-04-10", "2026-04-11"))
    assert one_day.terms[0].period == period("2026-04-10", "2026-04-11")
    assert [kind for kind, _, _ in refused(one_day, starts_on="2026-04-10")] == [EndsAfterContract]
