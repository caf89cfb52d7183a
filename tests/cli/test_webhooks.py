"""Webhooks from the command line and by the server, in processes of their own."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from cli.main import app
from db.history import last_event_id
from domain.accounts import NewAccount
from domain.history import EventKind
from domain.webhooks import Endpoint
from resolvers import webhooks
from resolvers.access import Caller, Role
from resolvers.accounts import RegisterCommand, register
from resolvers.services import Services
from resolvers.webhook_delivery import LEASE, deliver_all
from resolvers.webhook_sending import Sender
from settings import SettingInvalidError, Settings
from tests.people import REGISTER, people
from tests.processes import ROOT, free_port, running
from tests.receiver import HANG, HANGS_SECONDS, Receiver, receiving
from tests.world import Owned, TestClock, World, starter

OPERATOR = Caller(Role.OPERATOR, None)
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What processes do to a database is tested on both kinds elsewhere; starting them takes seconds."""


@dataclass
class Stage:
    """A customer with events to come, an endpoint for them, and the environment of commands on the database."""

    services: Services
    owner: Owned
    endpoint: Endpoint
    receiver: Receiver
    folder: Path
    environment: dict[str, str]
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def happened(self, count: int = 1) -> list[str]:
        """The ids of the messages of so many new events."""
        async with self.services.database.read() as session:
            last = await last_event_id(session, self.owner.customer.id)
        entries = tuple(NewAccount(f"e-{last + index}", "Somebody", None, ()) for index in range(count))
        await register(self.services, OPERATOR, RegisterCommand(self.owner.customer.id, entries))
        return [f"evt_{last + 1 + index}" for index in range(count)]

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        """The code and outputs of a command in this process; the receiver goes on meanwhile."""
        run = CliRunner().invoke
        result = await asyncio.to_thread(run, app, ["webhooks", *arguments], env=self.environment)
        return result.exit_code, result.stdout, result.stderr

    async def started(self, *arguments: str) -> asyncio.subprocess.Process:
        """A command in a process of its own, in the background of a shell: with Ctrl-C ignored."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "cli.main",
                "webhooks",
                *arguments,
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        finally:
            signal.signal(signal.SIGINT, before)
        self.processes.append(process)
        return process


@pytest.fixture
def clock() -> TestClock:
    return TestClock(datetime.now(UTC))


@pytest.fixture
async def stage(services: Services, world: World, database_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    settings = replace(services.settings, webhook_http="allowed", webhook_private_networks="allowed")
    open_ = replace(services, settings=settings)
    owner = await world.customer(starter("2026-04-01", "2096-04-01"))
    environment = {
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "300",
        "SPOTPLAN_DATABASE_URL": database_url,
        "SPOTPLAN_WEBHOOK_HTTP": "allowed",
        "SPOTPLAN_WEBHOOK_PRIVATE_NETWORKS": "allowed",
    }
    async with receiving() as receiver:
        endpoint = await webhooks.add(open_, OPERATOR, owner.customer.id, receiver.url(), None)
        opened = Stage(open_, owner, endpoint, receiver, tmp_path, environment)
        yield opened
        for process in opened.processes:
            if process.returncode is None:
                process.kill()
                await process.communicate()


def cells(output: str) -> list[list[str]]:
    """The cells of a table, its heading first."""
    lines = [line.replace("┃", "│") for line in output.splitlines()]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]


@pytest.mark.anyio
async def test_endpoints_are_listed_delivered_to_enabled_and_replayed(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    other = await webhooks.add(
        stage.services,
        OPERATOR,
        stage.owner.customer.id,
        stage.receiver.url("/[bold]?token=1"),
        [EventKind.SPOT_ENDED, EventKind.CAPACITY_FELL],
    )
    ids = await stage.happened(2)
    code, out, err = await stage.run()
    assert (code, err) == (0, "")
    customer = str(stage.owner.customer.id)
    assert cells(out) == [
        ["endpoint", "customer", "address", "kinds", "pending", "position", "state", "last error"],
        [str(stage.endpoint.id), customer, stage.receiver.url(), "all", "2", "0", "enabled", ""],
        [str(other.id), customer, other.url, "CAPACITY_FELL, SPOT_ENDED", "0", "0", "enabled", ""],
    ]
    stage.receiver.answers["/hook"].append(500)
    assert await stage.run("deliver", "--now") == (0, "0 events delivered\n", "")
    row = cells((await stage.run())[1])[1]
    assert row[4:6] == ["2", "0"]
    assert row[6].startswith("failed 1 x, next at 20")
    assert row[7] == "the answer was 500"
    number = str(stage.endpoint.id)
    assert await stage.run("enable", "--endpoint", number) == (
        0,
        f"endpoint {number} is enabled, and goes on after event 0\n",
        "",
    )
    assert await stage.run("deliver", "--now") == (0, "2 events delivered\n", "")
    assert await stage.run("replay", "--endpoint", number, "--from", "2") == (
        0,
        f"endpoint {number} goes on after event 1\n",
        "",
    )
    assert await stage.run("deliver", "--now") == (0, "1 event delivered\n", "")
    assert stage.receiver.ids() == [ids[0], *ids, ids[1]]
    stage.receiver.answers["/hook"].append(410)
    await stage.happened()
    assert await stage.run("deliver", "--now") == (0, "0 events delivered\n", "")
    assert caplog.messages == [f"webhook endpoint {number} is disabled: the answer was 410"]
    row = cells((await stage.run())[1])[1]
    assert row[6].startswith("disabled since 20")
    assert row[6].endswith(" after 1 attempts")
    assert await stage.run("replay", "--endpoint", number, "--from", "1") == (
        0,
        f"endpoint {number} goes on after event 0; it is disabled: `spotplan webhooks enable` it, too\n",
        "",
    )


@pytest.mark.anyio
async def test_what_is_wrong_is_said_in_one_line(stage: Stage) -> None:
    missing = "spotplan: There is no such object.\n"
    assert await stage.run("enable", "--endpoint", "999") == (2, "", missing)
    assert await stage.run("replay", "--endpoint", "999", "--from", "1") == (2, "", missing)
    code, out, err = await stage.run("replay", "--endpoint", str(stage.endpoint.id), "--from", "7")
    assert (code, out) == (2, "")
    assert err == (
        "spotplan: No event from there on was delivered or passed over; that is so for those up to number 0.\n"
    )


@ON_SQLITE
@pytest.mark.anyio
async def test_a_process_killed_between_sending_and_writing_down_sends_again(stage: Stage, clock: TestClock) -> None:
    ids = await stage.happened(2)
    stage.receiver.answers["/hook"].append(HANG)
    process = await stage.started("deliver", "--now")
    await stage.receiver.wait_for(1)
    process.kill()
    await process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert stage.receiver.ids() == ids[:1]
    sender = Sender(stage.services.settings)
    assert await deliver_all(stage.services, sender) == 0  # the dead process has the lease
    clock.now = datetime.now(UTC) + LEASE
    assert await deliver_all(stage.services, sender) == 2
    assert stage.receiver.ids() == [ids[0], *ids]
    assert stage.receiver.received[0].body == stage.receiver.received[1].body


@ON_SQLITE
@pytest.mark.anyio
async def test_the_server_delivers_by_itself_and_lets_go_when_it_stops(stage: Stage, clock: TestClock) -> None:
    stage.receiver.answers["/hook"].extend([204, HANG])
    with running("serve", folder=stage.folder, port=free_port(), **stage.environment) as address:
        async with httpx.AsyncClient() as client:
            body = {"query": REGISTER, "variables": {"input": {"accounts": people(1, 2)}}}
            headers = {"Authorization": f"Bearer {stage.owner.token}"}
            answer = (await client.post(f"{address}/graphql", json=body, headers=headers)).json()
        assert answer["data"]["accountRegister"]["errors"] == []
        await stage.receiver.wait_for(2)
    assert stage.receiver.ids() == ["evt_1", "evt_2"]
    assert "/hook" not in (stage.folder / "server.log").read_text()  # addresses may hold secrets
    clock.now = datetime.now(UTC)
    assert await deliver_all(stage.services, Sender(stage.services.settings)) == 1  # without waiting for a lease
    assert stage.receiver.ids() == ["evt_1", "evt_2", "evt_2"]


@ON_SQLITE
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.anyio
async def test_a_worker_of_its_own_delivers_until_it_is_stopped(stage: Stage, sent: signal.Signals) -> None:
    process = await stage.started("deliver")
    ids = await stage.happened(2)
    await stage.receiver.wait_for(2)
    process.send_signal(sent)
    async with asyncio.timeout(HANGS_SECONDS):
        out, err = [text.decode() for text in await process.communicate()]
    assert (process.returncode, out) == (0, "")
    assert err.endswith("INFO spotplan delivering webhooks, until it is stopped\n")
    assert len(err.splitlines()) == 1
    assert stage.receiver.ids() == ids


@pytest.mark.parametrize("name", ["webhook_http", "webhook_private_networks"])
def test_what_webhooks_may_reach_is_refused_unless_it_is_allowed(name: str) -> None:
    variable = f"SPOTPLAN_{name.upper()}"
    assert getattr(Settings.from_environment({}), name) == "refused"
    assert getattr(Settings.from_environment({variable: "allowed"}), name) == "allowed"
    with pytest.raises(SettingInvalidError) as refusal:
        Settings.from_environment({variable: "true"})
    assert str(refusal.value) == f"{variable} must be refused or allowed, not 'true'"
