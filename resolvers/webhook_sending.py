"""Sending one webhook: signed, to a checked address, within a time. What went wrong is an outcome, never raised."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address, ip_network
from time import perf_counter

import httpx
from standardwebhooks import Webhook

from domain.history import Event
from domain.webhooks import Endpoint, Outcome, message_id, payload
from resolvers.services import system_clock
from settings import Settings

TIMEOUT_SECONDS = 15.0
"""From resolving the name to the answer."""
CONNECT_SECONDS = 5.0
"""To connect to one address, so that there is time for another one."""
ADDRESSES_MAX = 3
"""How many addresses of a name are tried."""
ANSWER_BYTES_MAX = 4_096
"""The status is what counts. A short answer is read so that the connection can be used again."""
ERROR_LENGTH_MAX = 200

# It logs every address that is asked, and addresses of receivers may hold their secrets.
logging.getLogger("httpx").setLevel(logging.WARNING)

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a host's name, those to try first in front."""

GLOBAL_UNICAST = ip_network("2000::/3")
NOT_PUBLIC = tuple(map(ip_network, ("192.0.0.0/24", "2001::/32", "2002::/16")))
"""Beside what Python calls private: protocols' own addresses, behind which a cloud may answer about the machine, and
Teredo and 6to4, which lead to an IPv4 address hidden in them."""


class PrivateAddressError(Exception):
    """The host has an address that is not public."""


async def addresses_of(host: str, port: int) -> list[str]:
    """The addresses of a host's name, as the system resolves it.

    Raises:
        OSError, UnicodeError: it has none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public(address: str) -> bool:
    """Whether an address is one of the public internet, in which nobody trusts us more than others.

    In IPv6 nothing but global unicast is: that leaves out loopback, link-local and unique local addresses, and every
    form that hides an IPv4 address (mapped, compatible, NAT64), before the tunnels.
    """
    parsed = ip_address(address)
    if not parsed.is_global or parsed.is_multicast or any(parsed in network for network in NOT_PUBLIC):
        return False
    return parsed.version == 4 or parsed in GLOBAL_UNICAST


class CheckedTransport(httpx.AsyncBaseTransport):
    """Resolves a name once, checks every address, and connects to one of those that were checked.

    So a name server that answers differently the second time changes nothing. The certificate is checked against the
    name all the same.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, resolve: Resolve, *, private_allowed: bool) -> None:
        self._inner = inner
        self._resolve = resolve
        self._private_allowed = private_allowed

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request.

        Raises:
            PrivateAddressError, OSError, UnicodeError, httpx.HTTPError.
        """
        url, host = request.url, request.url.raw_host.decode("ascii")
        addresses = await self._resolve(host, url.port or (443 if url.scheme == "https" else 80))
        if not self._private_allowed and not all(map(is_public, addresses)):
            raise PrivateAddressError
        request.extensions["sni_hostname"] = host
        *others, last = addresses[:ADDRESSES_MAX]
        for address in others:
            request.url = url.copy_with(host=address)
            try:
                return await self._inner.handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        request.url = url.copy_with(host=last)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._inner.aclose()


class Sender:
    """Sends events to endpoints. What it needs for all of them is made once."""

    def __init__(
        self,
        settings: Settings,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        resolve: Resolve = addresses_of,
        certificates: ssl.SSLContext | None = None,
    ) -> None:
        self._private_allowed = settings.webhook_private_networks == "allowed"
        self._timeout_seconds = timeout_seconds
        self._resolve = resolve
        self._certificates = certificates or httpx.create_ssl_context()

    def client(self) -> httpx.AsyncClient:
        """Connections to one endpoint, to be closed after use.

        Not for several: a connection is found again by its address alone, and two names may share one.
        """
        inner = httpx.AsyncHTTPTransport(verify=self._certificates, trust_env=False)
        return httpx.AsyncClient(
            transport=CheckedTransport(inner, self._resolve, private_allowed=self._private_allowed),
            timeout=httpx.Timeout(self._timeout_seconds, connect=min(CONNECT_SECONDS, self._timeout_seconds)),
            follow_redirects=False,  # a redirect could lead anywhere, and POST would become GET
            trust_env=False,  # a proxy would resolve the name again
        )

    async def send(self, client: httpx.AsyncClient, endpoint: Endpoint, event: Event) -> Outcome:
        """Send an event, signed by the endpoint's secrets. A 2xx status acknowledges it, whatever follows."""
        started = perf_counter()
        now = system_clock()  # receivers refuse a timestamp that is far from their own clock's
        body = payload(event)
        headers = _headers(endpoint, message_id(event), body, now)
        answer: httpx.Response | None = None
        error: str | None = None
        try:
            async with asyncio.timeout(self._timeout_seconds):
                async with client.stream("POST", endpoint.url, content=body, headers=headers) as answer:
                    await _read_a_little(answer)
        except (TimeoutError, httpx.TimeoutException):
            error = f"no answer within {self._timeout_seconds:g} s"
        except PrivateAddressError:
            error = "the host has an address that is not public"
        except (OSError, UnicodeError, httpx.HTTPError, httpx.InvalidURL) as failure:
            error = f"{type(failure).__name__}: {failure}"[:ERROR_LENGTH_MAX]
        milliseconds = round((perf_counter() - started) * 1_000)
        if answer is None:
            return Outcome(None, error, milliseconds)
        status = answer.status_code
        error = None if answer.is_success else f"the answer was {status}"
        return Outcome(status, error, milliseconds, retry_after_seconds(status, answer.headers.get("retry-after"), now))


def retry_after_seconds(status: int, header: str | None, now: datetime) -> float:
    """How long a receiver that is overloaded asks to wait: a number of seconds, or an instant. 0 if it does not."""
    if header is None or status not in {429, 503}:
        return 0
    if header.isdecimal() and len(header) < 10:
        return int(header)
    try:
        instant = parsedate_to_datetime(header)
    except ValueError:
        return 0
    return max(0.0, (instant.replace(tzinfo=instant.tzinfo or UTC) - now).total_seconds())


def _headers(endpoint: Endpoint, id_: str, body: str, now: datetime) -> dict[str, str]:
    signatures = (Webhook(secret).sign(id_, now, body) for secret in endpoint.secrets_at(now))
    return {
        "content-type": "application/json",
        "user-agent": "Spotplan-Webhooks/1",
        "webhook-id": id_,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


async def _read_a_little(answer: httpx.Response) -> None:
    read = 0
    async for chunk in answer.aiter_raw():
        read += len(chunk)
        if read > ANSWER_BYTES_MAX:
            break
