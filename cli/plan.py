"""``spotplan plan FILE``: the cheapest spot contracts for a demand, without a database.

FILE is one JSON object - the contract's ``starts_on``, ``ends_before``, ``accounts``, ``accounts_per_unit``,
``monthly_unit_price``, and ``demand`` as a list of ``from``, ``until``, ``accounts`` - or a CSV of
from,until,accounts with the contract in options. Exit code: 0 with a plan, 1 without, 2 for bad input.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.plan_view import show
from domain.contracts import BillingCycle, MainContract, Term
from domain.errors import AccountsNotMultiple, HorizonTooLong, RuleError
from domain.money import MINOR_UNITS_MAX
from domain.months import MONTHS_MAX, Period
from planner.demand import ACCOUNTS_MAX, DemandEntry, demand_from_csv, demand_from_profile
from planner.problem import DemandStep, Outcome, PlannedOrder, PlanningProblem, PlanStatus
from planner.solve import solve

CSV_DEFAULTS: Mapping[str, object] = {"accounts_per_unit": 100, "monthly_unit_price": 5000}
"""The published Starter plan: what a CSV without these two options is planned with."""


class InputError(ValueError):
    """The input cannot be planned with; the message is one line that names the field and its value."""


@dataclass(frozen=True, slots=True)
class _Fields:
    """Named input values; an option that was given replaces the file's value."""

    file: Mapping[str, object]
    options: Mapping[str, object]
    is_csv: bool

    def label(self, name: str) -> str:
        """What the user wrote or should have written: the option, or the file's key."""
        if name not in self.options and not self.is_csv:
            return name
        prefix = "--contract-" if name in {"starts_on", "ends_before"} else "--"
        return prefix + name.replace("_", "-")

    def value(self, name: str) -> object:
        merged = {**self.file, **self.options}
        if name not in merged:
            raise InputError(f"{self.label(name)}: is missing" + (", a CSV needs it" if self.is_csv else ""))
        return merged[name]

    def day(self, name: str) -> date:
        return _day(self.value(name), self.label(name))

    def whole(self, name: str, least: int, most: int) -> int:
        number = _whole(self.value(name), self.label(name))
        if not least <= number <= most:
            raise InputError(f"{self.label(name)}: {number} is not between {least} and {most}")
        return number


def plan(
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSON or CSV; - reads standard input.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    contract_starts_on: Annotated[str | None, typer.Option(metavar="DATE", help="The contract's first day.")] = None,
    contract_ends_before: Annotated[
        str | None, typer.Option(metavar="DATE", help="The day after its last day.")
    ] = None,
    accounts: Annotated[str | None, typer.Option(metavar="NUMBER", help="Accounts of the main contract.")] = None,
    accounts_per_unit: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Accounts per licence unit. With CSV: 100 unless given.")
    ] = None,
    monthly_unit_price: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help="Net price of a unit for a month. With CSV: 5000 unless given."),
    ] = None,
    earliest_start: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="No order starts earlier. The contract's first day unless given."),
    ] = None,
    months_max: Annotated[str | None, typer.Option(metavar="NUMBER", help="The longest order, in months.")] = None,
) -> None:
    """Plan the cheapest spot contracts for a demand.

    Contract options complete a CSV (from,until,accounts) and replace what a JSON file says.
    """
    given = {
        "starts_on": contract_starts_on,
        "ends_before": contract_ends_before,
        "accounts": _number(accounts),
        "accounts_per_unit": _number(accounts_per_unit),
        "monthly_unit_price": _number(monthly_unit_price),
        "earliest_start": earliest_start,
        "months_max": _number(months_max),
    }
    options = {name: value for name, value in given.items() if value is not None}
    try:
        problem = read_problem(_text_of(file), options)
    except InputError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    outcome = solve(problem)
    if as_json:
        typer.echo(json.dumps(as_data(outcome)))
    else:
        show(problem, outcome)
    if outcome.status in {PlanStatus.INFEASIBLE, PlanStatus.NO_PLAN_IN_TIME}:
        raise typer.Exit(1)


def read_problem(text: str, options: Mapping[str, object]) -> PlanningProblem:
    """The problem in a JSON object or a CSV, completed by options.

    Raises:
        InputError: something is missing, of the wrong type or out of range.
    """
    is_csv = not text.lstrip("\ufeff \t\r\n").startswith(("{", "["))
    fields = _Fields(CSV_DEFAULTS if is_csv else _json_object(text), options, is_csv)
    try:
        contract = _contract(fields)
        steps = demand_from_csv(text, "demand") if is_csv else _demand(fields.value("demand"))
        # A file names no today: no day of the contract is over, some may be before the earliest start.
        first = fields.day("earliest_start") if "earliest_start" in options else contract.starts_on
        months = fields.whole("months_max", 1, MONTHS_MAX) if "months_max" in options else None
        return PlanningProblem(
            contract, steps, today=min(first, contract.starts_on), earliest_start=first, months_max=months
        )
    except RuleError as refusal:
        # Refusals name fields in the API's spelling; these two have another one here.
        here: dict[type[RuleError], str] = {AccountsNotMultiple: "accounts", HorizonTooLong: "ends_before"}
        name = here.get(type(refusal))
        raise InputError(f"{fields.label(name) if name else refusal.field}: {refusal.message}") from None


def as_data(outcome: Outcome) -> dict[str, Any]:
    """The outcome as plain values; totals are None where there is no plan."""
    has_plan = outcome.status in {PlanStatus.OPTIMAL, PlanStatus.FEASIBLE}
    return {
        "status": outcome.status.value,
        "net_total": outcome.net_minor if has_plan else None,
        "lower_bound": outcome.lower_bound_minor if has_plan else None,
        "gap": outcome.gap if has_plan else None,
        "orders": [_order_data(order) for order in outcome.orders],
        "frontier": [
            {"orders_max": point.orders_max, "net_total": point.net_minor, "proven": point.proven}
            for point in outcome.frontier
        ],
        "baselines": [
            {
                "kind": baseline.kind.value,
                "net_total": baseline.net_minor,
                "orders": None if baseline.orders is None else len(baseline.orders),
            }
            for baseline in outcome.baselines
        ],
        "shortfalls": [
            {
                "from": missing.period.starts_on.isoformat(),
                "until": missing.period.ends_before.isoformat(),
                "accounts_missing": missing.accounts_missing,
                "reason": missing.reason.value,
            }
            for missing in outcome.shortfalls
        ],
        "solve_milliseconds": round(outcome.solve_milliseconds, 3),
    }


def _order_data(order: PlannedOrder) -> dict[str, Any]:
    return {
        "starts_on": order.period.starts_on.isoformat(),
        "ends_before": order.period.ends_before.isoformat(),
        "months": order.months,
        "units": order.units,
        "accounts": order.accounts,
        "net_price": order.net_minor,
    }


def _text_of(file: str) -> str:
    try:
        # Bytes, because the terminal's encoding says nothing about the file's.
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return content.decode("utf-8")
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: is not UTF-8 text (byte {error.start})") from None


def _json_object(text: str) -> dict[str, object]:
    try:
        value = json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"FILE: is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InputError(f"FILE: holds a list of {len(value)}; give one object of it")
    return value


def _contract(fields: _Fields) -> MainContract:
    starts_on, ends_before = fields.day("starts_on"), fields.day("ends_before")
    if starts_on >= ends_before:
        label = fields.label("ends_before")
        raise InputError(f"{label}: {ends_before} is not after {fields.label('starts_on')}, {starts_on}")
    per_unit = fields.whole("accounts_per_unit", 1, ACCOUNTS_MAX)
    price = fields.whole("monthly_unit_price", 0, MINOR_UNITS_MAX)
    units, rest = divmod(fields.whole("accounts", 1, ACCOUNTS_MAX), per_unit)
    if rest:
        raise AccountsNotMultiple(accounts=units * per_unit + rest, accounts_per_unit=per_unit)
    # Spots are priced by the month, so how the term itself is billed changes nothing here.
    term = Term(Period(starts_on, ends_before), "FILE", units, per_unit, BillingCycle.MONTHLY, price, 0)
    return MainContract((term,))


def _demand(value: object) -> tuple[DemandStep, ...]:
    if not isinstance(value, list):
        raise InputError(f"demand: {_short(value)} is not a list")
    entries = []
    for index, item in enumerate(value):
        where = f"demand[{index}]"
        if not isinstance(item, dict):
            raise InputError(f"{where}: {_short(item)} is not an object of from, until, accounts")
        for key in ("from", "until", "accounts"):
            if key not in item:
                raise InputError(f"{where}.{key}: is missing")
        begin, until = _day(item["from"], f"{where}.from"), _day(item["until"], f"{where}.until")
        entries.append(DemandEntry(begin, until, _whole(item["accounts"], f"{where}.accounts")))
    return demand_from_profile(entries, "demand")


def _number(text: str | None) -> int | str | None:
    """An option's number; text that is none is left for the one message that all wrong types get."""
    try:
        return None if text is None else int(text)
    except ValueError:
        return text


def _day(value: object, label: str) -> date:
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise InputError(f"{label}: {_short(value)} is not a day such as 2026-04-01") from None


def _whole(value: object, label: str) -> int:
    # JSON's true is an int to Python.
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{label}: {_short(value)} is not a whole number")
    return value


def _short(value: object) -> str:
    return json.dumps(value)[:60]
