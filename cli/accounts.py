"""``spotplan accounts import``: accounts from a CSV file, with a progress bar and a report of every bad line."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cli.errors import OperatorError
from cli.running import one_line_errors, run_with_services, the_customer
from domain.account_csv import account_lines
from domain.errors import Refused, RuleError
from resolvers.access import Caller, Role
from resolvers.account_import import BadLine, ImportCommand, ImportReport, import_accounts
from resolvers.services import Services

accounts_app = typer.Typer(help="Accounts of customers.", no_args_is_help=True)

BAD_LINES = 3
"""The exit code where lines were bad; 2 where nothing could be done at all."""


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
    """Register the accounts of a CSV file in one transaction. Exits with 3 where lines were bad."""
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
            raise typer.Exit(BAD_LINES)


async def _imported(services: Services, text: str, customer: str, skip_bad_lines: bool) -> ImportReport:
    found = await the_customer(services.database, customer)
    bar = (TextColumn("importing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*bar, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=len(account_lines(text)))
        command = ImportCommand(found.id, text, skip_bad_lines)
        return await import_accounts(
            services, Caller(Role.OPERATOR, None), command, lambda count: progress.advance(task, count)
        )


def _show(report: ImportReport) -> None:
    console = Console()
    if report.bad_lines:
        console.print(_table(report.bad_lines))
    for refusal in report.refusals:
        console.print(refusal.message, markup=False)
    console.print(f"{report.imported} of {report.lines} accounts were imported.")


def _table(lines: tuple[BadLine, ...]) -> Table:
    table = Table("line", "external id", "what is wrong")
    for line in lines:
        reasons = "\n".join(f"{refusal.field}: {refusal.message}" for refusal in line.refusals)
        table.add_row(str(line.number), line.external_id, reasons)
    return table
