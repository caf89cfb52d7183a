"""Persisted operations: by hash over HTTP, SSE and WebSocket, and a server that answers nothing else."""

import hashlib
import re
from dataclasses import replace
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient

from db.engine import Database, DatabaseUnavailableError
from resolvers.operations import Operations, register
from resolvers.services import Services
from schema.app import create_app
from tests.served import HANGS_SECONDS, served, websocket
from tests.world import Api, TestClock

pytestmark = pytest.mark.anyio

QUERY = "query Kind { __typename }"
OTHER = "mutation Kind { __typename }"
ID, OTHER_ID = (hashlib.sha256(text.encode()).hexdigest() for text in (QUERY, OTHER))
SHA_1 = hashlib.sha1(QUERY.encode(), usedforsecurity=False).hexdigest()
JSON, RESPONSE = "application/json", "application/graphql-response+json"

NOT_FOUND = {"message": "PersistedQueryNotFound", "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}
REQUIRED = {
    "message": "Only persisted operations are answered here: send a hash.",
    "extensions": {"code": "PERSISTED_QUERY_REQUIRED"},
}


def apollo(id_: Any) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": id_}}}


@pytest.fixture
async def registered(services: Services, clock: TestClock) -> None:
    assert await register(services.database, {ID: QUERY, OTHER_ID: OTHER, SHA_1: QUERY}, clock()) == 3


async def ask(api: Api, body: dict[str, Any], kind: str = JSON) -> tuple[int, Any]:
    response = await api.client.post("/graphql", json=body, headers={"Accept": kind})
    return response.status_code, response.json()


@pytest.mark.usefixtures("registered")
async def test_a_registered_document_is_asked_by_its_hash(api: Api) -> None:
    by_prefix = ({"documentId": f"sha256:{ID}"}, apollo(f"sha256:{ID}"))
    for body in (*by_prefix, apollo(ID), {"documentId": ID}, {"documentId": SHA_1}):
        assert await ask(api, body) == (200, {"data": {"__typename": "Query"}})
        assert await ask(api, {**body, "query": QUERY}) == (200, {"data": {"__typename": "Query"}})
    answer = await api.client.get("/graphql", params={"documentId": ID})
    assert answer.json() == {"data": {"__typename": "Query"}}
    refused = await api.client.get("/graphql", params={"documentId": OTHER_ID})
    assert refused.status_code == 405


async def test_an_unknown_hash_is_a_typed_request_error(api: Api) -> None:
    for id_ in (ID, "x", "", "../" * 20):
        for body in (apollo(id_), {"documentId": id_}):
            assert await ask(api, body) == (200, {"errors": [NOT_FOUND]})
            assert await ask(api, body, RESPONSE) == (400, {"errors": [NOT_FOUND]})


async def test_a_client_that_sends_the_text_as_well_registers_nothing(api: Api) -> None:
    assert await ask(api, {"query": QUERY, **apollo(ID)}) == (200, {"data": {"__typename": "Query"}})
    assert await ask(api, apollo(ID)) == (200, {"errors": [NOT_FOUND]})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"query": OTHER, **apollo(ID)}, "The hash is not that of the query"),
        ({"extensions": {"persistedQuery": ID}}, "persistedQuery must be an object with version 1 and a sha256Hash"),
        (apollo(1), "persistedQuery must be an object with version 1 and a sha256Hash"),
        ({"extensions": {"persistedQuery": {"version": 2, "sha256Hash": ID}}}, "persistedQuery must be an object with"),
        ({"documentId": 1}, "The parameter documentId must be a string"),
    ],
)
async def test_malformed_hashes_are_refused(api: Api, body: dict[str, Any], message: str) -> None:
    status, answer = await ask(api, body)
    assert (status, answer["errors"][0]["extensions"]) == (400, {"code": "BAD_REQUEST"})
    assert answer["errors"][0]["message"].startswith(message)


@pytest.mark.usefixtures("registered")
async def test_a_server_can_answer_persisted_operations_only(services: Services) -> None:
    strict = replace(services, settings=replace(services.settings, operations="persisted"))
    async with AsyncClient(transport=ASGITransport(create_app(strict)), base_url="http://testserver") as client:
        api = Api(client)
        assert await ask(api, apollo(ID)) == (200, {"data": {"__typename": "Query"}})
        assert await ask(api, {"query": QUERY}) == (200, {"errors": [REQUIRED]})
        assert await ask(api, {"query": QUERY}, RESPONSE) == (400, {"errors": [REQUIRED]})
        text = "{ __typename }"
        unknown = hashlib.sha256(text.encode()).hexdigest()
        assert await ask(api, {"query": text, **apollo(unknown)}) == (200, {"errors": [NOT_FOUND]})
    async with served(strict) as address, websocket(address) as client, AsyncClient(timeout=HANGS_SECONDS) as http:
        for key, payload, expected in (
            ("1", apollo(ID), ("next", {"data": {"__typename": "Query"}})),
            ("2", {"documentId": ID, "query": None}, ("next", {"data": {"__typename": "Query"}})),
            ("3", {"query": QUERY}, ("error", [REQUIRED])),
            ("4", {"documentId": "x"}, ("error", [NOT_FOUND])),
        ):
            await client.send(type="subscribe", id=key, payload=payload)
            message = await client.receive()
            assert (message["id"], message["type"], message["payload"]) == (key, *expected)
            if message["type"] == "next":
                assert await client.receive() == {"type": "complete", "id": key}
        headers = {"Accept": "text/event-stream"}
        streamed = await http.post(f"{address}/graphql", json=apollo(ID), headers=headers)
        assert streamed.text == 'event: next\ndata: {"data":{"__typename":"Query"}}\n\nevent: complete\ndata: \n\n'
        refused = await http.post(f"{address}/graphql", json={"query": QUERY}, headers=headers)
        assert (refused.status_code, refused.json()) == (200, {"errors": [REQUIRED]})


async def test_registering_again_adds_what_is_new_and_a_wrong_hash_adds_nothing(
    services: Services, clock: TestClock
) -> None:
    database, known = services.database, Operations(services.database)
    assert await register(database, {ID: QUERY}, clock()) == 1
    assert await register(database, {f"sha256:{ID}": QUERY, f"sha256:{OTHER_ID}": OTHER}, clock()) == 1
    with pytest.raises(ValueError, match=f"'{ID}' is not the SHA-256, SHA-1 or MD5 of its document"):
        await register(database, {SHA_1: QUERY, ID: OTHER}, clock())
    assert await known.document(SHA_1) is None
    assert await known.document(ID) == QUERY


async def test_a_document_is_read_once(services: Services, clock: TestClock, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Operations(services.database)
    assert await known.document(ID) is None
    await register(services.database, {ID: QUERY}, clock())  # by another process: what was unknown is looked up again
    assert await known.document(ID) == QUERY
    monkeypatch.delattr(Database, "read")
    assert await known.document(ID) == QUERY


async def test_a_hash_that_cannot_be_looked_up_may_be_asked_again(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_self: Operations, _id: str) -> str | None:
        raise DatabaseUnavailableError("password of the house")

    monkeypatch.setattr(Operations, "document", broken)
    for kind, expected in ((JSON, 200), (RESPONSE, 503)):
        status, answer = await ask(api, {"documentId": ID}, kind)
        assert (status, answer["errors"][0]["extensions"]) == (expected, {"code": "UNAVAILABLE", "retryable": True})
        assert "password" not in str(answer)


async def test_a_crash_before_graphql_begins_is_told_as_json_without_its_text(
    lone: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_self: Operations, _id: str) -> str | None:
        raise ValueError("password of the house")

    monkeypatch.setattr(Operations, "document", broken)
    for kind in (JSON, RESPONSE):
        status, answer = await ask(lone, {"documentId": ID}, kind)
        (error,) = answer["errors"]
        assert (status, error["extensions"], set(answer)) == (500, {"code": "INTERNAL"}, {"errors"})
        assert re.fullmatch(r"Internal error [0-9a-f]{8}\.", error["message"])
