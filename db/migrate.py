"""Bring a database to the current tables, by Alembic."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from db.engine import Database


def alembic_config(address: str) -> Config:
    """Alembic's configuration for a database address, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["address"] = address
    return config


def migrate(address: str) -> None:
    """Apply every migration that is missing; does nothing where there is none.

    Raises:
        DatabaseUrlError: the address cannot be used.
    """
    command.upgrade(alembic_config(address), "head")


def is_current(address: str) -> bool:
    """Whether every migration has been applied.

    Raises:
        DatabaseUrlError, DatabaseUnavailableError.
    """
    return asyncio.run(_revision(address)) == ScriptDirectory.from_config(alembic_config(address)).get_current_head()


async def _revision(address: str) -> str | None:
    """The migration that the database is at; None where it has no tables yet."""
    database = Database(address)
    try:
        async with database.read() as session:
            connection = await session.connection()
            return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())
    finally:
        await database.close()
