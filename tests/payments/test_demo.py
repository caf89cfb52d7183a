"""The demo provider: what each card does, and that it forgets nothing."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from payments.demo import DemoProvider, SignedEvent
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

pytestmark = pytest.mark.anyio

OCCURRED_AT = datetime(2026, 4, 1, 9, 30, tzinfo=UTC)


def request(
    card: str | None, *, payment_id: str = "payment-1", amount_minor: int = 5500, repeated: bool = False
) -> PaymentRequest:
    return PaymentRequest(payment_id, amount_minor, "JPY", "SO-2026-00042", card, repeated)


def result(card: str, state: PaymentState, failure: str | None = None) -> PaymentResult:
    reference = f"{card}-5500-JPY-payment-1"
    return PaymentResult(reference, state, f"{reference}-secret", failure)


@pytest.fixture(params=["memory", "file"])
def demo(request: pytest.FixtureRequest, tmp_path: Path) -> DemoProvider:
    return DemoProvider("demo secret", tmp_path / "journal" if request.param == "file" else None)


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("demo_approve", result("demo_approve", PaymentState.SUCCEEDED)),
        ("demo_later", result("demo_later", PaymentState.PROCESSING)),
        ("demo_action", result("demo_action", PaymentState.REQUIRES_ACTION)),
        (None, result("demo_action", PaymentState.REQUIRES_ACTION)),
    ],
)
async def test_what_a_card_does(demo: DemoProvider, card: str | None, expected: PaymentResult) -> None:
    assert await demo.start(request(card)) == expected
    assert await demo.start(request(card)) == expected
    assert await demo.fetch(expected.reference) == expected


async def test_a_declined_card(demo: DemoProvider) -> None:
    for _ in range(2):
        with pytest.raises(ProviderRefusedError) as refused:
            await demo.start(request("demo_decline"))
        assert (refused.value.code, refused.value.decline_code) == ("card_declined", "generic_decline")
        assert refused.value.reference == "demo_decline-5500-JPY-payment-1"
    assert await demo.fetch("demo_decline-5500-JPY-payment-1") == result(
        "demo_decline", PaymentState.FAILED, "card_declined"
    )


async def test_a_call_that_is_not_answered_has_paid_all_the_same(demo: DemoProvider) -> None:
    paid = result("demo_timeout", PaymentState.SUCCEEDED)
    with pytest.raises(ProviderUnavailableError):
        await demo.start(request("demo_timeout"))
    assert await demo.fetch(paid.reference) == paid
    assert await demo.start(request("demo_timeout")) == paid
    assert await demo.start(request("demo_timeout")) == paid


async def test_said_to_be_repeated_it_is_answered_by_a_provider_without_a_memory() -> None:
    paid = result("demo_timeout", PaymentState.SUCCEEDED)
    assert await DemoProvider("demo secret").start(request("demo_timeout", repeated=True)) == paid


@pytest.mark.parametrize("card", ["4242424242424242", "", "demo_", "demo_unknown", "approve", "pm_card_visa"])
async def test_an_unknown_card_is_refused(demo: DemoProvider, card: str) -> None:
    with pytest.raises(ProviderRefusedError, match=r"^payment_method_invalid$"):
        await demo.start(request(card))


@pytest.mark.parametrize("amount_minor", [0, -1])
async def test_there_are_no_payments_of_nothing(demo: DemoProvider, amount_minor: int) -> None:
    with pytest.raises(ProviderRefusedError, match=r"^amount_too_small$"):
        await demo.start(request("demo_approve", amount_minor=amount_minor))


@pytest.mark.parametrize(
    "reference", ["", "pi_1", "demo_approve-5500-JPY-", "demo_x-5500-JPY-1", "demo_approve-0-JPY-1"]
)
async def test_an_unknown_reference_is_refused(demo: DemoProvider, reference: str) -> None:
    with pytest.raises(ProviderRefusedError, match=r"^resource_missing$"):
        await demo.fetch(reference)
    with pytest.raises(ProviderRefusedError, match=r"^resource_missing$"):
        await demo.cancel(reference)
    with pytest.raises(ProviderRefusedError, match=r"^resource_missing$"):
        await demo.refund(reference, "refund-1", 1)
    with pytest.raises(ProviderRefusedError, match=r"^resource_missing$"):
        demo.event(reference)


# Events


@pytest.mark.parametrize("card", ["demo_later", "demo_action"])
async def test_an_event_ends_a_payment(demo: DemoProvider, card: str) -> None:
    started = await demo.start(request(card))
    sent = demo.event(started.reference, occurred_at=OCCURRED_AT)
    assert demo.parse(sent.body, sent.headers) == ProviderEvent(
        event_id=f"evt-SUCCEEDED-{card}-5500-JPY-payment-1",
        payment_id="payment-1",
        reference=f"{card}-5500-JPY-payment-1",
        state=PaymentState.SUCCEEDED,
        amount_minor=5500,
        currency="JPY",
        occurred_at=OCCURRED_AT,
    )
    paid = result(card, PaymentState.SUCCEEDED)
    assert await demo.fetch(started.reference) == paid
    assert await demo.start(request(card)) == paid


async def test_a_late_event_changes_nothing(demo: DemoProvider) -> None:
    started = await demo.start(request("demo_later"))
    demo.event(started.reference)
    late = demo.event(started.reference, PaymentState.PROCESSING)
    assert demo.parse(late.body, late.headers).state is PaymentState.PROCESSING
    assert await demo.fetch(started.reference) == result("demo_later", PaymentState.SUCCEEDED)


async def test_after_a_decline_another_card_may_do(demo: DemoProvider) -> None:
    started = await demo.start(request("demo_action"))
    demo.event(started.reference, PaymentState.FAILED)
    assert await demo.fetch(started.reference) == result("demo_action", PaymentState.FAILED, "card_declined")
    demo.event(started.reference)
    assert await demo.fetch(started.reference) == result("demo_action", PaymentState.SUCCEEDED)


async def test_an_event_that_is_sent_twice_is_the_same_event(demo: DemoProvider) -> None:
    started = await demo.start(request("demo_later"))
    first, second = (demo.event(started.reference, occurred_at=OCCURRED_AT) for _ in range(2))
    assert demo.parse(first.body, first.headers) == demo.parse(second.body, second.headers)


async def test_times_of_other_zones_are_told_in_utc(demo: DemoProvider) -> None:
    tokyo = timezone(timedelta(hours=9))
    now = datetime.now(tokyo)
    started = await demo.start(request("demo_later"))
    sent = demo.event(started.reference, occurred_at=now, sent_at=now)
    event = demo.parse(sent.body, sent.headers)
    assert (event.occurred_at, event.occurred_at.tzinfo) == (now, UTC)


async def test_an_unknown_state_is_nothing_that_matters(demo: DemoProvider) -> None:
    started = await demo.start(request("demo_later"))
    content = json.loads(demo.event(started.reference).body)
    sent = demo.signed({**content, "state": "DISPUTED"}, datetime.now(UTC))
    assert demo.parse(sent.body, sent.headers).state is None


async def test_the_headers_names_may_be_written_in_any_way(demo: DemoProvider) -> None:
    sent = await later(demo)
    assert demo.parse(sent.body, {name.title(): value for name, value in sent.headers.items()}).reference != ""


async def later(demo: DemoProvider, *, sent_at: datetime | None = None) -> SignedEvent:
    return demo.event((await demo.start(request("demo_later"))).reference, sent_at=sent_at)


def refused(demo: DemoProvider, body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(SignatureInvalidError) as invalid:
        demo.parse(body, headers)
    assert str(invalid.value) == "not an event that the demo has signed lately"
    assert (invalid.value.__cause__, invalid.value.__context__) == (None, None)


async def test_another_secret_is_refused(demo: DemoProvider) -> None:
    sent = await later(DemoProvider("another secret"))
    refused(demo, sent.body, sent.headers)


async def test_an_altered_body_is_refused(demo: DemoProvider) -> None:
    sent = await later(demo)
    refused(demo, sent.body.replace(b"5500", b"1"), sent.headers)


@pytest.mark.parametrize("minutes", [-6, 6])
async def test_a_signature_of_another_time_is_refused(demo: DemoProvider, minutes: int) -> None:
    sent = await later(demo, sent_at=datetime.now(UTC) + timedelta(minutes=minutes))
    refused(demo, sent.body, sent.headers)


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "nonsense"},
        {"webhook-signature": "v1,é"},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "v1,A"},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "nan"},
        {"webhook-id": "another"},
    ],
)
async def test_what_is_no_signature_is_refused(demo: DemoProvider, changed: dict[str, str]) -> None:
    sent = await later(demo)
    refused(demo, sent.body, {**sent.headers, **changed})


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
async def test_a_missing_header_is_refused(demo: DemoProvider, missing: str) -> None:
    sent = await later(demo)
    refused(demo, sent.body, {name: value for name, value in sent.headers.items() if name != missing})


@pytest.mark.parametrize("body", [b"", b"{", b"\xff"])
async def test_what_is_no_json_is_refused(demo: DemoProvider, body: bytes) -> None:
    refused(demo, body, (await later(demo)).headers)


@pytest.mark.parametrize("content", [{"id": "evt-1"}, {"id": "evt-1", "payment_id": 1, "reference": "", "state": []}])
async def test_what_is_no_event_is_refused_even_if_it_is_signed(demo: DemoProvider, content: dict[str, Any]) -> None:
    sent = demo.signed(content, datetime.now(UTC))
    refused(demo, sent.body, sent.headers)


# Memory


async def test_another_process_knows_what_has_happened(tmp_path: Path) -> None:
    first = DemoProvider("demo secret", tmp_path / "journal")
    second = DemoProvider("demo secret", tmp_path / "journal")
    with pytest.raises(ProviderUnavailableError):
        await first.start(request("demo_timeout"))
    paid = await second.start(request("demo_timeout"))
    assert paid.state is PaymentState.SUCCEEDED
    later = await first.start(request("demo_later", payment_id="payment-2"))
    sent = second.event(later.reference)
    assert first.parse(sent.body, sent.headers).state is PaymentState.SUCCEEDED
    assert (await first.fetch(later.reference)).state is PaymentState.SUCCEEDED
    assert await first.refund(paid.reference, "refund-1", 5000) == RefundResult(
        "demo-refund-refund-1", RefundState.SUCCEEDED
    )
    with pytest.raises(ProviderRefusedError, match=r"^amount_too_large$"):
        await second.refund(paid.reference, "refund-2", 501)


async def test_without_a_journal_a_restart_still_knows_what_was_asked_for() -> None:
    started = await DemoProvider("demo secret").start(request("demo_approve"))
    assert await DemoProvider("demo secret").fetch(started.reference) == started
