"""Transactions end whole, however they are left."""

import asyncio
from contextlib import suppress

import pytest
from sqlalchemy import text

from db.engine import Database
from tests.served import HANGS_SECONDS

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("commits", [False, True])
async def test_a_transaction_that_is_cancelled_at_any_time_leaves_its_connection_whole(
    database_url: str, caplog: pytest.LogCaptureFixture, *, commits: bool
) -> None:
    database = Database(database_url, pool_size=1)

    async def write(name: str, has_written: asyncio.Event) -> None:
        async with database.write() as session:
            await session.execute(text("UPDATE plans SET name = :name"), {"name": name})
            has_written.set()
            if not commits:
                await asyncio.Event().wait()

    for passes in range(12):
        has_written = asyncio.Event()
        writing = asyncio.create_task(write(f"x{passes}", has_written))
        await has_written.wait()
        for _ in range(passes * 3):
            await asyncio.sleep(0)  # it goes on: commits, or is only about to
        async with asyncio.timeout(HANGS_SECONDS):
            while not writing.done():
                writing.cancel()
                await asyncio.sleep(0)
        with suppress(asyncio.CancelledError):
            await writing
    async with database.read() as session:
        names = set(await session.scalars(text("SELECT name FROM plans")))
    assert names == {"x11"} if commits else names == {"Free", "Starter", "Standard"}
    await database.close()
    assert [record.getMessage() for record in caplog.records] == []
