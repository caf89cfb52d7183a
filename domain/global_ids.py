"""Global ids: the opaque names that stored objects have outside, as Relay writes them."""

from base64 import b64decode, b64encode


def global_id(type_name: str, key: int) -> str:
    """The global id of a stored object, which ``node(id:)`` finds again."""
    return b64encode(f"{type_name}:{key}".encode()).decode("ascii")


def parse_id(text: str) -> tuple[str, int]:
    """The type name and key of a global id.

    Raises:
        ValueError: it is not one of ours.
    """
    type_name, _, key = b64decode(text, validate=True).decode().partition(":")
    number = int(key)
    if not 0 < number < 2**31 or global_id(type_name, number) != text:
        raise ValueError(text)
    return type_name, number
