"""Tokens that are renewed and revoked."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from resolvers.access import Role
from tests.world import Api, TestClock, World, starter

pytestmark = pytest.mark.anyio

VIEWER = "{ viewer { role customer { name } } }"
ENDED = {"message": "The token is unknown or has expired.", "code": "NOT_SIGNED_IN"}
ROTATE = """mutation Rotate($overlap: Int! = 60) { tokenRotate(input: {overlapSeconds: $overlap}) {
  token accessToken { number role createdAt expiresAt revokedAt subject }
  errors { __typename code field message ... on OverlapOutOfRange { overlapSeconds overlapSecondsMax } } } }"""
REVOKE = """mutation Revoke($number: Int!) { tokenRevoke(input: {number: $number}) {
  accessToken { number revokedAt } errors { __typename field } } }"""
LIST = "query($id: ID) { customer(id: $id) { accessTokens { number role expiresAt revokedAt } } }"


async def test_a_new_token_is_valid_for_as_long_and_the_old_one_goes_on_for_a_while(
    api: Api, world: World, clock: TestClock
) -> None:
    owner = await world.customer(starter())
    old = await world.token(Role.OWNER, owner.customer.id, valid_for=timedelta(days=30))
    clock.now += timedelta(days=20)
    made = (await api.data(ROTATE, old))["tokenRotate"]
    assert made["errors"] == []
    assert made["accessToken"] == {
        "number": 3,
        "role": "OWNER",
        "createdAt": "2026-04-30T03:00:00+00:00",
        "expiresAt": "2026-05-30T03:00:00+00:00",
        "revokedAt": None,
        "subject": None,
    }
    seen = {"viewer": {"role": "OWNER", "customer": {"name": "Aoba Academy"}}}
    clock.now += timedelta(seconds=59)
    assert [await api.data(VIEWER, token) for token in (old, made["token"])] == [seen, seen]
    clock.now += timedelta(seconds=1)
    assert await api.error(VIEWER, old) == ENDED
    clock.now += timedelta(days=30, seconds=-61)
    assert await api.data(VIEWER, made["token"]) == seen
    clock.now += timedelta(seconds=1)
    assert await api.error(VIEWER, made["token"]) == ENDED


async def test_a_token_that_is_renewed_twice_has_two_successors_and_ends_at_the_earlier_instant(
    api: Api, world: World, clock: TestClock
) -> None:
    old = await world.token(Role.SALES)
    answers = await asyncio.gather(*(api.data(ROTATE, old, overlap=overlap) for overlap in (600, 60, 600)))
    made = [answer["tokenRotate"]["token"] for answer in answers]
    assert len({*made, old}) == 4
    clock.now += timedelta(seconds=60)
    assert await api.error(VIEWER, old) == ENDED
    for token in made:
        assert await api.data(VIEWER, token) == {"viewer": {"role": "SALES", "customer": None}}


async def test_without_overlap_a_token_is_renewed_once_only(api: Api, world: World) -> None:
    old = await world.token(Role.OPERATOR)
    posts = await asyncio.gather(*(api.post(ROTATE, old, overlap=0) for _ in range(5)))
    answers = [post.json() for post in posts]
    refused = [answer for answer in answers if "errors" in answer]
    assert [error["extensions"]["code"] for answer in refused for error in answer["errors"]] == ["NOT_SIGNED_IN"] * 4


@pytest.mark.parametrize("overlap", [-1, 604_801, 2**31 - 1])
async def test_the_old_token_goes_on_for_a_week_at_the_most(api: Api, world: World, overlap: int) -> None:
    old = await world.token(Role.SALES)
    assert (await api.data(ROTATE, old, overlap=overlap))["tokenRotate"] == {
        "token": None,
        "accessToken": None,
        "errors": [
            {
                "__typename": "OverlapOutOfRange",
                "code": "OVERLAP_OUT_OF_RANGE",
                "field": "overlapSeconds",
                "message": f"The old token can go on for 0 to 604800 seconds, not {overlap}.",
                "overlapSeconds": overlap,
                "overlapSecondsMax": 604_800,
            }
        ],
    }
    assert "viewer" in await api.data(VIEWER, old)


async def test_owners_revoke_their_own_customers_tokens_and_nobody_elses(
    api: Api, world: World, clock: TestClock
) -> None:
    mine, other = await world.customer(starter()), await world.customer(starter(), name="Other")
    second = await world.token(Role.OWNER, mine.customer.id)
    operator = await world.token(Role.OPERATOR)

    async def numbers(token: str, of: str) -> list[int]:
        return [item["number"] for item in (await api.data(LIST, token, id=of))["customer"]["accessTokens"]]

    assert await numbers(mine.token, mine.id) == [3, 1]
    assert await numbers(operator, other.id) == [2]
    missing: dict[str, Any] = {"accessToken": None, "errors": [{"__typename": "NotFound", "field": "number"}]}
    for number in (2, 4, 99, -1):  # the other's, the operator's, and none at all
        assert await api.data(REVOKE, mine.token, number=number) == {"tokenRevoke": missing}
    revoked = {"accessToken": {"number": 3, "revokedAt": "2026-04-10T03:00:00+00:00"}, "errors": []}
    assert await api.data(REVOKE, mine.token, number=3) == {"tokenRevoke": revoked}
    assert await api.error(VIEWER, second) == ENDED
    clock.now += timedelta(hours=1)
    assert await api.data(REVOKE, operator, number=3) == {"tokenRevoke": revoked}  # it has ended already
    assert await numbers(mine.token, mine.id) == [1]
    assert await api.error(REVOKE, await world.token(Role.SALES), number=2) == {
        "message": "This needs the role OWNER or OPERATOR, not SALES.",
        "code": "FORBIDDEN",
    }
    assert "viewer" in await api.data(VIEWER, other.token)
