"""``spotplan tokens``: who may sign in, and ending that."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.errors import OperatorError
from cli.running import one_line_errors, run_with_services, the_customer
from db.access import StoredToken
from domain.errors import RuleError
from resolvers import tokens
from resolvers.access import Caller, Role
from resolvers.services import Services

tokens_app = typer.Typer(help="Who may sign in.")

OPERATOR = Caller(Role.OPERATOR, None)


@tokens_app.callback(invoke_without_command=True)
def list_command(
    context: typer.Context,
    customer: Annotated[str | None, typer.Option(help="Only its owners: its number, or its exact name.")] = None,
) -> None:
    """List what may be used to sign in, newest first, at most 100: tokens, and people of the provider."""

    async def found(services: Services) -> list[StoredToken]:
        if customer is None:
            return await tokens.every_token(services, OPERATOR)
        customer_id = (await the_customer(services.database, customer)).id
        return (await tokens.tokens_of_customers(services, [customer_id], OPERATOR))[0]

    if context.invoked_subcommand is None:
        with one_line_errors():
            Console().print(_table(run_with_services(found)))


@tokens_app.command()
def revoke(number: Annotated[int, typer.Argument(help="The token's number, as listed.")]) -> None:
    """End a token at once, or shut a person of the provider out."""
    with one_line_errors():
        try:
            found = run_with_services(lambda services: tokens.revoke(services, OPERATOR, number))
        except RuleError:
            raise OperatorError(f"there is no token {number}") from None
        typer.echo(f"token {found.id} ended at {found.revoked_at:%Y-%m-%d %H:%M:%S} UTC")


def _table(rows: list[StoredToken]) -> Table:
    table = Table("token", "role", "customer", "person", "made", "ends")
    for found in rows:
        ends = min(found.expires_at, found.revoked_at or found.expires_at)
        table.add_row(
            str(found.id),
            found.role.lower(),
            str(found.customer_id or ""),
            escape(found.subject or ""),
            f"{found.created_at:%Y-%m-%d}",
            f"{ends:%Y-%m-%d %H:%M}" if found.subject is None else "",
        )
    return table
