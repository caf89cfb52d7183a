"""Many connections that ask a server a mixture of questions: what each answer took, and what it acknowledged.

Plain HTTP/1.1 over asyncio's streams, because the client runs beside the server: client libraries cost more than the
answers do. A request that fails and may be retried is sent again, with the same idempotency key, until it is answered.
"""

import asyncio
import re
import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from time import monotonic
from typing import Any

import orjson
import uvloop

from bench.serving import request
from tests.people import REGISTER
from tests.world import CHECKOUT, PLACE, place_input

VIEWER = "{ viewer { role } }"
PAGE = """query Page($from: Date!, $until: Date!) { customer {
  name mainContract { lastDay terms { planCode accounts lastDay } } accountCount
  spotOrders(first: 10) { edges { node { number status accounts startsOn lastDay } } }
  capacityTimeline(from: $from, until: $until) { from until accounts }
  accounts(first: 20) { edges { node { id name status } } } } }"""
RECOMMEND = """query Recommend($input: RecommendInput!) { spotPlanRecommend(input: $input) {
  status netTotal { amount } lowerBound { amount } orders { startsOn lastDay months accounts } fromCache } }"""
WEIGHTS = {"viewer": 35, "page": 30, "register": 15, "order": 10, "plan, known": 6, "plan, new": 4}
PAID = "-paid"
"""What the keys of checkouts end with."""
KNOWN_QUESTIONS = 5
"""Of each customer, which are asked again and again."""
RETRY_SECONDS = 0.2
PATIENCE_SECONDS = 20.0
"""So long after the end a request that failed is still sent again."""
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Owner:
    """A customer by its global id, and its owner's token."""

    customer: str
    token: str


@dataclass(frozen=True, slots=True)
class Load:
    """What one process is to do. ``buyers`` order and register; ``planners`` do not, so that their answers are cached.

    ``until`` is by :func:`time.monotonic`, which processes share.
    """

    port: int
    buyers: Sequence[Owner]
    planners: Sequence[Owner]
    connections: int
    pause_seconds: float
    until: float
    name: str


@dataclass(frozen=True, slots=True)
class Failed:
    """An answer that is an error: when, and what it said."""

    at: float
    kind: str
    status: int
    code: str
    retryable: bool


@dataclass(slots=True)
class Found:
    """What one process has seen. ``acknowledged`` has, by idempotency key, the id of what was made."""

    answered: list[tuple[float, str, float]] = field(default_factory=list)
    """When, the kind, and seconds."""
    failed: list[Failed] = field(default_factory=list)
    acknowledged: dict[str, str] = field(default_factory=dict)
    given_up: list[str] = field(default_factory=list)
    """Keys of requests that were never answered."""
    processor_seconds: float = 0.0


def run(load: Load) -> Found:
    """Ask until the time is over, and until all that was begun is answered."""
    return uvloop.run(_run(load))


async def _run(load: Load) -> Found:
    found = Found()
    clients = [_Client(load, found, number) for number in range(load.connections)]
    await asyncio.gather(*(client.work() for client in clients))
    used = resource.getrusage(resource.RUSAGE_SELF)
    found.processor_seconds = used.ru_utime + used.ru_stime
    return found


class _Client:
    """One connection."""

    def __init__(self, load: Load, found: Found, number: int) -> None:
        self._load = load
        self._found = found
        self._name = f"{load.name}-{number}"
        self._random = Random(self._name)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._count = 0

    async def work(self) -> None:
        kinds, weights = list(WEIGHTS), list(WEIGHTS.values())
        await asyncio.sleep(self._random.uniform(0, self._load.pause_seconds))
        while monotonic() < self._load.until:
            self._count += 1
            await self._ask(self._random.choices(kinds, weights)[0])
            await asyncio.sleep(self._random.expovariate(1 / self._load.pause_seconds))
        if self._streams is not None:
            self._streams[1].close()

    async def _ask(self, kind: str) -> None:
        buyer, planner = self._random.choice(self._load.buyers), self._random.choice(self._load.planners)
        if kind == "viewer":
            await self._answer(kind, buyer, VIEWER)
        elif kind == "page":
            today = datetime.now(UTC).date()
            await self._answer(kind, buyer, PAGE, {"from": str(today), "until": str(today + timedelta(days=365))})
        elif kind == "register":
            await self._register(buyer)
        elif kind == "order":
            await self._order(buyer)
        else:
            known = kind == "plan, known"
            seed = self._random.randrange(KNOWN_QUESTIONS) if known else f"{self._name} {self._count}"
            await self._answer(kind, planner, RECOMMEND, {"input": question(Random(seed))})

    async def _register(self, owner: Owner) -> None:
        key = f"{self._name}-{self._count}"
        given = {"accounts": [{"externalId": key, "name": "New"}], "idempotencyKey": key}
        payload = await self._answer("register", owner, REGISTER, {"input": given}, key)
        if payload:
            self._found.acknowledged[key] = payload["accounts"][0]["id"]

    async def _order(self, owner: Owner) -> None:
        key = f"{self._name}-{self._count}"
        starts_on = datetime.now(UTC).date() + timedelta(days=self._random.randrange(2, 200))
        placing = {"input": place_input(key, startsOn=str(starts_on))}
        placed = await self._answer("order", owner, PLACE, placing, key)
        if placed:
            order = placed["order"]
            self._found.acknowledged[key] = order["id"]
            paying = {
                "orderId": order["id"],
                "paymentMethod": "INVOICE",
                "expectedTotal": order["price"]["total"]["minorUnits"],
                "idempotencyKey": key + PAID,
            }
            paid = await self._answer("checkout", owner, CHECKOUT, {"input": paying}, key + PAID)
            if paid:
                self._found.acknowledged[key + PAID] = paid["order"]["id"]

    async def _answer(
        self, kind: str, owner: Owner, query: str, variables: Mapping[str, Any] | None = None, key: str = ""
    ) -> dict[str, Any] | None:
        """What the one root field has answered in the end; None where it was refused, or nobody answers any more."""
        body = orjson.dumps({"query": query, "variables": variables})
        while True:
            started = monotonic()
            try:
                status, answer = await self._send(owner.token, body)
            except (OSError, asyncio.IncompleteReadError) as failure:
                self._streams = None
                status, answer = 0, {"errors": [{"extensions": {"code": type(failure).__name__}}]}
            now = monotonic()
            failed = _failure(kind, status, answer, now)
            if failed is None:
                self._found.answered.append((now, kind, now - started))
                (payload,) = answer["data"].values()
                return payload if isinstance(payload, dict) else {}
            self._found.failed.append(failed)
            if not (failed.retryable or status == 0) or now > self._load.until + PATIENCE_SECONDS:
                if key:
                    self._found.given_up.append(key)
                return None
            await asyncio.sleep(self._random.uniform(0.5, 1.5) * RETRY_SECONDS)

    async def _send(self, token: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._load.port)
        reader, writer = self._streams
        writer.write(request(body, token, accept="application/graphql-response+json"))
        answered = await reader.readuntil(b"\r\n\r\n")
        length = LENGTH.search(answered)
        if length is None:
            raise ConnectionError("an answer without its length")
        body = await reader.readexactly(int(length[1]))
        try:
            content: dict[str, Any] = orjson.loads(body)
        except orjson.JSONDecodeError:
            content = {"errors": [{"extensions": {"code": "NOT_JSON"}}]}
        return int(answered[9:12]), content


def question(random: Random) -> dict[str, Any]:
    """Three events within a year that need more accounts."""
    today = datetime.now(UTC).date()
    events = []
    for _ in range(3):
        first = today + timedelta(days=random.randrange(2, 250))
        until = first + timedelta(days=random.randrange(5, 60))
        events.append({"from": str(first), "until": str(until), "accounts": 100 * random.randint(1, 20)})
    return {"demand": {"events": events}, "seconds": 2.0}


def _failure(kind: str, status: int, answer: dict[str, Any], now: float) -> Failed | None:
    if answer.get("errors"):
        extensions = answer["errors"][0].get("extensions", {})
        return Failed(now, kind, status, extensions.get("code", "?"), extensions.get("retryable", False))
    for payload in answer["data"].values():
        if isinstance(payload, dict) and payload.get("errors"):
            return Failed(now, kind, status, payload["errors"][0]["code"], retryable=False)
    return None
