"""A customer beside its oracle, in a database that many examples share: how both begin, wait, and are compared."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant
from sqlalchemy import update

from db.contracts import add_contract
from db.customers import add_customer
from db.tables import MainContractRow
from domain.accounts import NewAccount
from domain.capacity import capacity_on
from domain.contracts import MainContract
from domain.customers import Customer, CustomerKind, DeactivationPolicy
from domain.errors import Refused, RuleError
from resolvers import account_reads, accounts, reads
from resolvers.access import Caller, Role
from resolvers.services import Services
from resolvers.settling import settle_all
from tests.resolvers.account_model import DAY, Entry, Model, Person, Refusal, Share, months_after
from tests.resolvers.account_rows import Rows, rows_of
from tests.world import TestClock, starter

T = TypeVar("T")
MICROSECOND = timedelta(microseconds=1)
UNIT = 2
"""Accounts a unit: so few that capacity is nearly always used up."""
# Ends of months, leap days, and the days on which New York changes its clocks.
BEGINNINGS = (
    "2026-04-10 12:00",
    "2026-03-07 23:50",
    "2026-10-31 23:40",
    "2027-12-31 23:45",
    "2028-01-28 09:00",
    "2028-01-29 00:00",
    "2028-01-30 23:59",
    "2028-01-31 18:00",
    "2028-02-29 06:00",
    "2028-03-31 12:00",
)
ZONES = ("Asia/Tokyo", "America/New_York", "Pacific/Kiritimati")


@dataclass
class House:
    """One database for all examples: each has a customer of its own, and a clock that starts again."""

    services: Services
    clock: TestClock
    runner: asyncio.Runner
    seen: Counter[str] = field(default_factory=Counter)
    """How often something happened in all examples."""

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(call)


class CustomerMachine(RuleBasedStateMachine):
    """After each step that wrote something down, the rows are what the oracle says."""

    customer: Customer
    owner: Caller
    model: Model

    def __init__(self, house: House) -> None:
        super().__init__()
        self.house, self.services, self.seen = house, house.services, house.seen
        self.is_begun = False
        self.is_written = False
        """Whether a use case has written down what time has moved up to now."""
        self.unwritten: list[Entry] = []
        """What the last step itself made due."""
        self.steps = 0
        self.numbers = 0

    @initialize(
        zone=st.sampled_from(ZONES),
        begins=st.sampled_from(BEGINNINGS),
        ago=st.sampled_from((0, 0, 0, 1, 30, 200, -3)),
        units=st.integers(1, 3),
        lengths=st.lists(st.sampled_from((12, 2, 24, 3, 30)), min_size=1, max_size=2),
        policy=st.sampled_from(DeactivationPolicy),
    )
    def begin(
        self, *, zone: str, begins: str, ago: int, units: int, lengths: list[int], policy: DeactivationPolicy
    ) -> None:
        """A customer with a first term, and perhaps a smaller one that follows."""
        now = datetime.fromisoformat(begins).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        self.house.clock.now = now
        first = date.fromisoformat(begins[:10]) - ago * DAY
        terms = []
        for length in lengths:
            end = months_after(first, length)
            terms.append(replace(starter(str(first), str(end), units), accounts_per_unit=UNIT))
            first, units = end, max(1, units - 1)
        self.customer = self.house.run(self._stored(zone, MainContract(tuple(terms)), now))
        self.owner = Caller(Role.OWNER, self.customer.id)
        shares = [Share(term.period.starts_on, term.period.ends_before, term.accounts, now) for term in terms]
        self.model = Model(ZoneInfo(zone), now, shares)
        self.is_begun = True
        self.choose_policy(policy)

    async def _stored(self, zone: str, contract: MainContract, now: datetime) -> Customer:
        async with self.services.database.write() as session:
            customer = await add_customer(
                session, name="Aoba", kind=CustomerKind.CORPORATE, time_zone=zone, currency="JPY", now=now
            )
            await add_contract(session, customer.id, contract, now)
            return customer

    def teardown(self) -> None:
        if self.is_begun:
            self.house.run(self.set_due_at(None))  # the next example's workers are to find its own customer only
            self.seen["examples"] += 1
            self.seen["falls without effect"] += sum(not fall.out for fall in self.model.falls)
            self.seen["falls with effect"] += sum(bool(fall.out) for fall in self.model.falls)
            reasons = [reason for fall in self.model.falls for _, reason, _ in fall.out]
            self.seen.update(f"{fall.policy} with effect" for fall in self.model.falls if fall.out)
            self.seen.update(reasons)

    async def set_due_at(self, due_at: datetime | None) -> None:
        row = MainContractRow
        async with self.services.database.write() as session:
            await session.execute(update(row).where(row.customer_id == self.customer.id).values(due_at=due_at))

    def set_clock(self, to: datetime) -> None:
        falls = len(self.model.falls)
        self.model.advance(to)
        self.house.clock.now = to
        self.is_written = False
        self.seen["several falls at once"] += len(self.model.falls) - falls > 1

    def next_number(self) -> int:
        self.numbers += 1
        return self.numbers

    def ask(self, call: Coroutine[Any, Any, T], expected: Sequence[Refusal] = ()) -> T | None:
        """What a use case answers; it must be refused for exactly the expected reasons."""
        errors: Sequence[RuleError] = ()
        result: T | None = None
        try:
            result = self.house.run(call)
        except Refused as refused:
            errors = refused.errors
        except RuleError as refusal:
            errors = [refusal]
        assert [(type(error).__name__, error.data) for error in errors] == list(expected)
        for name, numbers in expected:
            self.seen[name] += 1
            self.seen["CapacityExceeded, later free"] += numbers.get("next_free_on") is not None
        if not expected:
            # A refused request is undone as a whole, with all that it had written down before.
            self.is_written, self.unwritten = True, []
        return result

    def register(self, external_ids: Sequence[str], groups: Sequence[str] = (), workers: int = 0) -> None:
        entries = tuple(NewAccount(external_id, "Somebody", groups=tuple(groups)) for external_id in external_ids)
        command = accounts.RegisterCommand(self.customer.id, entries)
        refusals = self.model.register_refusals(external_ids)
        call = accounts.register(self.services, self.owner, command)
        made = self.ask(self._beside_workers(call, workers), refusals)
        ids = [account.id for account in made or ()]
        assert ids == sorted(ids)
        for id_, external_id in zip(ids, external_ids if made else (), strict=True):
            self.model.register(id_, external_id, groups)

    async def _beside_workers(self, call: Coroutine[Any, Any, T], workers: int) -> T:
        working = [asyncio.create_task(settle_all(self.services)) for _ in range(workers)]
        try:
            return await call
        finally:
            await asyncio.gather(*working)

    def new_ids(self, count: int) -> list[str]:
        return [f"u{self.next_number()}" for _ in range(count)]

    def move(self, people: list[Person], wanted: str) -> None:
        use_case = {"ACTIVE": accounts.reactivate, "SUSPENDED": accounts.suspend, "DELETED": accounts.delete}[wanted]
        refusals = self.model.move_refusals(people, wanted)
        self.ask(use_case(self.services, self.owner, [person.id for person in people]), refusals)
        if not refusals:
            returning = sum(person.status == "DEACTIVATED" for person in people)
            self.seen["reactivated"] += returning if wanted == "ACTIVE" else 0
            self.model.move(people, wanted)

    def protect(self, people: Sequence[Person], *, is_protected: bool) -> None:
        refusals = self.deleted(people)
        ids = [person.id for person in people]
        self.ask(accounts.protect(self.services, self.owner, ids, is_protected=is_protected), refusals)
        if not refusals:
            self.model.protect(people, is_protected=is_protected)

    @staticmethod
    def deleted(people: Sequence[Person]) -> list[Refusal]:
        """The refusal of steps that deleted accounts cannot take, as if there were none."""
        return [("NotFound", {})] if any(person.status == "DELETED" for person in people) else []

    def choose_policy(self, policy: DeactivationPolicy) -> None:
        self.ask(accounts.set_policy(self.services, self.owner, self.customer.id, policy))
        if self.model.policy != policy.value:
            self.model.policy = policy.value
            self.model.note("POLICY_CHANGED")

    # What holds after every step

    @invariant()
    def rows_are_what_the_oracle_says(self) -> None:
        self.steps += 1
        self.seen["steps"] += 1
        due = self.model.due()
        rows = self.house.run(rows_of(self.services.database, self.customer.id))
        assert not due or (rows.due_at is not None and rows.due_at <= due[0])
        if self.is_written:
            self.seen["steps compared"] += 1
            self._check_rows(rows)
            if self.steps % 2:
                self.house.run(self._check_the_past())

    def _check_rows(self, rows: Rows) -> None:
        model = self.model
        assert rows.due_at is None or rows.due_at > model.now or self.unwritten
        capacity = capacity_on(rows.contract, model.today)
        assert capacity == model.capacity(model.today)
        assert rows.people == model.people
        assert sum(person.counts for person in rows.people.values()) <= capacity
        assert rows.groups == model.groups
        assert rows.falls == model.falls
        assert sorted(rows.log) == [entry for entry in model.log() if entry not in self.unwritten]
        instants = [at for at, *_ in rows.log]
        assert instants == sorted(instants)  # it was stored in the order in which it happened

    async def _check_the_past(self) -> None:
        """Now one thing of it, after a later step another."""
        model, turn = self.model, self.steps // 2
        if turn % 2:
            on = one_of([share.first for share in model.shares[::-1]], turn // 2)
            # What was known just before a change, or at it.
            instants = [share.known_at for share in model.shares if share.known_at is not None]
            known_at = one_of([model.now, *instants[::-1]], turn // 2) - turn // 4 % 2 * MICROSECOND
            (stored,) = await reads.contracts(self.services, [self.customer.id], known_at)
            assert capacity_on(stored.contract if stored else None, on) == model.capacity(on, known_at)
        else:
            days = [fall.on - DAY for fall in model.falls[-3:]]
            day = one_of([None, *days, *list(model.counted_at_end_of)[-3:]], turn)
            (counted,) = await account_reads.counted_on(self.services, [self.customer], day)
            assert counted == (len(model.counted) if day is None else model.counted_at_end_of[day])
            self.unwritten = []  # this read settles


def one_of(things: Sequence[T], number: int) -> T:
    return things[number % len(things)]
