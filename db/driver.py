"""PostgreSQL's driver, asked without SQLAlchemy between, in the transaction of a session or in one of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import asyncpg
from asyncpg.transaction import Transaction
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from db.tracing import statement_failed


class Driver:
    """A connection of the driver. Whoever listens to ``heard_by`` hears of its statements, and is given that."""

    def __init__(self, connection: Any, heard_by: Engine | Connection) -> None:
        self.connection = cast("asyncpg.Connection[Any]", connection)
        self._heard_by = heard_by
        self._transaction: Transaction | None = None

    @classmethod
    def of(cls, session: Session) -> "Driver":
        """The driver's connection that a session's transaction has begun on."""
        connection = session.connection()
        return cls(connection.connection.driver_connection, connection)

    async def fetch(self, sql: str, arguments: list[Any], record_class: type[asyncpg.Record]) -> list[Any]:
        """The rows of a statement.

        Raises:
            DBAPIError: it failed.
        """
        dispatch = self._heard_by.dispatch
        context = SimpleNamespace()
        heard = self._heard_by, None, sql, arguments, context, False
        for begun in dispatch.before_cursor_execute:
            begun(*heard)
        with self._as_of_sqlalchemy(sql, context):
            records = await self.connection.fetch(sql, *arguments, record_class=record_class)
        for ended in dispatch.after_cursor_execute:
            ended(*heard)
        return records

    async def begin(self) -> None:
        """Begin to read one state, until :meth:`end`.

        Raises:
            DBAPIError: the connection broke.
        """
        for begun in self._heard_by.dispatch.begin:
            begun(self._heard_by)
        self._transaction = self.connection.transaction(isolation="repeatable_read", readonly=True)
        with self._as_of_sqlalchemy("BEGIN"):
            await self._transaction.start()

    async def end(self) -> None:
        """End the transaction, where one was begun.

        Raises:
            DBAPIError: the connection broke.
        """
        if self._transaction is None:
            return
        for ended in self._heard_by.dispatch.rollback:
            ended(self._heard_by)
        with self._as_of_sqlalchemy("ROLLBACK"):
            await self._transaction.rollback()

    @contextmanager
    def _as_of_sqlalchemy(self, sql: str, context: SimpleNamespace | None = None) -> Iterator[None]:
        """Raise the driver's failures as SQLAlchemy does. ``context`` is that of a statement within a transaction."""
        try:
            yield
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            statement_failed(context, error)
            # Nobody can use it again where a transaction neither begins nor ends; or where it has lost count of what
            # was said, as when a server says good-bye between two statements.
            if context is None or isinstance(error, asyncpg.InternalClientError):
                self.connection.terminate()
            is_closed = self.connection.is_closed()
            kind = IntegrityError if isinstance(error, asyncpg.IntegrityConstraintViolationError) else DBAPIError
            raise kind(sql, None, error, hide_parameters=True, connection_invalidated=is_closed) from error
        except BaseException as error:  # who writes may be cancelled
            statement_failed(context, error)
            raise
