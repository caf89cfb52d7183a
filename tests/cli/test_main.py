"""The command line as an operator uses it: in processes of its own."""

import json
import re
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.processes import ROOT, free_port, running, spotplan


def test_migrate_token_and_serve_make_a_working_api(tmp_path: Path) -> None:
    database = {"SPOTPLAN_DATABASE_URL": f"sqlite:///{tmp_path}/my.db"}
    early = spotplan("serve", folder=tmp_path, **database)
    assert early.returncode == 2
    assert early.stderr == "spotplan: the database has not the current tables: run `spotplan migrate` first\n"
    for _ in range(2):
        migrated = spotplan("migrate", folder=tmp_path, **database)
        assert (migrated.returncode, migrated.stderr) == (0, "")
    made = spotplan("token", "--role", "sales", folder=tmp_path, **database)
    token = made.stdout.splitlines()[-1]
    assert re.fullmatch(r"spt_[\w-]{43}", token)
    with running("serve", folder=tmp_path, port=free_port(), **database) as address:
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.post(f"{address}/graphql", json={"query": "{ viewer { role } }"}, headers=headers)
        assert answer.json() == {"data": {"viewer": {"role": "SALES"}}}


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["migrate"], {"SPOTPLAN_DATABASE_URL": "mysql://x/y"}, "must be sqlite:///FILE or postgresql://..."),
        (["migrate"], {"SPOTPLAN_DATABASE_URL": "postgresql://x@127.0.0.1:1/y"}, "spotplan: "),
        (["migrate"], {"SPOTPLAN_PLANNER_WORKERS": "0"}, "SPOTPLAN_PLANNER_WORKERS must be a positive whole number"),
        (["migrate"], {"SPOTPLAN_CORS_ORIGINS": "https://a.example/"}, "SPOTPLAN_CORS_ORIGINS must list origins"),
        (["token", "--role", "owner"], {}, "--customer goes with --role owner"),
        (["token", "--role", "sales", "--customer", "1"], {}, "--customer goes with --role owner"),
        (["token", "--role", "king"], {}, "Invalid value for '--role'"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], message: str
) -> None:
    refused = spotplan(*arguments, folder=tmp_path, **environment)
    assert refused.returncode == 2
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_owners_token_needs_a_customer_that_exists(tmp_path: Path) -> None:
    spotplan("migrate", folder=tmp_path)
    for name in ("7", "Nobody"):
        refused = spotplan("token", "--role", "owner", "--customer", name, folder=tmp_path)
        assert refused.returncode == 2
        assert refused.stderr == f"spotplan: 0 customers are called '{name}'\n"


def test_the_demo_prints_an_address_tokens_and_a_curl_that_recommends_a_plan(tmp_path: Path) -> None:
    port = free_port()
    with running("demo", folder=tmp_path, port=port) as address:
        printed = (tmp_path / "server.log").read_text()
        assert f"{address}/graphql" in printed
        command = printed[printed.index("curl ") :].partition("\n\n")[0]  # the log goes on after it
        answer = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        plan = json.loads(answer.stdout)["data"]["spotPlanRecommend"]
        assert plan["status"] == "OPTIMAL"
        assert plan["lowerBound"] == plan["netTotal"]
        sales = re.findall(r"sales: (\S+)", printed)[0]
        query = """{ customers(first: 10) { edges { node { name mainContract { additionalLicences { accounts } }
          spotOrders(first: 5) { totalCount } } } } }"""
        found = httpx.post(
            f"{address}/graphql", json={"query": query}, headers={"Authorization": f"Bearer {sales}"}
        ).json()["data"]["customers"]["edges"]
    assert [
        (edge["node"]["name"], edge["node"]["mainContract"] is not None, edge["node"]["spotOrders"]["totalCount"])
        for edge in found
    ] == [
        ("Aoba Academy", True, 0),
        ("Kaede Training", True, 2),
        ("Minato Language School", True, 0),
        ("Sakura Cram School", False, 0),
    ]
    # A second start keeps the data; a port that is taken is said before anything else happens.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        refused = spotplan("demo", "--port", str(port), folder=tmp_path)
    assert refused.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in refused.stderr


def test_the_committed_schema_is_what_the_command_prints(tmp_path: Path) -> None:
    assert spotplan("schema", folder=tmp_path).stdout == (ROOT / "schema" / "schema.graphql").read_text("utf-8")
