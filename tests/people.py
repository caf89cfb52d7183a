"""Accounts for tests: the operations about them, and short ways to ask."""

from collections.abc import Sequence
from typing import Any

from tests.world import Api

ERRORS = """errors { __typename code field message
  ... on CapacityExceeded { requested available capacity nextFreeOn }
  ... on ExternalIdTaken { externalId }
  ... on AccountMoveRefused { externalId status wanted }
  ... on AccountsOutOfRange { accounts accountsMax }
  ... on GroupReserved { group } }"""
ACCOUNT = "id externalId name email status canSignIn isProtected groups { name }"

REGISTER = f"""mutation Register($input: AccountRegisterInput!) {{
  accountRegister(input: $input) {{ accounts {{ {ACCOUNT} }} {ERRORS} }} }}"""
SUSPEND = f"""mutation Suspend($input: AccountSuspendInput!) {{
  accountSuspend(input: $input) {{ accounts {{ {ACCOUNT} }} {ERRORS} }} }}"""
REACTIVATE = f"""mutation Reactivate($input: AccountReactivateInput!) {{
  accountReactivate(input: $input) {{ accounts {{ {ACCOUNT} }} {ERRORS} }} }}"""
DELETE = f"""mutation Delete($input: AccountDeleteInput!) {{
  accountDelete(input: $input) {{ accounts {{ {ACCOUNT} }} {ERRORS} }} }}"""
PROTECT = f"""mutation Protect($input: AccountProtectInput!) {{
  accountProtect(input: $input) {{ accounts {{ {ACCOUNT} }} {ERRORS} }} }}"""
CHANGE_GROUPS = f"""mutation Groups($input: AccountGroupsChangeInput!) {{
  accountGroupsChange(input: $input) {{ accounts {{ {ACCOUNT} }} {ERRORS} }} }}"""
SIGN_IN = "query SignIn($who: String!, $customer: ID) { signInAllowed(externalId: $who, customerId: $customer) }"


def people(first: int, last: int, **more: Any) -> list[dict[str, Any]]:
    """New accounts u<first> to u<last>."""
    return [{"externalId": f"u{number}", "name": f"User {number:04}", **more} for number in range(first, last + 1)]


async def registered(api: Api, token: str, accounts: Sequence[dict[str, Any]], **more: Any) -> list[dict[str, Any]]:
    """Accounts whose registration must be accepted."""
    payload = (await api.data(REGISTER, token, input={"accounts": accounts, **more}))["accountRegister"]
    assert payload["errors"] == []
    found: list[dict[str, Any]] = payload["accounts"]
    return found


async def refused(api: Api, token: str, query: str, **given: Any) -> list[dict[str, Any]]:
    """The errors of a mutation about accounts that must be refused."""
    payload = next(iter((await api.data(query, token, input=given)).values()))
    assert payload["accounts"] == []
    errors: list[dict[str, Any]] = payload["errors"]
    assert errors != []
    return errors


async def may_sign_in(api: Api, token: str, who: str, **more: Any) -> bool:
    allowed: bool = (await api.data(SIGN_IN, token, who=who, **more))["signInAllowed"]
    return allowed
