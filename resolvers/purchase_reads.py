"""What is read about purchases, documents and the ledger: of customers that were reached already, or with a caller."""

from collections.abc import Sequence

from db.documents import (
    StoredDocument,
    balance,
    documents_by_id,
    documents_count,
    documents_of_purchases,
    documents_page,
    entries_of_purchase,
)
from db.purchases import purchase_of_contract_order, purchases_by_id, purchases_count, purchases_page
from domain.ledger import LedgerEntry
from domain.purchases import ContractOrder, Purchase
from resolvers.access import Caller, Role, require
from resolvers.reads import Page, check_page_size
from resolvers.services import Services
from resolvers.settling import settle


async def purchase(services: Services, caller: Caller | None, purchase_id: int) -> Purchase | None:
    """A purchase in the caller's reach; None where there is none, or not for this caller."""
    signed_in = require(caller)
    found = (await purchases(services, [purchase_id]))[0]
    if found is None or not _reaches(signed_in, found.customer_id):
        return None
    return found


async def contract_order(services: Services, caller: Caller | None, order_id: int) -> ContractOrder | None:
    """An order of a main contract in the caller's reach; None where there is none, or not for this caller."""
    require(caller)
    async with services.database.read() as session:
        purchase_id = await purchase_of_contract_order(session, order_id)
    found = await purchase(services, caller, purchase_id) if purchase_id is not None else None
    return next((order for order in found.contract_orders if order.id == order_id), None) if found else None


async def document(services: Services, caller: Caller | None, document_id: int) -> StoredDocument | None:
    """An invoice or credit note in the caller's reach; None where there is none, or not for this caller."""
    signed_in = require(caller)
    async with services.database.read() as session:
        found = (await documents_by_id(session, [document_id])).get(document_id)
    return found if found and _reaches(signed_in, found.customer_id) else None


async def purchases(services: Services, ids: Sequence[int]) -> list[Purchase | None]:
    """Purchases by id, in the same places."""
    async with services.database.read() as session:
        found = await purchases_by_id(session, ids)
    await settle(services, {item.customer_id for item in found.values()})
    async with services.database.read() as session:
        found = await purchases_by_id(session, ids)
    return [found.get(id_) for id_ in ids]


async def documents_by_purchase(services: Services, purchase_ids: Sequence[int]) -> list[list[StoredDocument]]:
    """The invoice of each purchase and what was taken back of it, in the same places."""
    async with services.database.read() as session:
        found = await documents_of_purchases(session, purchase_ids)
    return [found[id_] for id_ in purchase_ids]


async def purchase_page(services: Services, customer_id: int, *, first: int, before_id: int | None) -> Page[Purchase]:
    """Purchases of a customer, newest first."""
    check_page_size(first)
    await settle(services, [customer_id])
    async with services.database.read() as session:
        rows = await purchases_page(session, customer_id, first=first + 1, before_id=before_id)
    return Page(rows[:first], len(rows) > first)


async def purchase_count(services: Services, customer_id: int) -> int:
    """How many purchases a customer has."""
    async with services.database.read() as session:
        return await purchases_count(session, customer_id)


async def document_page(
    services: Services, customer_id: int, *, first: int, before_id: int | None
) -> Page[StoredDocument]:
    """Invoices and credit notes of a customer, newest first."""
    check_page_size(first)
    async with services.database.read() as session:
        rows = await documents_page(session, customer_id, first=first + 1, before_id=before_id)
    return Page(rows[:first], len(rows) > first)


async def document_count(services: Services, customer_id: int) -> int:
    """How many invoices and credit notes a customer has."""
    async with services.database.read() as session:
        return await documents_count(session, customer_id)


async def entries(services: Services, purchase_id: int) -> list[LedgerEntry]:
    """A purchase's entries in the ledger, oldest first."""
    async with services.database.read() as session:
        return await entries_of_purchase(session, purchase_id)


async def customer_balance(services: Services, customer_id: int) -> int:
    """What a customer owes, in minor units; below zero where money is to be given back."""
    async with services.database.read() as session:
        return await balance(session, customer_id)


def _reaches(caller: Caller, customer_id: int) -> bool:
    return caller.role is not Role.OWNER or caller.customer_id == customer_id
