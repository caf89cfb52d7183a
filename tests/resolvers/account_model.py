"""An oracle for accounts and falls of capacity: the words of the rules, simulated day by day over lists and dicts.

It shares no code with what it judges. It knows nothing of locks and rows, nor of who writes something down and when:
here everything happens on the day it is due.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
ORDER_OPEN_FOR = timedelta(minutes=30)
BUILT_IN = "Auto Deactivation"

Refusal = tuple[str, dict[str, Any]]
"""The name of a rule that refuses, and its numbers."""
Entry = tuple[datetime, str, int, int, int]
"""An event: when, what, which account and order (0: none), and how many accounts counted then (-1: no change)."""


def months_after(day: date, months: int) -> date:
    """The corresponding day so many months later; where there is none, the first day of the month after."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    try:
        return date(year, month + 1, day.day)
    except ValueError:
        return months_after(date(year, month + 1, 1), 1)


@dataclass
class Person:
    id: int
    external_id: str
    since: datetime
    """When it last began to count."""
    groups: set[str]
    status: str = "ACTIVE"
    is_protected: bool = False
    out_at: datetime | None = None

    @property
    def counts(self) -> bool:
        return self.status in {"ACTIVE", "SUSPENDED"}

    @property
    def age(self) -> tuple[datetime, int]:
        """The newest has the largest; the larger id is the newer one of two that began together."""
        return self.since, self.id


@dataclass
class Share:
    """Accounts that a term, a licence or a spot gives, from a day until before another."""

    first: date
    end: date
    accounts: int
    known_at: datetime | None
    """None: an order that is not confirmed."""


@dataclass
class Order(Share):
    id: int
    placed_at: datetime
    cancelled_at: datetime | None = None

    @property
    def expires_at(self) -> datetime:
        return self.placed_at + ORDER_OPEN_FOR


@dataclass(frozen=True)
class Fall:
    """A day with less capacity than the day before, and who went: id, reason, status before; in their order."""

    on: date
    policy: str
    before: int
    after: int
    counted: int
    out: tuple[tuple[int, str, str], ...]


@dataclass
class Model:
    """One customer with its contract. ``today`` is the last day that has begun."""

    zone: ZoneInfo
    now: datetime
    terms: list[Share]
    today: date = date.min
    policy: str = "ALL_REGISTERED_DURING_SPOT"
    licences: list[Share] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    people: dict[int, Person] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    falls: list[Fall] = field(default_factory=list)
    counted_at_end_of: dict[date, int] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        # A contract may have begun before it is stored here, and fallen since; nobody counted then.
        self.today = min(self.terms[0].first, self.now.astimezone(UTC).date() - DAY)
        self.advance(self.now)

    # What is so now

    @property
    def spots(self) -> list[Order]:
        return [order for order in self.orders if order.known_at is not None and order.cancelled_at is None]

    @property
    def contract_ends(self) -> date:
        return self.terms[-1].end

    @property
    def has_ended(self) -> bool:
        return self.today >= self.contract_ends

    @property
    def counted(self) -> list[Person]:
        return [person for person in self.people.values() if person.counts]

    @property
    def free(self) -> int:
        return max(0, self.capacity(self.today) - len(self.counted))

    @property
    def shares(self) -> list[Share]:
        return [*self.terms, *self.licences, *self.spots]

    def capacity(self, day: date, known_at: datetime | None = None) -> int:
        """On a day; as was known at an instant where one is given."""
        if known_at is None:
            return sum(share.accounts for share in self.shares if share.first <= day < share.end)
        shares: list[Share] = [*self.terms, *self.licences]
        shares += [order for order in self.orders if order.cancelled_at is None or order.cancelled_at > known_at]
        return sum(
            share.accounts
            for share in shares
            if share.first <= day < share.end and share.known_at is not None and share.known_at <= known_at
        )

    def begins_at(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)

    def falls_on(self, day: date) -> bool:
        return self.capacity(day) < self.capacity(day - DAY)

    # Time

    def advance(self, to: datetime) -> None:
        """Let every day begin up to the instant's own."""
        while self.today < to.astimezone(self.zone).date():
            self.counted_at_end_of[self.today] = len(self.counted)
            self.today += DAY
            if self.falls_on(self.today):
                self._fall()
        self.now = to

    def _fall(self) -> None:
        room, counted, at = self.capacity(self.today), len(self.counted), self.begins_at(self.today)
        leaving = self._leaving(room)
        out = tuple((person.id, reason, person.status) for person, reason in leaving)
        self.falls.append(Fall(self.today, self.policy, self.capacity(self.today - DAY), room, counted, out))
        self.entries.append((at, "CAPACITY_FELL", 0, 0, -1))
        for person, _ in leaving:
            person.status, person.out_at = "DEACTIVATED", at
            person.groups.add(BUILT_IN)
            self.groups.add(BUILT_IN)
            self.entries.append((at, "ACCOUNT_DEACTIVATED", person.id, 0, counted - len(leaving)))

    def _leaving(self, room: int) -> list[tuple[Person, str]]:
        staying = sorted(self.counted, key=lambda person: person.age)
        if len(staying) <= room:
            return []
        leaving: list[tuple[Person, str]] = []
        ended = [spot for spot in self.spots if spot.end == self.today]
        if self.policy == "ALL_REGISTERED_DURING_SPOT" and ended:
            began_at = self.begins_at(min(spot.first for spot in ended))
            while staying and staying[-1].since >= began_at:
                leaving.append((staying.pop(), "REGISTERED_DURING_SPOT"))
        while len(staying) > room:
            candidates = staying
            if self.policy == "EXCESS_ONLY":
                candidates = [person for person in staying if not person.is_protected] or staying
            newest = candidates[-1]
            staying.remove(newest)
            leaving.append((newest, "NEWEST_OVER_CAPACITY"))
        return leaving

    def due(self) -> list[datetime]:
        """When time alone will move something, soonest first."""
        instants = [order.expires_at for order in self.orders if self.order_status(order) == "AWAITING_PAYMENT_METHOD"]
        for spot in self.spots:
            instants += [self.begins_at(spot.first), self.begins_at(spot.end)]
        instants += [self.begins_at(day) for day in self.fall_days()]
        return sorted({instant for instant in instants if instant > self.now})

    def fall_days(self) -> list[date]:
        """The days to come on which capacity falls, as far as is known."""
        ends = {share.end for share in self.shares}
        return [day for day in sorted(ends) if day > self.today and self.falls_on(day)]

    def upcoming(self) -> list[Fall]:
        """The falls to come if nothing else changes."""
        later = deepcopy(self)
        later.falls = []
        later.advance(max(self.now, self.begins_at(self.contract_ends)))
        return later.falls

    def next_free_on(self, wanted: int) -> date | None:
        """The first later day with room for so many more, if nothing else changes."""
        later = deepcopy(self)
        while later.today + DAY < self.contract_ends:
            later.advance(self.begins_at(later.today + DAY))
            if later.free >= wanted:
                return later.today
        return None

    # Accounts

    def room_refusals(self, wanted: int) -> list[Refusal]:
        if wanted <= self.free:
            return []
        capacity, day = self.capacity(self.today), self.next_free_on(wanted)
        numbers = {"requested": wanted, "available": self.free, "capacity": capacity, "next_free_on": day}
        return [("CapacityExceeded", numbers)]

    def register_refusals(self, external_ids: Sequence[str]) -> list[Refusal]:
        has = {person.external_id for person in self.people.values() if person.status != "DELETED"}
        taken = [
            ("ExternalIdTaken", {"external_id": external_id}) for external_id in external_ids if external_id in has
        ]
        return [*taken, *self.room_refusals(len(external_ids))]

    def register(self, id_: int, external_id: str, groups: Sequence[str]) -> None:
        self.people[id_] = Person(id_, external_id, self.now, set(groups))
        self.groups.update(groups)
        self._log("ACCOUNT_REGISTERED", id_)

    def move_refusals(self, people: Sequence[Person], wanted: str) -> list[Refusal]:
        """Why people cannot become ACTIVE, SUSPENDED or DELETED."""
        refusals: list[Refusal] = []
        for person in people:
            is_back = wanted == "SUSPENDED" and person.status == "DEACTIVATED"
            if (person.status == "DELETED" and wanted != "DELETED") or is_back:
                numbers = {"external_id": person.external_id, "status": person.status, "wanted": wanted}
                refusals.append(("AccountMoveRefused", numbers))
        returning = sum(person.status == "DEACTIVATED" for person in people)
        if wanted == "ACTIVE" and returning and not refusals:
            return self.room_refusals(returning)
        return refusals

    def move(self, people: Sequence[Person], wanted: str) -> None:
        kinds = {"ACTIVE": "ACCOUNT_REACTIVATED", "SUSPENDED": "ACCOUNT_SUSPENDED", "DELETED": "ACCOUNT_DELETED"}
        for person in [person for person in people if person.status != wanted]:
            if wanted == "DELETED":
                person.groups.clear()
            elif person.status == "DEACTIVATED":
                person.since, person.out_at = self.now, None
                person.groups.remove(BUILT_IN)
            person.status = wanted
            self._log(kinds[wanted], person.id)

    def protect(self, people: Sequence[Person], *, is_protected: bool) -> None:
        for person in [person for person in people if person.is_protected != is_protected]:
            person.is_protected = is_protected
            self.entries.append((self.now, "ACCOUNT_CHANGED", person.id, 0, -1))

    def change_groups(self, people: Sequence[Person], add: set[str], remove: set[str]) -> None:
        self.groups |= add
        for person in people:
            after = (person.groups - remove) | add
            if after != person.groups:
                self.entries.append((self.now, "ACCOUNT_CHANGED", person.id, 0, -1))
            person.groups = after

    def _log(self, kind: str, id_: int) -> None:
        self.entries.append((self.now, kind, id_, 0, len(self.counted)))

    # The contract and its spots

    def note(self, kind: str) -> None:
        """Log something that happened to the customer as a whole."""
        self.entries.append((self.now, kind, 0, 0, -1))

    def place_refusals(self, first: date, end: date) -> list[Refusal]:
        begins, ends = self.terms[0].first, self.contract_ends
        if self.has_ended:
            return [("NoPaidContract", {"contract_ended_before": ends})]
        refusals: list[Refusal] = []
        if first < begins:
            refusals.append(("StartsBeforeContract", {"starts_on": first, "contract_starts_on": begins}))
        if end > ends:
            refusals.append(("EndsAfterContract", {"ends_before": end, "contract_ends_before": ends}))
        return refusals

    def order_status(self, order: Order) -> str:
        if order.cancelled_at is not None:
            return "CANCELLED"
        if order.known_at is None:
            return "EXPIRED" if self.now >= order.expires_at else "AWAITING_PAYMENT_METHOD"
        if self.today >= order.end:
            return "ENDED"
        return "ACTIVE" if self.today >= order.first else "CONFIRMED"

    def order_refusals(self, order: Order, wanted: str) -> list[Refusal]:
        """Why an order cannot be CONFIRMED or CANCELLED."""
        status = self.order_status(order)
        if status == "AWAITING_PAYMENT_METHOD" or status == wanted == "CANCELLED":
            return []
        if status == "EXPIRED":
            return [("OrderExpired", {"expired_at": order.expires_at})]
        if (status, wanted) == ("CONFIRMED", "CANCELLED"):
            return self._taking_back_refusals(order)
        if wanted == "CONFIRMED" and order.known_at is not None:
            status = "CONFIRMED"  # paid is paid, wherever the order stands
        return [("OrderMoveRefused", {"status": status, "wanted": wanted})]

    def _taking_back_refusals(self, order: Order) -> list[Refusal]:
        """Nobody may have to go earlier than with the order."""
        goes_on = {id_: fall.on for fall in self.upcoming() for id_, _, _ in fall.out}
        without = deepcopy(self)
        next(item for item in without.orders if item.id == order.id).cancelled_at = self.now
        for fall in without.upcoming():
            if any(fall.on < goes_on.get(id_, date.max) for id_, _, _ in fall.out):
                numbers = {"on": fall.on, "accounts": fall.counted, "capacity": fall.after}
                return [("AccountsWouldNotFit", numbers)]
        return []

    def log(self) -> list[Entry]:
        """Everything that has happened, in the order of time."""
        return sorted([*self.entries, *(entry for order in self.orders for entry in self._order_log(order))])

    def _order_log(self, order: Order) -> Iterator[Entry]:
        moves = [(order.placed_at, "SPOT_ORDER_PLACED")]
        if order.known_at is not None:
            moves.append((order.known_at, "SPOT_ORDER_CONFIRMED"))
        if order.cancelled_at is not None:
            moves.append((order.cancelled_at, "SPOT_ORDER_CANCELLED"))
        elif order.known_at is not None:
            began_at, ended_at = self.begins_at(order.first), self.begins_at(order.end)
            # Who pays just after midnight gets a spot whose first day is over.
            moves.append((max(order.known_at, began_at), "SPOT_STARTED"))
            moves.append((max(order.known_at, ended_at), "SPOT_ENDED"))
        else:
            moves.append((order.expires_at, "SPOT_ORDER_EXPIRED"))
        return ((at, kind, 0, order.id, -1) for at, kind in moves if at <= self.now)
