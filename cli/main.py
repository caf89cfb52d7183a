"""The operator's door: serve, migrate, demo, token, tokens, accounts, expire, operations, plan, plan-many,
webhooks."""

import asyncio
import json
import secrets
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.accounts import accounts_app
from cli.demo import Demo, graphiql_config, prepare
from cli.demo_queries import RECOMMEND, recommend_variables
from cli.errors import OperatorError
from cli.expire import expire
from cli.logs import set_up_logs
from cli.operations import operations_app
from cli.order_states import order_states
from cli.plan import plan
from cli.plan_many import plan_many_command
from cli.running import check_migrated, one_line_errors, the_customer
from cli.server import run_server
from cli.supervisor import check_settings, serve_together
from cli.tokens import tokens_app
from cli.webhooks import webhooks_app
from db.engine import Database
from db.migrate import migrate
from planner.worker import preload
from resolvers.access import Role
from resolvers.services import Services, system_clock
from resolvers.tokens import issue_token
from schema.app import build_schema
from settings import Settings

app = typer.Typer(help="Spotplan: plans and spot contracts over GraphQL.", no_args_is_help=True, add_completion=False)
app.command()(plan)
app.command("plan-many")(plan_many_command)
app.command()(expire)
app.command("order-states")(order_states)
app.add_typer(accounts_app, name="accounts")
app.add_typer(operations_app, name="operations")
app.add_typer(webhooks_app, name="webhooks")
app.add_typer(tokens_app, name="tokens")

Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int, typer.Option(help="The port to listen on.", min=1, max=65535)]


DEMO_DATABASE = "sqlite:///var/demo.db"


@app.command("migrate")
def migrate_command() -> None:
    """Bring the database to the current tables; safe to run again."""
    with one_line_errors():
        migrate(Settings.from_environment().database_url)


@app.command()
def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[
        int | None, typer.Option(help="Processes on this port; SPOTPLAN_WORKERS where it is left out.", min=1)
    ] = None,
) -> None:
    """Serve the API. The database must be migrated."""
    with one_line_errors():
        settings = Settings.from_environment()
        if workers is not None:
            settings = replace(settings, workers=workers)
        check_migrated(settings)
        _serve(settings, {}, host, port)


@app.command()
def demo(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    reset: Annotated[bool, typer.Option(help="Begin again with fresh demo data.")] = False,
) -> None:
    """Serve demo data from an embedded database, with tokens for every role."""
    with one_line_errors():
        settings = replace(
            Settings.from_environment(),
            database_url=DEMO_DATABASE,
            workers=1,
            payment_provider="demo",
            demo_payment_secret=secrets.token_urlsafe(),
        )
        _check_port(host, port)
        if reset:
            for file in Path("var").glob("demo.db*"):
                file.unlink()
        migrate(settings.database_url)
        prepared = asyncio.run(_prepared(settings))
        _print_demo(prepared, f"http://{host}:{port}")
        config = graphiql_config(prepared, settings.terms_version)
        _serve(settings, config, host, port)


@app.command()
def token(
    role: Annotated[Role, typer.Option(help="What the token may do.", case_sensitive=False)],
    customer: Annotated[str | None, typer.Option(help="An owner's customer: its number, or its exact name.")] = None,
    days: Annotated[int, typer.Option(help="How long the token is valid.", min=1, max=3650)] = 365,
) -> None:
    """Make a bearer token, and print it last. It is stored as a hash: this is the only time it can be read."""
    with one_line_errors():
        if (role is Role.OWNER) != (customer is not None):
            raise OperatorError("--customer goes with --role owner, and only with it")
        settings = Settings.from_environment()
        check_migrated(settings)
        typer.echo(asyncio.run(_token(settings, role, customer, timedelta(days=days))))


@app.command()
def schema() -> None:
    """Print the GraphQL schema, as it is committed in schema/schema.graphql."""
    typer.echo(build_schema(Settings()).as_str())


async def _token(settings: Settings, role: Role, customer: str | None, valid_for: timedelta) -> str:
    database = Database(settings.database_url)
    try:
        customer_id = (await the_customer(database, customer)).id if customer is not None else None
        return await issue_token(database, role=role, customer_id=customer_id, now=system_clock(), valid_for=valid_for)
    finally:
        await database.close()


async def _prepared(settings: Settings) -> Demo:
    services = Services.open(settings)
    try:
        await services.refresh_clock()
        return await prepare(services)
    finally:
        await services.close()


def _print_demo(prepared: Demo, address: str) -> None:
    variables = recommend_variables(prepared.customer_id, prepared.today)
    body = json.dumps({"query": " ".join(RECOMMEND.split()), "variables": variables})
    lines = [
        "",
        f"Spotplan is at {address}/graphql - open it in a browser for GraphiQL, with a token filled in.",
        "",
        "Tokens (valid for 30 days, demo only):",
        *(f"  {name}: {value}" for name, value in prepared.tokens.items()),
        "",
        f"The cheapest spot contracts for a season at {prepared.customer.name}:",
        f"  curl -s {address}/graphql -H 'Authorization: Bearer {prepared.tokens['sales']}' \\",
        f"    -H 'Content-Type: application/json' -d '{body}'",
        "",
    ]
    typer.echo("\n".join(lines))
    sys.stdout.flush()


def _serve(settings: Settings, graphiql: Mapping[str, Any], host: str, port: int) -> None:
    _check_port(host, port)
    if settings.metrics_port:
        _check_port(settings.metrics_host, settings.metrics_port)
    set_up_logs(settings.log)
    if settings.workers > 1:
        check_settings(settings)
        raise typer.Exit(serve_together(settings, graphiql, host, port))
    preload("schema.app")  # most of what this module imports, as each worker process will
    # uvicorn raises the signal that stopped it once more; it has done its work by then.
    with suppress(KeyboardInterrupt):
        run_server(settings, graphiql, host, port)


def _check_port(host: str, port: int) -> None:
    """Find out before anything is printed whether the port is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise OperatorError(f"cannot listen on {host}:{port}: {error.strerror}; choose another port") from None


def main() -> Any:
    """Run the command line."""
    return app()


if __name__ == "__main__":
    main()
