"""Selects that are kept: the same answers as SQLAlchemy's, in the same transaction, and the same failures."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from asyncpg.transaction import Transaction
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from sqlalchemy import String, bindparam, cast, func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncSession

from db.access import KeyUse, add_key_use, key_use
from db.customers import add_customer
from db.engine import Database, DatabaseUnavailableError
from db.history import add_events, events_page
from db.prepared import Prepared, is_any_of, one_of
from db.tables import CustomerRow
from domain.customers import CustomerKind
from domain.history import SYSTEM, EventKind, NewEvent
from tests.statements import counted_statements

pytestmark = pytest.mark.anyio

NOW = datetime(2028, 2, 29, 23, 59, 59, 123456, tzinfo=UTC)
BY_ID = Prepared(lambda kind: select(CustomerRow).where(one_of(CustomerRow.id, "ids", kind)).order_by(CustomerRow.id))
NAMES = Prepared(
    lambda _kind: (
        select(CustomerRow.name)
        .where(CustomerRow.created_at <= bindparam("at", type_=CustomerRow.created_at.type))
        .order_by(CustomerRow.id)
    )
)


def of_kinds(*kinds: str) -> Prepared[str]:
    return Prepared(lambda _kind: select(CustomerRow.name).where(is_any_of(CustomerRow.kind, kinds)))


OF_KINDS = [of_kinds(), of_kinds("CORPORATE"), of_kinds("INDIVIDUAL", "CORPORATE"), of_kinds("INDIVIDUAL")]
FAILING = Prepared(lambda _kind: select(CustomerRow).where(cast(CustomerRow.name, String) == func.nothing()))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    found = Database(database_url)
    yield found
    await found.close()


async def add(session: AsyncSession, name: str) -> int:
    kind = CustomerKind.CORPORATE
    made = await add_customer(session, name=name, kind=kind, time_zone="UTC", currency="JPY", now=NOW)
    return made.id


def values(rows: list[CustomerRow]) -> list[tuple[object, ...]]:
    return [tuple(getattr(row, column.key) for column in CustomerRow.__table__.columns) for row in rows]


async def test_the_driver_answers_as_the_session_does(database: Database) -> None:
    async with database.write() as session:
        ids = [await add(session, name) for name in ("é", "b", "c")]
    for chosen in ([], ids[:1], ids, [*ids, 0]):
        async with database.read() as session:
            first = values(list(await BY_ID.all(session, ids=chosen)))
            again = values(list(await BY_ID.all(session, ids=chosen)))
            expected = await session.scalars(select(CustomerRow).where(CustomerRow.id.in_(chosen)))
            assert first == again == values(sorted(expected, key=lambda row: row.id))
    async with database.read() as session:
        for _ in range(2):
            assert list(await NAMES.all(session, at=NOW)) == ["é", "b", "c"]
            assert list(await NAMES.all(session, at=NOW.replace(microsecond=0))) == []
            assert [len(await read.all(session)) for read in OF_KINDS] == [0, 3, 3, 0]


async def test_values_that_are_stored_otherwise_are_read_as_they_were(database: Database) -> None:
    renamed = NewEvent(kind=EventKind.ACCOUNT_CHANGED, occurred_at=NOW, changes={"name": ("a", None)})
    async with database.write() as session:
        customer_id = await add(session, "A")
        await add_events(session, customer_id, SYSTEM, [renamed], NOW)
    async with database.read() as session:
        for _ in range(2):
            (found,) = (await events_page(session, [customer_id], account_id=None, first=2, before_id=None))[
                customer_id
            ]
            assert (found.what, found.recorded_at, found.actor) == (renamed, NOW, SYSTEM)


async def test_every_statement_is_heard_of(database: Database) -> None:
    async with database.read() as session:
        with counted_statements() as statements:
            for _ in range(3):
                await BY_ID.all(session, ids=[1])
    assert len([text for text in statements if "FROM customers" in text]) == 3


async def test_who_writes_reads_what_it_has_changed(database: Database) -> None:
    async with database.write() as session:
        id_ = await add(session, "A")
        assert [row.name for row in await BY_ID.all(session, ids=[id_])] == ["A"]
        row = await session.get_one(CustomerRow, id_)
        row.name = "B"
        assert [row.name for row in await BY_ID.all(session, ids=[id_])] == ["B"]
        session.add(CustomerRow(**{c.key: getattr(row, c.key) for c in CustomerRow.__table__.columns} | {"id": 99}))
        assert [row.id for row in await BY_ID.all(session, ids=[id_, 99])] == [id_, 99]
        await session.delete(await session.get_one(CustomerRow, 99))
        assert [row.id for row in await BY_ID.all(session, ids=[id_, 99])] == [id_]


async def read_failing(database: Database) -> None:
    async with database.read() as session:
        await BY_ID.all(session, ids=[1])  # from now on the driver is asked
        await FAILING.all(session)


async def test_a_statement_that_fails_spoils_nothing(database: Database) -> None:
    async with database.one_state():
        with pytest.raises((DBAPIError, DatabaseUnavailableError), match="nothing"):
            await read_failing(database)
        async with database.read() as session:
            assert list(await BY_ID.all(session, ids=[1])) == []
    assert sum(used for used, _size in database.connections().values()) == 0


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_connection_that_breaks_may_be_retried_and_is_replaced(database: Database) -> None:
    async def read() -> None:
        async with database.read() as session:
            await BY_ID.all(session, ids=[1])
            number = await session.scalar(text("SELECT pg_backend_pid()"))
            async with database.write() as other:
                await other.execute(text("SELECT pg_terminate_backend(:number)"), {"number": number})
            await BY_ID.all(session, ids=[1])

    with pytest.raises(DatabaseUnavailableError):
        await read()
    assert await database.is_ready()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_driver_that_has_lost_count_is_replaced(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lose_count(*_given: object, **_named: object) -> None:
        raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")

    async def number(session: AsyncSession) -> int:
        found: int = await session.scalar(text("SELECT pg_backend_pid()"))
        return found

    async def read() -> None:
        async with database.read() as session:
            await BY_ID.all(session, ids=[1])
            numbers.append(await number(session))
            with monkeypatch.context() as patch:
                patch.setattr(asyncpg.Connection, "fetch", lose_count)
                await BY_ID.all(session, ids=[1])

    numbers: list[int] = []
    with pytest.raises(DatabaseUnavailableError):
        await read()
    async with database.read() as session:
        assert await number(session) not in numbers


async def test_what_is_inserted_is_there_and_a_key_is_used_once(database: Database) -> None:
    use = KeyUse("spotOrderPlace", "0" * 64, (1, 2))
    async with database.write() as session:
        customer_id = await add(session, "A")
        assert await key_use(session, customer_id, "k") is None
        await add_key_use(session, customer_id, "k", use, NOW)
        assert await key_use(session, customer_id, "k") == use

    async def add_both() -> None:
        async with database.write() as session:
            assert await key_use(session, customer_id, "k") == use
            await add_key_use(session, customer_id, "l", use, NOW)
            await add_key_use(session, customer_id, "k", use, NOW)

    with pytest.raises(IntegrityError):
        await add_both()
    async with database.read() as session:
        assert (await key_use(session, customer_id, "k"), await key_use(session, customer_id, "l")) == (use, None)


async def test_a_value_that_is_forgotten_is_an_error(database: Database) -> None:
    async with database.read() as session:
        for _ in range(2):
            with pytest.raises((StatementError, KeyError)):
                await NAMES.all(session)
        assert await NAMES.all(session, at=NOW) == []


async def test_a_savepoint_takes_back_what_the_driver_inserted(database: Database) -> None:
    use = KeyUse("spotOrderPlace", "0" * 64, (1, 2))

    async def add_twice(session: AsyncSession, customer_id: int) -> None:
        async with session.begin_nested():
            await add_key_use(session, customer_id, "k", use, NOW)
            await add_key_use(session, customer_id, "k", use, NOW)

    async with database.write() as session:
        customer_id = await add(session, "A")
        assert await key_use(session, customer_id, "k") is None
        with pytest.raises(IntegrityError):
            await add_twice(session, customer_id)
        assert await key_use(session, customer_id, "k") is None
        await add_key_use(session, customer_id, "k", use, NOW)
    async with database.read() as session:
        assert await key_use(session, customer_id, "k") == use


async def test_a_session_that_was_closed_does_not_read_within_another(database: Database) -> None:
    async with database.read() as session:
        for _ in range(2):
            assert await BY_ID.all(session, ids=[1]) == []
            assert await session.get(CustomerRow, 1) is None
            await session.close()
    async with database.write() as session:
        for _ in range(2):
            assert await BY_ID.all(session, ids=[1]) == []
        await session.close()
        if not database.is_sqlite:  # it has one writer
            async with database.write() as other:
                id_ = await add(other, "A")
                assert await BY_ID.all(session, ids=[id_]) == []


async def test_one_connection_is_enough_for_every_way_of_reading(database: Database) -> None:
    async with database.write() as session:
        id_ = await add(session, "A")
    async with database.one_state(), database.read() as session:
        await BY_ID.all(session, ids=[id_])
        found = await session.get(CustomerRow, id_)
        assert found is await session.get_one(CustomerRow, id_)
        assert await session.scalar(select(CustomerRow.name)) == "A"
        assert sum(used for used, _size in database.connections().values()) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("part", ["start", "rollback"])
async def test_a_transaction_that_cannot_begin_or_end_costs_its_connection_only(
    database: Database, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """As where an operator has cancelled a BEGIN; the driver takes the transaction for begun then."""

    async def cancelled(transaction: Any) -> None:
        transaction._connection._top_xact = transaction
        raise asyncpg.QueryCanceledError("canceling statement due to user request")

    async def read() -> None:
        async with database.read() as session:
            await BY_ID.all(session, ids=[1])

    async def slowly() -> None:
        async with database.read() as session:
            await session.scalar(text("SELECT 1"))

    for each in (read, slowly) if part == "start" else (read,):
        await each()
        with monkeypatch.context() as patch:
            patch.setattr(Transaction, part, cancelled)
            with pytest.raises((DatabaseUnavailableError, DBAPIError)):
                await each()
        for work in (read, slowly):
            await work()
        async with database.write() as session:
            await session.execute(text("SELECT 1"))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_statement_that_is_broken_off_has_a_span(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr("db.tracing.TRACER", provider.get_tracer("test"))
    database.trace_statements()
    slow: Prepared[int] = Prepared(lambda _kind: select(CustomerRow.id).where(cast(func.pg_sleep(60), String) != ""))
    begun = asyncio.Event()

    async def write() -> None:
        with provider.get_tracer("test").start_as_current_span("operation"):
            async with database.write() as session:
                await add(session, "A")
                await BY_ID.all(session, ids=[1])
                begun.set()
                await slow.all(session)

    writing = asyncio.create_task(write())
    await begun.wait()
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    ended = [span for span in spans.get_finished_spans() if "pg_sleep" in str(dict(span.attributes or {}))]
    assert [span.status.status_code for span in ended] == [StatusCode.ERROR]
