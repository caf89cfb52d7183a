"""Several server processes on one port: who answers, who is replaced, and that nothing is left of them."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import psutil
import pytest
from typer.testing import CliRunner

import cli.supervisor
from cli.main import app
from cli.supervisor import Supervisor
from domain.months import ends_before
from tests.cli import supervised
from tests.cli.test_server import sample
from tests.people import registered
from tests.processes import Server, free_port
from tests.schema.test_search import RECOMMEND, SEARCH
from tests.schema.test_search_process import forecast
from tests.served import events
from tests.world import Api, Owned, TestClock, World, starter

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HANGS_SECONDS = 120
HARD: dict[str, Any] = {"demand": {"csv": forecast(300)}, "ordersMax": 12}


@pytest.fixture
def clock() -> TestClock:
    return TestClock(datetime.now(UTC))


@pytest.fixture
async def owner(world: World) -> Owned:
    today = datetime.now(UTC).date()
    return await world.customer(starter(str(today - timedelta(days=2)), str(ends_before(today, 24))))


class Together:
    """A server of two processes."""

    def __init__(self, database_url: str, folder: Path, module: str = "tests.bare_server", **environment: str) -> None:
        self.metrics = f"http://127.0.0.1:{(port := free_port())}/metrics"
        settings = {
            "SPOTPLAN_DATABASE_URL": database_url,
            "SPOTPLAN_METRICS_PORT": str(port),
            "SPOTPLAN_PLANNER_WORKERS": "1",
            "SPOTPLAN_SHUTDOWN_NOTICE_SECONDS": "1",
            **environment,
        }
        self.server = Server("serve", "--workers", "2", folder=folder, port=free_port(), module=module, **settings)
        self.supervisor = psutil.Process(self.server.pid)

    def workers(self) -> list[psutil.Process]:
        """The processes that answer; the tracker of the standard library is none."""
        return [child for child in self.supervisor.children() if "spawn_main" in " ".join(child.cmdline())]

    def family(self) -> list[psutil.Process]:
        """All processes, planners as well."""
        return [self.supervisor, *self.supervisor.children(recursive=True)]

    def wait_until_serving(self) -> None:
        wait_for(lambda: " serving " in self.server.log)


def wait_for(condition: Any) -> None:
    until = monotonic() + HANGS_SECONDS
    while not condition():
        assert monotonic() < until
        sleep(0.02)


def are_gone(family: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in family)


@contextmanager
def together(*arguments: Any, **options: Any) -> Iterator[Together]:
    found = Together(*arguments, **options)
    try:
        yield found
    finally:
        family = found.family() if found.supervisor.is_running() else []
        found.server.kill()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()


@contextmanager
def only(worker: psutil.Process, workers: list[psutil.Process]) -> Iterator[None]:
    """The others stand still, so that what is answered is answered by this one."""
    others = [other for other in workers if other != worker]
    for other in others:
        other.suspend()
    try:
        yield
    finally:
        for other in others:
            other.resume()


def ask(address: str) -> None:
    """By a new connection, which any process may accept."""
    answer = httpx.post(f"{address}/graphql", json={"query": "{ __typename }"}, timeout=HANGS_SECONDS)
    assert answer.json() == {"data": {"__typename": "Query"}}


def test_each_of_two_processes_answers_and_one_that_is_killed_is_replaced(database_url: str, tmp_path: Path) -> None:
    with together(database_url, tmp_path) as both:
        both.wait_until_serving()
        first, second = both.workers()
        for worker in (first, second):
            with only(worker, [first, second]):
                ask(both.server.address)
        first.kill()
        wait_for(lambda: f"server process {first.pid} ended with -9; it is replaced" in both.server.log)
        wait_for(lambda: len(both.workers()) == 2 and first not in both.workers())
        [third] = set(both.workers()) - {second}
        with only(third, [second, third]):
            ask(both.server.address)
        page = httpx.get(both.metrics).text
        # Of all three: what a dead one has counted is not lost.
        assert sample(page, "spotplan_operations_total", operation="introspection", outcome="ok") == 3
        wait_for(lambda: sample(httpx.get(both.metrics).text, "spotplan_planner_problems") == 0)
        family = both.family()
        both.server.signal(signal.SIGTERM)
        assert both.server.wait() == 0
        wait_for(lambda: are_gone(family))
        assert both.server.log.count(" serving ") == 1
        assert both.server.errors == []
        assert "Traceback" not in both.server.log


@pytest.mark.anyio
async def test_two_processes_write_into_one_database(
    database_url: str, owner: Owned, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """SQLite has one writer at a time: they wait for each other."""
    with together(database_url, tmp_path_factory.mktemp("serve")) as both:
        await asyncio.to_thread(both.wait_until_serving)
        one_connection = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        async with AsyncExitStack() as stack:
            apis = []
            for worker in (workers := both.workers()):
                options: dict[str, Any] = {"base_url": both.server.address, "timeout": HANGS_SECONDS}
                client = await stack.enter_async_context(httpx.AsyncClient(limits=one_connection, **options))
                with only(worker, workers):  # so that this one accepts the connection, which stays open
                    await client.get("/healthz")
                apis.append(Api(client))
            keys = [[f"{part}-{number}" for number in range(20)] for part in range(2)]

            async def write(api: Api, part: list[str]) -> None:
                for key in part:
                    await registered(api, owner.token, [{"externalId": key, "name": "Mei Abe"}])

            await asyncio.gather(*(write(api, part) for api, part in zip(apis, keys, strict=True)))
            counts = [await api.data("{ customer { accountCount } }", owner.token) for api in apis]
        assert counts == [{"customer": {"accountCount": 40}}] * 2
        assert both.server.log.count("operation=accountRegister ") == 40
        assert both.server.errors == []


@ON_SQLITE
@pytest.mark.anyio
async def test_all_answer_what_is_under_way_before_they_end(
    database_url: str, owner: Owned, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("serve")
    with together(database_url, folder, "cli.main", SPOTPLAN_SHUTDOWN_NOTICE_SECONDS="5") as both:
        await asyncio.to_thread(both.wait_until_serving)
        async with both.server.client() as client:
            headers = {"Authorization": f"Bearer {owner.token}"}
            questions = [{**HARD, "seconds": 8.0, "orderFee": number} for number in (1, 2)]
            asked = [
                asyncio.create_task(
                    client.post(
                        "/graphql", json={"query": RECOMMEND, "variables": {"input": question}}, headers=headers
                    )
                )
                for question in questions
            ]
            async with asyncio.timeout(HANGS_SECONDS):
                while sample((await client.get(both.metrics)).text, "spotplan_planner_problems") != 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            family = both.family()
            # As systemd does: the whole group hears of it. Whatever comes first, the second is not one that hurries.
            for process in (*both.workers(), both.supervisor, *both.workers()):
                process.send_signal(signal.SIGTERM)
                await asyncio.sleep(0.3)
            assert (await client.get("/readyz")).text == "stopping\n"
            for task in asked:
                assert (await task).json()["data"]["spotPlanRecommend"]["status"] == "FEASIBLE"
        assert await asyncio.to_thread(both.server.wait) == 0
        await asyncio.to_thread(wait_for, lambda: are_gone(family))
        assert both.server.errors == []


@ON_SQLITE
@pytest.mark.anyio
@pytest.mark.parametrize("killed", ["supervisor", "worker"])
async def test_nothing_is_left_of_a_process_that_is_killed_while_it_plans(
    database_url: str, owner: Owned, tmp_path_factory: pytest.TempPathFactory, killed: str
) -> None:
    """A search goes on for half a minute if nobody stops it."""
    with together(database_url, tmp_path_factory.mktemp("serve"), "cli.main") as both:
        await asyncio.to_thread(both.wait_until_serving)
        question = {**HARD, "seconds": 30.0}
        # The stream is read no further once there is a first plan: a planner is searching.
        async with events(both.server.address, SEARCH, owner.token, input=question) as received:
            await anext(received)
            first, second = both.workers()
            busy = max((first, second), key=lambda worker: sum(p.cpu_times().user for p in worker.children(True)))
            victims = both.family() if killed == "supervisor" else [busy, *busy.children(recursive=True)]
            (both.supervisor if killed == "supervisor" else busy).kill()
        await asyncio.to_thread(wait_for, lambda: are_gone(victims))


@ON_SQLITE
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_all_is_ready_ends_all(database_url: str, tmp_path: Path, number: signal.Signals) -> None:
    with together(database_url, tmp_path) as both:
        wait_for(lambda: len(both.workers()) == 2)
        family = both.family()
        # Ctrl-C reaches the whole group.
        for process in family if number is signal.SIGINT else family[:1]:
            process.send_signal(number)
        assert both.server.wait() == 0
        wait_for(lambda: are_gone(family))
        assert both.server.log == ""


def run(monkeypatch: pytest.MonkeyPatch, *works: Any) -> tuple[int, list[BaseProcess]]:
    """The exit code of a supervisor whose workers do ``works`` in turn; it is told to stop when all are ready."""
    monkeypatch.setattr(cli.supervisor, "MARGIN_SECONDS", 0.5)
    left, processes = list(works), []

    def start(line: Connection) -> BaseProcess:
        processes.append(supervised.started(left.pop(0), line))
        return processes[-1]

    code = Supervisor(start, 2, lambda: os.kill(os.getpid(), signal.SIGTERM), 0.5).run()
    return code, processes


def test_a_process_that_cannot_start_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    code, processes = run(monkeypatch, supervised.fails, supervised.obeys)
    assert code == 3
    assert [process.exitcode for process in processes] == [3, 0]


def test_a_process_that_does_not_stop_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    code, processes = run(monkeypatch, supervised.ignores, supervised.obeys)
    assert code == 1
    assert [process.exitcode for process in processes] == [-signal.SIGKILL, 0]


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"SPOTPLAN_ISSUER_REGISTRATION_NUMBER": "T1"}, "registration"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "grpc"),
    ],
)
@ON_SQLITE
def test_settings_that_no_process_could_start_with_are_said_once(
    database_url: str, environment: dict[str, str], message: str
) -> None:
    given = {"SPOTPLAN_DATABASE_URL": database_url, "SPOTPLAN_WORKERS": "2", **environment}
    refused = CliRunner().invoke(app, ["serve", "--port", str(free_port())], env=given)
    assert refused.exit_code == 2
    assert message in refused.stderr
    assert refused.stderr.count("\n") == 1
