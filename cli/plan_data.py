"""A planner's outcome as plain values, as ``--json`` and ``plan-many`` print it."""

from collections.abc import Iterable
from typing import Any

from domain.months import Period
from planner.problem import (
    Baseline,
    FrontierPoint,
    Need,
    Outcome,
    PeakCost,
    PlannedOrder,
    PlanStatus,
    Reason,
)


def as_data(outcome: Outcome) -> dict[str, Any]:
    """The outcome as one object. Amounts are minor units without tax; totals are None where there is no plan."""
    has_plan = outcome.status in {PlanStatus.OPTIMAL, PlanStatus.FEASIBLE}
    totals = {
        "net_total": outcome.net_minor,
        "fees": outcome.cost_minor - outcome.net_minor,
        "cost": outcome.cost_minor,
        "lower_bound": outcome.lower_bound_minor,
        "gap": outcome.gap,
        "orders_bound": outcome.orders_bound,
        "fewest_proven": outcome.fewest_proven,
    }
    return {
        "status": outcome.status.value,
        **(totals if has_plan else dict.fromkeys(totals)),
        "spots_only_cost": outcome.spots_only_cost_minor,
        "orders": [
            {**_order(order), "reason": _reason(reason)}
            for order, reason in zip(outcome.orders, outcome.reasons, strict=True)
        ],
        "frontier": [_frontier_point(point) for point in outcome.frontier],
        "baselines": [_baseline(baseline) for baseline in outcome.baselines],
        "peaks": [_peak(peak) for peak in outcome.peaks],
        "shortfall_account_days": outcome.shortfall_account_days,
        "shortfall_bound_account_days": outcome.shortfall_bound_account_days,
        "shortfalls": [
            {**_days(missing.period), "accounts_missing": missing.accounts_missing, "reason": missing.reason.value}
            for missing in outcome.shortfalls
        ],
        "nearest_demand": [{**_days(step.period), "accounts": step.accounts} for step in outcome.nearest_demand],
        "coverage": [
            {
                **_days(step.period),
                "demand": step.demand,
                "capacity_before": step.capacity_before,
                "capacity_after": step.capacity_after,
            }
            for step in outcome.coverage
        ],
        "solve_milliseconds": round(outcome.solve_milliseconds, 3),
    }


def _days(period: Period) -> dict[str, str]:
    return {"from": period.starts_on.isoformat(), "until": period.ends_before.isoformat()}


def _order(order: PlannedOrder) -> dict[str, Any]:
    return {
        "kind": order.kind.value,
        "starts_on": order.period.starts_on.isoformat(),
        "ends_before": order.period.ends_before.isoformat(),
        "months": order.months,
        "units": order.units,
        "accounts": order.accounts,
        "net_price": order.net_minor,
    }


def _reason(reason: Reason) -> dict[str, Any]:
    return {"serves": _needs(reason.serves), "uncovered": _needs(reason.uncovered)}


def _needs(needs: Iterable[Need]) -> list[dict[str, Any]]:
    return [{**_days(need.period), "accounts_missing": need.accounts_missing} for need in needs]


def _frontier_point(point: FrontierPoint) -> dict[str, Any]:
    return {
        "orders_max": point.orders_max,
        "net_total": point.net_minor,
        "cost": point.cost_minor,
        "lower_bound": point.lower_bound_minor,
        "proven": point.proven,
        "orders": [_order(order) for order in point.orders],
    }


def _baseline(baseline: Baseline) -> dict[str, Any]:
    return {
        "kind": baseline.kind.value,
        "net_total": baseline.net_minor,
        "orders": None if baseline.orders is None else len(baseline.orders),
    }


def _peak(peak: PeakCost) -> dict[str, Any]:
    return {
        **_days(peak.period),
        "accounts": peak.accounts,
        "accounts_fewer": peak.accounts_fewer,
        "net_price": peak.net_minor,
    }
