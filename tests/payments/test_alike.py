"""What every provider keeps to: the demo stands in for Stripe only as far as the two behave alike."""

import pytest

from payments.demo import DemoProvider
from payments.provider import (
    PaymentProvider,
    PaymentRequest,
    PaymentState,
    ProviderRefusedError,
    ProviderUnavailableError,
    RefundState,
)
from payments.stripe import StripeProvider

pytestmark = pytest.mark.anyio

CARDS = {
    "demo": {"approve": "demo_approve", "decline": "demo_decline", "later": "demo_later", "action": "demo_action"},
    "stripe": {
        "approve": "pm_card_visa",
        "decline": "pm_card_visa_chargeDeclined",
        "later": "pm_slow",
        "action": "pm_card_authenticationRequired",
    },
}


@pytest.fixture(params=["demo", "stripe"])
def either(request: pytest.FixtureRequest, provider: StripeProvider) -> PaymentProvider:
    return provider if request.param == "stripe" else DemoProvider("demo secret")


def request(either: PaymentProvider, card: str | None, *, repeated: bool = False) -> PaymentRequest:
    name = CARDS[either.name][card] if card else None
    return PaymentRequest("payment-1", 5500, "JPY", "SO-2026-00042", name, repeated)


@pytest.mark.parametrize(
    ("card", "state"),
    [
        ("approve", PaymentState.SUCCEEDED),
        ("later", PaymentState.PROCESSING),
        ("action", PaymentState.REQUIRES_ACTION),
        (None, PaymentState.REQUIRES_ACTION),
    ],
)
async def test_a_payment_is_the_same_however_often_it_is_started(
    either: PaymentProvider, card: str | None, state: PaymentState
) -> None:
    first = await either.start(request(either, card))
    assert first.state is state
    assert first.client_secret is not None
    assert first.client_secret not in repr(first)
    assert await either.start(request(either, card)) == first
    assert await either.start(request(either, card, repeated=True)) == first
    assert await either.fetch(first.reference) == first
    await either.close()


async def test_a_decline_is_refused_and_can_be_looked_at_and_cancelled(either: PaymentProvider) -> None:
    with pytest.raises(ProviderRefusedError) as refused:
        await either.start(request(either, "decline"))
    assert refused.value.code == "card_declined"
    assert refused.value.reference is not None
    failed = await either.fetch(refused.value.reference)
    assert (failed.state, failed.failure) == (PaymentState.FAILED, "card_declined")
    cancelled = await either.cancel(refused.value.reference)
    assert (cancelled.state, cancelled.failure) == (PaymentState.CANCELLED, None)


async def test_another_card_is_another_payment(either: PaymentProvider) -> None:
    await either.start(request(either, "later"))
    with pytest.raises(ProviderUnavailableError):
        await either.start(request(either, "approve"))


async def test_what_is_paid_cannot_be_cancelled(either: PaymentProvider) -> None:
    paid = await either.start(request(either, "approve"))
    assert await either.cancel(paid.reference) == paid


async def test_cancelled_is_cancelled(either: PaymentProvider) -> None:
    started = await either.start(request(either, "action"))
    assert (await either.cancel(started.reference)).state is PaymentState.CANCELLED
    assert (await either.cancel(started.reference)).state is PaymentState.CANCELLED
    assert (await either.start(request(either, "action"))).state is PaymentState.CANCELLED


async def test_refunds(either: PaymentProvider) -> None:
    paid = await either.start(request(either, "approve"))
    first = await either.refund(paid.reference, "refund-1", 5000)
    assert first.state is RefundState.SUCCEEDED
    assert await either.refund(paid.reference, "refund-1", 5000) == first
    with pytest.raises(ProviderRefusedError):
        await either.refund(paid.reference, "refund-2", 501)
    assert (await either.refund(paid.reference, "refund-3", 500)).reference != first.reference
    assert await either.fetch(paid.reference) == paid


async def test_what_is_not_paid_cannot_be_paid_back(either: PaymentProvider) -> None:
    started = await either.start(request(either, "later"))
    with pytest.raises(ProviderRefusedError):
        await either.refund(started.reference, "refund-1", 1)


async def test_an_unknown_reference_is_refused(either: PaymentProvider) -> None:
    with pytest.raises(ProviderRefusedError, match=r"^resource_missing$"):
        await either.fetch("unknown")
