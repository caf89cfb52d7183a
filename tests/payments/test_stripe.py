"""Payments at Stripe: what its library really sends, and what is made of the answers, good and bad."""

import asyncio
import json
import logging
import traceback
from pathlib import Path

import pytest
import stripe

from payments.provider import (
    PaymentRequest,
    PaymentResult,
    PaymentState,
    ProviderRefusedError,
    ProviderUnavailableError,
    RefundResult,
    RefundState,
)
from payments.stripe import API_VERSION, StripeProvider
from tests.payments.stripe_server import DROP_AFTER, DROP_BEFORE, SILENT, Fault, StripeServer

pytestmark = pytest.mark.anyio

PAYMENT_ID = "0b6f0a52-7d0e-4c0e-9a55-0c3f1f0b7a10"
PAID = PaymentResult("pi_1", PaymentState.SUCCEEDED, "pi_1_secret_abc")
CREATE = "POST /v1/payment_intents"
READ = "GET /v1/payment_intents/pi_1"
SEARCH = "GET /v1/payment_intents/search"


def request(card: str | None = "pm_card_visa", *, amount_minor: int = 5500, repeated: bool = False) -> PaymentRequest:
    return PaymentRequest(PAYMENT_ID, amount_minor, "JPY", "注文 SO-2026-00042", card, repeated)


def error(code: str | None = None, kind: str = "api_error") -> bytes:
    return json.dumps({"error": {"type": kind, "code": code, "message": "Something went wrong."}}).encode()


async def test_a_card_is_charged_in_one_request(server: StripeServer, provider: StripeProvider) -> None:
    assert await provider.start(request()) == PAID
    (sent,) = server.received
    assert (sent.method, sent.path) == ("POST", "/v1/payment_intents")
    assert sent.body == (
        "amount=5500&currency=jpy&description=%E6%B3%A8%E6%96%87+SO-2026-00042"
        f"&metadata[payment_id]={PAYMENT_ID}&allowed_payment_method_types[0]=card"
        "&confirm=true&payment_method=pm_card_visa&use_stripe_sdk=true"
    )
    assert sent.key == PAYMENT_ID
    assert sent.headers["authorization"] == "Bearer sk_test_key"
    assert sent.headers["stripe-version"] == API_VERSION
    assert sent.headers["content-type"] == "application/x-www-form-urlencoded"


def test_the_api_version_is_the_one_that_the_library_describes() -> None:
    assert stripe.api_version == API_VERSION


async def test_without_a_card_the_browser_finishes_the_payment(server: StripeServer, provider: StripeProvider) -> None:
    result = await provider.start(request(card=None))
    assert result == PaymentResult("pi_1", PaymentState.REQUIRES_ACTION, "pi_1_secret_abc")
    assert server.received[0].form.keys() == {
        "amount",
        "currency",
        "description",
        "metadata[payment_id]",
        "allowed_payment_method_types[0]",
    }


@pytest.mark.parametrize(
    ("card", "state"),
    [("pm_card_authenticationRequired", PaymentState.REQUIRES_ACTION), ("pm_slow", PaymentState.PROCESSING)],
)
async def test_a_payment_may_take_longer(provider: StripeProvider, card: str, state: PaymentState) -> None:
    assert await provider.start(request(card)) == PaymentResult("pi_1", state, "pi_1_secret_abc")


async def test_a_declined_card_is_refused_with_stripes_code(provider: StripeProvider) -> None:
    for _ in range(2):  # repeated word for word
        with pytest.raises(ProviderRefusedError) as refused:
            await provider.start(request("pm_card_visa_chargeDeclined"))
        assert refused.value.code == "card_declined"
        assert refused.value.decline_code == "stolen_card"
        assert refused.value.reference == "pi_1"
        assert str(refused.value) == "card_declined"
    failed = PaymentResult("pi_1", PaymentState.FAILED, "pi_1_secret_abc", "card_declined")
    assert await provider.fetch("pi_1") == failed


async def test_an_invalid_amount_is_refused(server: StripeServer, provider: StripeProvider) -> None:
    with pytest.raises(ProviderRefusedError) as refused:
        await provider.start(request(amount_minor=49))
    assert (refused.value.code, refused.value.decline_code, refused.value.reference) == ("amount_too_small", None, None)
    assert server.calls == [CREATE]


@pytest.mark.parametrize(
    "card", ["4242424242424242", "4242 4242 4242 4242", "tok_visa", "", "pm_", "pm_x/../y", "pm_1\n"]
)
async def test_a_cards_number_is_neither_sent_nor_told(
    server: StripeServer, provider: StripeProvider, card: str
) -> None:
    with pytest.raises(ProviderRefusedError) as refused:
        await provider.start(request(card))
    assert str(refused.value) == "payment_method_invalid"
    assert server.received == []


@pytest.mark.parametrize(
    ("status", "declined", "state"),
    [
        ("requires_payment_method", False, PaymentState.REQUIRES_ACTION),
        ("requires_payment_method", True, PaymentState.FAILED),
        ("requires_confirmation", False, PaymentState.REQUIRES_ACTION),
        ("requires_action", True, PaymentState.REQUIRES_ACTION),  # another card, after a decline
        ("processing", False, PaymentState.PROCESSING),
        ("requires_capture", False, PaymentState.PROCESSING),
        ("succeeded", True, PaymentState.SUCCEEDED),
        ("canceled", False, PaymentState.CANCELLED),
        ("something_new", False, PaymentState.PROCESSING),
    ],
)
async def test_what_each_status_means(
    server: StripeServer, provider: StripeProvider, status: str, declined: bool, state: PaymentState
) -> None:
    await provider.start(request())
    last_error = {"type": "card_error", "code": "expired_card"} if declined else None
    server.intents["pi_1"] |= {"status": status, "last_payment_error": last_error}
    failure = "expired_card" if state is PaymentState.FAILED else None
    assert await provider.fetch("pi_1") == PaymentResult("pi_1", state, "pi_1_secret_abc", failure)


# Answers that do not come


@pytest.mark.parametrize(
    "fault", [DROP_BEFORE, DROP_AFTER, Fault(503, b"<html>"), Fault(500, error()), Fault(409, error())]
)
async def test_a_request_that_failed_is_sent_again_with_the_same_key(
    server: StripeServer, provider: StripeProvider, fault: str | Fault
) -> None:
    server.faults.append(fault)
    assert await provider.start(request()) == PAID
    assert server.calls[:2] == [CREATE, CREATE]
    assert [sent.key for sent in server.received[:2]] == [PAYMENT_ID, PAYMENT_ID]
    assert server.received[0].body == server.received[1].body
    assert list(server.intents) == ["pi_1"]


async def test_an_answer_that_does_not_come_in_time_is_asked_for_again(
    server: StripeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0)
    provider = StripeProvider("sk_test_key", "whsec_secret", base=server.address, timeout_seconds=1)
    server.faults.append(SILENT)
    assert await provider.start(request()) == PAID
    assert server.calls == [CREATE, CREATE, READ]
    assert list(server.intents) == ["pi_1"]
    await provider.close()


@pytest.mark.parametrize("fault", [DROP_BEFORE, DROP_AFTER, Fault(500, error()), Fault(502, b"<html>")])
async def test_without_an_answer_the_outcome_is_unknown_until_the_same_call_tells_it(
    server: StripeServer, provider: StripeProvider, fault: str | Fault
) -> None:
    server.faults.extend([fault] * 3)
    with pytest.raises(ProviderUnavailableError):
        await provider.start(request())
    assert server.calls == [CREATE] * 3
    assert await provider.start(request()) == PAID
    assert list(server.intents) == ["pi_1"]


async def test_silence_is_unavailable(server: StripeServer, provider: StripeProvider) -> None:
    server.faults.append(SILENT)
    hasty = StripeProvider("sk_test_key", "whsec_secret", base=server.address, timeout_seconds=1, retries=0)
    with pytest.raises(ProviderUnavailableError) as unavailable:
        await hasty.start(request())
    assert str(unavailable.value) == "Stripe: APIConnectionError, status None, request None"
    # What httpx raises knows the request, and with it the key.
    assert (unavailable.value.__cause__, unavailable.value.__context__) == (None, None)
    await hasty.close()
    assert await provider.start(request()) == PAID
    assert list(server.intents) == ["pi_1"]


async def test_no_connection_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0)
    closed = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = closed.sockets[0].getsockname()[1]
    closed.close()
    await closed.wait_closed()
    provider = StripeProvider("sk_test_key", "whsec_secret", base=f"http://127.0.0.1:{port}")
    with pytest.raises(ProviderUnavailableError, match=r"^Stripe: APIConnectionError, status None, request None$"):
        await provider.start(request())
    await provider.close()


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault(401, error(kind="invalid_request_error")), "AuthenticationError, status 401"),
        (Fault(403, error(kind="invalid_request_error")), "PermissionError, status 403"),
        (Fault(429, error("rate_limit", "invalid_request_error")), "RateLimitError, status 429"),
        (Fault(400, error(kind="idempotency_error")), "IdempotencyError, status 400"),
        (Fault(200, b"<html>"), "APIError, status 200"),
    ],
)
async def test_what_says_nothing_about_the_money_is_to_be_tried_again(
    server: StripeServer, provider: StripeProvider, fault: Fault, told: str
) -> None:
    server.faults.append(fault)
    with pytest.raises(ProviderUnavailableError) as unavailable:
        await provider.start(request())
    assert str(unavailable.value).startswith(f"Stripe: {told}, request ")
    assert server.calls == [CREATE]
    assert await provider.start(request()) == PAID


async def test_a_payment_id_with_another_request_tells_nothing_about_the_first(
    server: StripeServer, provider: StripeProvider
) -> None:
    await provider.start(request())
    with pytest.raises(ProviderUnavailableError, match="IdempotencyError"):
        await provider.start(request(amount_minor=6600))
    assert list(server.intents) == ["pi_1"]


# The same call again


async def test_started_again_it_is_the_same_payment_as_it_stands_now(
    server: StripeServer, provider: StripeProvider
) -> None:
    first = await provider.start(request("pm_card_authenticationRequired"))
    assert first.state is PaymentState.REQUIRES_ACTION
    server.intents["pi_1"]["status"] = "succeeded"
    assert await provider.start(request("pm_card_authenticationRequired")) == PAID
    assert server.calls == [CREATE, CREATE, READ]
    assert list(server.intents) == ["pi_1"]


async def test_many_calls_at_once_are_one_payment(server: StripeServer, provider: StripeProvider) -> None:
    assert await asyncio.gather(*(provider.start(request()) for _ in range(8))) == [PAID] * 8
    assert list(server.intents) == ["pi_1"]


async def test_a_payment_of_an_earlier_day_is_found_and_not_made_again(
    server: StripeServer, provider: StripeProvider
) -> None:
    await provider.start(request())
    server.keys.clear()  # as Stripe does after a day
    server.received.clear()
    assert await provider.start(request(repeated=True)) == PAID
    assert server.calls == [SEARCH, READ]
    assert server.received[0].query == {"query": f"metadata['payment_id']:'{PAYMENT_ID}'"}
    assert list(server.intents) == ["pi_1"]


async def test_a_search_that_is_late_is_made_up_for_by_the_key(server: StripeServer, provider: StripeProvider) -> None:
    await provider.start(request())
    server.search_is_late = True
    server.received.clear()
    assert await provider.start(request(repeated=True)) == PAID
    assert server.calls == [SEARCH, CREATE, READ]
    assert list(server.intents) == ["pi_1"]


async def test_a_failure_that_stripe_repeats_is_got_over_by_a_search(
    server: StripeServer, provider: StripeProvider
) -> None:
    server.faults.append(Fault(500, error(), stored=True))
    for _ in range(2):
        with pytest.raises(ProviderUnavailableError, match="APIError, status 500"):
            await provider.start(request())
    assert server.calls == [CREATE, CREATE]  # Stripe says that trying again at once is of no use
    assert await provider.start(request(repeated=True)) == PAID
    assert list(server.intents) == ["pi_1"]


async def test_somebody_elses_payment_is_not_taken_for_ours(server: StripeServer, provider: StripeProvider) -> None:
    capitals = PaymentRequest(PAYMENT_ID.upper(), 9900, "JPY", "", "pm_card_visa")
    assert (await provider.start(capitals)).reference == "pi_1"
    assert (await provider.start(request(repeated=True))).reference == "pi_2"


async def test_a_quote_in_a_payment_id_stays_inside_the_search(server: StripeServer, provider: StripeProvider) -> None:
    await provider.start(PaymentRequest("it's", 5500, "JPY", "", "pm_card_visa"))
    assert await provider.start(PaymentRequest("it's", 5500, "JPY", "", "pm_card_visa", repeated=True)) == PAID
    assert server.received[1].query == {"query": r"metadata['payment_id']:'it\'s'"}


# Cancelling and paying back


async def test_cancelling(server: StripeServer, provider: StripeProvider) -> None:
    await provider.start(request("pm_card_authenticationRequired"))
    cancelled = PaymentResult("pi_1", PaymentState.CANCELLED, "pi_1_secret_abc")
    assert await provider.cancel("pi_1") == cancelled
    assert await provider.cancel("pi_1") == cancelled
    assert server.calls[1:] == ["POST /v1/payment_intents/pi_1/cancel"] * 2 + [READ]


async def test_cancelling_too_late_tells_that_it_is_paid(provider: StripeProvider) -> None:
    await provider.start(request())
    assert await provider.cancel("pi_1") == PAID


@pytest.mark.parametrize("call", ["fetch", "cancel"])
async def test_an_unknown_reference_is_refused(server: StripeServer, provider: StripeProvider, call: str) -> None:
    with pytest.raises(ProviderRefusedError, match=r"^resource_missing$"):
        await getattr(provider, call)("pi_unknown")
    assert len(server.received) == 1


async def test_a_refund_is_made_once(server: StripeServer, provider: StripeProvider) -> None:
    await provider.start(request())
    server.received.clear()
    paid_back = RefundResult("re_1", RefundState.SUCCEEDED)
    assert await provider.refund("pi_1", "refund-1", 1100) == paid_back
    assert server.calls == ["GET /v1/refunds", "POST /v1/refunds"]
    assert server.received[0].query == {"payment_intent": "pi_1", "limit": "100"}
    assert server.received[1].body == "payment_intent=pi_1&amount=1100&metadata[refund_id]=refund-1"
    assert server.received[1].key == "refund-1"
    server.keys.clear()
    assert await provider.refund("pi_1", "refund-1", 1100) == paid_back
    assert await provider.refund("pi_1", "refund-2", 1100) == RefundResult("re_2", RefundState.SUCCEEDED)
    assert [refund["amount"] for refund in server.refunds.values()] == [1100, 1100]


async def test_a_refund_whose_answer_was_lost_is_made_once(server: StripeServer, provider: StripeProvider) -> None:
    await provider.start(request())
    server.faults.extend([DROP_BEFORE, None, DROP_AFTER])
    assert await provider.refund("pi_1", "refund-1", 5500) == RefundResult("re_1", RefundState.SUCCEEDED)
    assert server.calls[1:] == ["GET /v1/refunds"] * 2 + ["POST /v1/refunds"] * 2
    assert [sent.key for sent in server.received[3:]] == ["refund-1", "refund-1"]
    assert list(server.refunds) == ["re_1"]


async def test_more_than_was_paid_is_not_paid_back(server: StripeServer, provider: StripeProvider) -> None:
    await provider.start(request())
    with pytest.raises(ProviderRefusedError, match=r"^charge_already_refunded$"):
        await provider.refund("pi_1", "refund-1", 5501)
    assert server.refunds == {}


@pytest.mark.parametrize(
    ("status", "result"),
    [
        ("pending", RefundResult("re_1", RefundState.PENDING)),
        ("requires_action", RefundResult("re_1", RefundState.PENDING)),
        (None, RefundResult("re_1", RefundState.PENDING)),
        ("something_new", RefundResult("re_1", RefundState.PENDING)),
        ("failed", RefundResult("re_1", RefundState.FAILED, "expired_or_canceled_card")),
        ("canceled", RefundResult("re_1", RefundState.FAILED, "expired_or_canceled_card")),
    ],
)
async def test_what_each_status_of_a_refund_means(
    server: StripeServer, provider: StripeProvider, status: str | None, result: RefundResult
) -> None:
    await provider.start(request())
    await provider.refund("pi_1", "refund-1", 1100)
    server.refunds["re_1"] |= {"status": status, "failure_reason": "expired_or_canceled_card"}
    # One that was made by hand in Stripe's dashboard has none of our ids.
    server.refunds = {"re_0": server.refunds["re_1"] | {"id": "re_0", "metadata": {}}, **server.refunds}
    assert await provider.refund("pi_1", "refund-1", 1100) == result


# What must not be told


async def test_neither_logs_nor_errors_nor_representations_tell_secrets(
    provider: StripeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    result = await provider.start(request(card=None))
    declined = PaymentRequest("another", 5500, "JPY", "", "pm_card_visa_chargeDeclined")
    with pytest.raises(ProviderRefusedError) as refused:
        await provider.start(declined)
    texts = [
        caplog.text,
        repr(result),
        repr(request("pm_card_visa")),
        repr(provider),
        repr(refused.value),
        "".join(traceback.format_exception(refused.value)),
    ]
    for text in texts:
        assert "_secret_" not in text
        assert "sk_test" not in text
        assert "whsec" not in text
        assert "pm_card" not in text
    assert (refused.value.__cause__, refused.value.__context__) == (None, None)
    assert "Request to Stripe api" in caplog.text


async def test_no_telemetry_is_sent_or_written(
    server: StripeServer, provider: StripeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    await provider.start(request())
    await provider.fetch("pi_1")
    assert not (tmp_path / "home").exists()
    for sent in server.received:
        assert "x-stripe-client-telemetry" not in sent.headers
        assert not {"telemetry_id", "platform"} & json.loads(sent.headers["x-stripe-client-user-agent"]).keys()
