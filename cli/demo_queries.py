"""The demo's example queries, as they stand in GraphiQL's tabs."""

import json
from datetime import date, timedelta
from typing import Any

from domain.months import ends_before

CUSTOMERS = """\
query Customers {
  viewer { role }
  customers(first: 10) {
    totalCount
    edges {
      node {
        id
        name
        mainContract {
          startsOn
          lastDay
          terms { planCode accounts startsOn lastDay }
        }
        spotOrders(first: 5) { edges { node { number status accounts startsOn lastDay } } }
      }
    }
  }
}
"""

CAPACITY = """\
query Capacity($id: ID, $from: Date!, $until: Date!) {
  customer(id: $id) {
    name
    capacityTimeline(from: $from, until: $until) { from until accounts }
  }
}
"""

RECOMMEND = """\
query Recommend($input: RecommendInput!) {
  spotPlanRecommend(input: $input) {
    status
    netTotal { amount }
    total { amount currency }
    lowerBound { amount }
    orders {
      startsOn
      lastDay
      months
      accounts
      price { net { amount } }
      reason
    }
    frontier { ordersMax cost { amount } proven }
    peaks { from until accounts cost { amount } }
    baselines { kind ordersCount saving { amount } }
    shortfalls { from until accountsMissing reason }
  }
}
"""

SEARCH = """\
# Answers while it searches: better plans and bounds, until the best is proven or the time is over.
subscription Search($input: RecommendInput!) {
  recommendationSearch(input: $input) {
    status
    cost { amount }
    lowerBound { amount }
    gap
    fewestProven
    orders { startsOn lastDay accounts }
    frontier { ordersMax cost { amount } lowerBound { amount } proven }
    fromCache
  }
}
"""

PREVIEW = """\
query Preview($input: SpotOrderInput!) {
  spotOrderPreview(input: $input) {
    lastDay
    price {
      net { amount }
      tax { amount }
      total { amount minorUnits }
    }
    capacityAfter { from until accounts }
    termsVersion
    refusals { code field message }
  }
}
"""

PLACE = """\
# Owners and operators order; sales may not. Then confirm with spotOrderCheckout:
# orderId, paymentMethod: INVOICE, expectedTotal (minor units), idempotencyKey.
mutation Place($input: SpotOrderPlaceInput!) {
  spotOrderPlace(input: $input) {
    order {
      id
      number
      status
      lastDay
      expiresAt
      price { total { minorUnits currency } }
    }
    errors {
      code
      field
      message
      ... on EndsAfterContract { endsBefore contractEndsBefore }
    }
  }
}
"""

ACCOUNTS = """\
query Accounts($id: ID) {
  customer(id: $id) {
    name
    accountCount
    upcomingCapacityFalls { on capacityBefore capacityAfter accountsAffected }
    accountGroups { name accountCount }
    accounts(first: 10) {
      totalCount
      edges { node { id externalId name status canSignIn groups { name } } }
    }
    events(first: 5) { edges { node { kind occurredAt actor countedAfter } } }
  }
}
"""

REGISTER = """\
# Refused as a whole where fewer accounts are free: the error says how many, and when there is room.
mutation Register($input: AccountRegisterInput!) {
  accountRegister(input: $input) {
    accounts { id externalId name status }
    errors {
      code
      field
      message
      ... on CapacityExceeded { requested available capacity nextFreeOn }
    }
  }
}
"""


def recommend_variables(customer_id: str, today: date) -> dict[str, Any]:
    """A season of trainings: total accounts needed over the next months."""
    begin = ends_before(today.replace(day=1), 1)
    peak = ends_before(begin, 1) + timedelta(days=9)
    after, end = peak + timedelta(days=24), peak + timedelta(days=80)
    steps = ((begin, peak, 450), (peak, after, 800), (after, end, 520))
    profile = [{"from": str(first), "until": str(until), "accounts": accounts} for first, until, accounts in steps]
    return {"input": {"customerId": customer_id, "demand": {"profile": profile}}}


def tabs(customer_id: str, today: date, terms_version: str) -> list[dict[str, str]]:
    """GraphiQL's tabs: title, query, and variables as JSON text."""
    begin = ends_before(today.replace(day=1), 1)
    items = {"customerId": customer_id, "accounts": 100, "startsOn": str(begin), "months": 1}
    window = {"id": customer_id, "from": str(today), "until": str(ends_before(begin, 12))}
    place = {**items, "agreedTermsVersion": terms_version, "idempotencyKey": f"my-order-of-{today}"}
    newcomers = [{"externalId": f"new-{number}", "name": f"Newcomer {number}", "groups": ["New"]} for number in (1, 2)]
    listed: list[tuple[str, str, dict[str, Any]]] = [
        ("Customers", CUSTOMERS, {}),
        ("Capacity", CAPACITY, window),
        ("Recommend", RECOMMEND, recommend_variables(customer_id, today)),
        ("Search", SEARCH, recommend_variables(customer_id, today)),
        ("Preview an order", PREVIEW, {"input": items}),
        ("Place an order", PLACE, {"input": place}),
        ("Accounts", ACCOUNTS, {"id": customer_id}),
        ("Register", REGISTER, {"input": {"customerId": customer_id, "accounts": newcomers}}),
    ]
    return [
        {"title": title, "query": query, "variables": json.dumps(variables, indent=2) if variables else ""}
        for title, query, variables in listed
    ]
