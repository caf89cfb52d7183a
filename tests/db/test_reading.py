"""Reads of one operation: one state, one connection, and connections that outlive whoever is cancelled."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import Pool

from db.customers import add_customer, customers_by_id
from db.engine import Database, DatabaseUnavailableError
from domain.customers import CustomerKind
from tests.world import Api, TestClock, World, starter

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    found = Database(database_url)
    yield found
    await found.close()


@pytest.fixture
def lost() -> Iterator[list[object]]:
    """Connections that were given up."""
    found: list[object] = []

    def note(*given: object) -> None:
        found.append(given)

    for kind in ("invalidate", "close"):
        event.listen(Pool, kind, note)
    yield found
    for kind in ("invalidate", "close"):
        event.remove(Pool, kind, note)


async def add(database: Database) -> None:
    async with database.write() as session:
        now = TestClock().now
        kind = CustomerKind.CORPORATE
        await add_customer(session, name="A", kind=kind, time_zone="UTC", currency="JPY", now=now)


async def count(database: Database) -> int:
    async with database.read() as session:
        found: int = await session.scalar(text("SELECT count(*) FROM customers"))
    return found


def in_use(database: Database) -> int:
    return sum(used for used, _size in database.connections().values())


async def test_an_operation_reads_one_state_and_what_it_wrote_itself(database: Database, database_url: str) -> None:
    other = Database(database_url)
    async with database.one_state():
        assert await count(database) == 0
        await add(other)
        assert (await count(database), await count(other)) == (0, 1)
        await add(database)
        assert await count(database) == 2
    assert await count(database) == 2
    await other.close()


async def test_all_of_an_operation_is_read_on_one_connection(database: Database) -> None:
    async def read() -> int:
        async with database.read() as session:
            await session.scalar(text("SELECT 1"))
            await asyncio.sleep(0)
            return in_use(database)

    async with database.one_state():
        assert await asyncio.gather(*(read() for _ in range(5))) == [1] * 5
        assert in_use(database) == 1
        await database.let_go()
        assert in_use(database) == 0
        assert await read() == 1
    assert in_use(database) == 0


async def test_who_reads_may_read_within_it(database: Database) -> None:
    async with database.one_state(), database.read() as session:
        assert await count(database) == 0
        assert await session.scalar(text("SELECT 7")) == 7


async def test_after_a_failure_the_state_begins_anew(database: Database) -> None:
    async with database.one_state():
        with pytest.raises((DBAPIError, DatabaseUnavailableError)):  # SQLite calls a wrong name an operational error
            async with database.read() as session:
                await session.execute(text("SELECT nothing"))
        assert await count(database) == 0


async def test_what_goes_on_after_the_operation_reads_by_itself(database: Database) -> None:
    async with database.one_state():
        late = asyncio.create_task(count(database))
    assert await late == 0
    added = asyncio.Event()

    async def later() -> int:
        await added.wait()
        return await count(database)

    async with database.one_state():
        assert await count(database) == 0
        late = asyncio.create_task(later())
    await add(database)
    added.set()
    assert await late == 1
    assert in_use(database) == 0


async def test_closing_waits_for_what_is_being_read(database: Database) -> None:
    begun = asyncio.Event()

    async def read() -> None:
        async with database.read() as session:
            await session.scalar(text("SELECT 1"))
            begun.set()
            await asyncio.sleep(0.1)

    reading = asyncio.create_task(read())
    await begun.wait()
    await database.close()
    await asyncio.sleep(0)
    assert reading.done()


async def kept(database: Database) -> int:
    """Read what PostgreSQL's driver is asked for without SQLAlchemy."""
    async with database.read() as session:
        return sum([len(await customers_by_id(session, [1])) for _ in range(3)])


@pytest.mark.parametrize("read", [count, kept])
async def test_who_is_cancelled_costs_no_connection(
    database: Database, lost: list[object], read: Callable[[Database], Awaitable[int]]
) -> None:
    await read(database)
    for ticks in range(30):
        reading = asyncio.ensure_future(read(database))
        for _ in range(ticks):
            await asyncio.sleep(0)
        for _ in range(3):  # as nested selections do it, one after the other
            reading.cancel()
            await asyncio.sleep(0)
        await asyncio.gather(reading, return_exceptions=True)
    assert await read(database) == 0
    assert (lost, in_use(database)) == ([], 0)


async def test_a_field_that_fails_beside_reads_costs_no_connection(api: Api, world: World, lost: list[object]) -> None:
    owner = await world.customer(starter())
    counted = "a{n}: accounts(first: {n}) {{ totalCount }} s{n}: spotOrders(first: 1) {{ totalCount }}"
    fields = " ".join(counted.format(n=n) for n in range(9))
    await api.data("{ customer { name } }", owner.token)
    for _ in range(3):
        assert (await api.error(f"{{ customer {{ {fields} }} }}", owner.token))["code"] == "PAGE_SIZE_OUT_OF_RANGE"
    assert lost == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_connection_that_breaks_before_it_is_given_back_spoils_nothing(database: Database) -> None:
    async with database.one_state():
        async with database.read() as session:
            number = await session.scalar(text("SELECT pg_backend_pid()"))
        async with database.write() as session:
            await session.execute(text("SELECT pg_terminate_backend(:number)"), {"number": number})
    assert (await count(database), in_use(database)) == (0, 0)
