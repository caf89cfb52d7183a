"""Transactions end whole, however they are left."""

import asyncio

import pytest
from sqlalchemy import text

from db.engine import Database

pytestmark = pytest.mark.anyio


async def test_a_transaction_that_is_cancelled_again_and_again_is_undone_and_leaves_its_connection_whole(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(database_url, pool_size=1)
    for _ in range(3):
        has_written = asyncio.Event()

        async def write(has_written: asyncio.Event = has_written) -> None:
            async with database.write() as session:
                await session.execute(text("UPDATE plans SET name = 'x'"))
                has_written.set()
                await asyncio.Event().wait()

        writing = asyncio.create_task(write())
        await has_written.wait()
        while not writing.done():  # also while it is undoing what it has written
            writing.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await writing
    async with database.read() as session:
        assert list(await session.execute(text("SELECT code FROM plans WHERE name = 'x'"))) == []
    await database.close()
    assert caplog.records == []
