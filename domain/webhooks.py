"""Webhooks: what is sent in which form, and when it is sent again; after the Standard Webhooks specification."""

import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from domain.global_ids import global_id
from domain.history import Event, EventKind
from domain.webhook_errors import WebhookUrlInvalid

RETRY_SECONDS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""The wait after each failed attempt. Who fails once more is disabled."""
JITTER = 0.1
"""Waits are up to a tenth longer, so that a receiver that was down is not met by everything at once."""
RETRY_AFTER_SECONDS_MAX = 86_400
"""Receivers may ask for longer waits, up to this one."""
ENDPOINTS_PER_CUSTOMER_MAX = 10
DELIVERIES_KEPT = 100
"""Of an endpoint's attempts the last ones are kept."""
SECRET_OVERLAP = timedelta(days=1)
"""For so long after a new secret was made, the one before signs as well."""

URL_LENGTH_MAX = 2_000
GONE = 410


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a customer's events are sent. Those up to number ``position`` were delivered or passed over.

    ``attempts`` is how often the next one has failed. ``kinds`` None stands for all.
    """

    id: int
    customer_id: int
    url: str
    secret: str = field(repr=False)
    previous_secret: str | None = field(repr=False)
    previous_secret_until: datetime | None
    kinds: frozenset[EventKind] | None
    position: int
    attempts: int
    next_attempt_at: datetime | None
    last_error: str | None
    created_at: datetime
    disabled_at: datetime | None

    @property
    def is_enabled(self) -> bool:
        return self.disabled_at is None

    def wants(self, kind: EventKind) -> bool:
        """Whether events of a kind are sent there."""
        return self.kinds is None or kind in self.kinds

    def secrets_at(self, now: datetime) -> tuple[str, ...]:
        """The secrets that sign at an instant, the newest first."""
        if self.previous_secret is None or self.previous_secret_until is None or self.previous_secret_until <= now:
            return (self.secret,)
        return self.secret, self.previous_secret


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt went: what was answered, or why nothing was."""

    status_code: int | None
    error: str | None
    milliseconds: int
    retry_after_seconds: float = 0

    @property
    def is_acknowledged(self) -> bool:
        return self.status_code is not None and 200 <= self.status_code < 300


@dataclass(frozen=True, slots=True)
class Delivery:
    """An attempt as it is kept. ``attempt`` counts from 1 for each event."""

    id: int
    event_id: int
    attempt: int
    attempted_at: datetime
    outcome: Outcome


def check_url(url: str, *, http_allowed: bool) -> None:
    """Refuse an address that nothing can be sent to. Where it leads is found out when something is sent.

    Raises:
        WebhookUrlInvalid.
    """
    if len(url) > URL_LENGTH_MAX or not (url.isascii() and url.isprintable()) or " " in url:
        raise WebhookUrlInvalid(reason=f"it must be at most {URL_LENGTH_MAX} printable ASCII characters without spaces")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise WebhookUrlInvalid(reason=f"it is no URL ({error})") from None
    if parts.scheme not in ({"https", "http"} if http_allowed else {"https"}):
        raise WebhookUrlInvalid(reason="it must begin with https://")
    if not host:
        raise WebhookUrlInvalid(reason="it names no host")
    if "@" in parts.netloc:
        raise WebhookUrlInvalid(reason="it must not contain a user name or password")


def message_id(event: Event) -> str:
    """The same for every attempt and every replay, so that receivers can tell a repeat."""
    return f"evt_{event.id}"


def event_type(kind: EventKind) -> str:
    """A kind as receivers know it: ``spot_order.placed``."""
    subject, _, verb = kind.value.lower().rpartition("_")
    return f"{subject}.{verb}"


def payload(event: Event) -> str:
    """An event as JSON. As the history, it names no persons: who may know them asks for the account by its id."""
    what = event.what
    data = {
        "customerId": global_id("Customer", event.customer_id),
        "eventNumber": event.id,
        "recordedAt": event.recorded_at.isoformat(),
        "actor": event.actor.kind.value,
        "accountId": _optional_id("Account", what.account_id),
        "spotOrderId": _optional_id("SpotOrder", what.spot_order_id),
        "capacityFallId": _optional_id("CapacityFall", what.capacity_fall_id),
        "changes": {name: {"before": before, "after": after} for name, (before, after) in what.changes.items()},
        "countedAfter": what.counted_after,
    }
    body = {"type": event_type(what.kind), "timestamp": what.occurred_at.isoformat(), "data": data}
    return json.dumps(body, separators=(",", ":"))


def after_attempt(endpoint: Endpoint, event_id: int, outcome: Outcome, now: datetime, chance: float) -> Endpoint:
    """The endpoint after an attempt to deliver an event. ``chance`` from 0 to 1 spreads the waits."""
    if outcome.is_acknowledged:
        return replace(endpoint, position=event_id, attempts=0, next_attempt_at=None, last_error=None)
    attempts = endpoint.attempts + 1
    failed = replace(endpoint, attempts=attempts, last_error=outcome.error)
    if outcome.status_code == GONE or attempts > len(RETRY_SECONDS):
        return replace(failed, next_attempt_at=None, disabled_at=now)
    scheduled = RETRY_SECONDS[attempts - 1] * (1 + JITTER * chance)
    # What a receiver asks for makes a wait longer, never shorter: it would be met more often than all others.
    seconds = max(scheduled, min(outcome.retry_after_seconds, RETRY_AFTER_SECONDS_MAX))
    return replace(failed, next_attempt_at=now + timedelta(seconds=seconds))


def started_again(endpoint: Endpoint, position: int) -> Endpoint:
    """An enabled endpoint goes on after an event at once; a disabled one does when it is enabled."""
    return replace(endpoint, position=position, attempts=0, next_attempt_at=None)


def _optional_id(type_name: str, key: int | None) -> str | None:
    return global_id(type_name, key) if key is not None else None
