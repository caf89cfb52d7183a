"""Every field, and what each kind of caller gets for it: a new field needs a line in ``access.txt``."""

from pathlib import Path

import pytest
from graphql import build_schema

from tests.schema.access_probe import Probe, victims
from tests.world import Api, TestClock, World

TABLE = Path(__file__).with_name("access.txt")
SCHEMA = Path(__file__).parents[2] / "schema" / "schema.graphql"


@pytest.mark.anyio
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # who may what is decided above the database
async def test_every_field_is_for_whom_the_table_says(api: Api, world: World, clock: TestClock, tmp_path: Path) -> None:
    found = await victims(api, world, clock)
    lines = await Probe(api, build_schema(SCHEMA.read_text()), found).lines()
    (tmp_path / "access.txt").write_text("\n".join([*lines, ""]))
    listed = [line for line in TABLE.read_text().splitlines() if not line.startswith("#")]
    undecided, gone = set(lines) - set(listed), set(listed) - set(lines)
    assert (undecided, gone) == (set(), set()), f"access.txt and {tmp_path}/access.txt differ"
