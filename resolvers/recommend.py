"""The cheapest spot contracts for a demand: read the contract, solve in no transaction, price the answer."""

from dataclasses import dataclass
from datetime import date

from db.catalogue import all_tax_rates
from db.contracts import StoredContract, contracts_by_customer
from db.customers import customers_by_id
from domain.contracts import MainContract
from domain.customers import Customer
from domain.errors import NoPaidContract, NotFound, SecondsOutOfRange
from domain.money import Charge, TaxRate, charge, invoice_charges, tax_rate_on
from planner.demand import DemandEntry, demand_from_csv, demand_from_events, demand_from_profile
from planner.problem import DemandStep, Outcome, PlanningProblem
from resolvers.access import Caller, customer_in_reach, require
from resolvers.services import Services

SECONDS_MIN = 0.05
SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Demand:
    """What is needed, in exactly one of three forms."""

    profile: tuple[DemandEntry, ...] | None = None
    events: tuple[DemandEntry, ...] | None = None
    csv: str | None = None

    def steps(self, contract: MainContract) -> tuple[DemandStep, ...]:
        """Total accounts per day, as the planner takes them; errors as in :mod:`planner.demand`."""
        if self.profile is not None:
            return demand_from_profile(self.profile)
        if self.events is not None:
            return demand_from_events(self.events, contract)
        return demand_from_csv(self.csv or "")


@dataclass(frozen=True, slots=True)
class RecommendCommand:
    """A question to the planner and the limits of its answer."""

    customer_id: int | None
    demand: Demand
    months_max: int | None
    earliest_start: date | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A planner's outcome with tax, for one invoice over the whole plan."""

    customer: Customer
    stored: StoredContract
    outcome: Outcome
    order_charges: tuple[Charge, ...]
    net_minor: int
    tax_minor: int


async def recommend(services: Services, caller: Caller | None, command: RecommendCommand) -> Recommendation:
    """Ask the planner.

    Raises:
        NoPaidContract, SecondsOutOfRange, MonthsOutOfRange, EarliestStartInThePast, HorizonTooLong,
        AmountTooLarge, and the errors of :mod:`planner.demand`.
        NotFound: no such customer for this caller.
        PlannerBusyError, PlannerInterruptedError: trying again may succeed.
    """
    customer_id = customer_in_reach(require(caller), command.customer_id)
    if not SECONDS_MIN <= command.seconds <= SECONDS_MAX:
        raise SecondsOutOfRange(seconds=command.seconds, seconds_min=SECONDS_MIN, seconds_max=SECONDS_MAX)
    async with services.database.read() as session:
        customer = (await customers_by_id(session, [customer_id])).get(customer_id)
        stored = (await contracts_by_customer(session, [customer_id])).get(customer_id)
        rates = await all_tax_rates(session)
    if customer is None:
        raise NotFound(field="customerId")
    today = customer.day_at(services.clock())
    if stored is None or stored.contract.has_ended(by=today):
        raise NoPaidContract(contract_ended_before=stored.contract.ends_before if stored else None)
    problem = PlanningProblem(
        contract=stored.contract,
        demand=command.demand.steps(stored.contract),
        today=today,
        earliest_start=command.earliest_start or today,
        months_max=command.months_max,
    )
    outcome = await services.planner.solve(problem, command.seconds)
    return _priced(customer, stored, outcome, rates)


def _priced(customer: Customer, stored: StoredContract, outcome: Outcome, rates: list[TaxRate]) -> Recommendation:
    nets = [(order.net_minor, tax_rate_on(rates, order.period.starts_on)) for order in outcome.orders]
    invoice = invoice_charges(nets)
    return Recommendation(
        customer=customer,
        stored=stored,
        outcome=outcome,
        order_charges=tuple(charge(net_minor, rate) for net_minor, rate in nets),
        net_minor=outcome.net_minor,
        tax_minor=sum(item.tax_minor for item in invoice),
    )
