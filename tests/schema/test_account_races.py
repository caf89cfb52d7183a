"""Many clients at the same moment, in one process and in two: capacity is never exceeded, a fall is handled once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import select

from db.clock import advance_clock, start_clock
from db.tables import AccountGroupMemberRow, AccountRow, CapacityFallRow, DeactivationRow, EventRow
from domain.months import ONE_DAY, ends_before
from resolvers.access import Role
from resolvers.services import Services
from resolvers.settling import settle_all
from tests.people import REACTIVATE, REGISTER, SIGN_IN, people, registered
from tests.processes import Server, free_port
from tests.world import Api, Owned, TestClock, World, confirmed, starter

pytestmark = pytest.mark.anyio

CLIENTS = 64
PLACES = 10
CAPACITY = 100
FALLS = """query Falls { customer { accountCount capacityFalls(first: 5) { edges { node {
  on capacityBefore capacityAfter countedBefore countedAfter deactivatedCount } } } } }"""
PREVIEW = "query Preview($on: Date!) { deactivationPreview(on: $on) { capacity countedAfter deactivatedCount } }"
ADVANCE = "mutation { testClockAdvance(input: {days: 0}) { now errors { code } } }"

Request = tuple[str, str, dict[str, Any]]
"""A query with its token and variables."""


@dataclass(frozen=True)
class Place:
    """Where a race is run: the API of each process on one database, and the clock of all of them."""

    apis: Sequence[Api]
    world: World
    clock: TestClock
    set_clock: Callable[[datetime], Awaitable[None]]

    @property
    def services(self) -> Services:
        return self.world.services

    async def race(self, requests: Sequence[Request]) -> list[dict[str, Any]]:
        """The answers to requests that are sent at the same moment, to each process by turns."""
        apis = cycle(self.apis)
        return await asyncio.gather(*(next(apis).data(query, token, **given) for query, token, given in requests))

    async def customer(self, name: str, counted: int) -> Owned:
        """A customer with so many of 100 places taken."""
        owner = await self.world.customer(starter(ends_before="2031-04-01"), name=name)
        await registered(self.apis[0], owner.token, people(1, counted))
        return owner

    async def during_a_spot(self, owners: Sequence[Owned], first: int, last: int) -> date:
        """Register accounts on the first day of a spot of 100, which is tomorrow; the day after its last one."""
        tomorrow = owners[0].customer.day_at(self.clock()) + ONE_DAY
        for owner in owners:
            await confirmed(self.apis[0], owner.token, startsOn=str(tomorrow))
        await self.set_clock(owners[0].customer.day_begins_at(tomorrow))
        for owner in owners:
            await registered(self.apis[0], owner.token, people(first, last))
        return ends_before(tomorrow, 1)


@pytest.fixture
def one_process(api: Api, world: World, clock: TestClock) -> Place:
    async def set_clock(now: datetime) -> None:
        clock.now = now

    return Place([api], world, clock, set_clock)


@asynccontextmanager
async def two_processes(world: World, clock: TestClock, folder: Path) -> AsyncIterator[Place]:
    """Two servers on one database, with a worker each."""
    services = world.services
    environment = {
        "SPOTPLAN_DATABASE_URL": services.settings.database_url,
        "SPOTPLAN_CLOCK": "test",
    }
    async with services.database.write() as session:
        await start_clock(session, clock.now)

    async def set_clock(now: datetime) -> None:
        clock.now = now
        async with services.database.write() as session:
            assert await advance_clock(session, now)

    with ExitStack() as servers:
        started = []
        for name in ("a", "b"):
            (folder / name).mkdir()
            server = Server("serve", folder=folder / name, port=free_port(), module="tests.bare_server", **environment)
            servers.callback(server.kill)
            started.append(server)
        async with AsyncExitStack() as clients:
            apis = []
            for server in started:
                await asyncio.to_thread(server.wait_until_up)
                apis.append(Api(await clients.enter_async_context(server.client())))
            yield Place(apis, world, clock, set_clock)
        for server in started:
            server.stop()
            assert server.errors == []


async def accounts_of(place: Place, owner: Owned) -> dict[int, tuple[str, str]]:
    """External id and status of every account, by id."""
    query = select(AccountRow.id, AccountRow.external_id, AccountRow.status)
    async with place.services.database.read() as session:
        rows = await session.execute(query.where(AccountRow.customer_id == owner.customer.id))
        return {id_: (external_id, status) for id_, external_id, status in rows}


async def events_of(place: Place, owner: Owned, kind: str) -> list[EventRow]:
    """The events of a kind, oldest first."""
    query = select(EventRow).where(EventRow.customer_id == owner.customer.id, EventRow.kind == kind)
    async with place.services.database.read() as session:
        return list(await session.scalars(query.order_by(EventRow.id)))


async def group_members(place: Place, owner: Owned) -> set[int]:
    """The accounts in any group, of which there is only the built-in one."""
    query = select(AccountGroupMemberRow.account_id)
    async with place.services.database.read() as session:
        return set(await session.scalars(query.where(AccountGroupMemberRow.customer_id == owner.customer.id)))


def no_room(field: str, requested: int = 1, available: int = 0) -> dict[str, Any]:
    """The error of a request that finds fewer places free."""
    return {
        "__typename": "CapacityExceeded",
        "code": "CAPACITY_EXCEEDED",
        "field": field,
        "message": f"{requested} accounts were requested, but {available} of {CAPACITY} are free today.",
        "requested": requested,
        "available": available,
        "capacity": CAPACITY,
        "nextFreeOn": None,
    }


async def registrations_race(place: Place) -> None:
    """64 clients race for the last 10 places."""
    owner = await place.customer("Registrations", CAPACITY - PLACES)
    earlier = await events_of(place, owner, "ACCOUNT_REGISTERED")
    newcomers = people(91, 90 + CLIENTS)
    requests = [(REGISTER, owner.token, {"input": {"accounts": [entry]}}) for entry in newcomers]
    payloads = [answer["accountRegister"] for answer in await place.race(requests)]
    accepted = {item["externalId"] for payload in payloads for item in payload["accounts"]}
    assert len(accepted) == PLACES
    assert [payload["errors"] for payload in payloads if not payload["accounts"]] == [[no_room("accounts")]] * 54
    accounts = await accounts_of(place, owner)
    assert len(accounts) == CAPACITY
    assert {external_id for external_id, _ in accounts.values()} == {f"u{n}" for n in range(1, 91)} | accepted
    assert {status for _, status in accounts.values()} == {"ACTIVE"}
    events = await events_of(place, owner, "ACCOUNT_REGISTERED")
    assert [event.id for event in events[:90]] == [event.id for event in earlier]
    assert [event.counted_after for event in events] == list(range(1, CAPACITY + 1))
    assert {accounts[event.account_id or 0][0] for event in events[90:]} == accepted
    assert len({event.account_id for event in events}) == CAPACITY


async def batches_race(place: Place) -> None:
    """64 clients with 1 to 4 accounts each: all of theirs or none, and each is told how many places it found."""
    owner = await place.customer("Batches", CAPACITY - PLACES)
    random, begin = Random(1), 91
    sizes = [random.randint(1, 4) for _ in range(CLIENTS)]
    requests: list[Request] = []
    for size in sizes:
        requests.append((REGISTER, owner.token, {"input": {"accounts": people(begin, begin + size - 1)}}))
        begin += size
    payloads = [answer["accountRegister"] for answer in await place.race(requests)]
    accepted = [size for size, payload in zip(sizes, payloads, strict=True) if payload["errors"] == []]
    assert [len(payload["accounts"]) for payload in payloads if payload["accounts"]] == accepted
    accounts = await accounts_of(place, owner)
    events = await events_of(place, owner, "ACCOUNT_REGISTERED")
    assert len(accounts) == len(events) == 90 + sum(accepted) <= CAPACITY
    assert [event.counted_after for event in events] == list(range(1, len(events) + 1))
    # What was free between two batches, in the order in which they were registered.
    order = {event.account_id: position for position, event in enumerate(events)}
    ids = {external_id: id_ for id_, (external_id, _) in accounts.items()}
    begins = sorted(order[ids[payload["accounts"][0]["externalId"]]] for payload in payloads if payload["accounts"])
    free = {CAPACITY - count for count in [*begins, len(events)]}
    for size, payload in zip(sizes, payloads, strict=True):
        if payload["errors"]:
            available = payload["errors"][0]["available"]
            assert (available in free, available < size) == (True, True)
            assert payload["errors"] == [no_room("accounts", size, available)]


async def reactivations_race(place: Place) -> None:
    """64 accounts are out, 10 places are free, and each wants one. The fall is due when they ask."""
    owner = await place.customer("Reactivations", CAPACITY - PLACES)
    end = await place.during_a_spot([owner], 91, 90 + CLIENTS)
    ids = {external_id: id_ for id_, (external_id, _) in (await accounts_of(place, owner)).items()}
    out = {ids[f"u{number}"] for number in range(91, 91 + CLIENTS)}
    node_ids = await node_ids_of(place, owner)
    await place.set_clock(owner.customer.day_begins_at(end))
    requests = [
        (REACTIVATE, owner.token, {"input": {"accountIds": [node_ids[f"u{number}"]]}})
        for number in range(91, 91 + CLIENTS)
    ]
    payloads = [answer["accountReactivate"] for answer in await place.race(requests)]
    back = {ids[item["externalId"]] for payload in payloads for item in payload["accounts"]}
    assert len(back) == PLACES
    assert [payload["errors"] for payload in payloads if not payload["accounts"]] == [[no_room("accountIds")]] * 54
    statuses = {id_: status for id_, (_, status) in (await accounts_of(place, owner)).items()}
    assert {id_ for id_, status in statuses.items() if status == "DEACTIVATED"} == out - back
    assert Counter(statuses.values()) == {"ACTIVE": CAPACITY, "DEACTIVATED": 54}
    assert await group_members(place, owner) == out - back
    events = await events_of(place, owner, "ACCOUNT_REACTIVATED")
    assert {event.account_id for event in events} == back
    assert [event.counted_after for event in events] == list(range(91, CAPACITY + 1))
    assert len(await events_of(place, owner, "ACCOUNT_DEACTIVATED")) == CLIENTS


async def node_ids_of(place: Place, owner: Owned) -> dict[str, str]:
    """Global ids by external id."""
    query = """query Ids($after: String) { customer { accounts(first: 100, after: $after) {
      pageInfo { hasNextPage endCursor } edges { node { id externalId } } } } }"""
    found: dict[str, str] = {}
    page: dict[str, Any] = {"hasNextPage": True, "endCursor": None}
    while page["hasNextPage"]:
        data = await place.apis[0].data(query, owner.token, after=page["endCursor"])
        found.update({edge["node"]["externalId"]: edge["node"]["id"] for edge in data["customer"]["accounts"]["edges"]})
        page = data["customer"]["accounts"]["pageInfo"]
    return found


async def a_fall_that_is_due_is_raced_for(place: Place) -> None:
    """Readers, writers and workers come at the instant when three customers lose 100 accounts of capacity."""
    owners = [await place.customer(f"Falls {number}", CAPACITY - PLACES) for number in range(3)]
    end = await place.during_a_spot(owners, 91, 150)
    operator = await place.world.token(Role.OPERATOR)
    await place.set_clock(owners[0].customer.day_begins_at(end))
    requests: list[Request] = []
    for owner in owners:
        requests += [(SIGN_IN, owner.token, {"who": f"u{number}"}) for number in (*range(1, 7), *range(145, 151))]
        entries = people(200, 211)
        requests += [(REGISTER, owner.token, {"input": {"accounts": [entry]}}) for entry in entries]
        requests += [(FALLS, owner.token, {})] * 4
        requests += [(PREVIEW, owner.token, {"on": str(end)})] * 4
    if len(place.apis) > 1:  # there the servers have the settable clock themselves
        requests += [(ADVANCE, operator, {})] * 4
    Random(1).shuffle(requests)
    answers, *settled = await asyncio.gather(place.race(requests), *(settle_all(place.services) for _ in range(3)))
    assert sum(settled) <= len(owners)
    asked = list(zip(requests, answers, strict=True))
    for (query, _, given), answer in asked:
        if query == SIGN_IN:
            assert answer == {"signInAllowed": int(given["who"][1:]) <= 90}, given
        elif query == ADVANCE:
            assert answer["testClockAdvance"]["errors"] == []
    fell = {
        "on": str(end),
        "capacityBefore": 200,
        "capacityAfter": 100,
        "countedBefore": 150,
        "countedAfter": 90,
        "deactivatedCount": 60,
    }
    falls = [answer["customer"] for (query, _, _), answer in asked if query == FALLS]
    assert [item["capacityFalls"]["edges"] for item in falls] == [[{"node": fell}]] * 12
    previews = [answer["deactivationPreview"] for (query, _, _), answer in asked if query == PREVIEW]
    assert {(item["capacity"], item["deactivatedCount"]) for item in previews} == {(100, 0)}
    counts = [item["accountCount"] for item in falls] + [item["countedAfter"] for item in previews]
    assert all(90 <= count <= CAPACITY for count in counts)
    for owner in owners:
        await one_fall_was_handled(place, owner)


async def one_fall_was_handled(place: Place, owner: Owned) -> None:
    """60 accounts are out, each once; 10 of the 12 that asked have their places; nothing was logged twice."""
    accounts = await accounts_of(place, owner)
    out = {id_ for id_, (_, status) in accounts.items() if status == "DEACTIVATED"}
    assert {accounts[id_][0] for id_ in out} == {f"u{number}" for number in range(91, 151)}
    assert Counter(status for _, status in accounts.values()) == {"ACTIVE": CAPACITY, "DEACTIVATED": 60}
    assert await group_members(place, owner) == out
    async with place.services.database.read() as session:
        query = select(CapacityFallRow).where(CapacityFallRow.customer_id == owner.customer.id)
        (fall,) = await session.scalars(query)
        rows = select(DeactivationRow.position, DeactivationRow.account_id).where(DeactivationRow.fall_id == fall.id)
        deactivations = {row.position: row.account_id for row in await session.execute(rows)}
        kinds = select(EventRow.kind).where(EventRow.customer_id == owner.customer.id)
        events = Counter(await session.scalars(kinds))
    assert sorted(deactivations) == list(range(1, 61))
    assert set(deactivations.values()) == out
    assert {event.account_id for event in await events_of(place, owner, "ACCOUNT_DEACTIVATED")} == out
    assert events == {
        "ACCOUNT_REGISTERED": 90 + 60 + PLACES,
        "SPOT_ORDER_PLACED": 1,
        "SPOT_ORDER_CONFIRMED": 1,
        "INVOICE_ISSUED": 1,
        "SPOT_STARTED": 1,
        "SPOT_ENDED": 1,
        "CAPACITY_FELL": 1,
        "ACCOUNT_DEACTIVATED": 60,
    }


async def test_64_registrations_race_for_10_places(one_process: Place) -> None:
    await registrations_race(one_process)


async def test_64_batches_race_for_10_places(one_process: Place) -> None:
    await batches_race(one_process)


async def test_64_reactivations_race_for_10_places(one_process: Place) -> None:
    await reactivations_race(one_process)


async def test_a_fall_that_is_due_is_handled_once_whoever_comes_first(one_process: Place) -> None:
    await a_fall_that_is_due_is_raced_for(one_process)


@pytest.mark.parametrize("database_url", [pytest.param("sqlite", marks=pytest.mark.soak), "postgresql"], indirect=True)
async def test_the_same_races_between_two_servers(world: World, clock: TestClock, tmp_path: Path) -> None:
    async with two_processes(world, clock, tmp_path) as place:
        await registrations_race(place)
        await batches_race(place)
        await reactivations_race(place)
        await a_fall_that_is_due_is_raced_for(place)
