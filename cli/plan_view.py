"""A planner's outcome for a person at a terminal: what to buy, what is proven, why, and what else there is."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from rich import box
from rich.console import Console
from rich.table import Table

from cli.plan_chart import coverage_lines
from cli.plan_words import (
    BASELINE_WORDS,
    KIND_WORDS,
    NO_PLAN_IN_TIME,
    NOTHING_TO_BUY,
    SHORTFALL_WORDS,
    infeasible_words,
    licence_words,
    nearest_words,
    needs_words,
    proven_words,
)
from domain.months import Period
from planner.problem import (
    Baseline,
    DemandStep,
    FrontierPoint,
    OrderKind,
    Outcome,
    PeakCost,
    PlannedOrder,
    PlanningProblem,
    PlanStatus,
    Shortfall,
)

ROWS_MAX = 12
"""Rows of a table that explains; more are counted, and --json has them."""
WHY = "Why: accounts missing while it runs, and with one unit less; (+n): n more runs."


def show(problem: PlanningProblem, outcome: Outcome) -> None:
    """Print an outcome for a person, on standard output, as wide as the terminal (80 when piped)."""
    console = Console(highlight=False)
    if outcome.status is PlanStatus.INFEASIBLE:
        _show_infeasible(console, problem, outcome)
    elif outcome.status is PlanStatus.NO_PLAN_IN_TIME:
        console.print(NO_PLAN_IN_TIME)
    elif not outcome.orders and not outcome.shortfalls:
        console.print(NOTHING_TO_BUY)
    else:
        _show_plan(console, problem, outcome)


def _show_plan(console: Console, problem: PlanningProblem, outcome: Outcome) -> None:
    if outcome.orders:
        console.print(_orders_table(outcome, problem.order_fee_minor))
    for words in (*proven_words(problem, outcome), *licence_words(problem, outcome)):
        console.print(words)
    if outcome.shortfalls:
        _print_titled(console, "What stays short:", _shortfalls_table(outcome.shortfalls))
    if outcome.orders:
        _print_titled(console, WHY, _reasons_table(outcome))
    if len(outcome.frontier) > 1:
        title = "With fewer orders:" if problem.orders_max is None else "With so many orders:"
        _print_titled(console, title, _frontier_table(outcome.frontier))
    if outcome.baselines and not outcome.shortfalls:
        console.print()
        console.print(_baselines_table(problem, outcome))
    if outcome.peaks:
        title = "Peaks: what the last unit there costs, when no limit is put on orders."
        _print_titled(console, title, _peaks_table(outcome.peaks))
    console.print()
    for line in coverage_lines(problem, outcome.coverage, console.width, console.options.ascii_only):
        console.print(line, soft_wrap=True)


def _show_infeasible(console: Console, problem: PlanningProblem, outcome: Outcome) -> None:
    _print_titled(console, infeasible_words(problem, outcome), _shortfalls_table(outcome.shortfalls), before="")
    if outcome.nearest_demand:
        _print_titled(console, nearest_words(outcome), _nearest_table(problem.demand, outcome.nearest_demand))


def _print_titled(console: Console, title: str, table: Table, before: str = "\n") -> None:
    console.print(f"{before}{title}\n", style="bold")
    console.print(table)


def _table(*columns: str, left: Sequence[str] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="left" if column in left else "right", no_wrap=column not in left)
    return table


def _add_rows(table: Table, rows: Iterable[Sequence[str]]) -> Table:
    """Add the first rows, and count the others in the last column's place."""
    listed = list(rows)
    for row in listed[:ROWS_MAX]:
        table.add_row(*row)
    if len(listed) > ROWS_MAX:
        table.add_row(*[""] * (len(table.columns) - 1), f"... {len(listed) - ROWS_MAX:,} more")
    return table


def _days(period: Period) -> tuple[str, str]:
    return str(period.starts_on), str(period.last_day)


def _orders_table(outcome: Outcome, fee_minor: int) -> Table:
    """One row per order, then the total and the fees; prices are net. Kinds stand there if licences are among them."""
    orders = outcome.orders
    has_licences = any(order.kind is OrderKind.ADDITIONAL_LICENCE for order in orders)
    kind = ["what"] if has_licences else []
    table = _table("", *kind, "starts", "last day", "months", "accounts", "price without tax", left=["what"])
    for number, order in enumerate(orders, start=1):
        words = [KIND_WORDS[order.kind]] if has_licences else []
        table.add_row(str(number), *words, *_order_cells(order))
    totals = [("total", outcome.net_minor)]
    if fee_minor:
        totals += [(f"fees ({len(orders)})", outcome.cost_minor - outcome.net_minor), ("cost", outcome.cost_minor)]
    table.add_section()
    for label, amount in totals:
        table.add_row("", *[""] * has_licences, label, "", "", "", f"{amount:,}")
    return table


def _order_cells(order: PlannedOrder) -> tuple[str, ...]:
    months = "" if order.months is None else str(order.months)
    return *_days(order.period), months, f"{order.accounts:,}", f"{order.net_minor:,}"


def _reasons_table(outcome: Outcome) -> Table:
    table = _table("", "accounts missing", "with one unit less", left=["accounts missing", "with one unit less"])
    rows = [
        (str(number), needs_words(reason.serves), needs_words(reason.uncovered))
        for number, reason in enumerate(outcome.reasons, start=1)
    ]
    return _add_rows(table, rows)


def _shortfalls_table(shortfalls: tuple[Shortfall, ...]) -> Table:
    table = _table("from", "last day", "days", "accounts missing", "why", left=["why"])
    rows = [
        (
            *_days(missing.period),
            f"{missing.period.days:,}",
            f"{missing.accounts_missing:,}",
            SHORTFALL_WORDS[missing.reason],
        )
        for missing in shortfalls
    ]
    return _add_rows(table, rows)


def _nearest_table(asked: tuple[DemandStep, ...], nearest: tuple[DemandStep, ...]) -> Table:
    """The days on which the nearest demand is less than what was asked for."""
    table = _table("from", "last day", "accounts asked", "nearest")
    rows = []
    steps = iter(asked)
    step = next(steps)
    for near in nearest:
        while not step.period.contains(near.period.starts_on):
            step = next(steps)
        if near.accounts != step.accounts:
            rows.append((*_days(near.period), f"{step.accounts:,}", f"{near.accounts:,}"))
    return _add_rows(table, rows)


def _frontier_table(frontier: tuple[FrontierPoint, ...]) -> Table:
    """The points at which the cost falls; the last ones are the least interesting, but for the very last."""
    table = _table("orders at most", "cost", "above the last", "proven", left=["proven"])
    falls = (later for earlier, later in pairwise(frontier) if later.cost_minor < earlier.cost_minor)
    points = [frontier[0], *falls]
    hidden = len(points) - ROWS_MAX
    rows = [_frontier_cells(point, points[-1].cost_minor) for point in points]
    if hidden > 0:
        rows[ROWS_MAX - 2 : -1] = [("...", "", "", f"{hidden + 1:,} more")]
    for row in rows:
        table.add_row(*row)
    return table


def _frontier_cells(point: FrontierPoint, least_minor: int) -> tuple[str, str, str, str]:
    above = point.cost_minor - least_minor
    share = f" ({above / least_minor:.1%})" if above and least_minor else ""
    proven = "yes" if point.proven else f"at least {point.lower_bound_minor:,}"
    return str(point.orders_max), f"{point.cost_minor:,}", f"{above:,}{share}", proven


def _baselines_table(problem: PlanningProblem, outcome: Outcome) -> Table:
    cost = "cost" if problem.order_fee_minor else "price"
    table = _table("compared with", "orders", cost, "the plan saves", left=["compared with"])
    for baseline in outcome.baselines:
        table.add_row(BASELINE_WORDS[baseline.kind], *_baseline_cells(problem, baseline, outcome.cost_minor))
    return table


def _baseline_cells(problem: PlanningProblem, baseline: Baseline, cost_minor: int) -> tuple[str, str, str]:
    if baseline.orders is None or baseline.net_minor is None:
        return "", "does not fit", ""
    simpler_minor = baseline.net_minor + problem.order_fee_minor * len(baseline.orders)
    saved = simpler_minor - cost_minor
    words = f"{saved:,}" + (f" ({saved / simpler_minor:.1%})" if saved and simpler_minor else "")
    if not _keeps_limits(problem, baseline.orders):
        words = "over the limits"
    return str(len(baseline.orders)), f"{simpler_minor:,}", words


def _keeps_limits(problem: PlanningProblem, orders: tuple[PlannedOrder, ...]) -> bool:
    """Whether a simpler purchase was possible at all; baselines are made without these limits."""
    few_enough = problem.orders_max is None or len(orders) <= problem.orders_max
    most = problem.accounts_per_order_max
    return few_enough and (most is None or all(order.accounts <= most for order in orders))


def _peaks_table(peaks: tuple[PeakCost, ...]) -> Table:
    table = _table("from", "last day", "accounts", "with so many fewer", "it costs less by")
    rows = [
        (*_days(peak.period), f"{peak.accounts:,}", f"{peak.accounts_fewer:,}", f"{peak.net_minor:,}") for peak in peaks
    ]
    return _add_rows(table, rows)
