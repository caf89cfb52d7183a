"""An OpenID Connect provider on a real socket: it publishes keys, and signs what it is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet, OctKey

AUDIENCE = "https://api.spotplan.example"


def new_key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig"})


@dataclass
class Provider:
    """``keys`` are published; any key may sign. ``asked`` are the paths that were asked for."""

    port: int = 0
    keys: list[Key] = field(default_factory=lambda: [new_key("first")])
    issuer_told: str = ""
    is_down: bool = False
    asked: list[str] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def token(self, now: float, key: Key | None = None, alg: str = "ES256", **claims: Any) -> str:
        """A token that counts for five minutes, unless the claims say otherwise; None leaves one out."""
        usual = {"iss": self.issuer, "aud": AUDIENCE, "sub": "auth0|7", "iat": int(now), "exp": int(now) + 300}
        signing = key or self.keys[0]
        header = {"alg": alg, "kid": signing.kid}
        kept = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(header, kept, signing, algorithms=[alg])

    def answer(self, path: str) -> Any:
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.issuer_told or self.issuer, "jwks_uri": f"{self.issuer}/keys"}
        return KeySet([key for key in self.keys if not isinstance(key, OctKey)]).as_dict(private=False)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ")[1].decode()
        self.asked.append(path)
        body = b"" if self.is_down else json.dumps(self.answer(path)).encode()
        status = "503 Service Unavailable" if self.is_down else "200 OK"
        start = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write(start.encode() + body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def providing() -> AsyncIterator[Provider]:
    """A provider on a free port."""
    provider = Provider()
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    provider.port = server.sockets[0].getsockname()[1]
    try:
        yield provider
    finally:
        server.close()
