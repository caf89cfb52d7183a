"""What schemathesis asks: a fuzzer with other ideas than ours, which knows the schema and nothing else.

Answers are looked at by our checks. Its own takes every error of a field for a crash, whatever code it has.
"""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import introspection_from_schema
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.graphql import from_dict

from db.engine import Database
from planner.workers import PlannerPool
from resolvers.services import Services
from settings import Settings
from tests.schema.fuzz import Fuzz, fuzzing
from tests.schema.fuzz_checks import SCHEMA
from tests.schema.fuzz_requests import CALLERS, Asked
from tests.world import TestClock

ASKS = from_dict(dict(introspection_from_schema(SCHEMA)))
CASES = st.one_of(*(ASKS.as_strategy(mode) for mode in GenerationMode))


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """Hypothesis calls plain functions: what they await is run by this."""
    with asyncio.Runner() as made:
        yield made


@pytest.fixture
def fuzz(database_url: str, planner: PlannerPool, runner: asyncio.Runner) -> Iterator[Fuzz]:
    """Two customers; afterwards everything about them must be as it must."""
    clock, database = TestClock(), Database(database_url)
    services = Services(Settings(database_url=database_url), database, planner, clock)
    context = fuzzing(services, clock, seed=1)
    try:
        yield runner.run(context.__aenter__())
        runner.run(context.__aexit__(None, None, None))
    finally:
        runner.run(database.close())


async def _answer(fuzz: Fuzz, case: Case[Any], caller: str) -> None:
    headers = {"Accept": "application/graphql-response+json", "Content-Type": "application/json"}
    query = str(case.body)
    content = json.dumps({"query": query}).encode()
    await fuzz.ask(Asked("schemathesis", caller, "POST", "/graphql", headers, content, query))


@pytest.mark.parametrize("examples", [150, pytest.param(5_000, marks=pytest.mark.soak)])
def test_what_schemathesis_asks_is_answered_like_everything_else(
    fuzz: Fuzz, runner: asyncio.Runner, examples: int
) -> None:
    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=CASES, caller=st.sampled_from([*CALLERS]))
    def ask(case: Case[Any], caller: str) -> None:
        runner.run(_answer(fuzz, case, caller))

    ask()
    assert fuzz.answered.total() >= examples
    print(fuzz.answered)
