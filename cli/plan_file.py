"""Planning problems as people write them down: a JSON object, or a CSV of demand completed by options.

A JSON object holds ``accounts_per_unit``, ``demand`` as a list of ``from``, ``until``, ``accounts``, and the
contract: either ``starts_on``, ``ends_before``, ``accounts``, ``monthly_unit_price``, and if it is billed so
``billing_cycle`` and ``annual_unit_price``; or several of that as ``terms``. ``additional_licences`` and
``spots`` are lists like the demand. The keys of :data:`cli.plan_options.PROBLEM_OPTIONS` may stand in it too,
and others are ignored.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from cli.errors import InputError
from cli.plan_options import FLAGS
from domain.contracts import AdditionalLicence, BillingCycle, MainContract, SpotContract, Term
from domain.errors import AccountsNotMultiple, HorizonTooLong, RuleError
from domain.money import MINOR_UNITS_MAX
from domain.months import MONTHS_MAX, Period
from planner.demand import ACCOUNTS_MAX, DemandEntry, demand_from_csv, demand_from_profile
from planner.problem import DemandStep, PlanningProblem

CSV_DEFAULTS: Mapping[str, object] = {
    "accounts_per_unit": 100,
    "monthly_unit_price": 5_000,
    "annual_unit_price": 30_000,
}
"""The published Starter plan: what a CSV without these options is planned with."""
TERM_KEYS = ("starts_on", "ends_before", "accounts", "monthly_unit_price")
TERM_OPTIONAL_KEYS = ("annual_unit_price", "billing_cycle")
NOTHING: Mapping[str, object] = {}

Extra = TypeVar("Extra", AdditionalLicence, SpotContract)


@dataclass(frozen=True, slots=True)
class _Fields:
    """The values of one object; ``label`` says how the user calls one of them."""

    values: Mapping[str, object]
    label: Callable[[str], str]
    hint: str = ""

    def has(self, name: str) -> bool:
        return self.values.get(name) is not None

    def value(self, name: str) -> object:
        if name not in self.values:
            raise InputError(self.label(name), f"is missing{self.hint}")
        return self.values[name]

    def day(self, name: str) -> date:
        value = self.value(name)
        try:
            return date.fromisoformat(value if isinstance(value, str) else "")
        except ValueError:
            raise InputError(self.label(name), f"{_short(value)} is not a day such as 2026-04-01") from None

    def whole(self, name: str) -> int:
        value = self.value(name)
        # JSON's true is an int to Python.
        if isinstance(value, bool) or not isinstance(value, int):
            raise InputError(self.label(name), f"{_short(value)} is not a whole number")
        return value

    def whole_between(self, name: str, least: int, most: int) -> int:
        number = self.whole(name)
        if not least <= number <= most:
            raise InputError(self.label(name), f"{number} is not between {least} and {most}")
        return number

    def whole_or_none(self, name: str) -> int | None:
        return self.whole(name) if self.has(name) else None

    def switch(self, name: str) -> bool:
        value = self.value(name) if self.has(name) else False
        if not isinstance(value, bool):
            raise InputError(self.label(name), f"{_short(value)} is not true or false")
        return value

    def period(self, first: str, end: str) -> Period:
        starts_on, ends_before = self.day(first), self.day(end)
        if starts_on >= ends_before:
            raise InputError(self.label(end), f"{ends_before} is not after {self.label(first)}, {starts_on}")
        return Period(starts_on, ends_before)

    def objects(self, name: str, *keys: str) -> list["_Fields"]:
        """The list of this name, each of its objects with at least these keys."""
        value = self.value(name)
        if not isinstance(value, list):
            raise InputError(self.label(name), f"{_short(value)} is not a list")
        objects = []
        for index, item in enumerate(value):
            where = f"{self.label(name)}[{index}]"
            if not isinstance(item, dict):
                raise InputError(where, f"{_short(item)} is not an object of {', '.join(keys)}")
            objects.append(_Fields(item, lambda key, where=where: f"{where}.{key}"))  # type: ignore[misc]
        return objects


def read_text(file: str) -> str:
    """The text of a file, or of standard input for ``-``.

    Raises:
        InputError: it cannot be read, or is not UTF-8.
    """
    try:
        # Bytes, because the terminal's encoding says nothing about the file's.
        return decoded(sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes(), file)
    except OSError as error:
        raise InputError(file, error.strerror or str(error)) from None


def decoded(content: bytes, file: str) -> str:
    """The text that UTF-8 bytes stand for, or InputError with the file's name."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(file, f"is not UTF-8 text (byte {error.start})") from None


def read_problem(
    text: str,
    options: Mapping[str, object] = NOTHING,
    defaults: Mapping[str, object] = NOTHING,
    is_csv: bool | None = None,
) -> PlanningProblem:
    """The problem in a JSON object or a CSV.

    Args:
        text: of the file.
        options: values by key, which replace the file's.
        defaults: values by key, for what the file leaves out.
        is_csv: None to tell by how it begins.

    Raises:
        InputError: something is missing, of the wrong type or out of range.
    """
    if is_csv is None:
        is_csv = not text.lstrip("\ufeff \t\r\n").startswith(("{", "["))
    file = NOTHING if is_csv else _json_object(text)

    def label(name: str) -> str:
        is_option = name in options or (name not in file and (is_csv or name in defaults))
        return FLAGS.get(name, name) if is_option else name

    values = {**(CSV_DEFAULTS if is_csv else NOTHING), **defaults, **file, **options}
    fields = _Fields(values, label, ", a CSV needs it" if is_csv else "")
    try:
        contract = _contract(fields, file, options)
        return _problem(fields, contract, demand_from_csv(text, "demand") if is_csv else _demand(fields))
    except RuleError as refusal:
        # Refusals name fields in the API's spelling, and the customer where it is the contract that is too long.
        key = re.sub(r"(?=[A-Z])", "_", refusal.field).lower()
        if isinstance(refusal, HorizonTooLong):
            key = "terms" if fields.has("terms") else "ends_before"
        raise _refused(label(key), refusal) from None


def _problem(fields: _Fields, contract: MainContract, demand: tuple[DemandStep, ...]) -> PlanningProblem:
    # Where nothing names today, no day of the contract is over; some may be before the earliest start.
    today = fields.day("today") if fields.has("today") else None
    earliest = fields.day("earliest_start") if fields.has("earliest_start") else today or contract.starts_on
    return PlanningProblem(
        contract,
        demand,
        today=today or min(earliest, contract.starts_on),
        earliest_start=earliest,
        months_max=fields.whole_between("months_max", 1, MONTHS_MAX) if fields.has("months_max") else None,
        orders_max=fields.whole_or_none("orders_max"),
        accounts_per_order_max=fields.whole_or_none("accounts_per_order_max"),
        order_fee_minor=fields.whole_or_none("order_fee") or 0,
        budget_minor=fields.whole_or_none("budget"),
        additional_licences=fields.switch("include_additional_licences"),
    )


def _json_object(text: str) -> Mapping[str, object]:
    try:
        value = json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise InputError("FILE", f"is not JSON: {error}") from None
    if isinstance(value, list):
        raise InputError("FILE", f"holds a list of {len(value)}; give one object of it")
    if not isinstance(value, dict):
        raise InputError("FILE", f"{_short(value)} is not an object")
    return value


def _contract(fields: _Fields, file: Mapping[str, object], options: Mapping[str, object]) -> MainContract:
    per_unit = fields.whole_between("accounts_per_unit", 1, ACCOUNTS_MAX)
    terms = (_term(fields, per_unit),) if not fields.has("terms") else _terms(fields, per_unit, file, options)
    whole = Period(terms[0].period.starts_on, terms[-1].period.ends_before)
    licences = _extras(fields, "additional_licences", AdditionalLicence, whole)
    return MainContract(terms, licences, _extras(fields, "spots", SpotContract, whole))


def _terms(
    fields: _Fields, per_unit: int, file: Mapping[str, object], options: Mapping[str, object]
) -> tuple[Term, ...]:
    for key in TERM_KEYS + TERM_OPTIONAL_KEYS:
        if key in options:
            raise InputError(FLAGS[key], "the file has terms, which an option cannot replace")
        if key in file:
            raise InputError(key, "stands beside terms; give one or the other")
    items = fields.objects("terms", *TERM_KEYS)
    if not items:
        raise InputError(fields.label("terms"), "holds no term")
    terms = tuple(_term(item, per_unit) for item in items)
    for item, (earlier, later) in zip(items[1:], pairwise(terms), strict=True):
        if later.period.starts_on != earlier.period.ends_before:
            end = earlier.period.ends_before
            raise InputError(item.label("starts_on"), f"{later.period.starts_on} is not the end before it, {end}")
    return terms


def _term(fields: _Fields, per_unit: int) -> Term:
    period = fields.period("starts_on", "ends_before")
    price = fields.whole_between("monthly_unit_price", 0, MINOR_UNITS_MAX)
    accounts = fields.whole_between("accounts", 1, ACCOUNTS_MAX)
    if accounts % per_unit:
        raise _refused(fields.label("accounts"), AccountsNotMultiple(accounts=accounts, accounts_per_unit=per_unit))
    cycle = _billing_cycle(fields)
    annual = 0
    if cycle is BillingCycle.ANNUAL or fields.has("annual_unit_price"):
        annual = fields.whole_between("annual_unit_price", 0, MINOR_UNITS_MAX)
    return Term(period, "FILE", accounts // per_unit, per_unit, cycle, price, annual)


def _billing_cycle(fields: _Fields) -> BillingCycle:
    if not fields.has("billing_cycle"):
        return BillingCycle.MONTHLY
    value = fields.value("billing_cycle")
    if not isinstance(value, str) or value not in set(BillingCycle):
        raise InputError(fields.label("billing_cycle"), f"{_short(value)} is not MONTHLY or ANNUAL")
    return BillingCycle(value)


def _extras(fields: _Fields, name: str, kind: type[Extra], contract: Period) -> tuple[Extra, ...]:
    """What was added to the main contract, all of it inside the contract's days."""
    extras: list[Extra] = []
    for item in fields.objects(name, "from", "until", "accounts") if fields.has(name) else []:
        period = item.period("from", "until")
        if period.starts_on < contract.starts_on:
            raise InputError(item.label("from"), f"{period.starts_on} is before the contract, {contract.starts_on}")
        if period.ends_before > contract.ends_before:
            raise InputError(item.label("until"), f"{period.ends_before} is after its end, {contract.ends_before}")
        extras.append(kind(period, item.whole_between("accounts", 1, ACCOUNTS_MAX)))
    return tuple(extras)


def _demand(fields: _Fields) -> tuple[DemandStep, ...]:
    items = fields.objects("demand", "from", "until", "accounts")
    entries = [DemandEntry(item.day("from"), item.day("until"), item.whole("accounts")) for item in items]
    return demand_from_profile(entries, "demand")


def _refused(label: str, refusal: RuleError) -> InputError:
    return InputError(label, refusal.message, refusal.code)


def _short(value: object) -> str:
    return json.dumps(value)[:60]
