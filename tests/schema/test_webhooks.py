"""Webhook endpoints over GraphQL: adding, secrets, enabling, replaying, what is shown, and to whom."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from standardwebhooks import Webhook

from domain.history import EventKind
from resolvers.access import Role
from resolvers.services import Services
from resolvers.webhook_delivery import deliver_all
from resolvers.webhook_sending import Sender
from schema.relay import global_id
from tests.people import people, registered
from tests.receiver import Receiver, receiving
from tests.world import Api, TestClock, World, starter

pytestmark = pytest.mark.anyio

ENDPOINT = "id url kinds isEnabled disabledAt attempts nextAttemptAt lastError position pending createdAt"
ERRORS = """errors { __typename code field message
  ... on WebhookUrlInvalid { reason } ... on WebhookEndpointsOutOfRange { endpointsMax }
  ... on NothingToReplay { position } }"""
ADD = f"""mutation Add($input: WebhookEndpointAddInput!) {{ webhookEndpointAdd(input: $input) {{
  secret endpoint {{ {ENDPOINT} }} {ERRORS} }} }}"""
ROTATE = f"""mutation Rotate($id: ID!) {{ webhookEndpointRotateSecret(input: {{endpointId: $id}}) {{
  secret endpoint {{ {ENDPOINT} }} {ERRORS} }} }}"""
ENABLE = f"""mutation Enable($id: ID!) {{ webhookEndpointEnable(input: {{endpointId: $id}}) {{
  endpoint {{ {ENDPOINT} }} {ERRORS} }} }}"""
REMOVE = f"""mutation Remove($id: ID!) {{ webhookEndpointRemove(input: {{endpointId: $id}}) {{
  removedEndpointId {ERRORS} }} }}"""
REPLAY = f"""mutation Replay($id: ID!, $from: WebhookReplayFromInput!) {{
  webhookReplay(input: {{endpointId: $id, from: $from}}) {{ endpoint {{ {ENDPOINT} }} {ERRORS} }} }}"""
LIST = f"query List($id: ID) {{ customer(id: $id) {{ webhookEndpoints {{ {ENDPOINT} }} }} }}"
DELIVERIES = """query Deliveries($id: ID!, $first: Int!, $after: String) { node(id: $id) { ... on WebhookEndpoint {
  deliveries(first: $first, after: $after) { pageInfo { hasNextPage endCursor } edges { node {
    eventNumber attempt attemptedAt isAcknowledged statusCode error milliseconds } } } } } }"""
MISSING = {
    "__typename": "NotFound",
    "code": "NOT_FOUND",
    "field": "endpointId",
    "message": "There is no such object.",
}


@pytest.fixture
def services(services: Services) -> Services:
    """Webhooks may go to this machine."""
    settings = replace(services.settings, webhook_http="allowed", webhook_private_networks="allowed")
    return replace(services, settings=settings)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


async def added(api: Api, token: str, **given: Any) -> dict[str, Any]:
    payload: dict[str, Any] = (await api.data(ADD, token, input=given))["webhookEndpointAdd"]
    assert payload["errors"] == []
    return payload


async def listed(api: Api, token: str, customer: str | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.data(LIST, token, id=customer))["customer"]["webhookEndpoints"]
    return found


async def test_an_endpoint_is_added_and_its_secret_shown_once(api: Api, world: World, receiver: Receiver) -> None:
    owner = await world.customer(starter())
    await registered(api, owner.token, people(1, 1))
    payload = await added(api, owner.token, url=receiver.url())
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", payload["secret"])
    endpoint = {
        "id": global_id("WebhookEndpoint", 1),
        "url": receiver.url(),
        "kinds": None,
        "isEnabled": True,
        "disabledAt": None,
        "attempts": 0,
        "nextAttemptAt": None,
        "lastError": None,
        "position": 1,
        "pending": 0,
        "createdAt": "2026-04-10T03:00:00+00:00",
    }
    assert payload["endpoint"] == endpoint
    await registered(api, owner.token, people(2, 3))
    answer = await api.post(LIST, owner.token)
    assert answer.json()["data"] == {"customer": {"webhookEndpoints": [{**endpoint, "pending": 2}]}}
    assert "whsec" not in answer.text
    query = f"query($id: ID!) {{ node(id: $id) {{ __typename ... on WebhookEndpoint {{ {ENDPOINT} }} }} }}"
    assert await api.data(query, owner.token, id=endpoint["id"]) == {
        "node": {"__typename": "WebhookEndpoint", **endpoint, "pending": 2}
    }


async def test_deliveries_are_shown_newest_first(
    api: Api, world: World, services: Services, receiver: Receiver, clock: TestClock
) -> None:
    owner = await world.customer(starter())
    payload = await added(api, owner.token, url=receiver.url())
    await registered(api, owner.token, people(1, 2))
    receiver.answers["/hook"].append(503)
    assert await deliver_all(services, Sender(services.settings)) == 0
    [failed] = await listed(api, owner.token)
    assert (failed["attempts"], failed["lastError"], failed["pending"]) == (1, "the answer was 503", 2)
    assert "2026-04-10T03:00:05" <= failed["nextAttemptAt"] <= "2026-04-10T03:00:05.500000+00:00"
    clock.now = clock.now.replace(second=6)
    assert await deliver_all(services, Sender(services.settings)) == 2
    id_ = payload["endpoint"]["id"]
    page = (await api.data(DELIVERIES, owner.token, id=id_, first=2))["node"]["deliveries"]
    rest = await api.data(DELIVERIES, owner.token, id=id_, first=2, after=page["pageInfo"]["endCursor"])
    last = rest["node"]["deliveries"]
    assert (page["pageInfo"]["hasNextPage"], last["pageInfo"]["hasNextPage"]) == (True, False)
    nodes = [edge["node"] for edge in [*page["edges"], *last["edges"]]]
    assert all(node.pop("milliseconds") >= 0 for node in nodes)
    acknowledged = {"isAcknowledged": True, "statusCode": 204, "error": None, "attemptedAt": clock.now.isoformat()}
    assert nodes == [
        {"eventNumber": 2, "attempt": 1, **acknowledged},
        {"eventNumber": 1, "attempt": 2, **acknowledged},
        {
            "eventNumber": 1,
            "attempt": 1,
            "attemptedAt": "2026-04-10T03:00:00+00:00",
            "isAcknowledged": False,
            "statusCode": 503,
            "error": "the answer was 503",
        },
    ]
    assert (await api.error(DELIVERIES, owner.token, id=id_, first=101))["code"] == "PAGE_SIZE_OUT_OF_RANGE"
    assert (await api.error(DELIVERIES, owner.token, id=id_, first=1, after="x"))["code"] == "CURSOR_INVALID"


async def test_kinds_are_chosen_by_name(api: Api, world: World) -> None:
    owner = await world.customer(starter())
    kinds = [EventKind.SPOT_ENDED, EventKind.CAPACITY_FELL, EventKind.SPOT_ENDED]
    payload = await added(api, owner.token, url="https://hooks.example/", kinds=kinds)
    assert payload["endpoint"]["kinds"] == ["CAPACITY_FELL", "SPOT_ENDED"]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (
            {"url": "ftp://hooks.example/"},
            {
                "__typename": "WebhookUrlInvalid",
                "code": "WEBHOOK_URL_INVALID",
                "field": "url",
                "message": "This address cannot be used: it must begin with https://.",
                "reason": "it must begin with https://",
            },
        ),
        (
            {"url": "https://hooks.example/", "kinds": []},
            {
                "__typename": "WebhookKindsMissing",
                "code": "WEBHOOK_KINDS_MISSING",
                "field": "kinds",
                "message": "Name at least one kind of events, or leave the kinds out to get all.",
            },
        ),
        (
            {"url": "https://taken.example/"},
            {
                "__typename": "WebhookUrlTaken",
                "code": "WEBHOOK_URL_TAKEN",
                "field": "url",
                "message": "There is an endpoint with this address already.",
            },
        ),
        (
            {"url": "https://hooks.example/", "customerId": global_id("Customer", 999)},
            {**MISSING, "field": "customerId"},
        ),
    ],
)
async def test_what_cannot_be_added(api: Api, world: World, given: dict[str, Any], error: dict[str, Any]) -> None:
    owner = await world.customer(starter())
    await added(api, owner.token, url="https://taken.example/")
    payload = (await api.data(ADD, owner.token, input=given))["webhookEndpointAdd"]
    assert payload == {"secret": None, "endpoint": None, "errors": [error]}
    assert [endpoint["url"] for endpoint in await listed(api, owner.token)] == ["https://taken.example/"]


async def test_http_is_refused_unless_a_setting_allows_it(world: World, services: Services) -> None:
    from httpx import ASGITransport, AsyncClient  # noqa: PLC0415

    from schema.app import create_app  # noqa: PLC0415

    strict = replace(services, settings=replace(services.settings, webhook_http="refused"))
    owner = await world.customer(starter())
    async with AsyncClient(transport=ASGITransport(create_app(strict)), base_url="http://t") as client:
        payload = (await Api(client).data(ADD, owner.token, input={"url": "http://hooks.example/"}))[
            "webhookEndpointAdd"
        ]
    assert [error["reason"] for error in payload["errors"]] == ["it must begin with https://"]


async def test_there_are_at_most_ten(api: Api, world: World) -> None:
    owner, other = await world.customer(starter()), await world.customer(starter(), name="Other")
    for number in range(10):
        await added(api, owner.token, url=f"https://hooks.example/{number}")
    payload = (await api.data(ADD, owner.token, input={"url": "https://hooks.example/10"}))["webhookEndpointAdd"]
    assert [(error["code"], error["endpointsMax"]) for error in payload["errors"]] == [
        ("WEBHOOK_ENDPOINTS_OUT_OF_RANGE", 10)
    ]
    assert len(await listed(api, owner.token)) == 10
    await added(api, other.token, url="https://hooks.example/1")


async def test_a_customer_on_the_free_plan_may_have_one(api: Api, world: World) -> None:
    owner = await world.customer()
    assert (await added(api, owner.token, url="https://hooks.example/"))["endpoint"]["position"] == 0


async def test_a_new_secret_is_shown_once_and_signs(
    api: Api, world: World, services: Services, receiver: Receiver
) -> None:
    owner = await world.customer(starter())
    first = await added(api, owner.token, url=receiver.url())
    payload = (await api.data(ROTATE, owner.token, id=first["endpoint"]["id"]))["webhookEndpointRotateSecret"]
    assert payload["errors"] == []
    assert payload["endpoint"] == first["endpoint"]
    assert payload["secret"] != first["secret"]
    await registered(api, owner.token, people(1, 1))
    assert await deliver_all(services, Sender(services.settings)) == 1
    [request] = receiver.received
    newest, before = request.headers["webhook-signature"].split(" ")
    for secret, signature in ((payload["secret"], newest), (first["secret"], before)):
        headers = {**request.headers, "webhook-signature": signature}
        assert Webhook(secret).verify(request.body, headers)["type"] == "account.registered"


async def test_what_is_removed_is_gone_with_its_record(
    api: Api, world: World, services: Services, receiver: Receiver
) -> None:
    owner = await world.customer(starter())
    kept = await added(api, owner.token, url=receiver.url("/kept"))
    id_ = (await added(api, owner.token, url=receiver.url()))["endpoint"]["id"]
    await registered(api, owner.token, people(1, 1))
    assert await deliver_all(services, Sender(services.settings)) == 2
    payload = (await api.data(REMOVE, owner.token, id=id_))["webhookEndpointRemove"]
    assert payload == {"removedEndpointId": id_, "errors": []}
    assert [endpoint["id"] for endpoint in await listed(api, owner.token)] == [kept["endpoint"]["id"]]
    assert (await api.data(REMOVE, owner.token, id=id_))["webhookEndpointRemove"]["errors"] == [MISSING]
    deliveries = await api.data(DELIVERIES, owner.token, id=kept["endpoint"]["id"], first=9)
    assert len(deliveries["node"]["deliveries"]["edges"]) == 1
    again = await added(api, owner.token, url=receiver.url())
    assert again["endpoint"]["id"] not in {id_, kept["endpoint"]["id"]}


async def test_an_owner_enables_what_was_disabled(
    api: Api, world: World, services: Services, receiver: Receiver
) -> None:
    owner = await world.customer(starter())
    id_ = (await added(api, owner.token, url=receiver.url()))["endpoint"]["id"]
    await registered(api, owner.token, people(1, 1))
    receiver.answers["/hook"].append(410)
    assert await deliver_all(services, Sender(services.settings)) == 0
    [disabled] = await listed(api, owner.token)
    assert (disabled["isEnabled"], disabled["disabledAt"], disabled["lastError"], disabled["pending"]) == (
        False,
        "2026-04-10T03:00:00+00:00",
        "the answer was 410",
        1,
    )
    enabled = (await api.data(ENABLE, owner.token, id=id_))["webhookEndpointEnable"]["endpoint"]
    assert (enabled["isEnabled"], enabled["disabledAt"], enabled["attempts"]) == (True, None, 0)
    assert await deliver_all(services, Sender(services.settings)) == 1


async def test_an_operator_replays_from_a_number_or_an_instant(
    api: Api, world: World, services: Services, receiver: Receiver, clock: TestClock
) -> None:
    owner, operator = await world.customer(starter()), await world.token(Role.OPERATOR)
    id_ = (await added(api, owner.token, url=receiver.url()))["endpoint"]["id"]
    await registered(api, owner.token, people(1, 1))
    clock.now = clock.now.replace(hour=5)
    await registered(api, owner.token, people(2, 3))
    sender = Sender(services.settings)
    assert await deliver_all(services, sender) == 3
    for start, position in (
        ({"eventNumber": 3}, 2),
        ({"recordedAt": "2026-04-10T05:00:00Z"}, 1),
        ({"recordedAt": "2026-04-10T05:00:00"}, 1),
        ({"recordedAt": "2020-01-01T00:00:00Z"}, 0),
        ({"eventNumber": 1}, 0),
    ):
        payload = (await api.data(REPLAY, operator, id=id_, **{"from": start}))["webhookReplay"]
        assert payload["errors"] == []
        assert (payload["endpoint"]["position"], payload["endpoint"]["pending"]) == (position, 3 - position)
        assert await deliver_all(services, sender) == 3 - position
    assert len(receiver.received) == 3 + 1 + 2 + 2 + 3 + 3


@pytest.mark.parametrize(
    "start", [{"eventNumber": 2}, {"eventNumber": 0}, {"eventNumber": -1}, {"recordedAt": "2026-04-10T03:00:01Z"}]
)
async def test_a_replay_never_leaves_out_an_event(
    api: Api, world: World, services: Services, receiver: Receiver, start: dict[str, Any]
) -> None:
    owner, operator = await world.customer(starter()), await world.token(Role.OPERATOR)
    id_ = (await added(api, owner.token, url=receiver.url()))["endpoint"]["id"]
    await registered(api, owner.token, people(1, 1))
    assert await deliver_all(services, Sender(services.settings)) == 1
    await registered(api, owner.token, people(2, 3))
    payload = (await api.data(REPLAY, operator, id=id_, **{"from": start}))["webhookReplay"]
    assert payload["errors"] == [
        {
            "__typename": "NothingToReplay",
            "code": "NOTHING_TO_REPLAY",
            "field": "from",
            "message": "No event from there on was delivered or passed over; that is so for those up to number 1.",
            "position": 1,
        }
    ]
    assert [endpoint["position"] for endpoint in await listed(api, owner.token)] == [1]


async def test_owners_reach_their_own_and_operators_all(api: Api, world: World) -> None:
    mine, other = await world.customer(starter()), await world.customer(starter(), name="Other")
    operator = await world.token(Role.OPERATOR)
    id_ = (await added(api, operator, url="https://hooks.example/", customerId=mine.id))["endpoint"]["id"]
    assert [endpoint["id"] for endpoint in await listed(api, mine.token)] == [id_]
    assert [endpoint["id"] for endpoint in await listed(api, operator, mine.id)] == [id_]
    assert await listed(api, other.token) == []
    nobody = global_id("WebhookEndpoint", 999)
    for query in (ROTATE, ENABLE, REMOVE):
        for token, named in ((other.token, id_), (mine.token, nobody), (mine.token, mine.id), (mine.token, "???")):
            [payload] = (await api.data(query, token, id=named)).values()
            assert payload["errors"] == [MISSING]
    node = "query($id: ID!) { node(id: $id) { id } }"
    assert await api.data(node, other.token, id=id_) == {"node": None}
    assert await api.data(node, operator, id=id_) == {"node": {"id": id_}}
    payload = await api.data(ADD, other.token, input={"url": "https://x.example/", "customerId": mine.id})
    assert [error["code"] for error in payload["webhookEndpointAdd"]["errors"]] == ["NOT_FOUND"]
    assert (await api.data(ENABLE, operator, id=id_))["webhookEndpointEnable"]["errors"] == []


async def test_sales_have_no_part_in_it(api: Api, world: World) -> None:
    owner, sales = await world.customer(starter()), await world.token(Role.SALES)
    id_ = (await added(api, owner.token, url="https://hooks.example/"))["endpoint"]["id"]
    forbidden = {"message": "This needs the role OWNER or OPERATOR, not SALES.", "code": "FORBIDDEN"}
    given = {"url": "https://hooks.example/2", "customerId": owner.id}
    assert await api.error(ADD, sales, input=given) == forbidden
    assert await api.error(LIST, sales, id=owner.id) == forbidden
    for query in (ROTATE, ENABLE, REMOVE):
        assert await api.error(query, sales, id=id_) == forbidden
    assert await api.data("query($id: ID!) { node(id: $id) { id } }", sales, id=id_) == {"node": None}
    assert len(await listed(api, owner.token)) == 1


async def test_only_operators_replay(api: Api, world: World) -> None:
    owner, sales = await world.customer(starter()), await world.token(Role.SALES)
    id_ = (await added(api, owner.token, url="https://hooks.example/"))["endpoint"]["id"]
    start: dict[str, Any] = {"from": {"eventNumber": 1}}
    for token, role in ((owner.token, "OWNER"), (sales, "SALES")):
        assert await api.error(REPLAY, token, id=id_, **start) == {
            "message": f"This needs the role OPERATOR, not {role}.",
            "code": "FORBIDDEN",
        }


@pytest.mark.parametrize("query", [ROTATE, ENABLE, REMOVE])
async def test_nobody_does_anything_without_a_token(api: Api, world: World, query: str) -> None:
    owner = await world.customer(starter())
    id_ = (await added(api, owner.token, url="https://hooks.example/"))["endpoint"]["id"]
    assert (await api.error(query, id=id_))["code"] == "NOT_SIGNED_IN"
    start: dict[str, Any] = {"from": {"eventNumber": 1}}
    assert (await api.error(REPLAY, id=id_, **start))["code"] == "NOT_SIGNED_IN"
    assert (await api.error(ADD, input={"url": "https://x.example/"}))["code"] == "NOT_SIGNED_IN"


async def test_the_secret_is_in_no_answer_but_the_two_that_make_one(api: Api, world: World) -> None:
    owner, operator = await world.customer(starter()), await world.token(Role.OPERATOR)
    id_ = (await added(api, owner.token, url="https://hooks.example/"))["endpoint"]["id"]
    replay = await api.post(REPLAY, operator, id=id_, **{"from": {"eventNumber": 1}})
    for answer in (await api.post(LIST, owner.token), await api.post(ENABLE, owner.token, id=id_), replay):
        assert "whsec" not in answer.text
    introspected = await api.data('{ __type(name: "WebhookEndpoint") { fields { name } } }', owner.token)
    assert "secret" not in [field["name"] for field in introspected["__type"]["fields"]]
