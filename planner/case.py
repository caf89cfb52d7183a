"""A problem laid out on the line of days, and what a search knows of it written up as an outcome."""

from functools import cached_property

from planner.baselines import baselines
from planner.board import Question, Selection
from planner.explain import nearest_demand, peaks, reasons
from planner.offers import Days, Offers, all_offers, in_normal_form, spot_offers
from planner.orders import planned_orders
from planner.problem import (
    Baseline,
    FrontierPoint,
    Outcome,
    PeakCost,
    PlannedOrder,
    PlanningProblem,
    PlanStatus,
    Shortfall,
    ShortfallReason,
)
from planner.profile import (
    coverage_steps,
    deficit_by_day,
    missing_by_day,
    missing_units,
    shortfall_account_days,
    shortfalls,
    still_short,
    with_orders,
)
from planner.search import Search
from planner.shortage import Shortage, Useful
from planner.verify import verify

FRONTIER_MAX = 64
"""Points of a frontier that are written out: nobody compares more, and each has a plan of its own."""


class Case:
    """One problem: its offers, what is missing, and outcomes of searches over them."""

    def __init__(self, problem: PlanningProblem) -> None:
        self.problem = problem
        self.steps = coverage_steps(problem)
        self._orders: dict[Selection, tuple[PlannedOrder, ...]] = {}
        self._peaks: tuple[PeakCost, ...] | None = None

    @property
    def needs_nothing(self) -> bool:
        return not any(missing_units(self.problem, step) for step in self.steps)

    @cached_property
    def offers(self) -> Offers:
        return all_offers(self.problem)

    @cached_property
    def spots(self) -> Offers:
        return spot_offers(self.problem) if self.problem.additional_licences else self.offers

    @cached_property
    def uncovered(self) -> tuple[Shortfall, ...]:
        """The days that nothing on offer covers."""
        return shortfalls(self.problem, self.steps, self.offers)

    @property
    def spots_cover_all(self) -> bool:
        return not shortfalls(self.problem, self.steps, self.spots)

    @cached_property
    def deficit(self) -> Days:
        return deficit_by_day(self.problem, self.steps, self.offers.first_day, self._days)

    @property
    def _days(self) -> int:
        return max(0, (self.problem.contract.ends_before - self.offers.first_day).days)

    def question(self, offers: Offers) -> Question:
        """What is asked of a search for plans that cover everything: only offers in normal form are needed."""
        return self._question(in_normal_form(offers, self.deficit))

    def _question(self, offers: Offers) -> Question:
        most = max(1, int(self.deficit.max(initial=1)))
        units_max = min(most, self.problem.units_per_order_max or most)
        return Question(offers, self.deficit, units_max, self.problem.order_fee_minor)

    @cached_property
    def shortage(self) -> Shortage:
        """What is asked of a search for the most useful plan."""
        missing = missing_by_day(self.steps, self.offers.first_day, self._days)
        offers, budget = self.offers, self.problem.budget_minor
        if budget is not None:
            offers = offers.select(offers.price + self.problem.order_fee_minor <= budget)
        per_unit, question = self.problem.contract.accounts_per_unit, self._question(offers)
        return Shortage(question, missing, per_unit, self.problem.orders_max, self.problem.budget_minor)

    @cached_property
    def baselines(self) -> tuple[Baseline, ...]:
        if not self.spots_cover_all:
            return ()
        simpler = baselines(self.problem, self.spots, self.deficit)
        for baseline in simpler:
            if baseline.orders is not None:
                verify(self.problem.without_limits(), baseline.orders)
        return simpler

    def nothing_missing(self) -> Outcome:
        return Outcome(PlanStatus.OPTIMAL, coverage=self.steps)

    def uncoverable(self) -> Outcome:
        """INFEASIBLE, because nothing on offer covers some days."""
        short = sum(item.period.days * item.accounts_missing for item in self.uncovered)
        covered = {item.period: item.accounts_missing for item in self.uncovered}
        return Outcome(
            PlanStatus.INFEASIBLE,
            coverage=self.steps,
            shortfalls=self.uncovered,
            shortfall_account_days=short,
            shortfall_bound_account_days=short,
            nearest_demand=nearest_demand(self.problem.demand, covered),
        )

    def covered(self, search: Search, spots_only_cost_minor: int | None) -> Outcome:
        """What a search for plans that cover everything knows so far."""
        question, plan = search.question, search.final(search.best)
        orders = self._dated(question, plan)
        steps = with_orders(self.problem, self.steps, orders)
        bound = search.bound_minor
        if self._peaks is None:
            self._peaks = peaks(self.problem, question, search.flow_units, self.steps)
        return Outcome(
            status=PlanStatus.OPTIMAL if bound == plan.cost_minor else PlanStatus.FEASIBLE,
            orders=orders,
            reasons=reasons(self.problem, orders, steps),
            cost_minor=plan.cost_minor,
            lower_bound_minor=bound,
            orders_bound=search.orders_bound,
            frontier=self._frontier(search),
            baselines=self.baselines,
            coverage=steps,
            peaks=self._peaks,
            spots_only_cost_minor=spots_only_cost_minor,
        )

    def _dated(self, question: Question, plan: Selection) -> tuple[PlannedOrder, ...]:
        """A plan as dated orders, verified once; the frontier's are checked without the limit on their number."""
        if plan not in self._orders:
            orders = planned_orders(self.problem, question.offers, plan)
            verify(self.problem.without_budget(), orders)
            self._orders[plan] = orders
        return self._orders[plan]

    def _frontier(self, search: Search) -> tuple[FrontierPoint, ...]:
        numbers = range(search.board.orders_min, search.orders_asked + 1)
        points = []
        for number in [*numbers[: FRONTIER_MAX - 1], *numbers[FRONTIER_MAX - 1 :][-1:]]:
            plan = search.board.at_most(number)
            if plan is not None:
                plan = search.final(plan)
                orders = self._dated(search.question, plan)
                points.append(FrontierPoint(number, orders, plan.cost_minor, search.board.bound(number)))
        return tuple(points)

    def partly_covered(self, useful: Useful, otherwise: ShortfallReason) -> Outcome:
        """The most useful plan where not everything can be covered; without a budget, only what it would cover."""
        problem = self.problem
        orders = planned_orders(problem, self.shortage.question.offers, useful.plan)
        steps = with_orders(problem, self.steps, orders)
        short = shortfall_account_days(steps)
        verify(problem, orders, short)
        bound = useful.shortfall_bound_account_days + short - useful.shortfall_account_days  # days before and after
        left = still_short(steps, self.uncovered, otherwise)
        if problem.budget_minor is None:
            missing = {item.period: item.accounts_missing for item in left}
            return Outcome(
                PlanStatus.INFEASIBLE,
                coverage=self.steps,
                shortfalls=left,
                shortfall_account_days=short,
                shortfall_bound_account_days=bound,
                nearest_demand=nearest_demand(problem.demand, missing),
            )
        is_optimal = short == bound and useful.cost_bound_minor == useful.plan.cost_minor
        return Outcome(
            status=PlanStatus.OPTIMAL if is_optimal else PlanStatus.FEASIBLE,
            orders=orders,
            reasons=reasons(problem, orders, steps),
            cost_minor=useful.plan.cost_minor,
            lower_bound_minor=useful.cost_bound_minor,
            coverage=steps,
            shortfalls=left,
            shortfall_account_days=short,
            shortfall_bound_account_days=bound,
        )
