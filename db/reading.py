"""Reading: statements that are never broken off, and one state of the database for everything an operation reads."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any, TypeVar, cast

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

from db.driver import Driver

Result = TypeVar("Result")


async def to_its_end(work: Coroutine[Any, Any, Result]) -> Result:
    """The result of work that must not be broken off; whoever is cancelled meanwhile is cancelled after it."""
    task, cancelled = asyncio.ensure_future(work), None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
        except BaseException:  # noqa: BLE001 # it is the task's own, and raised below
            break
    if cancelled is not None:
        raise cancelled
    return task.result()


class ReadSession(AsyncSession):
    """A session whose statements run to their end even if who asked is cancelled.

    An operation's reads are cancelled once a field fails that must not be null. SQLAlchemy gives up a connection
    whose statement is broken off, so each such operation would cost the pool its connections.

    What is kept for PostgreSQL's driver (see :mod:`db.prepared`) begins the transaction without SQLAlchemy, which
    joins it when it is needed. Where only one statement will be run there is no transaction around it.
    """

    def __init__(self, engine: AsyncEngine, *, one_statement: bool = False) -> None:
        super().__init__(engine, expire_on_commit=False)
        self._engine = engine
        self._one_statement = one_statement
        self._driver: Driver | None = None
        self._held: PoolProxiedConnection | None = None

    async def execute(self, *given: Any, **named: Any) -> Any:
        self._join()
        return await to_its_end(super().execute(*given, **named))

    async def scalar(self, *given: Any, **named: Any) -> Any:
        self._join()
        return await to_its_end(super().scalar(*given, **named))

    async def get(self, *given: Any, **named: Any) -> Any:
        self._join()
        return await to_its_end(super().get(*given, **named))

    async def get_one(self, *given: Any, **named: Any) -> Any:
        self._join()
        return await to_its_end(super().get_one(*given, **named))

    async def driver(self) -> Driver:
        """PostgreSQL's driver, in the session's transaction.

        Raises:
            SQLAlchemyError, OSError: there is no connection.
        """
        if self._driver is None:
            await to_its_end(self._begin())
        return cast("Driver", self._driver)

    async def close(self) -> None:
        try:
            await super().close()
        finally:
            await self._give_back()

    async def _begin(self) -> None:
        if self.in_transaction():
            self._driver = Driver.of(self.sync_session)
            return
        try:
            held = await self._engine.raw_connection()
        except self._engine.dialect.loaded_dbapi.Error as error:
            raise DBAPIError.instance("", None, error, Exception, hide_parameters=True) from error
        driver = Driver(held.driver_connection, self._engine.sync_engine)
        try:
            if not self._one_statement:
                await driver.begin()
        except BaseException:
            await greenlet_spawn(held.close)
            raise
        self._held, self._driver = held, driver

    async def _give_back(self) -> None:
        held, self._held = self._held, None
        driver, self._driver = self._driver, None
        if held is None:
            return
        self.sync_session.bind = self._engine.sync_engine
        try:
            if driver is not None:
                await driver.end()
        finally:
            await greenlet_spawn(held.close)

    def _join(self) -> None:
        if self._held is not None and not isinstance(self.sync_session.bind, Connection):
            self.sync_session.bind = Connection(self._engine.sync_engine, self._held)


class OneState:
    """What one operation reads: one connection, one state of the database, one statement after the other.

    The transaction begins with the first read, and anew after :meth:`forget` or a failure.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._lock = asyncio.Lock()
        self._reader: asyncio.Task[Any] | None = None
        self._session: ReadSession | None = None
        self._is_forgotten = False
        self.is_over = False

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """The session, for one reader at a time; who has it may ask for it again."""
        if self._session is not None and self._reader is asyncio.current_task():
            yield self._session
            return
        async with self._lock:
            if self._is_forgotten:
                await self._close()
            if self._session is None:
                self._session = ReadSession(self._engine)
            self._reader = asyncio.current_task()
            try:
                yield self._session
            except (SQLAlchemyError, OSError):
                await self._close()  # what comes after it in the same transaction would fail, too
                raise
            finally:
                self._reader = None

    def reads(self, engine: AsyncEngine) -> bool:
        """Whether it is a state of this database."""
        return self._engine is engine

    def forget(self) -> None:
        """Have what is read from now on read a newer state."""
        self._is_forgotten = True

    async def let_go(self) -> None:
        """End the transaction, so that its connection is free; it begins anew with the next read."""
        async with self._lock:
            await self._close()

    async def _close(self) -> None:
        self._is_forgotten = False
        session, self._session = self._session, None
        if session is None:
            return
        try:
            await to_its_end(session.close())
        except (SQLAlchemyError, OSError):  # the connection has broken; what was read is right all the same
            with suppress(SQLAlchemyError, OSError):
                await to_its_end(session.invalidate())


current_state: ContextVar[OneState | None] = ContextVar("one_state", default=None)
