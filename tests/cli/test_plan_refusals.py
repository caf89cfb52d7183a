"""What ``spotplan plan`` refuses: one line, with the field as it was written and its value."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.planning import CONTRACT, CSV, DAY, full_problem, problem, refused, run, step, term, without

A_TERM = term("2026-04-01", "2027-04-01")
JSON_REFUSALS: list[tuple[str, dict[str, Any], str]] = [
    *[
        (f"{key} is missing", without(key), f"{key}: is missing")
        for key in ("starts_on", "ends_before", "accounts", "accounts_per_unit", "monthly_unit_price", "demand")
    ],
    ("no such day", problem(starts_on="2026-02-30"), f'starts_on: "2026-02-30" {DAY}'),
    ("number as day", problem(ends_before=20270401), f"ends_before: 20270401 {DAY}"),
    (
        "backwards",
        problem(ends_before="2026-04-01"),
        "ends_before: 2026-04-01 is not after starts_on, 2026-04-01",
    ),
    (
        "too long",
        problem(ends_before="2036-06-01"),
        "ends_before: The contract has 3714 days from the earliest start on; at most 3700 can be planned.",
    ),
    ("text as number", problem(accounts="100"), 'accounts: "100" is not a whole number'),
    ("fraction", problem(accounts=100.0), "accounts: 100.0 is not a whole number"),
    ("boolean", problem(monthly_unit_price=True), "monthly_unit_price: true is not a whole number"),
    ("no multiple", problem(accounts=250), "accounts: 250 accounts is not a positive multiple of 100."),
    ("no accounts", problem(accounts=0), "accounts: 0 is not between 1 and 10000000"),
    ("no unit", problem(accounts_per_unit=0), "accounts_per_unit: 0 is not between 1 and 10000000"),
    ("negative price", problem(monthly_unit_price=-1), "monthly_unit_price: -1 is not between 0 and 2147483647"),
    ("huge price", problem(monthly_unit_price=2**31), "monthly_unit_price: 2147483648 is not between 0 and 2147483647"),
    ("no annual price", problem(billing_cycle="ANNUAL"), "annual_unit_price: is missing"),
    ("no such cycle", problem(billing_cycle="WEEKLY"), 'billing_cycle: "WEEKLY" is not MONTHLY or ANNUAL'),
    ("no cycle", problem(billing_cycle=["ANNUAL"]), 'billing_cycle: ["ANNUAL"] is not MONTHLY or ANNUAL'),
    ("demand is an object", problem(demand={}), "demand: {} is not a list"),
    ("demand is empty", problem(demand=[]), "demand: A demand has 1 to 4000 entries, not 0."),
    ("entry is no object", problem(demand=[7]), "demand[0]: 7 is not an object of from, until, accounts"),
    (
        "entry without until",
        problem(demand=[{"from": "2026-04-10", "accounts": 300}]),
        "demand[0].until: is missing",
    ),
    (
        "entry with a bad day",
        problem(demand=[{"from": "2026-04-10", "until": None, "accounts": 300}]),
        f"demand[0].until: null {DAY}",
    ),
    (
        "entry with bad accounts",
        problem(demand=[{"from": "2026-04-10", "until": "2026-04-11", "accounts": "many"}]),
        'demand[0].accounts: "many" is not a whole number',
    ),
    (
        "entry without days",
        problem(demand=[step("2026-04-10", "2026-04-10", 300)]),
        "demand[0]: The entry from 2026-04-10 until 2026-04-10 holds no day (the end is exclusive).",
    ),
    (
        "entry below zero",
        problem(demand=[step("2026-04-10", "2026-04-11", -1)]),
        "demand[0]: -1 accounts is not between 0 and 10000000.",
    ),
    (
        "overlap",
        problem(demand=[step("2026-04-10", "2026-04-20", 300), step("2026-04-19", "2026-04-25", 300)]),
        "demand[1]: The entry that starts on 2026-04-19 overlaps one that ends before 2026-04-20.",
    ),
    ("no orders", problem(orders_max=0), "orders_max: At most 0 orders is not a limit from 1 to 1000."),
    ("too many orders", problem(orders_max=1001), "orders_max: At most 1001 orders is not a limit from 1 to 1000."),
    ("orders as text", problem(orders_max="3"), 'orders_max: "3" is not a whole number'),
    (
        "orders too small",
        problem(accounts_per_order_max=99),
        "accounts_per_order_max: At most 99 accounts per order is less than one unit of 100.",
    ),
    ("fee", problem(order_fee=-1), "order_fee: -1 minor units per order is not between 0 and 2147483647."),
    ("budget", problem(budget=-1), "budget: A budget of -1 minor units is not between 0 and 2147483647."),
    ("half a budget", problem(budget=0.5), "budget: 0.5 is not a whole number"),
    ("months", problem(months_max=601), "months_max: 601 is not between 1 and 600"),
    ("licences", problem(include_additional_licences=1), "include_additional_licences: 1 is not true or false"),
    ("today", problem(today="now"), f'today: "now" {DAY}'),
    (
        "past start",
        problem(today="2026-04-05", earliest_start="2026-04-04"),
        "earliest_start: The earliest start 2026-04-04 is before today, 2026-04-05.",
    ),
    ("no terms", full_problem(terms=[]), "terms: holds no term"),
    ("terms is a number", full_problem(terms=1), "terms: 1 is not a list"),
    (
        "term is no object",
        full_problem(terms=["Starter"]),
        'terms[0]: "Starter" is not an object of starts_on, ends_before, accounts, monthly_unit_price',
    ),
    ("terms and accounts", full_problem(accounts=100), "accounts: stands beside terms; give one or the other"),
    (
        "term backwards",
        full_problem(terms=[term("2026-04-01", "2026-03-01")]),
        "terms[0].ends_before: 2026-03-01 is not after terms[0].starts_on, 2026-04-01",
    ),
    (
        "gap between terms",
        full_problem(terms=[A_TERM, term("2027-04-02", "2028-04-01")]),
        "terms[1].starts_on: 2027-04-02 is not the end before it, 2027-04-01",
    ),
    (
        "no multiple in a term",
        full_problem(terms=[A_TERM, term("2027-04-01", "2028-04-01", accounts=150)]),
        "terms[1].accounts: 150 accounts is not a positive multiple of 100.",
    ),
    (
        "terms too long",
        full_problem(terms=[term("2026-04-01", "2036-06-01")]),
        "terms: The contract has 3714 days from the earliest start on; at most 3700 can be planned.",
    ),
    (
        "spot outside",
        full_problem(spots=[step("2026-03-31", "2026-04-30", 100)]),
        "spots[0].from: 2026-03-31 is before the contract, 2026-04-01",
    ),
    (
        "licence outside",
        full_problem(additional_licences=[step("2026-04-01", "2028-05-01", 100)]),
        "additional_licences[0].until: 2028-05-01 is after its end, 2028-04-01",
    ),
    (
        "empty spot",
        full_problem(spots=[step("2026-05-01", "2026-05-01", 100)]),
        "spots[0].until: 2026-05-01 is not after spots[0].from, 2026-05-01",
    ),
    (
        "spot of nothing",
        full_problem(spots=[step("2026-05-01", "2026-06-01", 0)]),
        "spots[0].accounts: 0 is not between 1 and 10000000",
    ),
]


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize(
    ("given", "message"),
    [case[1:] for case in JSON_REFUSALS],
    ids=[case[0] for case in JSON_REFUSALS],
)
def test_json_is_refused_with_the_field_and_its_value(given: dict[str, Any], message: str, *, as_json: bool) -> None:
    assert refused(run("-", *["--json"] * as_json, text=json.dumps(given))) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "FILE: is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[{}, {}]", "FILE: holds a list of 2; give one object of it"),
    ],
)
def test_text_that_is_no_json_object_is_refused(text: str, message: str) -> None:
    assert refused(run("-", text=text)) == message


def test_json_nested_beyond_reason_is_refused() -> None:
    assert refused(run("-", text='{"a":' * 100_000)).startswith("FILE: is not JSON: ")


CSV_REFUSALS: list[tuple[str, tuple[str, ...], str, str]] = [
    ("no first day", CONTRACT[1:], CSV, "--contract-starts-on: is missing, a CSV needs it"),
    ("no end", CONTRACT[:1], CSV, "--contract-ends-before: is missing, a CSV needs it"),
    ("no accounts", CONTRACT[:2], CSV, "--accounts: is missing, a CSV needs it"),
    (
        "bad line",
        CONTRACT,
        CSV + "soon,2026-09-01,300\n",
        "demand: Line 4 is not from,until,accounts (such as 2026-04-01,2026-05-01,300): 'soon,2026-09-01,300'.",
    ),
    (
        "bad option day",
        (*CONTRACT, "--contract-starts-on=2026-4-1"),
        CSV,
        f'--contract-starts-on: "2026-4-1" {DAY}',
    ),
    ("bad earliest start", (*CONTRACT, "--earliest-start=soon"), CSV, f'--earliest-start: "soon" {DAY}'),
    ("bad number", (*CONTRACT, "--accounts=many"), CSV, '--accounts: "many" is not a whole number'),
    ("months", (*CONTRACT, "--months-max=0"), CSV, "--months-max: 0 is not between 1 and 600"),
    ("orders", (*CONTRACT, "--orders-max=0"), CSV, "--orders-max: At most 0 orders is not a limit from 1 to 1000."),
    ("budget", (*CONTRACT, "--budget=lots"), CSV, '--budget: "lots" is not a whole number'),
    ("cycle", (*CONTRACT, "--billing-cycle=never"), CSV, '--billing-cycle: "never" is not MONTHLY or ANNUAL'),
    (
        "no multiple",
        (*CONTRACT, "--accounts-per-unit=30"),
        CSV,
        "--accounts: 100 accounts is not a positive multiple of 30.",
    ),
    (
        "backwards",
        (*CONTRACT, "--contract-ends-before=2026-03-01"),
        CSV,
        "--contract-ends-before: 2026-03-01 is not after --contract-starts-on, 2026-04-01",
    ),
    (
        "too long",
        (*CONTRACT, "--contract-ends-before=2036-06-01"),
        CSV,
        "--contract-ends-before: The contract has 3714 days from the earliest start on; at most 3700 can be planned.",
    ),
]


@pytest.mark.parametrize(
    ("options", "text", "message"),
    [case[1:] for case in CSV_REFUSALS],
    ids=[case[0] for case in CSV_REFUSALS],
)
def test_csv_is_refused_with_the_option_and_its_value(options: tuple[str, ...], text: str, message: str) -> None:
    assert refused(run("-", *options, text=text)) == message


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--accounts=150", "--accounts: 150 accounts is not a positive multiple of 100."),
        ("--order-fee=-5", "--order-fee: -5 minor units per order is not between 0 and 2147483647."),
        (
            "--accounts-per-order-max=10",
            "--accounts-per-order-max: At most 10 accounts per order is less than one unit of 100.",
        ),
    ],
)
def test_an_option_that_replaces_a_json_value_is_named_as_the_option(option: str, message: str) -> None:
    assert refused(run("-", option, text=json.dumps(problem(order_fee=1, accounts_per_order_max=100)))) == message


def test_an_option_cannot_replace_a_part_of_terms() -> None:
    message = "--contract-starts-on: the file has terms, which an option cannot replace"
    assert refused(run("-", "--contract-starts-on=2026-04-01", text=json.dumps(full_problem()))) == message


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "No such file or directory"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.write_bytes(b"{\xff"), "is not UTF-8 text (byte 1)"),
    ],
    ids=["missing", "directory", "not text"],
)
def test_a_file_that_cannot_be_read_is_refused(make: Callable[[Path], object], reason: str, tmp_path: Path) -> None:
    path = tmp_path / "problem.json"
    make(path)
    assert refused(run(str(path))) == f"{path}: {reason}"
