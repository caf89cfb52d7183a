"""What the books must say, computed from the rows alone and not by the code under test."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from sqlalchemy import RowMapping, Table, select

from db.commerce_tables import (
    ContractOrderRow,
    DocumentNumberRow,
    DocumentRow,
    LedgerEntryRow,
    PaymentRow,
    PurchaseRow,
    QuoteRow,
)
from db.engine import Database
from db.tables import Base, EventRow, IdempotencyKeyRow, MainContractRow, SpotOrderRow

TABLES: dict[str, Table] = {
    row.__tablename__: Base.metadata.tables[row.__tablename__]
    for row in (
        PurchaseRow,
        SpotOrderRow,
        ContractOrderRow,
        DocumentRow,
        LedgerEntryRow,
        PaymentRow,
        QuoteRow,
        IdempotencyKeyRow,
        EventRow,
        MainContractRow,
    )
}

Rows = dict[str, list[RowMapping]]
Groups = dict[int, tuple[int, int]]
"""Net and tax by rate in basis points."""


def by_rate(nets: Iterable[tuple[int, int]]) -> Groups:
    """Net amounts with their rates, summed by rate, each with its tax rounded down."""
    sums: Counter[int] = Counter()
    for net, rate in nets:
        sums[rate] += net
    return {rate: (net, net * rate // 10_000) for rate, net in sums.items()}


def total(groups: Groups) -> int:
    return sum(net + tax for net, tax in groups.values())


def groups_of(document: RowMapping) -> Groups:
    return {rate: (net, tax) for rate, net, tax in document["content"]["tax_groups"]}


async def rows_of(database: Database, customer_id: int) -> Rows:
    """Every row that is about a customer."""
    async with database.read() as session:
        found: Rows = {}
        for name, table in TABLES.items():
            query = select(table).where(table.c.customer_id == customer_id).order_by(*table.primary_key.columns)
            found[name] = list((await session.execute(query)).mappings())
        return found


async def check_numbers(database: Database) -> None:
    """Invoices and credit notes are numbered 1, 2, 3 in every year, in the order in which they were issued."""
    async with database.read() as session:
        query = select(
            DocumentRow.kind, DocumentRow.year, DocumentRow.serial, DocumentRow.content, DocumentRow.issued_on
        )
        issued = (await session.execute(query.order_by(DocumentRow.id))).all()
        last = (await session.execute(select(DocumentNumberRow))).scalars().all()
    serials: dict[tuple[str, int], list[int]] = defaultdict(list)
    for kind, year, serial, content, day in issued:
        serials[kind, year].append(serial)
        assert content["number"] == f"{'INV' if kind == 'INVOICE' else 'CN'}-{day.year}-{serial:05d}"
        assert day.year == year
    for numbers in serials.values():
        assert numbers == list(range(1, len(numbers) + 1))
    assert {(row.kind, row.year): row.last for row in last} == {key: len(found) for key, found in serials.items()}


def check_documents(
    purchase: RowMapping, placed: Groups, orders: list[RowMapping], documents: list[RowMapping]
) -> None:
    """A confirmed purchase has one invoice, over what was placed; credit notes take back what was cancelled of it."""
    invoices = [row for row in documents if row["kind"] == "INVOICE"]
    notes = [row for row in documents if row["kind"] == "CREDIT_NOTE"]
    assert len(invoices) == (1 if purchase["status"] == "CONFIRMED" else 0)
    if not invoices:
        assert notes == []
        return
    (invoice,) = invoices
    assert invoice["total_minor"] == total(placed)
    assert groups_of(invoice) == placed
    assert sorted(line["net_minor"] for line in invoice["content"]["lines"]) == sorted(
        order["net_minor"] for order in orders
    )
    left = dict(groups_of(invoice))
    for note in notes:
        assert note["invoice_id"] == invoice["id"]
        assert note["content"]["refers_to"] == invoice["content"]["number"]
        assert note["total_minor"] == total(groups_of(note))
        for rate, (net, tax) in groups_of(note).items():
            left[rate] = (left[rate][0] - net, left[rate][1] - tax)
            assert min(left[rate]) >= 0
    standing = [order for order in orders if order["status"] != "CANCELLED"]
    assert len(notes) == len(orders) - len(standing)
    # What is not taken back costs what it would cost alone: all taken back, nothing is left, not a yen.
    alone = by_rate((order["net_minor"], order["tax_basis_points"]) for order in standing)
    assert left == dict.fromkeys(left, (0, 0)) | alone


def check_settled(purchase: RowMapping, entries: list[RowMapping], stored: list[RowMapping]) -> None:
    """What was paid by card is never owed twice, nor given back twice."""
    to_give_back = sum(row["refund_wanted_minor"] - row["refunded_minor"] for row in stored)
    left = sum(entry["amount_minor"] for entry in entries) + to_give_back
    if purchase["status"] != "CONFIRMED" or purchase["payment_method"] == "CREDIT_CARD":
        assert left == 0
    if purchase["payment_method"] == "BANK_TRANSFER":
        assert left <= 0
