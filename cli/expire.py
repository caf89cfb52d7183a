"""``spotplan expire``: what time alone does, done by a process of its own or once."""

import asyncio
import logging
import signal
from contextlib import suppress
from typing import Annotated

import typer

from cli.logs import set_up_logs
from cli.running import one_line_errors, run_with_services
from resolvers.services import Services
from resolvers.settling import settle_all
from resolvers.worker import work


def expire(
    now: Annotated[bool, typer.Option("--now", help="Settle what is due now, and stop.")] = False,
) -> None:
    """Settle what is due: accounts that no longer fit, spots that start or end, orders that expire.

    The server does so by itself; this is for a process of its own, or to do it now. Any number may run at once.
    """
    with one_line_errors():
        if now:
            count = run_with_services(settle_all)
            typer.echo(f"{count} customer{'' if count == 1 else 's'} settled")
            return
        with suppress(KeyboardInterrupt, asyncio.CancelledError):
            run_with_services(_work_until_stopped)


async def _work_until_stopped(services: Services) -> None:
    # What a service manager sends stops it as Ctrl-C does, and nothing is left half done.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    set_up_logs(services.settings.log)
    logging.getLogger("spotplan").info("settling what becomes due, until it is stopped")
    await work(services)
