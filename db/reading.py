"""Reading: statements that are never broken off, and one state of the database for everything an operation reads."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

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
    """

    async def execute(self, *given: Any, **named: Any) -> Any:
        return await to_its_end(super().execute(*given, **named))

    async def scalar(self, *given: Any, **named: Any) -> Any:
        return await to_its_end(super().scalar(*given, **named))

    async def get(self, *given: Any, **named: Any) -> Any:
        return await to_its_end(super().get(*given, **named))


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
                self._session = ReadSession(self._engine, expire_on_commit=False)
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
