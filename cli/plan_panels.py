"""The panels of a plan's picture, each drawn on axes of its own."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from cli.plan_words import KIND_WORDS, SHORTFALL_WORDS
from domain.months import Period
from planner.problem import DemandStep, OrderKind, Outcome, PlannedOrder, PlanningProblem, Shortfall
from planner.profile import coverage_steps

SMALL = 8.0
"""Points: the smallest text that is read without effort on paper."""
BLACK, DARK, GREY, LIGHT, FAINT = "0.0", "0.35", "0.7", "0.88", "0.95"
POINTS_PER_INCH = 72
MONTH_POINTS, DAY_POINTS = 46, 64
"""Between two months, and between two days, that are written below an axis."""
MONTHS_MIN = 2
"""With fewer first days of months than this, days are written."""
KEY_ROW_POINTS = 13
AMOUNT_MAX = 10_000_000
"""Larger amounts have no room beside an axis."""
NUMBERS_MAX = 8
"""Numbers of orders written below the frontier."""
FROM_ZERO_SHARE = 0.6
"""Of the highest value: with a lowest capacity above it, the part below would be most of the picture."""
MONTHS_PER_TICK = (1, 2, 3, 6, 12, 24, 60)
DAYS_PER_TICK = (1, 2, 7, 14)


def draw_coverage(axes: Axes, problem: PlanningProblem, outcome: Outcome, *, with_dates: bool) -> None:
    """Demand as an area, hatched where it stays short; capacity before and with the plan as lines of their own kind."""
    steps = outcome.coverage or coverage_steps(problem)
    edges = [_x(step.period.starts_on) for step in steps] + [_x(steps[-1].period.ends_before)]
    demand, before, after = (
        np.array([getattr(step, name) for step in steps]) for name in ("demand", "capacity_before", "capacity_after")
    )
    axes.stairs(demand, edges, fill=True, color=LIGHT, label="demand")
    axes.stairs(demand, edges, baseline=None, color=DARK, lw=0.6)
    if outcome.shortfalls:
        label = "stays short" if outcome.orders or problem.budget_minor is not None else "cannot be covered"
        _draw_short(axes, problem.demand, outcome.shortfalls, label)
    if outcome.orders:
        axes.stairs(after, edges, baseline=None, color=BLACK, lw=1.8, label="capacity with the plan")
    axes.stairs(before, edges, baseline=None, color=BLACK, lw=1.2, ls=(0, (4, 2)), label="capacity before")
    low, high = int(before.min()), int(max(demand.max(), after.max(), 1))
    from_zero = low <= FROM_ZERO_SHARE * high or low == high
    bottom = 0.0 if from_zero else low - (high - low + 1) * 0.25
    _set_amounts(axes, bottom, high + (high - bottom) * 0.05, integer=True)
    _set_days(axes, problem, outcome, with_dates=with_dates)
    _name(axes, "accounts" if from_zero else "accounts (the axis does not begin at 0)", columns=3)


def _draw_short(axes: Axes, demand: Sequence[DemandStep], shortfalls: Sequence[Shortfall], label: str) -> None:
    """Hatch the accounts that nothing covers, at the top of the demand."""
    starts = [step.period.starts_on for step in demand]
    for short in shortfalls:
        for step in demand[bisect_right(starts, short.period.starts_on) - 1 :]:
            if step.period.starts_on >= short.period.ends_before:
                break
            begin = max(step.period.starts_on, short.period.starts_on)
            end = min(step.period.ends_before, short.period.ends_before)
            axes.stairs(
                [step.accounts],
                [_x(begin), _x(end)],
                baseline=step.accounts - short.accounts_missing,
                fill=True,
                facecolor="white",
                edgecolor=DARK,
                hatch="xxxx",
                lw=0,
                label=label,
            )
            label = ""


def draw_orders(axes: Axes, problem: PlanningProblem, outcome: Outcome) -> None:
    """A bar per order from top to bottom, what it is at the right of its lane; licences are hatched."""
    for number, order in enumerate(outcome.orders, start=1):
        if number % 2:
            axes.axhspan(number - 0.5, number + 0.5, color=FAINT, lw=0)
        begin, end = _x(order.period.starts_on), _x(order.period.ends_before)
        (bar,) = axes.barh(number, end - begin, left=begin, height=0.7, edgecolor=BLACK, linewidth=0.6, facecolor=GREY)
        if order.kind is OrderKind.ADDITIONAL_LICENCE:
            bar.set(facecolor="white", hatch="/////")
        bar.set_gid(f"order-{number}")
        at = axes.get_yaxis_transform()
        axes.text(1.01, number, order_label(number, order), transform=at, va="center_baseline", size=SMALL)
    axes.set_ylim(len(outcome.orders) + 0.5, 0.5)
    axes.set_yticks([])
    _set_days(axes, problem, outcome, with_dates=True)
    _name(axes, "orders: accounts and price without tax", columns=0)


def order_label(number: int, order: PlannedOrder) -> str:
    """Such as "3: 200 accounts, 40,000"."""
    kind = "" if order.kind is OrderKind.SPOT else f" ({KIND_WORDS[order.kind]})"
    return f"{number}: {order.accounts:,} account{'' if order.accounts == 1 else 's'}, {order.net_minor:,}{kind}"


def draw_frontier(axes: Axes, outcome: Outcome) -> None:
    """The cost of the best plan with at most so many orders: filled where proven, hollow above its bound where not."""
    unit, name = _money_unit(max(point.cost_minor for point in outcome.frontier))
    for point in outcome.frontier:
        at, cost, bound = point.orders_max, point.cost_minor / unit, point.lower_bound_minor / unit
        if not point.proven:
            axes.plot([at, at], [bound, cost], color=DARK, lw=0.8, marker="_", ms=5, markevery=[0])
        (mark,) = axes.plot(at, cost, "o", ms=4.5, mec=BLACK, mfc=BLACK if point.proven else "white", zorder=3)
        mark.set_gid(f"frontier-{point.orders_max}")
    if outcome.orders:
        axes.plot(len(outcome.orders), outcome.cost_minor / unit, "s", ms=9, mec=BLACK, mfc="none", label="this plan")
    if any(point.proven for point in outcome.frontier):
        axes.plot([], [], "o", ms=4.5, mec=BLACK, mfc=BLACK, label="proven")
    if not all(point.proven for point in outcome.frontier):
        axes.plot([], [], "o", ms=4.5, mec=BLACK, mfc="white", label="best found, above its bound")
    low = min(point.lower_bound_minor for point in outcome.frontier) / unit
    high = max(point.cost_minor for point in outcome.frontier) / unit
    room = (high - low) * 0.1 or high * 0.1 or 1
    _set_amounts(axes, max(0, low - room), high + room, integer=False)
    first, last = outcome.frontier[0].orders_max, outcome.frontier[-1].orders_max
    axes.set_xlim(first - 0.6, last + 0.6)
    axes.set_xticks(range(first, last + 1, -(-(last - first + 1) // NUMBERS_MAX)))
    axes.grid(axis="y", color=LIGHT, lw=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("orders at most", size=SMALL, labelpad=1)
    _name(axes, f"cost{name}", columns=1)


def shortfall_lines(shortfalls: Sequence[Shortfall], rows_max: int) -> list[str]:
    """What stays short, by reason, to be written with letters of one width; at most so many lines."""
    lines = ["stays short, in accounts"]
    for reason in dict.fromkeys(missing.reason for missing in shortfalls):
        lines.append(f"{SHORTFALL_WORDS[reason]}:")
        lines.extend(
            f"  {missing.period.starts_on} to {missing.period.last_day}{missing.accounts_missing:>11,}"
            for missing in shortfalls
            if missing.reason is reason
        )
    return lines if len(lines) <= rows_max else [*lines[: rows_max - 1], "and more"]


def _money_unit(most_minor: int) -> tuple[int, str]:
    """What amounts are divided by so that an axis has room for them, and how that is said."""
    units = enumerate(("", ", in thousands", ", in millions", ", in billions", ", in trillions"))
    return next(((1_000**power, name) for power, name in units if most_minor < AMOUNT_MAX * 1_000**power), (1, ""))


def _set_amounts(axes: Axes, low: float, high: float, *, integer: bool) -> None:
    """Amounts upwards, with a few round numbers."""
    ticks = [tick for tick in MaxNLocator(6, integer=integer).tick_values(low, high) if low <= tick <= high]
    axes.set_ylim(low, high)
    axes.set_yticks(ticks, [f"{tick:,.10g}" for tick in ticks])


def _set_days(axes: Axes, problem: PlanningProblem, outcome: Outcome, *, with_dates: bool) -> None:
    """Days from left to right: those of the demand and of all orders."""
    periods = [problem.window, *(order.period for order in outcome.orders)]
    span = Period(min(period.starts_on for period in periods), max(period.ends_before for period in periods))
    axes.set_xlim(_x(span.starts_on), _x(span.ends_before))
    width = axes.get_window_extent().width / axes.figure.dpi * POINTS_PER_INCH
    ticks, form = _ticks(span, width)
    labels = [f"{tick:{form}}" for tick in ticks]
    axes.set_xticks([_x(tick) for tick in ticks], labels if with_dates else [""] * len(ticks))
    axes.grid(axis="x", color=LIGHT, lw=0.6)
    axes.set_axisbelow(True)
    label = "begin or end of a term"
    for edge in {edge for term in problem.contract.terms for edge in (term.period.starts_on, term.period.ends_before)}:
        if span.starts_on < edge < span.ends_before:
            axes.axvline(_x(edge), color=DARK, lw=0.8, ls=":", label=label)
            label = ""


def _ticks(span: Period, width: float) -> tuple[list[date], str]:
    """First days of months, or days where there are hardly any, as many as have room; and how to write them."""
    months = range(span.starts_on.year * 12 + span.starts_on.month, span.ends_before.year * 12 + span.ends_before.month)
    if len(months) < MONTHS_MIN:
        most = int(width / DAY_POINTS)
        step = next((days for days in DAYS_PER_TICK if span.days <= days * most), DAYS_PER_TICK[-1])
        return [span.starts_on + timedelta(days=offset) for offset in range(0, span.days, step)], "%Y-%m-%d"
    most = int(width / MONTH_POINTS)
    step = next((number for number in MONTHS_PER_TICK if len(months) <= number * most), MONTHS_PER_TICK[-1])
    return [date(month // 12, month % 12 + 1, 1) for month in months if month % step == 0], "%Y-%m"


def _name(axes: Axes, name: str, columns: int) -> None:
    """Write what the axes show above them, over the key of what is drawn where it has columns."""
    axes.tick_params(labelsize=SMALL, length=3)
    rows = 0
    if columns:
        handles, _ = axes.get_legend_handles_labels()
        rows = -(-len(handles) // columns)
        at = (-0.01, 1.0)
        axes.legend(loc="lower left", bbox_to_anchor=at, ncols=columns, fontsize=SMALL, frameon=False, borderpad=0.2)
    axes.set_title(name, loc="left", size=9, weight="bold", pad=4 + rows * KEY_ROW_POINTS)


def _x(day: date) -> int:
    return day.toordinal()
