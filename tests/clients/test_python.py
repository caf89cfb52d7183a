"""examples/python: gql and a client that ariadne-codegen generates, run against a real server."""

import fcntl
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from resolvers.services import Services
from tests.clients.conftest import EXAMPLES, CommandFailed, Copy
from tests.served import served
from tests.world import Api, Owned, World, placed, starter

pytestmark = pytest.mark.anyio

PYTHON = EXAMPLES / "python"
LOCK = PYTHON / "requirements.lock"
ENVIRONMENT = PYTHON / ".venv"


@pytest.fixture
async def owner(world: World) -> Owned:
    return await world.customer(starter(units=3))


@pytest.fixture(scope="session")
def python() -> Path:
    """The Python of an environment with what the lock file names, and nothing of Spotplan."""
    found, mark = ENVIRONMENT / "bin" / "python", ENVIRONMENT / ".installed"
    with LOCK.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one worker installs, the others wait for it
        if not mark.exists() or mark.read_text() != LOCK.read_text():
            install = [sys.executable, "-m", "pip", "--python", str(found), "install", "-q", "--require-hashes"]
            subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(ENVIRONMENT)], check=True)
            subprocess.run([*install, "--disable-pip-version-check", "-r", str(LOCK)], check=True)
            shutil.copy(LOCK, mark)
    return found


async def build(copy: Copy, python: Path) -> None:
    """Generate the client, and check the program's types; the generated code is not written for mypy's strict mode.

    Raises:
        CommandFailed.
    """
    codegen = str(python.with_name("ariadne-codegen"))
    await copy.run(codegen, "--config", "ariadne-codegen.toml", within="python")
    mypy = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--python-executable", str(python)]
    await copy.run(*mypy, "with_ariadne.py", within="python")


async def test_a_generated_client_buys_with_typed_objects(
    copy: Copy, python: Path, services: Services, owner: Owned, api: Api
) -> None:
    earlier = await placed(api, owner.token)
    await build(copy, python)
    async with served(services) as address:
        printed = await copy.run(str(python), "with_ariadne.py", address, within="python", SPOTPLAN_TOKEN=owner.token)
    assert json.loads(printed) == {
        "plan": ["OPTIMAL", 20_000, 1],
        "search": ["OPTIMAL", 20_000],
        "order": ["SO-2026-00002", "AWAITING_PAYMENT_METHOD", 22_000],
        "placedAt": "2026-04-10T03:00:00+00:00",
        "refusals": [["EndsAfterContract", 61]],
        "pages": [["SO-2026-00002 AWAITING_PAYMENT_METHOD"], [f"{earlier['number']} AWAITING_PAYMENT_METHOD"]],
        "stranger": ["NOT_SIGNED_IN"],
    }


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("contractEndsBefore: Date!", "contractEnds: Date!", "Cannot query field 'contractEndsBefore' on type"),
        ("placedAt: DateTime!", "placedAt: DateTime", 'has no attribute "isoformat"'),
    ],
)  # fmt: skip
async def test_a_schema_that_breaks_the_generated_client_is_noticed(
    copy: Copy, python: Path, old: str, new: str, told: str
) -> None:
    copy.break_schema(old, new)
    with pytest.raises(CommandFailed) as failed:
        await build(copy, python)
    assert told in str(failed.value)


async def test_gql_buys_with_operations_as_text(copy: Copy, services: Services, owner: Owned) -> None:
    async with served(services) as address:
        printed = await copy.run(sys.executable, "with_gql.py", address, within="python", SPOTPLAN_TOKEN=owner.token)
        assert json.loads(printed) == {
            "viewer": "OWNER",
            "plan": {
                "status": "OPTIMAL",
                "netTotal": {"minorUnits": 20_000},
                "orders": [{"accounts": 200, "startsOn": "2026-05-01", "months": 2}],
            },
            "order": {
                "number": "SO-2026-00001",
                "status": "AWAITING_PAYMENT_METHOD",
                "price": {"total": {"minorUnits": 22_000}},
            },
            "refusals": [
                {
                    "__typename": "EndsAfterContract",
                    "message": "The spot would end before 2027-06-01, but the main contract ends before 2027-04-01.",
                    "endsBefore": "2027-06-01",
                    "contractEndsBefore": "2027-04-01",
                }
            ],
            "stranger": ["NOT_SIGNED_IN"],
        }

        copy.break_schema("termsVersion: String!", "terms: String!")
        with pytest.raises(CommandFailed, match="Cannot query field 'termsVersion' on type 'SpotOrderPreview'"):
            await copy.run(sys.executable, "with_gql.py", address, within="python", SPOTPLAN_TOKEN=owner.token)
