"""The demo: four customers around today with people, tokens for every role, and example queries for GraphiQL."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from cli.demo_queries import tabs
from db.catalogue import all_plans
from db.contracts import add_contract
from db.customers import add_customer, customers_page
from domain.accounts import NewAccount
from domain.contracts import AdditionalLicence, BillingCycle, MainContract, Term
from domain.customers import Customer, CustomerKind
from domain.months import Period, ends_before
from domain.orders import PaymentMethod
from resolvers.access import Caller, Role
from resolvers.accounts import RegisterCommand, register
from resolvers.purchases import SpotItems
from resolvers.services import Services
from resolvers.spot_orders import CheckoutCommand, PlaceCommand, checkout, place
from resolvers.tokens import issue_token
from schema.relay import global_id

TOKENS_VALID_FOR = timedelta(days=30)

MID_CONTRACT = "Aoba Academy"
WITH_SPOTS = "Kaede Training"
ABOUT_TO_END = "Minato Language School"
STILL_FREE = "Sakura Cram School"

GIVEN_NAMES = [
    "Aoi",
    "Haruto",
    "Hina",
    "Itsuki",
    "Kenji",
    "Mei",
    "Minato",
    "Ren",
    "Rin",
    "Sakura",
    "Sota",
    "Tsumugi",
    "Yui",
    "Yuma",
    "Yuto",
    "Akari",
]
FAMILY_NAMES = [
    "Abe",
    "Endo",
    "Fujita",
    "Goto",
    "Hayashi",
    "Ito",
    "Kato",
    "Kimura",
    "Mori",
    "Nakano",
    "Ogawa",
    "Saito",
    "Sato",
    "Tanaka",
    "Ueda",
    "Yamada",
]


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo tells a newcomer: tokens by what they are for, and the customer to ask about."""

    tokens: dict[str, str]
    customer: Customer
    today: date

    @property
    def customer_id(self) -> str:
        """The customer's global id."""
        return str(global_id("Customer", self.customer.id))


async def prepare(services: Services) -> Demo:
    """Fill an empty database with the demo's customers, and issue fresh tokens.

    The database keeps tokens as hashes only, so each start needs new ones; older ones stay valid.
    """
    now = services.clock()
    async with services.database.read() as session:
        found = await customers_page(session, first=100, after=None, search=None)
    if not found:
        await _fill(services, now)
        async with services.database.read() as session:
            found = await customers_page(session, first=100, after=None, search=None)
    customer = next(item for item in found if item.name == MID_CONTRACT)
    tokens = {
        name: await issue_token(
            services.database,
            role=role,
            customer_id=customer_id,
            now=services.sign_in_clock(),
            valid_for=TOKENS_VALID_FOR,
        )
        for name, role, customer_id in (
            ("sales", Role.SALES, None),
            (f"owner of {customer.name}", Role.OWNER, customer.id),
            ("operator", Role.OPERATOR, None),
        )
    }
    return Demo(tokens, customer, customer.day_at(now))


async def _fill(services: Services, now: datetime) -> None:
    async with services.database.write() as session:
        names = (MID_CONTRACT, WITH_SPOTS, ABOUT_TO_END, STILL_FREE)
        first, second, third, _ = [
            await add_customer(
                session, name=name, kind=CustomerKind.CORPORATE, time_zone="Asia/Tokyo", currency="JPY", now=now
            )
            for name in names
        ]
        today = first.day_at(now)
        this_month = today.replace(day=1)
        # Mid-contract, with a renewal already ordered: spots may run across it.
        begin = _months_before(this_month, 5)
        renewal = Period(ends_before(begin, 12), ends_before(begin, 24))
        terms = (
            await _term(session, "STARTER", 3, Period(begin, renewal.starts_on), BillingCycle.ANNUAL),
            await _term(session, "STARTER", 4, renewal, BillingCycle.ANNUAL),
        )
        await add_contract(session, first.id, MainContract(terms), now)
        # With an additional licence, and spots below.
        period = Period(_months_before(this_month, 2), ends_before(_months_before(this_month, 2), 12))
        starter = await _term(session, "STARTER", 1, period, BillingCycle.MONTHLY)
        licence = AdditionalLicence(Period(ends_before(this_month, 1), period.ends_before), 200)
        await add_contract(session, second.id, MainContract((starter,), (licence,)), now)
        # About to end, not renewed: a spot of one month no longer fits.
        last = Period(_months_before(this_month, 12), today + timedelta(days=20))
        standard = await _term(session, "STANDARD", 2, last, BillingCycle.ANNUAL)
        await add_contract(session, third.id, MainContract((standard,)), now)
    operator = Caller(Role.OPERATOR, None)
    for accounts, starts_on, months in ((100, today, 2), (200, ends_before(this_month, 1), 3)):
        order = await place(
            services,
            operator,
            PlaceCommand(
                second.id, SpotItems(accounts, starts_on, months), services.settings.terms_version, str(uuid4())
            ),
        )
        total = order.charge.total_minor
        await checkout(services, operator, CheckoutCommand(order.id, PaymentMethod.INVOICE, total, str(uuid4())))
    for customer, prefix, count in ((first, "aoba", 240), (second, "kaede", 130)):
        await register(services, operator, RegisterCommand(customer.id, _people(prefix, count)))


def _people(prefix: str, count: int) -> tuple[NewAccount, ...]:
    names = [f"{given} {family}" for family in FAMILY_NAMES for given in GIVEN_NAMES]
    return tuple(
        NewAccount(f"{prefix}-{number:03}", names[number - 1], None, ("Teachers",) if number <= 10 else ("Learners",))
        for number in range(1, count + 1)
    )


def _months_before(first_of_month: date, months: int) -> date:
    index = first_of_month.year * 12 + first_of_month.month - 1 - months
    return date(index // 12, index % 12 + 1, 1)


async def _term(session: AsyncSession, plan_code: str, units: int, period: Period, cycle: BillingCycle) -> Term:
    plan = next(item for item in await all_plans(session) if item.code == plan_code)
    price = plan.price_on(period.starts_on)
    if price is None:
        raise LookupError(f"{plan_code} has no price on {period.starts_on}")
    return Term(
        period=period,
        plan_code=plan_code,
        units=units,
        accounts_per_unit=plan.accounts_per_unit,
        billing_cycle=cycle,
        monthly_unit_price_minor=price.monthly_unit_price_minor,
        annual_unit_price_minor=price.annual_unit_price_minor,
    )


def graphiql_config(demo: Demo, terms_version: str) -> dict[str, Any]:
    """The demo's token and example queries, one tab each. An operator may do all that is in them."""
    return {
        "token": demo.tokens["operator"],
        "notice": "Demo data on this machine only: try anything.",
        "tabs": tabs(demo.customer_id, demo.today, terms_version),
    }
