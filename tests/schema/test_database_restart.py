"""PostgreSQL is restarted in the midst of requests: clients see only failures that may be retried, and lose nothing.

A server of its own, since it is restarted: as an operator does it, and as after a crash.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from alembic.runtime.environment import EnvironmentContext
from httpx import ASGITransport, AsyncClient
from sqlalchemy import select, text

from db.engine import SERVER_SETTINGS, Database, DatabaseUnavailableError
from db.migrate import migrate
from db.tables import AccountRow, IdempotencyKeyRow, SpotOrderRow
from planner.workers import PlannerPool
from resolvers.services import Services
from schema.app import create_app
from settings import Settings
from tests.people import REGISTER
from tests.postgresql import PostgresqlServer, postgresql
from tests.world import CHECKOUT, PLACE, Owned, TestClock, World, place_input, starter

pytestmark = pytest.mark.anyio

CLIENTS = 20
ANSWERS_BETWEEN = 60
PAGE = "{ viewer { role } customer { name accountCount accounts(first: 10) { edges { node { id } } } } }"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlServer]:
    with postgresql() as found:
        migrate(found.address)
        yield found


@pytest.fixture
async def services(server: PostgresqlServer, planner: PlannerPool, clock: TestClock) -> AsyncIterator[Services]:
    database = Database(server.address)
    unlimited = "1000000/minute"  # who cannot be signed in meanwhile counts by address
    settings = Settings(database_url=server.address, rate_signed_in=unlimited, rate_anonymous=unlimited)
    yield Services(settings, database, planner, clock)
    await database.close()


@dataclass
class Clients:
    """Who asks, what was made by which key, and which errors were seen."""

    client: AsyncClient
    owners: list[Owned]
    is_over: bool = False
    answered: int = 0
    made: dict[str, str] = field(default_factory=dict)
    errors: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    async def work(self) -> None:
        while not self.is_over:
            number = next(self.numbers)
            owner = self.owners[number % len(self.owners)]
            await [self._read, self._register, self._order][number % 3](owner, f"k{number}")

    async def _read(self, owner: Owned, _key: str) -> None:
        await self._answer(owner, PAGE)

    async def _register(self, owner: Owned, key: str) -> None:
        entries = [{"externalId": key, "name": "Mei Abe"}]
        payload = await self._answer(owner, REGISTER, accounts=entries, idempotencyKey=key)
        self.made[key] = payload["accounts"][0]["id"]

    async def _order(self, owner: Owned, key: str) -> None:
        order = (await self._answer(owner, PLACE, **place_input(key)))["order"]
        total = order["price"]["total"]["minorUnits"]
        pay = {"orderId": order["id"], "paymentMethod": "INVOICE", "expectedTotal": total}
        paid = await self._answer(owner, CHECKOUT, **pay, idempotencyKey=f"{key}-pay")
        assert paid["order"]["status"] == "CONFIRMED"
        self.made[key] = order["id"]

    async def _answer(self, owner: Owned, query: str, **given: Any) -> dict[str, Any]:
        """The payload, after as many attempts as it takes."""
        body = {"query": query, "variables": {"input": given}}
        while True:
            response = await self.client.post("/graphql", json=body, headers={"Authorization": f"Bearer {owner.token}"})
            answer = response.json()
            if "errors" not in answer:
                self.answered += 1
                payload: dict[str, Any] = list(answer["data"].values())[-1]
                assert payload.get("errors", []) == []
                return payload
            for error in answer["errors"]:
                extensions = error["extensions"]
                self.errors[response.status_code, extensions["code"], extensions.get("retryable")] += 1
            await asyncio.sleep(0.02)

    async def more(self, working: list[asyncio.Task[None]]) -> None:
        """Wait until so many more were answered, and no client has failed."""
        until = self.answered + ANSWERS_BETWEEN
        while self.answered < until:
            done, _ = await asyncio.wait(working, timeout=0.01)
            for task in done:
                task.result()


@pytest.mark.parametrize("how", ["fast", "immediate"])
async def test_what_is_seen_of_a_restart_may_be_retried_and_nothing_is_lost(
    server: PostgresqlServer, services: Services, world: World, how: str
) -> None:
    owners = [await world.customer(starter(units=100), name=f"{how} {number}") for number in range(4)]
    transport = ASGITransport(create_app(services))
    async with AsyncClient(transport=transport, base_url="http://testserver", timeout=60) as client:
        clients = Clients(client, owners)
        working = [asyncio.create_task(clients.work()) for _ in range(CLIENTS)]
        await clients.more(working)
        await asyncio.to_thread(server.restart, how)
        await clients.more(working)
        clients.is_over = True
        await asyncio.gather(*working)
    assert set(clients.errors) == {(200, "UNAVAILABLE", True)}
    await check_stored(services, owners, clients.made)


async def test_connections_that_were_idle_meanwhile_are_not_noticed(server: PostgresqlServer) -> None:
    database = Database(server.address)

    async def ask() -> None:
        async with database.read() as session:
            await session.execute(text("SELECT pg_sleep(0.05)"))  # so that each has a connection of its own

    await asyncio.gather(*(ask() for _ in range(10)))
    assert database.connections() == {"all": (0, 10)}
    await asyncio.to_thread(server.restart, "fast")
    await asyncio.gather(*(ask() for _ in range(10)))
    await database.close()


async def test_a_statement_that_takes_too_long_may_be_retried(server: PostgresqlServer) -> None:
    database = Database(server.address)

    async def ask() -> None:
        async with database.read() as session:
            await session.execute(text("SET LOCAL statement_timeout = 10"))
            await session.execute(text("SELECT pg_sleep(60)"))

    with pytest.raises(DatabaseUnavailableError, match="canceling statement due to statement timeout"):
        await ask()
    await database.close()


async def test_who_waits_in_a_transaction_is_stopped_and_the_connection_replaced(
    server: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SERVER_SETTINGS, "idle_in_transaction_session_timeout", "10")
    database = Database(server.address)

    async def dawdle() -> None:
        async with database.write() as session:
            await session.execute(text("SELECT 1"))
            await asyncio.sleep(0.5)
            await session.execute(text("SELECT 1"))

    with pytest.raises(DatabaseUnavailableError):
        await dawdle()
    assert await database.is_ready()
    await database.close()


def test_migrations_may_take_longer_than_statements(server: PostgresqlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []

    def show(context: EnvironmentContext) -> None:
        connection = context.get_context().connection
        assert connection is not None
        shown.append(connection.exec_driver_sql("SHOW statement_timeout").scalar())

    monkeypatch.setattr(EnvironmentContext, "run_migrations", show)
    migrate(server.address)
    assert shown == ["0"]


async def check_stored(services: Services, owners: list[Owned], made: dict[str, str]) -> None:
    """All that was acknowledged is there, once, and nothing else is."""
    customers = [owner.customer.id for owner in owners]
    async with services.database.read() as session:
        accounts = select(AccountRow.external_id).where(AccountRow.customer_id.in_(customers))
        orders = select(SpotOrderRow.id).where(
            SpotOrderRow.customer_id.in_(customers), SpotOrderRow.status == "CONFIRMED"
        )
        keys = select(IdempotencyKeyRow.key).where(IdempotencyKeyRow.customer_id.in_(customers))
        registered, ordered = list(await session.scalars(accounts)), list(await session.scalars(orders))
        used = list(await session.scalars(keys))
    placed = [key for key, id_ in made.items() if key not in registered]
    assert len(registered) == len(set(registered)) == len(made) - len(placed)
    assert len(ordered) == len(placed)
    assert sorted(used) == sorted([*made, *(f"{key}-pay" for key in placed)])
