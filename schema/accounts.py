"""Accounts and their groups: the objects and their connections."""

from asyncio import gather
from collections.abc import Iterable
from datetime import datetime

import strawberry

from db.accounts import AccountFilter
from db.groups import Group
from domain.accounts import Account as DomainAccount
from domain.accounts import AccountStatus
from resolvers.reads import Page
from schema.context import Info
from schema.relay import Node, PageInfo, cursor, global_id, page_info


@strawberry.type(description="A customer's group of accounts.")
class AccountGroup(Node):
    name: str = strawberry.field(description="The group's name.")
    is_built_in: bool = strawberry.field(
        description="Whether it is Auto Deactivation, which holds everybody whom a fall of capacity deactivated."
    )
    key: strawberry.Private[int]

    @strawberry.field(description="How many accounts are in it.")
    async def account_count(self, info: Info) -> int:
        return await info.context.group_sizes.load(self.key)


def account_group(group: Group) -> AccountGroup:
    """A stored group as AccountGroup."""
    return AccountGroup(
        id=global_id("AccountGroup", group.id), name=group.name, is_built_in=group.is_built_in, key=group.id
    )


@strawberry.type(description="A registered user of a customer.")
class Account(Node):
    external_id: str = strawberry.field(description="The platform's own id, unique among the customer's accounts.")
    name: str = strawberry.field(description="The person's name; empty once the account is deleted.")
    email: str | None = strawberry.field(description="The e-mail address. Null if there is none, or it is deleted.")
    status: AccountStatus = strawberry.field(description="Where the account stands.")
    can_sign_in: bool = strawberry.field(description="Whether the person may sign in: only while it is ACTIVE.")
    is_protected: bool = strawberry.field(
        description="Whether it goes after all others under the policy EXCESS_ONLY; other policies do not look at it."
    )
    registered_at: datetime = strawberry.field(description="When it was registered.")
    counted_since: datetime = strawberry.field(
        description="When it last began to count against capacity: when it was registered, or reactivated after a fall."
    )
    deactivated_at: datetime | None = strawberry.field(
        description="When a fall of capacity deactivated it. Null while it is not deactivated."
    )
    key: strawberry.Private[int]

    @strawberry.field(description="The groups it is in, in the order of their names.")
    async def groups(self, info: Info) -> list[AccountGroup]:
        return [account_group(group) for group in await info.context.account_groups.load(self.key)]


def account(item: DomainAccount) -> Account:
    """A stored account as Account."""
    return Account(
        id=global_id("Account", item.id),
        external_id=item.external_id,
        name=item.name,
        email=item.email,
        status=item.status,
        can_sign_in=item.can_sign_in,
        is_protected=item.is_protected,
        registered_at=item.registered_at,
        counted_since=item.counted_since,
        deactivated_at=item.deactivated_at if item.status is AccountStatus.DEACTIVATED else None,
        key=item.id,
    )


async def loaded_account(info: Info, account_id: int) -> Account:
    """An account that is known to exist, from the request's loader."""
    found = await info.context.accounts.load(account_id)
    if found is None:
        raise LookupError(f"there is no account {account_id}")
    return account(found)


async def loaded_accounts(info: Info, account_ids: Iterable[int]) -> list[Account]:
    """Accounts that are known to exist, in the same places, loaded together."""
    return await gather(*(loaded_account(info, account_id) for account_id in account_ids))


@strawberry.type(description="An account in a connection.")
class AccountEdge:
    cursor: str = strawberry.field(description="Where this account stands in the connection.")
    node: Account = strawberry.field(description="The account.")


@strawberry.type(description="A customer's accounts in the order of their names.")
class AccountConnection:
    edges: list[AccountEdge] = strawberry.field(description="The accounts of this page.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")
    customer_id: strawberry.Private[int]
    chosen: strawberry.Private[AccountFilter]

    @strawberry.field(description="How many accounts match in all. Counted only when asked for.")
    async def total_count(self, info: Info) -> int:
        return await info.context.account_totals.load(self.customer_id, self.chosen)


def account_connection(
    customer_id: int, chosen: AccountFilter, page: Page[DomainAccount], after: str | None
) -> AccountConnection:
    """A page of accounts as AccountConnection."""
    edges = [AccountEdge(cursor=cursor(item.name, item.id), node=account(item)) for item in page.items]
    info = page_info(edges, after, has_next=page.has_next)
    return AccountConnection(edges=edges, page_info=info, customer_id=customer_id, chosen=chosen)
