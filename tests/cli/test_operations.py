"""``spotplan operations register`` as an operator uses it."""

import hashlib
import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.operations import operations_app

GOOD = "query Kind { __typename }"
GOOD_ID = hashlib.sha256(GOOD.encode()).hexdigest()
BAD = "{ nothing }"
BAD_ID = hashlib.sha256(BAD.encode()).hexdigest()


@pytest.fixture
def database(tmp_path: Path, sqlite_template: Path) -> Path:
    return Path(shutil.copy(sqlite_template, tmp_path / "spotplan.db"))


def register(source: Path, database: Path) -> Result:
    environment = {"SPOTPLAN_DATABASE_URL": f"sqlite:///{database}"}
    return CliRunner().invoke(operations_app, ["register", str(source)], env=environment)


def stored(database: Path) -> list[tuple[str, str]]:
    connection = sqlite3.connect(database)
    try:
        return connection.execute("SELECT id, document FROM persisted_operations").fetchall()
    finally:
        connection.close()


def test_a_clients_documents_are_registered_once(tmp_path: Path, database: Path) -> None:
    file = tmp_path / "persisted-documents.json"
    file.write_text(json.dumps({GOOD_ID: GOOD}))
    for new in (1, 0):
        result = register(file, database)
        assert (result.exit_code, result.output) == (0, f"1 operations are registered, {new} of them new\n")
    assert stored(database) == [(GOOD_ID, GOOD)]


def test_a_folder_of_documents_is_registered_under_their_hashes(tmp_path: Path, database: Path) -> None:
    (tmp_path / "app" / "pages").mkdir(parents=True)
    (tmp_path / "app" / "pages" / "kind.graphql").write_text(GOOD)
    result = register(tmp_path / "app", database)
    assert result.exit_code == 0
    assert result.output == f"{GOOD_ID}  pages/kind.graphql\n1 operations are registered, 1 of them new\n"
    assert stored(database) == [(GOOD_ID, GOOD)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", " is not JSON: "),
        ("[]", " must be an object of hash to document\n"),
        (json.dumps({GOOD_ID: 1}), " must be an object of hash to document\n"),
        (
            json.dumps({GOOD_ID: GOOD, BAD_ID: BAD}),
            f"spotplan: {BAD_ID}: Cannot query field 'nothing' on type 'Query'.",
        ),
        (json.dumps({"x": GOOD}), "spotplan: 'x' is not the SHA-256, SHA-1 or MD5 of its document\n"),
    ],
)
def test_nothing_is_registered_where_one_document_is_wrong(
    tmp_path: Path, database: Path, text: str, message: str
) -> None:
    file = tmp_path / "documents.json"
    file.write_text(text)
    result = register(file, database)
    assert result.exit_code == 2
    assert message in result.output
    assert stored(database) == []
