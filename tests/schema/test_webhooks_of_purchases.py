"""One whole purchase as a receiver of webhooks sees it, each message with a signature that is computed by hand."""

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient
from standardwebhooks import Webhook

from payments.demo import DemoProvider
from resolvers.access import Role
from resolvers.services import Services
from resolvers.webhook_delivery import deliver_all
from resolvers.webhook_sending import Sender
from schema.app import create_app
from tests.commerce import AGREED, CHECKOUT, ISSUE, accepted, mutation, refused
from tests.receiver import Received, receiving
from tests.world import CANCEL, Api, World, starter

pytestmark = pytest.mark.anyio


@pytest.fixture
def services(services: Services) -> Services:
    """Webhooks may go to this machine, and cards are taken."""
    settings = replace(services.settings, webhook_http="allowed", webhook_private_networks="allowed")
    return replace(services, settings=settings, cards=DemoProvider("a secret of the demo"))


@pytest.fixture
async def api(services: Services) -> AsyncIterator[Api]:
    async with AsyncClient(transport=ASGITransport(create_app(services)), base_url="http://testserver") as client:
        yield Api(client)


def signature(secret: str, message: Received) -> str:
    """As standardwebhooks.com describes it: HMAC-SHA256 over id, timestamp and body, with the secret's bytes."""
    signed = f"{message.id}.{message.headers['webhook-timestamp']}.{message.body}"
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.digest(key, signed.encode(), hashlib.sha256)).decode()


def said(message: Received) -> tuple[str, dict[str, str | None]]:
    """The type of an event, and the values after it."""
    content = message.message
    return content["type"], {name: change["after"] for name, change in content["data"]["changes"].items()}


async def test_a_whole_purchase_reaches_the_receiver_in_order_signed_and_with_what_it_is_about(
    api: Api, world: World, services: Services
) -> None:
    owner, sales = await world.customer(starter()), await world.token(Role.SALES)
    async with receiving() as receiver:
        add = mutation("webhookEndpointAdd", "secret")
        secret = (await accepted(api, owner.token, add, url=receiver.url()))["secret"]
        items = [
            {"spot": {"accounts": 200, "startsOn": "2026-05-01", "months": 2}},
            {"additionalLicence": {"units": 1, "startsOn": "2026-06-01"}},
        ]
        offer = {"customerId": owner.id, "items": items, "validUntil": "2026-04-30", "idempotencyKey": "q"}
        quote = (await accepted(api, sales, ISSUE, **offer))["quote"]
        answer: dict[str, Any] = {"agreedTermsVersion": AGREED, "expectedTotal": 49_484, "idempotencyKey": "a"}
        accept = mutation("quoteAccept")
        purchase = (await accepted(api, owner.token, accept, quoteId=quote["id"], **answer))["purchase"]
        given = {"purchaseId": purchase["id"], "paymentMethod": "CREDIT_CARD", "expectedTotal": 49_484}
        await refused(api, owner.token, CHECKOUT, **given, card="demo_decline", idempotencyKey="1")
        await accepted(api, owner.token, CHECKOUT, **given, card="demo_approve", idempotencyKey="2")
        spot = purchase["spotOrders"][0]["id"]
        await accepted(api, owner.token, CANCEL, orderId=spot)
        assert await deliver_all(services, Sender(services.settings)) == 13
        received = receiver.received
    of, status = {"purchase": "PU-2026-00001"}, "status"
    assert [said(message) for message in received] == [
        ("quote.issued", {"quote": "Q-2026-00001", "total": "49484", "validUntil": "2026-04-30"}),
        ("spot_order.placed", {status: "AWAITING_PAYMENT_METHOD"}),
        ("contract_order.placed", {status: "AWAITING_PAYMENT_METHOD", "order": "CO-2026-00001"}),
        ("quote.accepted", {"quote": "Q-2026-00001", **of}),
        ("payment.failed", {**of, "reason": "card_declined"}),
        ("spot_order.confirmed", {status: "CONFIRMED"}),
        ("contract_order.confirmed", {status: "CONFIRMED", "order": "CO-2026-00001"}),
        ("additional_licence.added", {"accounts": "100", "startsOn": "2026-06-01", "endsBefore": "2027-04-01"}),
        ("invoice.issued", {**of, "number": "INV-2026-00001", "total": "49484"}),
        ("payment.received", {**of, "amount": "49484"}),
        ("spot_order.cancelled", {status: "CANCELLED"}),
        ("credit_note.issued", {**of, "number": "CN-2026-00001", "total": "22000", "refersTo": "INV-2026-00001"}),
        ("payment.refunded", {**of, "amount": "22000"}),
    ]
    assert [message.id for message in received] == [f"evt_{number}" for number in range(1, 14)]
    of_spot = [index for index, message in enumerate(received) if message.message["data"]["spotOrderId"] == spot]
    assert of_spot == [1, 5, 10]
    for message in received:
        assert message.headers["webhook-signature"] == signature(secret, message)
        assert signature(secret, replace(message, body=f"{message.body} ")) != signature(secret, message)
        Webhook(secret).verify(message.body, message.headers)
