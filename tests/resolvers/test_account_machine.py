"""Accounts, spots, renewals and time in any order, against an oracle that simulates every day by itself.

Other tests say what one rule does; this one looks for the order of steps that nobody thought of.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from db.accounts import AccountFilter
from db.contracts import LONG_AGO
from db.engine import Database
from domain.accounts import AccountStatus
from domain.customers import DeactivationPolicy
from planner.workers import PlannerPool
from resolvers import account_reads, accounts
from resolvers.services import Services
from resolvers.settling import settle_all
from settings import Settings
from tests.resolvers.account_machine import House
from tests.resolvers.account_model import Person
from tests.resolvers.account_rows import rows_of
from tests.resolvers.contract_steps import ContractMachine
from tests.world import TestClock

ALL = AccountFilter(frozenset(AccountStatus))

picks = st.lists(st.integers(0, 11), min_size=1, max_size=4)
own_groups = st.sets(st.sampled_from(("Night", "Sales", "Winter")), max_size=2)


class AccountMachine(ContractMachine):
    """What people do to accounts, spots and the contract, and the workers beside them."""

    def chosen(self, picks: Sequence[int]) -> list[Person]:
        """People in the order of their ids; the last two numbers also reach deleted ones."""
        everybody = list(self.model.people.values())
        there = [person for person in everybody if person.status != "DELETED"] or everybody
        found = [everybody[-1 - pick % len(everybody)] if pick >= 10 else there[pick % len(there)] for pick in picks]
        return list({person.id: person for person in found}.values())

    # Accounts

    @rule(count=st.integers(1, 3), groups=own_groups)
    def register_some(self, count: int, groups: set[str]) -> None:
        self.register(self.new_ids(count), sorted(groups))

    @rule(more=st.sampled_from((0, 0, 1, 3)))
    def register_all_that_fit_or_more(self, more: int) -> None:
        self.register(self.new_ids(max(1, self.model.free + more)))

    @precondition(lambda self: self.model.people)
    @rule(picks=picks)
    def register_external_ids_again(self, picks: list[int]) -> None:
        self.register([*dict.fromkeys(person.external_id for person in self.chosen(picks))])

    @rule(count=st.integers(1, 2), workers=st.integers(1, 2))
    def register_while_workers_run(self, count: int, workers: int) -> None:
        self.register(self.new_ids(count), workers=workers)

    @precondition(lambda self: self.model.people)
    @rule(picks=picks, wanted=st.sampled_from(("ACTIVE", "SUSPENDED", "DELETED")))
    def move_some(self, picks: list[int], wanted: str) -> None:
        self.move(self.chosen(picks), wanted)

    @precondition(lambda self: any(person.status == "DEACTIVATED" for person in self.model.people.values()))
    @rule(more=st.integers(0, 1))
    def reactivate_those_who_fit(self, more: int) -> None:
        """The newest, and perhaps one more than fits."""
        out = [person for person in self.model.people.values() if person.status == "DEACTIVATED"]
        self.move(out[::-1][: max(1, self.model.free + more)], "ACTIVE")

    @precondition(lambda self: self.model.people)
    @rule(picks=picks, is_protected=st.booleans())
    def protect_some(self, picks: list[int], is_protected: bool) -> None:
        self.protect(self.chosen(picks), is_protected=is_protected)

    @precondition(lambda self: self.model.people)
    @rule(picks=picks, add=own_groups, remove=own_groups)
    def change_groups(self, picks: list[int], add: set[str], remove: set[str]) -> None:
        people = self.chosen(picks)
        refusals = self.deleted(people)
        ids = [person.id for person in people]
        call = accounts.change_groups(self.services, self.owner, ids, sorted(add), sorted(remove))
        self.ask(call, refusals)
        if not refusals:
            self.model.change_groups(people, add, remove)

    @rule(policy=st.sampled_from(DeactivationPolicy))
    def set_policy(self, policy: DeactivationPolicy) -> None:
        self.choose_policy(policy)

    # Workers and readers

    @rule(workers=st.integers(1, 2))
    def run_workers(self, workers: int) -> None:
        self.ask(self._worked(workers))

    @rule(workers=st.integers(1, 2))
    def settle_what_is_settled_already(self, workers: int) -> None:
        """The contract has forgotten when it is due next, as it may after a repair by hand."""
        self.ask(self._worked(1))
        before = self.house.run(rows_of(self.services.database, self.customer.id))
        self.house.run(self.set_due_at(LONG_AGO))
        self.ask(self._worked(workers))
        after = self.house.run(rows_of(self.services.database, self.customer.id))
        assert replace(after, due_at=before.due_at) == before

    async def _worked(self, workers: int) -> None:
        counts = await asyncio.gather(*(settle_all(self.services) for _ in range(workers)))
        assert all(count <= 1 for count in counts)
        assert await settle_all(self.services) == 0

    @precondition(lambda self: self.model.people)
    @rule(picks=picks)
    def sign_in(self, picks: list[int]) -> None:
        for external_id in {person.external_id for person in self.chosen(picks[:2])}:
            allowed = self.ask(account_reads.sign_in_allowed(self.services, self.owner, None, external_id))
            has = [person.status for person in self.model.people.values() if person.external_id == external_id]
            assert allowed == ("ACTIVE" in has)

    @rule(groups_first=st.booleans())
    def read(self, groups_first: bool) -> None:
        if groups_first:
            self._read_groups()
        self._read_accounts()

    def _read_accounts(self) -> None:
        ids = [self.customer.id]
        found = self.ask(account_reads.account_pages(self.services, ids, self.owner, ALL, first=100, after=None))
        assert found is not None
        assert {account.id: account.status.value for account in found[0].items} == {
            person.id: person.status for person in self.model.people.values()
        }

    def _read_groups(self) -> None:
        found = self.ask(account_reads.groups(self.services, [self.customer.id]))
        assert found is not None
        assert {group.name for group in found[0]} == self.model.groups

    @rule()
    def look_ahead(self) -> None:
        policy = DeactivationPolicy(self.model.policy)
        customer = replace(self.customer, deactivation_policy=policy)
        found = self.ask(account_reads.upcoming_falls(self.services, [customer]))
        assert found is not None
        told = [
            (
                (effect.fall.on, effect.fall.capacity_before, effect.fall.capacity_after, effect.counted_before),
                [(item.account_id, item.reason.value) for item in effect.deactivations],
            )
            for effect in found[0]
        ]
        assert told == [
            ((fall.on, fall.before, fall.after, fall.counted), [(id_, reason) for id_, reason, _ in fall.out])
            for fall in self.model.upcoming()
        ]


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    clock = TestClock()
    # The planner is not asked anything, so it starts nothing.
    services = Services(Settings(database_url=database_url), Database(database_url), PlannerPool(1, 1), clock)
    with asyncio.Runner() as runner:
        yield House(services, clock, runner)
        runner.run(services.database.close())


def run_machine(house: House, chosen: settings, chosen_seed: int | None = None) -> None:
    """Run examples of their own for each kind of database, the same ones each time where there is a seed."""

    class Machine(AccountMachine):
        def __init__(self) -> None:
            super().__init__(house)

    if chosen_seed is not None:
        seed(chosen_seed + house.services.database.is_sqlite)(Machine)
    run_state_machine_as_test(Machine, settings=chosen)
    print(", ".join(f"{name}: {count}" for name, count in sorted(house.seen.items())))


COMMON = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False)
INTERESTING = (
    "ALL_REGISTERED_DURING_SPOT with effect",
    "EXCESS_ONLY with effect",
    "REGISTERED_DURING_SPOT",
    "NEWEST_OVER_CAPACITY",
    "falls without effect",
    "several falls at once",
    "reactivated",
    "paid after midnight",
    "CapacityExceeded, later free",
    "ExternalIdTaken",
)
"""What examples must have come across to be worth their time."""


def test_any_order_of_steps_ends_as_the_oracle_says(house: House) -> None:
    run_machine(house, settings(COMMON, max_examples=12, stateful_step_count=25), chosen_seed=5)
    assert house.seen["steps"] >= 150
    assert house.seen["falls with effect"] >= 5


@pytest.mark.soak
def test_many_more_orders_of_steps_end_as_the_oracle_says(house: House) -> None:
    run_machine(house, settings(COMMON, max_examples=130, stateful_step_count=50))
    assert house.seen["steps"] >= 5_000
    assert [name for name in INTERESTING if house.seen[name] == 0] == []
