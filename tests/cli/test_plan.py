"""``spotplan plan``: the JSON it prints, recounted day by day; what a person sees; what it refuses."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from cli.plan import plan
from domain.months import ends_before

INSTANCES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "planner" / "data" / "instances.json").read_text()
)
CSV = "from,until,accounts\n2026-04-10,2026-05-20,300\n2026-07-01,2026-07-15,250\n"
CONTRACT = (
    "--contract-starts-on=2026-04-01",
    "--contract-ends-before=2027-04-01",
    "--accounts=100",
)

PIPED = {"COLUMNS": "80", "FORCE_COLOR": None, "TTY_COMPATIBLE": None}
"""A pipe of 80 columns, whatever the machine that runs the tests asks for."""

app = typer.Typer()
app.command()(plan)


def run(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=text, env=PIPED)


def run_json(*arguments: str, text: str) -> tuple[int, dict[str, Any]]:
    result = run("-", "--json", *arguments, text=text)
    assert result.stderr == ""
    assert result.stdout.count("\n") == 1
    return result.exit_code, json.loads(result.stdout)


def problem(**changes: Any) -> dict[str, Any]:
    """Contract of 100 accounts from 2026-04-01 for a year, 300 needed in parts of April and May."""
    return {
        "starts_on": "2026-04-01",
        "ends_before": "2027-04-01",
        "accounts": 100,
        "accounts_per_unit": 100,
        "monthly_unit_price": 5000,
        "demand": [{"from": "2026-04-10", "until": "2026-05-20", "accounts": 300}],
        **changes,
    }


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in problem().items() if name != key}


def recount(instance: dict[str, Any], orders: list[dict[str, Any]]) -> int:
    """Check the printed orders from the rules alone and return their price."""
    capacity: dict[date, int] = {}
    first, end = date.fromisoformat(instance["starts_on"]), date.fromisoformat(instance["ends_before"])
    for offset in range((end - first).days):
        capacity[first + timedelta(days=offset)] = instance["accounts"]
    total = 0
    for order in orders:
        begin, until = date.fromisoformat(order["starts_on"]), date.fromisoformat(order["ends_before"])
        assert until == ends_before(begin, order["months"])
        assert order["units"] >= 1
        assert order["accounts"] == order["units"] * instance["accounts_per_unit"]
        assert order["net_price"] == order["units"] * order["months"] * instance["monthly_unit_price"]
        total += order["net_price"]
        for offset in range((until - begin).days):
            capacity[begin + timedelta(days=offset)] += order["accounts"]  # KeyError: outside the contract
    for step in instance["demand"]:
        begin, until = date.fromisoformat(step["from"]), date.fromisoformat(step["until"])
        for offset in range((until - begin).days):
            assert capacity[begin + timedelta(days=offset)] >= step["accounts"]
    return total


@pytest.mark.parametrize("instance", INSTANCES, ids=[instance["name"] for instance in INSTANCES])
def test_every_instance_is_solved_to_its_known_optimum(instance: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "problem.json"
    file.write_text(json.dumps(instance))
    result = run(str(file), "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    printed = json.loads(result.stdout)
    assert printed["status"] == "OPTIMAL"
    assert printed["net_total"] == instance["optimal_cost"]
    assert printed["lower_bound"] == instance["optimal_cost"]
    assert printed["gap"] == 0
    assert printed["shortfalls"] == []
    assert recount(instance, printed["orders"]) == instance["optimal_cost"]


def test_there_are_forty_instances() -> None:
    assert len(INSTANCES) == 40


def test_json_has_exactly_these_keys_and_values() -> None:
    code, printed = run_json(text=json.dumps(problem(name="ignored")))
    assert code == 0
    assert printed.pop("solve_milliseconds") > 0
    assert printed == {
        "status": "OPTIMAL",
        "net_total": 20000,
        "lower_bound": 20000,
        "gap": 0.0,
        "orders": [
            {
                "starts_on": "2026-04-10",
                "ends_before": "2026-06-10",
                "months": 2,
                "units": 2,
                "accounts": 200,
                "net_price": 20000,
            }
        ],
        "frontier": [{"orders_max": 1, "net_total": 20000, "proven": True}],
        "baselines": [
            {"kind": "PEAK_FOR_WHOLE_SPAN", "net_total": 20000, "orders": 1},
            {"kind": "ONE_ORDER_PER_DEMAND_STEP", "net_total": 20000, "orders": 1},
            {"kind": "MONTH_BY_MONTH", "net_total": 20000, "orders": 2},
        ],
        "shortfalls": [],
    }


def test_csv_takes_the_contract_from_options(tmp_path: Path) -> None:
    file = tmp_path / "demand.csv"
    file.write_text(CSV)
    result = run(str(file), "--json", *CONTRACT)
    assert result.exit_code == 0
    printed = json.loads(result.stdout)
    # The published Starter plan: 100 accounts at 5,000 a month. 2 units x 2 months + 2 units x 1 month.
    assert printed["net_total"] == 30000
    assert [(order["starts_on"], order["months"], order["units"]) for order in printed["orders"]] == [
        ("2026-04-10", 2, 2),
        ("2026-07-01", 1, 2),
    ]


def test_csv_from_standard_input_with_its_own_unit_and_price() -> None:
    code, printed = run_json(*CONTRACT, "--accounts-per-unit=50", "--monthly-unit-price=900", text=CSV)
    assert code == 0
    assert printed["net_total"] == 4 * 2 * 900 + 3 * 1 * 900


def test_options_replace_what_the_json_says() -> None:
    code, printed = run_json("--accounts=200", "--months-max=1", text=json.dumps(problem()))
    assert code == 0
    assert [(order["months"], order["units"]) for order in printed["orders"]] == [(1, 1), (1, 1)]
    assert printed["net_total"] == 10000


def test_nothing_to_buy_is_a_plan_without_orders() -> None:
    code, printed = run_json("--accounts=300", text=json.dumps(problem()))
    assert (code, printed["status"], printed["net_total"], printed["orders"]) == (0, "OPTIMAL", 0, [])
    result = run("-", "--accounts=300", text=json.dumps(problem()))
    assert result.stdout == "The main contract covers this demand: nothing to buy.\n"


def test_infeasible_days_have_reasons_and_no_total() -> None:
    demand = [{"from": "2026-04-10", "until": "2027-04-03", "accounts": 300}]
    code, printed = run_json("--earliest-start=2026-04-12", text=json.dumps(problem(demand=demand)))
    assert code == 1
    assert printed.pop("solve_milliseconds") > 0
    assert printed == {
        "status": "INFEASIBLE",
        "net_total": None,
        "lower_bound": None,
        "gap": None,
        "orders": [],
        "frontier": [],
        "baselines": [],
        "shortfalls": [
            {"from": "2026-04-10", "until": "2026-04-12", "accounts_missing": 200, "reason": "BEFORE_EARLIEST_START"},
            {
                "from": "2027-04-01",
                "until": "2027-04-03",
                "accounts_missing": 300,
                "reason": "OUTSIDE_CONTRACT",
            },
        ],
    }


def test_infeasible_days_are_a_table_in_words() -> None:
    demand = [{"from": "2026-04-10", "until": "2027-04-03", "accounts": 1300}]
    result = run("-", "--earliest-start=2026-04-12", text=json.dumps(problem(demand=demand)))
    assert (result.exit_code, result.stderr) == (1, "")
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert lines[0] == "No plan: no spot contract can cover 4 days of the demand."
    assert lines[4:] == [
        "2026-04-10   2026-04-11      2              1,200   before the earliest start",
        "2027-04-01   2027-04-02      2              1,300   outside the main contract",
    ]


def test_less_than_a_month_left_is_said_in_words() -> None:
    changes = {"demand": [{"from": "2027-03-20", "until": "2027-03-21", "accounts": 300}]}
    result = run("-", "--earliest-start=2027-03-10", text=json.dumps(problem(**changes)))
    assert result.exit_code == 1
    assert "2027-03-20   2027-03-20      1                200   less than a month is left" in result.stdout


def test_a_person_sees_orders_what_is_proven_baselines_and_coverage() -> None:
    changes = {
        "accounts": 1000,
        "demand": [
            {"from": "2026-04-01", "until": "2026-04-10", "accounts": 600},
            {"from": "2026-04-10", "until": "2026-05-20", "accounts": 1300},
            {"from": "2026-05-20", "until": "2026-06-01", "accounts": 1000},
        ],
    }
    result = run("-", text=json.dumps(problem(**changes)))
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert lines == [
        "        starts     last day   months   accounts   price without tax",
        "─" * 67,
        "1   2026-04-10   2026-06-09        2        300              30,000",
        "",
        "         total                                               30,000",
        "Proven: no plan is cheaper.",
        "",
        "compared with                              orders    price   the plan saves",
        "─" * 75,
        "one order of the peak for the whole span        1   30,000                0",
        "one order per step of the demand                1   30,000                0",
        "month by month, the most that is missing        2   30,000                0",
        "",
        "accounts, 1 day per column",
        "1,300 │" + " " * 9 + "▓" * 40 + "░" * 12,
        "1,200 │" + " " * 9 + "▓" * 40 + "░" * 12,
        "1,100 │" + " " * 9 + "▓" * 40 + "░" * 12,
        "1,000 │" + "·" * 9 + "█" * 52,
        "  900 │" + "·" * 9 + "█" * 52,
        "  800 │" + "·" * 9 + "█" * 52,
        "  700 └" + "─" * 61,
        "       2026-04-01                    2026-05",
        "       █ needed, in the main contract  · spare in the main contract",
        "       ▓ needed, in spot contracts     ░ spare in spot contracts",
    ]


def test_baselines_show_what_the_plan_saves() -> None:
    changes = {
        "demand": [
            {"from": "2026-04-10", "until": "2026-04-20", "accounts": 1200},
            {"from": "2026-04-20", "until": "2026-08-20", "accounts": 200},
        ]
    }
    result = run("-", text=json.dumps(problem(**changes)))
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert "one order of the peak for the whole span        1   275,000   200,000 (72.7%)" in lines


@pytest.mark.parametrize("instance", INSTANCES, ids=[instance["name"] for instance in INSTANCES])
def test_the_view_fits_into_80_columns_and_holds_every_order(instance: dict[str, Any]) -> None:
    result = run("-", text=json.dumps(instance))
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert max(len(line.rstrip()) for line in result.stdout.splitlines()) <= 80
    _, printed = run_json(text=json.dumps(instance))
    for order in printed["orders"]:
        last_day = date.fromisoformat(order["ends_before"]) - timedelta(days=1)
        assert f"   {order['starts_on']}   {last_day} " in result.stdout
        assert f" {order['net_price']:,}" in result.stdout


def test_an_ascii_terminal_gets_ascii() -> None:
    result = CliRunner(charset="ascii").invoke(app, ["-"], input=json.dumps(problem()), env=PIPED)
    assert result.exit_code == 0
    assert result.stdout.isascii()
    assert "+ needed, in spot contracts" in result.stdout


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    file = tmp_path / "problem.json"
    file.write_text("\ufeff" + json.dumps(problem()))
    assert run(str(file), "--json").exit_code == 0


DAY = "is not a day such as 2026-04-01"
JSON_REFUSALS: list[tuple[str, dict[str, Any], str]] = [
    *[
        (f"{key} is missing", without(key), f"{key}: is missing")
        for key in (
            "starts_on",
            "ends_before",
            "accounts",
            "accounts_per_unit",
            "monthly_unit_price",
            "demand",
        )
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
    (
        "no multiple",
        problem(accounts=250),
        "accounts: 250 accounts is not a positive multiple of 100.",
    ),
    ("no accounts", problem(accounts=0), "accounts: 0 is not between 1 and 10000000"),
    ("no unit", problem(accounts_per_unit=0), "accounts_per_unit: 0 is not between 1 and 10000000"),
    (
        "negative price",
        problem(monthly_unit_price=-1),
        "monthly_unit_price: -1 is not between 0 and 2147483647",
    ),
    (
        "huge price",
        problem(monthly_unit_price=2**31),
        "monthly_unit_price: 2147483648 is not between 0 and 2147483647",
    ),
    ("demand is an object", problem(demand={}), "demand: {} is not a list"),
    ("demand is empty", problem(demand=[]), "demand: A demand has 1 to 4000 entries, not 0."),
    (
        "entry is no object",
        problem(demand=[7]),
        "demand[0]: 7 is not an object of from, until, accounts",
    ),
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
        problem(demand=[{"from": "2026-04-10", "until": "2026-04-10", "accounts": 300}]),
        "demand[0]: The entry from 2026-04-10 until 2026-04-10 holds no day (the end is exclusive).",
    ),
    (
        "entry below zero",
        problem(demand=[{"from": "2026-04-10", "until": "2026-04-11", "accounts": -1}]),
        "demand[0]: -1 accounts is not between 0 and 10000000.",
    ),
    (
        "overlap",
        problem(
            demand=[
                {"from": "2026-04-10", "until": "2026-04-20", "accounts": 300},
                {"from": "2026-04-19", "until": "2026-04-25", "accounts": 300},
            ]
        ),
        "demand[1]: The entry that starts on 2026-04-19 overlaps one that ends before 2026-04-20.",
    ),
]


def refused(result: Result) -> str:
    """The one line that a refusal prints, on standard error alone."""
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr.rstrip("\n")


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
]


@pytest.mark.parametrize(
    ("options", "text", "message"),
    [case[1:] for case in CSV_REFUSALS],
    ids=[case[0] for case in CSV_REFUSALS],
)
def test_csv_is_refused_with_the_option_and_its_value(options: tuple[str, ...], text: str, message: str) -> None:
    assert refused(run("-", *options, text=text)) == message


def test_an_option_that_replaces_a_json_value_is_named_as_the_option() -> None:
    assert refused(run("-", "--accounts=150", text=json.dumps(problem()))) == (
        "--accounts: 150 accounts is not a positive multiple of 100."
    )


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
