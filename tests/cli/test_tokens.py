"""``spotplan tokens``: listing and revoking, as an operator does it."""

import asyncio

import pytest
from typer.testing import CliRunner

from cli.main import app
from resolvers.access import NotSignedInError, Role
from resolvers.services import Services, system_clock
from resolvers.tokens import sign_in
from tests.world import TestClock, World, starter

pytestmark = pytest.mark.anyio


async def test_tokens_are_listed_and_revoked(
    world: World, services: Services, clock: TestClock, database_url: str
) -> None:
    clock.now = system_clock()  # commands go by real time

    async def run(*arguments: str) -> tuple[int, list[list[str]], str]:
        environment = {"SPOTPLAN_DATABASE_URL": database_url, "COLUMNS": "120"}
        result = await asyncio.to_thread(CliRunner().invoke, app, ["tokens", *arguments], env=environment)
        lines = [line.strip("│").split("│") for line in result.stdout.splitlines() if line.startswith("│")]
        rows = [[cell.strip() for cell in line] for line in lines]
        return result.exit_code, rows or [[result.stdout.strip()]], result.stderr

    owner = await world.customer(starter())
    sales = await world.token(Role.SALES)
    made, ends = f"{clock.now:%Y-%m-%d}", "2036"
    code, rows, _ = await run()
    assert code == 0
    assert [row[:5] for row in rows] == [["2", "sales", "", "", made], ["1", "owner", "1", "", made]]
    assert [row[5][:4] for row in rows] == [ends, ends]
    assert [row[0] for row in (await run("--customer", "Aoba Academy"))[1]] == ["1"]
    code, rows, _ = await run("revoke", "2")
    assert code == 0
    assert rows[0][0].startswith("token 2 ended at ")
    clock.now = system_clock()
    with pytest.raises(NotSignedInError):
        await sign_in(services, sales)
    assert (await sign_in(services, owner.token)).token_id == 1
    assert [row[0] for row in (await run())[1]] == ["1"]
    assert (await run("revoke", "7"))[::2] == (2, "spotplan: there is no token 7\n")
