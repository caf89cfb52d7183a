"""A plan drawn on a page: demand and capacity, the orders as bars, and the frontier.

The page is A4 landscape and higher only with more than ``LANES_MAX`` orders. It is drawn in black and grey with
different lines and hatches, in 8 points or more, and the same plan gives the same bytes.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cli.plan_panels import (
    POINTS_PER_INCH,
    SMALL,
    draw_coverage,
    draw_frontier,
    draw_orders,
    order_label,
    shortfall_lines,
)
from cli.plan_words import (
    NO_PLAN_IN_TIME,
    NOTHING_TO_BUY,
    counted,
    infeasible_words,
    licence_words,
    nearest_words,
    proven_words,
)
from planner.problem import Outcome, PlanningProblem, PlanStatus

WIDTH, HEIGHT = 11.69, 8.27
"""Of the page, in inches as all lengths here."""
MARGIN = 0.4
LANE = 0.125
"""The least height of one order's bar and text."""
LANE_WIDE, LANES_HEIGHT_MAX = 0.24, 3.2
"""What a lane and what all of them take at most, below the demand."""
LANES_BELOW_MAX = 20
"""With more orders than this, their bars stand beside the other charts and not below."""
LANES_MAX = 60
"""The most orders on a page of A4."""
NUMBERS = 0.85
"""Left of an axis, for its numbers."""
DATES = 0.3
"""Below an axis, for its dates."""
KEY = 0.75
"""Above an axis, for its name and the key of its lines."""
NAME = 0.36
"""Above an axis without a key, for its name."""
LEFT_WIDTH, GAP = 4.5, 0.6
"""Of the charts at the left of the orders, and between the two."""
SIDE = 2.5
"""The width of what stands beside the demand: the frontier, or what stays short."""
DOTS_PER_INCH = 200

STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": SMALL,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "hatch.linewidth": 0.6,
    "svg.fonttype": "none",  # text stays text, to search and to copy
    "svg.hashsalt": "spotplan",
}


@dataclass(frozen=True, slots=True)
class _Box:
    """A rectangle of the page, from its lower left corner."""

    left: float
    bottom: float
    width: float
    height: float


def picture(problem: PlanningProblem, outcome: Outcome, kind: str) -> bytes:
    """The page as a file's content; ``kind`` is svg or png."""
    with matplotlib.style.context(["default", STYLE]):
        content = BytesIO()
        # Neither a date nor a version, so that the same plan is the same file.
        metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        page(problem, outcome).savefig(content, format=kind, dpi=DOTS_PER_INCH, metadata=metadata)
        return content.getvalue()


def page(problem: PlanningProblem, outcome: Outcome) -> Figure:
    """The page, to be drawn or measured."""
    count = len(outcome.orders)
    height = HEIGHT if count <= LANES_MAX else count * LANE + 2 * MARGIN + DATES + KEY
    figure = Figure(figsize=(WIDTH, height))
    FigureCanvasAgg(figure)
    if count > LANES_BELOW_MAX:
        _draw_beside(figure, problem, outcome)
    else:
        _draw_below(figure, problem, outcome)
    return figure


def _draw_below(figure: Figure, problem: PlanningProblem, outcome: Outcome) -> None:
    """Orders below the demand, day under day; the frontier, or what stays short, at the right."""
    right, count = WIDTH - MARGIN, len(outcome.orders)
    top = _heading(figure, problem, outcome, right - MARGIN)
    lanes = min(LANES_HEIGHT_MAX, max(2, count) * LANE_WIDE) if count else 0.0
    side = max(SIDE, _label_width(figure, outcome)) if count or outcome.shortfalls else 0.0
    width = right - NUMBERS - (side + NUMBERS if side else 0.0)
    bottom = MARGIN + DATES + (lanes + NAME if count else 0.0)
    height = top - KEY - bottom
    draw_coverage(_axes(figure, _Box(NUMBERS, bottom, width, height)), problem, outcome, with_dates=not count)
    if count:
        draw_orders(_axes(figure, _Box(NUMBERS, MARGIN + DATES, width, lanes)), problem, outcome)
    # Above its own numbers, where the demand has no dates.
    raised = DATES if count else 0.0
    _draw_side(figure, _Box(right - side, bottom + raised, side, height - raised), outcome)


def _draw_beside(figure: Figure, problem: PlanningProblem, outcome: Outcome) -> None:
    """Orders at the right from top to bottom of the page; all else at the left, at the top."""
    right, height = WIDTH - MARGIN, float(figure.get_figheight())
    width = LEFT_WIDTH
    top = _heading(figure, problem, outcome, NUMBERS + width - MARGIN)
    bottom = height - HEIGHT + MARGIN + DATES
    each = (top - bottom - 2 * KEY - DATES) / 2
    draw_coverage(_axes(figure, _Box(NUMBERS, top - KEY - each, width, each)), problem, outcome, with_dates=True)
    _draw_side(figure, _Box(NUMBERS, bottom, width, each), outcome)
    begin = NUMBERS + width + GAP
    lanes_width = right - begin - _label_width(figure, outcome)
    lanes = _Box(begin, MARGIN + DATES, lanes_width, height - 2 * MARGIN - DATES - NAME / 2)
    draw_orders(_axes(figure, lanes), problem, outcome)


def _draw_side(figure: Figure, box: _Box, outcome: Outcome) -> None:
    if outcome.frontier:
        draw_frontier(_axes(figure, box), outcome)
    elif outcome.shortfalls:
        rows = int(box.height * POINTS_PER_INCH / (SMALL * 1.4)) - 1
        _write(figure, box.left, box.bottom + box.height, shortfall_lines(outcome.shortfalls, rows), family="monospace")


def _heading(figure: Figure, problem: PlanningProblem, outcome: Outcome, width: float) -> float:
    """Write the status and what is proven, inside a width; where the rest of the page may begin."""
    size = 12.0
    title = _wrapped([_title(outcome)], width, size * 1.1)
    top = float(figure.get_figheight()) - MARGIN
    top = _write(figure, MARGIN, top, title, size=size, weight="bold") - 0.05
    return _write(figure, MARGIN, top, _wrapped(_sentences(problem, outcome), width, 9.0), size=9.0) - 0.1


def _title(outcome: Outcome) -> str:
    status = outcome.status.value
    if outcome.status in {PlanStatus.INFEASIBLE, PlanStatus.NO_PLAN_IN_TIME}:
        return f"{status}: no plan"
    proven = f"gap {outcome.gap:.1%}"
    if outcome.shortfalls:
        proven = f"{counted(outcome.shortfall_account_days, 'account-day')} short"
    return f"{status}: {counted(len(outcome.orders), 'order')}, cost {outcome.cost_minor:,}, {proven}"


def _sentences(problem: PlanningProblem, outcome: Outcome) -> list[str]:
    if outcome.status is PlanStatus.INFEASIBLE:
        return [infeasible_words(problem, outcome), *([nearest_words(outcome)] if outcome.nearest_demand else [])]
    if outcome.status is PlanStatus.NO_PLAN_IN_TIME:
        return [NO_PLAN_IN_TIME]
    if not outcome.orders and not outcome.shortfalls:
        return [NOTHING_TO_BUY]
    return [*proven_words(problem, outcome), *licence_words(problem, outcome)]


def _wrapped(sentences: Sequence[str], width: float, size: float) -> list[str]:
    """The sentences in lines no longer than a width: a character is 0.58 of its size wide in the mean."""
    characters = int(width * POINTS_PER_INCH / (0.58 * size))
    return [line for sentence in sentences for line in textwrap.wrap(sentence, characters)]


def _write(figure: Figure, left: float, top: float, lines: Sequence[str], size: float = SMALL, **looks: Any) -> float:
    """Write lines from a corner of the page down; where the next thing may begin."""
    pitch = size * 1.4 / POINTS_PER_INCH
    for number, line in enumerate(lines):
        x, y = left / WIDTH, (top - number * pitch) / float(figure.get_figheight())
        figure.text(x, y, line, size=size, va="top", **looks)
    return top - len(lines) * pitch


def _axes(figure: Figure, box: _Box) -> Axes:
    height = float(figure.get_figheight())
    return figure.add_axes((box.left / WIDTH, box.bottom / height, box.width / WIDTH, box.height / height))


def _label_width(figure: Figure, outcome: Outcome) -> float:
    """What the longest order's text takes, with a little room."""
    longest = 0.0
    for number, order in enumerate(outcome.orders, start=1):
        text = figure.text(0, 0, order_label(number, order), size=SMALL)
        longest = max(longest, text.get_window_extent().width / float(figure.dpi))
        text.remove()
    return longest + 0.15
