"""``node``: every kind of object by its global id, where the caller may see it."""

from collections.abc import Awaitable, Callable

from resolvers import account_reads, purchase_reads, quotes, reads
from resolvers import webhooks as webhook_use_cases
from schema.accounts import account, account_group
from schema.context import Info
from schema.customers import customer
from schema.documents import document
from schema.falls import capacity_fall
from schema.purchases import contract_order, purchase
from schema.quotes import loaded_quote
from schema.relay import Node
from schema.spot_orders import loaded_spot_order
from schema.webhooks import webhook_endpoint


async def _account(info: Info, key: int) -> Node | None:
    found = await account_reads.account(info.context.services, info.context.caller, key)
    return account(found) if found else None


async def _account_group(info: Info, key: int) -> Node | None:
    found = await account_reads.group(info.context.services, info.context.caller, key)
    return account_group(found) if found else None


async def _capacity_fall(info: Info, key: int) -> Node | None:
    found = await account_reads.fall(info.context.services, info.context.caller, key)
    return capacity_fall(found) if found else None


async def _contract_order(info: Info, key: int) -> Node | None:
    found = await purchase_reads.contract_order(info.context.services, info.context.caller, key)
    if found is None:
        return None
    owner = await info.context.customers.load(found.customer_id)
    return contract_order(found, owner.currency) if owner else None


async def _document(info: Info, key: int) -> Node | None:
    found = await purchase_reads.document(info.context.services, info.context.caller, key)
    return document(found) if found else None


async def _purchase(info: Info, key: int) -> Node | None:
    found = await purchase_reads.purchase(info.context.services, info.context.caller, key)
    return purchase(found) if found else None


async def _quote(info: Info, key: int) -> Node | None:
    found = await quotes.quote(info.context.services, info.context.caller, key)
    return await loaded_quote(info, found) if found else None


async def _customer(info: Info, key: int) -> Node | None:
    found = await reads.customer(info.context.services, info.context.caller, key)
    return customer(found, info) if found else None


async def _main_contract(info: Info, key: int) -> Node | None:
    found = await reads.contract_customer(info.context.services, info.context.caller, key)
    return await customer(found, info).main_contract(info) if found else None


async def _spot_order(info: Info, key: int) -> Node | None:
    found = await reads.spot_order(info.context.services, info.context.caller, key)
    return await loaded_spot_order(info, found) if found else None


async def _webhook_endpoint(info: Info, key: int) -> Node | None:
    found = await webhook_use_cases.endpoint(info.context.services, info.context.caller, key)
    return webhook_endpoint(found) if found else None


NODES: dict[str, Callable[[Info, int], Awaitable[Node | None]]] = {
    "Account": _account,
    "AccountGroup": _account_group,
    "CapacityFall": _capacity_fall,
    "ContractOrder": _contract_order,
    "Customer": _customer,
    "Document": _document,
    "MainContract": _main_contract,
    "Purchase": _purchase,
    "Quote": _quote,
    "SpotOrder": _spot_order,
    "WebhookEndpoint": _webhook_endpoint,
}
"""How an object is found by its key, by the type's name; None where there is none, or not for this caller."""
