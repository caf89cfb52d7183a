"""Everything that can be set from outside, read from the environment once."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

PORT_MAX = 65_535


class SettingInvalidError(ValueError):
    """An environment variable has a value that cannot be used; the message names it."""


CHOICES = {
    "clock": ("system", "test"),
    "payment_provider": ("none", "demo", "stripe"),
    "cancel_confirmed": ("allowed", "refused"),
    "operations": ("any", "persisted"),
    "log": ("text", "json"),
    "webhook_http": ("refused", "allowed"),
    "webhook_private_networks": ("refused", "allowed"),
}
"""Settings that are one of a few words, the default first."""
ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://[a-z0-9.-]+(:[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings with their defaults; each is the variable ``SPOTPLAN_`` plus its name in capitals."""

    database_url: str = "sqlite:///var/spotplan.db"
    """``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST/NAME``."""
    workers: int = 1
    """Server processes on one port. What is said of a process below is said of each of them."""
    database_pool_size: int = 10
    """Connections per process; SQLite keeps one of them for writing."""
    planner_workers: int = 2
    planner_waiting_max: int = 32
    """Problems waiting or being solved at a time; more are refused with PLANNER_BUSY."""
    planner_cache_rows_max: int = 300_000
    """How much the cache of answers may hold: orders, runs of days and the like, some 300 bytes each."""
    solves_per_caller_max: int = 8
    """Questions to the planner under way at a time by one token, in one process."""
    order_expiry_minutes: int = 30
    """An order left without a payment method expires after this long."""
    bank_transfer_days: int = 14
    """An order that is paid by bank transfer expires when the money has not arrived by then."""
    payment_provider: str = "none"
    """Of card payments: ``stripe``, ``demo`` (moves no money) or ``none``."""
    stripe_api_key: str = field(default="", repr=False)
    stripe_webhook_secret: str = field(default="", repr=False)
    """Of the webhook at Stripe that sends payment_intent events to /payments/webhook."""
    stripe_base: str = ""
    """Another address than Stripe's own, for tests."""
    demo_payment_secret: str = field(default="", repr=False)
    """With which events of the demo provider are signed."""
    demo_payment_journal: str = "var/demo-payments.jsonl"
    cancel_confirmed: str = "allowed"
    """``allowed`` until the first day, with a credit note over the full amount, or ``refused``."""
    quote_days_max: int = 90
    """The longest a quote may be valid."""
    issuer_name: str = "Example Learning K.K."
    """Who issues invoices and quotes; these five stand on every document."""
    issuer_postal_code: str = "100-0001"
    issuer_address: str = "1-1 Chiyoda, Chiyoda-ku, Tokyo"
    issuer_registration_number: str = "T1234567890123"
    issuer_bank_account: str = "Example Bank, Main Branch, Ordinary 1234567"
    oidc_issuer: str = ""
    """The address of an OpenID Connect provider whose access tokens count beside our own; none where it is empty."""
    oidc_audience: str = ""
    """What its tokens for us have in ``aud``."""
    oidc_role_claim: str = "spotplan_role"
    """The claim that says ``owner``, ``sales`` or ``operator``: a name, or a path such as ``realm_access.roles``."""
    oidc_customer_claim: str = "spotplan_customer"
    """The claim with an owner's customer: its global id."""
    terms_version: str = "2026-04-01"
    """The version of the terms of use that orders must agree to."""
    clock: str = "system"
    """``system``, or ``test``: a clock that operators set by testClockAdvance. Never for real customers."""
    webhook_http: str = "refused"
    """``refused``, or ``allowed``: webhooks may go to http:// addresses, unencrypted. For tests."""
    webhook_private_networks: str = "refused"
    """``refused``, or ``allowed``: webhooks may go to loopback, private and other addresses that are not public."""
    log: str = "text"
    """``text``, lines for people, or ``json``, an object a line."""
    metrics_port: int = 0
    """Where Prometheus may scrape, beside the API's own port, without a token; not at all unless it is set."""
    metrics_host: str = "127.0.0.1"
    """The address of that port. It names no customer, but strangers should not reach it either."""
    shutdown_notice_seconds: int = 2
    """After SIGTERM, how long /readyz says 503 before connections are refused: longer than proxies ask it."""
    shutdown_seconds_max: int = 35
    """After that, how long requests may still take; the longest solve is 30 s."""
    request_bytes_max: int = 1_000_000
    """Of a body, and of a message over WebSocket."""
    operations: str = "any"
    """``any``, or ``persisted``: only documents that were registered are answered, so GraphiQL is of no use then."""
    cors_origins: str = ""
    """Whose pages may ask from a browser, such as ``https://app.example.com``, separated by commas, or ``*``."""
    body_seconds_max: int = 10
    """How long a client may take to send a body."""
    operations_per_websocket_max: int = 10
    """Operations under way at a time on one WebSocket connection."""
    request_seconds_max: int = 60
    """How long an operation may run; a recommendation takes up to 30 seconds."""
    rate_signed_in: str = "1200/minute"
    """Operations of one token, as ``NUMBER/second``, ``minute``, ``hour`` or ``day``."""
    rate_anonymous: str = "300/minute"
    """Operations without a token that was accepted, of one network address."""
    redis_url: str = field(default="", repr=False)
    """``redis://HOST:PORT``, where several servers are to count together; needs ``pip install '.[redis]'``."""
    errors_max: int = 20
    """Of one answer."""
    query_tokens_max: int = 1_000
    """Of a document's text, as the others below are of one document; each but this and the last two is counted with
    fragments expanded."""
    query_depth_max: int = 16
    query_introspection_max: int = 1
    """How deep lists of introspection may be nested. What tools ask nests none; one in another is a thousand times as
    long."""
    query_fields_max: int = 2_000
    """List sizes not counted."""
    query_aliases_max: int = 100
    query_directives_max: int = 100
    query_cost_max: int = 20_000
    """Fields with list sizes counted, see ``schema/limits.py``."""
    query_repeats_max: int = 20
    """Fields that a selection names more than once."""
    query_spreads_max: int = 60
    """Uses of fragments."""

    @property
    def order_expiry(self) -> timedelta:
        return timedelta(minutes=self.order_expiry_minutes)

    @property
    def origins(self) -> tuple[str, ...]:
        return tuple(origin.strip() for origin in self.cors_origins.split(",") if origin.strip())

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Settings from variables such as ``SPOTPLAN_DATABASE_URL``.

        Raises:
            SettingInvalidError: a number is not a positive whole number, a word is none of those there are, or an
                origin is none.
        """
        values: dict[str, str | int] = {}
        for name, default in ((name, getattr(cls(), name)) for name in cls.__dataclass_fields__):
            text = environment.get(f"SPOTPLAN_{name.upper()}")
            if text is not None:
                values[name] = _positive(name, text) if isinstance(default, int) else text
        for name, allowed in CHOICES.items():
            if values.get(name, allowed[0]) not in allowed:
                choices = " or ".join(allowed)
                raise SettingInvalidError(f"SPOTPLAN_{name.upper()} must be {choices}, not {values[name]!r}")
        if values.get("oidc_issuer"):
            _check_issuer(str(values["oidc_issuer"]))
            if not values.get("oidc_audience"):
                raise SettingInvalidError("SPOTPLAN_OIDC_ISSUER needs SPOTPLAN_OIDC_AUDIENCE: whom its tokens are for")
        if int(values.get("metrics_port", 0)) > PORT_MAX:
            raise SettingInvalidError(f"SPOTPLAN_METRICS_PORT must be at most {PORT_MAX}")
        settings = cls(**values)  # type: ignore[arg-type] # each value has its default's type
        for origin in settings.origins:
            if not ORIGIN.fullmatch(origin):
                raise SettingInvalidError(
                    f"SPOTPLAN_CORS_ORIGINS must list origins as browsers send them, not {origin!r}"
                )
        return settings


def _check_issuer(address: str) -> None:
    parts = urlsplit(address)
    is_local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if not parts.hostname or parts.scheme not in ({"https", "http"} if is_local else {"https"}):
        raise SettingInvalidError(f"SPOTPLAN_OIDC_ISSUER must be an https address, not {address!r}")


def _positive(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise SettingInvalidError(f"SPOTPLAN_{name.upper()} must be a positive whole number, not {text!r}")
    return int(text)
