"""Which provider the settings name."""

from pathlib import Path
from typing import Any

import pytest

from payments.choose import provider_of
from payments.demo import DemoProvider
from payments.provider import PaymentRequest, PaymentState
from payments.stripe import StripeProvider
from tests.payments.stripe_server import StripeServer

pytestmark = pytest.mark.anyio


async def test_none() -> None:
    assert provider_of("none") is None


async def test_demo(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    provider = provider_of("demo", demo_secret="demo secret", demo_journal=journal)  # noqa: S106 # of the test
    assert isinstance(provider, DemoProvider)
    assert provider.name == "demo"
    await provider.start(PaymentRequest("payment-1", 5500, "JPY", "", "demo_approve"))
    assert journal.read_text().count("payment-1") == 2
    await provider.close()


async def test_stripe(server: StripeServer) -> None:
    secrets: dict[str, Any] = {"stripe_api_key": "sk_test_key", "stripe_webhook_secret": "whsec_secret"}
    provider = provider_of("stripe", **secrets, stripe_base=server.address)
    assert isinstance(provider, StripeProvider)
    assert provider.name == "stripe"
    paid = await provider.start(PaymentRequest("payment-1", 5500, "JPY", "", "pm_card_visa"))
    assert paid.state is PaymentState.SUCCEEDED
    await provider.close()


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("paypal", {}, "there is no payment provider 'paypal': demo, stripe or none"),
        ("", {}, "there is no payment provider '': demo, stripe or none"),
        ("demo", {}, "payments by demo need a secret to sign events"),
        ("stripe", {"stripe_api_key": "k"}, "payments by stripe need an API key and the secret of a webhook"),
        ("stripe", {"stripe_webhook_secret": "s"}, "payments by stripe need an API key and the secret of a webhook"),
    ],
)
async def test_what_cannot_be_used_is_named(name: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="payment") as invalid:
        provider_of(name, **values)
    assert str(invalid.value) == message
