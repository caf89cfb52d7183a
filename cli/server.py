"""The server's process: metrics on a port of their own, traces, and how it stops."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from time import monotonic
from types import FrameType
from typing import Any

import uvicorn
from prometheus_client import REGISTRY, start_http_server

from cli.tracing import start_tracing
from resolvers.gauges import ServicesCollector, keep_gauges
from resolvers.services import Services
from schema.app import create_app
from schema.observed import over_websockets
from settings import Settings

logger = logging.getLogger("spotplan")

INTERRUPTED_SECONDS_MAX = 5
"""How long requests may go on after Ctrl-C: a person waits, and a search would stream on for longer."""
KEEP_ALIVE_SECONDS = 150
"""How long a connection may be idle: longer than proxies keep theirs, which would send into one that is just closed."""


class Server(uvicorn.Server):
    """Stops in order when it is told by SIGTERM.

    First /readyz answers 503, while everything else is still answered, so that proxies look elsewhere. Then no
    connection is accepted any more; requests, operations over WebSockets and their solves are answered, and WebSockets
    closed with 1012, "service restart". Then webhook endpoints are let go and spans are sent. Ctrl-C waits for nobody
    to look elsewhere, nor for WebSockets.

    ``line`` leads to the supervisor where there is one: it is told when this server answers, and tells signals.
    """

    def __init__(self, config: uvicorn.Config, services: Services, line: Connection | None = None) -> None:
        super().__init__(config)
        self._services = services
        self._line = line
        self._gauges: asyncio.Task[None] | None = None
        self._exit_at: float | None = None
        self._stop_metrics = lambda: None
        self._tracing = start_tracing(os.environ)
        if self._tracing is not None:
            services.database.trace_statements()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop. A second signal does not wait for proxies."""
        if frame is not None and self._line is not None and self._exit_at is not None:
            return  # it has reached the whole process group; a second one comes by the line
        super().handle_exit(sig, frame)
        if sig == signal.SIGINT:
            self.config.timeout_graceful_shutdown = INTERRUPTED_SECONDS_MAX
        elif self._exit_at is None and self.started:
            self.should_exit = False
            self._exit_at = monotonic() + self._services.settings.shutdown_notice_seconds
            self.config.app.state.is_stopping = True  # type: ignore[union-attr] # our own application

    async def on_tick(self, counter: int) -> bool:
        """Look ten times a second whether it is time to stop."""
        if self._exit_at is not None and monotonic() >= self._exit_at:
            self.should_exit = True
        return await super().on_tick(counter)

    async def startup(self, sockets: Any = None) -> None:
        """Begin to answer, scrapes as well."""
        loop = asyncio.get_running_loop()
        if self._line is not None:
            loop.add_reader(self._line.fileno(), self._told, self._line)
        await super().startup(sockets)
        settings = self._services.settings
        if self._line is not None:
            if settings.metrics_port:
                self._gauges = asyncio.create_task(keep_gauges(self._services))
            with suppress(OSError):  # the supervisor is gone; _told hears of it
                self._line.send(True)
            return
        if settings.metrics_port:
            REGISTRY.register(ServicesCollector(self._services, loop))
            answering, _thread = start_http_server(settings.metrics_port, settings.metrics_host)
            self._stop_metrics = answering.shutdown
        log_serving(self.config.host, self.config.port, 1)

    async def shutdown(self, sockets: Any = None) -> None:
        """Answer what is under way, then end."""
        if self._exit_at is not None:
            await self._finish_websockets()
        await super().shutdown(sockets)
        await asyncio.to_thread(self._stop_metrics)
        if self._gauges is not None:
            self._gauges.cancel()
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.shutdown)

    def _told(self, line: Connection) -> None:
        """A signal from the supervisor; the end of its line, which only its death brings, leaves no time for notice."""
        try:
            number = line.recv()
        except (EOFError, OSError):
            asyncio.get_running_loop().remove_reader(line.fileno())
            self.should_exit = True
            return
        if number == signal.SIGINT or self._exit_at is None:  # SIGTERM may have come by itself already
            self.handle_exit(number, None)

    async def _finish_websockets(self) -> None:
        """Wait for operations over WebSockets, whose connections uvicorn closes at once."""
        for listening in self.servers:
            listening.close()
        until = monotonic() + self._services.settings.shutdown_seconds_max
        while over_websockets and monotonic() < until and not self.force_exit:  # noqa: ASYNC110 # as uvicorn waits
            await asyncio.sleep(0.1)
        self.config.timeout_graceful_shutdown = max(1, round(until - monotonic()))


def log_serving(host: str, port: int, workers: int) -> None:
    """Say once that the port is open and requests are answered."""
    fields = {"address": f"http://{host}:{port}", "workers": workers}
    logger.info("serving", extra={"fields": fields})


def run_server(settings: Settings, graphiql: Mapping[str, Any], host: str, port: int) -> None:
    """Serve until a signal stops it.

    Raises:
        SettingInvalidError: as :meth:`Services.open` and :func:`cli.tracing.start_tracing`.
        KeyboardInterrupt: it was stopped by Ctrl-C, and has done its work.
    """
    _run(Server(*parts(settings, graphiql, host=host, port=port)))


def serve_on(settings: Settings, graphiql: Mapping[str, Any], listening: socket.socket, line: Connection) -> None:
    """Serve as one of several processes, on the port that they share, until the supervisor says so."""
    _run(Server(*parts(settings, graphiql), line), [listening])


def _run(server: Server, sockets: list[socket.socket] | None = None) -> None:
    server.run(sockets)
    if not server.started:
        sys.exit(3)  # it has logged why


def parts(settings: Settings, graphiql: Mapping[str, Any], **listen: Any) -> tuple[uvicorn.Config, Services]:
    """What a server is made of; ``listen`` says where, if not on a socket that is given to it."""
    services = Services.open(settings)
    config = uvicorn.Config(
        create_app(services, graphiql),
        **listen,
        log_config=None,  # its lines look like ours
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        ws_max_size=settings.request_bytes_max,
        timeout_graceful_shutdown=settings.shutdown_seconds_max,
    )
    return config, services
