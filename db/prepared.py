"""Selects that are made and compiled once, and that PostgreSQL's driver runs without SQLAlchemy between.

To make a select, to find it among those compiled and to turn what comes back into a session's objects takes SQLAlchemy
twenty times as long as the driver takes to ask and to listen (README, decision 97). So the reads that most requests
consist of are kept. All others go SQLAlchemy's way, in the same transaction.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from operator import itemgetter
from types import SimpleNamespace
from typing import Any, Generic, TypeVar, cast

import asyncpg
from sqlalchemy import ARRAY, ColumnElement, Dialect, Integer, Select, any_, bindparam, false, or_
from sqlalchemy.dialects.postgresql.asyncpg import dialect as postgresql_dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.reading import ReadSession, to_its_end
from db.tracing import statement_failed

R = TypeVar("R")


class Prepared(Generic[R]):
    """A select of the rows of one table, or of one column, with a place for each value.

    ``make`` is told whether the database is PostgreSQL. The rows have the table's columns as attributes; those that
    the driver found are no objects of the session, so nothing is changed through them.
    """

    def __init__(self, make: Callable[[bool], Select[R]]) -> None:
        self._make = make

    async def all(self, session: AsyncSession, **values: Any) -> Sequence[R]:
        """What there is for these values, which are called as their places."""
        driver: Driver | None = session.info.get(Driver)
        if driver is not None and driver.sees_all_of(session):
            work = driver.fetch(self._compiled, values)
            # Who writes and is cancelled undoes everything, so there the driver may break off what it does.
            return await (to_its_end(work) if isinstance(session, ReadSession) else work)
        is_postgresql = session.get_bind().dialect.name == "postgresql"
        rows = (await session.scalars(self._on_postgresql if is_postgresql else self._elsewhere, values)).all()
        if is_postgresql:
            session.info[Driver] = Driver(session.sync_session)  # that has begun the transaction
        return rows

    @cached_property
    def _on_postgresql(self) -> Select[R]:
        return self._make(True)

    @cached_property
    def _elsewhere(self) -> Select[R]:
        return self._make(False)

    @cached_property
    def _compiled(self) -> "Compiled":
        return Compiled(self._on_postgresql)


def one_of(column: ColumnElement[int] | InstrumentedAttribute[int], place: str, is_postgresql: bool) -> Any:
    """That a column has one of the values of a place: on PostgreSQL the same statement, however many there are."""
    if is_postgresql:
        return column == any_(bindparam(place, type_=ARRAY(Integer)))
    return column.in_(bindparam(place, expanding=True))


def is_any_of(column: InstrumentedAttribute[str], values: Iterable[str]) -> ColumnElement[bool]:
    """That a column has one of some constants, of which each statement has its own."""
    return or_(false(), *(column == value for value in sorted(values)))


class Compiled:
    """A select as PostgreSQL's driver takes it."""

    def __init__(self, select: Select[Any]) -> None:
        dialect: Dialect = postgresql_dialect()  # type: ignore[no-untyped-call]
        compiled = select.compile(dialect=dialect)
        self.sql = compiled.string
        given = compiled.params
        self._places = [
            (name, given[name], compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
            for name in compiled.positiontup or ()
        ]
        attributes: dict[str, Any] = {"__slots__": ()}
        for place, column in enumerate(select.selected_columns):
            processed = column.type.dialect_impl(dialect).result_processor(dialect, None)
            getter = itemgetter(place) if processed is None else _processed(place, processed)
            attributes[str(column.key)] = property(getter)
        self.record_class = cast("type[asyncpg.Record]", type("Row", (asyncpg.Record,), attributes))
        described = select.column_descriptions[0]
        self.column = None if described["entity"] is described["expr"] else attributes[described["name"]].fget

    def arguments(self, values: dict[str, Any]) -> list[Any]:
        """The values in their places."""
        return [
            processed(values.get(name, constant)) if processed else values.get(name, constant)
            for name, constant, processed in self._places
        ]


class Driver:
    """The driver's own connection, on which a session's transaction has begun."""

    def __init__(self, session: Session) -> None:
        self._connection = session.connection()
        self._driver = cast("asyncpg.Connection[Any]", self._connection.connection.driver_connection)

    def sees_all_of(self, session: AsyncSession) -> bool:
        """Whether the transaction goes on, and everything that the session has changed is in it."""
        if not self._driver.is_in_transaction():
            return False
        return isinstance(session, ReadSession) or not (session.new or session.deleted or session.dirty)

    async def fetch(self, compiled: Compiled, values: dict[str, Any]) -> list[Any]:
        """The rows of a select, or the values of its column. Whoever listens to the engine hears of it.

        Raises:
            DBAPIError: it failed.
        """
        dispatch, context, arguments = self._connection.dispatch, SimpleNamespace(), compiled.arguments(values)
        heard = self._connection, None, compiled.sql, arguments, context, False
        dispatch.before_cursor_execute(*heard)
        try:
            records = await self._driver.fetch(compiled.sql, *arguments, record_class=compiled.record_class)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            statement_failed(context, error)
            if isinstance(error, asyncpg.InternalClientError):
                self._driver.terminate()  # its own state is wrong, as when a server says good-bye in between
            raise DBAPIError(
                compiled.sql, None, error, hide_parameters=True, connection_invalidated=self._driver.is_closed()
            ) from error
        dispatch.after_cursor_execute(*heard)
        return records if compiled.column is None else list(map(compiled.column, records))


def _processed(place: int, processor: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda record: processor(record[place])
