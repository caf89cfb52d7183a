"""What the tests of ``spotplan plan`` share: a problem, and the command run on it."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

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
DAY = "is not a day such as 2026-04-01"
PIPED = {"COLUMNS": "80", "FORCE_COLOR": None, "TTY_COMPATIBLE": None}
"""A pipe of 80 columns, whatever the machine that runs the tests asks for."""

app = typer.Typer()
app.command()(plan)


def run(*arguments: str, text: str | None = None, charset: str = "utf-8") -> Result:
    return CliRunner(charset=charset).invoke(app, arguments, input=text, env=PIPED)


def run_json(*arguments: str, text: str) -> tuple[int, dict[str, Any]]:
    result = run("-", "--json", *arguments, text=text)
    assert result.stderr == ""
    assert result.stdout.count("\n") == 1
    return result.exit_code, json.loads(result.stdout)


def refused(result: Result) -> str:
    """The one line that a refusal prints, on standard error alone."""
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr.rstrip("\n")


def lines(result: Result) -> list[str]:
    """What is printed for a person, without spaces at the ends of lines."""
    assert result.stderr == ""
    return [line.rstrip() for line in result.stdout.splitlines()]


def step(begin: str, until: str, accounts: int) -> dict[str, Any]:
    return {"from": begin, "until": until, "accounts": accounts}


def problem(**changes: Any) -> dict[str, Any]:
    """Contract of 100 accounts from 2026-04-01 for a year, 300 needed in parts of April and May."""
    return {
        "starts_on": "2026-04-01",
        "ends_before": "2027-04-01",
        "accounts": 100,
        "accounts_per_unit": 100,
        "monthly_unit_price": 5000,
        "demand": [step("2026-04-10", "2026-05-20", 300)],
        **changes,
    }


def without(*keys: str, **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in problem(**changes).items() if name not in keys}


def term(starts_on: str, ends_before: str, **changes: Any) -> dict[str, Any]:
    """A year of Starter for 100 accounts, as an item of ``terms``."""
    return {
        "starts_on": starts_on,
        "ends_before": ends_before,
        "accounts": 100,
        "monthly_unit_price": 5000,
        "annual_unit_price": 30000,
        "billing_cycle": "ANNUAL",
        **changes,
    }


def full_problem(**changes: Any) -> dict[str, Any]:
    """A contract of two terms with what was added to it; 300 accounts needed across the renewal."""
    return {
        "accounts_per_unit": 100,
        "terms": [
            term("2026-04-01", "2027-04-01"),
            term("2027-04-01", "2028-04-01", accounts=200, monthly_unit_price=6000, annual_unit_price=36000),
        ],
        "demand": [step("2027-02-10", "2027-05-20", 400)],
        **changes,
    }


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
    for item in instance["demand"]:
        begin, until = date.fromisoformat(item["from"]), date.fromisoformat(item["until"])
        for offset in range((until - begin).days):
            assert capacity[begin + timedelta(days=offset)] >= item["accounts"]
    return total
