"""People of an OpenID Connect provider: their access tokens, checked by the provider's published keys.

A JSON Web Token (RFC 7519) counts when it is signed by one of the keys that the issuer publishes (OpenID Connect
Discovery 1.0, RFC 7517), is meant for us (``aud``), is in force, and its claims name a role. Each person is stored
once, as a token is, so that the history names them and operators can shut them out.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from domain.global_ids import parse_id
from resolvers.access import NotSignedInError, Role
from settings import Settings

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Signatures by a private key only: a secret that both sides know would let anybody who knows it make tokens."""
LEEWAY_SECONDS = 30
"""So far may the provider's clock be from ours."""
KEYS_SECONDS = 600.0
"""Keys are asked for again after so long, so that one that was withdrawn does not count for ever."""
KEYS_SECONDS_MIN = 10.0
"""A token with an unknown key has the keys asked for again, but no more often than this."""
TIMEOUT_SECONDS = 5.0
RANKS = (Role.OPERATOR, Role.SALES, Role.OWNER)
"""Who has several roles has the first of these."""


class IdentityUnavailableError(RuntimeError):
    """The OpenID Connect provider does not publish its keys at the moment; trying again may succeed."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who a JSON Web Token is about: the issuer's ``subject``, and what they may do."""

    subject: str
    role: Role
    customer_id: int | None


class OpenIdProvider:
    """One provider, as the settings name it, with the keys it published last."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._issuer = settings.oidc_issuer
        self._audience = settings.oidc_audience
        self._role_claim = settings.oidc_role_claim
        self._customer_claim = settings.oidc_customer_claim
        self._clock = clock
        self._client = httpx.AsyncClient(timeout=TIMEOUT_SECONDS)
        self._lock = asyncio.Lock()
        self._keys: KeySet | None = None
        self._asked_at = 0.0

    async def person(self, token: str, now: datetime) -> Person:
        """Who a token is about.

        Raises:
            NotSignedInError: it does not count, and why.
            IdentityUnavailableError.
        """
        claims = await self._claims(token)
        registry = jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._audience},
            sub={"essential": True},
            exp={"essential": True},
        )
        try:
            registry.validate(claims)
        except JoseError as error:
            raise NotSignedInError(f"The token is not accepted: {error.description or error.error}.") from None
        role = self._role(claims)
        return Person(f"{self._issuer} {claims['sub']}", role, self._customer(claims) if role is Role.OWNER else None)

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _claims(self, token: str) -> dict[str, Any]:
        keys = await self._published(KEYS_SECONDS)
        try:
            return jwt.decode(token, keys, algorithms=ALGORITHMS).claims
        except (JoseError, ValueError):
            # It may be signed by a key that is newer than those we know.
            newer = await self._published(KEYS_SECONDS_MIN)
            if newer is keys:
                raise NotSignedInError("The token is not accepted: none of the issuer's keys has signed it.") from None
        try:
            return jwt.decode(token, newer, algorithms=ALGORITHMS).claims
        except (JoseError, ValueError):
            raise NotSignedInError("The token is not accepted: none of the issuer's keys has signed it.") from None

    async def _published(self, seconds_max: float) -> KeySet:
        """The issuer's keys, asked for at most so many seconds ago; older ones while the issuer cannot be reached."""
        if (known := self._known(seconds_max)) is not None:
            return known
        async with self._lock:
            if (known := self._known(seconds_max)) is not None:
                return known  # another request has asked meanwhile
            try:
                self._keys = await self._ask()
            except (httpx.HTTPError, JoseError, ValueError, KeyError, TypeError) as error:
                if self._keys is None:
                    raise IdentityUnavailableError(f"{self._issuer}: {type(error).__name__}") from None
            self._asked_at = self._clock()
            return self._keys

    def _known(self, seconds_max: float) -> KeySet | None:
        return self._keys if self._clock() - self._asked_at < seconds_max else None

    async def _ask(self) -> KeySet:
        about = await self._json(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if about["issuer"] != self._issuer:
            raise ValueError("it is another issuer's configuration")
        return KeySet.import_key_set(await self._json(about["jwks_uri"]))

    async def _json(self, address: str) -> Any:
        answer = await self._client.get(address)
        return answer.raise_for_status().json()

    def _role(self, claims: Mapping[str, Any]) -> Role:
        found = _claim(claims, self._role_claim)
        names = {str(name).upper() for name in (found if isinstance(found, list) else [found])}
        for role in RANKS:
            if role.value in names:
                return role
        raise NotSignedInError(f"The token is not accepted: its claim {self._role_claim} names no role of ours.")

    def _customer(self, claims: Mapping[str, Any]) -> int:
        try:
            type_name, key = parse_id(str(_claim(claims, self._customer_claim)))
        except ValueError:
            type_name, key = "", 0
        if type_name != "Customer":
            raise NotSignedInError(f"The token is not accepted: its claim {self._customer_claim} names no customer.")
        return key


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name; where there is none, by a path such as ``realm_access.roles``."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def looks_signed(token: str) -> bool:
    """Whether it has the form of a signed JSON Web Token (RFC 7515, compact), which none of our own tokens has."""
    return token.count(".") == 2
