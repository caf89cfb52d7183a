"""What is read about accounts, falls of capacity and the history. Everybody due is settled before.

Names and addresses are for owners and operators; numbers of accounts for whoever reaches the customer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from db.accounts import (
    AccountFilter,
    account_by_external_id,
    accounts_by_id,
    accounts_count,
    accounts_page,
    counted_accounts,
    counted_count,
)
from db.contracts import contracts_by_customer
from db.customers import customers_by_id
from db.falls import (
    HandledFall,
    StoredDeactivation,
    deactivations_page,
    falls_by_id,
    falls_count,
    falls_page,
)
from db.groups import Group, group_by_id, groups_of_accounts, groups_of_customers, member_counts
from db.history import counted_before, events_count, events_page
from domain.account_errors import DayInTheFuture, DayInThePast
from domain.accounts import Account
from domain.capacity import capacity_on
from domain.customers import Customer
from domain.deactivation import FallEffect, effects
from domain.errors import NotFound
from domain.history import Event
from domain.months import ONE_DAY
from resolvers.access import Caller, Role, customer_in_reach, require
from resolvers.reads import Page, check_page_size
from resolvers.services import Services
from resolvers.settling import settle

PEOPLE = (Role.OWNER, Role.OPERATOR)
"""Who may see persons."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a day does to the accounts of a customer if nothing else changes; None where capacity does not fall."""

    customer: Customer
    on: date
    capacity: int
    counted: int
    effect: FallEffect | None


async def sign_in_allowed(services: Services, caller: Caller | None, customer_id: int | None, external_id: str) -> bool:
    """Whether the account with an external id may sign in now; False where there is none.

    Raises:
        NotFound: no such customer for this caller.
    """
    meant = customer_in_reach(require(caller, *PEOPLE), customer_id)
    if "\0" in external_id:
        return False  # PostgreSQL takes none in a text; and no external id contains one
    await settle(services, [meant])
    async with services.database.read() as session:
        account = await account_by_external_id(session, meant, external_id)
    return account is not None and account.can_sign_in


async def account(services: Services, caller: Caller | None, account_id: int) -> Account | None:
    """An account in the caller's reach; None where there is none, or not for this caller."""
    signed_in = require(caller)
    if signed_in.role not in PEOPLE:
        return None
    async with services.database.read() as session:
        found = (await accounts_by_id(session, [account_id])).get(account_id)
    if found is None or (signed_in.role is Role.OWNER and found.customer_id != signed_in.customer_id):
        return None
    return (await accounts(services, [account_id]))[0]


async def accounts(services: Services, ids: Sequence[int]) -> list[Account | None]:
    """Accounts by id, in the same places; of customers that were reached already."""
    async with services.database.read() as session:
        found = await accounts_by_id(session, ids)
    await settle(services, {item.customer_id for item in found.values()})
    async with services.database.read() as session:
        found = await accounts_by_id(session, ids)
    return [found.get(id_) for id_ in ids]


async def account_page(
    services: Services,
    caller: Caller | None,
    customer_id: int,
    chosen: AccountFilter,
    *,
    first: int,
    after: tuple[str, int] | None,
) -> Page[Account]:
    """Accounts of a customer that was reached already, in the order of their names."""
    require(caller, *PEOPLE)
    check_page_size(first)
    await settle(services, [customer_id])
    async with services.database.read() as session:
        rows = await accounts_page(session, customer_id, chosen, first=first + 1, after=after)
    return Page(rows[:first], len(rows) > first)


async def account_count(services: Services, customer_id: int, chosen: AccountFilter) -> int:
    """How many accounts of a customer match."""
    await settle(services, [customer_id])
    async with services.database.read() as session:
        return await accounts_count(session, customer_id, chosen)


async def group(services: Services, caller: Caller | None, group_id: int) -> Group | None:
    """A group in the caller's reach; None where there is none, or not for this caller."""
    signed_in = require(caller)
    async with services.database.read() as session:
        found = await group_by_id(session, group_id)
    if found is None or (signed_in.role is Role.OWNER and found.customer_id != signed_in.customer_id):
        return None
    return found


async def groups(services: Services, customer_ids: Sequence[int]) -> list[list[Group]]:
    """The groups of each customer, in the same places."""
    await settle(services, customer_ids)
    async with services.database.read() as session:
        found = await groups_of_customers(session, customer_ids)
    return [found.get(id_, []) for id_ in customer_ids]


async def account_groups(services: Services, account_ids: Sequence[int]) -> list[list[Group]]:
    """The groups of each account, in the same places; of accounts that were read, and so settled, before."""
    async with services.database.read() as session:
        found = await groups_of_accounts(session, account_ids)
    return [found.get(id_, []) for id_ in account_ids]


async def group_sizes(services: Services, group_ids: Sequence[int]) -> list[int]:
    """How many accounts each group has, in the same places; of groups that were read, and so settled, before."""
    async with services.database.read() as session:
        found = await member_counts(session, group_ids)
    return [found.get(id_, 0) for id_ in group_ids]


async def capacity_known(services: Services, customer: Customer, on: date, known_at: datetime | None) -> int:
    """Capacity on a day, as was known at an instant; as is known now where none is given."""
    async with services.database.read() as session:
        stored = (await contracts_by_customer(session, [customer.id], known_at)).get(customer.id)
    return capacity_on(stored.contract if stored else None, on)


async def counted_on(services: Services, customer: Customer, on: date | None) -> int:
    """How many accounts count against capacity now, or counted at the end of an earlier day.

    Raises:
        DayInTheFuture.
    """
    await settle(services, [customer.id])
    today = customer.day_at(services.clock())
    async with services.database.read() as session:
        if on is None or on == today:
            return await counted_count(session, customer.id)
        if on > today:
            raise DayInTheFuture(day=on, today=today)
        return await counted_before(session, customer.id, customer.day_begins_at(on + ONE_DAY))


async def upcoming_falls(services: Services, customer: Customer) -> list[FallEffect]:
    """The days to come on which capacity falls, with everybody each would deactivate if nothing else changes."""
    await settle(services, [customer.id])
    async with services.database.read() as session:
        stored = (await contracts_by_customer(session, [customer.id])).get(customer.id)
        if stored is None:
            return []
        return await _effects(session, customer, customer.day_at(services.clock()), stored.contract.ends_before)


async def preview(services: Services, caller: Caller | None, customer_id: int | None, on: date) -> Preview:
    """Who would be deactivated on a day to come.

    Raises:
        NotFound: no such customer for this caller.
        DayInThePast: today's and earlier falls have been handled.
    """
    meant = customer_in_reach(require(caller, *PEOPLE), customer_id)
    await settle(services, [meant])
    async with services.database.read() as session:
        customer = (await customers_by_id(session, [meant])).get(meant)
        if customer is None:
            raise NotFound(field="customerId")
        today = customer.day_at(services.clock())
        if on < today:
            raise DayInThePast(day=on, today=today)
        stored = (await contracts_by_customer(session, [meant])).get(meant)
        until_then = await _effects(session, customer, today, on) if stored else []
        counted = until_then[-1].counted_after if until_then else await counted_count(session, meant)
    effect = until_then[-1] if until_then and until_then[-1].fall.on == on else None
    return Preview(customer, on, capacity_on(stored.contract if stored else None, on), counted, effect)


async def fall_page(services: Services, customer_id: int, *, first: int, before_id: int | None) -> Page[HandledFall]:
    """Falls of a customer that were handled, newest first."""
    check_page_size(first)
    await settle(services, [customer_id])
    async with services.database.read() as session:
        rows = await falls_page(session, customer_id, first=first + 1, before_id=before_id)
    return Page(rows[:first], len(rows) > first)


async def fall_count(services: Services, customer_id: int) -> int:
    """How many falls of a customer were handled."""
    await settle(services, [customer_id])
    async with services.database.read() as session:
        return await falls_count(session, customer_id)


async def fall(services: Services, caller: Caller | None, fall_id: int) -> HandledFall | None:
    """A fall that was handled, in the caller's reach; None where there is none, or not for this caller."""
    signed_in = require(caller)
    async with services.database.read() as session:
        found = (await falls_by_id(session, [fall_id])).get(fall_id)
    if found is None or (signed_in.role is Role.OWNER and found.customer_id != signed_in.customer_id):
        return None
    return found


async def falls(services: Services, ids: Sequence[int]) -> list[HandledFall | None]:
    """Falls by id, in the same places."""
    async with services.database.read() as session:
        found = await falls_by_id(session, ids)
    return [found.get(id_) for id_ in ids]


async def deactivation_page(
    services: Services, caller: Caller | None, fall_id: int, *, first: int, after: int | None
) -> Page[StoredDeactivation]:
    """Whom a fall deactivated, newest account first."""
    require(caller, *PEOPLE)
    check_page_size(first)
    async with services.database.read() as session:
        rows = await deactivations_page(session, fall_id, first=first + 1, after=after)
    return Page(rows[:first], len(rows) > first)


async def event_page(
    services: Services,
    caller: Caller | None,
    customer_id: int,
    account_id: int | None,
    *,
    first: int,
    before_id: int | None,
) -> Page[Event]:
    """What happened to a customer, or to one of its accounts, newest first."""
    require(caller, *PEOPLE)
    check_page_size(first)
    await settle(services, [customer_id])
    async with services.database.read() as session:
        rows = await events_page(session, customer_id, account_id=account_id, first=first + 1, before_id=before_id)
    return Page(rows[:first], len(rows) > first)


async def event_count(services: Services, customer_id: int, account_id: int | None) -> int:
    """How many events there are of a customer, or of one of its accounts."""
    await settle(services, [customer_id])
    async with services.database.read() as session:
        return await events_count(session, customer_id, account_id)


async def _effects(session: AsyncSession, customer: Customer, after: date, until: date) -> list[FallEffect]:
    stored = (await contracts_by_customer(session, [customer.id]))[customer.id]
    counted = await counted_accounts(session, customer.id)
    policy = customer.deactivation_policy
    return list(effects(stored.contract, counted, policy, customer, after=after, until=until))
