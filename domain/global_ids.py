"""Global ids: the opaque names that stored objects have outside, as Relay writes them."""

from base64 import b64encode


def global_id(type_name: str, key: int) -> str:
    """The global id of a stored object, which ``node(id:)`` finds again."""
    return b64encode(f"{type_name}:{key}".encode()).decode("ascii")
