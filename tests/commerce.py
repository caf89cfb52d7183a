"""Purchases, documents and quotes for tests: the operations, and short ways to ask."""

from typing import Any

from resolvers.access import Role
from tests.world import Api, World

PURCHASE = """id number status paymentMethod paymentDueOn total { minorUnits } tax { minorUnits }
  spotOrders { id number status startsOn months accounts }
  contractOrders { id number kind status planCode units accounts startsOn endsBefore price { net { minorUnits } } }
  ledger { kind amount { minorUnits } }
  documents { id kind number refersTo dueOn total { minorUnits }
    taxSums { percent net { minorUnits } tax { minorUnits } }
    items { kind planName orderNumber accounts net { minorUnits } } }"""
ERRORS = """errors { __typename code field message
  ... on PriceChanged { expectedTotal currentTotal }
  ... on PaymentAmountDiffers { received expected }
  ... on RefundOutOfRange { amount amountMax }
  ... on RecommendationOutdated { savedVersion currentVersion changes }
  ... on QuoteNotOpen { quote status validUntil }
  ... on AccountsWouldNotFit { on accounts capacity }
  ... on RenewalInUse { spots licences contractEndsBefore }
  ... on ContractInForce { contractEndsBefore } }"""


def mutation(name: str, answer: str = f"purchase {{ {PURCHASE} }}") -> str:
    kind = name[0].upper() + name[1:]
    return f"mutation($input: {kind}Input!) {{ {name}(input: $input) {{ {answer} {ERRORS} }} }}"


CANCEL_RENEWAL = mutation("mainContractCancelRenewal", "mainContract { endsBefore }")
CHECKOUT = mutation("purchaseCheckout", f"purchase {{ {PURCHASE} }} clientSecret")
SAVE = f"""mutation($input: RecommendInput!) {{ recommendationSave(input: $input) {{
  recommendationId recommendation {{ contractVersion netTotal {{ minorUnits }} total {{ minorUnits }}
    orders {{ accounts }} }}
  {ERRORS} }} }}"""
QUOTE = """id number status validUntil total { minorUnits } purchaseId
  items { kind planName accounts months startsOn net { minorUnits } }"""
ISSUE = mutation("quoteIssue", f"quote {{ {QUOTE} }}")
AGREED = "2026-04-01"


async def asked(api: Api, token: str, query: str, **given: Any) -> dict[str, Any]:
    """The payload of a mutation."""
    payload: dict[str, Any] = next(iter((await api.data(query, token, input=given)).values()))
    return payload


async def accepted(api: Api, token: str, query: str, **given: Any) -> dict[str, Any]:
    """The payload of a mutation that must be accepted."""
    payload = await asked(api, token, query, **given)
    assert payload["errors"] == []
    return payload


async def refused(api: Api, token: str, query: str, **given: Any) -> list[dict[str, Any]]:
    """The errors of a mutation that must be refused."""
    errors: list[dict[str, Any]] = (await asked(api, token, query, **given))["errors"]
    assert errors != []
    return errors


async def ordered(api: Api, token: str, name: str, key: str = "order", **given: Any) -> dict[str, Any]:
    """The purchase of an order of the main contract."""
    payload = await accepted(
        api, token, mutation(name), **{"agreedTermsVersion": AGREED, "idempotencyKey": key, **given}
    )
    purchase: dict[str, Any] = payload["purchase"]
    return purchase


async def paid(
    api: Api, token: str, purchase: dict[str, Any], method: str = "INVOICE", key: str = "pay", **more: Any
) -> dict[str, Any]:
    """A purchase that is checked out at its own total."""
    payload = await accepted(
        api,
        token,
        CHECKOUT,
        purchaseId=purchase["id"],
        paymentMethod=method,
        expectedTotal=purchase["total"]["minorUnits"],
        idempotencyKey=key,
        **more,
    )
    result: dict[str, Any] = payload["purchase"]
    return result


async def purchase_of(api: Api, token: str, key: str) -> dict[str, Any]:
    """A purchase as it is now."""
    query = f"query($id: ID!) {{ node(id: $id) {{ ... on Purchase {{ {PURCHASE} }} }} }}"
    node: dict[str, Any] = (await api.data(query, token, id=key))["node"]
    return node


async def operator(world: World) -> str:
    return await world.token(Role.OPERATOR)


def amounts(purchase: dict[str, Any]) -> list[tuple[str, int]]:
    """A purchase's entries in the ledger."""
    return [(entry["kind"], entry["amount"]["minorUnits"]) for entry in purchase["ledger"]]
