"""Steps of a contract: time passes, spots are ordered, terms and licences are added."""

from dataclasses import replace
from datetime import date, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from domain.orders import PaymentMethod
from resolvers import contracts, spot_orders
from resolvers.access import Caller, Role
from resolvers.purchases import SpotItems
from tests.resolvers.account_machine import MICROSECOND, UNIT, CustomerMachine, House, one_of
from tests.resolvers.account_model import DAY, Order, Refusal, Share, months_after
from tests.world import starter

OPERATOR = Caller(Role.OPERATOR, None)

moments = st.sampled_from((timedelta(), timedelta(), timedelta(), -MICROSECOND, MICROSECOND))
"""After an instant or just before it."""
# From most days some of these reach the end of a month.
some_days = st.sampled_from((0, 0, 0, 1, 2, 3, 28, 29, 30, 31))
some_months = st.sampled_from((1, 1, 2, 3))
few_units = st.integers(1, 2)
seldom = st.sampled_from((False,) * 7 + (True,))


class ContractMachine(CustomerMachine):
    """What gives capacity, and time, which takes it away again."""

    def __init__(self, house: House) -> None:
        super().__init__(house)
        self.totals_minor: dict[int, int] = {}

    # Time

    def wait_until(self, to: datetime, *, ends: bool) -> None:
        """Set the clock. Unless the contract is to end before, it is renewed: little happens afterwards."""
        if not ends and not self.model.has_ended and to >= self.model.begins_at(self.model.contract_ends):
            self._renew(12, 1)
        if to > self.model.now:
            self.set_clock(to)

    @rule(
        how_long=st.one_of(
            st.timedeltas(timedelta(minutes=1), timedelta(minutes=40)),
            st.timedeltas(timedelta(days=1), timedelta(days=45)),
            st.timedeltas(timedelta(days=50), timedelta(days=400)),
        )
    )
    def wait(self, how_long: timedelta) -> None:
        self.wait_until(self.model.now + how_long, ends=False)

    @rule(after=moments, ends=seldom)
    def wait_for_midnight(self, after: timedelta, ends: bool) -> None:
        self.wait_until(self.model.begins_at(self.model.today + DAY) + after, ends=ends)

    @rule(which=st.sampled_from((0, 0, 1, 2)), after=moments, ends=seldom)
    def wait_until_something_is_due(self, which: int, after: timedelta, ends: bool) -> None:
        due = self.model.due()
        if due:
            self.wait_until(due[min(which, len(due) - 1)] + after, ends=ends)

    @rule(which=st.sampled_from((0, 0, 1, 2)), after=moments, ends=seldom, protected=st.integers(0, 2))
    def use_all_accounts_and_wait_for_a_fall(self, which: int, after: timedelta, ends: bool, protected: int) -> None:
        self._use_all_accounts(protected)
        days = self.model.fall_days()
        if days:
            self.wait_until(self.model.begins_at(days[min(which, len(days) - 1)]) + after, ends=ends)

    @rule(months=some_months, units=few_units, after=moments, protected=st.integers(0, 2))
    def use_all_accounts_of_a_spot_and_wait_for_its_end(
        self, months: int, units: int, after: timedelta, protected: int
    ) -> None:
        first = max(self.model.today, self.model.terms[0].first)
        self._buy(first, months, units)
        self._use_all_accounts(protected)
        self.wait_until(self.model.begins_at(months_after(first, months)) + after, ends=False)

    def _use_all_accounts(self, protected: int) -> None:
        """And protect some of the newest."""
        if self.model.free:
            self.register(self.new_ids(self.model.free))
        if protected and self.model.counted:
            self.protect(self.model.counted[-protected:], is_protected=True)

    # Spots

    @rule(begins_in=some_days, months=some_months, units=few_units)
    def buy(self, begins_in: int, months: int, units: int) -> None:
        self._buy(self.model.today + begins_in * DAY, months, units)

    @rule(months=some_months, units=few_units, back=st.integers(0, 3))
    def buy_and_use_it_up(self, months: int, units: int, back: int) -> None:
        """For those who were deactivated, and then for others."""
        self._buy(max(self.model.today, self.model.terms[0].first), months, units)
        out = [person for person in self.model.people.values() if person.status == "DEACTIVATED"]
        if out and back and self.model.free:
            self.move(out[-min(back, self.model.free) :], "ACTIVE")
        self.register(self.new_ids(max(1, self.model.free)))

    @rule(pick=st.integers(0, 9), months=some_months, units=few_units)
    def buy_to_follow_another(self, pick: int, months: int, units: int) -> None:
        ends = [share.end for share in self.model.shares if share.end >= self.model.today]
        self._buy(one_of([*ends, self.model.today], pick), months, units)

    @rule(pick=st.integers(0, 9), months=some_months, after=moments, is_used=st.booleans(), ends=seldom)
    def buy_to_the_end_of_another(self, *, pick: int, months: int, after: timedelta, is_used: bool, ends: bool) -> None:
        """Which begins some time earlier, or is a term or a licence; and perhaps use both of them up."""
        end = one_of([share.end for share in self.model.shares], pick)
        days = [self.model.today + number * DAY for number in range((end - self.model.today).days)]
        first = next((day for day in days if months_after(day, months) == end), self.model.today)
        if not is_used:
            self._buy(first, months, 1)
            return
        if self.model.free:
            self.register(self.new_ids(1))
        self.wait_until(self.model.begins_at(first), ends=ends)
        self._buy(first, months, 1)
        self._use_all_accounts(0)
        self.wait_until(self.model.begins_at(end) + after, ends=ends)

    def _buy(self, first: date, months: int, units: int) -> None:
        if self._place(first, months, units):
            self._check_out(self.model.orders[-1])

    @rule(begins_in=some_days, months=some_months, units=few_units)
    def place(self, begins_in: int, months: int, units: int) -> None:
        self._place(self.model.today + begins_in * DAY, months, units)

    @rule(months=some_months, units=few_units, minutes=st.integers(0, 31))
    def place_before_midnight_and_check_out_after_it(self, months: int, units: int, minutes: int) -> None:
        midnight = self.model.begins_at(self.model.today + DAY)
        self.wait_until(midnight - timedelta(minutes=1), ends=False)
        if self._place(self.model.today, months, units):
            self.wait_until(self.model.now + timedelta(minutes=minutes), ends=False)
            self._check_out(self.model.orders[-1])

    def _place(self, first: date, months: int, units: int) -> bool:
        end = months_after(first, months)
        refusals = self.model.place_refusals(first, end)
        items = SpotItems(units * UNIT, first, months)
        terms_version = self.services.settings.terms_version
        command = spot_orders.PlaceCommand(self.customer.id, items, terms_version, f"key-{self.next_number()}")
        order = self.ask(spot_orders.place(self.services, self.owner, command), refusals)
        if order is None:
            return False
        self.totals_minor[order.id] = order.charge.total_minor
        self.model.orders.append(Order(first, end, units * UNIT, None, order.id, self.model.now))
        return True

    @precondition(lambda self: self.model.orders)
    @rule(pick=st.integers(0, 3))
    def check_out(self, pick: int) -> None:
        self._check_out(self.model.orders[-1 - pick % len(self.model.orders)])

    def _check_out(self, order: Order) -> None:
        refusals = self.model.order_refusals(order, "CONFIRMED")
        key = f"key-{self.next_number()}"
        command = spot_orders.CheckoutCommand(order.id, PaymentMethod.INVOICE, self.totals_minor[order.id], key)
        self.ask(spot_orders.checkout(self.services, self.owner, command), refusals)
        if not refusals:
            order.known_at = self.model.now
            if order.first <= self.model.today:
                self.unwritten = [(self.model.now, "SPOT_STARTED", 0, order.id, -1)]  # by whoever comes next
            self.seen["paid after midnight"] += order.first < self.model.today

    @precondition(lambda self: self.model.orders)
    @rule(pick=st.integers(0, 3))
    def cancel(self, pick: int) -> None:
        order = self.model.orders[-1 - pick % len(self.model.orders)]
        refusals = self.model.order_refusals(order, "CANCELLED")
        self.ask(spot_orders.cancel(self.services, self.owner, order.id), refusals)
        if not refusals and order.cancelled_at is None:
            order.cancelled_at = self.model.now

    # Terms and licences

    @precondition(lambda self: self.model.contract_ends < self.model.today + 1_000 * DAY)
    @rule(months=st.sampled_from((1, 2, 6, 12, 24)), units=st.integers(1, 3))
    def renew(self, months: int, units: int) -> None:
        self._renew(months, units)

    def _renew(self, months: int, units: int) -> None:
        first = self.model.contract_ends
        end = months_after(first, months)
        term = replace(starter(str(first), str(end), units), accounts_per_unit=UNIT)
        refusals = self._ended()
        self.ask(contracts.record_renewal(self.services, OPERATOR, self.customer.id, term), refusals)
        if not refusals:
            self.model.terms.append(Share(first, end, units * UNIT, self.model.now))
            self.model.note("TERM_ADDED")

    @rule(begins_in=some_days, units=few_units)
    def add_licence(self, begins_in: int, units: int) -> None:
        refusals = self._ended()
        first = max(self.model.today + begins_in * DAY, self.model.terms[0].first)
        first = min(first, self.model.contract_ends - DAY)
        self.ask(contracts.record_licence(self.services, OPERATOR, self.customer.id, first, units), refusals)
        if not refusals:
            end = next(term.end for term in self.model.terms if term.first <= first < term.end)
            self.model.licences.append(Share(first, end, units * UNIT, self.model.now))
            self.model.note("ADDITIONAL_LICENCE_ADDED")

    def _ended(self) -> list[Refusal]:
        ends = self.model.contract_ends
        return [("NoPaidContract", {"contract_ended_before": ends})] if self.model.has_ended else []
