"""``spotplan accounts import``: accounts from a CSV file, with a progress bar and a report of every bad line."""

from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from cli.errors import OperatorError
from cli.running import one_line_errors, run_with_services, the_customer
from domain.account_errors import LinesInvalid
from domain.errors import Refused, RuleError
from resolvers.access import Caller, Role
from resolvers.account_import import BadLine, ImportCommand, ImportReport, import_accounts
from resolvers.services import Services

accounts_app = typer.Typer(help="Accounts of customers.", no_args_is_help=True)

NOT_ALL = 3
"""The exit code where not every account was imported; 2 where nothing could be begun."""
ID_WIDTH_MAX = 30
"""Cells of the table of bad lines: longer ids are cut, their lines have a number."""


@accounts_app.callback()
def _accounts() -> None:
    """Accounts of customers."""


@accounts_app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(help="A CSV file with the columns externalId, name, email, groups.")],
    customer: Annotated[str, typer.Option(help="The customer: its number, or its exact name.")],
    skip_bad_lines: Annotated[
        bool, typer.Option(help="Import the good lines where others are bad; otherwise none is.")
    ] = False,
) -> None:
    """Register the accounts of a CSV file in one transaction. Exits with 3 where not every account was imported."""
    with one_line_errors():
        try:
            text = file.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise OperatorError(f"cannot read {file}: {reason}") from None
        try:
            report = run_with_services(lambda services: _imported(services, text, customer, skip_bad_lines))
        except (RuleError, Refused) as refusal:
            raise OperatorError(str(refusal)) from None
        _show(report)
        if report.refusals or report.bad_lines:
            raise typer.Exit(NOT_ALL)


async def _imported(services: Services, text: str, customer: str, skip_bad_lines: bool) -> ImportReport:
    found = await the_customer(services.database, customer)
    command = ImportCommand(found.id, text, skip_bad_lines)
    console = Console(stderr=True)
    bar = (TextColumn("importing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*bar, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)

        def advance(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        return await import_accounts(services, Caller(Role.OPERATOR, None), command, advance)


def _show(report: ImportReport) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    if report.bad_lines:
        console.print(_table(report.bad_lines), soft_wrap=False)
        console.print()
    for refusal in report.refusals:
        console.print(refusal.message)
        good = report.lines - len(report.bad_lines)
        if isinstance(refusal, LinesInvalid) and good:
            console.print(f"With --skip-bad-lines the other {good:,} would be.")
    console.print(f"{report.imported:,} of {report.lines:,} accounts were imported.")


def _table(lines: tuple[BadLine, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("line", justify="right", no_wrap=True)
    table.add_column("external id", max_width=ID_WIDTH_MAX, no_wrap=True)
    table.add_column("what is wrong")
    for line in lines:
        reasons = "\n".join(_reason(refusal) for refusal in line.refusals)
        # As Text, not as markup: what is in the file is no instruction to the terminal.
        table.add_row(str(line.number), Text(_visible(line.external_id)), Text(reasons))
    return table


def _reason(refusal: RuleError) -> str:
    return refusal.message if refusal.field == "csv" else f"{refusal.field}: {refusal.message}"


def _visible(text: str) -> str:
    return text if text.isprintable() else repr(text)[1:-1]
