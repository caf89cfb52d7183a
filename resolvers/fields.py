"""What a refusal is about, as the input of the operation calls it: use cases that share steps have other inputs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from domain.errors import Refused, RuleError


@contextmanager
def renamed(names: dict[str, str]) -> Iterator[None]:
    """Refusals from within are about the new names of these fields."""

    def said(refusal: RuleError) -> RuleError:
        return replace(refusal, field=names.get(refusal.field, refusal.field))

    try:
        yield
    except Refused as refused:
        raise Refused([said(refusal) for refusal in refused.errors]) from None
    except RuleError as refusal:
        raise said(refusal) from None
