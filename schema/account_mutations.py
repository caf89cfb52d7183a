"""The mutations about accounts, their groups, and who goes when capacity falls."""

from typing import Annotated

import strawberry

from domain.accounts import Account as DomainAccount
from domain.accounts import NewAccount
from domain.customers import DeactivationPolicy
from resolvers import account_import as importing
from resolvers import accounts as use_cases
from resolvers.account_import import ImportCommand, ImportReport
from resolvers.accounts import RegisterCommand
from schema.accounts import Account, account
from schema.context import Info
from schema.errors import UserError, refusals_in_payload, user_error
from schema.relay import global_id, key_of

WHOSE = "Whose accounts. Owners may leave it out: it is their own customer."
KEY = "Any text of 1 to 200 characters, new for each request: sent again, it registers nobody twice."
WHICH = "The accounts: 1 to 1,000, all of one customer."


@strawberry.input(description="An account to register.")
class NewAccountInput:
    external_id: str = strawberry.field(description="The platform's own id: 1 to 200 characters, unique.")
    name: str = strawberry.field(description="The person's name: 1 to 200 characters.")
    email: str | None = strawberry.field(default=None, description="The e-mail address, if there is one.")
    groups: list[str] = strawberry.field(
        default_factory=list, description="Names of groups to be in, at most 50. Those that there are not yet are made."
    )


@strawberry.input(description="Accounts to register: all of them, or none.")
class AccountRegisterInput:
    customer_id: strawberry.ID | None = strawberry.field(default=None, description=WHOSE)
    accounts: list[NewAccountInput] = strawberry.field(description="1 to 1,000 accounts.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="A CSV text of accounts.")
class AccountImportInput:
    customer_id: strawberry.ID | None = strawberry.field(default=None, description=WHOSE)
    csv: str = strawberry.field(
        description="A line of column names (externalId, name and, as wanted, email and groups), then an account a"
        " line. Commas, semicolons or tabs separate cells, | separates groups."
    )
    skip_bad_lines: bool = strawberry.field(
        default=False, description="Whether the good lines are imported where others are bad. Otherwise none is."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="Accounts to suspend.")
class AccountSuspendInput:
    account_ids: list[strawberry.ID] = strawberry.field(description=WHICH)


@strawberry.input(description="Accounts to reactivate.")
class AccountReactivateInput:
    account_ids: list[strawberry.ID] = strawberry.field(description=WHICH)


@strawberry.input(description="Accounts to delete.")
class AccountDeleteInput:
    account_ids: list[strawberry.ID] = strawberry.field(description=WHICH)


@strawberry.input(description="Accounts to protect, or not any more.")
class AccountProtectInput:
    account_ids: list[strawberry.ID] = strawberry.field(description=WHICH)
    is_protected: bool = strawberry.field(description="Whether they go after all others under the policy EXCESS_ONLY.")


@strawberry.input(description="Groups that accounts enter and leave.")
class AccountGroupsChangeInput:
    account_ids: list[strawberry.ID] = strawberry.field(description=WHICH)
    add: list[str] = strawberry.field(
        default_factory=list, description="Names of groups to enter. Those that there are not yet are made."
    )
    remove: list[str] = strawberry.field(
        default_factory=list, description="Names of groups to leave; those of add are entered all the same."
    )


@strawberry.input(description="A group to delete.")
class AccountGroupDeleteInput:
    group_id: strawberry.ID = strawberry.field(description="The group. Its accounts stay.")


@strawberry.input(description="Who is deactivated when capacity falls.")
class DeactivationPolicySetInput:
    customer_id: strawberry.ID | None = strawberry.field(
        default=None, description="Whose policy. Owners may leave it out: it is their own customer."
    )
    policy: DeactivationPolicy = strawberry.field(description="The policy from now on.")


@strawberry.type
class Payload:
    """What the payloads of all account mutations have; the subclasses are the API's types."""

    errors: list[UserError] = strawberry.field(
        default_factory=list, description="The reasons for a refusal, at most 100; empty when all went well."
    )


@strawberry.type
class AccountsPayload(Payload):
    """What the payloads of mutations that name accounts have."""

    accounts: list[Account] = strawberry.field(
        default_factory=list, description="The accounts as they are now; empty when it was refused."
    )


@strawberry.type(description="The registered accounts, or why nobody was registered.")
class AccountRegisterPayload(AccountsPayload):
    pass


@strawberry.type(description="The suspended accounts, or why none was suspended.")
class AccountSuspendPayload(AccountsPayload):
    pass


@strawberry.type(description="The reactivated accounts, or why none was reactivated.")
class AccountReactivatePayload(AccountsPayload):
    pass


@strawberry.type(description="The deleted accounts, or why none was deleted.")
class AccountDeletePayload(AccountsPayload):
    pass


@strawberry.type(description="The accounts with their protection, or why nothing was changed.")
class AccountProtectPayload(AccountsPayload):
    pass


@strawberry.type(description="The accounts whose groups were changed, or why nothing was changed.")
class AccountGroupsChangePayload(AccountsPayload):
    pass


@strawberry.type(description="The group that was deleted, or why it was not.")
class AccountGroupDeletePayload(Payload):
    deleted_group_id: strawberry.ID | None = strawberry.field(
        default=None, description="The group's id. Null when it was refused."
    )


@strawberry.type(description="The policy, or why it was not set.")
class DeactivationPolicySetPayload(Payload):
    policy: DeactivationPolicy | None = strawberry.field(
        default=None, description="The policy from now on. Null when it was refused."
    )


@strawberry.type(description="A line of a CSV text that cannot be imported.")
class BadLine:
    line: int = strawberry.field(description="The line's number; the heading is on the first.")
    external_id: str = strawberry.field(description="The line's external id, as far as it can be read.")
    errors: list[UserError] = strawberry.field(description="Everything that is wrong with it.")


@strawberry.type(description="How an import went.")
class AccountImportPayload(Payload):
    lines: int = strawberry.field(default=0, description="How many accounts the text has.")
    imported: int = strawberry.field(default=0, description="How many were registered.")
    bad_lines: list[BadLine] = strawberry.field(default_factory=list, description="Every line that cannot be imported.")


def account_import_payload(report: ImportReport) -> AccountImportPayload:
    """A use case's report as AccountImportPayload."""
    return AccountImportPayload(
        errors=[user_error(refusal) for refusal in report.refusals],
        lines=report.lines,
        imported=report.imported,
        bad_lines=[
            BadLine(
                line=line.number,
                external_id=line.external_id,
                errors=[user_error(refusal) for refusal in line.refusals],
            )
            for line in report.bad_lines
        ],
    )


def customer_key(given: strawberry.ID | None) -> int | None:
    """The customer's key in an optional global id.

    Raises:
        NotFound: it is not a customer's id.
    """
    return key_of(given, "Customer", "customerId") if given is not None else None


def _keys(ids: list[strawberry.ID]) -> list[int]:
    return [key_of(text, "Account", f"accountIds[{index}]") for index, text in enumerate(ids)]


def _presented(items: list[DomainAccount]) -> list[Account]:
    return [account(item) for item in items]


@strawberry.type
class AccountMutations:
    """The part of Mutation about accounts."""

    @strawberry.mutation(
        description="Register accounts, all or none: refused with CapacityExceeded where fewer are free."
    )
    @refusals_in_payload(AccountRegisterPayload)
    async def account_register(
        self, info: Info, input: Annotated[AccountRegisterInput, strawberry.argument(description="The accounts.")]
    ) -> AccountRegisterPayload | None:
        entries = tuple(
            NewAccount(item.external_id, item.name, item.email, tuple(item.groups)) for item in input.accounts
        )
        command = RegisterCommand(customer_key(input.customer_id), entries, input.idempotency_key)
        found = await use_cases.register(info.context.services, info.context.caller, command)
        return AccountRegisterPayload(accounts=_presented(found))

    @strawberry.mutation(description="Register the accounts of a CSV text, with a report of every bad line.")
    @refusals_in_payload(AccountImportPayload)
    async def account_import(
        self, info: Info, input: Annotated[AccountImportInput, strawberry.argument(description="The text.")]
    ) -> AccountImportPayload | None:
        command = ImportCommand(customer_key(input.customer_id), input.csv, input.skip_bad_lines, input.idempotency_key)
        report = await importing.import_accounts(info.context.services, info.context.caller, command)
        return account_import_payload(report)

    @strawberry.mutation(description="Keep accounts from signing in. They count against capacity all the same.")
    @refusals_in_payload(AccountSuspendPayload)
    async def account_suspend(
        self, info: Info, input: Annotated[AccountSuspendInput, strawberry.argument(description="The accounts.")]
    ) -> AccountSuspendPayload | None:
        keys = _keys(input.account_ids)
        found = await use_cases.suspend(info.context.services, info.context.caller, keys)
        return AccountSuspendPayload(accounts=_presented(found))

    @strawberry.mutation(
        description="Let suspended accounts sign in again, and deactivated ones while capacity is free, all or none."
    )
    @refusals_in_payload(AccountReactivatePayload)
    async def account_reactivate(
        self, info: Info, input: Annotated[AccountReactivateInput, strawberry.argument(description="The accounts.")]
    ) -> AccountReactivatePayload | None:
        keys = _keys(input.account_ids)
        found = await use_cases.reactivate(info.context.services, info.context.caller, keys)
        return AccountReactivatePayload(accounts=_presented(found))

    @strawberry.mutation(description="Delete accounts for good: names and e-mail addresses are erased.")
    @refusals_in_payload(AccountDeletePayload)
    async def account_delete(
        self, info: Info, input: Annotated[AccountDeleteInput, strawberry.argument(description="The accounts.")]
    ) -> AccountDeletePayload | None:
        keys = _keys(input.account_ids)
        found = await use_cases.delete(info.context.services, info.context.caller, keys)
        return AccountDeletePayload(accounts=_presented(found))

    @strawberry.mutation(description="Say whether accounts are the last to go under the policy EXCESS_ONLY.")
    @refusals_in_payload(AccountProtectPayload)
    async def account_protect(
        self, info: Info, input: Annotated[AccountProtectInput, strawberry.argument(description="The accounts.")]
    ) -> AccountProtectPayload | None:
        found = await use_cases.protect(
            info.context.services, info.context.caller, _keys(input.account_ids), is_protected=input.is_protected
        )
        return AccountProtectPayload(accounts=_presented(found))

    @strawberry.mutation(description="Put accounts into groups and take them out of others.")
    @refusals_in_payload(AccountGroupsChangePayload)
    async def account_groups_change(
        self, info: Info, input: Annotated[AccountGroupsChangeInput, strawberry.argument(description="The change.")]
    ) -> AccountGroupsChangePayload | None:
        found = await use_cases.change_groups(
            info.context.services, info.context.caller, _keys(input.account_ids), input.add, input.remove
        )
        return AccountGroupsChangePayload(accounts=_presented(found))

    @strawberry.mutation(description="Delete a group. Its accounts stay.")
    @refusals_in_payload(AccountGroupDeletePayload)
    async def account_group_delete(
        self, info: Info, input: Annotated[AccountGroupDeleteInput, strawberry.argument(description="The group.")]
    ) -> AccountGroupDeletePayload | None:
        key = key_of(input.group_id, "AccountGroup", "groupId")
        group = await use_cases.remove_group(info.context.services, info.context.caller, key)
        return AccountGroupDeletePayload(deleted_group_id=global_id("AccountGroup", group.id))

    @strawberry.mutation(description="Say who is deactivated when capacity falls from now on.")
    @refusals_in_payload(DeactivationPolicySetPayload)
    async def deactivation_policy_set(
        self, info: Info, input: Annotated[DeactivationPolicySetInput, strawberry.argument(description="The policy.")]
    ) -> DeactivationPolicySetPayload | None:
        customer = await use_cases.set_policy(
            info.context.services, info.context.caller, customer_key(input.customer_id), input.policy
        )
        return DeactivationPolicySetPayload(policy=customer.deactivation_policy)
