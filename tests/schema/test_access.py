"""Who may what; somebody else's object looks exactly like one that does not exist."""

from datetime import timedelta

import pytest

from resolvers.access import Role
from schema.relay import global_id
from tests.world import CANCEL, CHECKOUT, PLACE, Api, TestClock, World, place_input, placed, starter

pytestmark = pytest.mark.anyio

RECOMMEND = """
query($customer: ID) { spotPlanRecommend(input: {customerId: $customer,
  demand: {csv: "2026-05-01,2026-06-01,150"}}) { status netTotal { minorUnits } } }"""
PREVIEW = """
query($customer: ID) { spotOrderPreview(input: {customerId: $customer, accounts: 100, startsOn: "2026-05-01",
  months: 1}) { price { total { minorUnits } } } }"""


@pytest.mark.parametrize(
    "query",
    [
        "{ viewer { role } }",
        "{ plans { code } }",
        "{ customer { name } }",
        "{ customers(first: 1) { totalCount } }",
        '{ node(id: "x") { id } }',
        PREVIEW,
        RECOMMEND,
    ],
)
async def test_nothing_can_be_read_without_a_token(api: Api, world: World, query: str) -> None:
    await world.customer(starter())
    assert await api.error(query) == {
        "message": "Sign in: send the header Authorization: Bearer <token>.",
        "code": "NOT_SIGNED_IN",
    }


async def test_nothing_can_be_changed_without_a_token(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    assert (await api.error(PLACE, input=place_input(customerId=owner.id)))["code"] == "NOT_SIGNED_IN"


async def test_unknown_and_expired_tokens_look_alike(api: Api, world: World, clock: TestClock) -> None:
    token = await world.token(Role.SALES, valid_for=timedelta(minutes=5))
    assert await api.data("{ viewer { role customer { name } } }", token) == {
        "viewer": {"role": "SALES", "customer": None}
    }
    clock.now += timedelta(minutes=5)
    expired = await api.error("{ viewer { role } }", token)
    assert expired == {"message": "The token is unknown or has expired.", "code": "NOT_SIGNED_IN"}
    assert await api.error("{ viewer { role } }", "spt_nobody") == expired


async def test_a_token_is_stored_as_a_hash_only(world: World) -> None:
    token = await world.token(Role.SALES)
    async with world.services.database.read() as session:
        connection = await session.connection()
        rows = (await connection.exec_driver_sql("SELECT token_hash FROM access_tokens")).scalars().all()
    assert [len(row) for row in rows] == [64]
    assert token not in str(rows)


async def test_an_owner_sees_only_its_own_customer(api: Api, world: World) -> None:
    mine, other = await world.customer(starter()), await world.customer(starter(), name="Other")
    query = "query($id: ID) { customer(id: $id) { name } }"
    assert await api.data(query, mine.token) == {"customer": {"name": "Aoba Academy"}}
    assert await api.data(query, mine.token, id=mine.id) == {"customer": {"name": "Aoba Academy"}}
    nobody = {"customer": None}
    assert await api.data(query, mine.token, id=other.id) == nobody
    assert await api.data(query, mine.token, id=global_id("Customer", 999)) == nobody
    assert await api.data(query, mine.token, id="not an id") == nobody


@pytest.mark.parametrize("type_name", ["Customer", "MainContract", "SpotOrder"])
async def test_node_finds_ones_own_objects_and_nobody_elses(api: Api, world: World, type_name: str) -> None:
    mine, other = await world.customer(starter()), await world.customer(starter(), name="Other")
    sales = await world.token(Role.SALES)
    order = await placed(api, mine.token)
    assert mine.stored is not None
    ids = {"Customer": mine.id, "MainContract": global_id("MainContract", mine.stored.id), "SpotOrder": order["id"]}
    query = "query($id: ID!) { node(id: $id) { __typename id } }"
    found = {"node": {"__typename": type_name, "id": ids[type_name]}}
    assert await api.data(query, mine.token, id=ids[type_name]) == found
    assert await api.data(query, sales, id=ids[type_name]) == found
    nothing = {"node": None}
    assert await api.data(query, other.token, id=ids[type_name]) == nothing
    assert await api.data(query, mine.token, id=global_id(type_name, 999)) == nothing


async def test_somebody_elses_order_cannot_be_told_from_one_that_does_not_exist(api: Api, world: World) -> None:
    mine, other = await world.customer(starter()), await world.customer(starter(), name="Other")
    order = await placed(api, mine.token)
    checkout = {"paymentMethod": "INVOICE", "expectedTotal": 5_500, "idempotencyKey": "k"}
    answers = [
        [
            await api.data(CHECKOUT, other.token, input={**checkout, "orderId": order_id}),
            await api.data(CANCEL, other.token, input={"orderId": order_id}),
        ]
        for order_id in (order["id"], global_id("SpotOrder", 999), other.id, "???")
    ]
    missing = {
        "order": None,
        "errors": [
            {
                "__typename": "NotFound",
                "code": "NOT_FOUND",
                "field": "orderId",
                "message": "There is no such object.",
            }
        ],
    }
    assert answers == [[{"spotOrderCheckout": missing}, {"spotOrderCancel": missing}]] * 4


async def test_an_owner_can_neither_order_nor_plan_for_another_customer(api: Api, world: World) -> None:
    mine, other = await world.customer(starter()), await world.customer(starter(), name="Other")
    payload = (await api.data(PLACE, mine.token, input=place_input(customerId=other.id)))["spotOrderPlace"]
    assert [(error["code"], error["field"]) for error in payload["errors"]] == [("NOT_FOUND", "customerId")]
    refused = {"message": "There is no such object.", "code": "NOT_FOUND", "field": "customerId"}
    for query in (PREVIEW, RECOMMEND):
        assert await api.error(query, mine.token, customer=other.id) == refused
        assert await api.error(query, mine.token, customer=global_id("Customer", 999)) == refused


async def test_sales_read_and_plan_for_everyone_but_order_for_nobody(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    sales = await world.token(Role.SALES)
    assert await api.data(RECOMMEND, sales, customer=owner.id) == {
        "spotPlanRecommend": {"status": "OPTIMAL", "netTotal": {"minorUnits": 5_000}}
    }
    order = await placed(api, owner.token)
    checkout = {"orderId": order["id"], "paymentMethod": "INVOICE", "expectedTotal": 5_500, "idempotencyKey": "k"}
    for query, given in (
        (PLACE, place_input("other", customerId=owner.id)),
        (CHECKOUT, checkout),
        (CANCEL, {"orderId": order["id"]}),
    ):
        assert await api.error(query, sales, input=given) == {
            "message": "This needs the role OWNER or OPERATOR, not SALES.",
            "code": "FORBIDDEN",
        }


async def test_operators_order_for_everyone_and_must_say_for_whom(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    operator = await world.token(Role.OPERATOR)
    assert (await placed(api, operator, customerId=owner.id))["status"] == "AWAITING_PAYMENT_METHOD"
    payload = (await api.data(PLACE, operator, input=place_input("k2")))["spotOrderPlace"]
    assert [error["code"] for error in payload["errors"]] == ["CUSTOMER_REQUIRED"]


async def test_owners_do_not_list_customers(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    error = await api.error("{ customers(first: 1) { edges { node { name } } } }", owner.token)
    assert error == {"message": "This needs the role SALES or OPERATOR, not OWNER.", "code": "FORBIDDEN"}
