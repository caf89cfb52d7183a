"""Terms and additional licences, recorded by operators: in the contract's lock, settled, and with an event each."""

from datetime import date

from db.contracts import add_licence, add_term, bring_forward, raise_version
from db.history import add_events
from domain.contracts import AdditionalLicence, MainContract, Term
from domain.errors import NoPaidContract
from domain.history import EventKind, NewEvent
from domain.months import Period
from resolvers.access import Caller, Role, require
from resolvers.services import Services
from resolvers.settling import Opened, open_customer


async def record_renewal(services: Services, caller: Caller | None, customer_id: int, term: Term) -> None:
    """Add a term that follows the last one.

    Raises:
        NoPaidContract: there is no contract to renew, or it has ended.
        ValueError: the term does not begin where the last one ends, or units differ in size.
        NotFound.
    """
    signed_in = require(caller, Role.OPERATOR)
    async with services.database.write() as session:
        opened = await open_customer(session, customer_id, services.clock)
        stored_id, contract = _in_force(opened)
        renewed = MainContract((*contract.terms, term), contract.additional_licences, contract.spots)
        await add_term(session, stored_id, renewed.terms[-1], contract.terms[-1], opened.now)
        await raise_version(session, stored_id)
        await bring_forward(session, stored_id, opened.customer.day_begins_at(term.period.starts_on))
        event = NewEvent(
            kind=EventKind.TERM_ADDED,
            occurred_at=opened.now,
            changes={
                "endsBefore": (str(contract.ends_before), str(renewed.ends_before)),
                "accounts": (str(contract.terms[-1].accounts), str(term.accounts)),
            },
        )
        await add_events(session, customer_id, signed_in.actor, [event], opened.now)


async def record_licence(
    services: Services, caller: Caller | None, customer_id: int, starts_on: date, units: int
) -> None:
    """Add units from a day, today or later, until the end of the term in force on it.

    Raises:
        NoPaidContract: there is no contract, or it has ended.
        ValueError: the day is over, or outside the contract, or there is no unit.
        NotFound.
    """
    signed_in = require(caller, Role.OPERATOR)
    async with services.database.write() as session:
        opened = await open_customer(session, customer_id, services.clock)
        stored_id, contract = _in_force(opened)
        if starts_on < opened.today or units < 1:
            raise ValueError(f"{units} units cannot be added from {starts_on}; today is {opened.today}")
        try:
            term = contract.term_on(starts_on)
        except LookupError as error:
            raise ValueError(str(error)) from None
        period = Period(starts_on, term.period.ends_before)
        licence = AdditionalLicence(period, units * term.accounts_per_unit)
        await add_licence(session, stored_id, licence, opened.now)
        await raise_version(session, stored_id)
        await bring_forward(session, stored_id, opened.customer.day_begins_at(period.ends_before))
        event = NewEvent(
            kind=EventKind.ADDITIONAL_LICENCE_ADDED,
            occurred_at=opened.now,
            changes={
                "accounts": (None, str(licence.accounts)),
                "startsOn": (None, str(period.starts_on)),
                "endsBefore": (None, str(period.ends_before)),
            },
        )
        await add_events(session, customer_id, signed_in.actor, [event], opened.now)


def _in_force(opened: Opened) -> tuple[int, MainContract]:
    stored = opened.stored
    if stored is None or stored.contract.has_ended(by=opened.today):
        raise NoPaidContract(contract_ended_before=stored.contract.ends_before if stored else None)
    return stored.id, stored.contract
