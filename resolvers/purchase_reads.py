"""What is read about purchases, documents and the ledger: of customers that were reached already, or with a caller."""

from collections.abc import Sequence

from db.documents import (
    StoredDocument,
    balances,
    document_counts,
    documents_by_id,
    documents_of_purchases,
    documents_page,
    entries_of_purchases,
)
from db.purchases import purchase_counts, purchase_of_contract_order, purchases_by_id, purchases_page
from domain.ledger import LedgerEntry
from domain.purchases import ContractOrder, Purchase
from resolvers.access import Caller, Role, require
from resolvers.reads import Page, check_page_size, of_each, pages
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
    return await of_each(services, purchase_ids, documents_of_purchases)


async def purchase_pages(
    services: Services, customer_ids: Sequence[int], *, first: int, before_id: int | None
) -> list[Page[Purchase]]:
    """A page of each customer's purchases, newest first, in the same places."""
    check_page_size(first)
    await settle(services, customer_ids)
    return pages(await of_each(services, customer_ids, purchases_page, first=first + 1, before_id=before_id), first)


async def purchase_totals(services: Services, customer_ids: Sequence[int]) -> list[int]:
    """How many purchases each customer has, in the same places."""
    return await of_each(services, customer_ids, purchase_counts)


async def document_pages(
    services: Services, customer_ids: Sequence[int], *, first: int, before_id: int | None
) -> list[Page[StoredDocument]]:
    """A page of each customer's invoices and credit notes, newest first, in the same places."""
    check_page_size(first)
    return pages(await of_each(services, customer_ids, documents_page, first=first + 1, before_id=before_id), first)


async def document_totals(services: Services, customer_ids: Sequence[int]) -> list[int]:
    """How many invoices and credit notes each customer has, in the same places."""
    return await of_each(services, customer_ids, document_counts)


async def entries(services: Services, purchase_ids: Sequence[int]) -> list[list[LedgerEntry]]:
    """The entries of each purchase in the ledger, oldest first, in the same places."""
    return await of_each(services, purchase_ids, entries_of_purchases)


async def customer_balances(services: Services, customer_ids: Sequence[int]) -> list[int]:
    """What each customer owes, in minor units, in the same places; below zero where money is to be given back."""
    return await of_each(services, customer_ids, balances)


def _reaches(caller: Caller, customer_id: int) -> bool:
    return caller.role is not Role.OWNER or caller.customer_id == customer_id
