"""The official audit suite of GraphQL over HTTP (npm graphql-http) against a real server: every audit, SHOULDs too."""

import json
import subprocess
from pathlib import Path
from typing import Any

import anyio
import pytest

from resolvers.services import Services
from tests.javascript import web_build
from tests.processes import ROOT
from tests.served import served

pytestmark = pytest.mark.anyio

AUDITS = ROOT / "web" / "audits"


@pytest.fixture
def database_url(tmp_path: Path, sqlite_template: Path) -> str:
    """No audit depends on the kind of database."""
    return f"sqlite:///{sqlite_template}"


async def test_every_audit_passes(services: Services) -> None:
    command = [web_build().install(AUDITS), "audit.js"]
    async with served(services) as address:
        done = await anyio.run_process([*command, f"{address}/graphql"], cwd=AUDITS, stderr=subprocess.STDOUT)
    results: list[dict[str, Any]] = json.loads(done.stdout)
    assert [f"{each['id']} {each['name']}: {each['reason']}" for each in results if each["status"] != "ok"] == []
    assert len(results) == 61
