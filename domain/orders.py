"""A spot order's states and moves.

Some moves are made by people (a payment method is chosen, an order is cancelled), the others by time
alone and are derived from dates when read: nothing has to run for an order to be ACTIVE, ENDED or EXPIRED. They
are written down later, for the history.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from domain.errors import OrderMoveRefused
from domain.money import Charge
from domain.months import Period, ends_before


class OrderStatus(StrEnum):
    """Where a spot order stands."""

    AWAITING_PAYMENT_METHOD = "AWAITING_PAYMENT_METHOD"
    PENDING_PAYMENT = "PENDING_PAYMENT"
    CONFIRMED = "CONFIRMED"
    ACTIVE = "ACTIVE"
    ENDED = "ENDED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class PaymentMethod(StrEnum):
    """How an order is paid."""

    INVOICE = "INVOICE"
    CREDIT_CARD = "CREDIT_CARD"
    BANK_TRANSFER = "BANK_TRANSFER"


_S = OrderStatus
MOVES: dict[OrderStatus, frozenset[OrderStatus]] = {
    _S.AWAITING_PAYMENT_METHOD: frozenset({_S.PENDING_PAYMENT, _S.CONFIRMED, _S.CANCELLED, _S.EXPIRED}),
    _S.PENDING_PAYMENT: frozenset({_S.AWAITING_PAYMENT_METHOD, _S.CONFIRMED, _S.CANCELLED, _S.EXPIRED}),
    _S.CONFIRMED: frozenset({_S.ACTIVE, _S.CANCELLED}),
    _S.ACTIVE: frozenset({_S.ENDED}),
    _S.ENDED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.EXPIRED: frozenset(),
}
"""Every move there is; what is not listed does not exist."""

OPEN = frozenset({_S.AWAITING_PAYMENT_METHOD, _S.PENDING_PAYMENT})
"""Not paid yet: time alone makes these EXPIRED."""

RUNNING = frozenset({_S.CONFIRMED, _S.ACTIVE})
"""Time alone makes these ACTIVE and then ENDED."""

GIVES_CAPACITY = frozenset({_S.CONFIRMED, _S.ACTIVE, _S.ENDED})
"""Only these orders give capacity, each during its own period."""


@dataclass(frozen=True, slots=True)
class SpotOrder:
    """A spot order as it is stored. Instants are UTC; ``status`` is the last move that was written down."""

    id: int
    customer_id: int
    purchase_id: int
    period: Period
    months: int
    units: int
    accounts: int
    charge: Charge
    currency: str
    status: OrderStatus
    payment_method: PaymentMethod | None
    payment_due_on: date | None
    terms_version: str
    placed_at: datetime
    expires_at: datetime
    confirmed_at: datetime | None
    cancelled_at: datetime | None

    @property
    def number(self) -> str:
        """The number people use, such as SO-2026-00042: unique, rising, not without gaps."""
        return f"SO-{self.placed_at.year}-{self.id:05d}"

    def status_at(self, now: datetime, today: date) -> OrderStatus:
        """The status at an instant: the stored one, moved on by what dates alone decide.

        ``today`` is the day of ``now`` in the customer's time zone.
        """
        if self.status in OPEN and now >= self.expires_at:
            return OrderStatus.EXPIRED
        if self.status in {OrderStatus.CONFIRMED, OrderStatus.ACTIVE}:
            if today >= self.period.ends_before:
                return OrderStatus.ENDED
            if today >= self.period.starts_on:
                return OrderStatus.ACTIVE
        return self.status


def check_move(status: OrderStatus, wanted: OrderStatus, field: str = "orderId") -> None:
    """Refuse a move that does not exist.

    Raises:
        OrderMoveRefused: with both statuses.
    """
    if wanted not in MOVES[status]:
        raise OrderMoveRefused(field=field, status=status.value, wanted=wanted.value)


def available_payment_methods(*, is_corporate: bool, takes_cards: bool) -> list[PaymentMethod]:
    """The payment methods a customer can use: invoices are for corporate customers, cards where a provider is set."""
    cards = [PaymentMethod.CREDIT_CARD] if takes_cards else []
    invoice = [PaymentMethod.INVOICE] if is_corporate else []
    return [*invoice, *cards, PaymentMethod.BANK_TRANSFER]


def invoice_due_on(confirmed_on: date) -> date:
    """An invoice is due on the last day of the month after the one it was confirmed in."""
    return ends_before(confirmed_on.replace(day=1), 2) - timedelta(days=1)
