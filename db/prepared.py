"""Statements that are made and compiled once, and that PostgreSQL's driver runs without SQLAlchemy between.

To make a select, to find it among those compiled and to turn what comes back into a session's objects takes SQLAlchemy
twenty times as long as the driver takes to ask and to listen (README, decision 97). So the statements that most
requests consist of are kept. All others go SQLAlchemy's way, in the same transaction.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Any, Generic, TypeVar, cast

import asyncpg
from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Dialect,
    Integer,
    Select,
    Table,
    any_,
    bindparam,
    false,
    insert,
    or_,
)
from sqlalchemy.dialects.postgresql.asyncpg import dialect as postgresql_dialect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.dml import ReturningInsert

from db.driver import Driver
from db.reading import ReadSession, to_its_end
from db.tables import Base

R = TypeVar("R")


class Prepared(Generic[R]):
    """A select of the rows of one table, or of one column of a table, with a place for each value.

    ``make`` is told whether the database is PostgreSQL. The rows have the table's columns as attributes, and are only
    to be read: those that the driver found are no objects of the session.

    It may also be an insertion (see :func:`insertion`), whose places are the table's columns.
    """

    def __init__(self, make: Callable[[bool], Select[R] | ReturningInsert[R]]) -> None:
        self._make = make

    async def all(self, session: AsyncSession, **values: Any) -> Sequence[R]:
        """What there is for these values, which are called as their places."""
        if not is_on_postgresql(session):
            return (await session.scalars(self._elsewhere, values)).all()
        if isinstance(session, ReadSession):
            return await to_its_end(self._fetched(await session.driver(), values))
        driver: Driver | None = session.info.get(Driver)
        # A savepoint is set only when SQLAlchemy is asked, and a closed session's connection is somebody else's.
        is_begun = session.in_transaction() and not session.in_nested_transaction()
        if driver is not None and is_begun and driver.connection.is_in_transaction():
            if session.new or session.dirty or session.deleted:
                await session.flush()
            # Who writes and is cancelled undoes everything, so the driver may break off what it does.
            return await self._fetched(driver, values)
        rows = (await session.scalars(self._on_postgresql, values)).all()
        session.info[Driver] = Driver.of(session.sync_session)  # that has begun the transaction
        return rows

    async def one(self, session: AsyncSession, **values: Any) -> R:
        """The only row or value."""
        (found,) = await self.all(session, **values)
        return found

    async def _fetched(self, driver: Driver, values: dict[str, Any]) -> list[Any]:
        compiled = self._compiled
        records = await driver.fetch(compiled.sql, compiled.arguments(values), compiled.record_class)
        return records if compiled.column is None else list(map(compiled.column, records))

    @cached_property
    def _on_postgresql(self) -> Select[R] | ReturningInsert[R]:
        return self._make(True)

    @cached_property
    def _elsewhere(self) -> Select[R] | ReturningInsert[R]:
        return self._make(False)

    @cached_property
    def _compiled(self) -> "Compiled":
        return Compiled(self._on_postgresql)


def is_on_postgresql(session: AsyncSession) -> bool:
    """Whether a session's statements are for PostgreSQL."""
    return session.get_bind().dialect.name == "postgresql"


def insertion(rows: type[Base]) -> Prepared[int]:
    """The insertion of a row, which returns the first column of its key. All other columns are to be given."""
    table = cast("Table", rows.__table__)
    returned: Column[int] = table.primary_key.columns.values()[0]
    return Prepared(lambda _is_postgresql: insert(table).returning(returned))


def one_of(column: ColumnElement[int] | InstrumentedAttribute[int], place: str, is_postgresql: bool) -> Any:
    """That a column has one of the values of a place: on PostgreSQL the same statement, however many there are."""
    if is_postgresql:
        return column == any_(bindparam(place, type_=ARRAY(Integer)))
    return column.in_(bindparam(place, expanding=True))


def is_any_of(column: InstrumentedAttribute[str], values: Iterable[str]) -> ColumnElement[bool]:
    """That a column has one of some constants, of which each statement has its own."""
    return or_(false(), *(column == value for value in sorted(values)))


class Compiled:
    """A select or insertion as PostgreSQL's driver takes it."""

    def __init__(self, statement: Select[Any] | ReturningInsert[Any]) -> None:
        dialect: Dialect = postgresql_dialect()  # type: ignore[no-untyped-call]
        found = list(statement.exported_columns)
        is_rows = False
        if isinstance(statement, Select):
            described = statement.column_descriptions[0]
            is_rows = described.get("entity") is described["expr"]
            compiled = statement.compile(dialect=dialect)
        else:
            table = cast("Table", statement.table)
            given = [column.key for column in table.columns if column is not table.autoincrement_column]
            compiled = statement.compile(dialect=dialect, column_keys=given)
        self.sql = compiled.string
        self._constants = {name: value for name, value in compiled.params.items() if not compiled.binds[name].required}
        self._places = [
            (name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
            for name in compiled.positiontup or ()
        ]
        attributes: dict[str, Any] = {"__slots__": ()}
        for place, column in enumerate(found):
            processed = column.type.dialect_impl(dialect).result_processor(dialect, None)
            getter = itemgetter(place) if processed is None else _processed(place, processed)
            attributes[str(column.key)] = property(getter)
        self.record_class = cast("type[asyncpg.Record]", type("Row", (asyncpg.Record,), attributes))
        self.column = None if is_rows else attributes[str(found[0].key)].fget

    def arguments(self, values: dict[str, Any]) -> list[Any]:
        """The values in their places."""
        given = self._constants | values
        return [processed(given[name]) if processed else given[name] for name, processed in self._places]


def _processed(place: int, processor: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda record: processor(record[place])
