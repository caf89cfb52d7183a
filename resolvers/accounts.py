"""Register, suspend, reactivate, delete and protect accounts, and their groups; one transaction each, all or nothing.

What changes capacity or counted accounts holds the contract's lock, so capacity is never exceeded.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from db.accounts import (
    accounts_by_id,
    add_accounts,
    change_accounts,
    counted_accounts,
    counted_count,
    taken_external_ids,
)
from db.customers import save_policy
from db.groups import (
    Group,
    add_groups,
    add_members,
    built_in_group,
    delete_group,
    group_by_id,
    groups_of_accounts,
    groups_of_customers,
    remove_members,
)
from db.history import add_events
from domain.account_errors import (
    AccountsOutOfRange,
    CapacityExceeded,
    ExternalIdTaken,
    GroupReserved,
    GroupsOutOfRange,
)
from domain.accounts import (
    ACCOUNTS_PER_REQUEST_MAX,
    COUNTED,
    GROUPS_PER_ACCOUNT_MAX,
    GROUPS_PER_CUSTOMER_MAX,
    Account,
    AccountStatus,
    NewAccount,
    check_account_move,
    check_group_name,
    request_refusals,
)
from domain.capacity import capacity_on
from domain.customers import Customer, DeactivationPolicy
from domain.deactivation import next_day_with_room
from domain.errors import NotFound, Refused, RuleError
from domain.history import Change, EventKind, NewEvent
from resolvers.access import Caller, Role, customer_in_reach, require
from resolvers.idempotency import KeyedRequest
from resolvers.services import Services
from resolvers.settling import Opened, open_customer

ERRORS_MAX = 100
"""A request of a thousand accounts is refused for its first hundred reasons."""


@dataclass(frozen=True, slots=True)
class RegisterCommand:
    """Accounts to register, all or none."""

    customer_id: int | None
    accounts: tuple[NewAccount, ...]
    idempotency_key: str | None = None


async def register(services: Services, caller: Caller | None, command: RegisterCommand) -> list[Account]:
    """Register active accounts. Groups that there are not yet are made.

    Raises:
        Refused: with the first hundred reasons; nobody is registered.
        NotFound, IdempotencyKeyReused, IdempotencyKeyInvalid.
    """
    signed_in, customer_id = owner_of(caller, command.customer_id)
    request = None
    if command.idempotency_key is not None:
        keyed = replace(command, customer_id=customer_id)
        request = KeyedRequest.of("accountRegister", customer_id, command.idempotency_key, keyed)
    _refuse(request_refusals(command.accounts))
    async with services.database.write() as session:
        opened = await open_customer(session, customer_id, services.clock)
        earlier = await request.earlier_result(session) if request else None
        if earlier is not None:
            found = await accounts_by_id(session, earlier)
            return [found[id_] for id_ in earlier]
        _refuse(await registration_refusals(session, opened, command.accounts, "accounts"))
        accounts = await add_entries(session, signed_in, opened, command.accounts)
        if request:
            await request.remember(session, tuple(account.id for account in accounts), opened.now)
        return accounts


async def registration_refusals(
    session: AsyncSession, opened: Opened, entries: Sequence[NewAccount], field: str
) -> list[RuleError]:
    """Why valid entries cannot be registered now: external ids that are taken, or no room for all."""
    taken = await taken_external_ids(session, opened.customer.id, [entry.external_id for entry in entries])
    return [
        *(
            ExternalIdTaken(field=f"{field}[{index}].externalId", external_id=entry.external_id[:100])
            for index, entry in enumerate(entries)
            if entry.external_id in taken
        ),
        *await _room_refusals(session, opened, len(entries), field),
    ]


async def add_entries(
    session: AsyncSession, caller: Caller, opened: Opened, entries: Sequence[NewAccount]
) -> list[Account]:
    """Register entries that nothing refuses, in an opened customer's transaction.

    Raises:
        GroupsOutOfRange: there would be too many groups.
    """
    customer = opened.customer
    groups = await _groups_by_name(session, customer, {name for entry in entries for name in entry.groups})
    counted = await counted_count(session, customer.id)
    accounts = await add_accounts(session, customer.id, entries, opened.now)
    pairs = list(zip(accounts, entries, strict=True))
    members = {(groups[name].id, account.id) for account, entry in pairs for name in entry.groups}
    await add_members(session, customer.id, sorted(members))
    events = []
    for position, (account, entry) in enumerate(pairs, start=1):
        changes: dict[str, Change] = {"status": (None, account.status.value)}
        if entry.groups:
            changes["groups"] = (None, _joined(entry.groups))
        events.append(
            NewEvent(
                kind=EventKind.ACCOUNT_REGISTERED,
                occurred_at=opened.now,
                changes=changes,
                account_id=account.id,
                counted_after=counted + position,
            )
        )
    await add_events(session, customer.id, caller.actor, events, opened.now)
    return accounts


async def suspend(services: Services, caller: Caller | None, account_ids: Sequence[int]) -> list[Account]:
    """Keep accounts from signing in. They count against capacity all the same.

    Raises:
        AccountsOutOfRange, NotFound, Refused: nothing is changed.
    """
    return await _move(services, caller, account_ids, AccountStatus.SUSPENDED, EventKind.ACCOUNT_SUSPENDED)


async def reactivate(services: Services, caller: Caller | None, account_ids: Sequence[int]) -> list[Account]:
    """Let suspended accounts sign in again, and deactivated ones where capacity is free for all of them.

    Raises:
        AccountsOutOfRange, NotFound, Refused: nothing is changed.
    """
    return await _move(services, caller, account_ids, AccountStatus.ACTIVE, EventKind.ACCOUNT_REACTIVATED)


async def delete(services: Services, caller: Caller | None, account_ids: Sequence[int]) -> list[Account]:
    """Delete accounts: names and e-mail addresses are erased, memberships end, external ids are free again.

    Raises:
        AccountsOutOfRange, NotFound, Refused: nothing is changed.
    """
    return await _move(services, caller, account_ids, AccountStatus.DELETED, EventKind.ACCOUNT_DELETED)


async def protect(
    services: Services, caller: Caller | None, account_ids: Sequence[int], *, is_protected: bool
) -> list[Account]:
    """Say whether accounts are the last to go under the policy EXCESS_ONLY.

    Raises:
        AccountsOutOfRange, NotFound: nothing is changed.
    """
    async with services.database.write() as session:
        signed_in, opened, accounts = await _opened_accounts(services, session, caller, account_ids, deleted_too=False)
        changed = [account for account in accounts if account.is_protected != is_protected]
        await change_accounts(session, [account.id for account in changed], is_protected=is_protected)
        events = [
            _changed(account, {"isProtected": (_truth(account.is_protected), _truth(is_protected))}, opened.now)
            for account in changed
        ]
        await add_events(session, opened.customer.id, signed_in.actor, events, opened.now)
        return [replace(account, is_protected=is_protected) for account in accounts]


async def change_groups(
    services: Services, caller: Caller | None, account_ids: Sequence[int], add: Sequence[str], remove: Sequence[str]
) -> list[Account]:
    """Put accounts into groups by name, and take them out of others. Groups that there are not yet are made.

    Raises:
        AccountsOutOfRange, NotFound, TextInvalid, GroupReserved, GroupsOutOfRange: nothing is changed.
    """
    for field, names in (("add", add), ("remove", remove)):
        if len(names) > GROUPS_PER_ACCOUNT_MAX:
            raise GroupsOutOfRange(field=field, groups=len(names), groups_max=GROUPS_PER_ACCOUNT_MAX)
        for name in names:
            check_group_name(name, field)
    async with services.database.write() as session:
        signed_in, opened, accounts = await _opened_accounts(services, session, caller, account_ids, deleted_too=False)
        customer = opened.customer
        added = await _groups_by_name(session, customer, add)
        existing = {group.name: group for group in (await groups_of_customers(session, [customer.id]))[customer.id]}
        out = {existing[name].id for name in remove if name in existing} - {group.id for group in added.values()}
        before = await groups_of_accounts(session, account_ids)
        into = [
            (group.id, account.id)
            for account in accounts
            for group in added.values()
            if group not in before.get(account.id, [])
        ]
        await remove_members(session, account_ids, out)
        await add_members(session, customer.id, into)
        after = await groups_of_accounts(session, account_ids)
        for account in accounts:
            if len(after.get(account.id, [])) > GROUPS_PER_ACCOUNT_MAX:
                count = len(after[account.id])
                raise GroupsOutOfRange(field="add", groups=count, groups_max=GROUPS_PER_ACCOUNT_MAX)
        events = [
            _changed(account, {"groups": (_names(before.get(account.id)), _names(after.get(account.id)))}, opened.now)
            for account in accounts
            if before.get(account.id) != after.get(account.id)
        ]
        await add_events(session, customer.id, signed_in.actor, events, opened.now)
        return accounts


async def remove_group(services: Services, caller: Caller | None, group_id: int) -> Group:
    """Delete a group; its accounts stay.

    Raises:
        NotFound, GroupReserved: nothing is changed.
    """
    signed_in = require(caller, Role.OWNER, Role.OPERATOR)
    async with services.database.write() as session:
        group = await group_by_id(session, group_id)
        if group is None or not _reaches(signed_in, group.customer_id, group.customer_id):
            raise NotFound(field="groupId")
        await open_customer(session, group.customer_id, services.clock)
        if group.is_built_in:
            raise GroupReserved(field="groupId", group=group.name)
        await delete_group(session, group.id)
        return group


async def set_policy(
    services: Services, caller: Caller | None, customer_id: int | None, policy: DeactivationPolicy
) -> Customer:
    """Say who is deactivated when capacity falls from now on.

    Raises:
        NotFound: no such customer for this caller.
    """
    signed_in, meant = owner_of(caller, customer_id)
    async with services.database.write() as session:
        opened = await open_customer(session, meant, services.clock)
        before = opened.customer.deactivation_policy
        if before is not policy:
            await save_policy(session, meant, policy)
            changes = {"deactivationPolicy": (before.value, policy.value)}
            event = NewEvent(kind=EventKind.POLICY_CHANGED, occurred_at=opened.now, changes=changes)
            await add_events(session, meant, signed_in.actor, [event], opened.now)
        return replace(opened.customer, deactivation_policy=policy)


async def _move(
    services: Services, caller: Caller | None, account_ids: Sequence[int], wanted: AccountStatus, kind: EventKind
) -> list[Account]:
    """Move accounts to a status. Those that have it already stay as they are."""
    async with services.database.write() as session:
        signed_in, opened, accounts = await _opened_accounts(services, session, caller, account_ids, deleted_too=True)
        moved = [account for account in accounts if account.status is not wanted]
        refusals: list[RuleError] = []
        for account in moved:
            try:
                check_account_move(account, wanted)
            except RuleError as refusal:
                refusals.append(refusal)
        returning = [account for account in moved if account.status is AccountStatus.DEACTIVATED]
        if wanted in COUNTED and returning and not refusals:
            refusals = await _room_refusals(session, opened, len(returning), "accountIds")
        _refuse(refusals)
        count = await counted_count(session, opened.customer.id)
        after = [_moved(account, wanted, opened.now) for account in moved]
        await _store_move(session, opened, moved, wanted)
        events = []
        for account in moved:
            count += (wanted in COUNTED) - (account.status in COUNTED)
            changes: dict[str, Change] = {"status": (account.status.value, wanted.value)}
            events.append(
                NewEvent(kind=kind, occurred_at=opened.now, changes=changes, account_id=account.id, counted_after=count)
            )
        await add_events(session, opened.customer.id, signed_in.actor, events, opened.now)
        current = {account.id: account for account in [*accounts, *after]}
        return [current[account.id] for account in accounts]


def _moved(account: Account, wanted: AccountStatus, now: datetime) -> Account:
    if wanted is AccountStatus.DELETED:
        return replace(account, status=wanted, name="", email=None)
    if account.status is AccountStatus.DEACTIVATED:
        return replace(account, status=wanted, counted_since=now, deactivated_at=None)
    return replace(account, status=wanted)


async def _store_move(session: AsyncSession, opened: Opened, moved: Sequence[Account], wanted: AccountStatus) -> None:
    ids = [account.id for account in moved]
    if wanted is AccountStatus.DELETED:
        await remove_members(session, ids)
        await change_accounts(session, ids, status=wanted.value, name="", email=None)
        return
    await change_accounts(session, ids, status=wanted.value)
    returning = [account.id for account in moved if account.status is AccountStatus.DEACTIVATED]
    if returning:
        await change_accounts(session, returning, counted_since=opened.now, deactivated_at=None)
        group = await built_in_group(session, opened.customer.id)
        await remove_members(session, returning, [group.id])


async def _opened_accounts(
    services: Services, session: AsyncSession, caller: Caller | None, account_ids: Sequence[int], *, deleted_too: bool
) -> tuple[Caller, Opened, list[Account]]:
    """The caller, and accounts of one customer in its reach, read inside the contract's lock and settled.

    Raises:
        AccountsOutOfRange: none are named, or too many.
        NotFound: one does not exist, is not for this caller, or is another customer's than the first.
    """
    signed_in = require(caller, Role.OWNER, Role.OPERATOR)
    if not 1 <= len(account_ids) <= ACCOUNTS_PER_REQUEST_MAX:
        raise AccountsOutOfRange(field="accountIds", accounts=len(account_ids), accounts_max=ACCOUNTS_PER_REQUEST_MAX)
    found = await accounts_by_id(session, account_ids)
    customer_id = found[account_ids[0]].customer_id if account_ids[0] in found else 0
    for index, id_ in enumerate(account_ids):
        account = found.get(id_)
        is_there = account is not None and (deleted_too or account.status is not AccountStatus.DELETED)
        if account is None or not is_there or not _reaches(signed_in, account.customer_id, customer_id):
            raise NotFound(field=f"accountIds[{index}]")
    session.expire_all()  # what was read before the lock may change while waiting for it
    opened = await open_customer(session, customer_id, services.clock)
    accounts = await accounts_by_id(session, account_ids)
    return signed_in, opened, [accounts[id_] for id_ in dict.fromkeys(account_ids)]


async def _room_refusals(session: AsyncSession, opened: Opened, requested: int, field: str) -> list[RuleError]:
    """The refusal of more accounts than are free today, if they are."""
    contract = opened.stored.contract if opened.stored else None
    capacity = capacity_on(contract, opened.today)
    counted = await counted_count(session, opened.customer.id)
    if counted + requested <= capacity:
        return []
    day = None
    if contract is not None:
        accounts = await counted_accounts(session, opened.customer.id)
        policy = opened.customer.deactivation_policy
        day = next_day_with_room(contract, accounts, policy, opened.customer, wanted=requested, today=opened.today)
    available = max(0, capacity - counted)
    return [
        CapacityExceeded(field=field, requested=requested, available=available, capacity=capacity, next_free_on=day)
    ]


async def _groups_by_name(session: AsyncSession, customer: Customer, names: Iterable[str]) -> dict[str, Group]:
    """The customer's groups of these names; those that there are not yet are made.

    Raises:
        GroupsOutOfRange: there would be too many.
    """
    wanted = set(names)
    if not wanted:
        return {}
    existing = {group.name: group for group in (await groups_of_customers(session, [customer.id]))[customer.id]}
    missing = sorted(wanted - set(existing))
    if missing and len(existing) + len(missing) > GROUPS_PER_CUSTOMER_MAX:
        raise GroupsOutOfRange(groups=len(existing) + len(missing), groups_max=GROUPS_PER_CUSTOMER_MAX)
    made = await add_groups(session, customer.id, missing)
    return {name: group for name, group in {**existing, **{item.name: item for item in made}}.items() if name in wanted}


def owner_of(caller: Caller | None, customer_id: int | None) -> tuple[Caller, int]:
    signed_in = require(caller, Role.OWNER, Role.OPERATOR)
    return signed_in, customer_in_reach(signed_in, customer_id)


def _reaches(caller: Caller, owner_id: int, customer_id: int) -> bool:
    """Whether a customer's object is in the caller's reach, and of the customer that is meant."""
    return owner_id == customer_id and (caller.role is not Role.OWNER or caller.customer_id == customer_id)


def _refuse(refusals: Sequence[RuleError]) -> None:
    if refusals:
        raise Refused(refusals[:ERRORS_MAX])


def _changed(account: Account, changes: dict[str, Change], now: datetime) -> NewEvent:
    return NewEvent(kind=EventKind.ACCOUNT_CHANGED, occurred_at=now, changes=changes, account_id=account.id)


def _names(groups: Sequence[Group] | None) -> str | None:
    return _joined([group.name for group in groups or ()])


def _joined(names: Iterable[str]) -> str | None:
    return "; ".join(sorted(set(names))) or None


def _truth(value: bool) -> str:
    return "true" if value else "false"
