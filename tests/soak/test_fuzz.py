"""Twenty-two thousand random requests: no crash, no leak of text, and nobody else's data.

Another seed asks other things: ``SPOTPLAN_FUZZ_SEED=7 make soak``. What fails names its seed and its request.
"""

import os

import pytest

from resolvers.services import Services
from tests.schema.fuzz import fuzzing
from tests.world import TestClock

pytestmark = [pytest.mark.anyio, pytest.mark.soak]

SEED = int(os.environ.get("SPOTPLAN_FUZZ_SEED", "1"))


@pytest.mark.parametrize(("requests", "settable"), [(10_000, False), (1_000, True)])
async def test_thousands_of_random_requests(
    services: Services, clock: TestClock, requests: int, *, settable: bool
) -> None:
    async with fuzzing(services, clock, SEED, settable=settable) as fuzz:
        await fuzz.run(requests)
    assert fuzz.answered.total() == requests
    kind = "sqlite" if services.database.is_sqlite else "postgresql"
    print(f"{kind}, seed {SEED}: {requests} requests, {fuzz.answered['valid: data']} valid ones answered with data")
