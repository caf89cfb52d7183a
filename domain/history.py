"""What happened: the kinds of events of a customer, who caused them, and what they changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

Change = tuple[str | None, str | None]
"""A value before and after; None where there was none, or is none any more."""


class EventKind(StrEnum):
    """What happened."""

    ACCOUNT_REGISTERED = "ACCOUNT_REGISTERED"
    ACCOUNT_SUSPENDED = "ACCOUNT_SUSPENDED"
    ACCOUNT_REACTIVATED = "ACCOUNT_REACTIVATED"
    ACCOUNT_DEACTIVATED = "ACCOUNT_DEACTIVATED"
    ACCOUNT_DELETED = "ACCOUNT_DELETED"
    ACCOUNT_CHANGED = "ACCOUNT_CHANGED"
    CAPACITY_FELL = "CAPACITY_FELL"
    SPOT_ORDER_PLACED = "SPOT_ORDER_PLACED"
    SPOT_ORDER_CONFIRMED = "SPOT_ORDER_CONFIRMED"
    SPOT_ORDER_CANCELLED = "SPOT_ORDER_CANCELLED"
    SPOT_ORDER_EXPIRED = "SPOT_ORDER_EXPIRED"
    SPOT_STARTED = "SPOT_STARTED"
    SPOT_ENDED = "SPOT_ENDED"
    CONTRACT_ORDER_PLACED = "CONTRACT_ORDER_PLACED"
    CONTRACT_ORDER_CONFIRMED = "CONTRACT_ORDER_CONFIRMED"
    CONTRACT_ORDER_CANCELLED = "CONTRACT_ORDER_CANCELLED"
    CONTRACT_ORDER_EXPIRED = "CONTRACT_ORDER_EXPIRED"
    INVOICE_ISSUED = "INVOICE_ISSUED"
    CREDIT_NOTE_ISSUED = "CREDIT_NOTE_ISSUED"
    PAYMENT_RECEIVED = "PAYMENT_RECEIVED"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    PAYMENT_REFUNDED = "PAYMENT_REFUNDED"
    QUOTE_ISSUED = "QUOTE_ISSUED"
    QUOTE_ACCEPTED = "QUOTE_ACCEPTED"
    PLAN_UPGRADED = "PLAN_UPGRADED"
    RENEWAL_CANCELLED = "RENEWAL_CANCELLED"
    TERM_ADDED = "TERM_ADDED"
    ADDITIONAL_LICENCE_ADDED = "ADDITIONAL_LICENCE_ADDED"
    POLICY_CHANGED = "POLICY_CHANGED"


class ActorKind(StrEnum):
    """Who caused an event: a caller of a role, or time itself."""

    OWNER = "OWNER"
    SALES = "SALES"
    OPERATOR = "OPERATOR"
    SYSTEM = "SYSTEM"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who caused an event: the role, and the number of the token they signed in with."""

    kind: ActorKind
    token_id: int | None = None


SYSTEM = Actor(ActorKind.SYSTEM)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """Something that happened to a customer, and what or whom it happened to.

    ``occurred_at`` is when it took effect, which is before it was recorded where a job was late.
    ``counted_after`` is how many accounts counted against capacity from then on; None where that did not change.
    """

    kind: EventKind
    occurred_at: datetime
    changes: Mapping[str, Change]
    account_id: int | None = None
    spot_order_id: int | None = None
    capacity_fall_id: int | None = None
    counted_after: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it is stored."""

    id: int
    customer_id: int
    actor: Actor
    recorded_at: datetime
    what: NewEvent
