"""``spotplan webhooks``: endpoints with what waits for them, and delivering, enabling and replaying by hand."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.errors import OperatorError
from cli.logs import set_up_logs
from cli.running import one_line_errors, run_with_services
from domain.errors import RuleError
from domain.webhooks import Endpoint
from resolvers import webhooks
from resolvers.access import Caller, Role
from resolvers.services import Services
from resolvers.webhook_delivery import deliver_all, work
from resolvers.webhook_sending import Sender

webhooks_app = typer.Typer(help="Webhook endpoints, and what waits for them.")

OPERATOR = Caller(Role.OPERATOR, None)

EndpointNumber = Annotated[int, typer.Option("--endpoint", help="The endpoint's number, as listed.")]


@webhooks_app.callback(invoke_without_command=True)
def list_command(context: typer.Context) -> None:
    """List every endpoint: how many events wait, how often the next one has failed, and why."""
    if context.invoked_subcommand is None:
        with one_line_errors():
            Console().print(_table(run_with_services(webhooks.every_endpoint)))


@webhooks_app.command()
def deliver(
    now: Annotated[bool, typer.Option("--now", help="Deliver what can be delivered now, and stop.")] = False,
) -> None:
    """Deliver events to endpoints.

    The server does so by itself; this is for a process of its own, or to do it now. Any number may run at once.
    """
    with one_line_errors():
        if now:
            count = run_with_services(lambda services: deliver_all(services, Sender(services.settings)))
            typer.echo(f"{count} event{'' if count == 1 else 's'} delivered")
            return
        with suppress(asyncio.CancelledError):
            run_with_services(_work_until_stopped)


@webhooks_app.command()
def replay(
    endpoint: EndpointNumber,
    start: Annotated[int, typer.Option("--from", help="The number of the first event to send again.", min=1)],
) -> None:
    """Send an endpoint everything again from an event on. It is delivered by the server, or by `deliver`."""
    with one_line_errors():
        found = _changed(lambda services: webhooks.replay(services, OPERATOR, endpoint, start))
        typer.echo(f"endpoint {found.id} goes on after event {found.position}{_unless_enabled(found)}")


@webhooks_app.command()
def enable(endpoint: EndpointNumber) -> None:
    """Try an endpoint that was disabled, or that waits for its next attempt, again at once."""
    with one_line_errors():
        found = _changed(lambda services: webhooks.enable(services, OPERATOR, endpoint))
        typer.echo(f"endpoint {found.id} is enabled, and goes on after event {found.position}")


async def _work_until_stopped(services: Services) -> None:
    # What a service manager sends stops it as Ctrl-C does, and no lease is left behind. Both are handled here, for a
    # shell that starts it in the background has Ctrl-C ignored.
    delivering = asyncio.create_task(work(services))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, delivering.cancel)
    set_up_logs(services.settings.log)
    logging.getLogger("spotplan").info("delivering webhooks, until it is stopped")
    await delivering


def _changed(use: Callable[[Services], Awaitable[Endpoint]]) -> Endpoint:
    try:
        return run_with_services(use)
    except RuleError as refusal:
        raise OperatorError(refusal.message) from None


def _unless_enabled(found: Endpoint) -> str:
    return "" if found.is_enabled else "; it is disabled: `spotplan webhooks enable` it, too"


def _table(rows: list[tuple[Endpoint, int]]) -> Table:
    table = Table("endpoint", "customer", "address", "kinds", "pending", "position", "state", "last error")
    for found, pending in rows:
        table.add_row(
            str(found.id),
            str(found.customer_id),
            escape(found.url),
            ", ".join(sorted(found.kinds)) if found.kinds is not None else "all",
            str(pending),
            str(found.position),
            _state(found),
            escape(found.last_error or ""),
        )
    return table


def _state(found: Endpoint) -> str:
    if found.disabled_at is not None:
        return f"disabled since {found.disabled_at:%Y-%m-%d %H:%M:%S} after {found.attempts} attempts"
    if found.next_attempt_at is not None:
        return f"failed {found.attempts} x, next at {found.next_attempt_at:%Y-%m-%d %H:%M:%S} UTC"
    return "enabled"
