"""Persisted operations: GraphQL documents by their hashes."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import CheckConstraint, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from db.tables import Base


class PersistedOperationRow(Base):
    """A GraphQL document that a client was built with, by the hash that the client sends instead of it."""

    __tablename__ = "persisted_operations"
    __table_args__ = (CheckConstraint("length(document) > 0", name="document"),)
    id: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[str]
    registered_at: Mapped[datetime]


async def operation_document(session: AsyncSession, id_: str) -> str | None:
    """The document that was registered under this id."""
    row = await session.get(PersistedOperationRow, id_)
    return row.document if row else None


async def add_operations(session: AsyncSession, documents: Mapping[str, str], now: datetime) -> int:
    """Store documents by their ids; how many were not stored yet. An id is a hash, so what is there is the same."""
    rows = select(PersistedOperationRow.id).where(PersistedOperationRow.id.in_(documents))
    known = set(await session.scalars(rows))
    new = [id_ for id_ in documents if id_ not in known]
    session.add_all(PersistedOperationRow(id=id_, document=documents[id_], registered_at=now) for id_ in new)
    await session.flush()
    return len(new)
