"""What resolvers find in ``info.context``: the services, who is asking, and the request's loaders."""

from asyncio import Future, shield
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast

import strawberry
from strawberry.dataloader import DataLoader

from db.engine import DatabaseUnavailableError
from domain.errors import RuleError
from resolvers import account_reads, purchase_reads, quotes, reads, tokens, webhooks
from resolvers.access import AccessError, Caller
from resolvers.services import Services

Key = TypeVar("Key")
Value = TypeVar("Value")
P = ParamSpec("P")
Load = Callable[Concatenate[Services, Sequence[Key], P], Awaitable[Sequence[Value | RuleError]]]
"""Reads something for each of many keys, all with the same arguments. Refusals may stand in a value's place."""


class Batches(Generic[Key, P, Value]):
    """What fields ask for at the same time, each for one object, is read together: once for each set of arguments.

    So a level of a query takes as many SQL statements for many objects as for one.
    """

    def __init__(self, load: Load[Key, P, Value], services: Services) -> None:
        self._load, self._services = load, services
        self._loaders: dict[Hashable, DataLoader[Key, Value]] = {}

    def load(self, key: Key, *args: P.args, **more: P.kwargs) -> Awaitable[Value]:
        """What there is for a key. Arguments are told apart by how they are given: give them in one way."""
        given = (args, *more.items())
        if given not in self._loaders:
            self._loaders[given] = DataLoader(lambda keys: self._values(keys, *args, **more))
        value = cast("Future[Value]", self._loaders[given].load(key))
        value.add_done_callback(_looked_at)
        # Whoever waits may be cancelled, as GraphQL does with fields beside one that failed; others wait for the same.
        return shield(value)

    async def _values(self, keys: Sequence[Key], *args: P.args, **more: P.kwargs) -> Sequence[Value | BaseException]:
        try:
            return await self._load(self._services, keys, *args, **more)
        except (RuleError, AccessError, DatabaseUnavailableError):
            raise  # it is the same for every key
        except Exception:
            if len(keys) == 1:
                raise
        # One of them is to blame. The others must not suffer from being asked for at the same time.
        return [await self._alone(key, *args, **more) for key in keys]

    async def _alone(self, key: Key, *args: P.args, **more: P.kwargs) -> Value | BaseException:
        try:
            return (await self._load(self._services, [key], *args, **more))[0]
        except Exception as error:  # noqa: BLE001 # it is raised where the value is waited for
            return error


def _looked_at(value: Future[Any]) -> None:
    """Where nobody waits for a value any more, nobody has to hear that it is an error."""
    if not value.cancelled():
        value.exception()


class Loader(Generic[Key, P, Value]):
    """Batches that a context makes when they are first asked for: most requests need few of them."""

    def __init__(self, load: Load[Key, P, Value]) -> None:
        self._load = load

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    def __get__(self, context: "Context", _owner: type) -> Batches[Key, P, Value]:
        # From now on the attribute of the context itself is found first.
        made = Batches(self._load, context.services)
        context.__dict__[self._name] = made
        return made


class Context:
    """One request's context. A sign-in that failed is raised by the first field that needs the caller."""

    contracts = Loader(reads.contracts)
    customers = Loader(reads.customers)
    spot_order_pages = Loader(reads.spot_order_pages)
    spot_order_totals = Loader(reads.spot_order_totals)
    access_tokens = Loader(tokens.tokens_of_customers)
    accounts = Loader(account_reads.accounts)
    account_pages = Loader(account_reads.account_pages)
    account_totals = Loader(account_reads.account_totals)
    account_groups = Loader(account_reads.account_groups)
    groups = Loader(account_reads.groups)
    group_sizes = Loader(account_reads.group_sizes)
    counted_on = Loader(account_reads.counted_on)
    upcoming_falls = Loader(account_reads.upcoming_falls)
    capacity_falls = Loader(account_reads.falls)
    fall_pages = Loader(account_reads.fall_pages)
    fall_totals = Loader(account_reads.fall_totals)
    deactivation_pages = Loader(account_reads.deactivation_pages)
    event_pages = Loader(account_reads.event_pages)
    event_totals = Loader(account_reads.event_totals)
    purchases = Loader(purchase_reads.purchases)
    purchase_pages = Loader(purchase_reads.purchase_pages)
    purchase_totals = Loader(purchase_reads.purchase_totals)
    purchase_documents = Loader(purchase_reads.documents_by_purchase)
    purchase_entries = Loader(purchase_reads.entries)
    document_pages = Loader(purchase_reads.document_pages)
    document_totals = Loader(purchase_reads.document_totals)
    balances = Loader(purchase_reads.customer_balances)
    quote_pages = Loader(quotes.quote_pages)
    quote_totals = Loader(quotes.quote_totals)
    webhook_endpoints = Loader(webhooks.endpoints)
    webhooks_pending = Loader(webhooks.pending)
    delivery_pages = Loader(webhooks.delivery_pages)

    def __init__(self, services: Services, caller: Caller | None, sign_in_failure: Exception | None = None) -> None:
        self.services = services
        self.extensions: Mapping[str, Any] = {}
        """What the request's ``extensions`` ask for beside the operation."""
        self._caller = caller
        self._sign_in_failure = sign_in_failure

    def forget(self) -> None:
        """Read everything anew from now on: mutations of one request run one after the other, and change it."""
        for name in [name for name, value in vars(self).items() if isinstance(value, Batches)]:
            del self.__dict__[name]

    @property
    def caller(self) -> Caller | None:
        """Who is asking; None when no token was sent.

        Raises:
            NotSignedInError, IdentityUnavailableError, DatabaseUnavailableError: a token was sent, but could not be
                accepted.
        """
        if self._sign_in_failure is not None:
            raise self._sign_in_failure
        return self._caller

    @property
    def customer_id(self) -> int | None:
        """The caller's own customer, for logs; None for staff, and where nobody is signed in."""
        return self._caller.customer_id if self._caller else None

    @property
    def token_id(self) -> int | None:
        """The token of who is asking; None where there is none that was accepted."""
        return self._caller.token_id if self._caller else None


Info = strawberry.Info[Context, Any]
