"""Refusals about purchases, contracts, payments, recommendations and quotes; see :mod:`domain.errors`."""

from dataclasses import dataclass
from datetime import date

from domain.errors import RuleError


@dataclass(eq=False, kw_only=True)
class ContractInForce(RuleError):
    """There is a paid contract in force or to come: renew it, or add to it."""

    template = "There is a paid contract already; it ends before {contract_ends_before}."
    field: str = "customerId"
    contract_ends_before: date


@dataclass(eq=False, kw_only=True)
class PlanNotForSale(RuleError):
    """The plan must be a paid one that is on sale on the first day."""

    template = "The plan {plan_code!r} is not for sale on {day}."
    field: str = "planCode"
    plan_code: str
    day: date


@dataclass(eq=False, kw_only=True)
class UnitsOutOfRange(RuleError):
    """An order has 1 to unitsMax licence units."""

    template = "{units} units is not between 1 and {units_max}."
    field: str = "units"
    units: int
    units_max: int


@dataclass(eq=False, kw_only=True)
class UnitSizeDiffers(RuleError):
    """All terms of a contract have units of one size, so that a spot across a renewal is one number of units."""

    template = "The plan has {accounts_per_unit} accounts in a unit, the contract {contract_accounts_per_unit}."
    field: str = "planCode"
    accounts_per_unit: int
    contract_accounts_per_unit: int


@dataclass(eq=False, kw_only=True)
class DayOutsideTerm(RuleError):
    """Licences and upgrades begin on a day of the contract, today or later: from firstDay to lastDay."""

    template = "{day} is not a day from {first_day} to {last_day}, on which something can be added to the contract."
    field: str = "startsOn"
    day: date
    first_day: date
    last_day: date


@dataclass(eq=False, kw_only=True)
class NotAnUpgrade(RuleError):
    """An upgrade leads to a dearer plan; a cheaper one can begin with a renewal."""

    template = "{plan_code} at {annual_unit_price} a year and unit is not above {current_plan_code}, {current_price}."
    field: str = "planCode"
    plan_code: str
    annual_unit_price: int
    current_plan_code: str
    current_price: int


@dataclass(eq=False, kw_only=True)
class NoRenewalToCancel(RuleError):
    """Only a renewal that has not begun can be cancelled."""

    template = "There is no renewal after {today} to cancel."
    field: str = "customerId"
    today: date


@dataclass(eq=False, kw_only=True)
class RenewalInUse(RuleError):
    """Spots or additional licences reach into the renewal: they must be cancelled first."""

    template = "{spots} spot contracts and {licences} additional licences reach past {contract_ends_before}."
    field: str = "customerId"
    spots: int
    licences: int
    contract_ends_before: date


@dataclass(eq=False, kw_only=True)
class AccountsWouldNotFit(RuleError):
    """Without the order, accounts would be deactivated that fit with it."""

    template = "From {on} on, {accounts} accounts would not fit into the {capacity} that are left."
    field: str = "orderId"
    on: date
    accounts: int
    capacity: int


@dataclass(eq=False, kw_only=True)
class CancellationNotAllowed(RuleError):
    """Confirmed orders cannot be cancelled here."""

    template = "Confirmed orders cannot be cancelled: {reason}."
    field: str = "orderId"
    reason: str


@dataclass(eq=False, kw_only=True)
class OrderIsPartOfPurchase(RuleError):
    """An order that is not paid yet is cancelled or paid with the others of its purchase."""

    template = "The order is one of {orders} in {purchase}: cancel or check out the purchase."
    field: str = "orderId"
    orders: int
    purchase: str


@dataclass(eq=False, kw_only=True)
class PaymentAmountDiffers(RuleError):
    """The money that arrived is not what is owed."""

    template = "{received} minor units arrived, but {expected} are owed."
    field: str = "amount"
    received: int
    expected: int


@dataclass(eq=False, kw_only=True)
class RefundOutOfRange(RuleError):
    """No more can be given back than what was paid, is not owed any more and is not on its way to a card."""

    template = "{amount} minor units cannot have been given back: at most {amount_max} are to be given back."
    field: str = "amount"
    amount: int
    amount_max: int


@dataclass(eq=False, kw_only=True)
class ContractChanged(RuleError):
    """The contract has changed since the order was placed, so that it cannot take effect any more."""

    template = "The order {order} does not fit the contract any more."
    field: str = "orderId"
    order: str
    contract_ends_before: date | None = None

    @property
    def message(self) -> str:
        """One English sentence, with the day the contract ends if there is one."""
        end = self.contract_ends_before
        ends = f", which ends before {end}." if end else ": there is none."
        return super().message[: -len(" any more.")] + ends


@dataclass(eq=False, kw_only=True)
class NothingOwed(RuleError):
    """The purchase is paid, or was never to be paid by a transfer or an invoice."""

    template = "Nothing is owed for {purchase}: it is {status}."
    field: str = "purchaseId"
    purchase: str
    status: str


@dataclass(eq=False, kw_only=True)
class CardDeclined(RuleError):
    """The payment provider declined the card; another method can be tried until the order expires."""

    template = "The card was declined: {reason}."
    field: str = "card"
    reason: str


@dataclass(eq=False, kw_only=True)
class RecommendationOutdated(RuleError):
    """What the recommendation was computed from has changed: ask again."""

    template = "The contract was {saved_version} and is {current_version} now: {changes}."
    field: str = "recommendationId"
    saved_version: str
    current_version: str
    changes: list[str]

    @property
    def message(self) -> str:
        """One English sentence with what changed."""
        changes = "; ".join(self.changes) or "its prices changed"
        return (
            f"The contract was {self.saved_version} and is {self.current_version} now: {changes}. Ask for a new plan."
        )


@dataclass(eq=False, kw_only=True)
class RecommendationNotOrderable(RuleError):
    """Only a plan that covers the demand, has orders, and was saved can be ordered."""

    template = "This recommendation cannot be ordered: it is {status} with {orders} orders."
    field: str = "recommendationId"
    status: str
    orders: int


@dataclass(eq=False, kw_only=True)
class QuoteItemsOutOfRange(RuleError):
    """A quote has 1 to itemsMax items."""

    template = "A quote has 1 to {items_max} items, not {items}."
    field: str = "items"
    items: int
    items_max: int


@dataclass(eq=False, kw_only=True)
class QuoteNotOpen(RuleError):
    """A quote can be accepted once, until its last day."""

    template = "The quote {quote} is {status}; it was valid until {valid_until}."
    field: str = "quoteId"
    quote: str
    status: str
    valid_until: date


@dataclass(eq=False, kw_only=True)
class ValidityOutOfRange(RuleError):
    """A quote is valid from today on, for at most daysMax days."""

    template = "{valid_until} is not within {days_max} days from today, {today}."
    field: str = "validUntil"
    valid_until: date
    today: date
    days_max: int


@dataclass(eq=False, kw_only=True)
class PriceInThePast(RuleError):
    """Prices and tax rates take effect on a later day: what was sold keeps its price."""

    template = "{effective_from} is not after today, {today}."
    field: str = "effectiveFrom"
    effective_from: date
    today: date


@dataclass(eq=False, kw_only=True)
class RateOutOfRange(RuleError):
    """A tax rate is 0 to 10,000 basis points, a price 0 to priceMax minor units."""

    template = "{value} is not between 0 and {value_max}."
    field: str = "basisPoints"
    value: int
    value_max: int
