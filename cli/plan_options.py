"""The options that describe a problem, shared by the commands that plan: one table, one place for their names."""

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from typing import Annotated, Any

import typer

from cli.errors import InputError


class _Kind(Enum):
    """What is typed after an option."""

    DAY = "DATE"
    NUMBER = "NUMBER"
    WORD = "WORD"
    SWITCH = ""


CONTRACT, LIMITS, KINDS = "The contract", "Limits of the plan", "What may be bought: --additional-licences"
"""Where options stand in --help."""


@dataclass(frozen=True, slots=True)
class ProblemOption:
    """An option; ``key`` is the name of the same value in a JSON file."""

    key: str
    flag: str
    kind: _Kind
    panel: str
    help: str

    @property
    def name(self) -> str:
        """The parameter's name in Python."""
        return self.flag.removeprefix("--").replace("-", "_")

    def parameter(self) -> inspect.Parameter:
        """The option as typer takes it; not given, it is None."""
        of_type: Any = bool | None if self.kind is _Kind.SWITCH else str | None
        switch = f"/--no-{self.flag.removeprefix('--')}" if self.kind is _Kind.SWITCH else ""
        option = typer.Option(
            self.flag + switch, metavar=self.kind.value or None, help=self.help, rich_help_panel=self.panel
        )
        return inspect.Parameter(
            self.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[of_type, option]
        )

    def value(self, given: Any) -> object:
        """What a JSON file would hold; text that is no number is left for the one message all wrong types get."""
        try:
            return int(given) if self.kind is _Kind.NUMBER else given
        except ValueError:
            return given


PROBLEM_OPTIONS = (
    ProblemOption("starts_on", "--contract-starts-on", _Kind.DAY, CONTRACT, "The contract's first day."),
    ProblemOption("ends_before", "--contract-ends-before", _Kind.DAY, CONTRACT, "The day after its last day."),
    ProblemOption("accounts", "--accounts", _Kind.NUMBER, CONTRACT, "Accounts of the main contract."),
    ProblemOption(
        "accounts_per_unit",
        "--accounts-per-unit",
        _Kind.NUMBER,
        CONTRACT,
        "Accounts per licence unit. With CSV: 100 unless given.",
    ),
    ProblemOption(
        "monthly_unit_price",
        "--monthly-unit-price",
        _Kind.NUMBER,
        CONTRACT,
        "Net price of a unit for a month. With CSV: 5000 unless given.",
    ),
    ProblemOption(
        "annual_unit_price",
        "--annual-unit-price",
        _Kind.NUMBER,
        CONTRACT,
        "Net price of a unit for a year, if billed so. With CSV: 30000 unless given.",
    ),
    ProblemOption(
        "billing_cycle",
        "--billing-cycle",
        _Kind.WORD,
        CONTRACT,
        "MONTHLY or ANNUAL: how the contract is paid. MONTHLY unless given.",
    ),
    ProblemOption(
        "today", "--today", _Kind.DAY, LIMITS, "Nothing starts earlier. Unless given, no day of the contract is over."
    ),
    ProblemOption(
        "earliest_start",
        "--earliest-start",
        _Kind.DAY,
        LIMITS,
        "No order starts earlier. Today or the contract's first day unless given.",
    ),
    ProblemOption("months_max", "--months-max", _Kind.NUMBER, LIMITS, "The longest spot contract, in months."),
    ProblemOption("orders_max", "--orders-max", _Kind.NUMBER, LIMITS, "The most orders of a plan."),
    ProblemOption(
        "accounts_per_order_max", "--accounts-per-order-max", _Kind.NUMBER, LIMITS, "The most accounts of one order."
    ),
    ProblemOption(
        "order_fee",
        "--order-fee",
        _Kind.NUMBER,
        LIMITS,
        "What handling an order costs: added to prices when plans are compared.",
    ),
    ProblemOption(
        "budget",
        "--budget",
        _Kind.NUMBER,
        LIMITS,
        "The most that prices and fees may come to: the plan that then leaves the least short.",
    ),
    ProblemOption(
        "include_additional_licences",
        "--additional-licences",
        _Kind.SWITCH,
        KINDS,
        "Units until their term's end, as well as spot contracts.",
    ),
)
Seconds = Annotated[str, typer.Option(metavar="NUMBER", help="How long the search for a plan may take.")]
SECONDS_MIN, SECONDS_MAX = 0.05, 3_600.0
FLAGS: Mapping[str, str] = {option.key: option.flag for option in PROBLEM_OPTIONS}


def read_seconds(text: str) -> float:
    """The value of ``--seconds``.

    Raises:
        InputError: it is no number, or out of range.
    """
    try:
        seconds = float(text)
    except ValueError:
        raise InputError("--seconds", f"{json.dumps(text)} is not a number") from None
    if not SECONDS_MIN <= seconds <= SECONDS_MAX:
        raise InputError("--seconds", f"{text} is not between {SECONDS_MIN:g} and {SECONDS_MAX:g}")
    return seconds


def read_count(flag: str, text: str, most: int) -> int:
    """The value of an option that counts something, 1 to ``most``.

    Raises:
        InputError: it is no whole number, or out of range.
    """
    try:
        count = int(text)
    except ValueError:
        raise InputError(flag, f"{json.dumps(text)} is not a whole number") from None
    if not 1 <= count <= most:
        raise InputError(flag, f"{count} is not between 1 and {most}")
    return count


def with_problem_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command every problem option; those that were given reach it as ``options``, by key."""
    signature = inspect.signature(command, eval_str=True)
    own = [parameter for name, parameter in signature.parameters.items() if name != "options"]

    @wraps(command)
    def run(**arguments: Any) -> None:
        given = {option: arguments.pop(option.name) for option in PROBLEM_OPTIONS}
        options = {option.key: option.value(value) for option, value in given.items() if value is not None}
        command(**arguments, options=options)

    parameters = [*own, *(option.parameter() for option in PROBLEM_OPTIONS)]
    # typer reads both to find out what a command takes.
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
