"""What tests of delivering webhooks share: a customer, a receiver, and short ways to let something happen."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import httpx
import pytest

from db.history import last_event_id
from domain.customers import DeactivationPolicy
from domain.history import Event, EventKind
from domain.webhooks import Endpoint, Outcome
from resolvers import accounts, reads, webhooks
from resolvers.access import Caller, Role
from resolvers.services import Services
from resolvers.webhook_delivery import deliver_all
from resolvers.webhook_sending import Sender
from tests.receiver import Receiver, receiving
from tests.world import Owned, TestClock, World, starter

OPERATOR = Caller(Role.OPERATOR, None)


@dataclass(frozen=True)
class Scene:
    """A customer, a receiver, and short ways to let something happen, to deliver, and to look."""

    services: Services
    world: World
    owner: Owned
    receiver: Receiver
    sender: Sender
    clock: TestClock

    async def endpoint(
        self, path: str = "/hook", owner: Owned | None = None, kinds: list[EventKind] | None = None
    ) -> Endpoint:
        """A new endpoint at the receiver."""
        customer_id = (owner or self.owner).customer.id
        return await webhooks.add(self.services, OPERATOR, customer_id, self.receiver.url(path), kinds)

    async def happened(self, count: int = 1, owner: Owned | None = None) -> list[str]:
        """The ids of the messages of so many new events."""
        customer_id = (owner or self.owner).customer.id
        ids = []
        for _ in range(count):
            [customer] = await reads.customers(self.services, [customer_id])
            assert customer is not None
            [policy] = set(DeactivationPolicy) - {customer.deactivation_policy}
            await accounts.set_policy(self.services, OPERATOR, customer_id, policy)
            async with self.services.database.read() as session:
                ids.append(f"evt_{await last_event_id(session, customer_id)}")
        return ids

    async def deliver(self) -> int:
        return await deliver_all(self.services, self.sender)

    async def current(self, endpoint: Endpoint) -> Endpoint:
        found = await webhooks.endpoint(self.services, OPERATOR, endpoint.id)
        assert found is not None
        return found

    async def pending(self, endpoint: Endpoint) -> int:
        return (await webhooks.pending(self.services, [endpoint.id]))[0]

    async def attempts(self, endpoint: Endpoint) -> list[tuple[str, int, int | None, str | None]]:
        """What is kept of the attempts, oldest first: message, attempt, status, error."""
        (page,) = await webhooks.delivery_pages(self.services, [endpoint.id], first=100, before_id=None)
        assert not page.has_next
        return [
            (f"evt_{item.event_id}", item.attempt, item.outcome.status_code, item.outcome.error)
            for item in reversed(page.items)
        ]


@asynccontextmanager
async def opened_scene(services: Services, clock: TestClock) -> AsyncIterator[Scene]:
    """A customer with a contract and a receiver; webhooks may go to this machine."""
    settings = replace(services.settings, webhook_http="allowed", webhook_private_networks="allowed")
    open_ = replace(services, settings=settings)
    world = World(open_)
    owner = await world.customer(starter())
    async with receiving() as receiver:
        yield Scene(open_, world, owner, receiver, Sender(settings), clock)


def meanwhile(scene: Scene, monkeypatch: pytest.MonkeyPatch, do: Callable[[], Awaitable[None]]) -> None:
    """Do something once, between an answer and its writing down."""
    original, done = scene.sender.send, False

    async def send(client: httpx.AsyncClient, endpoint: Endpoint, event: Event) -> Outcome:
        nonlocal done
        outcome = await original(client, endpoint, event)
        if not done:
            done = True
            await do()
        return outcome

    monkeypatch.setattr(scene.sender, "send", send)


def number(message_id: str) -> int:
    return int(message_id.removeprefix("evt_"))
