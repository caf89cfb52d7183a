"""Accounts over GraphQL: registering, moves, groups, reading, and what is refused with which numbers."""

from datetime import UTC, datetime
from typing import Any

import pytest

from resolvers.access import Role
from schema.relay import global_id
from tests.people import (
    CHANGE_GROUPS,
    DELETE,
    PROTECT,
    REACTIVATE,
    REGISTER,
    SUSPEND,
    may_sign_in,
    people,
    refused,
    registered,
)
from tests.world import Api, TestClock, World, confirmed, starter

pytestmark = pytest.mark.anyio

LIST = """query List($first: Int!, $after: String, $status: [AccountStatus!], $group: ID, $search: String) {
  customer { accounts(first: $first, after: $after, status: $status, groupId: $group, search: $search) {
    totalCount pageInfo { hasNextPage endCursor } edges { node { externalId name status } } } } }"""
GROUPS = "{ customer { accountGroups { id name isBuiltIn accountCount } } }"
COUNT = "{ customer { accountCount } }"
EVENTS = """query Events($account: ID) { customer { events(first: 100, accountId: $account) { totalCount edges { node {
  kind actor changes { name before after } countedAfter account { externalId } } } } } }"""
IMPORT = """mutation Import($input: AccountImportInput!) { accountImport(input: $input) {
  lines imported badLines { line externalId errors { code field message } } errors { code field message } } }"""
POLICY = """mutation Policy($input: DeactivationPolicySetInput!) { deactivationPolicySet(input: $input) {
  policy errors { code } } }"""
DELETE_GROUP = """mutation DeleteGroup($input: AccountGroupDeleteInput!) { accountGroupDelete(input: $input) {
  deletedGroupId errors { code field } } }"""


async def ids(api: Api, token: str, first: int, last: int) -> list[str]:
    return [item["id"] for item in await registered(api, token, people(first, last))]


async def names(api: Api, token: str, **given: Any) -> list[str]:
    answer = await api.data(LIST, token, **{"first": 100, **given})
    return [edge["node"]["externalId"] for edge in answer["customer"]["accounts"]["edges"]]


async def counted(api: Api, token: str) -> int:
    number: int = (await api.data(COUNT, token))["customer"]["accountCount"]
    return number


async def events(api: Api, token: str, account: str | None = None) -> list[dict[str, Any]]:
    answer = await api.data(EVENTS, token, account=account)
    return [edge["node"] for edge in answer["customer"]["events"]["edges"]]


async def test_an_account_is_registered_with_its_groups(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    person = {
        "externalId": "e-1",
        "name": "山田 太郎",
        "email": "taro@example.jp",
        "groups": ["Sales", "2026", "Sales"],
    }
    (item,) = await registered(api, owner.token, [person])
    assert {**item, "id": None} == {
        "id": None,
        "externalId": "e-1",
        "name": "山田 太郎",
        "email": "taro@example.jp",
        "status": "ACTIVE",
        "canSignIn": True,
        "isProtected": False,
        "groups": [{"name": "2026"}, {"name": "Sales"}],
    }
    assert await may_sign_in(api, owner.token, "e-1")
    assert not await may_sign_in(api, owner.token, "e-2")
    node = "query($id: ID!) { node(id: $id) { ... on Account { externalId groups { name } } } }"
    assert await api.data(node, owner.token, id=item["id"]) == {
        "node": {"externalId": "e-1", "groups": [{"name": "2026"}, {"name": "Sales"}]}
    }
    assert await events(api, owner.token) == [
        {
            "kind": "ACCOUNT_REGISTERED",
            "actor": "OWNER",
            "changes": [
                {"name": "status", "before": None, "after": "ACTIVE"},
                {"name": "groups", "before": None, "after": "2026; Sales"},
            ],
            "countedAfter": 1,
            "account": {"externalId": "e-1"},
        }
    ]


async def test_registering_is_all_or_nothing_and_says_what_is_wrong_where(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    await registered(api, owner.token, people(1, 1))
    wrong = [
        {"externalId": "ok", "name": "Fine"},
        {"externalId": "", "name": " x", "email": "nobody"},
        {"externalId": "ok", "name": "Twice", "groups": ["auto deactivation"]},
        {"externalId": "keen", "name": "Keen", "groups": [f"Group {number}" for number in range(101)]},
    ]
    errors = await refused(api, owner.token, REGISTER, accounts=wrong)
    assert [(error["code"], error["field"]) for error in errors] == [
        ("TEXT_INVALID", "accounts[1].externalId"),
        ("TEXT_INVALID", "accounts[1].name"),
        ("EMAIL_INVALID", "accounts[1].email"),
        ("GROUP_RESERVED", "accounts[2].groups"),
        ("EXTERNAL_ID_TAKEN", "accounts[2].externalId"),
        ("GROUPS_OUT_OF_RANGE", "accounts[3].groups"),
    ]
    taken = await refused(api, owner.token, REGISTER, accounts=[*people(2, 3), *people(1, 1)])
    assert [(error["code"], error["field"], error["externalId"]) for error in taken] == [
        ("EXTERNAL_ID_TAKEN", "accounts[2].externalId", "u1")
    ]
    assert await names(api, owner.token) == ["u1"]
    assert len(await events(api, owner.token)) == 1
    assert [group["name"] for group in (await api.data(GROUPS, owner.token))["customer"]["accountGroups"]] == []


async def test_no_more_accounts_than_capacity_and_the_next_day_with_room_is_named(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    await registered(api, owner.token, people(1, 95))
    await confirmed(api, owner.token, "may", startsOn="2026-05-01")
    (error,) = await refused(api, owner.token, REGISTER, accounts=people(96, 101))
    assert error == {
        "__typename": "CapacityExceeded",
        "code": "CAPACITY_EXCEEDED",
        "field": "accounts",
        "message": "6 accounts were requested, but 5 of 100 are free today; there is room for them on 2026-05-01.",
        "requested": 6,
        "available": 5,
        "capacity": 100,
        "nextFreeOn": "2026-05-01",
    }
    (error,) = await refused(api, owner.token, REGISTER, accounts=people(96, 201))
    assert (error["requested"], error["available"], error["nextFreeOn"]) == (106, 5, None)
    assert await counted(api, owner.token) == 95


async def test_without_a_paid_contract_nobody_can_be_registered(api: Api, world: World) -> None:
    free = await world.customer()
    (error,) = await refused(api, free.token, REGISTER, accounts=people(1, 1))
    assert (error["code"], error["available"], error["capacity"], error["nextFreeOn"]) == (
        "CAPACITY_EXCEEDED",
        0,
        0,
        None,
    )
    later = await world.customer(starter("2026-06-01", "2027-06-01"), name="Later")
    (error,) = await refused(api, later.token, REGISTER, accounts=people(1, 1))
    assert (error["capacity"], error["nextFreeOn"]) == (0, "2026-06-01")


async def test_a_registration_that_is_sent_again_registers_nobody_twice(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    first = await registered(api, owner.token, people(1, 2), idempotencyKey="k")
    assert await registered(api, owner.token, people(1, 2), idempotencyKey="k") == first
    other = await refused(api, owner.token, REGISTER, accounts=people(3, 3), idempotencyKey="k")
    assert [error["code"] for error in other] == ["IDEMPOTENCY_KEY_REUSED"]
    assert await counted(api, owner.token) == 2


async def test_a_suspended_account_keeps_its_place_and_a_deleted_one_frees_it(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    first, second = await ids(api, owner.token, 1, 2)
    payload = (await api.data(SUSPEND, owner.token, input={"accountIds": [first, first]}))["accountSuspend"]
    assert [(item["externalId"], item["status"], item["canSignIn"]) for item in payload["accounts"]] == [
        ("u1", "SUSPENDED", False)
    ]
    assert not await may_sign_in(api, owner.token, "u1")
    assert await counted(api, owner.token) == 2
    await api.data(REACTIVATE, owner.token, input={"accountIds": [first]})
    assert await may_sign_in(api, owner.token, "u1")

    await api.data(CHANGE_GROUPS, owner.token, input={"accountIds": [second], "add": ["A"]})
    payload = (await api.data(DELETE, owner.token, input={"accountIds": [second]}))["accountDelete"]
    assert [{**item, "id": None} for item in payload["accounts"]] == [
        {
            "id": None,
            "externalId": "u2",
            "name": "",
            "email": None,
            "status": "DELETED",
            "canSignIn": False,
            "isProtected": False,
            "groups": [],
        }
    ]
    assert await counted(api, owner.token) == 1
    assert await names(api, owner.token) == ["u1"]
    assert await names(api, owner.token, status=["DELETED"]) == ["u2"]
    (error,) = await refused(api, owner.token, REACTIVATE, accountIds=[second])
    assert error["message"] == "The account 'u2' is DELETED and cannot become ACTIVE."
    (error,) = await refused(api, owner.token, PROTECT, accountIds=[second], isProtected=True)
    assert (error["code"], error["field"]) == ("NOT_FOUND", "accountIds[0]")
    await registered(api, owner.token, people(2, 2))  # the external id is free again
    kinds = [(event["kind"], event["countedAfter"]) for event in await events(api, owner.token)]
    assert kinds == [
        ("ACCOUNT_REGISTERED", 2),
        ("ACCOUNT_DELETED", 1),
        ("ACCOUNT_CHANGED", None),
        ("ACCOUNT_REACTIVATED", 2),
        ("ACCOUNT_SUSPENDED", 2),
        ("ACCOUNT_REGISTERED", 2),
        ("ACCOUNT_REGISTERED", 1),
    ]
    assert [event["kind"] for event in await events(api, owner.token, second)] == [
        "ACCOUNT_DELETED",
        "ACCOUNT_CHANGED",
        "ACCOUNT_REGISTERED",
    ]


async def test_moves_are_all_or_nothing(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    first, second = await ids(api, owner.token, 1, 2)
    await api.data(DELETE, owner.token, input={"accountIds": [second]})
    (error,) = await refused(api, owner.token, SUSPEND, accountIds=[first, second])
    assert (error["code"], error["externalId"]) == ("ACCOUNT_MOVE_REFUSED", "u2")
    assert await names(api, owner.token, status=["SUSPENDED"]) == []
    for wrong in ([], [first] * 1_001):
        (error,) = await refused(api, owner.token, SUSPEND, accountIds=wrong)
        assert (error["code"], error["accounts"], error["accountsMax"]) == ("ACCOUNTS_OUT_OF_RANGE", len(wrong), 1_000)


async def test_groups_are_entered_left_and_deleted(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    first, second = await ids(api, owner.token, 1, 2)
    change = {"accountIds": [first, second], "add": ["B", "A"]}
    payload = (await api.data(CHANGE_GROUPS, owner.token, input=change))["accountGroupsChange"]
    assert [item["groups"] for item in payload["accounts"]] == [[{"name": "A"}, {"name": "B"}]] * 2
    await api.data(CHANGE_GROUPS, owner.token, input={"accountIds": [first], "remove": ["A", "nothing"]})
    groups = (await api.data(GROUPS, owner.token))["customer"]["accountGroups"]
    assert [(group["name"], group["isBuiltIn"], group["accountCount"]) for group in groups] == [
        ("A", False, 1),
        ("B", False, 2),
    ]
    assert await names(api, owner.token, group=groups[0]["id"]) == ["u2"]
    assert (await events(api, owner.token, first))[0]["changes"] == [{"name": "groups", "before": "A; B", "after": "B"}]

    deleted = await api.data(DELETE_GROUP, owner.token, input={"groupId": groups[1]["id"]})
    assert deleted["accountGroupDelete"] == {"deletedGroupId": groups[1]["id"], "errors": []}
    assert [group["name"] for group in (await api.data(GROUPS, owner.token))["customer"]["accountGroups"]] == ["A"]
    for name in ("Auto Deactivation", "AUTO DEACTIVATION"):
        (error,) = await refused(api, owner.token, CHANGE_GROUPS, accountIds=[first], add=[name])
        assert (error["code"], error["field"], error["group"]) == ("GROUP_RESERVED", "add", name)


async def test_accounts_are_found_by_status_group_and_text_page_by_page(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    everybody = people(1, 7)
    everybody[3] |= {"name": "100%_sure", "email": "Four@Example.com"}
    listed = await registered(api, owner.token, everybody)
    await api.data(SUSPEND, owner.token, input={"accountIds": [listed[0]["id"], listed[1]["id"]]})
    order = ["u4", "u1", "u2", "u3", "u5", "u6", "u7"]  # by name; digits come first
    seen: list[str] = []
    after = None
    while True:
        page = (await api.data(LIST, owner.token, first=3, after=after))["customer"]["accounts"]
        assert page["totalCount"] == 7
        seen += [edge["node"]["externalId"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == order
    assert await names(api, owner.token, status=["SUSPENDED"]) == ["u1", "u2"]
    assert await names(api, owner.token, status=[]) == []
    assert await names(api, owner.token, search="0%_s") == ["u4"]
    assert await names(api, owner.token, search="user 000") == ["u1", "u2", "u3", "u5", "u6", "u7"]
    assert await names(api, owner.token, search="u7") == ["u7"]
    assert await names(api, owner.token, search="example.COM") == ["u4"]
    assert await names(api, owner.token, search="\0") == []
    refusal = await api.error(LIST, owner.token, first=1, group=global_id("Customer", 1))
    assert (refusal["code"], refusal["field"]) == ("NOT_FOUND", "groupId")
    assert (await api.error(LIST, owner.token, first=0))["code"] == "PAGE_SIZE_OUT_OF_RANGE"


async def test_another_customers_accounts_look_as_if_they_did_not_exist(api: Api, world: World) -> None:
    mine, other = await world.customer(starter()), await world.customer(starter(), name="Other")
    (own,) = await ids(api, mine.token, 1, 1)
    (foreign,) = await ids(api, other.token, 1, 1)
    nobody = global_id("Account", 999_999)
    for account in (foreign, nobody, "x"):
        for query, more in (
            (SUSPEND, {}),
            (REACTIVATE, {}),
            (DELETE, {}),
            (PROTECT, {"isProtected": True}),
            (CHANGE_GROUPS, {"add": ["A"]}),
        ):
            (error,) = await refused(api, mine.token, query, accountIds=[own, account], **more)
            assert (error["code"], error["field"], error["message"]) == (
                "NOT_FOUND",
                "accountIds[1]",
                "There is no such object.",
            )
        assert await api.data("query($id: ID!) { node(id: $id) { id } }", mine.token, id=account) == {"node": None}
    (error,) = await refused(api, mine.token, REGISTER, accounts=people(2, 2), customerId=other.id)
    assert (error["code"], error["field"]) == ("NOT_FOUND", "customerId")
    await registered(api, other.token, people(7, 7, groups=["Secret"]))
    (group,) = (await api.data(GROUPS, other.token))["customer"]["accountGroups"]
    assert await names(api, mine.token, group=group["id"]) == []
    assert await api.data("query($id: ID!) { node(id: $id) { id } }", mine.token, id=group["id"]) == {"node": None}
    assert (await api.data(DELETE_GROUP, mine.token, input={"groupId": group["id"]}))["accountGroupDelete"] == {
        "deletedGroupId": None,
        "errors": [{"code": "NOT_FOUND", "field": "groupId"}],
    }
    assert await events(api, mine.token, foreign) == []
    refusal = await api.error(
        'query($c: ID) { signInAllowed(externalId: "u1", customerId: $c) }', mine.token, c=other.id
    )
    assert (refusal["code"], refusal["field"]) == ("NOT_FOUND", "customerId")


async def test_sales_see_numbers_but_no_persons(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    await ids(api, owner.token, 1, 3)
    sales = await world.token(Role.SALES)
    of_customer = "query($id: ID!) { customer(id: $id) { %s } }"
    numbers = """accountCount upcomingCapacityFalls { accountsAffected } accountGroups { name }
      capacityFalls(first: 1) { totalCount }"""
    assert await api.data(of_customer % numbers, sales, id=owner.id) == {
        "customer": {
            "accountCount": 3,
            "upcomingCapacityFalls": [{"accountsAffected": 3}],
            "accountGroups": [],
            "capacityFalls": {"totalCount": 0},
        }
    }
    for query in (
        of_customer % "accounts(first: 1) { totalCount }",
        of_customer % "events(first: 1) { totalCount }",
        'query($id: ID!) { signInAllowed(externalId: "u1", customerId: $id) }',
        'query($id: ID!) { deactivationPreview(on: "2027-04-01", customerId: $id) { on } }',
    ):
        assert (await api.error(query, sales, id=owner.id))["code"] == "FORBIDDEN"
    for query, given in ((REGISTER, {"accounts": people(4, 4)}), (POLICY, {"policy": "EXCESS_ONLY"})):
        assert (await api.error(query, sales, input=given))["code"] == "FORBIDDEN"
    (account,) = (await registered(api, owner.token, people(5, 5)))[:1]
    assert await api.data("query($id: ID!) { node(id: $id) { id } }", sales, id=account["id"]) == {"node": None}


async def test_a_csv_is_imported_or_every_bad_line_is_reported(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    await registered(api, owner.token, people(1, 1))
    text = "External ID,Name,E-mail,Groups\r\na,Ann,,A|B\r\nu1,Bob,b@x,\r\nc,,x,\r\na,Dan,,\r\n\r\ne,Eve\r\n"
    payload = (await api.data(IMPORT, owner.token, input={"csv": text}))["accountImport"]
    assert (payload["lines"], payload["imported"]) == (5, 0)
    assert payload["errors"] == [
        {"code": "LINES_INVALID", "field": "csv", "message": "4 of 5 lines cannot be imported, so none was."}
    ]
    assert [
        (line["line"], line["externalId"], [(error["code"], error["field"]) for error in line["errors"]])
        for line in payload["badLines"]
    ] == [
        (3, "u1", [("EXTERNAL_ID_TAKEN", "externalId")]),
        (4, "c", [("TEXT_INVALID", "name"), ("EMAIL_INVALID", "email")]),
        (5, "a", [("EXTERNAL_ID_TAKEN", "externalId")]),
        (7, "e", [("CELLS_MISSING", "csv")]),
    ]
    assert await names(api, owner.token) == ["u1"]
    payload = (await api.data(IMPORT, owner.token, input={"csv": text, "skipBadLines": True}))["accountImport"]
    assert (payload["lines"], payload["imported"], len(payload["badLines"]), payload["errors"]) == (5, 1, 4, [])
    assert await names(api, owner.token) == ["a", "u1"]
    many = "externalId,name\n" + "".join(f"m{number},Many\n" for number in range(99))
    payload = (await api.data(IMPORT, owner.token, input={"csv": many}))["accountImport"]
    assert [(error["code"], error["field"]) for error in payload["errors"]] == [("CAPACITY_EXCEEDED", "csv")]
    payload = (await api.data(IMPORT, owner.token, input={"csv": "name\nx"}))["accountImport"]
    assert [(error["code"], error["field"]) for error in payload["errors"]] == [("COLUMNS_INVALID", "csv")]
    payload = (await api.data(IMPORT, owner.token, input={"csv": 'externalId,name\nf,"Fay'}))["accountImport"]
    assert payload["badLines"] == [
        {
            "line": 2,
            "externalId": "",
            "errors": [
                {
                    "code": "CSV_LINE_UNREADABLE",
                    "field": "csv",
                    "message": "The line is no CSV: unexpected end of data.",
                }
            ],
        }
    ]
    assert await counted(api, owner.token) == 2


async def test_a_fall_is_seen_before_it_comes_and_protected_accounts_stay(
    api: Api, world: World, clock: TestClock
) -> None:
    owner = await world.customer(starter())
    await confirmed(api, owner.token, "now", startsOn="2026-04-10")
    listed = await ids(api, owner.token, 1, 102)
    await api.data(PROTECT, owner.token, input={"accountIds": listed[100:], "isProtected": True})
    upcoming = "{ customer { upcomingCapacityFalls { on capacityBefore capacityAfter accountsAffected } } }"
    end = {"on": "2027-04-01", "capacityBefore": 100, "capacityAfter": 0}
    assert await api.data(upcoming, owner.token) == {
        "customer": {
            "upcomingCapacityFalls": [
                {"on": "2026-05-10", "capacityBefore": 200, "capacityAfter": 100, "accountsAffected": 102},
                {**end, "accountsAffected": 0},
            ]
        }
    }
    assert (await api.data(POLICY, owner.token, input={"policy": "EXCESS_ONLY"}))["deactivationPolicySet"] == {
        "policy": "EXCESS_ONLY",
        "errors": [],
    }
    preview = """query($on: Date!, $after: String) { deactivationPreview(on: $on) { on capacity countedAfter
      deactivatedCount deactivations(first: 1, after: $after) { totalCount pageInfo { hasNextPage endCursor }
        edges { node { reason previousStatus account { externalId status } } } } } }"""
    first = (await api.data(preview, owner.token, on="2026-05-10"))["deactivationPreview"]
    assert (first["capacity"], first["countedAfter"], first["deactivatedCount"]) == (100, 100, 2)
    cursor = first["deactivations"]["pageInfo"]
    assert cursor["hasNextPage"] is True
    second = (await api.data(preview, owner.token, on="2026-05-10", after=cursor["endCursor"]))["deactivationPreview"]
    assert second["deactivations"]["pageInfo"]["hasNextPage"] is False
    assert [part["deactivations"]["edges"] for part in (first, second)] == [
        [
            {
                "node": {
                    "reason": "NEWEST_OVER_CAPACITY",
                    "previousStatus": "ACTIVE",
                    "account": {"externalId": who, "status": "ACTIVE"},
                }
            }
        ]
        for who in ("u100", "u99")
    ]
    nothing = (await api.data(preview, owner.token, on="2026-05-11"))["deactivationPreview"]
    assert (nothing["deactivatedCount"], nothing["countedAfter"], nothing["deactivations"]["edges"]) == (0, 100, [])
    past = await api.error(preview, owner.token, on="2026-04-09")
    assert (past["code"], past["day"], past["today"]) == ("DAY_IN_THE_PAST", "2026-04-09", "2026-04-10")

    clock.now = datetime(2026, 5, 10, 3, tzinfo=UTC)
    assert await names(api, owner.token, status=["DEACTIVATED"]) == ["u99", "u100"]
    assert await counted(api, owner.token) == 100


async def test_what_was_true_on_a_day_and_what_was_known_then(api: Api, world: World, clock: TestClock) -> None:
    owner = await world.customer(starter())
    await ids(api, owner.token, 1, 3)
    clock.now = datetime(2026, 4, 20, 3, tzinfo=UTC)
    await confirmed(api, owner.token, "may", startsOn="2026-05-01")
    await registered(api, owner.token, people(4, 4))
    clock.now = datetime(2026, 4, 22, 3, tzinfo=UTC)
    known = """query($on: Date!, $at: DateTime) { customer { capacity(on: $on, asKnownAt: $at) } }"""

    async def capacity(on: str, at: str | None = None) -> int:
        number: int = (await api.data(known, owner.token, on=on, at=at))["customer"]["capacity"]
        return number

    assert await capacity("2026-05-31") == 200
    assert await capacity("2026-05-31", "2026-04-20T02:59:59Z") == 100
    assert await capacity("2026-05-31", "2026-04-20T12:00:00+09:00") == 200
    assert await capacity("2026-05-31", "2026-04-10T02:59:59Z") == 0
    # Without an offset it is in UTC; and offsets lead beyond the calendar's ends.
    assert await capacity("2026-05-31", "2026-04-20T02:59:59") == 100
    assert await capacity("2026-05-31", "0001-01-01T00:00:00+14:00") == 0
    assert await capacity("2026-05-31", "9999-12-31T23:59:59-14:00") == 200
    assert await capacity("2026-06-01") == 100
    on = "query($on: Date) { customer { accountCount(on: $on) } }"
    found = [
        (await api.data(on, owner.token, on=day))["customer"]["accountCount"]
        for day in ("2026-04-09", "2026-04-10", "2026-04-19", "2026-04-20", "2026-04-22")
    ]
    assert found == [0, 3, 3, 4, 4]
    error = await api.error(on, owner.token, on="2026-04-23")
    assert (error["code"], error["day"], error["today"]) == ("DAY_IN_THE_FUTURE", "2026-04-23", "2026-04-22")


async def test_the_order_of_events_tells_a_spots_life(api: Api, world: World, clock: TestClock) -> None:
    owner = await world.customer(starter())
    await confirmed(api, owner.token, "now", startsOn="2026-04-10")
    await api.data(
        """mutation { spotOrderPlace(input: {accounts: 100, startsOn: "2026-05-01", months: 1,
        agreedTermsVersion: "2026-04-01", idempotencyKey: "left"}) { order { id } errors { code } } }""",
        owner.token,
    )
    clock.now = datetime(2026, 6, 1, tzinfo=UTC)
    query = """{ customer { events(first: 20) { edges { node { kind actor occurredAt recordedAt
      changes { name before after } spotOrderId } } } spotOrders(first: 2) { edges { node { number status } } } } }"""
    answer = (await api.data(query, owner.token))["customer"]
    late = "2026-06-01T00:00:00+00:00"
    assert [
        (event["kind"], event["actor"], event["occurredAt"], event["recordedAt"])
        for event in (edge["node"] for edge in answer["events"]["edges"])
    ] == [
        ("CAPACITY_FELL", "SYSTEM", "2026-05-09T15:00:00+00:00", late),
        ("SPOT_ENDED", "SYSTEM", "2026-05-09T15:00:00+00:00", late),
        ("SPOT_ORDER_EXPIRED", "SYSTEM", "2026-04-10T03:30:00+00:00", late),
        ("SPOT_ORDER_PLACED", "OWNER", "2026-04-10T03:00:00+00:00", "2026-04-10T03:00:00+00:00"),
        ("SPOT_STARTED", "SYSTEM", "2026-04-10T03:00:00+00:00", "2026-04-10T03:00:00+00:00"),
        ("INVOICE_ISSUED", "OWNER", "2026-04-10T03:00:00+00:00", "2026-04-10T03:00:00+00:00"),
        ("SPOT_ORDER_CONFIRMED", "OWNER", "2026-04-10T03:00:00+00:00", "2026-04-10T03:00:00+00:00"),
        ("SPOT_ORDER_PLACED", "OWNER", "2026-04-10T03:00:00+00:00", "2026-04-10T03:00:00+00:00"),
    ]
    assert answer["events"]["edges"][1]["node"]["changes"] == [{"name": "status", "before": "ACTIVE", "after": "ENDED"}]
    assert [edge["node"]["status"] for edge in answer["spotOrders"]["edges"]] == ["EXPIRED", "ENDED"]
