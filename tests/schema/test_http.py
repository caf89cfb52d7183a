"""HTTP around GraphQL: masked crashes, limits, the GraphiQL page, health."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from db.engine import DatabaseUnavailableError
from resolvers import reads
from resolvers.access import Role
from schema import graphiql
from schema.graphiql import PLACEHOLDER, page
from tests.world import Api, World, starter

pytestmark = pytest.mark.anyio


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
    ("body", "status"),
    [(b"{", 400), (b"1", 400), (b'"x"', 400), (b"null", 400), (b"\xff", 400), (b"{}", 400), (b"[]", 400)],
)
async def test_a_malformed_body_is_answered_as_a_json_error(api: Api, body: bytes, status: int) -> None:
    response = await api.client.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == status
    assert response.json()["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}


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
    assert response.status_code == 400


async def test_an_unknown_operation_name_is_a_request_error(api: Api) -> None:
    body = {"query": "query A { __typename }", "operationName": "B"}
    response = await api.client.post("/graphql", json=body)
    assert response.status_code == 400


async def test_a_field_that_does_not_exist_is_named(api: Api) -> None:
    error = await api.error("{ viewer { rol } }")
    assert error == {
        "message": "Cannot query field 'rol' on type 'Viewer'. Did you mean 'role'?",
        "code": "GRAPHQL_INVALID",
    }


def nested_fragments(levels: int) -> str:
    """A small document whose fragments expand to two to the power of ``levels`` fields."""
    fragments = [f"fragment F{n} on Viewer{{...F{n + 1} ...F{n + 1}}}" for n in range(levels)]
    return "{viewer{...F0}} " + " ".join(fragments) + f" fragment F{levels} on Viewer{{role}}"


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (
            nested_fragments(25),
            {"message": "The document has 33554433 fields; at most 2000 are answered.", "fields": 33_554_433}
            | {"fieldsMax": 2_000, "code": "TOO_COSTLY"},
        ),
        (
            "{ " + "customer { mainContract { terms { " * 6 + "x" + " } } }" * 6 + " }",
            {"message": "The document has 19 depth; at most 16 are answered.", "depth": 19}
            | {"depthMax": 16, "code": "TOO_COSTLY"},
        ),
        (
            "{ " + " ".join(f"a{n}: plans {{ code }}" for n in range(400)) + " }",
            {
                "message": "Syntax Error: Document contains more than 2000 tokens. Parsing aborted.",
                "code": "GRAPHQL_INVALID",
            },
        ),
        (
            "{" + "a{" * 900,
            {"message": "Syntax Error: Document is nested too deeply. Parsing aborted.", "code": "GRAPHQL_INVALID"},
        ),
    ],
)
async def test_costly_documents_are_refused_before_they_are_validated(
    api: Api, query: str, error: dict[str, Any]
) -> None:
    assert await api.error(query) == error


async def test_fragments_that_use_each_other_are_refused(api: Api) -> None:
    query = "{ viewer { ...A } } fragment A on Viewer { ...B } fragment B on Viewer { ...A }"
    assert (await api.error(query))["code"] == "TOO_COSTLY"


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


async def test_only_browsers_get_the_page(api: Api) -> None:
    assert (await api.client.get("/graphql", headers={"Accept": "text/html,*/*"})).headers["content-type"] in {
        "text/html; charset=utf-8",
        "text/plain; charset=utf-8",  # where the page was not built
    }
    assert (await api.client.get("/graphql", headers={"Accept": "*/*"})).status_code == 400
