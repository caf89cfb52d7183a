"""What a rule says when it refuses: one class per refusal, each carrying its numbers.

The class name is the API's type name; ``code`` is the same name in capitals; ``field`` names the input the
refusal is about, in the API's spelling. The docstring becomes the API's description.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, ClassVar


@dataclass(eq=False, kw_only=True)
class RuleError(Exception):
    """A rule refused what was asked for."""

    template: ClassVar[str] = ""
    field: str = ""

    @property
    def code(self) -> str:
        """The machine-readable name: ``EndsAfterContract`` becomes ``ENDS_AFTER_CONTRACT``."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).upper()

    @property
    def message(self) -> str:
        """One English sentence with the numbers in it."""
        return self.template.format(**self.data)

    @property
    def data(self) -> dict[str, Any]:
        """The numbers: every attribute but ``field``."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "field"}

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only exceptions do not pickle by themselves; the planner's workers send them back.
        return _rebuild, (type(self), {"field": self.field, **self.data})


def _rebuild(kind: type[RuleError], values: dict[str, Any]) -> RuleError:
    return kind(**values)


class Refused(Exception):
    """Everything a request was refused for, at least one rule."""

    def __init__(self, errors: Sequence[RuleError]) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = tuple(errors)


@dataclass(eq=False, kw_only=True)
class NotFound(RuleError):
    """There is no such object, or not for this caller: the two look exactly alike."""

    template = "There is no such object."
    field: str = "id"


@dataclass(eq=False, kw_only=True)
class CustomerRequired(RuleError):
    """Only an owner has a customer of its own; everybody else names the one they mean."""

    template = "Name the customer: only owners have one of their own."
    field: str = "customerId"


@dataclass(eq=False, kw_only=True)
class PageSizeOutOfRange(RuleError):
    """A page of a connection has 1 to firstMax objects."""

    template = "A page has 1 to {first_max} objects, not {first}."
    field: str = "first"
    first: int
    first_max: int


@dataclass(eq=False, kw_only=True)
class CursorInvalid(RuleError):
    """A cursor must be one that this connection gave."""

    template = "This is not a cursor of this connection: {cursor!r}."
    field: str = "after"
    cursor: str


@dataclass(eq=False, kw_only=True)
class WindowInvalid(RuleError):
    """A window of days must end after it starts and span at most daysMax days."""

    template = "From {starts_on} until {ends_before} is not a window of 1 to {days_max} days."
    field: str = "until"
    starts_on: date
    ends_before: date
    days_max: int


@dataclass(eq=False, kw_only=True)
class AccountsNotMultiple(RuleError):
    """Accounts are sold in whole units: the number must be a positive multiple of accountsPerUnit."""

    template = "{accounts} accounts is not a positive multiple of {accounts_per_unit}."
    field: str = "accounts"
    accounts: int
    accounts_per_unit: int


@dataclass(eq=False, kw_only=True)
class MonthsOutOfRange(RuleError):
    """A period is a whole number of months from 1 to monthsMax, inside the calendar (page, rule 2)."""

    template = "{months} is not a whole number of months from 1 to {months_max} that ends inside the calendar."
    field: str = "months"
    months: int
    months_max: int


@dataclass(eq=False, kw_only=True)
class NoPaidContract(RuleError):
    """The customer has no paid contract: it is on the Free plan, or its contract has ended."""

    template = "There is no paid main contract to add accounts to."
    field: str = "customerId"
    contract_ended_before: date | None = None

    @property
    def message(self) -> str:
        """One English sentence, with the day the last contract ended if there was one."""
        ended = self.contract_ended_before
        return self.template[:-1] + (f": it ended before {ended}." if ended else ".")


@dataclass(eq=False, kw_only=True)
class StartsInThePast(RuleError):
    """Nothing can start before today, in the customer's time zone."""

    template = "The first day, {starts_on}, is before today, {today}."
    field: str = "startsOn"
    starts_on: date
    today: date


@dataclass(eq=False, kw_only=True)
class StartsBeforeContract(RuleError):
    """The time before the paid plan starts is closed for spot contracts (page, rule 8)."""

    template = "The spot would start on {starts_on}, before the main contract starts on {contract_starts_on}."
    field: str = "startsOn"
    starts_on: date
    contract_starts_on: date


@dataclass(eq=False, kw_only=True)
class EndsAfterContract(RuleError):
    """A spot contract cannot reach past the main contract's end, renewals included (page, rules 3 and 8)."""

    template = "The spot would end before {ends_before}, but the main contract ends before {contract_ends_before}."
    field: str = "months"
    ends_before: date
    contract_ends_before: date


@dataclass(eq=False, kw_only=True)
class AmountTooLarge(RuleError):
    """The amount does not fit the API's 32-bit minor units."""

    template = "The amount would be {amount}, more than the largest amount handled, {amount_max}."
    field: str = "accounts"
    amount: str
    amount_max: int


@dataclass(eq=False, kw_only=True)
class TermsNotAgreed(RuleError):
    """The terms of use must be agreed to in their current version."""

    template = "The terms of use {current_version} must be agreed to, not {agreed_version!r}."
    field: str = "agreedTermsVersion"
    agreed_version: str
    current_version: str


@dataclass(eq=False, kw_only=True)
class PriceChanged(RuleError):
    """The total the customer saw is not the total that would be charged."""

    template = "The total is {current_total} in minor units, not the expected {expected_total}."
    field: str = "expectedTotal"
    expected_total: int
    current_total: int


@dataclass(eq=False, kw_only=True)
class PaymentMethodUnavailable(RuleError):
    """This payment method cannot be used for this order; the ones that can are listed."""

    template = "Payment by {method} is not available here; available: {available}."
    field: str = "paymentMethod"
    method: str
    available: list[str]

    @property
    def message(self) -> str:
        """One English sentence with the methods in it."""
        return self.template.format(method=self.method, available=", ".join(self.available) or "none")


@dataclass(eq=False, kw_only=True)
class OrderMoveRefused(RuleError):
    """An order in this status cannot take this step."""

    template = "An order that is {status} cannot become {wanted}."
    field: str = "orderId"
    status: str
    wanted: str

    @property
    def message(self) -> str:
        """One English sentence with both statuses, where they are two."""
        return f"The order is {self.status} already." if self.status == self.wanted else super().message


@dataclass(eq=False, kw_only=True)
class OrderExpired(RuleError):
    """The order was left without a payment method for too long and must be placed again."""

    template = "The order expired at {expired_at:%Y-%m-%d %H:%M:%S} UTC; place it again."
    field: str = "orderId"
    expired_at: datetime


@dataclass(eq=False, kw_only=True)
class IdempotencyKeyReused(RuleError):
    """The idempotency key was used before with another operation or other input."""

    template = "The idempotency key {key!r} was used before with another operation or other input."
    field: str = "idempotencyKey"
    key: str


@dataclass(eq=False, kw_only=True)
class IdempotencyKeyInvalid(RuleError):
    """An idempotency key is 1 to lengthMax printable characters."""

    template = "An idempotency key has 1 to {length_max} printable characters; this one has {length} characters."
    field: str = "idempotencyKey"
    length: int
    length_max: int


@dataclass(eq=False, kw_only=True)
class DemandEntriesOutOfRange(RuleError):
    """A demand has at least one entry and at most entriesMax."""

    template = "A demand has 1 to {entries_max} entries, not {entries}."
    field: str = "demand"
    entries: int
    entries_max: int


@dataclass(eq=False, kw_only=True)
class DemandPeriodInvalid(RuleError):
    """A demand entry must end after it starts; its end is exclusive."""

    template = "The entry from {starts_on} until {ends_before} holds no day (the end is exclusive)."
    field: str = "demand"
    starts_on: date
    ends_before: date


@dataclass(eq=False, kw_only=True)
class DemandAccountsOutOfRange(RuleError):
    """A demand entry's accounts are from 0 to accountsMax."""

    template = "{accounts} accounts is not between 0 and {accounts_max}."
    field: str = "demand"
    accounts: int
    accounts_max: int


@dataclass(eq=False, kw_only=True)
class DemandOverlaps(RuleError):
    """Steps of a profile are totals, so no two may share a day; use events for things that add up."""

    template = "The entry that starts on {starts_on} overlaps one that ends before {previous_ends_before}."
    field: str = "demand"
    starts_on: date
    previous_ends_before: date


@dataclass(eq=False, kw_only=True)
class CsvLineInvalid(RuleError):
    """A CSV line is not a from day, an until day (both YYYY-MM-DD) and a whole number of accounts."""

    template = "Line {line} is not from,until,accounts (such as 2026-04-01,2026-05-01,300): {text!r}."
    field: str = "demand.csv"
    line: int
    text: str


@dataclass(eq=False, kw_only=True)
class HorizonTooLong(RuleError):
    """The contract's days from the earliest start on are more than the planner handles."""

    template = "The contract has {days} days from the earliest start on; at most {days_max} can be planned."
    field: str = "customerId"
    days: int
    days_max: int


@dataclass(eq=False, kw_only=True)
class EarliestStartInThePast(RuleError):
    """No order can start before today, so the earliest start cannot be earlier."""

    template = "The earliest start {earliest_start} is before today, {today}."
    field: str = "earliestStart"
    earliest_start: date
    today: date


@dataclass(eq=False, kw_only=True)
class SecondsOutOfRange(RuleError):
    """The time a search may take."""

    template = "{seconds} is not between {seconds_min} and {seconds_max} seconds."
    field: str = "seconds"
    seconds: float
    seconds_min: float
    seconds_max: float


@dataclass(eq=False, kw_only=True)
class OrdersMaxOutOfRange(RuleError):
    """A limit on the number of orders of a plan is 1 to ordersMaxLimit."""

    template = "At most {orders_max} orders is not a limit from 1 to {orders_max_limit}."
    field: str = "ordersMax"
    orders_max: int
    orders_max_limit: int


@dataclass(eq=False, kw_only=True)
class AccountsPerOrderTooFew(RuleError):
    """An order holds at least one licence unit, so its largest number of accounts cannot be less."""

    template = "At most {accounts_per_order_max} accounts per order is less than one unit of {accounts_per_unit}."
    field: str = "accountsPerOrderMax"
    accounts_per_order_max: int
    accounts_per_unit: int


@dataclass(eq=False, kw_only=True)
class OrderFeeOutOfRange(RuleError):
    """What handling an order costs the buyer is 0 to orderFeeMax minor units."""

    template = "{order_fee} minor units per order is not between 0 and {order_fee_max}."
    field: str = "orderFee"
    order_fee: int
    order_fee_max: int


@dataclass(eq=False, kw_only=True)
class BudgetOutOfRange(RuleError):
    """A budget is 0 to budgetMax minor units."""

    template = "A budget of {budget} minor units is not between 0 and {budget_max}."
    field: str = "budget"
    budget: int
    budget_max: int
