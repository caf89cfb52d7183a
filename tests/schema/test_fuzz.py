"""Random requests, a few hundred on each database: no crash, no leak, nobody else's data. ``make soak`` asks 22,000.

Below, that the fuzzer would see it: what each of its checks is there for.
"""

import json
import re
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import insert, select

from db.commerce_tables import DocumentRow
from db.tables import AccountRow, Base, EventRow
from domain.global_ids import global_id
from resolvers.services import Services
from schema.relay import cursor
from tests.processes import ROOT
from tests.schema.fuzz import Fuzz, fuzzing
from tests.schema.fuzz_after import check_database
from tests.schema.fuzz_checks import Fault, check
from tests.schema.fuzz_requests import Asked
from tests.world import TestClock

pytestmark = pytest.mark.anyio

REQUESTS = 200


async def test_whatever_is_asked_is_answered_in_form_and_with_what_is_the_callers(
    services: Services, clock: TestClock
) -> None:
    async with fuzzing(services, clock, seed=1) as fuzz:
        await fuzz.run(REQUESTS)
    assert fuzz.answered.total() == REQUESTS
    assert fuzz.answered["valid: data"] > REQUESTS / 5


def asked_by(caller: str, carried: str = "") -> Asked:
    return Asked("valid", caller, "POST", "/graphql", carried=carried)


def answered(content: Any, status: int = 200, kind: str = "application/json") -> Response:
    text = content if isinstance(content, str) else json.dumps(content)
    return Response(status, text=text, headers={"Content-Type": f"{kind}; charset=utf-8"})


def failed(message: str = "No.", code: str = "NOT_FOUND", **more: Any) -> dict[str, Any]:
    return {"data": None, "errors": [{"message": message, "extensions": {"code": code}, **more}]}


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (answered("{}x"), "no JSON"),
        (answered('{"data": {"a": NaN}}'), "NaN in JSON"),
        (answered([]), "the answer is no object"),
        (answered({}), "neither data nor errors"),
        (answered({"data": None}), "no data and no error"),
        (answered({"data": {}, "errors": []}), "an empty list of errors"),
        (answered({"data": {}, "more": 1}), "keys"),
        (answered({"errors": [{"message": "No."}]}), "an error without a code"),
        (answered(failed(code="INTERNAL")), "code INTERNAL"),
        (answered(failed(code="UNAVAILABLE")), "code UNAVAILABLE"),
        (answered(failed(locations=[{"line": 0, "column": 1}])), "location"),
        (answered(failed(path=[1.5])), "path"),
        (answered({"errors": failed()["errors"]}, status=500), "status 500"),
        (answered("broken", status=500, kind="text/plain"), "status 500"),
        (answered("x", kind="image/png"), "content of type image/png"),
        (answered(failed("Traceback (most recent call last)")), "'Traceback'"),
        (answered(failed("invalid literal: ValueError")), "'ValueError'"),
        (answered(failed("SELECT name FROM customers")), "SELECT"),
        (answered(failed(f"{ROOT}/schema/app")), re.escape(str(ROOT))),
        (answered({"data": {"errors": [{"message": "'NoneType' object"}]}}), "'NoneType'"),
        (answered({"data": {"a0_name": "spt_abc"}}), "a token"),
        (answered({"data": {"a0_name": "Xylophone Academy"}}), "'Xylophone'"),
        (answered({"data": {"a0_endCursor": cursor("xpersona3", 4)}}), "'xpersona3'"),
        (answered("<p>xylophone1</p>", kind="text/html"), "'xylophone1'"),
        (answered("event: next\ndata: {}\n\nevent: complete\n\n", kind="text/event-stream"), "neither data nor errors"),
    ],
)
def test_what_an_answer_must_not_be(answer: Response, fault: str) -> None:
    with pytest.raises(Fault, match=fault):
        check(asked_by("a"), answer)


@pytest.mark.parametrize(
    ("caller", "text", "is_theirs"),
    [
        ("a", "quetzal1 qpersona1", True),
        ("b", "quetzal1", False),
        ("b", "qpersona1", False),
        ("sales", "quetzal1 xylophone1", True),
        ("sales", "qpersona1", False),
        ("sales", "xpersona1", False),
        ("operator", "quetzal1 qpersona1 xpersona1", True),
        ("nobody", "quetzal1", False),
        ("stranger", "xpersona1", False),
    ],
)
def test_whose_texts_callers_may_get(caller: str, text: str, *, is_theirs: bool) -> None:
    answer = answered({"data": {"a0_name": text}})
    if is_theirs:
        check(asked_by(caller), answer)
    else:
        with pytest.raises(Fault):
            check(asked_by(caller), answer)
        check(asked_by(caller, text), answer)  # an answer may repeat what was asked


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_whose_objects_callers_may_get(services: Services, clock: TestClock) -> None:
    async with fuzzing(services, clock, seed=1) as fuzz:
        (order,) = (await _first(fuzz, "a", "spotOrders"))[:1]
        for name, value in (("a0_id", global_id("SpotOrder", 1)), ("a1_number", order["number"])):
            found = check(asked_by("b"), answered({"data": {name: value}}))
            await fuzz._check_whose(asked_by("a"), found)
            await fuzz._check_whose(asked_by("sales"), found)
            for caller in ("b", "nobody", "stranger"):
                with pytest.raises(Fault, match="is a's"):
                    await fuzz._check_whose(asked_by(caller, value), found)


async def _first(fuzz: Fuzz, caller: str, name: str) -> list[dict[str, Any]]:
    query = f"{{ customer {{ {name}(first: 5) {{ edges {{ node {{ id number }} }} }} }} }}"
    headers = {"Authorization": f"Bearer {fuzz.tokens[caller]}"}
    answer = await fuzz.client.post("/graphql", json={"query": query}, headers=headers)
    return [edge["node"] for edge in answer.json()["data"]["customer"][name]["edges"]][::-1]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("table", "changes", "fault"),
    [
        (AccountRow, {"external_id": "x"}, "another number of accounts"),
        (EventRow, {"customer_id": 2, "counted_after": None}, r"events \["),
        (DocumentRow, {"serial": 9, "invoice_id": None}, None),
    ],
)
async def test_what_the_database_must_not_be(
    services: Services, clock: TestClock, table: type[Base], changes: dict[str, Any], fault: str | None
) -> None:
    async with fuzzing(services, clock, seed=1) as fuzz:
        pass
    rows = Base.metadata.tables[table.__tablename__]
    async with services.database.write() as session:
        row = (await session.execute(select(rows).order_by(rows.c.id).limit(1))).mappings().one()
        await session.execute(insert(rows).values({**row, "id": 9_999, **changes}))
    with pytest.raises(AssertionError, match=fault):
        await check_database(fuzz.world.services, [owned.customer for owned in fuzz.owners.values()])
