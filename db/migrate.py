"""Bring a database to the current tables, by Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config


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
