"""(i) Requests without a database: ours beside bare Starlette with the same answers, Ariadne and Graphene as they come.

A request costs what processor time its server's process takes for it: the client's own does not count, and others on
the machine matter little. Servers take turns, so that what disturbs one disturbs all.
"""

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import orjson
from rich import box
from rich.table import Table

from bench.serving import answer, request
from db.migrate import migrate

PEERS = Path(__file__).parent / "peers"
ROOT = Path(__file__).parents[1]
CONNECTIONS = 8
ROUNDS = 7
REQUESTS = 1_600
"""Of one server in one round."""
ORDERS = 100
VIEWER = "{ viewer { role } }"
QUERIES = {
    "viewer": VIEWER,
    "orders": f"{{ orders(first: {ORDERS}) {{ id number status accounts months startsOn isPaid note }} }}",
}
PATHS = {"ariadne": "/", "graphene": "/graphql/"}


@dataclass(slots=True)
class Server:
    """A process that answers."""

    kind: str
    process: subprocess.Popen[bytes]
    port: int

    def seconds(self) -> float:
        """The processor time that it took until now."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")  # in nanoseconds, where stat has 10 ms
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def request(self, query: str) -> bytes:
        """A request to it, byte by byte."""
        path = f"/{query}" if self.kind == "bare" else PATHS.get(self.kind, "/graphql")
        token = "any" if self.kind == "whole" else None
        return request(orjson.dumps({"query": QUERIES[query]}), token, path)


@dataclass(slots=True)
class Row:
    """A server's microseconds of processor time for a request, one value for each round."""

    server: str
    query: str
    microseconds: list[float] = field(default_factory=list)


def measure() -> list[Row]:
    """All servers with all queries, in turn."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        migrate(f"sqlite:///{folder}/spotplan.db")
        module = [sys.executable, "-m", "bench.wire_server"]
        servers = [stack.enter_context(_running(kind, [*module, kind], [str(folder)])) for kind in ("ours", "whole")]
        for kind in PATHS:
            command = [str(environment(kind) / "bin" / "python"), str(PEERS / f"{kind}_app.py")]
            servers.append(stack.enter_context(_running(kind, command, [])))
        cases = [
            (server, query) for server in servers for query in QUERIES if (server.kind, query) != ("whole", "orders")
        ]
        told = {query: _same([_once(server, query) for server, name in cases if name == query]) for query in QUERIES}
        for query, body in told.items():
            (folder / f"{query}.json").write_bytes(body)
        bare = stack.enter_context(_running("bare", [*module, "bare"], [str(folder)]))
        cases = [*((bare, query) for query in QUERIES), *cases]
        rows = [Row(server.kind, query) for server, query in cases]
        for number in range(ROUNDS + 1):
            for row, (server, query) in zip(rows, cases, strict=True):
                taken = _seconds(server, query) * 1e6 / REQUESTS
                if number:  # the first round warms everything
                    row.microseconds.append(taken)
        return rows


def _same(answers: list[bytes]) -> bytes:
    if any(orjson.loads(each) != orjson.loads(answers[0]) for each in answers):
        raise RuntimeError(f"the servers do not answer alike: {answers}")
    return answers[0]


def _once(server: Server, query: str) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(server.request(query))
        return answer(connection)


def _seconds(server: Server, query: str) -> float:
    request = server.request(query)
    with ExitStack() as stack:
        address = ("127.0.0.1", server.port)
        connections = [stack.enter_context(socket.create_connection(address)) for _ in range(CONNECTIONS)]
        before = server.seconds()
        for _ in range(REQUESTS // CONNECTIONS):
            for connection in connections:
                connection.sendall(request)
            for connection in connections:
                answer(connection)
        return server.seconds() - before


def environment(kind: str) -> Path:
    """A virtual environment with another framework, made when it is first asked for: they want other versions."""
    folder = ROOT / "var" / "peers" / kind
    ready = folder / "ready"
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip: list[str | Path] = [folder / "bin" / "python", "-m", "pip", "install", "-q", "--require-hashes", "-r"]
        subprocess.run([*pip, PEERS / f"{kind}.lock"], check=True)
        ready.touch()
    return folder


@contextmanager
def _running(kind: str, command: list[str], more: list[str]) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    process = subprocess.Popen([*command, str(port), *more], cwd=ROOT)
    try:
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"{kind} did not start")
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        yield Server(kind, process, port)
    finally:
        process.terminate()
        process.wait()


NAMES = {
    "bare": "bare Starlette",
    "ours": "this endpoint",
    "whole": "this application",
    "ariadne": "Ariadne",
    "graphene": "Graphene",
}


def table(rows: list[Row]) -> Table:
    """Microseconds, and how many times as fast as bare Starlette each is: the median of the rounds."""
    result = Table(title=f"(i) Processor time of a request, {ROUNDS} rounds of {REQUESTS}", box=box.SIMPLE_HEAD)
    result.add_column("server", no_wrap=True)
    result.add_column("query", no_wrap=True)
    for heading in ("µs", "of bare", "from", "to", "of ours"):
        result.add_column(heading, justify="right")
    bare = {row.query: row.microseconds for row in rows if row.server == "bare"}
    ours = {row.query: row.microseconds for row in rows if row.server == "ours"}
    for row in rows:
        ratios = [base / own for base, own in zip(bare[row.query], row.microseconds, strict=True)]
        times = median(own / ours_ for ours_, own in zip(ours[row.query], row.microseconds, strict=True))
        values = (f"{median(ratios):.3f}", f"{min(ratios):.3f}", f"{max(ratios):.3f}", f"{times:.2f} x")
        result.add_row(NAMES[row.server], row.query, f"{median(row.microseconds):.0f}", *values)
    return result
