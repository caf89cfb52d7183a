"""What is read about accounts, falls of capacity and the history. Everybody due is settled before.

Names and addresses are for owners and operators; numbers of accounts for whoever reaches the customer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from db.accounts import (
    AccountFilter,
    account_by_external_id,
    account_counts,
    accounts_by_id,
    accounts_page,
    counted_accounts,
    counted_counts,
    counted_with_status,
)
from db.contracts import StoredContract, contracts_by_customer
from db.customers import customers_by_id
from db.falls import (
    HandledFall,
    StoredDeactivation,
    deactivations_page,
    fall_counts,
    falls_by_id,
    falls_page,
)
from db.groups import Group, group_by_id, groups_of_accounts, groups_of_customers, member_counts
from db.history import counted_before, event_counts, events_page
from domain.account_errors import DayInTheFuture, DayInThePast
from domain.accounts import Account
from domain.capacity import capacity_on
from domain.customers import Customer
from domain.deactivation import CountedAccount, FallEffect, effects
from domain.errors import NotFound
from domain.history import Event
from domain.months import ONE_DAY
from resolvers.access import Caller, Role, customer_in_reach, require
from resolvers.reads import Page, check_page_size, of_each, pages
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


async def account_pages(
    services: Services,
    customer_ids: Sequence[int],
    caller: Caller | None,
    chosen: AccountFilter,
    *,
    first: int,
    after: tuple[str, int] | None,
) -> list[Page[Account]]:
    """A page of the accounts of each customer that was reached already, in the order of their names."""
    require(caller, *PEOPLE)
    check_page_size(first)
    await settle(services, customer_ids)
    return pages(await of_each(services, customer_ids, accounts_page, chosen, first=first + 1, after=after), first)


async def account_totals(services: Services, customer_ids: Sequence[int], chosen: AccountFilter) -> list[int]:
    """How many accounts of each customer match, in the same places."""
    await settle(services, customer_ids)
    return await of_each(services, customer_ids, account_counts, chosen)


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
    return await of_each(services, customer_ids, groups_of_customers)


async def account_groups(services: Services, account_ids: Sequence[int]) -> list[list[Group]]:
    """The groups of each account, in the same places; of accounts that were read, and so settled, before."""
    return await of_each(services, account_ids, groups_of_accounts)


async def group_sizes(services: Services, group_ids: Sequence[int]) -> list[int]:
    """How many accounts each group has, in the same places; of groups that were read, and so settled, before."""
    return await of_each(services, group_ids, member_counts)


async def counted_on(services: Services, customers: Sequence[Customer], on: date | None) -> list[int | DayInTheFuture]:
    """How many accounts of each customer count against capacity now, or counted at the end of an earlier day.

    In the same places, as are refusals: where the day is to come.
    """
    await settle(services, [customer.id for customer in customers])
    now = services.clock()
    ids = [customer.id for customer in customers]
    async with services.database.read() as session:
        if on is None:
            counts = await counted_counts(session, ids)
            return [counts[id_] for id_ in ids]
        days = {customer.time_zone: customer.day_at(now) for customer in customers}
        ends = {item.time_zone: item.day_begins_at(min(on, days[item.time_zone]) + ONE_DAY) for item in customers}
        earlier = await counted_before(session, [item.id for item in customers if on < days[item.time_zone]], ends)
        counts = await counted_counts(session, [item.id for item in customers if on == days[item.time_zone]])
    return [
        DayInTheFuture(day=on, today=days[item.time_zone])
        if on > days[item.time_zone]
        else earlier.get(item.id, counts[item.id])
        for item in customers
    ]


async def upcoming_falls(services: Services, customers: Sequence[Customer]) -> list[list[FallEffect]]:
    """The days to come on which capacity falls, with everybody each would deactivate if nothing else changes.

    Of each customer, in the same places.
    """
    ids = [customer.id for customer in customers]
    await settle(services, ids)
    async with services.database.read() as session:
        contracts = await contracts_by_customer(session, ids)
        accounts = await counted_with_status(session, list(contracts))
    now = services.clock()
    found = []
    for customer in customers:
        stored = contracts.get(customer.id)
        counted = [account for account, _ in accounts[customer.id]] if stored else []
        ends_before = stored.contract.ends_before if stored else date.min
        found.append(_effects(customer, stored, counted, customer.day_at(now), ends_before))
    return found


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
        accounts = await counted_accounts(session, meant)
    until_then = _effects(customer, stored, accounts, today, on)
    counted = until_then[-1].counted_after if until_then else len(accounts)
    effect = until_then[-1] if until_then and until_then[-1].fall.on == on else None
    return Preview(customer, on, capacity_on(stored.contract if stored else None, on), counted, effect)


async def fall_pages(
    services: Services, customer_ids: Sequence[int], *, first: int, before_id: int | None
) -> list[Page[HandledFall]]:
    """A page of each customer's falls that were handled, newest first, in the same places."""
    check_page_size(first)
    await settle(services, customer_ids)
    return pages(await of_each(services, customer_ids, falls_page, first=first + 1, before_id=before_id), first)


async def fall_totals(services: Services, customer_ids: Sequence[int]) -> list[int]:
    """How many falls of each customer were handled, in the same places."""
    await settle(services, customer_ids)
    return await of_each(services, customer_ids, fall_counts)


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


async def deactivation_pages(
    services: Services, fall_ids: Sequence[int], caller: Caller | None, *, first: int, after: int
) -> list[Page[StoredDeactivation]]:
    """A page of those whom each fall deactivated, newest account first, after a position; in the same places."""
    require(caller, *PEOPLE)
    check_page_size(first)
    return pages(await of_each(services, fall_ids, deactivations_page, first=first + 1, after=after), first)


async def event_pages(
    services: Services,
    customer_ids: Sequence[int],
    caller: Caller | None,
    account_id: int | None,
    *,
    first: int,
    before_id: int | None,
) -> list[Page[Event]]:
    """A page of what happened to each customer, newest first, in the same places; to one account where one is named."""
    require(caller, *PEOPLE)
    check_page_size(first)
    await settle(services, customer_ids)
    rows = await of_each(
        services, customer_ids, events_page, account_id=account_id, first=first + 1, before_id=before_id
    )
    return pages(rows, first)


async def event_totals(services: Services, customer_ids: Sequence[int], account_id: int | None) -> list[int]:
    """How many events there are of each customer, in the same places; of one account where one is named."""
    await settle(services, customer_ids)
    return await of_each(services, customer_ids, event_counts, account_id)


def _effects(
    customer: Customer, stored: StoredContract | None, counted: Sequence[CountedAccount], after: date, until: date
) -> list[FallEffect]:
    if stored is None:
        return []
    policy = customer.deactivation_policy
    return list(effects(stored.contract, counted, policy, customer, after=after, until=until))
