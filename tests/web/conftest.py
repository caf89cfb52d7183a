"""The demo in a process of its own, for the browser."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.processes import free_port, running


@dataclass(frozen=True)
class DemoServer:
    """A running demo: its address, and the token that its page fills in."""

    url: str
    token: str


@pytest.fixture(scope="session")
def demo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    folder = tmp_path_factory.mktemp("demo")
    with running("demo", folder=folder, port=free_port()) as url:
        printed = (folder / "server.log").read_text()
        yield DemoServer(url, re.findall(r"operator: (\S+)", printed)[0])
