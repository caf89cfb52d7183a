"""``spotplan plan FILE``: the cheapest orders for a demand, without a database.

Exit code: 0 with a plan, 1 without, 2 for bad input. :mod:`cli.plan_file` says what FILE may hold.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from cli.errors import InputError
from cli.plan_data import as_data
from cli.plan_file import read_problem, read_text
from cli.plan_options import Seconds, read_seconds, with_problem_options
from cli.plan_view import show
from cli.whole_file import check_writable, write_whole
from planner.problem import Outcome, PlanningProblem, PlanStatus

WITHOUT_A_PLAN = {PlanStatus.INFEASIBLE, PlanStatus.NO_PLAN_IN_TIME}


@with_problem_options
def plan(
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSON or CSV; - reads standard input.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    svg: Annotated[Path | None, typer.Option(metavar="OUT", help="Draw the plan into this SVG file.")] = None,
    png: Annotated[Path | None, typer.Option(metavar="OUT", help="Draw the plan into this PNG file.")] = None,
    seconds: Seconds = "2",
    options: Mapping[str, object],
) -> None:
    """Plan the cheapest spot contracts for a demand.

    Options about the problem complete a CSV (from,until,accounts) and replace what a JSON file says.
    """
    pictures = {kind: path for kind, path in (("svg", svg), ("png", png)) if path is not None}
    try:
        seconds_max = read_seconds(seconds)
        problem = read_problem(read_text(file), options)
        outcome = _solved_and_drawn(problem, seconds_max, pictures)
    except InputError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    if as_json:
        typer.echo(json.dumps(as_data(outcome)))
    else:
        show(problem, outcome)
    if outcome.status in WITHOUT_A_PLAN:
        raise typer.Exit(1)


def _solved_and_drawn(problem: PlanningProblem, seconds: float, pictures: Mapping[str, Path]) -> Outcome:
    """The outcome, after it was drawn into the files given by format.

    Raises:
        InputError: a file cannot be written.
    """
    # These two take long to load, and most commands need neither.
    from planner.solve import solve  # noqa: PLC0415

    for kind, path in pictures.items():
        check_writable(path, f"--{kind}")
    outcome = solve(problem, seconds)
    if pictures:
        from cli.plan_picture import picture  # noqa: PLC0415

        for kind, path in pictures.items():
            write_whole(path, f"--{kind}", picture(problem, outcome, kind))
    return outcome
