"""HTTP around GraphQL: masked crashes, limits, the GraphiQL page, health."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from graphql import get_introspection_query
from httpx import ASGITransport, AsyncClient

from db.engine import DatabaseUnavailableError
from resolvers import reads
from resolvers.access import Role
from resolvers.services import Services
from schema import app, graphiql
from schema.app import create_app
from schema.graphiql import PLACEHOLDER, page
from schema.wire import EventStream
from tests.served import HANGS_SECONDS, served
from tests.world import Api, World, starter

pytestmark = pytest.mark.anyio

JSON, RESPONSE = "application/json", "application/graphql-response+json"


async def test_a_crash_shows_a_reference_and_never_its_text(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def crash(*_: Any) -> None:
        raise ZeroDivisionError("secret of the house")

    monkeypatch.setattr(reads, "plans", crash)
    with caplog.at_level(logging.ERROR, "spotplan"):
        response = await api.post("{ plans { code } }", await world.token(Role.SALES))
    error = response.json()["errors"][0]
    assert "secret" not in response.text
    assert error["extensions"] == {"code": "INTERNAL"}
    reference = error["message"].removeprefix("Internal error ").removesuffix(".")
    assert [record.getMessage() for record in caplog.records] == [f"internal error {reference} at ['plans']"]
    assert "secret of the house" in caplog.text


async def test_a_database_that_does_not_answer_is_a_retryable_error(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable(*_: Any) -> None:
        raise DatabaseUnavailableError("password of the house")

    monkeypatch.setattr(reads, "plans", unavailable)
    assert await api.error("{ plans { code } }", await world.token(Role.SALES)) == {
        "message": "The database is not available. Try again in a moment.",
        "code": "UNAVAILABLE",
        "retryable": True,
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "The body cannot be read as JSON: "),
        (b"", "The body cannot be read as JSON: "),
        (b"\xff", "The body cannot be read as JSON: "),
        (b'{"query": "\xff"}', "The body cannot be read as JSON: "),
        (b'{"query": "\\ud800"}', "The body cannot be read as JSON: "),
        (b"[" * 100_000, "The body cannot be read as JSON: "),
        (b'{"a":' * 100_000, "The body cannot be read as JSON: "),
        (b"1", "The body must be a JSON object"),
        (b'"x"', "The body must be a JSON object"),
        (b"null", "The body must be a JSON object"),
        (b"[]", "Batches are not answered: send one operation in a request"),
        (b'[{"query": "{ __typename }"}]', "Batches are not answered: send one operation in a request"),
        (b"{}", "The parameter query is missing"),
        (b'{"query": null}', "The parameter query is missing"),
        (b'{"query": 1}', "The parameter query must be a string"),
        (b'{"query": "{a}", "operationName": 1}', "The parameter operationName must be a string"),
        (b'{"query": "{a}", "variables": "x"}', "The parameter variables must be an object"),
        (b'{"query": "{a}", "extensions": []}', "The parameter extensions must be an object"),
    ],
)
@pytest.mark.parametrize("kind", [JSON, RESPONSE])
async def test_a_malformed_body_is_answered_as_a_json_error(lone: Api, body: bytes, message: str, kind: str) -> None:
    headers = {"Content-Type": JSON, "Accept": kind}
    response = await lone.client.post("/graphql", content=body, headers=headers)
    assert (response.status_code, response.headers["content-type"]) == (400, f"{kind}; charset=utf-8")
    (error,) = response.json()["errors"]
    assert error["message"].startswith(message)
    assert error["extensions"] == {"code": "BAD_REQUEST"}


@pytest.mark.parametrize(
    ("method", "headers", "status", "code"),
    [
        ("POST", {}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", {"Content-Type": "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", {"Content-Type": "application/graphql"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", {"Content-Type": "multipart/form-data; boundary=x"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", {"Content-Type": "application/json; charset=utf-16"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", {"Content-Type": JSON, "Accept": "image/png"}, 406, "NOT_ACCEPTABLE"),
        ("POST", {"Content-Type": JSON, "Accept": "application/json;q=0"}, 406, "NOT_ACCEPTABLE"),
        ("PUT", {"Content-Type": JSON}, 405, "METHOD_NOT_ALLOWED"),
        ("HEAD", {}, 405, None),
        ("OPTIONS", {}, 405, "METHOD_NOT_ALLOWED"),
    ],
)
async def test_what_http_itself_refuses(
    lone: Api, method: str, headers: dict[str, str], status: int, code: str | None
) -> None:
    body = b'{"query": "{ __typename }"}'
    response = await lone.client.request(method, "/graphql", content=body, headers=headers)
    assert response.status_code == status
    assert response.headers.get("allow") == ("GET, POST" if status == 405 else None)
    if code is not None:
        assert response.json()["errors"][0]["extensions"] == {"code": code}


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (RESPONSE, RESPONSE),
        (f"{RESPONSE}, {JSON};q=0.9", RESPONSE),
        (f"{RESPONSE};q=0.1, {JSON};q=0.9", JSON),
        (f"{RESPONSE}, {JSON}, text/event-stream, multipart/mixed", RESPONSE),
        ("APPLICATION/JSON; charset=utf-8", JSON),
        ("text/event-stream", "text/event-stream"),
    ],
)
async def test_the_answer_is_of_the_type_that_is_preferred(lone: Api, accept: str | None, kind: str) -> None:
    request = lone.client.build_request("POST", "/graphql", json={"query": "{ __typename }"})
    del request.headers["accept"]
    if accept is not None:
        request.headers["accept"] = accept
    response = await lone.client.send(request)
    assert response.status_code == 200
    assert response.headers["content-type"].partition(";")[0] == kind
    assert "Accept" in response.headers["vary"].split(", ")


async def test_a_request_error_has_no_data_and_its_own_status(lone: Api) -> None:
    refused = [
        {"query": "{"},
        {"query": "{ nothing }"},
        {"query": "query A { __typename }", "operationName": "B"},
        {"query": "query A { __typename } query B { __typename }"},
        {"query": "fragment A on Query { __typename }"},
        {"query": "query A($id: ID!) { customer(id: $id) { id } }"},
    ]
    for body in refused:
        for kind, status in ((JSON, 200), (RESPONSE, 400)):
            response = await lone.client.post("/graphql", json=body, headers={"Accept": kind})
            assert (response.status_code, set(response.json())) == (status, {"errors"}), body
            assert response.json()["errors"][0]["extensions"]["code"] == "GRAPHQL_INVALID"


async def test_an_error_of_a_field_comes_with_data(lone: Api) -> None:
    for kind in (JSON, RESPONSE):
        response = await lone.client.post("/graphql", json={"query": "{ plans { code } }"}, headers={"Accept": kind})
        assert response.status_code == 200
        assert response.json()["data"] is None
        assert response.json()["errors"][0]["path"] == ["plans"]


async def test_large_answers_are_compressed_and_small_ones_are_not(lone: Api) -> None:
    for query, encoding in ((get_introspection_query(), "gzip"), ("{ __typename }", None)):
        response = await lone.client.post("/graphql", json={"query": query}, headers={"Accept-Encoding": "gzip"})
        assert response.headers.get("content-encoding") == encoding
        assert "errors" not in response.json()


PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


async def test_pages_of_configured_origins_may_ask_and_read_refusals(services: Services) -> None:
    settings = replace(services.settings, cors_origins="https://app.example.com, http://localhost:3000")
    transport = ASGITransport(create_app(replace(services, settings=settings)))
    async with AsyncClient(transport=transport, base_url="http://testserver") as client:
        for origin, admitted in (
            ("https://app.example.com", "https://app.example.com"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("https://example.com", None),
        ):
            headers = {"Origin": origin}
            preflight = await client.options("/graphql", headers=headers | PREFLIGHT)
            assert preflight.status_code == (200 if admitted else 400)
            assert preflight.headers.get("access-control-allow-origin") == admitted
            for body in ({"query": "{ __typename }"}, {}):
                answer = await client.post("/graphql", json=body, headers=headers)
                assert answer.headers.get("access-control-allow-origin") == admitted
                assert "access-control-allow-credentials" not in answer.headers


async def test_without_configured_origins_no_page_of_another_may_ask(lone: Api) -> None:
    headers = {"Origin": "https://app.example.com"}
    preflight = await lone.client.options("/graphql", headers=headers | PREFLIGHT)
    assert (preflight.status_code, preflight.headers.get("access-control-allow-origin")) == (405, None)
    answer = await lone.client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    assert "access-control-allow-origin" not in answer.headers


async def test_a_body_that_comes_too_slowly_is_not_waited_for(services: Services) -> None:
    slow = replace(services, settings=replace(services.settings, body_seconds_max=1))
    async with served(slow) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nContent-Length: 99\r\n\r\n{{"
        writer.write(head.encode())
        async with asyncio.timeout(HANGS_SECONDS):
            received = await reader.read()  # until the server closes the connection
        writer.close()
    assert received.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"TOO_SLOW"' in received


async def test_a_body_above_the_limit_is_not_read_to_its_end(api: Api) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 100_000
            yield b" " * 100_000

    response = await api.client.post("/graphql", content=endless(), headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    assert response.json()["errors"][0]["message"] == "The request has more than 1000000 bytes"
    assert read == 1_100_000


async def test_mutations_are_not_run_by_get(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    response = await api.client.get(
        "/graphql",
        params={"query": 'mutation { spotOrderCancel(input: {orderId: "x"}) { order { id } } }'},
        headers={"Authorization": f"Bearer {owner.token}"},
    )
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert response.json()["errors"] == [
        {"message": "A mutation needs POST", "extensions": {"code": "METHOD_NOT_ALLOWED"}}
    ]


async def test_a_field_that_does_not_exist_is_named(api: Api) -> None:
    error = await api.error("{ viewer { rol } }")
    assert error == {
        "message": "Cannot query field 'rol' on type 'Viewer'. Did you mean 'role'?",
        "code": "GRAPHQL_INVALID",
    }


async def test_health(api: Api) -> None:
    assert (await api.client.get("/healthz")).text == "ok\n"
    assert (await api.client.get("/readyz")).text == "ok\n"


async def test_the_page_carries_its_configuration_and_a_strict_policy(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index.html").write_text(f"<body>{PLACEHOLDER}</body>", "utf-8")
    monkeypatch.setattr(graphiql, "ASSETS", tmp_path)
    response = page({"token": "spt_x", "tabs": [{"query": "</script><b>"}]})
    html = bytes(response.body).decode()
    assert html.count("<") == 4
    begin = html.index(">", html.index("<script")) + 1
    assert json.loads(html[begin : html.index("</script>")]) == {
        "token": "spt_x",
        "tabs": [{"query": "</script><b>"}],
    }
    assert response.headers["content-security-policy"].startswith("default-src 'self';")
    assert response.headers["cache-control"] == "no-store"


async def test_the_page_is_the_same_every_time(lone: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "index.html").write_text(f"<body>{PLACEHOLDER}{'x' * 1_000}</body>", "utf-8")
    monkeypatch.setattr(graphiql, "ASSETS", tmp_path)
    headers = {"Accept": "text/html,*/*;q=0.8", "Accept-Encoding": "gzip"}
    first, second = [await lone.client.get("/graphql", headers=headers) for _ in range(2)]
    assert first.headers["content-encoding"] == "gzip"
    assert first.headers.pop("x-request-id") != second.headers.pop("x-request-id")
    assert (first.text, first.headers) == (second.text, second.headers)


async def test_where_the_page_is_not_built_there_are_no_parts_of_it(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "ASSETS", tmp_path / "nothing")
    async with AsyncClient(transport=ASGITransport(create_app(services)), base_url="http://testserver") as client:
        assert (await client.get("/graphiql/x.js")).status_code == 404


async def test_only_browsers_get_the_page(api: Api) -> None:
    assert (await api.client.get("/graphql", headers={"Accept": "text/html,*/*"})).headers["content-type"] in {
        "text/html; charset=utf-8",
        "text/plain; charset=utf-8",  # where the page was not built
    }
    assert (await api.client.get("/graphql", headers={"Accept": "*/*"})).status_code == 400


def test_lines_of_an_event_stream_end_as_urql_reads_them() -> None:
    stream = EventStream()
    assert stream.encode_event("next", '{"data":{}}') == 'event: next\ndata: {"data":{}}\n\n'
    assert stream.heartbeat_message(json.dumps) == ": ping\n\n"
