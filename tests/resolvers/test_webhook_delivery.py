"""Delivering on both databases to a real receiver: every event, in order, at least once, whatever fails."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from standardwebhooks import Webhook

from db.engine import Database, DatabaseUnavailableError
from db.history import events_after, last_event_id
from db.tables import MainContractRow
from db.webhooks import Lease, claim_endpoint, due_endpoints, leased_endpoint, save_endpoint
from domain.contracts import Term
from domain.customers import DeactivationPolicy
from domain.history import Event, EventKind
from domain.webhooks import RETRY_SECONDS, Endpoint, Outcome
from resolvers import accounts, reads, webhook_delivery, webhooks
from resolvers.access import Caller, Role
from resolvers.services import Services, SettableClock
from resolvers.settling import open_customer
from resolvers.webhook_delivery import LEASE, deliver_all, work
from resolvers.webhook_sending import Sender
from tests.people import DELETE, people, registered
from tests.receiver import DROP, HANG, HANGS_SECONDS, Answer, Receiver, receiving
from tests.world import Api, Owned, TestClock, World, confirmed, starter

pytestmark = pytest.mark.anyio

OPERATOR = Caller(Role.OPERATOR, None)


@pytest.fixture
def services(services: Services) -> Services:
    """Webhooks may go to this machine."""
    settings = replace(services.settings, webhook_http="allowed", webhook_private_networks="allowed")
    return replace(services, settings=settings)


@dataclass(frozen=True)
class Scene:
    """A customer, a receiver, and short ways to let something happen, to deliver, and to look."""

    services: Services
    world: World
    owner: Owned
    receiver: Receiver
    sender: Sender
    clock: TestClock

    async def endpoint(
        self, path: str = "/hook", owner: Owned | None = None, kinds: list[EventKind] | None = None
    ) -> Endpoint:
        """A new endpoint at the receiver."""
        customer_id = (owner or self.owner).customer.id
        return await webhooks.add(self.services, OPERATOR, customer_id, self.receiver.url(path), kinds)

    async def happened(self, count: int = 1, owner: Owned | None = None) -> list[str]:
        """The ids of the messages of so many new events."""
        customer_id = (owner or self.owner).customer.id
        ids = []
        for _ in range(count):
            [customer] = await reads.customers(self.services, [customer_id])
            assert customer is not None
            [policy] = set(DeactivationPolicy) - {customer.deactivation_policy}
            await accounts.set_policy(self.services, OPERATOR, customer_id, policy)
            async with self.services.database.read() as session:
                ids.append(f"evt_{await last_event_id(session, customer_id)}")
        return ids

    async def deliver(self) -> int:
        return await deliver_all(self.services, self.sender)

    async def current(self, endpoint: Endpoint) -> Endpoint:
        found = await webhooks.endpoint(self.services, OPERATOR, endpoint.id)
        assert found is not None
        return found

    async def pending(self, endpoint: Endpoint) -> int:
        return (await webhooks.pending(self.services, [endpoint.id]))[0]

    async def attempts(self, endpoint: Endpoint) -> list[tuple[str, int, int | None, str | None]]:
        """What is kept of the attempts, oldest first: message, attempt, status, error."""
        page = await webhooks.delivery_page(self.services, endpoint.id, first=100, before_id=None)
        return [
            (f"evt_{item.event_id}", item.attempt, item.outcome.status_code, item.outcome.error)
            for item in reversed(page.items)
        ]


@pytest.fixture
async def scene(services: Services, world: World, clock: TestClock) -> AsyncIterator[Scene]:
    owner = await world.customer(starter())
    async with receiving() as receiver:
        yield Scene(services, world, owner, receiver, Sender(services.settings), clock)


def meanwhile(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, do: Callable[[], Awaitable[None]], *, before: bool = False
) -> None:
    """Do something once, between an answer and its writing down, or before something is sent."""
    original, done = scene.sender.send, False

    async def send(client: httpx.AsyncClient, endpoint: Endpoint, event: Event) -> Outcome:
        nonlocal done
        first, done = not done, True
        if first and before:
            await do()
        outcome = await original(client, endpoint, event)
        if first and not before:
            await do()
        return outcome

    monkeypatch.setattr(scene.sender, "send", send)


def number(message_id: str) -> int:
    return int(message_id.removeprefix("evt_"))


async def test_events_come_signed_and_in_order_and_name_objects_that_can_be_asked_for(scene: Scene, api: Api) -> None:
    endpoint = await scene.endpoint()
    accounts_ = await registered(api, scene.owner.token, people(1, 2))
    order = await confirmed(api, scene.owner.token)
    assert await scene.deliver() == 5
    messages = [Webhook(endpoint.secret).verify(item.body, item.headers) for item in scene.receiver.received]
    assert [message["type"] for message in messages] == [
        "account.registered",
        "account.registered",
        "spot_order.placed",
        "spot_order.confirmed",
        "invoice.issued",
    ]
    assert [message["data"]["accountId"] for message in messages] == [
        *(item["id"] for item in accounts_),
        *[None] * 3,
    ]
    assert [message["data"]["spotOrderId"] for message in messages] == [None, None, *[order["id"]] * 2, None]
    assert {message["data"]["customerId"] for message in messages} == {scene.owner.id}
    assert [message["data"]["countedAfter"] for message in messages] == [1, 2, None, None, None]
    assert messages[0]["data"]["changes"] == {"status": {"before": None, "after": "ACTIVE"}}
    assert scene.receiver.ids() == [f"evt_{message['data']['eventNumber']}" for message in messages]
    assert await scene.deliver() == 0
    assert len(scene.receiver.received) == 5


async def test_no_personal_data_leaves(scene: Scene, api: Api) -> None:
    await scene.endpoint()
    person = {"externalId": "x-77", "name": "Mei Abe", "email": "mei@abe.example", "groups": ["Learners"]}
    found = await registered(api, scene.owner.token, [person])
    await api.data(DELETE, scene.owner.token, input={"accountIds": [found[0]["id"]]})
    assert await scene.deliver() == 2
    sent = " ".join(item.body + str(item.headers) for item in scene.receiver.received)
    assert [text for text in ("Mei", "Abe", "abe.example", "x-77", scene.owner.customer.name) if text in sent] == []


async def test_only_what_happens_after_it_was_added_is_sent(scene: Scene) -> None:
    await scene.happened(2)
    await scene.endpoint()
    assert await scene.deliver() == 0
    ids = await scene.happened()
    assert await scene.deliver() == 1
    assert scene.receiver.ids() == ids


async def test_every_customer_has_its_own(scene: Scene) -> None:
    other = await scene.world.customer(starter(), name="Other")
    await scene.endpoint("/mine")
    await scene.endpoint("/other", other)
    mine = await scene.happened()
    others = await scene.happened(owner=other)
    mine += await scene.happened()
    assert await scene.deliver() == 3
    assert (scene.receiver.ids("/mine"), scene.receiver.ids("/other")) == (mine, others)


async def test_kinds_are_filtered_and_the_others_passed_over(scene: Scene, api: Api) -> None:
    endpoint = await scene.endpoint(kinds=[EventKind.ACCOUNT_DELETED])
    assert endpoint.kinds == frozenset({EventKind.ACCOUNT_DELETED})
    found = await registered(api, scene.owner.token, people(1, 3))
    assert await scene.pending(endpoint) == 0
    assert await scene.deliver() == 0
    assert (await scene.current(endpoint)).position == endpoint.position + 3
    await api.data(DELETE, scene.owner.token, input={"accountIds": [found[0]["id"]]})
    ids = await scene.happened()
    assert await scene.pending(endpoint) == 1
    assert await scene.deliver() == 1
    assert [item.message["type"] for item in scene.receiver.received] == ["account.deleted"]
    assert (await scene.current(endpoint)).position == number(ids[0])
    assert await scene.attempts(endpoint) == [(f"evt_{number(ids[0]) - 1}", 1, 204, None)]


async def test_an_event_that_failed_is_not_passed_over(scene: Scene, api: Api) -> None:
    """Though events that the endpoint does not want follow it."""
    endpoint = await scene.endpoint(kinds=[EventKind.ACCOUNT_REGISTERED])
    await registered(api, scene.owner.token, people(1, 1))
    await scene.happened(2)
    scene.receiver.answers["/hook"].append(500)
    assert await scene.deliver() == 0
    assert (await scene.current(endpoint)).position == endpoint.position
    scene.clock.now += timedelta(seconds=6)
    assert await scene.deliver() == 1
    assert scene.receiver.ids() == [f"evt_{endpoint.position + 1}"] * 2
    assert (await scene.current(endpoint)).position == endpoint.position + 3


async def test_more_events_than_one_lease_takes(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_delivery, "EVENTS_PER_LEASE_MAX", 2)
    await scene.endpoint()
    ids = await scene.happened(5)
    assert await scene.deliver() == 5
    assert scene.receiver.ids() == ids


async def test_nothing_overtakes_an_event_that_failed(scene: Scene) -> None:
    endpoint = await scene.endpoint()
    first, second = await scene.happened(2)
    scene.receiver.answers["/hook"].extend([500, DROP])
    assert await scene.deliver() == 0
    failed = await scene.current(endpoint)
    assert (failed.attempts, failed.last_error, failed.position) == (1, "the answer was 500", endpoint.position)
    assert failed.next_attempt_at is not None
    assert timedelta(seconds=5) <= failed.next_attempt_at - scene.clock.now <= timedelta(seconds=5.5)
    assert await scene.pending(endpoint) == 2
    scene.clock.now = failed.next_attempt_at - timedelta(microseconds=1)
    assert await scene.deliver() == 0
    assert scene.receiver.ids() == [first]
    scene.clock.now = failed.next_attempt_at
    assert await scene.deliver() == 0
    assert scene.receiver.ids() == [first, first]
    scene.clock.now += timedelta(seconds=331)
    [third] = await scene.happened()
    assert await scene.deliver() == 3
    assert scene.receiver.ids() == [first, first, first, second, third]
    assert await scene.attempts(endpoint) == [
        (first, 1, 500, "the answer was 500"),
        (first, 2, None, "RemoteProtocolError: Server disconnected without sending a response."),
        (first, 3, 204, None),
        (second, 1, 204, None),
        (third, 1, 204, None),
    ]
    healthy = await scene.current(endpoint)
    assert (healthy.attempts, healthy.last_error, healthy.next_attempt_at) == (0, None, None)
    assert healthy.position == number(third)


async def test_another_endpoint_is_not_kept_waiting(scene: Scene) -> None:
    await scene.endpoint("/down")
    await scene.endpoint("/up")
    ids = await scene.happened(3)
    scene.receiver.answers["/down"].append(500)
    assert await scene.deliver() == 3
    assert scene.receiver.ids("/down") == ids[:1]
    assert scene.receiver.ids("/up") == ids


async def test_a_slow_endpoint_does_not_keep_another_waiting(scene: Scene) -> None:
    await scene.endpoint("/slow")
    await scene.endpoint("/quick")
    ids = await scene.happened(3)
    scene.receiver.answers["/slow"].append(HANG)
    delivering = asyncio.create_task(scene.deliver())
    await scene.receiver.wait_for(4)
    assert scene.receiver.ids("/slow") == ids[:1]
    assert scene.receiver.ids("/quick") == ids
    delivering.cancel()
    await asyncio.gather(delivering, return_exceptions=True)


async def test_after_the_last_attempt_it_is_disabled_and_once_enabled_goes_on_where_it_was(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = await scene.endpoint()
    ids = await scene.happened(2)
    scene.receiver.on_request = lambda _path: 500
    for attempt in range(1, 11):
        assert caplog.messages == []
        assert await scene.deliver() == 0
        assert scene.receiver.ids() == ids[:1] * attempt
        disabled = await scene.current(endpoint)
        if attempt <= len(RETRY_SECONDS):
            assert disabled.next_attempt_at is not None
            scene.clock.now = disabled.next_attempt_at
    assert (disabled.disabled_at, disabled.attempts, disabled.next_attempt_at) == (scene.clock.now, 10, None)
    assert caplog.messages == [f"webhook endpoint {endpoint.id} is disabled: the answer was 500"]
    scene.receiver.on_request = None
    scene.clock.now += timedelta(days=30)
    ids += await scene.happened()
    assert await scene.deliver() == 0
    assert len(scene.receiver.received) == 10
    assert await scene.pending(endpoint) == 3
    enabled = await webhooks.enable(scene.services, OPERATOR, endpoint.id)
    assert (enabled.is_enabled, enabled.attempts) == (True, 0)
    assert await scene.deliver() == 3
    assert scene.receiver.ids()[10:] == ids


async def test_410_disables_at_once(scene: Scene) -> None:
    endpoint = await scene.endpoint()
    ids = await scene.happened(2)
    scene.receiver.answers["/hook"].append(410)
    assert await scene.deliver() == 0
    assert (await scene.current(endpoint)).disabled_at == scene.clock.now
    scene.clock.now += timedelta(days=30)
    assert await scene.deliver() == 0
    assert scene.receiver.ids() == ids[:1]


@pytest.mark.parametrize(("status", "header", "seconds"), [(503, "600", 600), (429, "9999999", 86_400)])
async def test_retry_after_is_waited_for(scene: Scene, status: int, header: str, seconds: int) -> None:
    endpoint = await scene.endpoint()
    ids = await scene.happened()
    answer = f"HTTP/1.1 {status} X\r\nretry-after: {header}\r\ncontent-length: 0\r\n\r\n"
    scene.receiver.answers["/hook"].append(answer.encode())
    assert await scene.deliver() == 0
    assert (await scene.current(endpoint)).next_attempt_at == scene.clock.now + timedelta(seconds=seconds)
    scene.clock.now += timedelta(seconds=seconds)
    assert await scene.deliver() == 1
    assert scene.receiver.ids() == ids * 2


async def test_a_slow_receiver_is_tried_again(scene: Scene) -> None:
    endpoint = await scene.endpoint()
    ids = await scene.happened()
    scene.receiver.answers["/hook"].append(HANG)
    assert await deliver_all(scene.services, Sender(scene.services.settings, timeout_seconds=0.2)) == 0
    assert await scene.attempts(endpoint) == [(ids[0], 1, None, "no answer within 0.2 s")]
    scene.clock.now += timedelta(seconds=6)
    assert await scene.deliver() == 1
    assert scene.receiver.ids() == ids * 2


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


async def test_a_replay_sends_again_under_the_same_ids(scene: Scene) -> None:
    before = await scene.happened()
    endpoint = await scene.endpoint()
    ids = await scene.happened()
    scene.clock.now += timedelta(hours=1)
    later = scene.clock.now
    ids += await scene.happened(2)
    assert await scene.deliver() == 3
    await webhooks.replay(scene.services, OPERATOR, endpoint.id, number(ids[2]))
    assert await scene.deliver() == 1
    await webhooks.replay(scene.services, OPERATOR, endpoint.id, later)
    assert await scene.deliver() == 2
    await webhooks.replay(scene.services, OPERATOR, endpoint.id, number(before[0]))
    assert await scene.pending(endpoint) == 4
    assert await scene.deliver() == 4
    assert scene.receiver.ids() == [*ids, ids[2], ids[1], ids[2], before[0], *ids]


async def test_a_replay_wins_over_an_answer_that_is_under_way(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = await scene.endpoint()
    ids = await scene.happened(2)
    assert await scene.deliver() == 2
    ids += await scene.happened()

    async def replay() -> None:
        await webhooks.replay(scene.services, OPERATOR, endpoint.id, number(ids[0]))

    meanwhile(scene, monkeypatch, replay)
    assert await scene.deliver() == 3
    assert scene.receiver.ids() == [*ids, *ids]


async def test_a_replay_wins_over_events_that_are_passed_over(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = await scene.endpoint(kinds=[EventKind.POLICY_CHANGED])
    ids = await scene.happened()
    assert await scene.deliver() == 1
    replayed = False

    async def events(*given: Any) -> list[Event]:
        nonlocal replayed
        found = await events_after(*given)
        if not replayed:
            replayed = True
            await webhooks.replay(scene.services, OPERATOR, endpoint.id, number(ids[0]))
            return [replace(event, what=replace(event.what, kind=EventKind.TERM_ADDED)) for event in found]
        return found

    monkeypatch.setattr(webhook_delivery, "events_after", events)
    ids += await scene.happened()
    assert await scene.deliver() == 2
    assert scene.receiver.ids() == [ids[0], *ids]


async def test_a_replay_waits_for_no_next_attempt_but_enables_nothing(scene: Scene) -> None:
    endpoint = await scene.endpoint()
    ids = await scene.happened()
    assert await scene.deliver() == 1
    ids += await scene.happened()
    scene.receiver.answers["/hook"].extend([500, 204, 410])
    assert await scene.deliver() == 0
    await webhooks.replay(scene.services, OPERATOR, endpoint.id, number(ids[0]))
    assert await scene.deliver() == 1
    await webhooks.replay(scene.services, OPERATOR, endpoint.id, number(ids[0]))
    assert await scene.deliver() == 0
    assert scene.receiver.ids() == [ids[0], ids[1], ids[0], ids[1]]
    await webhooks.enable(scene.services, OPERATOR, endpoint.id)
    assert await scene.deliver() == 2
    assert scene.receiver.ids()[4:] == ids


async def test_a_new_secret_signs_the_rest_of_a_lease(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = await scene.endpoint()
    await scene.happened(2)
    rotated: list[Endpoint] = []

    async def rotate() -> None:
        rotated.append(await webhooks.rotate_secret(scene.services, OPERATOR, endpoint.id))

    meanwhile(scene, monkeypatch, rotate)
    assert await scene.deliver() == 2
    first, second = scene.receiver.received
    assert rotated[0].secret != endpoint.secret
    assert Webhook(endpoint.secret).verify(first.body, first.headers)
    assert Webhook(rotated[0].secret).verify(second.body, second.headers)


async def test_an_endpoint_may_be_removed_while_something_is_sent(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = await scene.endpoint()
    await scene.happened(2)

    async def remove() -> None:
        await webhooks.remove(scene.services, OPERATOR, endpoint.id)

    meanwhile(scene, monkeypatch, remove)
    assert await scene.deliver() == 0
    assert len(scene.receiver.received) == 1
    assert await webhooks.endpoint(scene.services, OPERATOR, endpoint.id) is None


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


async def test_the_last_hundred_attempts_are_kept(scene: Scene, api: Api) -> None:
    endpoint = await scene.endpoint()
    quiet = await scene.world.customer(starter(), name="Quiet")
    other = await scene.endpoint("/other", quiet)
    quiet_ids = await scene.happened(owner=quiet)
    assert await scene.deliver() == 1
    await registered(api, scene.owner.token, people(1, 100))
    last = await scene.happened(3)
    assert await scene.deliver() == 103
    kept = [message for message, *_ in await scene.attempts(endpoint)]
    assert kept == [f"evt_{number(last[2]) - back}" for back in range(99, -1, -1)]
    assert await scene.attempts(other) == [(quiet_ids[0], 1, 204, None)]


async def test_on_the_test_clock_webhooks_go_by_real_time(scene: Scene) -> None:
    still = replace(scene.services, clock=SettableClock(scene.services.database))
    await still.refresh_clock()
    endpoint = await webhooks.add(still, OPERATOR, scene.owner.customer.id, scene.receiver.url(), None)
    await scene.happened()
    scene.receiver.answers["/hook"].append(500)
    before = datetime.now(UTC)
    assert await deliver_all(still, scene.sender) == 0
    failed = await scene.current(endpoint)
    assert failed.next_attempt_at is not None
    assert failed.next_attempt_at - timedelta(seconds=5) > before > still.clock()


async def test_an_address_that_may_not_be_reached_fails_like_any_other(scene: Scene) -> None:
    endpoint = await scene.endpoint()
    ids = await scene.happened()
    closed = Sender(replace(scene.services.settings, webhook_private_networks="refused"))
    assert await deliver_all(scene.services, closed) == 0
    assert scene.receiver.connections == 0
    assert await scene.attempts(endpoint) == [(ids[0], 1, None, "the host has an address that is not public")]


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
        self.crashes = 0
        monkeypatch.setattr(webhook_delivery, "save_endpoint", self._save_or_crash)

    def answer(self, _path: str) -> Answer:
        if self.is_over:
            return 204
        return self.random.choice([204, 204, 204, 200, 500, 503, 404, 302, DROP, HANG, b"HTTP/1.1 200 OK\r\n\r\n"])

    async def _save_or_crash(self, session: AsyncSession, endpoint: Endpoint) -> None:
        """Now and then, what was sent is not written down: the transaction is undone."""
        await save_endpoint(session, endpoint)
        if not self.is_over and self.random.random() < 0.2:
            self.crashes += 1
            raise ZeroDivisionError


@pytest.mark.parametrize("seed", range(4))
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
    assert turmoil.crashes > 0
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
