"""Card payments over GraphQL and the provider's events, with the demo provider, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient

from payments.demo import DemoProvider, SignedEvent
from payments.provider import PaymentState
from resolvers.payments import refund
from resolvers.services import Services
from schema.app import create_app
from tests.commerce import CHECKOUT, accepted, amounts, asked, mutation, paid, purchase_of, refused
from tests.world import CANCEL, Api, TestClock, World, placed, starter

pytestmark = pytest.mark.anyio


@pytest.fixture
def cards() -> DemoProvider:
    return DemoProvider("a secret of the demo")


@pytest.fixture
def with_cards(services: Services, cards: DemoProvider) -> Services:
    return replace(services, cards=cards)


@pytest.fixture
async def api(with_cards: Services) -> AsyncIterator[Api]:
    async with AsyncClient(transport=ASGITransport(create_app(with_cards)), base_url="http://testserver") as client:
        yield Api(client)


async def a_purchase(api: Api, token: str, key: str = "key-1") -> dict[str, Any]:
    order = await placed(api, token, key)
    query = "query($id: ID!) { node(id: $id) { ... on SpotOrder { purchaseId } } }"
    return await purchase_of(api, token, (await api.data(query, token, id=order["id"]))["node"]["purchaseId"])


def by_card(purchase: dict[str, Any], card: str | None, key: str = "pay") -> dict[str, Any]:
    return {
        "purchaseId": purchase["id"],
        "paymentMethod": "CREDIT_CARD",
        "expectedTotal": purchase["total"]["minorUnits"],
        "idempotencyKey": key,
        "card": card,
    }


async def send(api: Api, event: SignedEvent) -> tuple[int, str]:
    answer = await api.client.post("/payments/webhook", content=event.body, headers=event.headers)
    return answer.status_code, answer.text


async def reference(api: Api, services: Services) -> str:
    async with services.database.read() as session:
        connection = await session.connection()
        rows = await connection.exec_driver_sql("SELECT reference FROM payments ORDER BY id DESC LIMIT 1")
        return str(rows.scalar_one())


async def test_an_approved_card_confirms_at_once_and_owes_nothing(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    purchase = await a_purchase(api, owner.token)
    for _ in range(2):  # a retry pays nothing more
        payload = await accepted(api, owner.token, CHECKOUT, **by_card(purchase, "demo_approve"))
        assert payload["clientSecret"] is None
        assert payload["purchase"]["status"] == "CONFIRMED"
        assert amounts(payload["purchase"]) == [("INVOICE", 5_500), ("PAYMENT", -5_500)]
        assert [(item["kind"], item["dueOn"]) for item in payload["purchase"]["documents"]] == [("INVOICE", None)]


async def test_a_declined_card_leaves_the_purchase_open_for_another(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    purchase = await a_purchase(api, owner.token)
    (error,) = await refused(api, owner.token, CHECKOUT, **by_card(purchase, "demo_decline"))
    assert (error["code"], error["field"], error["message"]) == (
        "CARD_DECLINED", "card", "The card was declined: card_declined.",
    )  # fmt: skip
    left = await purchase_of(api, owner.token, purchase["id"])
    assert (left["status"], left["paymentMethod"], left["ledger"]) == ("AWAITING_PAYMENT_METHOD", None, [])
    done = await paid(api, owner.token, purchase, "CREDIT_CARD", key="second", card="demo_approve")
    assert (done["status"], amounts(done)) == ("CONFIRMED", [("INVOICE", 5_500), ("PAYMENT", -5_500)])


async def test_a_lost_answer_is_retryable_and_charges_once(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    purchase = await a_purchase(api, owner.token)
    given = by_card(purchase, "demo_timeout")
    error = await api.error(CHECKOUT, owner.token, input=given)
    assert (error["code"], error["retryable"]) == ("PAYMENT_PROVIDER_UNAVAILABLE", True)
    assert (await purchase_of(api, owner.token, purchase["id"]))["status"] == "PENDING_PAYMENT"
    done = (await accepted(api, owner.token, CHECKOUT, **given))["purchase"]
    assert (done["status"], amounts(done)) == ("CONFIRMED", [("INVOICE", 5_500), ("PAYMENT", -5_500)])
    (other,) = await refused(api, owner.token, CHECKOUT, **{**given, "card": "demo_approve"})
    assert other["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_the_providers_event_confirms_once_however_often_it_comes(
    api: Api, world: World, cards: DemoProvider, with_cards: Services
) -> None:
    owner = await world.customer(starter())
    purchase = await a_purchase(api, owner.token)
    payload = await accepted(api, owner.token, CHECKOUT, **by_card(purchase, None))
    assert payload["purchase"]["status"] == "PENDING_PAYMENT"
    key = await reference(api, with_cards)
    assert payload["clientSecret"] == f"{key}-secret"
    paid_event = cards.event(key)
    assert await asyncio.gather(*(send(api, paid_event) for _ in range(3))) == [(200, "settled\n")] * 3
    late = cards.event(key, PaymentState.FAILED)  # overtaken by the payment itself
    assert await send(api, late) == (200, "settled\n")
    done = await purchase_of(api, owner.token, purchase["id"])
    assert (done["status"], amounts(done)) == ("CONFIRMED", [("INVOICE", 5_500), ("PAYMENT", -5_500)])


async def test_events_that_the_provider_did_not_sign_change_nothing(
    api: Api, world: World, cards: DemoProvider, with_cards: Services
) -> None:
    owner = await world.customer(starter())
    purchase = await a_purchase(api, owner.token)
    await accepted(api, owner.token, CHECKOUT, **by_card(purchase, "demo_later"))
    event = cards.event(await reference(api, with_cards))
    for body, headers in (
        (event.body + b" ", event.headers),
        (event.body, {**event.headers, "webhook-signature": "v1,bm9uc2Vuc2U="}),
        (event.body, {}),
        (b"\xff", event.headers),
    ):
        assert await send(api, SignedEvent(body, headers)) == (400, "not signed by the payment provider\n")
    assert (await purchase_of(api, owner.token, purchase["id"]))["status"] == "PENDING_PAYMENT"
    foreign = cards.event("demo_later-5500-JPY-somebody-else")
    assert await send(api, foreign) == (200, "not ours\n")
    assert (await api.client.get("/payments/webhook")).status_code == 405


async def test_a_payment_that_comes_after_the_purchase_expired_is_paid_back(
    api: Api, world: World, cards: DemoProvider, clock: TestClock, with_cards: Services
) -> None:
    owner = await world.customer(starter())
    purchase = await a_purchase(api, owner.token)
    await accepted(api, owner.token, CHECKOUT, **by_card(purchase, "demo_later"))
    clock.now += timedelta(minutes=30)
    event = cards.event(await reference(api, with_cards))
    for _ in range(2):
        assert await send(api, event) == (200, "settled\n")
    left = await purchase_of(api, owner.token, purchase["id"])
    assert (left["status"], left["documents"]) == ("EXPIRED", [])
    assert amounts(left) == [("PAYMENT", -5_500), ("REFUND", 5_500)]


async def test_the_second_of_two_payments_is_paid_back(
    api: Api, world: World, cards: DemoProvider, with_cards: Services
) -> None:
    owner = await world.customer(starter())
    purchase = await a_purchase(api, owner.token)
    await accepted(api, owner.token, CHECKOUT, **by_card(purchase, None))
    first = await reference(api, with_cards)
    assert await send(api, cards.event(first, PaymentState.FAILED)) == (200, "settled\n")
    await paid(api, owner.token, purchase, "CREDIT_CARD", key="second", card="demo_approve")
    # Whoever holds the first payment's secret tries another card: paid twice.
    assert await send(api, cards.event(first)) == (200, "settled\n")
    done = await purchase_of(api, owner.token, purchase["id"])
    assert amounts(done) == [("INVOICE", 5_500), ("PAYMENT", -5_500), ("PAYMENT", -5_500), ("REFUND", 5_500)]


async def test_what_is_taken_back_is_paid_back_to_the_card_once(api: Api, world: World, with_cards: Services) -> None:
    owner = await world.customer(starter())
    purchase = await a_purchase(api, owner.token)
    done = await paid(api, owner.token, purchase, "CREDIT_CARD", card="demo_approve")
    order = done["spotOrders"][0]["id"]
    answers = await asyncio.gather(*(asked(api, owner.token, CANCEL, orderId=order) for _ in range(3)))
    assert {answer["order"]["status"] for answer in answers} == {"CANCELLED"}
    await refund(with_cards)
    back = await purchase_of(api, owner.token, purchase["id"])
    assert amounts(back) == [("INVOICE", 5_500), ("PAYMENT", -5_500), ("CREDIT_NOTE", -5_500), ("REFUND", 5_500)]


async def test_a_cancelled_purchase_that_is_paid_all_the_same_is_paid_back(
    api: Api, world: World, cards: DemoProvider, with_cards: Services
) -> None:
    owner = await world.customer(starter())
    purchase = await a_purchase(api, owner.token)
    await accepted(api, owner.token, CHECKOUT, **by_card(purchase, "demo_action"))
    await accepted(api, owner.token, mutation("purchaseCancel"), purchaseId=purchase["id"])
    assert await send(api, cards.event(await reference(api, with_cards))) == (200, "settled\n")
    left = await purchase_of(api, owner.token, purchase["id"])
    assert (left["status"], amounts(left)) == ("CANCELLED", [("PAYMENT", -5_500), ("REFUND", 5_500)])


async def test_an_event_of_a_payment_still_under_way_is_looked_up(
    api: Api, world: World, cards: DemoProvider, with_cards: Services
) -> None:
    owner = await world.customer(starter())
    purchase = await a_purchase(api, owner.token)
    await accepted(api, owner.token, CHECKOUT, **by_card(purchase, "demo_later"))
    key = await reference(api, with_cards)
    early = cards.event(key, PaymentState.PROCESSING, occurred_at=datetime.fromisoformat("2026-04-10T03:00:00+00:00"))
    cards.event(key)  # paid, but this event is not sent
    assert await send(api, early) == (200, "settled\n")
    assert (await purchase_of(api, owner.token, purchase["id"]))["status"] == "CONFIRMED"
