"""Accounts from a CSV text: every bad line is reported, and all good ones are registered or none."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from db.accounts import taken_external_ids
from domain.account_csv import AccountLine, account_lines
from domain.account_errors import ExternalIdTaken, LinesInvalid
from domain.errors import Refused, RuleError
from resolvers.access import Caller
from resolvers.accounts import add_entries, owner_of, registration_refusals
from resolvers.idempotency import KeyedRequest
from resolvers.services import Services
from resolvers.settling import open_customer

ENTRIES_PER_STEP = 500


@dataclass(frozen=True, slots=True)
class ImportCommand:
    """A CSV text of accounts, and whether its good lines are wanted where others are bad."""

    customer_id: int | None
    csv: str
    skip_bad_lines: bool = False
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot be imported, counted from 1 with the heading, and why."""

    number: int
    external_id: str
    refusals: tuple[RuleError, ...]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """How an import went: ``refusals`` are why nothing was imported."""

    lines: int
    imported: int
    bad_lines: tuple[BadLine, ...]
    refusals: tuple[RuleError, ...] = ()


async def import_accounts(
    services: Services,
    caller: Caller | None,
    command: ImportCommand,
    advance: Callable[[int, int], None] = lambda _done, _total: None,
) -> ImportReport:
    """Register the accounts of a CSV text in one transaction.

    ``advance`` is told after every step how many are registered, and how many will be.

    Raises:
        ColumnsInvalid, AccountsOutOfRange: nothing can be read.
        Refused: there would be too many groups.
        NotFound, IdempotencyKeyReused, IdempotencyKeyInvalid.
    """
    signed_in, customer_id = owner_of(caller, command.customer_id)
    request = None
    if command.idempotency_key is not None:
        keyed = replace(command, customer_id=customer_id)
        request = KeyedRequest.of("accountImport", customer_id, command.idempotency_key, keyed)
    lines = await asyncio.to_thread(account_lines, command.csv)  # a second for the largest
    async with services.database.write() as session:
        opened = await open_customer(session, customer_id, services.clock)
        earlier = await request.earlier_result(session) if request else None
        if earlier is not None:
            numbers = set(earlier[1:])
            taken = {line.entry.external_id for line in lines if line.number in numbers}
            return ImportReport(len(lines), earlier[0], tuple(_bad_lines(lines, taken)))
        valid = [line.entry.external_id for line in lines if not line.refusals]
        taken = await taken_external_ids(session, customer_id, valid)
        bad = tuple(_bad_lines(lines, taken))
        numbers = {line.number for line in bad}
        entries = [line.entry for line in lines if line.number not in numbers]
        refusals: list[RuleError] = []
        if bad and not command.skip_bad_lines:
            refusals.append(LinesInvalid(bad_lines=len(bad), lines=len(lines)))
        elif entries:
            refusals = await registration_refusals(session, opened, entries, "csv")
        if refusals:
            return ImportReport(len(lines), 0, bad, tuple(refusals))
        for start in range(0, len(entries), ENTRIES_PER_STEP):
            step = entries[start : start + ENTRIES_PER_STEP]
            try:
                await add_entries(session, signed_in, opened, step)
            except RuleError as refusal:
                raise Refused([replace(refusal, field="csv")]) from None
            advance(start + len(step), len(entries))
        if request:
            # A replay reports the same bad lines, though more external ids are taken by then.
            taken_now = [line.number for line in lines if not line.refusals and line.entry.external_id in taken]
            await request.remember(session, (len(entries), *taken_now), opened.now)
        return ImportReport(len(lines), len(entries), bad)


def _bad_lines(lines: list[AccountLine], taken: set[str]) -> list[BadLine]:
    bad = []
    for line in lines:
        refusals = line.refusals
        if not refusals and line.entry.external_id in taken:
            refusals = (ExternalIdTaken(field="externalId", external_id=line.entry.external_id[:100]),)
        if refusals:
            bad.append(BadLine(line.number, line.entry.external_id[:100], refusals))
    return bad
