"""A server that is killed at any instruction, on both databases: what it acknowledged is there, nothing is half done.

Clients register accounts, buy spots and move the clock on, so that spots end and accounts go. In the midst of that the
server's process is killed. On the one that follows, whatever was not acknowledged is sent again with its key.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from httpx import TransportError
from sqlalchemy import select

from db.clock import start_clock, stored_now
from db.contracts import next_due_at
from db.customers import save_policy
from db.tables import AccountGroupMemberRow, AccountGroupRow, AccountRow, IdempotencyKeyRow, SpotOrderRow
from domain.accounts import AUTO_DEACTIVATION
from domain.customers import DeactivationPolicy
from domain.global_ids import parse_id
from resolvers.access import Role
from resolvers.services import Services
from tests.people import REGISTER
from tests.processes import Server, free_port
from tests.replay import check_history
from tests.world import CHECKOUT, PLACE, Api, Owned, TestClock, World, place_input, starter

pytestmark = pytest.mark.anyio

CUSTOMERS = 3
CLIENTS_PER_CUSTOMER = 4
ADVANCE = """mutation Advance($input: TestClockAdvanceInput!) {
  testClockAdvance(input: $input) { now errors { code } } }"""
COUNTS = "{ customers(first: 100) { edges { node { accountCount } } } }"
AGAIN = 5
"""So many of the last acknowledged requests are sent again, too: nothing must come of it."""


@dataclass
class Sent:
    """A mutation, sent once or again; ``payload`` is None until it is acknowledged."""

    query: str
    token: str
    given: dict[str, Any]
    payload: dict[str, Any] | None = None

    async def to(self, api: Api) -> dict[str, Any]:
        """The payload. What was accepted before is the same again; what was refused may be accepted now."""
        (payload,) = (await api.data(self.query, self.token, input=self.given)).values()
        assert self.ids in ([], self.ids_in(payload))
        self.payload = payload
        return self.payload

    @property
    def ids(self) -> list[str]:
        """The accounts or the order that it made; none if it was refused, or is not known yet."""
        return self.ids_in(self.payload or {})

    @staticmethod
    def ids_in(payload: dict[str, Any]) -> list[str]:
        made = [*payload.get("accounts", []), *filter(None, [payload.get("order")])]
        return [item["id"] for item in made]


@dataclass
class Load:
    """What the clients have sent, round for round, and how far they set the clock."""

    owners: Sequence[Owned]
    operator: str
    random: Random
    now: datetime
    sent: list[Sent] = field(default_factory=list)
    kill_after: int = 0
    """So many requests in all, then the server goes."""
    ripe: asyncio.Event = field(default_factory=asyncio.Event)
    advancing: asyncio.Event = field(default_factory=asyncio.Event)

    async def run_until_killed(self, api: Api, server: Server, *, in_a_fall: bool) -> None:
        """Send requests until the server is gone, which must be because it was killed."""
        killing = asyncio.create_task(self._kill(server, in_a_fall=in_a_fall))
        clients = [self._work(api, owner) for owner in self.owners for _ in range(CLIENTS_PER_CUSTOMER)]
        results = await asyncio.gather(*clients, return_exceptions=True)
        was_killed = killing.done()
        killing.cancel()
        assert ([result for result in results if not isinstance(result, TransportError)], was_killed) == ([], True)

    async def _kill(self, server: Server, *, in_a_fall: bool) -> None:
        """SIGKILL at a random moment; or when spots have just ended, so that falls are being written down."""
        self.kill_after = len(self.sent) + self.random.randint(10, 60)
        self.ripe.clear()
        await self.ripe.wait()
        if in_a_fall:
            self.advancing.clear()
            await self.advancing.wait()
        await asyncio.sleep(self.random.uniform(0, 0.06))
        server.kill()

    async def _work(self, api: Api, owner: Owned) -> None:
        while True:
            action = self.random.choices([self._register, self._buy, self._advance], [24, 5, 1])[0]
            await action(api, owner)

    async def _send(self, api: Api, query: str, token: str, **given: Any) -> dict[str, Any]:
        request = Sent(query, token, given)
        self.sent.append(request)
        if len(self.sent) >= self.kill_after:
            self.ripe.set()
        return await request.to(api)

    def _key(self) -> str:
        return f"k{len(self.sent)}"

    async def _register(self, api: Api, owner: Owned) -> None:
        key = self._key()
        accounts = [
            {
                "externalId": f"{key}-{number}",
                "name": f"User {number}",
                "groups": self.random.sample(["north", "south", "staff"], self.random.randrange(3)),
            }
            for number in range(self.random.choice([1, 1, 4, 12, 60]))
        ]
        await self._send(api, REGISTER, owner.token, accounts=accounts, idempotencyKey=key)

    async def _buy(self, api: Api, owner: Owned) -> None:
        starts_on = owner.customer.day_at(self.now) + timedelta(days=self.random.randrange(3))
        accounts = 100 * self.random.randint(1, 3)
        given = place_input(self._key(), startsOn=str(starts_on), accounts=accounts)
        order = (await self._send(api, PLACE, owner.token, **given))["order"]
        if order is not None:
            total = order["price"]["total"]["minorUnits"]
            pay = {"orderId": order["id"], "paymentMethod": "INVOICE", "expectedTotal": total}
            await self._send(api, CHECKOUT, owner.token, **pay, idempotencyKey=self._key())

    async def _advance(self, api: Api, _owner: Owned) -> None:
        """Up to 40 days: spots run for a month, and an order expires after half an hour."""
        self.now += timedelta(hours=self.random.randrange(24 * 40))
        self.advancing.set()
        await self._send(api, ADVANCE, self.operator, to=self.now.isoformat())


@asynccontextmanager
async def serving(services: Services, folder: Path, module: str) -> AsyncIterator[tuple[Server, Api]]:
    """A server in a process of its own, and a client of it; it may be killed meanwhile."""
    environment = {
        "SPOTPLAN_DATABASE_URL": services.settings.database_url,
        "SPOTPLAN_PLANNER_WORKERS": "1",
        "SPOTPLAN_CLOCK": "test",
    }
    server = Server("serve", folder=folder, port=free_port(), module=module, **environment)
    try:
        await asyncio.to_thread(server.wait_until_up)
        async with server.client() as client:
            yield server, Api(client)
    finally:
        server.kill()


def keys_of(texts: Iterable[str]) -> list[int]:
    return [parse_id(text)[1] for text in texts]


async def check_settled(services: Services, load: Load, api: Api) -> None:
    """Whoever reads settles what is due."""
    await api.data(COUNTS, load.operator)
    async with services.database.read() as session:
        due_at = await next_due_at(session, ())
    assert due_at is None or due_at > load.now


async def check_acknowledged(services: Services, load: Load) -> None:
    """What was acknowledged is there, whole, once, and nothing else is."""
    assert all(request.payload is not None for request in load.sent)
    made: dict[str, list[Sent]] = defaultdict(list)
    for request in load.sent:
        if request.ids:
            made[request.query].append(request)
    async with services.database.read() as session:
        stored = await session.execute(select(AccountRow.id, AccountRow.external_id))
        accounts = {row.id: row.external_id for row in stored}
        orders = {row.id: row.status for row in await session.execute(select(SpotOrderRow.id, SpotOrderRow.status))}
        keys = list(await session.scalars(select(IdempotencyKeyRow.key)))
        now = await stored_now(session)
    assert accounts == {
        id_: entry["externalId"]
        for request in made[REGISTER]
        for id_, entry in zip(keys_of(request.ids), request.given["accounts"], strict=True)
    }
    assert sorted(orders) == sorted(keys_of(id_ for request in made[PLACE] for id_ in request.ids))
    paid = set(keys_of(id_ for request in made[CHECKOUT] for id_ in request.ids))
    assert {id_ for id_, status in orders.items() if status in {"CONFIRMED", "ACTIVE", "ENDED"}} == paid
    assert sorted(keys) == sorted(request.given["idempotencyKey"] for items in made.values() for request in items)
    assert now == load.now


async def check_whole(services: Services, load: Load) -> Counter[bool]:
    """Each registration is there with all its accounts and groups, or not at all.

    Of those that were not acknowledged: how many are there, and how many are not.
    """
    groups: dict[str, set[str]] = defaultdict(set)
    async with services.database.read() as session:
        query = (
            select(AccountRow.external_id, AccountGroupRow.name)
            .outerjoin(AccountGroupMemberRow, AccountGroupMemberRow.account_id == AccountRow.id)
            .outerjoin(AccountGroupRow, AccountGroupRow.id == AccountGroupMemberRow.group_id)
        )
        for external_id, group in await session.execute(query):
            groups[external_id].update({group} - {None, AUTO_DEACTIVATION})
    lost: Counter[bool] = Counter()
    for request in (item for item in load.sent if item.query == REGISTER):
        entries = request.given["accounts"]
        there = [entry for entry in entries if entry["externalId"] in groups]
        assert len(there) in {0, len(entries)}
        assert [groups[entry["externalId"]] for entry in there] == [set(entry["groups"]) for entry in there]
        if request.payload is None:
            lost[there != []] += 1
        else:
            assert bool(there) == bool(request.ids)
    return lost


@pytest.mark.parametrize("rounds", [3, pytest.param(50, marks=pytest.mark.soak)])
async def test_what_was_acknowledged_survives_and_nothing_is_half_done(
    world: World, clock: TestClock, services: Services, tmp_path: Path, rounds: int
) -> None:
    module = "cli.main" if rounds > 3 else "tests.bare_server"
    owners = [await world.customer(starter(ends_before="2046-04-01"), name=f"C{n}") for n in range(CUSTOMERS)]
    async with services.database.write() as session:
        await start_clock(session, clock.now)
        await save_policy(session, owners[0].customer.id, DeactivationPolicy.EXCESS_ONLY)
    kind = "sqlite" if services.database.is_sqlite else "postgresql"
    load = Load(owners, await world.token(Role.OPERATOR), Random(f"{kind} {rounds}"), clock.now)
    lost: Counter[bool] = Counter()
    for number in range(rounds + 1):
        async with serving(services, tmp_path, module) as (server, api):
            await check_history(services.database)
            lost += await check_whole(services, load)
            for request in [item for item in load.sent if item.payload is None] + load.sent[-AGAIN:]:
                await request.to(api)
            await check_settled(services, load, api)
            await check_acknowledged(services, load)
            if number < rounds:
                await load.run_until_killed(api, server, in_a_fall=number % 2 == 0)
            else:
                server.stop()
            assert server.errors == []
    await check_history(services.database)
    made = Counter(item.query for item in load.sent if item.ids)
    print(
        f"{kind}: {rounds} rounds, {made[REGISTER]} registrations, {made[CHECKOUT]} spots; {lost[True]} + {lost[False]}"
    )
    if rounds > 3:
        assert min(lost[True], lost[False], made[REGISTER] // rounds, made[CHECKOUT] // rounds) > 0
