"""The database: one read and one write engine, each use case in a transaction of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import asyncpg
from sqlalchemy import URL, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import QueuePool

from db.reading import OneState, ReadSession, current_state, to_its_end
from db.tracing import trace_statements

BUSY_SECONDS = 30
CLOSE_SECONDS = 5
"""How long connections that are in use are waited for; a connection that is closed over is never given back."""
CONNECT_SECONDS = 10
RECYCLE_SECONDS = 1_800
"""Connections are made anew after so long: what lies between may forget those that are idle without telling."""
SERVER_SETTINGS = {
    "application_name": "spotplan",
    # In milliseconds. Who asked has been told TIMEOUT by then; a process that stands still holds no lock for longer.
    "statement_timeout": "60000",
    "idle_in_transaction_session_timeout": "60000",
}
"""Of each connection to PostgreSQL; migrations have connections of their own."""
PASSING_STATES = ("08", "25P03", "40001", "40P01", "53", "57")
"""How PostgreSQL's SQLSTATEs begin that say nothing of the statement: the connection broke, the server stops, starts or
lacks something, somebody else was in the way, or it took too long."""


class DatabaseUnavailableError(RuntimeError):
    """The database did not answer or was too busy; trying again may succeed."""


class DatabaseUrlError(ValueError):
    """The database's address is not one that can be used."""


def async_url(address: str) -> URL:
    """The address with the asynchronous driver: ``sqlite:///FILE`` or ``postgresql://...``.

    Raises:
        DatabaseUrlError: another kind of database, or no address at all.
    """
    drivers = {
        "sqlite": "sqlite+aiosqlite",
        "postgresql": "postgresql+asyncpg",
        "postgres": "postgresql+asyncpg",
    }
    try:
        url = make_url(address)
        return url.set(drivername=drivers[url.drivername.partition("+")[0]])
    except (ArgumentError, KeyError):
        raise DatabaseUrlError(
            f"SPOTPLAN_DATABASE_URL must be sqlite:///FILE or postgresql://..., not {address!r}"
        ) from None


class Database:
    """A database file (SQLite) or server (PostgreSQL).

    Reads see one state of the database from first to last statement. Writes exclude each other: SQLite begins
    them with BEGIN IMMEDIATE; on PostgreSQL use cases lock the row of the main contract.
    """

    def __init__(self, address: str, pool_size: int = 10) -> None:
        url = async_url(address)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            _make_folder(url)
            options: dict[str, Any] = {"connect_args": {"timeout": BUSY_SECONDS}}
            self._reader = _sqlite_engine(url, "BEGIN", pool_size, options)
            # SQLite has one writer at a time: waiting in our pool's queue is fair, its busy loop is not.
            self._writer = _sqlite_engine(url, "BEGIN IMMEDIATE", 1, options)
        else:
            engine = create_async_engine(
                url,
                pool_size=pool_size,
                max_overflow=0,
                pool_timeout=BUSY_SECONDS,
                pool_use_lifo=True,  # the one used last has its caches warm
                pool_recycle=RECYCLE_SECONDS,
                connect_args={"timeout": CONNECT_SECONDS, "server_settings": SERVER_SETTINGS},
                hide_parameters=True,  # its errors are logged, and values may be a person's
            )
            event.listen(engine.sync_engine, "checkout", _is_open)
            self._writer = engine
            self._reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @asynccontextmanager
    async def read(self, *, one_statement: bool = False) -> AsyncIterator[AsyncSession]:
        """A session for reading only: within :meth:`one_state`, that one's.

        For one statement that is kept (see :mod:`db.prepared`) no transaction is begun.

        Raises:
            DatabaseUnavailableError: no connection, or the connection broke.
        """
        state = self._state()
        with _typed_failures():
            if state is None:
                async with ReadSession(self._reader, one_statement=one_statement) as session:
                    yield session
            else:
                async with state.session() as shared:
                    yield shared

    @asynccontextmanager
    async def one_state(self) -> AsyncIterator[None]:
        """Have everything within read one state of the database, on one connection.

        What is written meanwhile is seen by what is read after it.
        """
        state = OneState(self._reader)
        token = current_state.set(state)
        try:
            yield
        finally:
            current_state.reset(token)
            state.is_over = True  # reads that go on in the background have transactions of their own
            await state.let_go()

    async def let_go(self) -> None:
        """Give back the connection of :meth:`one_state` until something is read again: what follows takes long."""
        state = self._state()
        if state is not None:
            await state.let_go()

    def _state(self) -> OneState | None:
        state = current_state.get()
        return None if state is None or state.is_over or not state.reads(self._reader) else state

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session whose work is committed at the end, or undone when anything is raised.

        Raises:
            DatabaseUnavailableError: no connection, or the connection broke. Where it broke during the
                commit the work may have been written: try again with the same idempotency key.
        """
        with _typed_failures():
            async with AsyncSession(self._writer, expire_on_commit=False) as session:
                yield session
                await to_its_end(session.commit())
        if (state := self._state()) is not None:
            state.forget()

    async def is_ready(self) -> bool:
        """Whether the database answers."""
        try:
            async with self.read() as session:
                await session.execute(text("SELECT 1"))
        except DatabaseUnavailableError:
            return False
        return True

    def connections(self) -> dict[str, tuple[int, int]]:
        """Of each pool of connections, how many are in use and how many may be."""
        engines = {"reader": self._reader, "writer": self._writer} if self.is_sqlite else {"all": self._writer}
        pools = {name: engine.pool for name, engine in engines.items()}
        return {name: (pool.checkedout(), pool.size()) for name, pool in pools.items() if isinstance(pool, QueuePool)}

    def trace_statements(self) -> None:
        """Give each statement of an operation a span, from now on."""
        for engine in (
            {self._writer.sync_engine, self._reader.sync_engine} if self.is_sqlite else {self._writer.sync_engine}
        ):
            trace_statements(engine)

    async def close(self) -> None:
        """Close every connection, once what still reads in the background has given its own back."""
        until = monotonic() + CLOSE_SECONDS
        while monotonic() < until and any(used for used, _size in self.connections().values()):  # noqa: ASYNC110 # pools tell nobody
            await asyncio.sleep(0.01)
        await self._reader.dispose()
        await self._writer.dispose()


def after_commit(session: AsyncSession, do: Callable[[], None]) -> None:
    """Do something once the session's work is stored, and not if it is undone."""
    event.listen(session.sync_session, "after_commit", lambda _session: do(), once=True)


@contextmanager
def _typed_failures() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError, OSError) as error:
        raise DatabaseUnavailableError(str(error)) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        # Nobody has made it SQLAlchemy's: it is raised only where a connection is made.
        raise DatabaseUnavailableError(str(error)) from error
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None) or ""
        # The driver loses count where the server says good-bye between two statements.
        lost_count = isinstance(error.driver_exception, asyncpg.InternalClientError)
        if error.connection_invalidated or lost_count or state.startswith(PASSING_STATES):
            raise DatabaseUnavailableError(str(error)) from error
        raise


def _is_open(connection: Any, _record: Any, _proxy: Any) -> None:
    """Have the pool replace a connection that the server has closed. The driver knows, so nobody has to be asked.

    SQLAlchemy's ping takes three round trips, for BEGIN and ROLLBACK around it: half of those of a short read.
    """
    driver = connection.driver_connection
    # One that could not be ended, as where an operator has cancelled its BEGIN, would fail whoever comes next. Of that
    # the driver keeps a note (asyncpg 0.32), but tells nobody.
    if driver.is_closed() or driver.is_in_transaction() or driver._top_xact is not None:  # noqa: SLF001
        raise DisconnectionError("the server has closed the connection, or a transaction was not ended")


def _make_folder(url: URL) -> None:
    """Make the folder of a SQLite file, so that a first start needs no preparation."""
    try:
        Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnavailableError(f"cannot make the folder of {url.database}: {error.strerror}") from error


def _sqlite_engine(url: URL, begin: str, pool_size: int, options: dict[str, Any]) -> AsyncEngine:
    engine = create_async_engine(
        url, pool_size=pool_size, max_overflow=0, pool_timeout=BUSY_SECONDS, hide_parameters=True, **options
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        # The driver would begin transactions late and by itself; _on_begin does it instead.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")  # an acknowledged order survives a power cut
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _on_begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine
