"""People of an OpenID Connect provider: whose tokens count, as what, and who is shut out."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient
from joserfc.jwk import OctKey

from resolvers.access import Role
from resolvers.identity import KEYS_SECONDS, KEYS_SECONDS_MIN, OpenIdProvider
from resolvers.services import Services
from schema.app import create_app
from schema.relay import global_id
from settings import SettingInvalidError, Settings
from tests.openid import AUDIENCE, Provider, new_key, providing
from tests.people import people, registered
from tests.world import Api, TestClock, World, starter

pytestmark = pytest.mark.anyio

VIEWER = "{ viewer { role customer { name } } }"
UNSIGNED = "The token is not accepted: none of the issuer's keys has signed it."


@dataclass
class Place:
    """The API with a provider, and the seconds that its keys' age is counted in."""

    api: Api
    provider: Provider
    clock: TestClock
    seconds: float = 1_000.0

    def token(self, **given: Any) -> str:
        return self.provider.token(self.clock.now.timestamp(), **given)

    async def refusal(self, **given: Any) -> str:
        error = await self.api.error(VIEWER, self.token(**given))
        assert error["code"] == "NOT_SIGNED_IN"
        return str(error["message"])


@pytest.fixture
async def place(services: Services, clock: TestClock) -> AsyncIterator[Place]:
    async with providing() as provider:
        settings = replace(services.settings, oidc_issuer=provider.issuer, oidc_audience=AUDIENCE)
        identity = OpenIdProvider(settings, lambda: found.seconds)
        transport = ASGITransport(create_app(replace(services, settings=settings, identity=identity)))
        async with AsyncClient(transport=transport, base_url="http://testserver") as client:
            found = Place(Api(client), provider, clock)
            yield found
        await identity.close()


async def test_roles_and_customers_come_from_claims(place: Place, world: World) -> None:
    owner = await world.customer(starter())
    expected: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"spotplan_role": "operator"}, {"role": "OPERATOR", "customer": None}),
        ({"spotplan_role": ["reader", "Sales"]}, {"role": "SALES", "customer": None}),
        ({"spotplan_role": ["owner", "sales"]}, {"role": "SALES", "customer": None}),
        (
            {"spotplan_role": "owner", "spotplan_customer": owner.id},
            {"role": "OWNER", "customer": {"name": "Aoba Academy"}},
        ),
    ]
    for claims, seen in expected:
        assert await place.api.data(VIEWER, place.token(**claims)) == {"viewer": seen}
    assert place.provider.asked == ["/.well-known/openid-configuration", "/keys"]


@pytest.mark.parametrize("name", ["realm_access.roles", "https://spotplan.example/role"])
async def test_a_claim_may_have_any_name_or_path(services: Services, clock: TestClock, name: str) -> None:
    async with providing() as provider:
        settings = replace(services.settings, oidc_issuer=provider.issuer, oidc_audience=AUDIENCE, oidc_role_claim=name)
        identity = OpenIdProvider(settings, lambda: 1_000.0)
        claims: dict[str, Any] = {"realm_access": {"roles": ["x", "operator"]}}
        claims["https://spotplan.example/role"] = "operator"
        person = await identity.person(provider.token(clock.now.timestamp(), **claims), clock.now)
        assert (person.subject, person.role, person.customer_id) == (f"{provider.issuer} auth0|7", Role.OPERATOR, None)
        await identity.close()


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": "https://somebody.example"}, "The token is not accepted: Invalid claim: 'aud'."),
        ({"aud": None}, "The token is not accepted: Missing claim: 'aud'."),
        ({"iss": "https://somebody.example"}, "The token is not accepted: Invalid claim: 'iss'."),
        ({"exp": 1_775_790_000 - 31}, "The token is not accepted: The token is expired."),
        ({"exp": None}, "The token is not accepted: Missing claim: 'exp'."),
        ({"nbf": 1_775_790_000 + 31}, "The token is not accepted: The token is not yet valid."),
        ({"sub": None}, "The token is not accepted: Missing claim: 'sub'."),
        ({"spotplan_role": "king"}, "The token is not accepted: its claim spotplan_role names no role of ours."),
        ({"spotplan_role": None}, "The token is not accepted: its claim spotplan_role names no role of ours."),
        (
            {"spotplan_role": "owner", "spotplan_customer": "7"},
            "The token is not accepted: its claim spotplan_customer names no customer.",
        ),
        (
            {"spotplan_role": "owner", "spotplan_customer": global_id("Customer", 999)},
            "The token is unknown or has expired.",
        ),
        ({"key": new_key("first")}, UNSIGNED),
        ({"key": new_key("unknown")}, UNSIGNED),
        ({"key": OctKey.import_key("a secret that is long enough", {"kid": "first"}), "alg": "HS256"}, UNSIGNED),
    ],
)
async def test_what_does_not_count_says_why(place: Place, claims: dict[str, Any], reason: str) -> None:
    assert int(place.clock.now.timestamp()) == 1_775_790_000
    assert await place.refusal(**{"spotplan_role": "operator", **claims}) == reason


@pytest.mark.parametrize("token", ["a.b.c", "..", "eyJhbGciOiJub25lIn0.e30.", "\u00e9.x.y"])
async def test_what_is_no_token_at_all_is_refused(place: Place, token: str) -> None:
    headers = {b"Authorization": f"Bearer {token}".encode()}
    answer = await place.api.client.post("/graphql", json={"query": VIEWER}, headers=headers)
    assert [error["message"] for error in answer.json()["errors"]] == [UNSIGNED]


async def test_a_new_key_counts_at_once_and_a_withdrawn_one_no_longer(place: Place) -> None:
    old = place.provider.keys[0]
    assert "viewer" in await place.api.data(VIEWER, place.token(spotplan_role="sales"))
    place.provider.keys = [new_key("second")]
    place.seconds += KEYS_SECONDS_MIN
    assert "viewer" in await place.api.data(VIEWER, place.token(spotplan_role="sales"))
    assert await place.refusal(key=old, spotplan_role="sales") == UNSIGNED
    asked = len(place.provider.asked)
    for _ in range(3):  # whoever sends nonsense does not make us ask again and again
        assert await place.refusal(key=new_key("nonsense"), spotplan_role="sales") == UNSIGNED
    assert len(place.provider.asked) == asked == 4


async def test_keys_are_asked_for_again_after_a_while_and_kept_while_they_cannot_be_had(place: Place) -> None:
    place.provider.is_down = True
    error = await place.api.error(VIEWER, place.token(spotplan_role="sales"))
    assert (error["code"], error["retryable"]) == ("IDENTITY_PROVIDER_UNAVAILABLE", True)
    place.provider.is_down = False
    assert "viewer" in await place.api.data(VIEWER, place.token(spotplan_role="sales"))
    place.provider.is_down = True
    place.seconds += KEYS_SECONDS
    assert "viewer" in await place.api.data(VIEWER, place.token(spotplan_role="sales"))
    place.provider.is_down = False
    place.provider.issuer_told = "https://somebody.example"
    place.seconds += KEYS_SECONDS
    place.provider.keys = [new_key("third")]
    assert await place.refusal(spotplan_role="sales") == UNSIGNED


async def test_the_history_names_people_and_who_is_shut_out_stays_out(place: Place, world: World) -> None:
    owner = await world.customer(starter())
    operator = await world.token(Role.OPERATOR)
    claims = {"spotplan_role": "owner", "spotplan_customer": owner.id}
    tokens = [place.token(**claims, jti=str(number)) for number in range(8)]
    answers = await asyncio.gather(*(place.api.data(VIEWER, token) for token in tokens))
    assert answers == [{"viewer": {"role": "OWNER", "customer": {"name": "Aoba Academy"}}}] * 8
    query = """{ customer { events(first: 1) { edges { node { actor actorToken } } }
                 accessTokens { number role subject } } }"""
    await registered(place.api, tokens[0], people(1, 1))
    found = (await place.api.data(query, tokens[0]))["customer"]
    person, *_ = found["accessTokens"]
    assert person == {"number": person["number"], "role": "OWNER", "subject": f"{place.provider.issuer} auth0|7"}
    assert len(found["accessTokens"]) == 2  # the owner's own token beside it
    assert found["events"]["edges"] == [{"node": {"actor": "OWNER", "actorToken": person["number"]}}]
    revoke = """mutation($number: Int!) { tokenRevoke(input: {number: $number}) {
      accessToken { number } errors { code } } }"""
    ended = {"tokenRevoke": {"accessToken": {"number": person["number"]}, "errors": []}}
    assert await place.api.data(revoke, operator, number=person["number"]) == ended
    for given in (claims, {"spotplan_role": "operator"}):
        assert await place.refusal(**given) == "The token is unknown or has expired."


async def test_a_person_may_what_each_token_says_even_where_several_are_the_first(place: Place) -> None:
    roles = ["sales", "operator"] * 4
    tokens = [place.token(spotplan_role=role) for role in roles]
    answers = await asyncio.gather(*(place.api.data(VIEWER, token) for token in tokens))
    assert [answer["viewer"]["role"] for answer in answers] == [role.upper() for role in roles]


async def test_a_providers_token_is_renewed_by_the_provider(place: Place) -> None:
    query = "mutation { tokenRotate(input: {}) { token errors { __typename message } } }"
    assert (await place.api.data(query, place.token(spotplan_role="sales")))["tokenRotate"] == {
        "token": None,
        "errors": [
            {
                "__typename": "TokenNotOurs",
                "message": "This token was issued by the OpenID Connect provider; it is renewed there.",
            }
        ],
    }


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"SPOTPLAN_OIDC_ISSUER": "http://login.example"}, "must be an https address, not 'http://login.example'"),
        ({"SPOTPLAN_OIDC_ISSUER": "login.example"}, "must be an https address, not 'login.example'"),
        ({"SPOTPLAN_OIDC_ISSUER": "https://login.example"}, "needs SPOTPLAN_OIDC_AUDIENCE"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(environment: dict[str, str], message: str) -> None:
    with pytest.raises(SettingInvalidError) as caught:
        Settings.from_environment(environment)
    assert message in str(caught.value)
