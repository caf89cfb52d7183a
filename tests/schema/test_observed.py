"""What operators see of requests: numbers, one line each, spans - and nothing of customers in any of them."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from graphql import parse
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY, generate_latest

import db.tracing
import resolvers.observed
import schema.observed
from planner.problem import Outcome, PlanStatus
from resolvers import reads
from resolvers.access import Role
from resolvers.services import Services
from schema.observed import root_field
from tests.planner.builders import planned
from tests.planner.stand_ins import report_then_stall, say
from tests.schema.test_search import INPUT, RECOMMEND, pid_in, searching, solve_is
from tests.served import served, websocket
from tests.world import PLACE, Api, World, place_input, starter

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

VIEWER = "query Who { viewer { role } }"
FOUND = Outcome(PlanStatus.FEASIBLE, (planned("2026-05-01", 2, units=3),), cost_minor=30_000, lower_bound_minor=24_000)


def counted(name: str, **labels: str) -> Callable[[], float]:
    """How much a number has grown since this was called."""

    def value() -> float:
        return REGISTRY.get_sample_value(f"spotplan_{name}", labels) or 0.0

    before = value()
    return lambda: value() - before


def lines(caplog: pytest.LogCaptureFixture, message: str) -> list[dict[str, Any]]:
    """What was logged beside a message, without times."""
    found = [vars(record)["fields"] for record in caplog.records if record.getMessage() == message]
    assert all(fields.pop("milliseconds") >= 0 for fields in found)
    return found


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "spotplan")
    return caplog


@pytest.fixture
def spans(services: Services, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[ReadableSpan]]:
    """The spans that have ended, in their order."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    for module in (db.tracing, resolvers.observed, schema.observed):
        monkeypatch.setattr(module, "TRACER", provider.get_tracer("test"))
    services.database.trace_statements()
    return lambda: list(exporter.get_finished_spans())


@pytest.mark.usefixtures("database_url")
@pytest.mark.parametrize(
    ("document", "name", "field"),
    [
        ("query Anything { plans { code } }", None, "plans"),
        ("{ a: plans { code } b: plans { code } }", None, "plans"),
        ("{ plans { code } viewer { role } }", None, "several"),
        ("{ __schema { queryType { name } } __typename }", None, "introspection"),
        ("{ __typename viewer { role } }", None, "viewer"),
        ("query A { plans { code } } query B { viewer { role } }", "B", "viewer"),
        ("{ ...F ... on Query { ...F } } fragment F on Query { viewer { role } }", None, "viewer"),
    ],
)
def test_an_operation_is_called_by_its_root_field(document: str, name: str | None, field: str) -> None:
    assert root_field(parse(document), name) == field


async def test_operations_are_counted_by_their_field_and_outcome(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: Any) -> None:
        raise ZeroDivisionError

    good = counted("operations_total", operation="viewer", outcome="ok")
    refused = counted("operations_total", operation="viewer", outcome="error")
    invalid = counted("operations_total", operation="invalid", outcome="invalid")
    crashed = counted("operations_total", operation="plans", outcome="crash")
    errors = {code: counted("errors_total", code=code) for code in ("NOT_SIGNED_IN", "GRAPHQL_INVALID", "INTERNAL")}
    timed = counted("operation_seconds_count", operation="viewer")
    requests = counted("request_seconds_count", route="graphql", status="200")
    token = await world.token(Role.SALES)
    await api.data(VIEWER, token)
    await api.data("query AnotherName { viewer { role } }", token)
    await api.error(VIEWER, "spt_unknown")
    await api.error("{ nothing }")
    await api.error("{")
    monkeypatch.setattr(reads, "plans", crash)
    await api.error("{ plans { code } }", token)
    assert (good(), refused(), invalid(), crashed()) == (2, 1, 2, 1)
    assert [count() for count in errors.values()] == [1, 2, 1]
    assert (timed(), requests()) == (3, 6)


async def test_refusals_of_mutations_are_counted_by_code(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    operations = counted("operations_total", operation="spotOrderPlace", outcome="ok")
    refusals = counted("errors_total", code="ACCOUNTS_NOT_MULTIPLE")
    payload = (await api.data(PLACE, owner.token, input=place_input(accounts=150)))["spotOrderPlace"]
    assert [error["code"] for error in payload["errors"]] == ["ACCOUNTS_NOT_MULTIPLE"]
    assert (operations(), refusals()) == (1, 1)


async def test_no_label_can_be_chosen_by_a_client(api: Api, world: World) -> None:
    token = await world.token(Role.SALES)
    await api.data("query Chosen1 { viewer { role } }", token)
    await api.error("query Chosen2 { chosen3 }", token)
    await api.client.get("/chosen4", headers={"X-Request-Id": "chosen5"})
    await api.client.request("CHOSEN6", "/graphql")
    assert b"chosen" not in generate_latest(REGISTRY).lower()


async def test_solves_are_counted_with_their_gap_and_answers_from_the_cache_are_not(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await world.customer(starter())
    solve_is(monkeypatch, partial(say, FOUND))
    solves = counted("solve_seconds_count", outcome="FEASIBLE")
    gaps = counted("solve_gap_count")
    gap = counted("solve_gap_sum")
    for _ in range(2):
        await api.data(RECOMMEND, owner.token, input=INPUT)
    assert (solves(), gaps(), round(gap(), 9)) == (1, 1, 0.2)


@pytest.mark.parametrize("given", ["req-42", "7f3c:a/b+c=d.e", "x" * 128])
async def test_a_well_formed_request_id_is_answered_back(api: Api, given: str) -> None:
    response = await api.client.get("/healthz", headers={"X-Request-Id": given})
    assert response.headers.get_list("x-request-id") == [given]


@pytest.mark.parametrize("given", [None, "", "x" * 129, "a b", 'a"b', "a\tb", "ä"])
async def test_any_other_request_gets_an_id_of_its_own(api: Api, given: str | None) -> None:
    encoded = given.encode() if given is not None else None
    headers = {b"X-Request-Id": encoded} if encoded is not None else {}
    made = [(await api.client.get("/healthz", headers=headers)).headers["x-request-id"] for _ in range(2)]
    assert all(len(id_) == 32 and id_.isalnum() for id_ in made)
    assert made[0] != made[1]


async def test_a_request_is_one_line_with_nothing_of_persons(
    api: Api, world: World, log: pytest.LogCaptureFixture
) -> None:
    owner = await world.customer(starter())
    query = "query Find($text: String) { customer { accounts(first: 1, search: $text) { edges { node { name } } } } }"
    await api.data(query, owner.token, text="mei@example.com")
    await api.client.get("/healthz")
    await api.client.get("/secret-path?token=secret")
    operation = {"operation": "customer", "operation_name": "Find", "outcome": "ok"}
    assert lines(log, "request") == [
        {"route": "graphql", "status": 200, **operation, "customer_id": owner.customer.id},
        {"route": "other", "status": 404},
    ]
    assert owner.token not in log.text
    assert "mei" not in log.text


async def test_a_document_is_logged_with_its_customer(api: Api, world: World, log: pytest.LogCaptureFixture) -> None:
    owner = await world.customer(starter())
    headers = {"Authorization": f"Bearer {owner.token}"}
    assert (await api.client.get("/documents/RG9jdW1lbnQ6MQ==.pdf", headers=headers)).status_code == 404
    assert lines(log, "request") == [{"route": "documents", "status": 404, "customer_id": owner.customer.id}]


async def test_operations_over_websocket_are_a_line_each(
    services: Services, world: World, log: pytest.LogCaptureFixture
) -> None:
    owner = await world.customer(starter())
    async with served(services) as address, websocket(address, owner.token) as client:
        assert client.connection.response is not None
        assert len(client.connection.response.headers["x-request-id"]) == 32
        for key in "12":
            await client.subscribe(VIEWER, key)
            assert (await client.receive())["type"] == "next"
            assert (await client.receive())["type"] == "complete"
    operation = {"operation": "viewer", "operation_name": "Who", "outcome": "ok", "customer_id": owner.customer.id}
    assert lines(log, "operation") == [operation] * 2
    assert lines(log, "request") == []


async def test_a_search_whose_client_leaves_is_counted_as_left_and_cancelled(
    services: Services, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await world.customer(starter())
    left = counted("operations_total", operation="recommendationSearch", outcome="left")
    cancelled = counted("solve_seconds_count", outcome="CANCELLED")
    solve_is(monkeypatch, partial(report_then_stall, tmp_path / "pid", (FOUND,)))
    async with served(services) as address:
        async with searching("websocket", address, owner.token) as answers:
            await anext(answers)
            await pid_in(tmp_path / "pid")
        async with asyncio.timeout(30):
            while not cancelled():  # noqa: ASYNC110 # the server has no event for it
                await asyncio.sleep(0.01)
    assert (left(), cancelled()) == (1, 1)


@pytest.mark.parametrize("transport", ["websocket", "sse"])
async def test_an_error_of_a_search_is_counted_once(services: Services, transport: str) -> None:
    refused = counted("operations_total", operation="recommendationSearch", outcome="error")
    errors = counted("errors_total", code="NOT_SIGNED_IN")
    async with served(services) as address, searching(transport, address, "spt_unknown") as answers:
        [answer] = [item async for item in answers]
        assert answer["errors"][0]["extensions"]["code"] == "NOT_SIGNED_IN"
    assert (refused(), errors()) == (1, 1)


async def test_an_operation_its_statements_and_its_solve_are_one_trace(
    api: Api,
    world: World,
    spans: Callable[[], list[ReadableSpan]],
    log: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner = await world.customer(starter())
    solve_is(monkeypatch, partial(say, FOUND))
    theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"Authorization": f"Bearer {owner.token}", "traceparent": theirs, "X-Request-Id": "req-1"}
    assert spans() == []
    body = {"query": RECOMMEND, "variables": {"input": INPUT}}
    await api.client.post("/graphql", json=body, headers=headers)
    *statements, solve, operation = spans()
    assert [span.name for span in statements] == ["BEGIN", *["SELECT"] * (len(statements) - 1)]
    assert len(statements) == 8
    assert (solve.name, operation.name) == ("solve", "query spotPlanRecommend")
    assert operation.context is not None
    assert operation.parent is None
    assert {span.parent and span.parent.span_id for span in [*statements, solve]} == {operation.context.span_id}
    assert [f"{link.context.trace_id:032x}" for link in operation.links] == ["0af7651916cd43dd8448eb211c80319c"]
    assert operation.attributes == {
        "spotplan.operation": "spotPlanRecommend",
        "spotplan.outcome": "ok",
        "spotplan.customer_id": owner.customer.id,
        "spotplan.request_id": "req-1",
    }
    assert solve.attributes == {
        "spotplan.solve.seconds_max": 30.0,
        "spotplan.solve.gap": 0.2,
        "spotplan.solve.outcome": "FEASIBLE",
    }
    assert lines(log, "request")[0]["trace_id"] == f"{operation.context.trace_id:032x}"


async def test_statements_are_traced_without_their_values_and_failures_without_their_text(
    api: Api, world: World, spans: Callable[[], list[ReadableSpan]], monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await world.customer(starter())

    async def broken(services: Services, *_: Any) -> None:
        async with services.database.read() as session:
            connection = await session.connection()
            await connection.exec_driver_sql("SELECT ?, secret FROM plans", ("mei@example.com",))

    monkeypatch.setattr(reads, "plans", broken)
    assert (await api.error("{ plans { code } }", owner.token))["code"] == "UNAVAILABLE"
    *_, failed, operation = spans()
    assert (failed.attributes or {})["db.query.text"] == "SELECT ?, secret FROM plans"
    assert (failed.status.is_ok, failed.status.description, failed.events) == (False, "OperationalError", ())
    assert (operation.status.description, operation.name) == ("UNAVAILABLE", "query plans")
    assert "mei" not in "".join(span.to_json() for span in spans())


@pytest.mark.parametrize("transport", ["websocket", "sse"])
async def test_a_search_is_one_span(
    services: Services,
    world: World,
    spans: Callable[[], list[ReadableSpan]],
    caplog: pytest.LogCaptureFixture,
    transport: str,
) -> None:
    owner = await world.customer(starter())
    async with served(services) as address, searching(transport, address, owner.token) as answers:
        assert len([answer async for answer in answers]) >= 1
    assert [span.name for span in spans() if span.name not in {"BEGIN", "SELECT"}] == [
        "solve",
        "subscription recommendationSearch",
    ]
    assert [record.name for record in caplog.records if record.name.startswith("opentelemetry")] == []


async def test_without_an_exporter_nothing_is_traced(api: Api, world: World, log: pytest.LogCaptureFixture) -> None:
    await api.data(VIEWER, await world.token(Role.SALES))
    assert lines(log, "request") == [
        {"route": "graphql", "status": 200, "operation": "viewer", "operation_name": "Who", "outcome": "ok"}
        | {"customer_id": None}
    ]
