"""What an outcome means, in words."""

from planner.problem import BaselineKind, Need, OrderKind, Outcome, PlanningProblem, PlanStatus, ShortfallReason

NOTHING_TO_BUY = "The main contract covers this demand: nothing to buy."
NO_PLAN_IN_TIME = "No plan was found in time."
KIND_WORDS = {OrderKind.SPOT: "spot", OrderKind.ADDITIONAL_LICENCE: "licence"}
BASELINE_WORDS = {
    BaselineKind.PEAK_FOR_WHOLE_SPAN: "one order of the peak for the whole span",
    BaselineKind.ONE_ORDER_PER_DEMAND_STEP: "one order per step of the demand",
    BaselineKind.MONTH_BY_MONTH: "month by month, the most that is missing",
}
SHORTFALL_WORDS = {
    ShortfallReason.OUTSIDE_CONTRACT: "outside the main contract",
    ShortfallReason.IN_THE_PAST: "in the past",
    ShortfallReason.BEFORE_EARLIEST_START: "before the earliest start",
    ShortfallReason.LESS_THAN_A_MONTH_LEFT: "less than a month is left",
    ShortfallReason.ORDERS_LIMITED: "limits on orders",
    ShortfallReason.OVER_BUDGET: "over the budget",
}


def counted(number: int, thing: str) -> str:
    """Such as "1 order" and "1,200 orders"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def proven_words(problem: PlanningProblem, outcome: Outcome) -> list[str]:
    """What is proven about a plan."""
    if outcome.shortfalls:
        return _proven_within_budget(problem, outcome)
    has_limits = any((problem.months_max, problem.orders_max, problem.accounts_per_order_max))
    plan = "no plan within the limits" if has_limits else "no plan"
    fees = ", fees included" if problem.order_fee_minor else ""
    if outcome.status is PlanStatus.OPTIMAL:
        return [f"Proven: {plan} is cheaper{fees}{_fewest(outcome)}."]
    if not outcome.lower_bound_minor:
        return ["Not proven to be the cheapest."]
    bound = f"{plan} costs less than {outcome.lower_bound_minor:,}{fees}"
    return [f"Proven: {bound}. A cheaper one, by {outcome.gap:.1%} at most, is not ruled out."]


def _fewest(outcome: Outcome) -> str:
    if outcome.fewest_proven:
        return ", and none of this cost has fewer orders"
    if outcome.orders_bound > 1:
        return f", and none of this cost has fewer than {outcome.orders_bound} orders"
    return ""


def _proven_within_budget(problem: PlanningProblem, outcome: Outcome) -> list[str]:
    short, bound = outcome.shortfall_account_days, outcome.shortfall_bound_account_days
    budget = f"the budget of {problem.budget_minor:,}"
    lines = [f"Within {budget}, {counted(short, 'account-day')} of the demand stay short."]
    if outcome.status is PlanStatus.OPTIMAL:
        lines.append("Proven: no plan within it leaves less short, and of those that leave as little none is cheaper.")
    elif short == bound:
        lines.append(
            "Proven: no plan within it leaves less short. A cheaper one that leaves as little is not ruled out."
        )
    elif bound:
        lines.append(f"Proven: no plan within it leaves less than {counted(bound, 'account-day')} short.")
    else:
        lines.append("Whether a plan within it leaves less short is not known.")
    return lines


def licence_words(problem: PlanningProblem, outcome: Outcome) -> list[str]:
    """What additional licences save, where they were allowed and everything is covered."""
    if not problem.additional_licences or outcome.shortfalls:
        return []
    spots_only = outcome.spots_only_cost_minor
    if spots_only is None:
        return ["No plan of spot contracts alone was found."]
    saved = spots_only - outcome.cost_minor
    if saved <= 0:
        return ["Additional licences save nothing here."]
    share = f"{saved / spots_only:.1%}"
    return [f"Additional licences save {saved:,} ({share}); the best found without them: {spots_only:,}."]


def infeasible_words(problem: PlanningProblem, outcome: Outcome) -> str:
    """How much nothing can cover."""
    days = counted(sum(missing.period.days for missing in outcome.shortfalls), "day")
    if any(missing.reason is ShortfallReason.ORDERS_LIMITED for missing in outcome.shortfalls):
        return f"No plan: within the limits on orders, {days} of the demand stay short at best."
    what = "order" if problem.additional_licences else "spot contract"
    return f"No plan: no {what} can cover {days} of the demand."


def nearest_words(outcome: Outcome) -> str:
    """How near the nearest demand is, and what of that is proven."""
    less, bound = outcome.shortfall_account_days, outcome.shortfall_bound_account_days
    nearest = f"The nearest demand that can be covered has {counted(less, 'account-day')} less"
    if less == bound:
        return f"{nearest}; proven: none is nearer."
    return f"{nearest}, of those found" + (
        f"; proven: it takes {counted(bound, 'account-day')} less." if bound else "."
    )


def needs_words(needs: tuple[Need, ...]) -> str:
    """The most accounts missing, the first run of days and how many more, as "1,200: 2026-04-01 to 2026-04-09 (+2)"."""
    if not needs:
        return "nothing"
    first = needs[0].period
    days = str(first.starts_on) if first.days == 1 else f"{first.starts_on} to {first.last_day}"
    most = max(need.accounts_missing for need in needs)
    return f"{most:,}: {days}" + (f" (+{len(needs) - 1})" if len(needs) > 1 else "")
