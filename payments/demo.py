"""A provider for demos and tests that needs no network: the name of the card decides what happens.

    demo_approve   paid at once
    demo_decline   declined
    demo_timeout   paid, but the first call is not answered
    demo_later     PROCESSING until an event
    demo_action    REQUIRES_ACTION until an event; so is a payment without a card

What was asked for is written in the payment's reference, so any process knows every payment. What has happened to it
since then is in a journal: a file if there is to be more than one process, or one that is started again.
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from payments.provider import (
    PaymentRequest,
    PaymentResult,
    PaymentState,
    ProviderEvent,
    ProviderRefusedError,
    ProviderUnavailableError,
    RefundResult,
    RefundState,
    SignatureInvalidError,
)

_STATES = {
    "demo_approve": PaymentState.SUCCEEDED,
    "demo_decline": PaymentState.FAILED,
    "demo_timeout": PaymentState.SUCCEEDED,
    "demo_later": PaymentState.PROCESSING,
    "demo_action": PaymentState.REQUIRES_ACTION,
}
"""Where a payment by each card stands until something happens to it."""

_REFERENCE = re.compile(r"(?P<card>demo_[a-z]+)-(?P<amount>[1-9][0-9]*)-(?P<currency>[A-Z]{3})-(?P<payment_id>.+)")


@dataclass(frozen=True, slots=True)
class SignedEvent:
    """An event as the provider would send it over HTTP."""

    body: bytes
    headers: dict[str, str]


class DemoProvider:
    """Payments that move no money."""

    name = "demo"

    def __init__(self, secret: str, journal: Path | None = None) -> None:
        self._webhook = Webhook(secret.encode())
        self._journal = _Journal(journal)

    async def start(self, request: PaymentRequest) -> PaymentResult:
        """What the card's name says."""
        card = "demo_action" if request.card is None else request.card
        if card not in _STATES:
            raise ProviderRefusedError("payment_method_invalid")
        if request.amount_minor < 1:
            raise ProviderRefusedError("amount_too_small")
        reference = f"{card}-{request.amount_minor}-{request.currency.upper()}-{request.payment_id}"
        earlier = self._journal.last("reference", started=request.payment_id)
        if earlier not in {None, reference}:
            # As at Stripe: whether the other request has moved money is not told by refusing this one.
            raise ProviderUnavailableError("demo: this payment id was used for another request")
        if earlier is None:
            self._journal.add(started=request.payment_id, reference=reference)
        if card == "demo_decline":
            raise ProviderRefusedError("card_declined", decline_code="generic_decline", reference=reference)
        if card == "demo_timeout" and earlier is None and not request.repeated:
            raise ProviderUnavailableError("demo: no answer in time")
        return await self.fetch(reference)

    async def fetch(self, reference: str) -> PaymentResult:
        """Where a payment stands now."""
        state = self._state(reference)
        failure = "card_declined" if state is PaymentState.FAILED else None
        return PaymentResult(reference, state, client_secret=f"{reference}-secret", failure=failure)

    async def cancel(self, reference: str) -> PaymentResult:
        """Cancel a payment that has not gone through."""
        self._move(reference, PaymentState.CANCELLED)
        return await self.fetch(reference)

    async def refund(self, reference: str, refund_id: str, amount_minor: int) -> RefundResult:
        """Pay back at once, no more than was paid."""
        if self._state(reference) is not PaymentState.SUCCEEDED:
            raise ProviderRefusedError("payment_not_succeeded")
        refunds = [fact for fact in self._journal.facts() if fact.get("refunded") == reference]
        if all(fact["refund_id"] != refund_id for fact in refunds):
            left = int(_payment(reference)["amount"]) - sum(fact["amount_minor"] for fact in refunds)
            if not 1 <= amount_minor <= left:
                raise ProviderRefusedError("amount_too_large" if amount_minor > left else "amount_too_small")
            self._journal.add(refunded=reference, refund_id=refund_id, amount_minor=amount_minor)
        return RefundResult(f"demo-refund-{refund_id}", RefundState.SUCCEEDED)

    def event(
        self,
        reference: str,
        state: PaymentState = PaymentState.SUCCEEDED,
        *,
        occurred_at: datetime | None = None,
        sent_at: datetime | None = None,
    ) -> SignedEvent:
        """Let something happen to a payment, and tell it. What comes after a final state is a late event: only told."""
        payment = _payment(reference)
        self._move(reference, state)
        now = datetime.now(UTC)
        event = {
            "id": f"evt-{state}-{reference}",
            "payment_id": payment["payment_id"],
            "reference": reference,
            "state": state,
            "amount_minor": int(payment["amount"]),
            "currency": payment["currency"],
            "occurred_at": (occurred_at or now).isoformat(),
        }
        return self.signed(event, sent_at or now)

    def signed(self, event: Mapping[str, Any], sent_at: datetime) -> SignedEvent:
        """Any event, signed by the Standard Webhooks specification."""
        body = json.dumps(event)
        # The library takes the time of day for UTC, whatever the time zone says.
        sent_at = sent_at.astimezone(UTC)
        return SignedEvent(
            body.encode(),
            {
                "webhook-id": event["id"],
                "webhook-timestamp": str(int(sent_at.timestamp())),
                "webhook-signature": self._webhook.sign(event["id"], sent_at, body),
            },
        )

    def parse(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        """An event of this provider.

        Raises:
            SignatureInvalidError: it was not signed with the secret, or not within five minutes.
        """
        # ValueError: bytes that are no text, no JSON, no base64.
        with suppress(WebhookVerificationError, ValueError, TypeError, KeyError):
            event = self._webhook.verify(body, dict(headers))
            return ProviderEvent(
                event_id=event["id"],
                payment_id=event["payment_id"],
                reference=event["reference"],
                state=PaymentState.__members__.get(event["state"]),
                amount_minor=event["amount_minor"],
                currency=event["currency"],
                occurred_at=datetime.fromisoformat(event["occurred_at"]).astimezone(UTC),
            )
        # Not chained to the cause, which may hold the body.
        raise SignatureInvalidError("not an event that the demo has signed lately")

    async def close(self) -> None:
        """Nothing is open."""

    def _state(self, reference: str) -> PaymentState:
        return PaymentState(self._journal.last("state", moved=reference) or _STATES[_payment(reference)["card"]])

    def _move(self, reference: str, state: PaymentState) -> None:
        if not self._state(reference).is_final:
            self._journal.add(moved=reference, state=state)


def _payment(reference: str) -> dict[str, str]:
    match = _REFERENCE.fullmatch(reference)
    if match is None or match["card"] not in _STATES:
        raise ProviderRefusedError("resource_missing")
    return match.groupdict()


class _Journal:
    """Facts, each an object on a line of its own: processes share the file by appending to it."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._memory: list[dict[str, Any]] = []

    def add(self, **fact: str | int) -> None:
        if self._path is None:
            self._memory.append(fact)
        else:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(fact) + "\n")

    def facts(self) -> list[dict[str, Any]]:
        if self._path is None:
            return self._memory
        if not self._path.exists():
            return []
        return [json.loads(line) for line in self._path.read_text(encoding="utf-8").splitlines()]

    def last(self, name: str, **about: str) -> Any:
        """The value of the last fact about something; None if there is none."""
        return next((fact[name] for fact in reversed(self.facts()) if about.items() <= fact.items()), None)
