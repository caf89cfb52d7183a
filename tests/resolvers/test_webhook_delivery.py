"""Delivering on both databases to a real receiver: what comes, in which order, and when again."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from db.history import events_after
from domain.history import Event, EventKind
from domain.webhooks import RETRY_SECONDS, Endpoint
from resolvers import webhook_delivery, webhooks
from resolvers.services import Services, SettableClock
from resolvers.webhook_delivery import deliver_all
from resolvers.webhook_sending import Sender
from tests.people import DELETE, people, registered
from tests.receiver import DROP, HANG
from tests.webhook_scene import OPERATOR, Scene, meanwhile, number, opened_scene
from tests.world import Api, TestClock, confirmed, starter

pytestmark = pytest.mark.anyio


@pytest.fixture
async def scene(services: Services, clock: TestClock) -> AsyncIterator[Scene]:
    async with opened_scene(services, clock) as opened:
        yield opened


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
    scene.receiver.on_request = lambda _path: HANG
    assert await deliver_all(scene.services, Sender(scene.services.settings, timeout_seconds=0.2)) == 0
    scene.receiver.on_request = None
    assert await scene.attempts(endpoint) == [(ids[0], 1, None, "no answer within 0.2 s")]
    scene.clock.now += timedelta(seconds=6)
    assert await scene.deliver() == 1
    assert scene.receiver.received[-1].answer == 204
    assert set(scene.receiver.ids()) == set(ids)


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
