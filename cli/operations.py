"""``spotplan operations``: the documents that clients may ask by hash."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cli.errors import OperatorError
from cli.running import one_line_errors, run_with_services
from resolvers.operations import operation_id, register
from resolvers.services import system_clock
from schema.app import build_schema
from schema.operations import faults
from settings import Settings

operations_app = typer.Typer(help="Persisted operations: what clients may ask by hash.", no_args_is_help=True)


@operations_app.callback()
def _group() -> None:
    """A callback keeps the command's name, though it is the only one."""


@operations_app.command("register")
def register_command(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSON of hash to document, or a folder of .graphql files.")
    ],
) -> None:
    """Register a client's documents, all or none; safe to run again. Prints each hash of a folder's files.

    The JSON is what graphql-codegen writes as persisted-documents.json, and relay-compiler as its persist file. Each
    document must be valid.
    """
    with one_line_errors():
        documents = _from_folder(source) if source.is_dir() else _from_json(source)
        settings = Settings.from_environment()
        schema = build_schema(settings)
        for id_, document in documents.items():
            if found := faults(schema, document, settings):
                raise OperatorError(f"{id_}: {found[0]}")
        try:
            new = run_with_services(lambda services: register(services.database, documents, system_clock()))
        except ValueError as error:
            raise OperatorError(str(error)) from None
        typer.echo(f"{len(documents)} operations are registered, {new} of them new")


def _from_folder(folder: Path) -> dict[str, str]:
    documents = {}
    for file in sorted(folder.rglob("*.graphql")):
        document = _text(file)
        documents[operation_id(document)] = document
        typer.echo(f"{operation_id(document)}  {file.relative_to(folder)}")
    if not documents:
        raise OperatorError(f"{folder} has no .graphql files")
    return documents


def _from_json(file: Path) -> dict[str, str]:
    try:
        given = json.loads(_text(file))
    except ValueError as error:
        raise OperatorError(f"{file} is not JSON: {error}") from None
    if not isinstance(given, dict) or not all(isinstance(document, str) for document in given.values()):
        raise OperatorError(f"{file} must be an object of hash to document")
    return given


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"{file} cannot be read: {error}") from None
