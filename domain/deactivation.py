"""The days on which capacity falls, and who is deactivated then (page, rule 7 and pattern 04).

D1. A fall is a day whose capacity is lower than the day before's. Nobody is deactivated while all counted accounts fit.
D2. ``ALL_REGISTERED_DURING_SPOT``: of the accounts that do not fit, all that were registered during a spot contract
    that ends on this day are out, the page's own words.
D3. ``EXCESS_ONLY``: the newest are out, protected accounts after all others, until the rest fit.
D4. If the accounts exceed capacity after D2 (a smaller renewal, an ended additional licence), the newest are out until
    the rest fit.

An account was registered when it last began to count: one that was reactivated during a spot goes with that spot.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from itertools import pairwise

from domain.capacity import capacity_timeline
from domain.contracts import MainContract
from domain.customers import Customer, DeactivationPolicy
from domain.months import ONE_DAY, Period


class DeactivationReason(StrEnum):
    """Why an account was deactivated."""

    REGISTERED_DURING_SPOT = "REGISTERED_DURING_SPOT"
    NEWEST_OVER_CAPACITY = "NEWEST_OVER_CAPACITY"


@dataclass(frozen=True, slots=True)
class CountedAccount:
    """What the rule looks at in an account that counts against capacity."""

    id: int
    counted_since: datetime
    is_protected: bool

    @property
    def age_key(self) -> tuple[datetime, int]:
        """Rises from the oldest to the newest account."""
        return self.counted_since, self.id


@dataclass(frozen=True, slots=True)
class CapacityFall:
    """A day whose capacity is lower than the day before's, in accounts.

    ``spots_began_on`` is the first day of the longest spot that ends on it; None where none does.
    """

    on: date
    capacity_before: int
    capacity_after: int
    spots_began_on: date | None


@dataclass(frozen=True, slots=True)
class Deactivation:
    """Who a fall deactivates, and why."""

    account_id: int
    reason: DeactivationReason


@dataclass(frozen=True, slots=True)
class FallEffect:
    """A fall with everybody it deactivates, newest first, and how many accounts counted before it."""

    fall: CapacityFall
    counted_before: int
    deactivations: tuple[Deactivation, ...]

    @property
    def counted_after(self) -> int:
        return self.counted_before - len(self.deactivations)


def falls(contract: MainContract, *, after: date, until: date) -> tuple[CapacityFall, ...]:
    """The days after one day up to and including another on which capacity falls, in their order."""
    until = min(until, contract.ends_before, date.max - ONE_DAY)  # nothing falls after the end
    if after >= until:
        return ()
    steps = capacity_timeline(contract, Period(after, until + ONE_DAY))
    return tuple(
        CapacityFall(
            on=later.period.starts_on,
            capacity_before=earlier.accounts,
            capacity_after=later.accounts,
            spots_began_on=min(
                (spot.period.starts_on for spot in contract.spots if spot.period.ends_before == later.period.starts_on),
                default=None,
            ),
        )
        for earlier, later in pairwise(steps)
        if later.accounts < earlier.accounts
    )


def deactivated_by(
    fall: CapacityFall, counted: Sequence[CountedAccount], policy: DeactivationPolicy, customer: Customer
) -> tuple[Deactivation, ...]:
    """Who of the accounts that count goes on the day of a fall, newest first; they come in any order.

    ``customer`` says when its days begin.
    """
    excess = len(counted) - fall.capacity_after
    if excess <= 0:
        return ()
    newest_first = sorted(counted, key=lambda account: account.age_key, reverse=True)
    spot = 0
    if policy is DeactivationPolicy.EXCESS_ONLY:
        newest_first.sort(key=lambda account: account.is_protected)  # stable: newest first among each
    elif fall.spots_began_on is not None:
        began_at = customer.day_begins_at(fall.spots_began_on)
        spot = sum(account.counted_since >= began_at for account in counted)
    out = [
        Deactivation(
            account.id,
            DeactivationReason.REGISTERED_DURING_SPOT if index < spot else DeactivationReason.NEWEST_OVER_CAPACITY,
        )
        for index, account in enumerate(newest_first[: max(excess, spot)])
    ]
    return tuple(out)


def effects(
    contract: MainContract,
    counted: Sequence[CountedAccount],
    policy: DeactivationPolicy,
    customer: Customer,
    *,
    after: date,
    until: date,
) -> Iterator[FallEffect]:
    """What each fall after one day up to and including another does, if nothing else changes until then."""
    remaining = list(counted)
    for fall in falls(contract, after=after, until=until):
        out = deactivated_by(fall, remaining, policy, customer)
        yield FallEffect(fall, len(remaining), out)
        gone = {item.account_id for item in out}
        remaining = [account for account in remaining if account.id not in gone]


def next_day_with_room(
    contract: MainContract,
    counted: Sequence[CountedAccount],
    policy: DeactivationPolicy,
    customer: Customer,
    *,
    wanted: int,
    today: date,
) -> date | None:
    """The first day after today with room for so many more accounts, if nothing else changes; None if there is none."""
    tomorrow = today + ONE_DAY
    if tomorrow >= contract.ends_before:
        return None
    count_from = {
        effect.fall.on: effect.counted_after
        for effect in effects(contract, counted, policy, customer, after=today, until=contract.ends_before)
    }
    count = len(counted)
    for step in capacity_timeline(contract, Period(tomorrow, contract.ends_before)):
        count = count_from.get(step.period.starts_on, count)
        if count + wanted <= step.accounts:
            return step.period.starts_on
    return None
