"""Copies of the examples, each in a folder of its own with the schema beside it, so that tests may break the schema.

What npm installs is shared by all copies, and installed again only when the lock file has changed.
"""

import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from tests.javascript import web_build
from tests.processes import ROOT

EXAMPLES = ROOT / "examples"
LOCK = EXAMPLES / "package-lock.json"
INSTALLED = EXAMPLES / "node_modules"
NOT_COPIED = shutil.ignore_patterns("node_modules", ".venv", "gql", "__generated__", "dist", "spotplan_client")


class CommandFailed(Exception):
    """A command's exit code was not 0. The message is all that it said."""


@dataclass(frozen=True)
class Copy:
    """schema/ and examples/ as they are committed: nothing is generated yet."""

    folder: Path

    def break_schema(self, old: str, new: str) -> None:
        file = self.folder / "schema" / "schema.graphql"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    async def run(self, *command: str, within: str = ".", **environment: str) -> str:
        """What a command prints, run in a folder of the copy's examples/.

        Raises:
            CommandFailed.
        """
        env = {**os.environ, **environment}
        done = await anyio.run_process(list(command), cwd=self.folder / "examples" / within, env=env, check=False)
        if done.returncode:
            raise CommandFailed(f"{done.stdout.decode()}\n{done.stderr.decode()}")
        return done.stdout.decode()


@dataclass(frozen=True)
class Npm:
    """npm as a command, and the PATH on which its scripts find node."""

    command: tuple[str, ...]
    path: str


@dataclass(frozen=True)
class NpmCopy(Copy):
    """A copy with all packages."""

    npm: Npm

    async def script(self, workspace: str, name: str, *arguments: str, **environment: str) -> str:
        """What a workspace's npm script prints.

        Raises:
            CommandFailed.
        """
        command = (*self.npm.command, "run", "--silent", "--workspace", workspace, name, "--", *arguments)
        return await self.run(*command, PATH=self.npm.path, **environment)


@pytest.fixture
def database_url(tmp_path: Path, sqlite_template: Path) -> str:
    """Clients see the same on every database."""
    file = tmp_path / "spotplan.db"
    shutil.copy(sqlite_template, file)
    return f"sqlite:///{file}"


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    (tmp_path / "schema").mkdir()
    shutil.copy(ROOT / "schema" / "schema.graphql", tmp_path / "schema")
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=NOT_COPIED)
    return Copy(tmp_path)


@pytest.fixture(scope="session")
def npm() -> Npm:
    build = web_build()
    with LOCK.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one worker installs, the others wait for it
        try:
            node, command = build.system_node() or build.wheel_node()
        except build.BuildError as error:
            pytest.skip(str(error))
        mark = INSTALLED / ".installed"
        if not mark.exists() or mark.read_text() != LOCK.read_text():
            build.install(EXAMPLES)
            shutil.copy(LOCK, mark)
    return Npm(tuple(command), os.pathsep.join([str(Path(node).parent), os.environ["PATH"]]))


@pytest.fixture
def npm_copy(copy: Copy, npm: Npm) -> NpmCopy:
    (copy.folder / "examples" / "node_modules").symlink_to(INSTALLED)
    return NpmCopy(copy.folder, npm)
