"""Customers, contracts and callers for tests, and a small GraphQL client."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

from httpx import AsyncClient, Response

from db.contracts import StoredContract, add_contract
from db.customers import add_customer
from domain.contracts import AdditionalLicence, BillingCycle, MainContract, Term
from domain.customers import Customer, CustomerKind
from domain.months import Period
from resolvers.access import Role
from resolvers.services import Services
from resolvers.tokens import issue_token
from schema.relay import global_id


@dataclass
class TestClock:
    """A clock that stands still until it is set. It starts at noon in Tokyo on 10 April 2026."""

    __test__: ClassVar[bool] = False
    now: datetime = field(default_factory=lambda: datetime(2026, 4, 10, 3, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now


def period(starts_on: str, ends_before: str) -> Period:
    return Period(date.fromisoformat(starts_on), date.fromisoformat(ends_before))


def starter(  # the page's plan: 100 accounts a unit, 5,000 yen a month, 30,000 a year
    starts_on: str = "2026-04-01",
    ends_before: str = "2027-04-01",
    units: int = 1,
    monthly_unit_price_minor: int = 5_000,
) -> Term:
    return Term(
        period=period(starts_on, ends_before),
        plan_code="STARTER",
        units=units,
        accounts_per_unit=100,
        billing_cycle=BillingCycle.ANNUAL,
        monthly_unit_price_minor=monthly_unit_price_minor,
        annual_unit_price_minor=monthly_unit_price_minor * 6,
    )


@dataclass(frozen=True)
class Owned:
    """A customer with its contract and its owner's token."""

    customer: Customer
    stored: StoredContract | None
    token: str

    @property
    def id(self) -> str:
        return str(global_id("Customer", self.customer.id))


@dataclass(frozen=True)
class World:
    """Stores what a test needs through the real repositories."""

    services: Services

    async def customer(
        self,
        *terms: Term,
        name: str = "Aoba Academy",
        licences: tuple[AdditionalLicence, ...] = (),
        kind: CustomerKind = CustomerKind.CORPORATE,
        time_zone: str = "Asia/Tokyo",
    ) -> Owned:
        """A customer with these terms; on the Free plan without any."""
        stored = None
        async with self.services.database.write() as session:
            customer = await add_customer(
                session, name=name, kind=kind, time_zone=time_zone, currency="JPY", now=self.services.clock()
            )
            if terms:
                stored = await add_contract(session, customer.id, MainContract(terms, licences), self.services.clock())
        return Owned(customer, stored, await self.token(Role.OWNER, customer.id))

    async def token(
        self, role: Role, customer_id: int | None = None, valid_for: timedelta = timedelta(days=3_650)
    ) -> str:
        return await issue_token(
            self.services.database,
            role=role,
            customer_id=customer_id,
            now=self.services.clock(),
            valid_for=valid_for,
        )


@dataclass(frozen=True)
class Api:
    """Sends operations and returns the answers as they are."""

    client: AsyncClient

    async def post(self, query: str, token: str | None = None, **variables: Any) -> Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await self.client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)

    async def data(self, query: str, token: str | None = None, **variables: Any) -> dict[str, Any]:
        """The data of an operation that must have no errors."""
        answer = (await self.post(query, token, **variables)).json()
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    async def error(self, query: str, token: str | None = None, **variables: Any) -> dict[str, Any]:
        """The extensions and message of the one top-level error that an operation must have."""
        answer = (await self.post(query, token, **variables)).json()
        assert len(answer["errors"]) == 1, answer
        error = answer["errors"][0]
        return {"message": error["message"], **error["extensions"]}


PLACE = """
mutation Place($input: SpotOrderPlaceInput!) {
  spotOrderPlace(input: $input) {
    order { id number status accounts units months startsOn endsBefore lastDay expiresAt
            price { net { minorUnits } tax { minorUnits } total { minorUnits amount currency } } }
    errors { __typename code field message
      ... on AccountsNotMultiple { accounts accountsPerUnit }
      ... on StartsInThePast { startsOn today }
      ... on StartsBeforeContract { startsOn contractStartsOn }
      ... on EndsAfterContract { endsBefore contractEndsBefore }
      ... on NoPaidContract { contractEndedBefore }
      ... on TermsNotAgreed { agreedVersion currentVersion }
      ... on MonthsOutOfRange { months monthsMax }
      ... on IdempotencyKeyReused { key } }
  }
}"""

CHECKOUT = """
mutation Checkout($input: SpotOrderCheckoutInput!) {
  spotOrderCheckout(input: $input) {
    order { id number status paymentMethod paymentDueOn confirmedAt }
    errors { __typename code field message
      ... on PriceChanged { expectedTotal currentTotal }
      ... on PaymentMethodUnavailable { method available }
      ... on OrderMoveRefused { status wanted }
      ... on OrderExpired { expiredAt }
      ... on EndsAfterContract { endsBefore contractEndsBefore } }
  }
}"""

CANCEL = """
mutation Cancel($input: SpotOrderCancelInput!) {
  spotOrderCancel(input: $input) {
    order { id status cancelledAt }
    errors { __typename code field message ... on OrderMoveRefused { status wanted } }
  }
}"""


def place_input(key: str = "key-1", **changes: Any) -> dict[str, Any]:
    """The page's example: 100 more accounts for one month from 1 May 2026."""
    return {
        "accounts": 100,
        "startsOn": "2026-05-01",
        "months": 1,
        "agreedTermsVersion": "2026-04-01",
        "idempotencyKey": key,
        **changes,
    }


async def placed(api: Api, token: str, key: str = "key-1", **changes: Any) -> dict[str, Any]:
    """An order that must be accepted."""
    payload = (await api.data(PLACE, token, input=place_input(key, **changes)))["spotOrderPlace"]
    assert payload["errors"] == []
    order: dict[str, Any] = payload["order"]
    return order


async def confirmed(api: Api, token: str, key: str = "key-1", **changes: Any) -> dict[str, Any]:
    """An order that is placed and paid by invoice."""
    order = await placed(api, token, key, **changes)
    payload = await checked_out(api, token, order, key=f"pay-{key}")
    assert payload["errors"] == []
    paid: dict[str, Any] = payload["order"]
    return paid


async def checked_out(
    api: Api, token: str, order: dict[str, Any], key: str = "pay-1", **changes: Any
) -> dict[str, Any]:
    """The payload of a checkout by invoice at the order's own total."""
    total = order["price"]["total"]["minorUnits"]
    given = {"orderId": order["id"], "paymentMethod": "INVOICE", "expectedTotal": total, "idempotencyKey": key}
    payload: dict[str, Any] = (await api.data(CHECKOUT, token, input={**given, **changes}))["spotOrderCheckout"]
    return payload
