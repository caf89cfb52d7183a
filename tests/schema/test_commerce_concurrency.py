"""Double clicks, two people and the provider at once: one order, one charge, one invoice, on both databases."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient
from sqlalchemy import func, select

from db.commerce_tables import DocumentNumberRow, DocumentRow, PaymentRow, PurchaseRow
from db.documents import add_entry
from db.engine import DatabaseUnavailableError
from domain.ledger import LedgerEntry
from payments.demo import DemoProvider
from payments.provider import PaymentRequest, PaymentResult, PaymentState
from resolvers import documents
from resolvers.access import Role
from resolvers.payments import refund
from resolvers.services import Services
from schema.app import create_app
from tests.commerce import (
    AGREED,
    CHECKOUT,
    ISSUE,
    SAVE,
    accepted,
    amounts,
    asked,
    mutation,
    operator,
    ordered,
    paid,
    purchase_of,
)
from tests.world import CANCEL, PLACE, Api, Owned, World, place_input, placed, starter

pytestmark = pytest.mark.anyio

ROUNDS = 2
ROUNDS_LONG = 50
PURCHASE_ID = "query($id: ID!) { node(id: $id) { ... on SpotOrder { purchaseId } } }"


class Cards(DemoProvider):
    """The demo, which tells what has happened at a moment of the test's choice: while the payment is started."""

    def __init__(self) -> None:
        super().__init__("a secret of the demo")
        self.started: Callable[[str], Awaitable[None]] | None = None

    async def start(self, request: PaymentRequest) -> PaymentResult:
        result = await super().start(request)
        if self.started:
            await self.started(result.reference)
        return result

    @property
    def charges(self) -> int:
        """How many payments were ever started."""
        return sum("started" in fact for fact in self._journal.facts())


@dataclass(frozen=True)
class Scene:
    """A new customer in front of the API, and everybody else who takes part."""

    api: Api
    services: Services
    cards: Cards
    owner: Owned
    operator: str
    sales: str

    @property
    def token(self) -> str:
        return self.owner.token

    async def purchase(self) -> dict[str, Any]:
        """The purchase of a spot, not paid yet."""
        order = await placed(self.api, self.token)
        id_ = (await self.api.data(PURCHASE_ID, self.token, id=order["id"]))["node"]["purchaseId"]
        return await purchase_of(self.api, self.token, id_)

    async def now(self, purchase: dict[str, Any]) -> dict[str, Any]:
        return await purchase_of(self.api, self.token, purchase["id"])

    async def at_once(self, query: str, inputs: Sequence[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
        """The payloads of one mutation, sent with each token and input at the same moment."""
        return await asyncio.gather(*(asked(self.api, token, query, **given) for token, given in inputs))

    async def send(self, reference: str, state: PaymentState = PaymentState.SUCCEEDED) -> None:
        event = self.cards.event(reference, state)
        answer = await self.api.client.post("/payments/webhook", content=event.body, headers=event.headers)
        assert answer.status_code == 200

    async def stored(self) -> tuple[int, int, int]:
        """How many confirmed purchases, payments by card that succeeded, and invoices the customer has."""
        id_ = self.owner.customer.id
        queries = (
            select(PurchaseRow.id).where(PurchaseRow.customer_id == id_, PurchaseRow.status == "CONFIRMED"),
            select(PaymentRow.id).where(PaymentRow.customer_id == id_, PaymentRow.state == "SUCCEEDED"),
            select(DocumentRow.id).where(DocumentRow.customer_id == id_, DocumentRow.kind == "INVOICE"),
        )
        async with self.services.database.read() as session:
            confirmed, succeeded, invoices = [len((await session.scalars(query)).all()) for query in queries]
        return confirmed, succeeded, invoices

    async def reference(self) -> str:
        async with self.services.database.read() as session:
            query = select(PaymentRow.reference).where(PaymentRow.customer_id == self.owner.customer.id)
            return str((await session.execute(query)).scalar_one())


Round = Callable[[Scene], Awaitable[None]]


def by(purchase: dict[str, Any], method: str, key: str, **more: Any) -> dict[str, Any]:
    """A checkout of a purchase at its own total."""
    total = purchase["total"]["minorUnits"]
    return {
        "purchaseId": purchase["id"],
        "paymentMethod": method,
        "expectedTotal": total,
        "idempotencyKey": key,
        **more,
    }


def codes(payloads: Sequence[dict[str, Any]]) -> Counter[str]:
    return Counter(error["code"] for payload in payloads for error in payload["errors"])


def bought(payloads: Sequence[dict[str, Any]]) -> set[str]:
    """The purchases that answers name."""
    return {payload["purchase"]["id"] for payload in payloads if payload["purchase"]}


async def checkout_by_invoice(scene: Scene) -> None:
    purchase = await scene.purchase()
    inputs = [(scene.token, by(purchase, "INVOICE", key)) for key in ("a", "a", "a", "b", "c")]
    payloads = await scene.at_once(CHECKOUT, inputs)
    won = [payload for payload in payloads if not payload["errors"]]
    assert (len(won), bought(won)) in ((3, {purchase["id"]}), (1, {purchase["id"]}))
    assert codes(payloads) == {"ORDER_MOVE_REFUSED": 5 - len(won)}
    assert await scene.stored() == (1, 0, 1)
    assert amounts(await scene.now(purchase)) == [("INVOICE", 5_500)]


async def checkout_by_card(scene: Scene) -> None:
    purchase, before = await scene.purchase(), scene.cards.charges
    inputs = [(scene.token, by(purchase, "CREDIT_CARD", key, card="demo_approve")) for key in ("a", "a", "a", "b", "c")]
    payloads = await scene.at_once(CHECKOUT, inputs)
    won = [payload for payload in payloads if not payload["errors"]]
    assert len(won) in {1, 3}
    assert codes(payloads) == {"ORDER_MOVE_REFUSED": 5 - len(won)}
    assert (await scene.stored(), scene.cards.charges - before) == ((1, 1, 1), 1)
    assert amounts(await scene.now(purchase)) == [("INVOICE", 5_500), ("PAYMENT", -5_500)]


async def order_of_a_spot(scene: Scene) -> None:
    payloads = await scene.at_once(PLACE, [(scene.token, place_input("same"))] * 4)
    assert len({payload["order"]["id"] for payload in payloads}) == 1
    payloads = await scene.at_once(PLACE, [(scene.token, place_input(f"other-{number}")) for number in range(4)])
    assert len({payload["order"]["number"] for payload in payloads}) == 4


async def two_renewals(scene: Scene) -> None:
    """Two orders of the renewal are open, and both are paid at the same moment: the contract has room for one."""
    given: dict[str, Any] = {"planCode": "STARTER", "units": 1, "billingCycle": "ANNUAL"}
    first = await ordered(scene.api, scene.token, "mainContractRenew", "first", **given)
    second = await ordered(scene.api, scene.token, "mainContractRenew", "second", **given)
    payloads = await scene.at_once(
        CHECKOUT, [(scene.token, by(first, "INVOICE", "pay-1")), (scene.operator, by(second, "INVOICE", "pay-2"))]
    )
    assert codes(payloads) == {"CONTRACT_CHANGED": 1}
    assert await scene.stored() == (1, 0, 1)
    query = "{ customer { mainContract { endsBefore } balance { minorUnits } } }"
    assert (await scene.api.data(query, scene.token))["customer"] == {
        "mainContract": {"endsBefore": "2028-04-01"},
        "balance": {"minorUnits": 33_000},
    }


async def two_upgrades(scene: Scene) -> None:
    """Two people upgrade at the same moment: the difference is charged once."""
    first = await ordered(scene.api, scene.token, "mainContractUpgrade", "first", planCode="STANDARD")
    second = await ordered(scene.api, scene.token, "mainContractUpgrade", "second", planCode="STANDARD")
    payloads = await scene.at_once(
        CHECKOUT, [(scene.token, by(first, "INVOICE", "pay-1")), (scene.operator, by(second, "INVOICE", "pay-2"))]
    )
    assert codes(payloads) == {"CONTRACT_CHANGED": 1}
    assert await scene.stored() == (1, 0, 1)


async def two_people_accept_a_quote(scene: Scene) -> None:
    items = [{"spot": {"accounts": 100, "startsOn": "2026-05-01", "months": 1}},
             {"spot": {"accounts": 200, "startsOn": "2026-06-01", "months": 2}}]  # fmt: skip
    given: dict[str, Any] = {"customerId": scene.owner.id, "items": items, "validUntil": "2026-04-30"}
    quote = (await accepted(scene.api, scene.sales, ISSUE, **given, idempotencyKey="quote"))["quote"]
    answer = {
        "quoteId": quote["id"],
        "agreedTermsVersion": AGREED,
        "expectedTotal": quote["total"]["minorUnits"],
        "paymentMethod": "INVOICE",
    }
    people = ((scene.token, "mine"), (scene.operator, "theirs"), (scene.token, "mine"), (scene.operator, "theirs"))
    payloads = await scene.at_once(
        mutation("quoteAccept"), [(token, {**answer, "idempotencyKey": key}) for token, key in people]
    )
    # Whoever was first has bought it, and reads the same from both clicks; to the other the quote is not open.
    assert (len(bought(payloads)), codes(payloads)) == (1, {"QUOTE_NOT_OPEN": 2})
    assert await scene.stored() == (1, 0, 1)
    (purchase,) = bought(payloads)
    assert amounts(await purchase_of(scene.api, scene.token, purchase)) == [("INVOICE", 27_500)]


async def recommendation_ordered_twice(scene: Scene) -> None:
    saved = await accepted(scene.api, scene.token, SAVE, demand={"csv": "2026-05-01,2026-06-01,200"})
    given: dict[str, Any] = {
        "recommendationId": saved["recommendationId"],
        "agreedTermsVersion": AGREED,
        "expectedTotal": saved["recommendation"]["total"]["minorUnits"],
        "paymentMethod": "INVOICE",
    }
    clicks = [(scene.token, {**given, "idempotencyKey": key}) for key in ("a", "a", "b", "b")]
    payloads = await scene.at_once(mutation("recommendationOrder"), clicks)
    assert (len(bought(payloads)), codes(payloads)) == (1, {"RECOMMENDATION_NOT_ORDERABLE": 2})
    assert await scene.stored() == (1, 0, 1)


async def event_before_the_answer(scene: Scene) -> None:
    await _event(scene, "before")


async def event_with_the_answer(scene: Scene) -> None:
    await _event(scene, "during")


async def event_after_the_answer(scene: Scene) -> None:
    await _event(scene, "after")


async def _event(scene: Scene, when: str) -> None:
    """The provider's event comes twice, before, while or after the answer to the checkout is written down."""
    purchase = await scene.purchase()
    sending: list[asyncio.Task[None]] = []

    async def started(reference: str) -> None:
        if when == "before":
            await scene.send(reference)
            await scene.send(reference)
        elif when == "during":
            sending.extend(asyncio.create_task(scene.send(reference)) for _ in range(2))

    scene.cards.started = started
    await accepted(scene.api, scene.token, CHECKOUT, **by(purchase, "CREDIT_CARD", "pay", card="demo_later"))
    scene.cards.started = None
    await asyncio.gather(*sending)
    if when == "after":
        reference = await scene.reference()
        await asyncio.gather(scene.send(reference), scene.send(reference))
    assert await scene.stored() == (1, 1, 1)
    assert amounts(await scene.now(purchase)) == [("INVOICE", 5_500), ("PAYMENT", -5_500)]


async def event_against_cancel(scene: Scene) -> None:
    """The money arrives while the customer cancels: it is charged and confirmed, or it goes back."""
    purchase = await scene.purchase()
    await accepted(scene.api, scene.token, CHECKOUT, **by(purchase, "CREDIT_CARD", "pay", card="demo_action"))
    reference = await scene.reference()
    cancel = asked(scene.api, scene.token, mutation("purchaseCancel"), purchaseId=purchase["id"])
    payload, _ = await asyncio.gather(cancel, scene.send(reference))
    await refund(scene.services)
    left = await scene.now(purchase)
    if payload["errors"]:
        assert codes([payload]) == {"ORDER_MOVE_REFUSED": 1}
        assert await scene.stored() == (1, 1, 1)
        assert (left["status"], amounts(left)) == ("CONFIRMED", [("INVOICE", 5_500), ("PAYMENT", -5_500)])
    else:
        assert await scene.stored() == (0, 1, 0)
        assert (left["status"], amounts(left)) == ("CANCELLED", [("PAYMENT", -5_500), ("REFUND", 5_500)])


async def event_against_the_order_s_cancel(scene: Scene) -> None:
    """Cancelled in the end, whoever was first: with or without an invoice, nothing is owed either way."""
    purchase = await scene.purchase()
    await accepted(scene.api, scene.token, CHECKOUT, **by(purchase, "CREDIT_CARD", "pay", card="demo_action"))
    reference = await scene.reference()
    order = purchase["spotOrders"][0]["id"]
    payload, _ = await asyncio.gather(asked(scene.api, scene.token, CANCEL, orderId=order), scene.send(reference))
    await refund(scene.services)
    assert payload["order"]["status"] == "CANCELLED"
    left = await scene.now(purchase)
    assert sorted(amounts(left)) in (
        [("PAYMENT", -5_500), ("REFUND", 5_500)],
        [("CREDIT_NOTE", -5_500), ("INVOICE", 5_500), ("PAYMENT", -5_500), ("REFUND", 5_500)],
    )
    assert sum(amount for _, amount in amounts(left)) == 0


async def payment_recorded_twice(scene: Scene) -> None:
    purchase = await scene.purchase()
    pending = await paid(scene.api, scene.token, purchase, "BANK_TRANSFER")
    given = {"purchaseId": pending["id"], "amount": 5_500}
    clicks = [(scene.operator, {**given, "idempotencyKey": key}) for key in ("a", "a", "b", "c")]
    payloads = await scene.at_once(mutation("paymentRecord"), clicks)
    won = [payload for payload in payloads if not payload["errors"]]
    assert len(won) in {1, 2}
    assert codes(payloads) == {"NOTHING_OWED": 4 - len(won)}
    assert await scene.stored() == (1, 0, 1)
    assert amounts(await scene.now(purchase)) == [("INVOICE", 5_500), ("PAYMENT", -5_500)]


ALL: tuple[Round, ...] = (
    checkout_by_invoice,
    checkout_by_card,
    order_of_a_spot,
    two_renewals,
    two_upgrades,
    two_people_accept_a_quote,
    recommendation_ordered_twice,
    event_before_the_answer,
    event_with_the_answer,
    event_after_the_answer,
    event_against_cancel,
    event_against_the_order_s_cancel,
    payment_recorded_twice,
)


@pytest.fixture
def cards() -> Cards:
    return Cards()


@pytest.fixture
def with_cards(services: Services, cards: Cards) -> Services:
    return replace(services, cards=cards)


@pytest.fixture
async def api(with_cards: Services) -> AsyncIterator[Api]:
    async with AsyncClient(transport=ASGITransport(create_app(with_cards)), base_url="http://testserver") as client:
        yield Api(client)


@pytest.fixture
async def scenes(api: Api, world: World, with_cards: Services, cards: Cards) -> Callable[[], Awaitable[Scene]]:
    names, staff = count(1), await operator(world)

    async def scene() -> Scene:
        owner = await world.customer(starter(), name=f"No. {next(names)}")
        return Scene(api, with_cards, cards, owner, staff, await world.token(Role.SALES))

    return scene


async def numbers(services: Services) -> tuple[list[int], int]:
    """The serials of this year's invoices, and the last one that was given."""
    async with services.database.read() as session:
        serials = await session.scalars(
            select(DocumentRow.serial).where(DocumentRow.kind == "INVOICE").order_by(DocumentRow.serial)
        )
        last = await session.scalar(
            select(func.coalesce(func.max(DocumentNumberRow.last), 0)).where(DocumentNumberRow.kind == "INVOICE")
        )
    return list(serials), int(last or 0)


@pytest.mark.parametrize("round_", ALL, ids=lambda round_: round_.__name__)
async def test_at_once(scenes: Callable[[], Awaitable[Scene]], round_: Round) -> None:
    for _ in range(ROUNDS):
        await round_(await scenes())


@pytest.mark.soak
@pytest.mark.parametrize("round_", ALL, ids=lambda round_: round_.__name__)
async def test_at_once_50_times(scenes: Callable[[], Awaitable[Scene]], round_: Round) -> None:
    for _ in range(ROUNDS_LONG):
        await round_(await scenes())


async def test_20_customers_at_once_have_invoices_1_to_20(scenes: Callable[[], Awaitable[Scene]]) -> None:
    """Every third states a wrong total first, and is refused: that takes no number."""
    all_ = [await scenes() for _ in range(20)]
    purchases = [await scene.purchase() for scene in all_]

    async def pay(index: int) -> Counter[str]:
        scene, given = all_[index], by(purchases[index], "INVOICE", "pay")
        refused: Counter[str] = Counter()
        if index % 3 == 0:
            refused = codes([await asked(scene.api, scene.token, CHECKOUT, **{**given, "expectedTotal": 5_501})])
        await accepted(scene.api, scene.token, CHECKOUT, **given)
        return refused

    outcomes = await asyncio.gather(*(pay(index) for index in range(20)))
    assert sum(outcomes, Counter()) == {"PRICE_CHANGED": 7}
    assert await numbers(all_[0].services) == (list(range(1, 21)), 20)


async def test_a_number_that_was_taken_and_undone_is_given_again(
    scenes: Callable[[], Awaitable[Scene]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is lost after the number was taken, for every second of 20 customers: they try again."""
    all_ = [await scenes() for _ in range(20)]
    purchases = [await scene.purchase() for scene in all_]
    unlucky = {scene.owner.customer.id for scene in all_[::2]}

    async def lost(session: Any, entry: LedgerEntry, now: Any) -> None:
        if entry.customer_id in unlucky:
            unlucky.remove(entry.customer_id)
            raise DatabaseUnavailableError("the connection broke")
        await add_entry(session, entry, now)

    monkeypatch.setattr(documents, "add_entry", lost)

    async def pay(index: int) -> str:
        scene, given = all_[index], by(purchases[index], "INVOICE", "pay")
        answer = (await scene.api.post(CHECKOUT, scene.token, input=given)).json()
        if "errors" not in answer:
            return "first"
        assert [error["extensions"]["retryable"] for error in answer["errors"]] == [True]
        await accepted(scene.api, scene.token, CHECKOUT, **given)
        return "second"

    outcomes = await asyncio.gather(*(pay(index) for index in range(20)))
    assert Counter(outcomes) == {"first": 10, "second": 10}
    assert await numbers(all_[0].services) == (list(range(1, 21)), 20)
