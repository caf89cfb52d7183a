"""What the tests share: a database of each kind with the real migrations, the API on it, and a settable clock."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from httpx import ASGITransport, AsyncClient
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

import db.engine
from db.engine import Database
from db.migrate import migrate
from planner.workers import PlannerPool
from resolvers.services import Services
from schema.app import create_app
from settings import Settings
from tests.postgresql import postgresql
from tests.world import Api, TestClock, World

# A run that was started in the background may have inherited SIGINT as ignored; the commands that tests interrupt would
# inherit it in turn, and never end.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def statements_compiled_once() -> Iterator[None]:
    """The databases of all tests share what SQLAlchemy keeps of compiled statements: a quarter of the tests' time."""
    first: dict[str, Engine] = {}

    def create(*args: Any, **options: Any) -> AsyncEngine:
        engine = create_async_engine(*args, **options)
        known = first.get(engine.dialect.name)
        if known is None or known.dialect.server_version_info is None:  # it has not connected yet
            first[engine.dialect.name] = engine.sync_engine
        else:
            engine.sync_engine.dialect, engine.sync_engine._compiled_cache = known.dialect, known._compiled_cache
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db.engine, "create_async_engine", create)
        yield


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
    with postgresql(_memory()) as server:
        # It outlives every test: what is not on the disk yet cannot be lost, and tests need not wait for it.
        unsafe = [f"ALTER SYSTEM SET {name} = off" for name in ("fsync", "full_page_writes", "synchronous_commit")]
        for statement in (*unsafe, "SELECT pg_reload_conf()", "CREATE DATABASE template_spotplan"):
            asyncio.run(_execute(server.address, statement))
        migrate(_with_name(server.address, "template_spotplan"))
        yield server.address


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


def _memory() -> str | None:
    """A folder in memory with space for each worker's server, if there is one: databases are made thrice as fast."""
    memory = Path("/dev/shm")  # noqa: S108 # the name is Linux's; what is made in it is private
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > 4 * 2**30 else None


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
