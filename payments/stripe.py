"""Stripe, by its own library: payment intents for cards, refunds, signed events.

Card numbers never come here: the browser gives them to Stripe and passes on the id of a payment method, or gets a
client secret with which it finishes the payment. Amounts are sent as they are: Stripe counts JPY, which has no smaller
unit, and the currencies with hundredths in the same minor units as we do.

Stripe keeps the first answer to an idempotency key, failures included, for a day and repeats it word for word. So an
answer that is marked as repeated is read anew, and payments and refunds of earlier days are looked for by our ids.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx
import stripe
from stripe.params import PaymentIntentCreateParams

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

API_VERSION = "2026-10-28.endive"
"""What the library's types describe; to be raised together with it, and in the settings of the webhook at Stripe."""
API_BASE = "https://api.stripe.com"
EVENT_AGE_SECONDS_MAX = 300

_CARD = re.compile(r"pm_[A-Za-z0-9_]+")

_STATES = {
    "requires_payment_method": PaymentState.REQUIRES_ACTION,  # or FAILED: see _result
    "requires_confirmation": PaymentState.REQUIRES_ACTION,
    "requires_action": PaymentState.REQUIRES_ACTION,
    "processing": PaymentState.PROCESSING,
    "requires_capture": PaymentState.PROCESSING,
    "succeeded": PaymentState.SUCCEEDED,
    "canceled": PaymentState.CANCELLED,
}

_EVENT_STATES = {
    "payment_intent.requires_action": PaymentState.REQUIRES_ACTION,
    "payment_intent.processing": PaymentState.PROCESSING,
    "payment_intent.succeeded": PaymentState.SUCCEEDED,
    "payment_intent.payment_failed": PaymentState.FAILED,
    "payment_intent.canceled": PaymentState.CANCELLED,
}

_REFUND_STATES = {
    "pending": RefundState.PENDING,
    "requires_action": RefundState.PENDING,
    "succeeded": RefundState.SUCCEEDED,
    "failed": RefundState.FAILED,
    "canceled": RefundState.FAILED,
}

_T = TypeVar("_T")


class _HttpClient(stripe.HTTPClient):
    """Over httpx. The library's own passes bodies in a way that httpx deprecates, and takes any bug for the network."""

    name = "httpx"

    def __init__(self, timeout_seconds: float) -> None:
        super().__init__()
        self._httpx = httpx.AsyncClient(timeout=timeout_seconds)

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | None = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        try:
            answer = await self._httpx.request(method, url, headers=headers, content=post_data)
        except httpx.HTTPError as error:
            name = type(error).__name__
            raise stripe.APIConnectionError(name, should_retry=True) from error  # type: ignore[no-untyped-call]
        return answer.content, answer.status_code, answer.headers

    async def sleep_async(self, secs: float) -> None:
        await asyncio.sleep(secs)

    async def close_async(self) -> None:
        await self._httpx.aclose()


class StripeProvider:
    """Payments at Stripe."""

    name = "stripe"

    def __init__(
        self,
        api_key: str,
        webhook_secret: str,
        *,
        base: str = API_BASE,
        timeout_seconds: float = 20,
        retries: int = 2,
    ) -> None:
        # Its telemetry would write a file into the home directory, and send an id of this machine.
        stripe.enable_telemetry = False
        # On DEBUG the library logs whole requests and answers, client secrets included.
        logging.getLogger("stripe").setLevel(logging.INFO)
        self._http = _HttpClient(timeout_seconds)
        self._client = stripe.StripeClient(
            api_key,
            stripe_version=API_VERSION,
            base_addresses={"api": base},
            max_network_retries=retries,
            http_client=self._http,
        )
        self._webhook_secret = webhook_secret

    async def start(self, request: PaymentRequest) -> PaymentResult:
        """Make a payment intent, with the card if there is one; the payment id is Stripe's idempotency key."""
        if request.card is not None and not _CARD.fullmatch(request.card):
            # A card's number would end here, neither sent nor logged.
            raise ProviderRefusedError("payment_method_invalid")
        if request.repeated and (earlier := await self._search(request.payment_id)):
            # What a search finds may be some minutes old.
            return await self.fetch(earlier)
        intent = await _answered(
            self._client.v1.payment_intents.create_async(_parameters(request), {"idempotency_key": request.payment_id})
        )
        if _is_replayed(intent):
            # An answer of an earlier call, word for word: much may have happened since.
            return await self.fetch(intent.id)
        return _result(intent)

    async def fetch(self, reference: str) -> PaymentResult:
        """Where a payment stands now."""
        return _result(await _answered(self._client.v1.payment_intents.retrieve_async(reference)))

    async def cancel(self, reference: str) -> PaymentResult:
        """Cancel a payment, and tell where it stands then."""
        try:
            return _result(await _answered(self._client.v1.payment_intents.cancel_async(reference)))
        except ProviderRefusedError as refused:
            if refused.code != "payment_intent_unexpected_state":
                raise
        return await self.fetch(reference)

    async def refund(self, reference: str, refund_id: str, amount_minor: int) -> RefundResult:
        """Pay back, once for each refund id: Stripe forgets keys after a day, so its refunds are read first."""
        service = self._client.v1.refunds
        made = await _answered(service.list_async({"payment_intent": reference, "limit": 100}))
        for refund in made.data:
            if _holds(refund.metadata, "refund_id", refund_id):
                return _refunded(refund)
        return _refunded(
            await _answered(
                service.create_async(
                    {"payment_intent": reference, "amount": amount_minor, "metadata": {"refund_id": refund_id}},
                    {"idempotency_key": refund_id},
                )
            )
        )

    def parse(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        """An event of Stripe; only those of payment intents have a state.

        Raises:
            SignatureInvalidError: Stripe has not signed this, or too long ago.
        """
        signature = next((value for name, value in headers.items() if name.lower() == "stripe-signature"), None)
        # The library does not expect bytes that are no text, and signatures that are no ASCII.
        with suppress(stripe.SignatureVerificationError, ValueError, TypeError, AttributeError, KeyError):
            event = self._client.construct_event(body, signature, self._webhook_secret, EVENT_AGE_SECONDS_MAX)
            return _event(event.to_dict())
        # Not chained to the library's error, which holds the body.
        raise SignatureInvalidError("not an event that Stripe has signed lately")

    async def close(self) -> None:
        """Close connections."""
        await self._http.close_async()

    async def _search(self, payment_id: str) -> str | None:
        """The reference of the payment intent with this payment id."""
        escaped = payment_id.replace("\\", "\\\\").replace("'", "\\'")
        found = await _answered(
            self._client.v1.payment_intents.search_async({"query": f"metadata['payment_id']:'{escaped}'"})
        )
        # Stripe's search does not tell capitals from small letters.
        return next((intent.id for intent in found.data if _holds(intent.metadata, "payment_id", payment_id)), None)


def _parameters(request: PaymentRequest) -> PaymentIntentCreateParams:
    parameters: PaymentIntentCreateParams = {
        "amount": request.amount_minor,
        "currency": request.currency.lower(),
        "description": request.description,
        "metadata": {"payment_id": request.payment_id},
        # Without it Stripe offers whatever its dashboard says, such as methods that need an address to come back to.
        "allowed_payment_method_types": ["card"],
    }
    if request.card is not None:
        # With use_stripe_sdk the browser's Stripe.js goes on by the client secret, should the bank ask for a proof.
        parameters |= {"confirm": True, "payment_method": request.card, "use_stripe_sdk": True}
    return parameters


def _holds(metadata: stripe.StripeObject | None, key: str, value: str) -> bool:
    return metadata is not None and key in metadata and metadata[key] == value


async def _answered(call: Awaitable[_T]) -> _T:
    """The answer to a call, or one of our errors, without the library's: that one holds what was answered."""
    error: Exception
    try:
        return await call
    except (stripe.CardError, stripe.InvalidRequestError) as refused:
        error = _refused(refused)
    except stripe.StripeError as failed:
        # Also wrong keys, too many requests, and an idempotency key with another request: all that says nothing
        # about the money of an earlier call, and goes on to be tried again.
        error = ProviderUnavailableError(
            f"Stripe: {type(failed).__name__}, status {failed.http_status}, request {failed.request_id}"
        )
    raise error


def _refused(error: stripe.CardError | stripe.InvalidRequestError) -> ProviderRefusedError:
    details = error.error
    intent = details.payment_intent if details else None
    return ProviderRefusedError(
        error.code or "invalid_request",
        decline_code=details.decline_code if details else None,
        reference=intent.id if intent else None,
    )


def _is_replayed(intent: stripe.PaymentIntent) -> bool:
    response = intent.last_response
    return response is not None and response.headers.get("idempotent-replayed") == "true"


def _result(intent: stripe.PaymentIntent) -> PaymentResult:
    error = intent.last_payment_error
    # Declined and waiting for another card, or waiting for the first one.
    failed = intent.status == "requires_payment_method" and error is not None
    return PaymentResult(
        intent.id,
        # A status that is not known yet is none that ends a payment.
        PaymentState.FAILED if failed else _STATES.get(intent.status, PaymentState.PROCESSING),
        intent.client_secret,
        error.code if failed and error else None,
    )


def _refunded(refund: stripe.Refund) -> RefundResult:
    state = _REFUND_STATES.get(refund.status or "pending", RefundState.PENDING)
    return RefundResult(refund.id, state, refund.failure_reason if state is RefundState.FAILED else None)


def _event(event: dict[str, Any]) -> ProviderEvent:
    state = _EVENT_STATES.get(event["type"])
    subject = event["data"]["object"]
    amount = subject["amount_received" if state is PaymentState.SUCCEEDED else "amount"] if state else 0
    return ProviderEvent(
        event_id=event["id"],
        payment_id=(subject.get("metadata") or {}).get("payment_id"),
        reference=subject["id"] if state else subject.get("id", ""),
        state=state,
        amount_minor=amount,
        currency=subject["currency"].upper() if state else "",
        occurred_at=datetime.fromtimestamp(event["created"], UTC),
    )
