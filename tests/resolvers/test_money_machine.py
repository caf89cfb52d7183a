"""Thousands of random operations on several customers: after each one the books add up, on both databases.

What the books must say is computed here once more from the rows alone, not by the code under test.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import RowMapping, select

from db.commerce_tables import (
    LedgerEntryRow,
)
from db.contracts import contracts_by_customer
from db.documents import balances
from db.tables import EventRow
from domain.capacity import capacity_on
from domain.commerce_errors import CardDeclined, RefundOutOfRange
from domain.contracts import AdditionalLicence, BillingCycle, Term
from domain.customers import Customer, CustomerKind
from domain.errors import Refused, RuleError
from domain.months import ends_before
from domain.orders import PaymentMethod
from domain.purchases import Purchase
from payments.demo import DemoProvider, SignedEvent
from payments.provider import PaymentState, ProviderUnavailableError
from resolvers import contract_orders, payments, purchases, quotes, spot_orders
from resolvers.access import Caller, Role
from resolvers.contract_orders import ContractCommand, LicenceItems, TermItems, UpgradeItems
from resolvers.purchases import PurchaseCheckout, SpotItems
from resolvers.quotes import OrderCommand, QuoteCommand, QuoteItems
from resolvers.services import Services
from resolvers.settling import settle_all
from resolvers.spot_orders import CheckoutCommand, PlaceCommand
from tests.commerce import AGREED
from tests.resolvers.books import (
    Groups,
    Rows,
    by_rate,
    check_documents,
    check_numbers,
    check_settled,
    rows_of,
    total,
)
from tests.world import TestClock, World, period, starter

pytestmark = pytest.mark.anyio

SHORT = 300
LONG = 10_000
LIFE = 70
"""Operations of a customer before another one takes its place, so that checking all of it stays cheap."""

OPEN = {"AWAITING_PAYMENT_METHOD", "PENDING_PAYMENT"}
GIVES_CAPACITY = {"CONFIRMED", "ACTIVE", "ENDED"}
CARDS = ("demo_approve", "demo_decline", "demo_timeout", "demo_later", "demo_action", None)

Operation = Callable[[], Awaitable[Any]]


@dataclass
class Shop:
    """A customer, and what the books cannot know: what it began with, what was placed, and cash that moved by hand."""

    customer: Customer
    term: Term | None
    licences: tuple[AdditionalLicence, ...]
    operations: int = 0
    placed: dict[int, Groups] = field(default_factory=dict)
    paid_by_hand: Counter[int] = field(default_factory=Counter)
    given_back_by_hand: Counter[int] = field(default_factory=Counter)
    repeatable: list[tuple[Operation, str, Any]] = field(default_factory=list)
    events: list[SignedEvent] = field(default_factory=list)


class Machine:
    """Does one random operation after another, and checks the books."""

    def __init__(self, world: World, cards: DemoProvider, clock: TestClock, seed: int) -> None:
        self.world = world
        self.services = world.services
        self.cards = cards
        self.clock = clock
        self.random = random.Random(seed)
        self.shops: list[Shop] = []
        self.names = count(1)
        self.keys = count(1)
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    async def new_shop(self) -> Shop:
        """A customer: on Free, or with a term and perhaps a licence that were never ordered here."""
        number = next(self.names)
        day = self.clock.now.date() - timedelta(days=self.random.randrange(200))
        term: Term | None = None
        licences: tuple[AdditionalLicence, ...] = ()
        if self.random.random() < 0.7:
            end = day.replace(year=day.year + 1, day=min(day.day, 28))
            price = self.random.randint(4_001, 5_999)  # an uneven one, so that tax is rounded
            term = starter(str(day), str(end), units=self.random.randint(1, 3), monthly_unit_price_minor=price)
            if self.random.random() < 0.3:
                licences = (AdditionalLicence(period(str(day + timedelta(days=30)), str(end)), 200),)
        kind = CustomerKind.CORPORATE if self.random.random() < 0.8 else CustomerKind.INDIVIDUAL
        owned = await self.world.customer(*([term] if term else []), name=f"No. {number}", licences=licences, kind=kind)
        return Shop(owned.customer, term, licences)

    async def run(self, operations: int) -> None:
        self.shops = [await self.new_shop() for _ in range(4)]
        index, rows = 0, await self.rows(self.shops[0])
        for number in range(operations):
            if self.random.random() < 0.3:
                index = self.random.randrange(len(self.shops))
                rows = await self.rows(self.shops[index])
            shop = self.shops[index]
            rows = await self.step(shop, rows)
            await self.check(shop, rows)
            if number % 20 == 0:
                await check_numbers(self.services.database)
            shop.operations += 1
            if shop.operations >= LIFE:
                await self.drain()
                await self.check(shop, await self.rows(shop))
                self.shops[index] = await self.new_shop()
                rows = await self.rows(self.shops[index])
        await self.drain()
        for shop in self.shops:
            await self.check(shop, await self.rows(shop))
        await check_numbers(self.services.database)

    async def drain(self) -> None:
        await settle_all(self.services)
        await payments.refund(self.services)

    # What happens

    async def step(self, shop: Shop, before: Rows) -> Rows:
        """One operation; the customer's rows after it."""
        name, operation, key = self.choose(shop, before)
        self.done[name] += 1
        try:
            result = await operation()
        except (CardDeclined, ProviderUnavailableError) as failure:
            self.refused[type(failure).__name__] += 1
            if key:  # it took effect: the purchase awaits another card, or its payment's outcome is not known
                shop.repeatable.append((operation, key, None))
            return await self.rows(shop)
        except Refused as refusal:
            self.refused.update(error.code for error in refusal.errors)
        except RuleError as refusal:
            self.refused[refusal.code] += 1
        else:
            if key:
                shop.repeatable.append((operation, key, getattr(result, "id", None)))
            return await self.rows(shop)
        after = await self.rows(shop)
        assert after == before, f"{name} was refused and has changed something"
        return after

    def choose(self, shop: Shop, rows: Rows) -> tuple[str, Operation, str]:
        """A random operation: its name, itself, and its idempotency key if it may be sent again."""
        weights: dict[Callable[[Shop, Rows], tuple[str, Operation, str]], int] = {
            self.place_spot: 10,
            self.order_contract: 14,
            self.check_out: 30,
            self.cancel: 12,
            self.record: 14,
            self.event: 8,
            self.quote: 12,
            self.repeat: 8,
            self.time: 8,
        }
        return self.random.choices(list(weights), list(weights.values()))[0](shop, rows)

    def key(self) -> str:
        return f"k{next(self.keys)}"

    def caller(self, shop: Shop) -> Caller:
        if self.random.random() < 0.7:
            return Caller(Role.OWNER, shop.customer.id)
        return Caller(Role.OPERATOR, None)

    def today(self, shop: Shop) -> date:
        return shop.customer.day_at(self.clock.now)

    def spot(self, shop: Shop) -> SpotItems:
        accounts = self.random.choice((100, 100, 200, 300, 150))
        starts_on = self.today(shop) + timedelta(days=self.random.choice((-1, 0, 0, 1, 10, 30, 60, 200)))
        return SpotItems(accounts, starts_on, self.random.randint(1, 4))

    def place_spot(self, shop: Shop, rows: Rows) -> tuple[str, Operation, str]:
        if not self.ends(shop, rows) and self.random.random() < 0.8:
            return self.order_contract(shop, rows)  # on Free there is nothing to add to
        key, caller = self.key(), self.caller(shop)
        version = AGREED if self.random.random() < 0.95 else "2020-01-01"
        command = PlaceCommand(shop.customer.id, self.spot(shop), version, key)
        return "spotOrderPlace", lambda: spot_orders.place(self.services, caller, command), key

    def contract_items(self, shop: Shop, ends: list[date]) -> TermItems | LicenceItems | UpgradeItems:
        today = self.today(shop)
        plan = self.random.choice(("STARTER", "STARTER", "STANDARD"))
        cycle, months = self.random.choice(list(BillingCycle)), self.random.randint(1, 6)
        kind = self.random.choice(("first", "renewal", "licence", "licence", "upgrade")) if ends else "first"
        if kind == "first":
            later = [today, today + timedelta(days=3), *ends, *(end + timedelta(days=5) for end in ends)]
            return TermItems(plan, self.random.randint(1, 3), cycle, months, self.random.choice(later))
        if kind == "renewal":
            return TermItems(plan, self.random.randint(1, 3), cycle, months)
        if kind == "licence":
            days = self.random.choice((0, 5, 40, 300))
            return LicenceItems(self.random.randint(1, 3), today + timedelta(days=days))
        return UpgradeItems("STANDARD")

    def ends(self, shop: Shop, rows: Rows) -> list[date]:
        """Where confirmed terms end, and the first one."""
        ordered = [row["ends_before"] for row in rows["contract_orders"] if row["status"] == "CONFIRMED"]
        return [*ordered, *([shop.term.period.ends_before] if shop.term else [])]

    def order_contract(self, shop: Shop, rows: Rows) -> tuple[str, Operation, str]:
        key, caller = self.key(), self.caller(shop)
        items = self.contract_items(shop, self.ends(shop, rows))
        command = ContractCommand(shop.customer.id, items, AGREED, key)
        name = type(items).__name__
        return f"order {name}", lambda: contract_orders.order(self.services, caller, name, command), key

    def purchase(self, rows: Rows, wanted: set[str]) -> RowMapping | None:
        """A purchase, likely one that stands where it is wanted and can still go on."""
        listed = rows["purchases"]
        likely = [
            row
            for row in listed
            if row["status"] in wanted and (row["status"] == "CONFIRMED" or self.clock.now < row["expires_at"])
        ]
        chosen = likely if likely and self.random.random() < 0.9 else listed
        return self.random.choice(chosen) if chosen else None

    def check_out(self, shop: Shop, rows: Rows) -> tuple[str, Operation, str]:
        purchase = self.purchase(rows, OPEN)
        if purchase is None:
            return self.place_spot(shop, rows)
        key, caller = self.key(), self.caller(shop)
        method = self.random.choice((*PaymentMethod, PaymentMethod.CREDIT_CARD))
        card = self.random.choice(CARDS) if method is PaymentMethod.CREDIT_CARD else None
        expected = total(shop.placed[purchase["id"]]) + (self.random.random() < 0.08)
        spots = [row for row in rows["spot_orders"] if row["purchase_id"] == purchase["id"]]
        if spots and self.random.random() < 0.5:
            single = CheckoutCommand(spots[0]["id"], method, expected, key, card)
            return "spotOrderCheckout", lambda: spot_orders.checkout(self.services, caller, single), key
        command = PurchaseCheckout(purchase["id"], method, expected, key, card)
        return f"purchaseCheckout {method}", lambda: payments.checkout(self.services, caller, command), key

    def cancel(self, shop: Shop, rows: Rows) -> tuple[str, Operation, str]:
        caller, kind = self.caller(shop), self.random.choice(("spot", "spot", "purchase", "renewal"))
        if kind == "spot" and rows["spot_orders"]:
            coming = [row for row in rows["spot_orders"] if row["status"] == "CONFIRMED"]
            order = self.random.choice(coming if coming and self.random.random() < 0.8 else rows["spot_orders"])["id"]
            return "spotOrderCancel", lambda: spot_orders.cancel(self.services, caller, order), ""
        purchase = self.purchase(rows, OPEN)
        if kind == "purchase" and purchase is not None:
            id_ = purchase["id"]
            return "purchaseCancel", lambda: purchases.cancel(self.services, caller, id_), ""
        customer_id = shop.customer.id
        return "cancelRenewal", lambda: contract_orders.cancel_renewal(self.services, caller, customer_id), ""

    def record(self, shop: Shop, rows: Rows) -> tuple[str, Operation, str]:
        """Cash that arrived or was given back: what the purchase's entries say, or a wrong amount."""
        owes: Counter[int] = Counter()
        for row in rows["ledger_entries"]:
            owes[row["purchase_id"]] += row["amount_minor"]
        awaited = {row["id"]: total(shop.placed[row["id"]]) for row in rows["purchases"] if row["status"] in OPEN}
        owes.update(awaited)
        likely = [id_ for id_, amount in owes.items() if amount]
        if not likely:
            return self.check_out(shop, rows)
        id_, key = self.random.choice(likely if self.random.random() < 0.9 else list(owes)), self.key()
        owed = owes[id_]
        wrong = self.random.choice((0, 0, 0, 1, -1, 5_500))
        operator = Caller(Role.OPERATOR, None)
        if owed > 0 and self.random.random() < 0.9:
            amount = owed + wrong

            async def pay() -> Any:
                result = await purchases.record_payment(self.services, operator, id_, amount, key)
                shop.paid_by_hand[id_] = await self.by_hand(id_, "PAYMENT")
                assert not wrong
                return result

            return "paymentRecord", pay, key
        amount = self.random.choice((-owed, -owed // 2)) + wrong

        async def give_back() -> Any:
            result = await purchases.record_refund(self.services, operator, id_, amount, key)
            shop.given_back_by_hand[id_] = await self.by_hand(id_, "REFUND")
            return result

        return "refundRecord", give_back, key

    async def by_hand(self, purchase_id: int, kind: str) -> int:
        """What was entered by hand for a purchase."""
        async with self.services.database.read() as session:
            amounts = await session.scalars(
                select(LedgerEntryRow.amount_minor).where(
                    LedgerEntryRow.purchase_id == purchase_id,
                    LedgerEntryRow.kind == kind,
                    LedgerEntryRow.payment_id.is_(None),
                )
            )
            return abs(sum(amounts))

    def event(self, shop: Shop, rows: Rows) -> tuple[str, Operation, str]:
        """The provider tells what has become of a payment: once, or what it told before once more."""
        known = [row["reference"] for row in rows["payments"] if row["reference"]]
        if shop.events and self.random.random() < 0.4:
            event = self.random.choice(shop.events)
        elif known:
            state = self.random.choice((PaymentState.SUCCEEDED, PaymentState.SUCCEEDED, *PaymentState))
            event = self.cards.event(self.random.choice(known), state)
            shop.events.append(event)
        else:
            return self.place_spot(shop, rows)
        return "event", lambda: payments.receive_event(self.services, event.body, event.headers), ""

    def quote(self, shop: Shop, rows: Rows) -> tuple[str, Operation, str]:
        key = self.key()
        if rows["quotes"] and self.random.random() < 0.6:
            chosen = self.random.choice(rows["quotes"][-3:])
            method = self.random.choice((None, *PaymentMethod))
            expected = chosen["total_minor"] + (self.random.random() < 0.1)
            order = OrderCommand(chosen["id"], AGREED, expected, method, key)
            caller = self.caller(shop)
            return "quoteAccept", lambda: quotes.accept(self.services, caller, order), key
        items: list[QuoteItems] = []
        for _ in range(self.random.randint(1, 4)):
            item = self.contract_items(shop, self.ends(shop, rows)) if self.random.random() < 0.35 else self.spot(shop)
            if not isinstance(item, UpgradeItems):
                items.append(item)
        until = self.today(shop) + timedelta(days=self.random.choice((0, 14, 90, 91)))
        command = QuoteCommand(shop.customer.id, None, tuple(items), until, key)
        sales = Caller(Role.SALES, None)
        return "quoteIssue", lambda: quotes.issue(self.services, sales, command), key

    def repeat(self, shop: Shop, rows: Rows) -> tuple[str, Operation, str]:
        """The very same request again: it leads to the same, and stores nothing but what a card's answer adds."""
        if not shop.repeatable:
            return self.time(shop, rows)
        operation, key, expected = self.random.choice(shop.repeatable[-8:])

        async def again() -> None:
            await self.drain()
            before = await self.rows(shop)
            result = await operation()
            after = await self.rows(shop)
            assert expected in {None, getattr(result, "id", None)}
            for table in ("purchases", "spot_orders", "contract_orders", "quotes", "payments", "idempotency_keys"):
                assert len(after[table]) == len(before[table]), f"{key} made another row in {table}"

        return "repeat", again, ""

    def time(self, _shop: Shop, _rows: Rows) -> tuple[str, Operation, str]:
        steps = (timedelta(minutes=7), timedelta(hours=9), timedelta(days=1), timedelta(days=15), timedelta(days=45))
        step = self.random.choices(steps, (6, 3, 3, 1, 1))[0]

        async def advance() -> None:
            self.clock.now += step
            if self.random.random() < 0.5:
                await self.drain()

        return "time", advance, ""

    # What the books say

    async def rows(self, shop: Shop) -> Rows:
        """Every row that is about a customer."""
        return await rows_of(self.services.database, shop.customer.id)

    async def check(self, shop: Shop, rows: Rows) -> None:
        orders: dict[int, list[RowMapping]] = defaultdict(list)
        entries: dict[int, list[RowMapping]] = defaultdict(list)
        documents: dict[int, list[RowMapping]] = defaultdict(list)
        card_payments: dict[int, list[RowMapping]] = defaultdict(list)
        for row in (*rows["spot_orders"], *rows["contract_orders"]):
            orders[row["purchase_id"]].append(row)
        for name, listed in (("ledger_entries", entries), ("documents", documents), ("payments", card_payments)):
            for row in rows[name]:
                listed[row["purchase_id"]].append(row)
        for purchase in rows["purchases"]:
            id_ = purchase["id"]
            now = by_rate((order["net_minor"], order["tax_basis_points"]) for order in orders[id_])
            assert shop.placed.setdefault(id_, now) == now
            check_entries(shop, id_, entries[id_], documents[id_], card_payments[id_])
            check_documents(purchase, shop.placed[id_], orders[id_], documents[id_])
            self.check_orders(shop, purchase, orders[id_], rows["main_contracts"][0]["due_at"])
            check_settled(purchase, entries[id_], card_payments[id_])
        self.check_provider(rows["payments"])
        acceptances = [row for row in rows[EventRow.__tablename__] if row["kind"] == "QUOTE_ACCEPTED"]
        assert len(acceptances) == sum(row["purchase_id"] is not None for row in rows["quotes"])
        async with self.services.database.read() as session:
            assert (await balances(session, [shop.customer.id]))[shop.customer.id] == sum(
                row["amount_minor"] for row in rows["ledger_entries"]
            )
        await self.check_capacity(shop, rows)

    def check_provider(self, stored: list[RowMapping]) -> None:
        """Money at the provider is what the payments say."""
        facts = self.cards._journal.facts()
        for payment in stored:
            reference = payment["reference"]
            refunds = [fact["amount_minor"] for fact in facts if reference and fact.get("refunded") == reference]
            assert sum(refunds) == payment["refunded_minor"] <= payment["amount_minor"]

    def check_orders(self, shop: Shop, purchase: RowMapping, orders: list[RowMapping], due_at: datetime | None) -> None:
        """Orders stand where their purchase stands; confirmed ones go on by themselves."""
        assert orders
        now, today = self.clock.now, self.today(shop)
        is_settled = due_at is None or due_at > now
        for order in orders:
            status = order["status"]
            is_spot = "months" in order
            if purchase["status"] != "CONFIRMED":
                assert status == purchase["status"]
                assert not is_spot or order["expires_at"] == purchase["expires_at"]
                continue
            assert status in ({*GIVES_CAPACITY, "CANCELLED"} if is_spot else {"CONFIRMED", "CANCELLED"})
            if is_spot:
                assert order["confirmed_at"] == purchase["confirmed_at"]
                assert order["payment_method"] == purchase["payment_method"]
                has_begun, is_over = order["starts_on"] <= today, order["ends_before"] <= today
                if status in GIVES_CAPACITY and is_settled:
                    assert status == ("ENDED" if is_over else "ACTIVE" if has_begun else "CONFIRMED")
            elif status == "CANCELLED":
                assert order["kind"] == "RENEWAL"
        if is_settled and purchase["status"] in OPEN:
            assert now < purchase["expires_at"]

    async def check_capacity(self, shop: Shop, rows: Rows) -> None:
        """Capacity on a few days: what the customer began with, and every confirmed order that was not taken back."""
        parts = [(item.period.starts_on, item.period.ends_before, item.accounts) for item in shop.licences]
        if shop.term:
            parts.append((shop.term.period.starts_on, shop.term.period.ends_before, shop.term.accounts))
        parts += [
            (order["starts_on"], ends_before(order["starts_on"], order["months"]), order["accounts"])
            for order in rows["spot_orders"]
            if order["status"] in GIVES_CAPACITY
        ]
        parts += [
            (order["starts_on"], order["ends_before"], order["units"] * order["accounts_per_unit"])
            for order in rows["contract_orders"]
            if order["status"] == "CONFIRMED" and order["kind"] != "UPGRADE"
        ]
        edges = [day for begin, end, _ in parts for day in (begin, end, end - timedelta(days=1))]
        days = {self.today(shop), *self.random.sample(edges, min(6, len(edges)))}
        async with self.services.database.read() as session:
            stored = (await contracts_by_customer(session, [shop.customer.id])).get(shop.customer.id)
        for day in days:
            expected = sum(accounts for begin, end, accounts in parts if begin <= day < end)
            assert capacity_on(stored.contract if stored else None, day) == expected, day


def check_entries(
    shop: Shop, purchase_id: int, entries: list[RowMapping], documents: list[RowMapping], stored: list[RowMapping]
) -> None:
    """Every document has one entry over its total; payments and refunds are those by card and by hand."""
    amounts: Counter[str] = Counter()
    for entry in entries:
        amounts[entry["kind"]] += entry["amount_minor"]
    signed = {row["id"]: row["total_minor"] * (1 if row["kind"] == "INVOICE" else -1) for row in documents}
    of_documents = [entry for entry in entries if entry["document_id"] is not None]
    assert {entry["document_id"]: entry["amount_minor"] for entry in of_documents} == signed
    assert len(of_documents) == len(documents)
    by_card = sum(row["amount_minor"] for row in stored if row["state"] == "SUCCEEDED")
    refunded = sum(row["refunded_minor"] for row in stored)
    paid = by_card + shop.paid_by_hand[purchase_id]
    given_back = refunded + shop.given_back_by_hand[purchase_id]
    assert (-amounts["PAYMENT"], amounts["REFUND"]) == (paid, given_back)
    assert given_back <= paid
    assert sum(amounts.values()) == sum(signed.values()) - paid + given_back


async def run(world: World, clock: TestClock, operations: int, seed: int) -> Machine:
    clock.now = datetime(2026, 4, 10, 3, tzinfo=UTC)
    cards = DemoProvider("a secret of the demo")
    machine = Machine(replace(world, services=with_cards(world.services, cards)), cards, clock, seed)
    await machine.run(operations)
    return machine


def with_cards(services: Services, cards: DemoProvider) -> Services:
    return replace(services, cards=cards)


async def test_the_books_add_up_after_every_operation(world: World, clock: TestClock) -> None:
    machine = await run(world, clock, SHORT, seed=6)
    assert machine.done.total() == SHORT
    assert {"paymentRecord", "refundRecord", "quoteAccept", "event", "repeat", "cancelRenewal"} <= set(machine.done)


@pytest.mark.soak
async def test_the_books_add_up_after_ten_thousand_operations(world: World, clock: TestClock) -> None:
    machine = await run(world, clock, LONG, seed=2)
    assert machine.done.total() == LONG
    assert {"CardDeclined", "ProviderUnavailableError", "PRICE_CHANGED", "CONTRACT_CHANGED"} <= set(machine.refused)


# What the machine has found, each by itself


@dataclass
class Till:
    """An operator who buys for customers; every request has a key of its own."""

    services: Services
    keys: "count[int]" = field(default_factory=count)
    caller: Caller = field(default_factory=lambda: Caller(Role.OPERATOR, None))

    def key(self) -> str:
        return f"till-{next(self.keys)}"

    async def order(self, customer: Customer, items: TermItems | LicenceItems | UpgradeItems) -> Purchase:
        command = ContractCommand(customer.id, items, AGREED, self.key())
        return await contract_orders.order(self.services, self.caller, "order", command)

    async def pay(self, purchase: Purchase, method: PaymentMethod = PaymentMethod.INVOICE) -> Purchase:
        command = PurchaseCheckout(purchase.id, method, purchase.total_minor, self.key())
        return (await payments.checkout(self.services, self.caller, command)).purchase


async def test_a_first_term_waits_until_the_contract_in_force_has_ended(world: World) -> None:
    """It would begin a new run at once: nothing could be added to the contract in force any more."""
    till, customer = Till(world.services), (await world.customer(starter())).customer
    for day in (date(2027, 4, 1), date(2027, 5, 1)):
        with pytest.raises(Refused) as refusal:
            await till.order(customer, TermItems("STARTER", 1, BillingCycle.ANNUAL, 1, day))
        assert [error.code for error in refusal.value.errors] == ["CONTRACT_IN_FORCE"]


async def test_a_later_upgrade_is_not_charged_on_top_of_an_earlier_one(world: World, clock: TestClock) -> None:
    till, customer = Till(world.services), (await world.customer(starter())).customer
    waiting = await till.pay(await till.order(customer, UpgradeItems("STANDARD")), PaymentMethod.BANK_TRANSFER)
    clock.now += timedelta(days=1)
    await till.pay(await till.order(customer, UpgradeItems("STANDARD")))
    with pytest.raises(Refused) as refusal:
        await purchases.record_payment(till.services, till.caller, waiting.id, waiting.total_minor, till.key())
    assert [error.code for error in refusal.value.errors] == ["CONTRACT_CHANGED"]


async def test_a_quote_has_one_term(world: World) -> None:
    till, customer = Till(world.services), (await world.customer(starter())).customer
    renewal = TermItems("STARTER", 1, BillingCycle.ANNUAL, 1)
    command = QuoteCommand(customer.id, None, (renewal, renewal), date(2026, 4, 30), till.key())
    with pytest.raises(Refused) as refusal:
        await quotes.issue(till.services, till.caller, command)
    assert [(error.code, error.field) for error in refusal.value.errors] == [("CONTRACT_IN_FORCE", "items[1]")]


async def test_what_is_on_its_way_back_to_the_card_is_not_given_back_by_hand(world: World) -> None:
    till = Till(with_cards(world.services, DemoProvider("a secret of the demo")))
    customer = (await world.customer(starter())).customer
    purchase = await till.order(customer, LicenceItems(1, date(2026, 5, 1)))
    command = PurchaseCheckout(purchase.id, PaymentMethod.CREDIT_CARD, purchase.total_minor, till.key(), "demo_timeout")
    with pytest.raises(ProviderUnavailableError):
        await payments.checkout(till.services, till.caller, command)
    await purchases.cancel(till.services, till.caller, purchase.id)
    await payments.checkout(till.services, till.caller, command)  # finds out that it was paid: too late
    with pytest.raises(RefundOutOfRange):
        await purchases.record_refund(till.services, till.caller, purchase.id, purchase.total_minor, till.key())
    assert await payments.refund(till.services) == 1
    async with till.services.database.read() as session:
        assert (await balances(session, [customer.id]))[customer.id] == 0
