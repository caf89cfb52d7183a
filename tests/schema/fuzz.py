"""A fuzzer of the whole API: random requests by every kind of caller, and what must be true of every answer.

The same seed on the same database makes the same requests, so a failure is found again by the seed that it names. It
stops at the first one, and shows the request.
"""

import gc
import logging
import re
import warnings
from asyncio import CancelledError
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any

from httpx import ASGITransport, AsyncClient, Request, Response
from sqlalchemy import select
from starlette.types import ASGIApp

from db.clock import start_clock
from db.commerce_tables import (
    ContractOrderRow,
    DocumentRow,
    PurchaseRow,
    QuoteRow,
    SavedRecommendationRow,
)
from db.tables import AccountGroupRow, AccountRow, CapacityFallRow, MainContractRow, SpotOrderRow
from db.webhook_tables import WebhookEndpointRow
from payments.demo import DemoProvider
from resolvers.access import Role
from resolvers.services import Services, SettableClock
from schema.app import create_app
from tests.commerce import AGREED, SAVE, accepted, mutation, operator, ordered
from tests.people import registered
from tests.schema.fuzz_after import check_database
from tests.schema.fuzz_checks import NUMBER, SCHEMA, Found, check, is_owner, require, type_and_key
from tests.schema.fuzz_requests import Asked, Requests
from tests.schema.fuzz_values import CUSTOMERS, DAYS, HOUSE, PERSON, Known
from tests.schema.fuzz_websocket import Conversation, conversation
from tests.world import Api, Owned, TestClock, World, confirmed, placed, starter

ROWS: dict[str, Any] = {
    "Account": AccountRow,
    "AccountGroup": AccountGroupRow,
    "CapacityFall": CapacityFallRow,
    "ContractOrder": ContractOrderRow,
    "Document": DocumentRow,
    "MainContract": MainContractRow,
    "Purchase": PurchaseRow,
    "Quote": QuoteRow,
    "SavedRecommendation": SavedRecommendationRow,
    "SpotOrder": SpotOrderRow,
    "WebhookEndpoint": WebhookEndpointRow,
}
OF_NUMBERS = {"SO": "SpotOrder", "PU": "Purchase", "CO": "ContractOrder", "Q": "Quote"}
LOOK_EVERY = 50
"""After so many requests time goes on, each caller must still be answered, and what fits together is looked up."""
CONVERSE_EVERY = 10
"""Each of so many requests is a conversation over WebSocket."""
STEPS = (0, 0, 0, 0, 600, 7_000, 86_400 * 9)
"""Seconds that time goes on."""
MORTAL = re.compile(r"(?:QWNjb3VudEdyb3Vw|V2ViaG9va0VuZHBvaW50)\w*=*")
"""Ids of groups and endpoints: whose they were is not known any more when they are gone."""
WHO = "{ viewer { role customer { name } } }"


OPEN = """{ customer {
  purchases(first: 8) { edges { node { id total { minorUnits } spotOrders { id } } } }
  quotes(first: 3) { edges { node { id total { minorUnits } } } } } }"""


def right_inputs(customer: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Fields that fit together, by input type: what is bought with its total."""
    right: dict[str, list[dict[str, Any]]] = {
        "QuoteAcceptInput": [
            {"quoteId": edge["node"]["id"], "expectedTotal": edge["node"]["total"]["minorUnits"]}
            for edge in customer["quotes"]["edges"]
        ]
    }
    for node in (edge["node"] for edge in customer["purchases"]["edges"]):
        total = node["total"]["minorUnits"]
        right.setdefault("PurchaseCheckoutInput", []).append({"purchaseId": node["id"], "expectedTotal": total})
        for name in ("PaymentRecordInput", "RefundRecordInput"):
            right.setdefault(name, []).append({"purchaseId": node["id"], "amount": total})
        for order in node["spotOrders"]:
            right.setdefault("SpotOrderCheckoutInput", []).append({"orderId": order["id"], "expectedTotal": total})
    return right


class Errors(logging.Handler):
    """What is logged as an error: a crash somebody may not be told of."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(self.format(record))


@dataclass
class Fuzz:
    """Two customers, everybody's tokens, and what was asked so far."""

    world: World
    client: AsyncClient
    app: ASGIApp
    clock: TestClock
    seed: int
    owners: dict[str, Owned] = field(default_factory=dict)
    tokens: dict[str, str | None] = field(default_factory=dict)
    known: Known = field(default_factory=Known)
    answered: Counter[str] = field(default_factory=Counter)
    """Requests by kind; answers with data, by what was asked; codes of errors."""
    errors: Errors = field(default_factory=Errors)
    owner_of: dict[str, str] = field(default_factory=dict)
    """Whose an id or number is; that never changes."""

    async def begin(self) -> None:
        """Two customers with one of everything, all of whose texts are marked."""
        api = Api(self.client)
        for name in CUSTOMERS:
            self.owners[name] = await self.world.customer(starter(units=2), name=f"{HOUSE[name]} Academy")
            await self._fill(api, name, self.owners[name])
        await self.sign_in()

    async def _fill(self, api: Api, name: str, owned: Owned) -> None:
        token, house, person = owned.token, HOUSE[name], PERSON[name]
        people = [
            {
                "externalId": f"{person}{number}" if number > 2 else f"shared{number}",
                "name": f"{person}{number}",
                "email": f"{person}{number}@example.com",
                "groups": [f"{house}{number % 3}", "shared1"],
            }
            for number in range(1, 9)
        ]
        made = [item["id"] for item in await registered(api, token, people)]
        made.append((await confirmed(api, token, "shared1", startsOn="2026-04-10"))["id"])
        made.append((await placed(api, token, "shared2"))["id"])
        licences = await ordered(api, token, "additionalLicenceOrder", "shared3", units=1, startsOn="2026-05-01")
        made += [licences["id"], licences["contractOrders"][0]["id"]]
        csv = "2026-05-01,2026-06-01,450"
        made.append((await accepted(api, token, SAVE, demand={"csv": csv}))["recommendationId"])
        item = {"spot": {"accounts": 100, "startsOn": "2026-05-01", "months": 1}}
        given = {"customerId": owned.id, "items": [item], "validUntil": "2026-06-30", "idempotencyKey": "shared4"}
        sales = await self.world.token(Role.SALES)
        made.append((await accepted(api, sales, mutation("quoteIssue", "quote { id }"), **given))["quote"]["id"])
        hook = mutation("webhookEndpointAdd", "endpoint { id }")
        made.append((await accepted(api, token, hook, url=f"https://{house}.example/x"))["endpoint"]["id"])
        query = (
            "{ customer { id mainContract { id } accountGroups { id } documents(first: 9) { edges { node { id } } } } }"
        )
        about = (await api.data(query, token))["customer"]
        made += [about["id"], about["mainContract"]["id"], *(item["id"] for item in about["accountGroups"])]
        made += [edge["node"]["id"] for edge in about["documents"]["edges"]]
        for key in made:
            self.known.learn(name, type_and_key(key)[0], key)
        assert AGREED == "2026-04-01"

    async def sign_in(self) -> None:
        """New tokens for everybody: callers end each other's, and their own."""
        owners = {name: await self.world.token(Role.OWNER, owned.customer.id) for name, owned in self.owners.items()}
        everybody = {"sales": await self.world.token(Role.SALES), "operator": await operator(self.world)}
        self.tokens = {"nobody": None, "stranger": "spt_" + "x" * 43, **owners, **everybody}

    async def run(self, requests: int) -> None:
        """So many requests, one after the other.

        Raises:
            AssertionError: an answer is not as it must be; the message has the seed, the request and the answer.
        """
        rng = Random(self.seed)
        making = Requests(SCHEMA, self.known, rng)
        logger = logging.getLogger()
        logger.addHandler(self.errors)
        try:
            for number in range(requests):
                if number % CONVERSE_EVERY == CONVERSE_EVERY - 1:
                    await self.converse(conversation(making, rng, self.tokens), number)
                else:
                    await self.ask(making.next(), number)
                if number % LOOK_EVERY == LOOK_EVERY - 1:
                    self.clock.now += timedelta(seconds=rng.choice(STEPS))
                    await self.look()
        finally:
            logger.removeHandler(self.errors)

    async def ask(self, asked: Asked, number: int = 0) -> None:
        """One request and its answer.

        Raises:
            AssertionError: as for :meth:`run`.
        """
        response: Response | None = None
        for key in MORTAL.findall(asked.carried):
            self.owner_of[key] = self.owner_of.get(key) or await self._owner(key)
        try:
            response = await self.client.send(self._request(asked))
            await self._check_whose(asked, check(asked, response))
            require(not self.errors.said, f"an error was logged: {self.errors.said}")
        except (Exception, CancelledError) as error:  # nobody cancels: it is one that has escaped
            answer = f"{response.status_code} {response.text[:3_000]}" if response else "no answer"
            raise AssertionError(f"seed {self.seed}, request {number}: {error!r}\n{asked}\n{answer}") from error
        self._count(asked, response)
        if "token" in asked.carried:  # tokenRotate, tokenRevoke
            await self.sign_in()

    async def converse(self, conversation: Conversation, number: int = 0) -> None:
        """A conversation over WebSocket.

        Raises:
            AssertionError: as for :meth:`run`.
        """
        for key in MORTAL.findall(conversation.asked.carried):
            self.owner_of[key] = self.owner_of.get(key) or await self._owner(key)
        try:
            with warnings.catch_warnings():
                # A connection that closes cancels operations that have only just begun, and with them coroutines that
                # never ran. Over HTTP nothing does, so there the warning is a fault.
                warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
                await conversation.run(self.app)
                gc.collect(1)
            await self._check_whose(conversation.asked, conversation.check())
            require(not self.errors.said, f"an error was logged: {self.errors.said}")
        except (Exception, CancelledError) as error:
            raise AssertionError(f"seed {self.seed}, request {number}: {error!r}\n{conversation}"[:20_000]) from error
        self.answered[f"over WebSocket: {conversation.outcome}"] += 1
        if "token" in conversation.asked.carried:
            await self.sign_in()

    def _request(self, asked: Asked) -> Request:
        token = self.tokens[asked.caller]
        headers = asked.headers | ({} if token is None else {"Authorization": f"Bearer {token}"})
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        return self.client.build_request(asked.method, asked.address, headers=raw, content=asked.content)

    def _count(self, asked: Asked, response: Response) -> None:
        """What kind of request had what kind of answer: data, or the code of its first error."""
        code = re.search(r'"code":"(\w+)"', response.text)
        has_data = re.search(r'"data":\{"[^"]*":[^n]', response.text)
        outcome = "data" if has_data else code[1] if code else str(response.status_code)
        self.answered[f"{asked.kind}: {outcome}"] += 1

    async def _check_whose(self, asked: Asked, found: Found) -> None:
        """Owners get their own customer's objects alone, and who is not signed in none."""
        self.known.cursors = [*self.known.cursors, *found.cursors][-20:]
        if asked.caller in {"sales", "operator"}:
            return
        for key in (*found.ids, *found.numbers):
            whose = self.owner_of.get(key) or await self._owner(key)
            require(whose == asked.caller, f"{key} is {whose}'s, for {asked.caller}")
            self.owner_of[key] = whose
        for key in found.ids if is_owner(asked.caller) else ():
            self.known.learn(asked.caller, type_and_key(key)[0], key)

    async def _owner(self, key: str) -> str:
        """Whose an object is, by what the database says; empty where it is nobody's."""
        names = {owned.customer.id: name for name, owned in self.owners.items()}
        number = NUMBER.fullmatch(key)
        type_name, id_ = (
            type_and_key(key) if number is None else (OF_NUMBERS.get(number[1], "Document"), int(number[3]))
        )
        if type_name == "Customer":
            return names.get(id_, "")
        row = ROWS[type_name]
        where = [row.id == id_]
        if number is not None and type_name == "Document":
            kind = {"INV": "INVOICE", "CN": "CREDIT_NOTE"}[number[1]]
            where = [row.serial == id_, row.year == int(number[2]), row.kind == kind]
        async with self.world.services.database.read() as session:
            return names.get(await session.scalar(select(row.customer_id).where(*where)) or 0, "")

    async def look(self) -> None:
        """Everybody is still answered."""
        api = Api(self.client)
        for name, owned in self.owners.items():
            viewer = (await api.data(WHO, self.tokens[name]))["viewer"]
            assert viewer == {"role": "OWNER", "customer": {"name": owned.customer.name}}
            self.known.right[name] = right_inputs((await api.data(OPEN, self.tokens[name]))["customer"])
        today = self.world.services.clock().date()
        later = (today + timedelta(days=days) for days in (0, 0, 1, 20, 45))
        self.known.days = (*map(str, later), *DAYS)
        for role in ("sales", "operator"):
            assert (await api.data(WHO, self.tokens[role]))["viewer"] == {"role": role.upper(), "customer": None}


@asynccontextmanager
async def fuzzing(services: Services, clock: TestClock, seed: int, *, settable: bool = False) -> AsyncIterator[Fuzz]:
    """Two customers on a server whose rates stop nobody; operators can set its clock where it is ``settable``.

    Afterwards the database is as it must be.
    """
    often = "1000000/second"
    settings = replace(
        services.settings,
        rate_signed_in=often,
        rate_anonymous=often,
        solves_per_caller_max=100,
        order_expiry_minutes=60 * 24 * 3,
    )
    services = replace(services, settings=settings, cards=DemoProvider("a secret of the demo"))
    if settable:
        async with services.database.write() as session:
            await start_clock(session, clock.now)
        services = replace(services, clock=SettableClock(services.database))
        await services.refresh_clock()
    app = create_app(services)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://testserver") as client:
        fuzz = Fuzz(World(services), client, app, clock, seed)
        await fuzz.begin()
        yield fuzz
        await fuzz.look()
    await check_database(services, (owned.customer for owned in fuzz.owners.values()))
