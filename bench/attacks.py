"""(h) Known attacks on GraphQL servers: the processor time until each is answered, by the whole application."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import process_time

import httpx
import orjson
from rich import box
from rich.table import Table

from db.migrate import migrate
from resolvers.services import Services
from schema.app import create_app
from settings import Settings

ROUNDS = 5


def nested_fragments(levels: int) -> str:
    """A small document whose fragments expand to two to the power of ``levels`` fields."""
    fragments = [f"fragment F{n} on Query{{...F{n + 1} ...F{n + 1}}}" for n in range(levels)]
    return "{...F0} " + " ".join(fragments) + f" fragment F{levels} on Query{{plans}}"


def _joined(field: str, times: int) -> str:
    return "{" + " ".join(field.format(n=n) for n in range(times)) + "}"


def _unrolled(opening: str, inner: str, times: int) -> str:
    return opening * times + inner + "}" * opening.count("{") * times


DOCUMENTS = {
    "aliases": _joined("a{n}: __typename", 300),
    "aliases of a costly field": _joined("a{n}: plans {{ code }}", 150),
    "directives": "{ viewer " + "@skip(if: false) " * 120 + "{ role } }",
    "directives that do not exist": "{ viewer " + "@a " * 450 + "{ role } }",
    "nested fragments, 25 levels": nested_fragments(25),
    "circular fragments": "{ viewer { ...A } } fragment A on Viewer { ...B } fragment B on Viewer { ...A ...A }",
    "deep introspection": "{ __schema { types { " + _unrolled("fields { type { ", "name ", 6) + "} } }",
    "introspection, 60 times": _joined("a{n}: __schema {{ types {{ fields {{ args {{ name }} }} }} }}", 60),
    "repeated fields": "{" + "plans { code } " * 240 + "}",
    "pairs of fragments": "{"
    + " ".join(f"...F{n}" for n in range(100))
    + "}"
    + " ".join(f"fragment F{n} on Query{{__typename}}" for n in range(100)),
    "fields that do not exist": _joined("custommer{n}", 950),
    "variables": "query(" + " ".join(f"$a{n}: Int" for n in range(230)) + ") { __typename }",
    "depth": _unrolled("{ customer ", "{ id }", 200),
    "depth past the parser": "{a" * 20_000,
    "tokens": "{" + "a " * 200_000 + "}",
    "large pages in large pages": "{ customers(first: 100) { edges { node { accounts(first: 100) { edges { node {"
    " groups { name } } } } } } } }",
}
"""Documents sent as a query each."""

BODIES = {
    "a batch of 1,000": orjson.dumps([{"query": "{ __typename }"}] * 1_000),
    "nested JSON": b'{"variables":' + b'{"a":' * 100_000,
    "a number": b"1",
    "a body of 10 MB": b" " * 10_000_000,
}
"""Bodies sent as they are, in pieces of 64 KB."""


@dataclass(frozen=True, slots=True)
class Answered:
    """How an attack was answered, and the processor time until then, the median of the rounds."""

    name: str
    bytes: int
    milliseconds: float
    status: int
    code: str


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536]


async def measure() -> list[Answered]:
    """Each attack on an application of its own process, after one round that is not counted."""
    bodies = {name: orjson.dumps({"query": text}) for name, text in DOCUMENTS.items()} | BODIES
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(database_url=f"sqlite:///{Path(folder) / 'attacks.db'}", planner_workers=1)
        await asyncio.to_thread(migrate, settings.database_url)
        services = Services.open(settings)
        try:
            transport = httpx.ASGITransport(create_app(services))
            async with httpx.AsyncClient(transport=transport, base_url="http://attacked") as client:
                return [await _attacked(client, name, body) for name, body in bodies.items()]
        finally:
            await services.close()


async def _attacked(client: httpx.AsyncClient, name: str, body: bytes) -> Answered:
    times = []
    for _ in range(ROUNDS + 1):
        headers = {"Content-Type": "application/json", "Accept": "application/graphql-response+json"}
        started = process_time()
        response = await client.post("/graphql", content=_pieces(body), headers=headers)
        times.append((process_time() - started) * 1_000)
    errors = response.json().get("errors", [{"extensions": {"code": "answered"}}])
    return Answered(name, len(body), median(times[1:]), response.status_code, errors[0]["extensions"]["code"])


def table(answered: list[Answered]) -> Table:
    """One row for each attack."""
    result = Table(title=f"(h) Attacks: processor time, medians of {ROUNDS} rounds", box=box.SIMPLE_HEAD)
    result.add_column("", no_wrap=True)
    for heading in ("bytes", "ms", "status", "code"):
        result.add_column(heading, justify="right")
    for each in answered:
        result.add_row(each.name, f"{each.bytes:,}", f"{each.milliseconds:.1f}", str(each.status), each.code)
    return result
