"""What is read: the catalogue, customers, their contracts and orders, by key and page by page.

The functions that take many keys use a constant number of SQL statements. Those that take a caller check
access; the others are for objects reached through one that was checked.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Concatenate, Generic, ParamSpec, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from db.catalogue import all_plans
from db.contracts import StoredContract, contracts_by_customer, customer_of_contract
from db.customers import customers_by_id, customers_count, customers_page
from db.spot_orders import spot_order_counts, spot_orders_by_id, spot_orders_page
from domain.capacity import CapacityStep, capacity_timeline
from domain.catalogue import Plan
from domain.contracts import MainContract
from domain.customers import Customer
from domain.errors import NotFound, PageSizeOutOfRange, WindowInvalid
from domain.months import Period
from domain.orders import SpotOrder
from resolvers.access import Caller, Role, customer_in_reach, require
from resolvers.services import Services

T = TypeVar("T")
P = ParamSpec("P")

PAGE_SIZE_MAX = 100
WINDOW_DAYS_MAX = 3_700


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a connection: its objects, and whether more follow."""

    items: Sequence[T]
    has_next: bool


async def plans(services: Services, caller: Caller | None) -> list[Plan]:
    """The catalogue, for anyone who is signed in."""
    require(caller)
    async with services.database.read() as session:
        return await all_plans(session)


async def customer(services: Services, caller: Caller | None, customer_id: int | None) -> Customer | None:
    """A customer in the caller's reach; None where there is none, or not for this caller."""
    try:
        meant = customer_in_reach(require(caller), customer_id)
    except NotFound:
        return None
    return (await customers(services, [meant]))[0]


async def customer_list(
    services: Services,
    caller: Caller | None,
    *,
    first: int,
    after: tuple[str, int] | None,
    search: str | None,
) -> Page[Customer]:
    """Customers in the order of their names, for sales and operators."""
    require(caller, Role.SALES, Role.OPERATOR)
    check_page_size(first)
    async with services.database.read() as session:
        rows = await customers_page(session, first=first + 1, after=after, search=search)
    return Page(rows[:first], len(rows) > first)


async def customer_count(services: Services, caller: Caller | None, search: str | None) -> int:
    """How many customers the list has in all."""
    require(caller, Role.SALES, Role.OPERATOR)
    async with services.database.read() as session:
        return await customers_count(session, search)


async def spot_order(services: Services, caller: Caller | None, order_id: int) -> SpotOrder | None:
    """An order in the caller's reach; None where there is none, or not for this caller."""
    signed_in = require(caller)
    async with services.database.read() as session:
        order = (await spot_orders_by_id(session, [order_id])).get(order_id)
    if order is None or (signed_in.role is Role.OWNER and order.customer_id != signed_in.customer_id):
        return None
    return order


async def contract_customer(services: Services, caller: Caller | None, contract_id: int) -> Customer | None:
    """The customer of a main contract in the caller's reach; None where there is none, or not for this caller."""
    require(caller)
    async with services.database.read() as session:
        customer_id = await customer_of_contract(session, contract_id)
    return await customer(services, caller, customer_id) if customer_id is not None else None


async def customers(services: Services, ids: Sequence[int]) -> list[Customer | None]:
    """Customers by id, in the same places."""
    async with services.database.read(one_statement=True) as session:
        found = await customers_by_id(session, ids)
    return [found.get(id_) for id_ in ids]


async def contracts(
    services: Services, customer_ids: Sequence[int], known_at: datetime | None
) -> list[StoredContract | None]:
    """Main contracts by customer, in the same places, as was known at an instant, or is now; None on the Free plan."""
    async with services.database.read() as session:
        found = await contracts_by_customer(session, customer_ids, known_at)
    return [found.get(id_) for id_ in customer_ids]


async def spot_order_pages(
    services: Services, customer_ids: Sequence[int], *, first: int, before_id: int | None
) -> list[Page[SpotOrder]]:
    """A page of each customer's orders, newest first, in the same places."""
    check_page_size(first)
    rows = await of_each(services, customer_ids, spot_orders_page, first=first + 1, before_id=before_id)
    return pages(rows, first)


async def spot_order_totals(services: Services, customer_ids: Sequence[int]) -> list[int]:
    """How many orders each customer has, in the same places."""
    return await of_each(services, customer_ids, spot_order_counts)


def timeline(contract: MainContract | None, starts_on: date, ends_before: date) -> tuple[CapacityStep, ...]:
    """Capacity on every day of a window.

    Raises:
        WindowInvalid: the window is empty or longer than ten years.
    """
    if not 0 < (ends_before - starts_on).days <= WINDOW_DAYS_MAX:
        raise WindowInvalid(starts_on=starts_on, ends_before=ends_before, days_max=WINDOW_DAYS_MAX)
    return capacity_timeline(contract, Period(starts_on, ends_before))


async def of_each(
    services: Services,
    ids: Sequence[int],
    load: Callable[Concatenate[AsyncSession, Sequence[int], P], Awaitable[Mapping[int, T]]],
    *args: P.args,
    **more: P.kwargs,
) -> list[T]:
    """What is stored for each of these ids, in their places, read at once."""
    async with services.database.read() as session:
        found = await load(session, ids, *args, **more)
    return [found[id_] for id_ in ids]


def pages(rows: Iterable[Sequence[T]], first: int) -> list[Page[T]]:
    """A page of each, where up to one row more was read than a page has."""
    return [Page(each[:first], len(each) > first) for each in rows]


def check_page_size(first: int) -> None:
    """Refuse a page that is empty or too large.

    Raises:
        PageSizeOutOfRange.
    """
    if not 1 <= first <= PAGE_SIZE_MAX:
        raise PageSizeOutOfRange(first=first, first_max=PAGE_SIZE_MAX)
