"""How many questions to the planner a caller may have under way at a time, so that one cannot fill it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from resolvers.access import Caller


class TooManySolvesError(Exception):
    """The caller has as many questions under way as may be; trying again later may succeed."""


class Turns:
    """Counts by token, in this process. Whoever has no token works on the command line, and is not counted."""

    def __init__(self, each_max: int) -> None:
        self._each_max = each_max
        self._taken: Counter[int] = Counter()

    @contextmanager
    def taken_by(self, caller: Caller) -> Iterator[None]:
        """A turn, until it is left.

        Raises:
            TooManySolvesError: the caller has none left.
        """
        if caller.token_id is None:
            yield
            return
        if self._taken[caller.token_id] >= self._each_max:
            raise TooManySolvesError(f"{self._each_max} questions of token {caller.token_id} are under way")
        self._taken[caller.token_id] += 1
        try:
            yield
        finally:
            self._taken[caller.token_id] -= 1
            self._taken += Counter()  # drops those that are at 0
