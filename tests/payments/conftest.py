"""What the tests of payments share: Stripe's part on a local server, and the provider that asks it."""

from collections.abc import AsyncIterator

import pytest
import stripe

from payments.stripe import StripeProvider
from tests.payments.stripe_server import StripeServer, stripe_server


@pytest.fixture
async def server() -> AsyncIterator[StripeServer]:
    async with stripe_server() as server:
        yield server


@pytest.fixture
async def provider(server: StripeServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StripeProvider]:
    # The library waits half a second and more before it tries again.
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0)
    provider = StripeProvider("sk_test_key", "whsec_secret", base=server.address)
    yield provider
    await provider.close()
