"""Servers of ours for benches, and requests to them byte by byte: client libraries cost more than the answers do."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from time import sleep

from tests.processes import Server, free_port

UNLIMITED = "1000000000/second"


@dataclass(frozen=True, slots=True)
class Served:
    """A server that answers, and the ports of its API and of its metrics."""

    server: Server
    port: int
    metrics_port: int


@contextmanager
def serving(database: str, folder: Path, workers: int) -> Iterator[Served]:
    """``spotplan serve`` with so many processes, once all of them answer; each has a planner of its own."""
    port, metrics_port = free_port(), free_port()
    environment = {
        "SPOTPLAN_DATABASE_URL": database,
        "SPOTPLAN_METRICS_PORT": str(metrics_port),
        "SPOTPLAN_RATE_SIGNED_IN": UNLIMITED,
        "SPOTPLAN_RATE_ANONYMOUS": UNLIMITED,
        "SPOTPLAN_WORKERS": str(workers),
        "SPOTPLAN_PLANNER_WORKERS": "1",
    }
    server = Server("serve", folder=folder, port=port, **environment)
    try:
        server.wait_until_up()
        while " serving " not in server.log:
            sleep(0.1)
        yield Served(server, port, metrics_port)
    finally:
        server.kill()


def request(body: bytes, token: str | None, path: str = "/graphql", accept: str = "application/json") -> bytes:
    """A POST request of HTTP/1.1."""
    authorization = f"Authorization: Bearer {token}\r\n" if token is not None else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nAccept: {accept}\r\n{authorization}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def answer(connection: socket) -> bytes:
    """Read one response from a connection; its body.

    Raises:
        RuntimeError: its status is not 200, or the connection has ended.
    """
    data = b""
    while b"\r\n\r\n" not in data:
        data += _received(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"{head.decode()} {body.decode()}")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += _received(connection)
    return body


def _received(connection: socket) -> bytes:
    data = connection.recv(1 << 20)
    if not data:
        raise RuntimeError("the server closed a connection")
    return data
