"""What the steps of one use case share: its transaction, the opened customer, and who asked."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from db.history import add_events
from domain.contracts import MainContract
from domain.customers import Customer
from domain.history import Actor, NewEvent
from resolvers.services import Services
from resolvers.settling import Opened
from settings import Settings


@dataclass(frozen=True, slots=True)
class Work:
    """A use case under way: everything it does happens in this transaction, at this instant, or not at all."""

    services: Services
    session: AsyncSession
    opened: Opened
    actor: Actor

    @property
    def settings(self) -> Settings:
        return self.services.settings

    @property
    def customer(self) -> Customer:
        return self.opened.customer

    @property
    def contract(self) -> MainContract | None:
        return self.opened.contract

    @property
    def contract_id(self) -> int:
        return self.opened.locked.id

    @property
    def now(self) -> datetime:
        return self.opened.now

    @property
    def today(self) -> date:
        return self.opened.today

    async def log(self, *events: NewEvent) -> None:
        """Append events to the customer's history."""
        await add_events(self.session, self.customer.id, self.actor, events, self.now)
