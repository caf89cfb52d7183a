"""What plans does not outlive the process that asked, whatever ended that."""

import subprocess
import sys
from pathlib import Path
from time import sleep

import psutil
import pytest

from tests.processes import ROOT

HANGS_SECONDS = 60
"""Much less than the ten minutes for which the process would go on."""


@pytest.mark.parametrize("kind", ["server", "many"])
def test_a_process_ends_when_the_one_that_asked_is_killed(kind: str, tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-m", "tests.planner.abandoned", kind, str(marker)], cwd=ROOT) as asking:
        while not marker.exists():
            assert asking.poll() is None
            sleep(0.02)
        planning = psutil.Process(int(float(marker.read_text())))
        asking.kill()
    try:
        planning.wait(HANGS_SECONDS)
    finally:
        if planning.is_running():
            planning.kill()
