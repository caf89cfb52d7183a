"""Demand against capacity, before and after a plan, drawn with characters."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from rich.text import Text

from domain.months import Period
from planner.problem import CoverageStep, PlanningProblem

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
IN_ORDERS = _Ink("▓", "+", "green", "needed, in the plan's orders")
SPARE_ORDERS = _Ink("░", "-", "green", "spare in the plan's orders")
SPARE_CONTRACT = _Ink("·", ".", "dim", "spare in the main contract")
SHORT = _Ink("!", "!", "red", "needed, stays short")
EMPTY = _Ink(" ", " ", "", "")
LEGEND = ((IN_CONTRACT, SPARE_CONTRACT), (IN_ORDERS, SPARE_ORDERS))
LEGEND_WHEN_SHORT = (*LEGEND, (SHORT,))


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
    is_short = any(step.demand > step.capacity_after for step in steps)
    return lines + _legend(LEGEND_WHEN_SHORT if is_short else LEGEND, margin + 2, ascii_only)


def _legend(rows: Sequence[Sequence[_Ink]], indent: int, ascii_only: bool) -> list[Text]:
    lines = []
    for inks in rows:
        line = Text(" " * indent)
        for ink in inks:
            line.append(ink.ascii_glyph if ascii_only else ink.glyph, style=ink.style)
            line.append(f" {ink.words:<30}")
        line.rstrip()
        lines.append(line)
    return lines


def _columns(steps: tuple[CoverageStep, ...], window: Period, days_per_column: int) -> tuple[CoverageStep, ...]:
    """Per column the step that tells most of those it touches: the shortest, then what needs most."""
    columns = []
    for offset in range(0, window.days, days_per_column):
        begin = window.starts_on + timedelta(days=offset)
        span = Period(begin, begin + timedelta(days=min(days_per_column, window.days - offset)))
        touched = [step for step in steps if step.period.overlaps(span)]
        columns.append(max(touched, key=_interest))
    return tuple(columns)


def _interest(step: CoverageStep) -> tuple[int, int, int]:
    return max(0, step.demand - step.capacity_after), step.demand, -step.capacity_after


def _ink(step: CoverageStep, low: int) -> _Ink:
    if step.capacity_before > low:
        return IN_CONTRACT if step.demand > low else SPARE_CONTRACT
    if step.capacity_after > low:
        return IN_ORDERS if step.demand > low else SPARE_ORDERS
    return SHORT if step.demand > low else EMPTY


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
