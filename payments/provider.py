"""Card payments: what is asked of any provider, and what it may answer.

The caller stores a payment before it calls ``start``, in no transaction, and the answer after it. Whatever breaks in
between is repaired by the same call with the same payment id. Events only say that something has changed: they come
late, twice and out of order, so a payment that is final stays as it is, and ``fetch`` tells where any other stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class PaymentState(StrEnum):
    """Where a payment stands at the provider."""

    REQUIRES_ACTION = "REQUIRES_ACTION"
    """The card's holder must do something in the browser: give a card, or prove that it is theirs."""
    PROCESSING = "PROCESSING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    """The card was declined. Whoever holds the client secret may try another one: cancel it to be sure."""
    CANCELLED = "CANCELLED"

    @property
    def is_final(self) -> bool:
        """Whether no event changes it any more; one that says otherwise is late."""
        return self in {PaymentState.SUCCEEDED, PaymentState.CANCELLED}


class RefundState(StrEnum):
    """Where a refund stands at the provider."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """A payment to be made. The amount is in the currency's minor unit; the currency as in ISO 4217.

    Whoever starts it again must ask for the same, description and card included: a provider takes anything else for
    another payment, and answers neither.
    """

    payment_id: str
    """Ours, and no other payment's or refund's ever, nor that of another installation on the same account: a UUID."""
    amount_minor: int
    currency: str
    description: str
    card: str | None = field(default=None, repr=False)
    """The provider's name for a card, never its number. Without one the browser gives it, with the client secret."""
    repeated: bool = False
    """It may have been started before: providers forget after a day what they were asked, so they are searched."""


@dataclass(frozen=True, slots=True)
class PaymentResult:
    """Where a payment stands."""

    reference: str
    """The provider's name for the payment."""
    state: PaymentState
    client_secret: str | None = field(default=None, repr=False)
    """With which the customer's browser, and nobody else, goes on with a payment that requires action."""
    failure: str | None = None
    """The provider's code, where the state is FAILED."""


@dataclass(frozen=True, slots=True)
class RefundResult:
    """Where a refund stands."""

    reference: str
    """The provider's name for the refund."""
    state: RefundState
    failure: str | None = None
    """The provider's code, where the state is FAILED."""


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """Something that happened at the provider; it is certain that the provider says so."""

    event_id: str
    """The same each time this event is sent."""
    payment_id: str | None
    """Ours; None for payments that we did not start."""
    reference: str
    state: PaymentState | None
    """None: nothing that matters here. Of such an event the reference may be empty, and the amount 0."""
    amount_minor: int
    """What was received if the payment succeeded, otherwise what was asked for."""
    currency: str
    occurred_at: datetime
    """In UTC."""


class ProviderUnavailableError(Exception):
    """No answer, or none that tells the outcome: the money may have moved. Call again with the same id."""


class ProviderRefusedError(Exception):
    """The provider refused: no money has moved by this call, and the same call would be refused again."""

    def __init__(self, code: str, *, decline_code: str | None = None, reference: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        """The provider's, such as ``card_declined``; it may be shown to the customer."""
        self.decline_code = decline_code
        """The bank's reason, for operators only: whoever uses a stolen card should not read that it is known."""
        self.reference = reference
        """Of the payment that the provider has made all the same."""


class SignatureInvalidError(Exception):
    """This is no event, or none that the provider has signed lately. The message does not say what it holds."""


class PaymentProvider(Protocol):
    """A provider of card payments. Every call may raise ProviderUnavailableError or ProviderRefusedError."""

    @property
    def name(self) -> str:
        """As in the settings, and stored with each payment: references mean nothing to another provider."""

    async def start(self, request: PaymentRequest) -> PaymentResult:
        """Make a payment, or tell where it stands if this payment id was started before."""

    async def fetch(self, reference: str) -> PaymentResult:
        """Where a payment stands now."""

    async def cancel(self, reference: str) -> PaymentResult:
        """Cancel a payment, and tell where it stands then: one that went through in the meantime stays SUCCEEDED."""

    async def refund(self, reference: str, refund_id: str, amount_minor: int) -> RefundResult:
        """Pay back a part or all, once for each refund id."""

    def parse(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        """An event as it came over HTTP, byte by byte.

        Raises:
            SignatureInvalidError: the provider has not signed this, or too long ago.
        """

    async def close(self) -> None:
        """Close connections. A provider belongs to one event loop."""
