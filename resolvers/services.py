"""What every use case works with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from db.clock import start_clock, stored_now
from db.engine import Database
from domain.documents import Issuer
from payments.choose import provider_of
from payments.provider import PaymentProvider
from planner.answers import Answers
from planner.workers import PlannerPool
from resolvers.identity import OpenIdProvider
from resolvers.observed import ObservedPool
from resolvers.turns import Turns
from settings import SettingInvalidError, Settings

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The current instant, in UTC."""
    return datetime.now(UTC)


class SettableClock:
    """A clock that stands still until it is set, for customers' integration tests. Its instant is in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._now: datetime | None = None

    def __call__(self) -> datetime:
        """The instant at the last refresh.

        Raises:
            RuntimeError: it was never refreshed.
        """
        if self._now is None:
            raise RuntimeError("the test clock must be refreshed before it is read")
        return self._now

    async def refresh(self) -> None:
        """Read what any process has set; the first one ever starts it at the current instant."""
        async with self._database.read() as session:
            now = await stored_now(session)
        if now is None:
            async with self._database.write() as session:
                await start_clock(session, system_clock())
                now = await stored_now(session)
        self._now = now


@dataclass(frozen=True, slots=True)
class Services:
    """The running parts: settings, database, planner with its answers, and the clock through which time enters."""

    settings: Settings
    database: Database
    planner: PlannerPool
    clock: Clock = system_clock
    cards: PaymentProvider | None = None
    identity: OpenIdProvider | None = None
    answers: Answers = field(init=False)
    turns: Turns = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "answers", Answers(ObservedPool(self.planner), self.settings.planner_cache_rows_max))
        object.__setattr__(self, "turns", Turns(self.settings.solves_per_caller_max))

    @classmethod
    def open(cls, settings: Settings) -> "Services":
        """Services as the settings say; nothing is connected or started yet.

        Raises:
            SettingInvalidError: there is no such payment provider, or it lacks a secret; or the issuer's registration
                number is not one.
        """
        try:
            issuer_of(settings)
            cards = _cards_of(settings)
        except ValueError as error:
            raise SettingInvalidError(f"SPOTPLAN settings: {error}") from None
        database = Database(settings.database_url, settings.database_pool_size)
        return cls(
            settings,
            database,
            PlannerPool(settings.planner_workers, settings.planner_waiting_max),
            system_clock if settings.clock == "system" else SettableClock(database),
            cards,
            OpenIdProvider(settings, monotonic) if settings.oidc_issuer else None,
        )

    @property
    def takes_cards(self) -> bool:
        """Whether a payment provider is set."""
        return self.cards is not None

    async def refresh_clock(self) -> None:
        """Read the test clock again, where there is one: at the start of everything that asks for the time."""
        if isinstance(self.clock, SettableClock):
            await self.clock.refresh()

    def sign_in_clock(self) -> datetime:
        """The instant that tokens are judged by: the test clock's years must not end them."""
        return system_clock() if isinstance(self.clock, SettableClock) else self.clock()

    async def close(self) -> None:
        """Stop the planner's workers and close every connection."""
        await self.planner.close()
        if self.cards is not None:
            await self.cards.close()
        if self.identity is not None:
            await self.identity.close()
        await self.database.close()


def issuer_of(settings: Settings) -> Issuer:
    """Who issues documents, as the settings say.

    Raises:
        ValueError: the registration number is not one.
    """
    return Issuer(
        settings.issuer_name,
        settings.issuer_postal_code,
        settings.issuer_address,
        settings.issuer_registration_number,
        settings.issuer_bank_account,
    )


def _cards_of(settings: Settings) -> PaymentProvider | None:
    return provider_of(
        settings.payment_provider,
        stripe_api_key=settings.stripe_api_key,
        stripe_webhook_secret=settings.stripe_webhook_secret,
        stripe_base=settings.stripe_base,
        demo_secret=settings.demo_payment_secret,
        demo_journal=Path(settings.demo_payment_journal),
    )
