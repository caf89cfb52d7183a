"""The command line in processes of its own, as an operator runs it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]


def spotplan(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Server:
    """A server in a process of its own, not yet answering. What it says is in the folder's server.log."""

    def __init__(self, *arguments: str, folder: Path, port: int, module: str = "cli.main", **environment: str) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self._log = folder / "server.log"
        with self._log.open("w") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments, "--port", str(port)],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_until_up(self) -> None:
        """Wait until it answers /healthz."""
        with httpx.Client() as client:
            for _ in range(2_400):
                assert self._process.poll() is None, self._log.read_text()
                try:
                    if client.get(f"{self.address}/healthz").text == "ok\n":
                        return
                except httpx.TransportError:
                    time.sleep(0.05)
        raise AssertionError(f"it does not answer: {self._log.read_text()}")

    def client(self) -> httpx.AsyncClient:
        """A client with a connection for each request: one kept open may be closed just when it is used again."""
        return httpx.AsyncClient(base_url=self.address, timeout=60, limits=httpx.Limits(max_keepalive_connections=0))

    @property
    def errors(self) -> list[str]:
        """What it has logged as errors, such as those of its worker, which nobody else hears of."""
        return [line for line in self._log.read_text().splitlines() if " ERROR " in line]

    @property
    def log(self) -> str:
        """All that it has said."""
        return self._log.read_text()

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        """Its exit code, when it has ended by itself."""
        return self._process.wait(60)

    def stop(self) -> None:
        """Ask it to stop, which it must do by itself."""
        self._process.send_signal(signal.SIGINT)
        assert self._process.wait(20) in {0, -signal.SIGINT}, self._log.read_text()

    def kill(self) -> None:
        """SIGKILL, at whatever it is doing; nothing where it has ended already."""
        self._process.kill()
        self._process.wait()


@contextmanager
def running(*arguments: str, folder: Path, port: int, **environment: str) -> Iterator[str]:
    """A server that answers /healthz; its address. Afterwards it must stop by itself when asked to."""
    server = Server(*arguments, folder=folder, port=port, **environment)
    try:
        server.wait_until_up()
        yield server.address
        server.stop()
    finally:
        server.kill()
