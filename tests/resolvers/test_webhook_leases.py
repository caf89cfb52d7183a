"""Processes that deliver webhooks at the same time, crash, stand still or are stopped: nothing is lost or overtaken."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from db.engine import Database, DatabaseUnavailableError
from db.tables import MainContractRow
from db.webhooks import Lease, claim_endpoint, due_endpoints, leased_endpoint, save_endpoint
from domain.contracts import Term
from domain.history import Event
from domain.webhooks import Endpoint, Outcome
from resolvers import webhook_delivery, webhooks
from resolvers.services import Services
from resolvers.settling import open_customer
from resolvers.webhook_delivery import LEASE, deliver_all, work
from resolvers.webhook_sending import Sender
from tests.receiver import DROP, HANG, HANGS_SECONDS, Answer, Receiver
from tests.webhook_scene import OPERATOR, Scene, meanwhile, number, opened_scene
from tests.world import TestClock, starter

pytestmark = pytest.mark.anyio


@pytest.fixture
async def scene(services: Services, clock: TestClock) -> AsyncIterator[Scene]:
    async with opened_scene(services, clock) as opened:
        yield opened


async def test_a_slow_endpoint_does_not_keep_another_waiting(scene: Scene) -> None:
    await scene.endpoint("/slow")
    await scene.endpoint("/quick")
    ids = await scene.happened(3)
    scene.receiver.answers["/slow"].append(HANG)
    patient = Sender(scene.services.settings, timeout_seconds=2 * HANGS_SECONDS)
    delivering = asyncio.create_task(deliver_all(scene.services, patient))
    await scene.receiver.wait_for(4)
    assert scene.receiver.ids("/slow") == ids[:1]
    assert scene.receiver.ids("/quick") == ids
    delivering.cancel()
    await asyncio.gather(delivering, return_exceptions=True)


async def test_who_crashes_between_sending_and_writing_down_sends_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = await scene.endpoint()
    ids = await scene.happened(2)

    async def crash(*_given: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(webhook_delivery, "save_endpoint", crash)
        assert await scene.deliver() == 0
    assert caplog.messages == [
        f"delivering to webhook endpoint {endpoint.id} failed; its lease runs out, then it goes on"
    ]
    assert await scene.attempts(endpoint) == []
    scene.clock.now += LEASE - timedelta(microseconds=1)
    assert await scene.deliver() == 0
    assert scene.receiver.ids() == ids[:1]
    scene.clock.now += timedelta(microseconds=1)
    assert await scene.deliver() == 2
    assert scene.receiver.ids() == [ids[0], *ids]
    assert scene.receiver.received[0].body == scene.receiver.received[1].body


async def test_a_lease_is_long_enough_for_every_event_of_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that take a while each: nobody else takes the endpoint before the last of them."""
    await scene.endpoint()
    ids = await scene.happened(5)
    original = scene.sender.send

    async def send(client: httpx.AsyncClient, endpoint: Endpoint, event: Event) -> Outcome:
        scene.clock.now += LEASE / 2
        assert await deliver_all(scene.services, Sender(scene.services.settings)) == 0
        return await original(client, endpoint, event)

    monkeypatch.setattr(scene.sender, "send", send)
    assert await scene.deliver() == 5
    assert scene.receiver.ids() == ids


async def test_nothing_is_locked_while_something_is_sent(scene: Scene) -> None:
    """While the receiver takes its time, others change its customer and its endpoint."""
    endpoint = await scene.endpoint()
    ids = await scene.happened()
    scene.receiver.answers["/hook"].append(HANG)
    delivering = asyncio.create_task(scene.deliver())
    await scene.receiver.wait_for(1)
    async with asyncio.timeout(HANGS_SECONDS):
        ids += await scene.happened()
        assert (await webhooks.enable(scene.services, OPERATOR, endpoint.id)).is_enabled
    delivering.cancel()
    await asyncio.gather(delivering, return_exceptions=True)
    assert await scene.deliver() == 2
    assert scene.receiver.ids() == [ids[0], *ids]


async def test_who_is_stopped_lets_go_at_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_delivery, "POLL_SECONDS", 0.01)
    await scene.endpoint()
    scene.receiver.answers["/hook"].extend([204, HANG])
    worker = asyncio.create_task(work(scene.services))
    ids = await scene.happened(2)
    await scene.receiver.wait_for(2)
    worker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await worker
    assert scene.receiver.ids() == ids
    assert await scene.deliver() == 1  # without waiting for the lease
    assert scene.receiver.ids() == [*ids, ids[1]]


async def test_the_worker_goes_on_after_a_failure(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[Exception] = [ZeroDivisionError(), DatabaseUnavailableError("away")]

    async def due(*given: Any) -> list[int]:
        if failures:
            raise failures.pop()
        return await due_endpoints(*given)

    monkeypatch.setattr(webhook_delivery, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(webhook_delivery, "due_endpoints", due)
    await scene.endpoint()
    ids = await scene.happened()
    worker = asyncio.create_task(work(scene.services))
    await scene.receiver.wait_for(1)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    assert scene.receiver.ids() == ids
    assert caplog.messages == ["webhooks wait for the database: away", "webhooks failed; the next round tries again"]


async def test_two_workers_deliver_each_event_once(scene: Scene, database_url: str) -> None:
    other = Database(database_url)
    both = [scene.services, replace(scene.services, database=other)]
    owners = [await scene.world.customer(starter(), name=f"Customer {index}") for index in range(4)]
    for index, owner in enumerate(owners):
        await scene.endpoint(f"/{index}", owner)
    expected: list[list[str]] = [[], [], [], []]
    for _ in range(5):
        for index, owner in enumerate(owners):
            expected[index] += await scene.happened(2, owner)
        assert sum(await asyncio.gather(*(deliver_all(item, scene.sender) for item in both))) == 8
    assert [scene.receiver.ids(f"/{index}") for index in range(4)] == expected
    await other.close()


async def test_only_one_of_many_gets_the_lease(scene: Scene, database_url: str) -> None:
    """All of them have seen that there is something to do before the first of them takes it."""
    databases = [Database(database_url) for _ in range(4)]
    endpoint = await scene.endpoint()
    ids = await scene.happened(3)
    ready = asyncio.Barrier(len(databases))

    async def take(database: Database) -> bool:
        await ready.wait()
        async with database.write() as session:
            now = scene.clock.now
            return await claim_endpoint(session, Lease(endpoint.id, str(id(database))), now, now + LEASE) is not None

    assert sorted(await asyncio.gather(*map(take, databases))) == [False, False, False, True]
    assert await scene.deliver() == 0
    scene.clock.now += LEASE
    assert await scene.deliver() == 3
    assert scene.receiver.ids() == ids
    for database in databases:
        await database.close()


async def test_many_endpoints_at_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_delivery, "AT_ONCE_MAX", 3)
    owners = [await scene.world.customer(starter(), name=f"Customer {index}") for index in range(7)]
    for index, owner in enumerate(owners):
        await scene.endpoint(f"/{index}", owner)
    expected = [await scene.happened(2, owner) for owner in owners]
    assert await scene.deliver() == 14
    assert [scene.receiver.ids(f"/{index}") for index in range(7)] == expected


async def test_who_was_left_alone_for_longest_is_next(scene: Scene) -> None:
    first, second, third = [await scene.endpoint(path) for path in ("/1", "/2", "/3")]
    await scene.happened()
    scene.receiver.answers["/2"].append(500)
    scene.clock.now += timedelta(seconds=1)
    assert await scene.deliver() == 2
    scene.clock.now += timedelta(seconds=10)
    async with scene.services.database.read() as session:
        assert await due_endpoints(session, scene.clock.now, 9) == [second.id]
    assert await scene.deliver() == 1
    await scene.happened()
    async with scene.services.database.read() as session:
        assert await due_endpoints(session, scene.clock.now, 9) == [first.id, third.id, second.id]
        assert await due_endpoints(session, scene.clock.now, 1) == [first.id]


async def test_who_has_lost_the_lease_writes_nothing_down(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that stood still for longer than its lease, while another one delivered everything."""
    endpoint = await scene.endpoint()
    ids = await scene.happened(2)
    scene.receiver.answers["/hook"].append(500)

    async def stand_still() -> None:
        scene.clock.now += LEASE
        assert await deliver_all(scene.services, Sender(scene.services.settings)) == 2

    meanwhile(scene, monkeypatch, stand_still)
    assert await scene.deliver() == 0
    assert scene.receiver.ids() == [ids[0], *ids]
    after = await scene.current(endpoint)
    assert (after.position, after.attempts, after.last_error) == (number(ids[1]), 0, None)
    assert await scene.attempts(endpoint) == [(ids[0], 1, 204, None), (ids[1], 1, 204, None)]


async def test_who_has_lost_the_lease_does_not_end_anothers(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = await scene.endpoint()
    await scene.happened()
    other = Lease(endpoint.id, "other")

    async def stand_still() -> None:
        scene.clock.now += LEASE
        async with scene.services.database.write() as session:
            until = scene.clock.now + LEASE
            assert await claim_endpoint(session, other, scene.clock.now, until) is not None

    meanwhile(scene, monkeypatch, stand_still)
    assert await scene.deliver() == 0
    async with scene.services.database.write() as session:
        assert await leased_endpoint(session, other) == endpoint


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("terms", [[starter()], []])
async def test_who_writes_events_of_a_customer_excludes_others_on_every_plan(scene: Scene, terms: list[Term]) -> None:
    """Otherwise a later event could be seen and delivered before an earlier one is committed, which would be lost."""
    owner = await scene.world.customer(*terms, name="Other")

    async def write_too() -> None:
        async with scene.services.database.write() as session:
            query = select(MainContractRow).where(MainContractRow.customer_id == owner.customer.id)
            await session.execute(query.with_for_update(nowait=True))

    async with scene.services.database.write() as session:
        await open_customer(session, owner.customer.id, scene.clock)
        with pytest.raises(DBAPIError, match="could not obtain lock"):
            await write_too()
    await write_too()


class Turmoil:
    """Random failures: receivers that answer anything, and processes that crash while they write down."""

    def __init__(self, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.random = Random(seed)
        self.is_over = False
        self.saves = 0
        monkeypatch.setattr(webhook_delivery, "save_endpoint", self._save_or_crash)

    def answer(self, _path: str) -> Answer:
        if self.is_over:
            return 204
        return self.random.choice([204, 204, 204, 200, 500, 503, 404, 302, DROP, HANG, b"HTTP/1.1 200 OK\r\n\r\n"])

    async def _save_or_crash(self, session: AsyncSession, endpoint: Endpoint) -> None:
        """Now and then, and the first time, what was sent is not written down: the transaction is undone."""
        await save_endpoint(session, endpoint)
        self.saves += 1
        if not self.is_over and (self.saves == 1 or self.random.random() < 0.2):
            raise ZeroDivisionError


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 30))])
async def test_whatever_fails_each_customers_events_come_in_order_without_a_gap(
    scene: Scene,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    seed: int,
) -> None:
    caplog.set_level(logging.CRITICAL, "spotplan")
    turmoil = Turmoil(seed, monkeypatch)
    other = Database(database_url)
    both = [scene.services, replace(scene.services, database=other)]
    hasty = Sender(scene.services.settings, timeout_seconds=0.05)
    owners = [scene.owner, await scene.world.customer(starter(), name="Other")]
    endpoints = [await scene.endpoint(f"/{index}", owner) for index, owner in enumerate(owners)]
    expected: list[list[str]] = [[], []]
    scene.receiver.on_request = turmoil.answer
    for _ in range(20):
        index = turmoil.random.randrange(2)
        expected[index] += await scene.happened(turmoil.random.randint(1, 3), owners[index])
        workers = turmoil.random.choice([both, both[:1]])
        await asyncio.gather(*(deliver_all(item, hasty) for item in workers))
        scene.clock.now += timedelta(seconds=turmoil.random.choice([0, 6, 61, 331, 3_600, 86_400]))
    turmoil.is_over = True
    scene.clock.now += LEASE
    for endpoint in endpoints:
        await webhooks.enable(scene.services, OPERATOR, endpoint.id)
    await scene.deliver()
    assert [await scene.pending(endpoint) for endpoint in endpoints] == [0, 0]
    for index, ids in enumerate(expected):
        assert_in_order(scene.receiver, f"/{index}", ids)
    await other.close()


def assert_in_order(receiver: Receiver, path: str, ids: list[str]) -> None:
    """Every event came, each again and again until it was answered 2xx, and none before the one before it was."""
    came: list[str] = []
    acknowledged = True
    for request in receiver.received:
        if request.path == path:
            if acknowledged and request.id not in came:
                came.append(request.id)
                acknowledged = False
            assert request.id == came[-1]
            acknowledged = acknowledged or request.answer in {200, 204, b"HTTP/1.1 200 OK\r\n\r\n"}
    assert came == ids
    assert acknowledged
