"""What must be true of the database after whatever was asked."""

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import ForeignKeyConstraint, RowMapping, Table, and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.accounts import counted_count
from db.contracts import contracts_by_customer
from db.documents import balances
from db.tables import Base, EventRow
from domain.capacity import capacity_on
from domain.customers import Customer
from resolvers import payments
from resolvers.services import Services
from resolvers.settling import settle_all
from tests.resolvers.books import by_rate, check_documents, check_numbers, check_settled, rows_of


async def check_database(services: Services, customers: Iterable[Customer]) -> None:
    """Accounts fit, the books add up, invoices have no gap, and no row of a customer leads to another one's."""
    await settle_all(services)
    await payments.refund(services)
    for customer in customers:
        await _check_accounts(services, customer)
        await _check_books(services, customer)
    await check_numbers(services.database)
    async with services.database.read() as session:
        for table in Base.metadata.sorted_tables:
            for key in table.foreign_key_constraints:
                assert await crossing(session, table, key) == 0, f"{table.name} {key.column_keys}"


async def _check_accounts(services: Services, customer: Customer) -> None:
    async with services.database.read() as session:
        stored = (await contracts_by_customer(session, [customer.id]))[customer.id]
        counted = await counted_count(session, customer.id)
        told = select(EventRow.counted_after).where(
            EventRow.customer_id == customer.id, EventRow.counted_after.is_not(None)
        )
        last = (await session.scalars(told.order_by(EventRow.id.desc()).limit(1))).first()
    assert counted <= capacity_on(stored.contract, customer.day_at(services.clock()))
    assert counted == last, "the history says another number of accounts"


async def _check_books(services: Services, customer: Customer) -> None:
    rows = await rows_of(services.database, customer.id)
    of_purchase: dict[str, dict[int, list[RowMapping]]] = {}
    for name in ("spot_orders", "contract_orders", "documents", "ledger_entries", "payments"):
        of_purchase[name] = defaultdict(list)
        for row in rows[name]:
            of_purchase[name][row["purchase_id"]].append(row)
    for purchase in rows["purchases"]:
        id_ = purchase["id"]
        orders = of_purchase["spot_orders"][id_] + of_purchase["contract_orders"][id_]
        placed = by_rate((order["net_minor"], order["tax_basis_points"]) for order in orders)
        check_documents(purchase, placed, orders, of_purchase["documents"][id_])
        check_settled(purchase, of_purchase["ledger_entries"][id_], of_purchase["payments"][id_])
    async with services.database.read() as session:
        assert (await balances(session, [customer.id]))[customer.id] == sum(
            row["amount_minor"] for row in rows["ledger_entries"]
        )


async def crossing(session: AsyncSession, table: Table, key: ForeignKeyConstraint) -> int:
    """How many rows refer to a row of another customer."""
    other = key.referred_table.alias()
    if "customer_id" not in table.c or "customer_id" not in other.c:
        return 0
    pairs = [
        element.parent == other.c[element.column.name]
        for element in key.elements
        if element.parent.name != "customer_id"
    ]
    if not pairs:
        return 0
    query = select(func.count()).select_from(table.join(other, and_(*pairs)))
    query = query.where(table.c.customer_id != other.c.customer_id)
    return await session.scalar(query) or 0
