"""A planner's outcome drawn in the terminal: orders, what is proven, what simpler ways cost, coverage."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from domain.months import Period
from planner.problem import (
    Baseline,
    BaselineKind,
    CoverageStep,
    Outcome,
    PlannedOrder,
    PlanningProblem,
    PlanStatus,
    Shortfall,
    ShortfallReason,
)

BASELINE_WORDS = {
    BaselineKind.PEAK_FOR_WHOLE_SPAN: "one order of the peak for the whole span",
    BaselineKind.ONE_ORDER_PER_DEMAND_STEP: "one order per step of the demand",
    BaselineKind.MONTH_BY_MONTH: "month by month, the most that is missing",
}
REASON_WORDS = {
    ShortfallReason.OUTSIDE_CONTRACT: "outside the main contract",
    ShortfallReason.IN_THE_PAST: "before the earliest start",
    ShortfallReason.BEFORE_EARLIEST_START: "before the earliest start",
    ShortfallReason.LESS_THAN_A_MONTH_LEFT: "less than a month is left",
    ShortfallReason.ORDERS_LIMITED: "the limits on orders leave it short",
    ShortfallReason.OVER_BUDGET: "over the budget",
}
ROWS_ABOVE_MAX = 10
ROWS_BELOW_MAX = 3


@dataclass(frozen=True, slots=True)
class _Ink:
    """How one kind of area is drawn, and what the legend calls it."""

    glyph: str
    ascii_glyph: str
    style: str
    words: str


IN_CONTRACT = _Ink("█", "#", "blue", "needed, in the main contract")
IN_SPOTS = _Ink("▓", "+", "green", "needed, in spot contracts")
SPARE_SPOTS = _Ink("░", "-", "green", "spare in spot contracts")
SPARE_CONTRACT = _Ink("·", ".", "dim", "spare in the main contract")
EMPTY = _Ink(" ", " ", "", "")


def show(problem: PlanningProblem, outcome: Outcome) -> None:
    """Print an outcome for a person, on standard output, as wide as the terminal (80 when piped)."""
    console = Console(highlight=False)
    if outcome.status is PlanStatus.INFEASIBLE:
        _show_shortfalls(console, outcome.shortfalls)
    elif outcome.status is PlanStatus.NO_PLAN_IN_TIME:
        console.print("No plan was found in time.")
    elif not outcome.orders:
        console.print("The main contract covers this demand: nothing to buy.")
    else:
        console.print(_orders_table(outcome.orders))
        console.print(f"{_proven(outcome)}\n")
        console.print(_baselines_table(outcome))
        console.print()
        for line in coverage_lines(problem, outcome.coverage, console.width, console.options.ascii_only):
            console.print(line, soft_wrap=True)


def _proven(outcome: Outcome) -> str:
    if outcome.status is PlanStatus.OPTIMAL:
        return "Proven: no plan is cheaper."
    return f"Proven: no plan costs less than {outcome.lower_bound_minor:,} ({outcome.gap:.1%} less)."


def _table(*columns: str, left: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="left" if column in left else "right", no_wrap=column not in left)
    return table


def _orders_table(orders: tuple[PlannedOrder, ...]) -> Table:
    """One row per order, then the total; prices are net."""
    table = _table("", "starts", "last day", "months", "accounts", "price without tax", left=[])
    for number, order in enumerate(orders, start=1):
        period = order.period
        table.add_row(
            str(number),
            str(period.starts_on),
            str(period.last_day),
            str(order.months),
            f"{order.accounts:,}",
            f"{order.net_minor:,}",
        )
    table.add_section()
    table.add_row("", "total", "", "", "", f"{sum(order.net_minor for order in orders):,}")
    return table


def _baselines_table(outcome: Outcome) -> Table:
    table = _table("compared with", "orders", "price", "the plan saves", left=["compared with"])
    for baseline in outcome.baselines:
        table.add_row(BASELINE_WORDS[baseline.kind], *_baseline_cells(baseline, outcome.net_minor))
    return table


def _baseline_cells(baseline: Baseline, net_minor: int) -> tuple[str, str, str]:
    if baseline.orders is None or baseline.net_minor is None:
        return "", "does not fit", ""
    saved = baseline.net_minor - net_minor
    share = f" ({saved / baseline.net_minor:.1%})" if saved else ""
    return str(len(baseline.orders)), f"{baseline.net_minor:,}", f"{saved:,}{share}"


def _show_shortfalls(console: Console, shortfalls: tuple[Shortfall, ...]) -> None:
    days = sum(missing.period.days for missing in shortfalls)
    console.print(f"No plan: no spot contract can cover {days:,} day{'s' if days > 1 else ''} of the demand.\n")
    table = _table("from", "last day", "days", "accounts missing", "why", left=["why"])
    for missing in shortfalls:
        period = missing.period
        table.add_row(
            str(period.starts_on),
            str(period.last_day),
            f"{period.days:,}",
            f"{missing.accounts_missing:,}",
            REASON_WORDS[missing.reason],
        )
    console.print(table)


@dataclass(frozen=True, slots=True)
class _Scale:
    """The rows of the chart: each shows (low, low + step] accounts, and counts as filled when touched.

    The main contract's capacity is the edge of a row and a row is whole licence units, so that a plan of few
    units is drawn exactly, however small it is beside the contract.
    """

    step: int
    lows: tuple[int, ...]

    @classmethod
    def of(cls, steps: Sequence[CoverageStep], accounts_per_unit: int) -> "_Scale":
        capacity = max(step.capacity_before for step in steps)
        top = max(capacity + 1, *(max(step.demand, step.capacity_after) for step in steps))
        units = _ceil(top - capacity, accounts_per_unit)
        step = accounts_per_unit * _ceil(units, ROWS_ABOVE_MAX)
        above, below = _ceil(top - capacity, step), min(ROWS_BELOW_MAX, _ceil(capacity, step))
        return cls(step, tuple(capacity + row * step for row in range(above - 1, -below - 1, -1)))


def coverage_lines(
    problem: PlanningProblem, steps: tuple[CoverageStep, ...], width: int, ascii_only: bool
) -> list[Text]:
    """Demand against capacity before and after the plan: accounts upwards, days to the right.

    A column stands for as many days as the width asks for and shows the one that needs most.
    """
    scale = _Scale.of(steps, problem.contract.accounts_per_unit)
    margin = max(len(f"{low + scale.step:,}") for low in scale.lows)
    days_per_column = _ceil(problem.window.days, max(1, width - margin - 3))
    columns = _columns(steps, problem.window, days_per_column)
    wall, floor, corner = ("|", "-", "+") if ascii_only else ("│", "─", "└")
    lines = [Text(f"accounts, {days_per_column} day{'s' if days_per_column > 1 else ''} per column")]
    for low in scale.lows:
        line = Text(f"{low + scale.step:>{margin},} {wall}")
        for ink, cells in groupby(_ink(step, low) for step in columns):
            glyph = ink.ascii_glyph if ascii_only else ink.glyph
            line.append(glyph * len(list(cells)), style=ink.style)
        line.rstrip()
        lines.append(line)
    lines.append(Text(f"{max(0, scale.lows[-1]):>{margin},} {corner}{floor * len(columns)}"))
    lines.append(Text(" " * (margin + 2) + _month_labels(problem.window, days_per_column, len(columns))))
    for inks in ((IN_CONTRACT, SPARE_CONTRACT), (IN_SPOTS, SPARE_SPOTS)):
        line = Text(" " * (margin + 2))
        for ink in inks:
            line.append(ink.ascii_glyph if ascii_only else ink.glyph, style=ink.style)
            line.append(f" {ink.words:<30}")
        line.rstrip()
        lines.append(line)
    return lines


def _columns(steps: tuple[CoverageStep, ...], window: Period, days_per_column: int) -> tuple[CoverageStep, ...]:
    """Per column the step that needs most of those it touches; the least capacity among equals."""
    columns = []
    for offset in range(0, window.days, days_per_column):
        begin = window.starts_on + timedelta(days=offset)
        span = Period(begin, begin + timedelta(days=min(days_per_column, window.days - offset)))
        touched = [step for step in steps if step.period.overlaps(span)]
        columns.append(max(touched, key=lambda step: (step.demand, -step.capacity_after)))
    return tuple(columns)


def _ink(step: CoverageStep, low: int) -> _Ink:
    if step.capacity_before > low:
        return IN_CONTRACT if step.demand > low else SPARE_CONTRACT
    if step.capacity_after > low:
        return IN_SPOTS if step.demand > low else SPARE_SPOTS
    return EMPTY


def _month_labels(window: Period, days_per_column: int, columns: int) -> str:
    """The first column's day, then year and month where a month begins and the label fits."""
    line = str(window.starts_on)
    first = _next_month(window.starts_on)
    while first < window.ends_before:
        column = _ceil((first - window.starts_on).days, days_per_column)
        if len(line) < column <= columns - len("2026-04"):
            line = line.ljust(column) + f"{first:%Y-%m}"
        first = _next_month(first)
    return line


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


def _ceil(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
