"""The native code is compiled before the first test, so that no test's few milliseconds of search go into that."""

import pytest

from planner.warm import warm


@pytest.fixture(scope="session", autouse=True)
def warm_planner() -> None:
    warm()
