"""The server as operators run it, in a process of its own: what it shows them, and how it stops."""

import asyncio
import json
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select
from typer.testing import CliRunner

from cli.main import app
from cli.tracing import start_tracing
from db.webhook_tables import WebhookEndpointRow
from domain.customers import DeactivationPolicy
from domain.months import ends_before
from resolvers import accounts, webhooks
from resolvers.services import Services
from settings import SettingInvalidError, Settings
from tests import processes
from tests.processes import free_port
from tests.receiver import HANG, receiving
from tests.schema.test_search import RECOMMEND, SEARCH
from tests.schema.test_search_process import forecast
from tests.served import events, websocket
from tests.webhook_scene import OPERATOR
from tests.world import Owned, TestClock, World, starter

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HANGS_SECONDS = 30


@pytest.fixture
def clock() -> TestClock:
    return TestClock(datetime.now(UTC))


@pytest.fixture
async def owner(world: World) -> Owned:
    today = datetime.now(UTC).date()
    return await world.customer(starter(str(today - timedelta(days=2)), str(ends_before(today, 24))))


@contextmanager
def collector() -> Iterator[tuple[str, list[Any]]]:
    """Somebody to send spans to: the address, and the resources with spans that arrived."""
    arrived: list[Any] = []

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the base class's name
            body = self.rfile.read(int(self.headers["content-length"]))
            arrived.extend(ExportTraceServiceRequest.FromString(body).resource_spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Take)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", arrived
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serving(database_url: str, folder: Path, **environment: str) -> Iterator[tuple[processes.Server, str]]:
    """A server that is up, and the address of its metrics."""
    metrics_port = free_port()
    settings = {
        "SPOTPLAN_DATABASE_URL": database_url,
        "SPOTPLAN_METRICS_PORT": str(metrics_port),
        "SPOTPLAN_LOG": "json",
        **environment,
    }
    server = processes.Server("serve", folder=folder, port=free_port(), **settings)
    try:
        server.wait_until_up()
        yield server, f"http://127.0.0.1:{metrics_port}/metrics"
    finally:
        server.kill()


def sample(page: str, name: str, **labels: str) -> float | None:
    """A number on the page of metrics."""
    for family in text_string_to_metric_families(page):
        for found in family.samples:
            if (found.name, found.labels) == (name, labels):
                return found.value
    return None


@ON_SQLITE
@pytest.mark.anyio
async def test_a_server_shows_what_it_does_and_answers_first_when_it_is_told_to_stop(
    database_url: str, services: Services, owner: Owned, tmp_path_factory: pytest.TempPathFactory
) -> None:
    allowed = {"SPOTPLAN_WEBHOOK_HTTP": "allowed", "SPOTPLAN_WEBHOOK_PRIVATE_NETWORKS": "allowed"}
    settings = {**allowed, "SPOTPLAN_SHUTDOWN_NOTICE_SECONDS": "5", "SPOTPLAN_PLANNER_WORKERS": "3"}
    folder = tmp_path_factory.mktemp("serve")
    async with receiving() as receiver:
        receiver.answers["/hook"].append(HANG)
        with collector() as (address, arrived):
            # An hour between batches: what arrives is what the end sends.
            traces = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_BSP_SCHEDULE_DELAY": "3600000"}
            with serving(database_url, folder, **traces, **settings) as (server, metrics):
                async with server.client() as client:
                    await shows_numbers(client, metrics, owner)
                    await lease(services, owner, receiver.url())
                    await receiver.wait_for(1)
                    await stops_in_order(server, client, metrics, owner)
                assert await asyncio.to_thread(server.wait) == -signal.SIGTERM
                printed = [json.loads(line) for line in server.log.splitlines()]
            is_one_line(printed, owner)
            are_traces(arrived)
    async with services.database.read() as session:
        [token] = await session.scalars(select(WebhookEndpointRow.lease_token))
    assert token is None


async def shows_numbers(client: httpx.AsyncClient, metrics: str, owner: Owned) -> None:
    headers = {"Authorization": f"Bearer {owner.token}", "X-Request-Id": "req-1"}
    body = {"query": RECOMMEND, "variables": {"input": {"demand": {"csv": forecast(5)}, "seconds": 30.0}}}
    answer = await client.post("/graphql", json=body, headers=headers)
    assert answer.json()["data"]["spotPlanRecommend"]["status"] == "OPTIMAL"
    assert (await client.get("/metrics")).status_code == 404
    page = (await client.get(metrics)).text
    operations = {"operation": "spotPlanRecommend", "outcome": "ok"}
    assert sample(page, "spotplan_operations_total", **operations) == 1
    assert sample(page, "spotplan_solve_seconds_count", outcome="OPTIMAL") == 1
    assert sample(page, "spotplan_planner_problems") == 0
    assert sample(page, "spotplan_database_connections_max", pool="reader") == 10
    assert sample(page, "spotplan_webhook_lag_seconds") == 0
    assert owner.customer.name not in page


async def stops_in_order(server: processes.Server, client: httpx.AsyncClient, metrics: str, owner: Owned) -> None:
    """With a solve for a request, one for an event stream and one for a WebSocket under way."""
    hard: dict[str, Any] = {"demand": {"csv": forecast(300)}, "ordersMax": 12, "seconds": 5.0}
    async with websocket(server.address, owner.token) as connected:
        body = {"query": RECOMMEND, "variables": {"input": hard}}
        asked = asyncio.create_task(
            client.post("/graphql", json=body, headers={"Authorization": f"Bearer {owner.token}"})
        )
        streamed = asyncio.create_task(whole_stream(server.address, owner.token, {**hard, "orderFee": 1}))
        await connected.subscribe(SEARCH, input={**hard, "orderFee": 2})
        async with asyncio.timeout(HANGS_SECONDS):
            while sample((await client.get(metrics)).text, "spotplan_planner_problems") != 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        server.signal(signal.SIGTERM)
        async with asyncio.timeout(HANGS_SECONDS):
            while (ready := await client.get("/readyz")).status_code == 200:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert (ready.status_code, ready.text) == (503, "stopping\n")
        await asyncio.sleep(0.5)  # without notice, nobody could connect any more
        assert (await client.get("/healthz")).status_code == 200
        assert (await asked).json()["data"]["spotPlanRecommend"]["status"] == "FEASIBLE"
        assert (await streamed)[-1] == ("complete", None)
        while (message := await connected.receive())["type"] == "next":
            assert message["payload"]["data"]["recommendationSearch"]["status"] == "FEASIBLE"
        assert message["type"] == "complete"
        assert (await connected.closed())[0] == 1012


def is_one_line(printed: list[dict[str, Any]], owner: Owned) -> None:
    assert {line["level"] for line in printed} == {"INFO"}
    [line] = [line for line in printed if line.get("request_id") == "req-1"]
    assert datetime.fromisoformat(line.pop("time")).tzinfo is UTC
    assert line.pop("milliseconds") > 0
    assert len(line.pop("trace_id")) == 32
    assert line == {
        "level": "INFO",
        "logger": "spotplan",
        "message": "request",
        "request_id": "req-1",
        "route": "graphql",
        "status": 200,
        "operation": "spotPlanRecommend",
        "outcome": "ok",
        "customer_id": owner.customer.id,
    }


def are_traces(arrived: list[Any]) -> None:
    """Also of the last operations before the end."""
    names = [span.name for resource in arrived for scope in resource.scope_spans for span in scope.spans]
    assert names.count("solve") == 4
    assert names.count("query spotPlanRecommend") == 2
    assert names.count("subscription recommendationSearch") == 2
    [service] = {item.value.string_value for item in arrived[0].resource.attributes if item.key == "service.name"}
    assert service == "spotplan"


async def lease(services: Services, owner: Owned, url: str) -> None:
    """Have the server begin to deliver an event to an endpoint."""
    open_ = replace(services, settings=replace(services.settings, webhook_http="allowed"))
    await webhooks.add(open_, OPERATOR, owner.customer.id, url, None)
    await accounts.set_policy(services, OPERATOR, owner.customer.id, DeactivationPolicy.EXCESS_ONLY)


async def whole_stream(address: str, token: str, question: dict[str, Any]) -> list[tuple[str, Any]]:
    async with events(address, SEARCH, token, input=question) as received:
        return [item async for item in received]


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"SPOTPLAN_LOG": "xml"}, "SPOTPLAN_LOG must be text or json, not 'xml'"),
        ({"SPOTPLAN_METRICS_PORT": "65536"}, "SPOTPLAN_METRICS_PORT must be at most 65535"),
        ({"SPOTPLAN_METRICS_PORT": "no"}, "SPOTPLAN_METRICS_PORT must be a positive whole number, not 'no'"),
    ],
)
def test_settings_for_operators_are_checked(environment: dict[str, str], message: str) -> None:
    with pytest.raises(SettingInvalidError) as refusal:
        Settings.from_environment(environment)
    assert str(refusal.value) == message


@ON_SQLITE
def test_a_port_of_metrics_that_is_taken_is_said_before_anything_starts(database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environment = {"SPOTPLAN_DATABASE_URL": database_url, "SPOTPLAN_METRICS_PORT": str(port)}
        refused = CliRunner().invoke(app, ["serve", "--port", str(free_port())], env=environment)
    assert refused.exit_code == 2
    assert refused.stderr == (
        f"spotplan: cannot listen on 127.0.0.1:{port}: Address already in use; choose another port\n"
    )


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "TRUE"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_nothing_is_traced_unless_an_endpoint_is_set(environment: dict[str, str]) -> None:
    assert start_tracing(environment) is None


def test_another_protocol_of_traces_is_refused() -> None:
    environment = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    with pytest.raises(SettingInvalidError, match="must be http/protobuf, not 'grpc'"):
        start_tracing(environment)
