"""Alembic's entry: runs all missing migrations in one transaction, on the server's own drivers."""

import asyncio

from alembic import context
from sqlalchemy import Connection

import db.commerce_tables  # its tables belong to the metadata
import db.operations  # as this one's
import db.webhook_tables  # noqa: F401 # and these, too
from db.engine import Database
from db.tables import Base


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        # SQLite cannot alter constraints in place; Alembic copies the table instead.
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
    )
    if connection.dialect.name == "postgresql":
        # A new index on a large table takes as long as it takes.
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    with context.begin_transaction():
        context.run_migrations()


async def _run_online() -> None:
    database = Database(context.config.attributes["address"])
    try:
        async with database.write() as session:
            await (await session.connection()).run_sync(_run)
    finally:
        await database.close()


asyncio.run(_run_online())
