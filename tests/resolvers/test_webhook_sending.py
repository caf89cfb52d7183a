"""Sending over real sockets: signatures, what counts as an answer, and where nothing is sent to."""

import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from domain.history import SYSTEM, Event, EventKind, NewEvent
from domain.webhooks import Endpoint, Outcome
from resolvers.services import system_clock
from resolvers.webhook_sending import Resolve, Sender, is_public, retry_after_seconds
from settings import Settings
from tests.receiver import DRIP, DROP, HANG, Answer, Receiver, receiving

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 4, 10, 3, tzinfo=UTC)
EVENT = Event(8, 2, SYSTEM, NOW, NewEvent(kind=EventKind.SPOT_ENDED, occurred_at=NOW, changes={}))
SECRETS = "whsec_bmV3IHNlY3JldCBvZiBhIHRlc3Q=", "whsec_b2xkIHNlY3JldCBvZiBhIHRlc3Q="
OPEN = Settings(webhook_http="allowed", webhook_private_networks="allowed")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


def endpoint(url: str, **changes: Any) -> Endpoint:
    plain = Endpoint(
        id=1,
        customer_id=2,
        url=url,
        secret=SECRETS[0],
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
    return replace(plain, **changes)


async def sent(url: str, settings: Settings = OPEN, **options: Any) -> Outcome:
    """The outcome without its duration."""
    sender = Sender(settings, **options)
    async with sender.client() as client:
        outcome = await sender.send(client, endpoint(url), EVENT)
    assert outcome.milliseconds >= 0
    return replace(outcome, milliseconds=0)


def resolving(*addresses: str) -> tuple[Resolve, list[str]]:
    """A name server that answers so, and the names it was asked for."""
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return list(addresses)

    return resolve, asked


async def test_the_library_verifies_what_is_sent(receiver: Receiver) -> None:
    assert await sent(receiver.url("/in?tenant=1")) == Outcome(204, None, 0)
    [request] = receiver.received
    assert request.path == "/in?tenant=1"
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "Spotplan-Webhooks/1"
    assert request.id == "evt_8"
    assert Webhook(SECRETS[0]).verify(request.body, request.headers)["type"] == "spot.ended"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRETS[1]).verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRETS[0]).verify(request.body + " ", request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRETS[0]).verify(request.body, {**request.headers, "webhook-id": "evt_9"})


@pytest.mark.parametrize(("left", "works"), [(timedelta(minutes=1), True), (timedelta(0), False)])
async def test_after_a_rotation_the_secret_before_signs_until_its_end(
    receiver: Receiver, left: timedelta, works: bool
) -> None:
    sender = Sender(OPEN)
    rotated = endpoint(receiver.url(), previous_secret=SECRETS[1], previous_secret_until=system_clock() + left)
    async with sender.client() as client:
        await sender.send(client, rotated, EVENT)
    [request] = receiver.received
    assert Webhook(SECRETS[0]).verify(request.body, request.headers)["type"] == "spot.ended"
    if works:
        assert Webhook(SECRETS[1]).verify(request.body, request.headers)["type"] == "spot.ended"
    else:
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRETS[1]).verify(request.body, request.headers)


@pytest.mark.parametrize("status", [200, 201, 299])
async def test_a_2xx_status_acknowledges(receiver: Receiver, status: int) -> None:
    receiver.answers["/hook"].append(status)
    assert await sent(receiver.url()) == Outcome(status, None, 0)


@pytest.mark.parametrize("status", [400, 404, 410, 500])
async def test_another_status_does_not(receiver: Receiver, status: int) -> None:
    receiver.answers["/hook"].append(status)
    assert await sent(receiver.url()) == Outcome(status, f"the answer was {status}", 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(receiver: Receiver, status: int) -> None:
    elsewhere = f"HTTP/1.1 {status} X\r\nlocation: {receiver.url('/elsewhere')}\r\ncontent-length: 0\r\n\r\n"
    receiver.answers["/hook"].append(elsewhere.encode())
    assert await sent(receiver.url()) == Outcome(status, f"the answer was {status}", 0)
    assert [request.path for request in receiver.received] == ["/hook"]


async def test_a_receiver_that_says_nothing_runs_out_of_time(receiver: Receiver) -> None:
    receiver.answers["/hook"].append(HANG)
    assert await sent(receiver.url(), timeout_seconds=0.2) == Outcome(None, "no answer within 0.2 s", 0)


@pytest.mark.parametrize(("status", "error"), [(200, None), (500, "the answer was 500")])
async def test_the_status_counts_however_long_the_rest_takes(
    receiver: Receiver, status: int, error: str | None
) -> None:
    started = f"HTTP/1.1 {status} X\r\ncontent-length: 100\r\n\r\nabc".encode()
    receiver.answers["/hook"].append(started)
    receiver_closes = await sent(receiver.url(), timeout_seconds=5)
    assert receiver_closes == Outcome(status, error, 0)


async def test_a_long_answer_is_not_read(receiver: Receiver) -> None:
    receiver.answers["/hook"].append(b"HTTP/1.1 200 X\r\ncontent-length: 64000000\r\n\r\n" + bytes(64_000_000))
    assert await sent(receiver.url()) == Outcome(200, None, 0)
    assert receiver.answered == 0


async def test_an_answer_that_goes_on_and_on_runs_out_of_time(receiver: Receiver) -> None:
    receiver.answers["/hook"].append(DRIP)
    assert await sent(receiver.url(), timeout_seconds=0.3) == Outcome(None, "no answer within 0.3 s", 0)


async def test_a_compressed_answer_is_not_unpacked(receiver: Receiver) -> None:
    receiver.answers["/hook"].append(b"HTTP/1.1 200 X\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc")
    assert await sent(receiver.url()) == Outcome(200, None, 0)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (DROP, "RemoteProtocolError: Server disconnected without sending a response."),
        (b"what?\r\n\r\n", "RemoteProtocolError: "),
        (b"HTTP/1.1 200 X\r\n", "RemoteProtocolError: "),
    ],
)
async def test_an_answer_that_is_none(receiver: Receiver, answer: Answer, error: str) -> None:
    receiver.answers["/hook"].append(answer)
    outcome = await sent(receiver.url())
    assert outcome.status_code is None
    assert outcome.error is not None
    assert outcome.error.startswith(error)
    assert len(outcome.error) <= 200


async def test_nobody_listens() -> None:
    async with receiving() as receiver:
        pass
    assert await sent(receiver.url()) == Outcome(None, "ConnectError: All connection attempts failed", 0)


async def test_one_connection_carries_many_events(receiver: Receiver) -> None:
    sender = Sender(OPEN)
    receiver.answers["/hook"].extend([200, 500, 204])
    async with sender.client() as client:
        for _ in range(3):
            await sender.send(client, endpoint(receiver.url()), EVENT)
    assert (len(receiver.received), receiver.connections) == (3, 1)


PUBLIC = ["93.184.216.34", "8.8.8.8", "1.1.1.1", "2606:2800:220:1:248:1893:25c8:1946", "2a00:1450:4001::8a"]
PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",  # what clouds answer about the machine itself
    "100.64.0.1",
    "100.100.100.200",
    "0.0.0.0",  # noqa: S104
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "fec0::1",
]


@pytest.mark.parametrize(("address", "public"), [*((it, True) for it in PUBLIC), *((it, False) for it in PRIVATE)])
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


REFUSED = Outcome(None, "the host has an address that is not public", 0)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]", "0"],
)
async def test_nothing_is_sent_into_ones_own_networks(receiver: Receiver, host: str) -> None:
    settings = Settings(webhook_http="allowed")
    assert settings.webhook_private_networks == "refused"
    assert await sent(receiver.url(host=host), settings) == REFUSED
    assert receiver.connections == 0


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["::ffff:127.0.0.1"], ["fe80::1%1"]]
)
async def test_nor_by_a_name_that_leads_there(receiver: Receiver, addresses: list[str]) -> None:
    resolve, asked = resolving(*addresses)
    assert await sent(receiver.url(host="hooks.example"), Settings(), resolve=resolve) == REFUSED
    assert asked == ["hooks.example"]
    assert receiver.connections == 0


async def test_the_connection_goes_to_the_address_that_was_checked(receiver: Receiver) -> None:
    resolve, asked = resolving("127.0.0.1")
    assert await sent(receiver.url(host="hooks.example"), resolve=resolve) == Outcome(204, None, 0)
    assert asked == ["hooks.example"]
    assert receiver.received[0].headers["host"] == f"hooks.example:{receiver.port}"


async def test_the_next_address_is_tried_where_one_does_not_answer(receiver: Receiver) -> None:
    resolve, _ = resolving("::1", "127.0.0.1")
    assert await sent(receiver.url(host="hooks.example"), resolve=resolve) == Outcome(204, None, 0)
    resolve, _ = resolving("::1", "127.0.0.2", "127.0.0.3", "127.0.0.1")
    failed = await sent(receiver.url(host="hooks.example"), resolve=resolve)
    assert failed == Outcome(None, "ConnectError: All connection attempts failed", 0)


async def test_a_name_that_nobody_knows(receiver: Receiver) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        raise OSError(-2, "Name or service not known")

    outcome = await sent(receiver.url(host="hooks.example"), resolve=resolve)
    assert outcome == Outcome(None, "OSError: [Errno -2] Name or service not known", 0)
    too_long = await sent(receiver.url(host="a" * 70 + ".example"))
    assert too_long.status_code is None
    assert too_long.error is not None


async def test_proxies_and_credentials_of_the_environment_are_not_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert await sent(receiver.url()) == Outcome(204, None, 0)
    assert "authorization" not in receiver.received[0].headers


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of hooks.example with its key, which nobody trusts by themselves."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the command openssl")
    file = tmp_path_factory.mktemp("tls") / "hooks.pem"
    names = ["-subj", "/CN=hooks.example", "-addext", "subjectAltName=DNS:hooks.example"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command = ["openssl", "req", "-x509", *key, "-keyout", str(file), "-out", str(file.with_suffix(".crt")), *names]
    subprocess.run(command, check=True, capture_output=True)
    file.write_text(file.read_text() + file.with_suffix(".crt").read_text())
    return file


@pytest.mark.parametrize(
    ("host", "trusted", "status", "error"),
    [
        ("hooks.example", True, 204, None),
        ("other.example", True, None, "Hostname mismatch"),
        ("127.0.0.1", True, None, "IP address mismatch"),
        ("hooks.example", False, None, "self-signed certificate"),
    ],
)
async def test_certificates_are_checked_against_the_name(
    certificate: Path, host: str, trusted: bool, status: int | None, error: str | None
) -> None:
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(certificate)
    options: dict[str, Any] = {"resolve": resolving("127.0.0.1")[0]}
    if trusted:
        options["certificates"] = ssl.create_default_context(cafile=str(certificate.with_suffix(".crt")))
    async with receiving(own) as receiver:
        outcome = await sent(receiver.url(host=host), **options)
        assert len(receiver.received) == (1 if status else 0)
    assert outcome.status_code == status
    assert (error is None) == (outcome.error is None)
    assert error is None or error in str(outcome.error)


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, "30", 30),
        (503, "120", 120),
        (503, "Fri, 10 Apr 2026 03:02:00 GMT", 120),
        (503, "Fri, 10 Apr 2026 02:00:00 GMT", 0),
        (503, "Fri, 10 Apr 2026 03:02:00 -0000", 120),
        (500, "30", 0),
        (200, "30", 0),
        (503, None, 0),
        (503, "soon", 0),
        (503, "-5", 0),
        (503, "1.5", 0),
        (503, "9" * 5_000, 0),
        (503, "", 0),
    ],
)
def test_retry_after(status: int, header: str | None, seconds: float) -> None:
    assert retry_after_seconds(status, header, NOW) == seconds


async def test_a_busy_receivers_wish_is_passed_on(receiver: Receiver) -> None:
    receiver.answers["/hook"].append(b"HTTP/1.1 429 X\r\nretry-after: 77\r\ncontent-length: 0\r\n\r\n")
    assert await sent(receiver.url()) == Outcome(429, "the answer was 429", 0, retry_after_seconds=77)
