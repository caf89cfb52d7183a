"""The official audit suite of GraphQL over HTTP (npm graphql-http) against a real server: every audit, SHOULDs too."""

import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Any

import anyio
import pytest

from resolvers.services import Services
from tests.processes import ROOT
from tests.served import served

pytestmark = pytest.mark.anyio

AUDITS = ROOT / "web" / "audits"


def node() -> str:
    """The node that web/build.py runs, with the audits installed."""
    spec = importlib.util.spec_from_file_location("web_build", ROOT / "web" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    found: str = build.install(AUDITS)
    return found


@pytest.fixture
def database_url(tmp_path: Path, sqlite_template: Path) -> str:
    """No audit depends on the kind of database."""
    return f"sqlite:///{sqlite_template}"


async def test_every_audit_passes(services: Services) -> None:
    command = [node(), "audit.js"]
    async with served(services) as address:
        done = await anyio.run_process([*command, f"{address}/graphql"], cwd=AUDITS, stderr=subprocess.STDOUT)
    results: list[dict[str, Any]] = json.loads(done.stdout)
    assert [f"{each['id']} {each['name']}: {each['reason']}" for each in results if each["status"] != "ok"] == []
    assert len(results) == 61
