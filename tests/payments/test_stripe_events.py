"""Stripe's events: whose they are, and what they say. Signatures are made here by the scheme that Stripe documents."""

import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from payments.provider import PaymentState, ProviderEvent, SignatureInvalidError
from payments.stripe import StripeProvider

SECRET = "whsec_secret"  # noqa: S105 # of the test
PAYMENT_ID = "0b6f0a52-7d0e-4c0e-9a55-0c3f1f0b7a10"


@pytest.fixture(scope="module")
def provider() -> StripeProvider:
    """Nothing is sent here, so one does for all."""
    return StripeProvider("sk_test_key", SECRET)


def event(kind: str = "payment_intent.succeeded", **changed: Any) -> dict[str, Any]:
    received = 5500 if kind == "payment_intent.succeeded" else 0
    return {
        "id": "evt_1",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": 1_790_000_000,
        "type": kind,
        "data": {
            "object": {
                "id": "pi_1",
                "object": "payment_intent",
                "amount": 5500,
                "amount_received": received,
                "currency": "jpy",
                "metadata": {"payment_id": PAYMENT_ID},
                **changed,
            }
        },
    }


def signature(body: bytes, *, secret: str = SECRET, age_seconds: int = 0) -> str:
    timestamp = int(time.time()) - age_seconds
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


def headers(body: bytes, **options: Any) -> dict[str, str]:
    return {"stripe-signature": signature(body, **options)}


def parsed(provider: StripeProvider, content: Any) -> ProviderEvent:
    body = json.dumps(content).encode()
    return provider.parse(body, headers(body))


def refused(provider: StripeProvider, body: bytes, sent: dict[str, str]) -> None:
    with pytest.raises(SignatureInvalidError) as invalid:
        provider.parse(body, sent)
    assert str(invalid.value) == "not an event that Stripe has signed lately"
    # The library's errors hold the body.
    assert (invalid.value.__cause__, invalid.value.__context__) == (None, None)


@pytest.mark.parametrize(
    ("kind", "state", "amount_minor"),
    [
        ("payment_intent.succeeded", PaymentState.SUCCEEDED, 5500),
        ("payment_intent.payment_failed", PaymentState.FAILED, 5500),
        ("payment_intent.canceled", PaymentState.CANCELLED, 5500),
        ("payment_intent.processing", PaymentState.PROCESSING, 5500),
        ("payment_intent.requires_action", PaymentState.REQUIRES_ACTION, 5500),
    ],
)
def test_what_happened_to_a_payment(
    provider: StripeProvider, kind: str, state: PaymentState, amount_minor: int
) -> None:
    assert parsed(provider, event(kind)) == ProviderEvent(
        event_id="evt_1",
        payment_id=PAYMENT_ID,
        reference="pi_1",
        state=state,
        amount_minor=amount_minor,
        currency="JPY",
        occurred_at=datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC),
    )


def test_the_amount_is_what_was_received(provider: StripeProvider) -> None:
    assert parsed(provider, event(amount_received=5000)).amount_minor == 5000


@pytest.mark.parametrize("metadata", [{}, None, {"order": "1"}])
def test_a_payment_that_is_not_ours_has_no_payment_id(provider: StripeProvider, metadata: Any) -> None:
    assert parsed(provider, event(metadata=metadata)).payment_id is None


@pytest.mark.parametrize(
    ("kind", "subject", "reference", "payment_id"),
    [
        ("payment_intent.created", event()["data"]["object"], "pi_1", PAYMENT_ID),
        ("charge.refunded", {"id": "ch_1", "amount": 5500, "metadata": {"payment_id": PAYMENT_ID}}, "ch_1", PAYMENT_ID),
        ("customer.created", {"id": "cus_1", "metadata": {}}, "cus_1", None),
        ("balance.available", {"object": "balance"}, "", None),
        ("something.new", {}, "", None),
    ],
)
def test_events_that_do_not_matter_have_no_state(
    provider: StripeProvider, kind: str, subject: dict[str, Any], reference: str, payment_id: str | None
) -> None:
    assert parsed(provider, {**event(kind), "data": {"object": subject}}) == ProviderEvent(
        event_id="evt_1",
        payment_id=payment_id,
        reference=reference,
        state=None,
        amount_minor=0,
        currency="",
        occurred_at=datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC),
    )


def test_an_event_that_is_sent_twice_is_the_same_event(provider: StripeProvider) -> None:
    body = json.dumps(event()).encode()
    first = provider.parse(body, headers(body, age_seconds=200))
    assert provider.parse(body, headers(body)) == first


def test_events_out_of_order_tell_when_they_happened_and_what_is_final(provider: StripeProvider) -> None:
    succeeded = parsed(provider, {**event(), "created": 1_790_000_060})
    processing = parsed(provider, {**event("payment_intent.processing"), "id": "evt_0"})
    assert succeeded.state is not None
    assert succeeded.state.is_final
    assert processing.state is not None
    assert not processing.state.is_final
    assert processing.occurred_at < succeeded.occurred_at
    assert processing.reference == succeeded.reference


# Signatures


def test_the_headers_name_may_be_written_in_any_way(provider: StripeProvider) -> None:
    body = json.dumps(event()).encode()
    assert provider.parse(body, {"Host": "x", "Stripe-SIGNATURE": signature(body)}).event_id == "evt_1"


def test_while_a_secret_is_replaced_there_are_two_signatures(provider: StripeProvider) -> None:
    body = json.dumps(event()).encode()
    other = signature(body, secret="whsec_new").partition(",")[2]  # noqa: S106 # of the test
    assert provider.parse(body, {"stripe-signature": f"{signature(body)},{other}"}).event_id == "evt_1"


def test_the_body_is_signed_byte_by_byte(provider: StripeProvider) -> None:
    body = json.dumps(event(description="注文"), ensure_ascii=False, indent=1).encode()
    assert provider.parse(body, headers(body)).event_id == "evt_1"
    refused(provider, json.dumps(json.loads(body)).encode(), headers(body))


def test_another_secret_is_refused(provider: StripeProvider) -> None:
    body = json.dumps(event()).encode()
    refused(provider, body, headers(body, secret="whsec_another"))  # noqa: S106 # of the test


def test_an_altered_body_is_refused(provider: StripeProvider) -> None:
    body = json.dumps(event()).encode()
    refused(provider, body.replace(b"5500", b"1"), headers(body))


def test_an_old_signature_is_refused(provider: StripeProvider) -> None:
    body = json.dumps(event()).encode()
    refused(provider, body, headers(body, age_seconds=302))


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"stripe-signature": ""},
        {"stripe-signature": "nonsense"},
        {"stripe-signature": "t=1790000000"},
        {"stripe-signature": "t=soon,v1=00"},
        {"stripe-signature": "t=1790000000,v1=00"},
        {"stripe-signature": "t=1790000000,v1=é"},
        {"stripe-signature": "t=1790000000,v1="},
        {"stripe-signature": "t=,v1=,=,"},
        {"stripe-signature": "t=" + "9" * 5000 + ",v1=00"},
    ],
)
def test_what_is_no_signature_is_refused(provider: StripeProvider, sent: dict[str, str]) -> None:
    refused(provider, json.dumps(event()).encode(), sent)


def test_a_signature_of_another_scheme_is_refused(provider: StripeProvider) -> None:
    body = json.dumps(event()).encode()
    refused(provider, body, {"stripe-signature": signature(body).replace("v1=", "v0=")})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"event"',
        b"\xff\xfe",
        b"{}",
        json.dumps({**event(), "created": "soon"}).encode(),
        json.dumps({**event(), "data": {"object": {"id": "pi_1"}}}).encode(),
        json.dumps({**event(), "data": None}).encode(),
        json.dumps({**event(), "object": "v2.core.event"}).encode(),
    ],
)
def test_what_is_no_event_is_refused_even_if_it_is_signed(provider: StripeProvider, body: bytes) -> None:
    refused(provider, body, headers(body))
