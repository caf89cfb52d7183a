"""Random requests, a few hundred on each database: no crash, no leak, nobody else's data. ``make soak`` asks 20,000."""

import pytest

from resolvers.services import Services
from tests.schema.fuzz import fuzzed
from tests.world import TestClock

pytestmark = pytest.mark.anyio


async def test_whatever_is_asked_is_answered_in_form_and_without_what_is_not_the_callers(
    services: Services, clock: TestClock
) -> None:
    fuzz = await fuzzed(services, clock, seed=1, requests=300)
    print(fuzz.answered)
