"""The cheapest orders for a demand: read the contract, solve in no transaction, price the answer."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date

from db.catalogue import all_tax_rates
from db.contracts import StoredContract, contracts_by_customer
from db.customers import customers_by_id
from domain.contracts import MainContract
from domain.customers import Customer
from domain.errors import AmountTooLarge, NoPaidContract, NotFound, SecondsOutOfRange
from domain.money import MINOR_UNITS_MAX, Charge, TaxRate, charge, invoice_charges, tax_rate_on
from planner.answers import Answer
from planner.demand import DemandEntry, demand_from_csv, demand_from_events, demand_from_profile
from planner.problem import DemandStep, Outcome, PlanningProblem
from resolvers.access import Caller, customer_in_reach, require
from resolvers.fields import renamed
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
    earliest_start: date | None
    months_max: int | None
    orders_max: int | None
    accounts_per_order_max: int | None
    order_fee_minor: int
    budget_minor: int | None
    additional_licences: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A planner's outcome with tax, for one invoice over the whole plan."""

    customer: Customer
    stored: StoredContract
    outcome: Outcome
    from_cache: bool
    order_charges: tuple[Charge, ...]
    tax_minor: int


@dataclass(frozen=True, slots=True)
class _Question:
    """A problem for the planner, and what its answer is priced with."""

    customer: Customer
    stored: StoredContract
    rates: list[TaxRate]
    problem: PlanningProblem

    @property
    def version(self) -> tuple[int, int]:
        return self.stored.id, self.stored.version


async def recommend(services: Services, caller: Caller | None, command: RecommendCommand) -> Recommendation:
    """Ask the planner.

    Raises:
        NoPaidContract, SecondsOutOfRange, AmountTooLarge, and the errors of
        :class:`planner.problem.PlanningProblem` and of :mod:`planner.demand`.
        NotFound: no such customer for this caller.
        PlannerBusyError, PlannerInterruptedError, TooManySolvesError: trying again may succeed.
    """
    with services.turns.taken_by(require(caller)):
        question = await _question(services, caller, command)
        await services.database.let_go()
        return _priced(question, await services.answers.solve(question.version, question.problem, command.seconds))


async def recommendation_search(
    services: Services, caller: Caller | None, command: RecommendCommand
) -> AsyncGenerator[Recommendation, None]:
    """Ask the planner: better plans and bounds as they are found, then the final answer.

    Raises:
        as :func:`recommend`; AmountTooLarge only if the final plan is too large.
    """
    with services.turns.taken_by(require(caller)):
        question = await _question(services, caller, command)
        too_large: AmountTooLarge | None = None
        async with aclosing(services.answers.search(question.version, question.problem, command.seconds)) as answers:
            async for answer in answers:
                try:
                    recommendation = _priced(question, answer)
                except AmountTooLarge as error:
                    too_large = error
                else:
                    too_large = None
                    yield recommendation
        if too_large is not None:
            raise too_large


async def _question(services: Services, caller: Caller | None, command: RecommendCommand) -> _Question:
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
    return _Question(customer, stored, rates, _problem(command, stored.contract, today))


def _problem(command: RecommendCommand, contract: MainContract, today: date) -> PlanningProblem:
    return PlanningProblem(
        contract=contract,
        demand=command.demand.steps(contract),
        today=today,
        earliest_start=command.earliest_start or today,
        months_max=command.months_max,
        orders_max=command.orders_max,
        accounts_per_order_max=command.accounts_per_order_max,
        order_fee_minor=command.order_fee_minor,
        budget_minor=command.budget_minor,
        additional_licences=command.additional_licences,
    )


def _priced(question: _Question, answer: Answer) -> Recommendation:
    outcome = answer.outcome
    nets = [(order.net_minor, tax_rate_on(question.rates, order.period.starts_on)) for order in outcome.orders]
    with renamed({"accounts": "demand"}):
        invoice = invoice_charges(nets)
    if outcome.cost_minor > MINOR_UNITS_MAX:  # with the order fees, which are on no invoice
        raise AmountTooLarge(field="demand", amount=str(outcome.cost_minor), amount_max=MINOR_UNITS_MAX)
    return Recommendation(
        customer=question.customer,
        stored=question.stored,
        outcome=outcome,
        from_cache=answer.from_cache,
        order_charges=tuple(charge(net_minor, rate) for net_minor, rate in nets),
        tax_minor=sum(item.tax_minor for item in invoice),
    )
