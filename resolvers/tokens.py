"""Who signs in, by a token of ours or by a provider's; tokens that are made, renewed and ended."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db.access import (
    StoredToken,
    add_token,
    change_token,
    save_revoked,
    token_by_hash,
    token_by_id,
    valid_tokens,
    valid_tokens_of_customers,
)
from db.engine import Database
from domain.errors import NotFound
from domain.token_errors import OverlapOutOfRange, TokenNotOurs
from resolvers.access import Caller, NotSignedInError, Role, require
from resolvers.identity import looks_signed
from resolvers.services import Services

TOKEN_PREFIX = "spt_"  # noqa: S105 # marks our tokens for secret scanners
NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""When a person's entry ends: each of their tokens has an end of its own."""
OVERLAP_MAX = timedelta(days=7)
"""For so long at most the token before a new one goes on."""


async def issue_token(
    database: Database, *, role: Role, customer_id: int | None, now: datetime, valid_for: timedelta
) -> str:
    """Make a random bearer token. It is stored as a hash only, so this is the one time it can be read."""
    token = _random()
    async with database.write() as session:
        await add_token(session, _hash(token), StoredToken(role.value, customer_id, now, now + valid_for))
    return token


async def sign_in(services: Services, token: str) -> Caller:
    """Who a token stands for: one of ours, or of the OpenID Connect provider where one is set.

    Raises:
        NotSignedInError: it does not count.
        IdentityUnavailableError: the provider's keys cannot be had.
    """
    now = services.sign_in_clock()
    if services.identity is not None and looks_signed(token):
        person = await services.identity.person(token, now)
        entry = StoredToken(person.role.value, person.customer_id, now, NEVER, subject=person.subject)
        stored = await _person_entry(services.database, entry)
    else:
        async with services.database.read(one_statement=True) as session:
            stored = await token_by_hash(session, _hash(token))
    if stored is None or not stored.is_valid(now):
        raise NotSignedInError("The token is unknown or has expired.")
    return Caller(Role(stored.role), stored.customer_id, stored.id)


async def rotate(services: Services, caller: Caller | None, overlap: timedelta) -> tuple[str, StoredToken]:
    """Make a new token for whoever signed in with one of ours, valid for as long as that one was made for.

    The old one ends after ``overlap``, so that nothing fails while the new one is taken to where it is used.

    Raises:
        OverlapOutOfRange, TokenNotOurs.
    """
    signed_in = require(caller)
    if not timedelta() <= overlap <= OVERLAP_MAX:
        raise OverlapOutOfRange(
            overlap_seconds=int(overlap.total_seconds()), overlap_seconds_max=int(OVERLAP_MAX.total_seconds())
        )
    now = services.sign_in_clock()
    token = _random()
    async with services.database.write() as session:
        old = await token_by_id(session, signed_in.token_id or 0)
        if old is None or old.subject is not None:
            raise TokenNotOurs
        if not old.is_valid(now):  # two rotations at once: the second finds it ended
            raise NotSignedInError("The token is unknown or has expired.")
        made = StoredToken(old.role, old.customer_id, now, now + (old.expires_at - old.created_at))
        new = await add_token(session, _hash(token), made)
        await _ended(session, old, now + overlap)
    return token, new


async def revoke(services: Services, caller: Caller | None, token_id: int) -> StoredToken:
    """End a token, or a person of the provider, at once. Owners: those of their own customer; operators: any.

    Raises:
        NotFound: there is none of this number for this caller.
    """
    signed_in = require(caller, Role.OWNER, Role.OPERATOR)
    now = services.sign_in_clock()
    async with services.database.write() as session:
        found = await token_by_id(session, token_id)
        if found is None or (signed_in.role is Role.OWNER and found.customer_id != signed_in.customer_id):
            raise NotFound(field="number")
        return await _ended(session, found, now)


async def every_token(services: Services, caller: Caller | None) -> list[StoredToken]:
    """What may still be used, of everybody, newest first, at most 100."""
    require(caller, Role.OPERATOR)
    async with services.database.read() as session:
        return await valid_tokens(session, services.sign_in_clock())


async def tokens_of_customers(
    services: Services, customer_ids: Sequence[int], caller: Caller | None
) -> list[list[StoredToken]]:
    """What each customer's owners may still use, newest first, at most 100, in the same places.

    Raises:
        NotFound: an owner asks for somebody else's.
    """
    signed_in = require(caller, Role.OWNER, Role.OPERATOR)
    if signed_in.role is Role.OWNER and set(customer_ids) != {signed_in.customer_id}:
        raise NotFound(field="customerId")
    async with services.database.read() as session:
        found = await valid_tokens_of_customers(session, services.sign_in_clock(), customer_ids)
    return [found[id_] for id_ in customer_ids]


async def _ended(session: AsyncSession, token: StoredToken, at: datetime) -> StoredToken:
    """End a locked token at an instant, unless it ends earlier."""
    ended = replace(token, revoked_at=min(at, token.revoked_at or at))
    await save_revoked(session, ended)
    return ended


async def _person_entry(database: Database, entry: StoredToken) -> StoredToken | None:
    """A person's entry, made when they first sign in, as what their token names now and nothing that is stored.

    None where there is no such customer.
    """
    key = _hash(entry.subject or "")
    async with database.read() as session:
        found = await token_by_hash(session, key)
    if found is not None and (found.role, found.customer_id) == (entry.role, entry.customer_id):
        return found
    try:
        async with database.write() as session:
            if found is None:
                return await add_token(session, key, entry)
            await change_token(session, found.id, entry.role, entry.customer_id)
            return replace(found, role=entry.role, customer_id=entry.customer_id)
    except IntegrityError:  # another request made it meanwhile, or there is no such customer
        async with database.read() as session:
            found = await token_by_hash(session, key)
    if found is None or found.customer_id != entry.customer_id:
        return None
    return replace(found, role=entry.role)


def _random() -> str:
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def _hash(token: str) -> str:
    # 256 random bits need no slow hash: there is nothing to guess.
    return hashlib.sha256(token.encode()).hexdigest()
