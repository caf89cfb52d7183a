"""What the operator's commands share: services on the environment's settings, and errors in one line."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import typer

from cli.errors import OperatorError
from db.customers import customers_by_id, customers_page
from db.engine import Database, DatabaseUnavailableError, DatabaseUrlError
from db.migrate import is_current
from domain.customers import Customer
from resolvers.services import Services
from settings import SettingInvalidError, Settings

T = TypeVar("T")

ID_DIGITS_MAX = 9
"""Longer numbers are no customer's, and the databases' integers cannot hold all of them."""


def run_with_services(use: Callable[[Services], Awaitable[T]]) -> T:
    """Do something with services on the environment's settings, and close them.

    Raises:
        OperatorError: the database is not migrated.
        SettingInvalidError, DatabaseUrlError, DatabaseUnavailableError.
    """
    settings = Settings.from_environment()
    check_migrated(settings)
    return asyncio.run(_used(settings, use))


async def _used(settings: Settings, use: Callable[[Services], Awaitable[T]]) -> T:
    services = Services.open(settings)
    try:
        await services.refresh_clock()
        return await use(services)
    finally:
        await services.close()


async def the_customer(database: Database, text: str) -> Customer:
    """The customer with this number or exact name.

    Raises:
        OperatorError: there is none, or more than one has the name.
    """
    if any("\ud800" <= letter <= "\udfff" for letter in text):  # how Python passes on bytes that it cannot decode
        raise OperatorError("the customer's name is not in this terminal's encoding")
    async with database.read() as session:
        if text.isdecimal() and len(text) <= ID_DIGITS_MAX:
            found = list((await customers_by_id(session, [int(text)])).values())
        else:
            # Pages go by name, then id: those of exactly this name come first, however many contain it.
            page = await customers_page(session, first=100, after=(text, 0), search=text)
            found = [item for item in page if item.name == text]
    if len(found) != 1:
        raise OperatorError(f"{len(found)} customers are called {text!r}")
    return found[0]


def check_migrated(settings: Settings) -> None:
    """Refuse a database that lacks the current tables.

    Raises:
        OperatorError, DatabaseUrlError, DatabaseUnavailableError.
    """
    if not is_current(settings.database_url):
        raise OperatorError("the database has not the current tables: run `spotplan migrate` first")


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Say what is wrong in one line where the operator can mend it."""
    try:
        yield
    except (OperatorError, DatabaseUrlError, DatabaseUnavailableError, SettingInvalidError) as error:
        typer.echo(f"spotplan: {error}", err=True)
        raise typer.Exit(2) from None
