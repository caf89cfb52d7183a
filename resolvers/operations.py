"""Persisted operations (trusted documents): what clients may ask by hash."""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from cachetools import LRUCache

from db.engine import Database
from db.operations import add_operations, operation_document

DIGESTS = {32: "md5", 40: "sha1", 64: "sha256"}
"""By their length in hexadecimal digits: what Relay, graphql-codegen and Apollo name documents by, untold otherwise."""
SHA_256 = "sha256:"
"""What may stand before an id: the draft of GraphQL over HTTP asks for it, and graphql-codegen writes it."""
CACHED_MAX = 1_000


def operation_id(document: str) -> str:
    """The id of a document: its SHA-256 in hexadecimal digits."""
    return hashlib.sha256(document.encode()).hexdigest()


def is_id_of(id_: str, document: str) -> bool:
    """Whether an id is a hash of the document."""
    name = DIGESTS.get(len(id_))
    # Operators register documents, so nobody gains from two with one hash.
    return name is not None and hashlib.new(name, document.encode(), usedforsecurity=False).hexdigest() == id_


async def register(database: Database, documents: Mapping[str, str], now: datetime) -> int:
    """Let clients ask these documents by their ids, all or none of them; how many are new.

    Raises:
        ValueError: an id is no hash of its document.
    """
    plain = {id_.removeprefix(SHA_256): document for id_, document in documents.items()}
    for id_, document in plain.items():
        if not is_id_of(id_, document):
            raise ValueError(f"{id_!r} is not the SHA-256, SHA-1 or MD5 of its document")
    async with database.write() as session:
        return await add_operations(session, plain, now)


class Operations:
    """The registered documents, the last used ones in memory: what an id stands for never changes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: LRUCache[str, str] = LRUCache(CACHED_MAX)

    async def document(self, id_: str) -> str | None:
        """The document of an id, if it is registered.

        Raises:
            DatabaseUnavailableError.
        """
        found: str | None = self._known.get(id_)
        if found is None and len(id_) in DIGESTS:
            async with self._database.read() as session:
                found = await operation_document(session, id_)
            if found is not None:
                self._known[id_] = found
        return found
