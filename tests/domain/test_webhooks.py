"""What is sent, where to, and when again."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from domain.history import Actor, ActorKind, Event, EventKind, NewEvent
from domain.webhook_errors import WebhookUrlInvalid
from domain.webhooks import (
    RETRY_SECONDS,
    Endpoint,
    Outcome,
    after_attempt,
    check_url,
    event_type,
    message_id,
    payload,
    started_again,
)

NOW = datetime(2026, 4, 10, 3, tzinfo=UTC)
ENDPOINT = Endpoint(
    id=1,
    customer_id=2,
    url="https://hooks.example/in",
    secret="whsec_bmV3",  # noqa: S106
    previous_secret=None,
    previous_secret_until=None,
    kinds=None,
    position=7,
    attempts=0,
    next_attempt_at=None,
    last_error=None,
    created_at=NOW,
    disabled_at=None,
)
ACKNOWLEDGED = Outcome(204, None, 12)
REFUSED = Outcome(500, "the answer was 500", 12)


def test_an_event_as_it_is_sent() -> None:
    what = NewEvent(
        kind=EventKind.ACCOUNT_REGISTERED,
        occurred_at=NOW,
        changes={"status": (None, "ACTIVE")},
        account_id=5,
        counted_after=3,
    )
    event = Event(8, 2, Actor(ActorKind.OWNER, 4), NOW + timedelta(seconds=1), what)
    assert message_id(event) == "evt_8"
    assert json.loads(payload(event)) == {
        "type": "account.registered",
        "timestamp": "2026-04-10T03:00:00+00:00",
        "data": {
            "customerId": "Q3VzdG9tZXI6Mg==",
            "eventNumber": 8,
            "recordedAt": "2026-04-10T03:00:01+00:00",
            "actor": "OWNER",
            "accountId": "QWNjb3VudDo1",
            "spotOrderId": None,
            "capacityFallId": None,
            "changes": {"status": {"before": None, "after": "ACTIVE"}},
            "countedAfter": 3,
        },
    }


def test_types_are_a_subject_and_what_happened_to_it() -> None:
    named = {kind: event_type(kind) for kind in EventKind}
    assert named[EventKind.CAPACITY_FELL] == "capacity.fell"
    assert named[EventKind.SPOT_ORDER_PLACED] == "spot_order.placed"
    assert named[EventKind.ADDITIONAL_LICENCE_ADDED] == "additional_licence.added"
    assert len(set(named.values())) == len(EventKind)
    assert all(name.count(".") == 1 for name in named.values())


def test_an_acknowledged_event_moves_on_and_forgets_failures() -> None:
    failed = after_attempt(ENDPOINT, 9, REFUSED, NOW, 0)
    after = after_attempt(failed, 9, ACKNOWLEDGED, NOW, 0)
    assert (after.position, after.attempts, after.next_attempt_at, after.last_error) == (9, 0, None, None)
    assert after.is_enabled


@pytest.mark.parametrize(
    ("status", "acknowledged"), [(199, False), (200, True), (299, True), (300, False), (None, False)]
)
def test_2xx_acknowledges(status: int | None, acknowledged: bool) -> None:
    assert Outcome(status, None, 1).is_acknowledged is acknowledged


@pytest.mark.parametrize(("chance", "longer"), [(0.0, 1.0), (0.5, 1.05), (1.0, 1.1)])
def test_waits_grow_after_each_failure_then_it_is_disabled(chance: float, longer: float) -> None:
    waits, endpoint, now = [], ENDPOINT, NOW
    for attempt in range(1, 10):
        endpoint = after_attempt(endpoint, 8, REFUSED, now, chance)
        assert endpoint.next_attempt_at is not None
        assert (endpoint.position, endpoint.attempts, endpoint.last_error) == (7, attempt, "the answer was 500")
        assert endpoint.is_enabled
        waits.append((endpoint.next_attempt_at - now).total_seconds())
        now = endpoint.next_attempt_at
    hours = [2, 5, 10, 14, 20, 24]
    assert waits == pytest.approx([seconds * longer for seconds in [5, 300, 1_800, *(3_600 * hour for hour in hours)]])
    last = after_attempt(endpoint, 8, REFUSED, now, chance)
    assert (last.position, last.attempts, last.next_attempt_at, last.disabled_at) == (7, 10, None, now)
    assert not last.is_enabled


def test_what_is_gone_is_disabled_at_once() -> None:
    gone = after_attempt(ENDPOINT, 8, Outcome(410, "the answer was 410", 1), NOW, 0)
    assert (gone.position, gone.attempts, gone.disabled_at, gone.next_attempt_at) == (7, 1, NOW, None)


@pytest.mark.parametrize(("asked", "waited"), [(3, 5), (5, 5), (7, 7), (86_400, 86_400), (10**9, 86_400)])
def test_a_receiver_may_ask_for_a_longer_wait_up_to_a_day(asked: int, waited: int) -> None:
    busy = Outcome(503, "the answer was 503", 1, retry_after_seconds=asked)
    after = after_attempt(ENDPOINT, 8, busy, NOW, 0)
    assert after.next_attempt_at == NOW + timedelta(seconds=waited)


def test_starting_again_waits_for_nothing() -> None:
    again = started_again(after_attempt(ENDPOINT, 8, REFUSED, NOW, 0), 3)
    assert (again.position, again.attempts, again.next_attempt_at) == (3, 0, None)
    assert len(RETRY_SECONDS) == 9


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example",
        "https://hooks.example:8443/in?tenant=1#part",
        "https://xn--r8jz45g.jp/",
        "https://[2606:2800:220:1::1]/x",
        "HTTPS://HOOKS.EXAMPLE/",
        "https://hooks.example/a@b",
        "https://hooks.example/" + "a" * 1_978,
    ],
)
def test_addresses_that_can_be_used(url: str) -> None:
    check_url(url, http_allowed=False)


TEXT = "it must be at most 2000 printable ASCII characters without spaces"
USER = "it must not contain a user name or password"
HTTPS = "it must begin with https://"
HOST = "it names no host"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://hooks.example/", HTTPS),
        ("ftp://hooks.example/", HTTPS),
        ("file:///etc/passwd", HTTPS),
        ("hooks.example/in", HTTPS),
        ("", HTTPS),
        ("https://", HOST),
        ("https:///in", HOST),
        ("https://:443/", HOST),
        ("https://user@hooks.example/", USER),
        ("https://user:pass@hooks.example/", USER),
        ("https://@hooks.example/", USER),
        ("https://hooks.example/a b", TEXT),
        ("https://hooks.example/\n", TEXT),
        ("https://hooks.example/\x00", TEXT),
        ("https://例え.jp/", TEXT),
        ("https://hooks.example/" + "a" * 1_979, TEXT),
        ("https://hooks.example:99999/", "it is no URL (Port out of range 0-65535)"),
        ("https://[::1", "it is no URL (Invalid IPv6 URL)"),
    ],
)
def test_addresses_that_cannot_be_used(url: str, reason: str) -> None:
    with pytest.raises(WebhookUrlInvalid) as refusal:
        check_url(url, http_allowed=False)
    assert refusal.value.reason == reason
    assert refusal.value.message == f"This address cannot be used: {reason}."


def test_http_is_for_tests_only() -> None:
    check_url("http://127.0.0.1:8000/", http_allowed=True)
    check_url("https://hooks.example/", http_allowed=True)
    with pytest.raises(WebhookUrlInvalid):
        check_url("ftp://hooks.example/", http_allowed=True)


def test_an_endpoint_never_shows_its_secrets() -> None:
    assert "whsec" not in repr(ENDPOINT)
