"""What resolvers find in ``info.context``: the services, who is asking, and the request's loaders."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property, partial
from typing import Any, Generic, TypeVar

import strawberry
from strawberry.dataloader import DataLoader

from domain.orders import SpotOrder
from domain.webhooks import Endpoint
from resolvers import account_reads, purchase_reads, reads
from resolvers import webhooks as webhook_use_cases
from resolvers.access import Caller
from resolvers.reads import Page
from resolvers.services import Services

Key = TypeVar("Key")
Value = TypeVar("Value")

OrdersKey = tuple[int, int, int | None]
"""A page of orders: customer, page size, and the id it comes before."""


class Loader(Generic[Key, Value]):
    """A loader that a context makes when it is first asked for: most requests need few of them."""

    def __init__(self, load: Callable[[Services, list[Key]], Awaitable[list[Value]]]) -> None:
        self._load = load

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    def __get__(self, context: "Context", _owner: type) -> DataLoader[Key, Value]:
        # From now on the attribute of the context itself is found first.
        made: DataLoader[Key, Value] = DataLoader(partial(self._load, context.services))
        context.__dict__[self._name] = made
        return made


async def _spot_order_pages(services: Services, keys: list[OrdersKey]) -> list[Page[SpotOrder]]:
    groups: dict[tuple[int, int | None], list[int]] = defaultdict(list)
    for customer_id, first, before_id in keys:
        groups[first, before_id].append(customer_id)
    pages: dict[OrdersKey, Page[SpotOrder]] = {}
    for (first, before_id), ids in groups.items():
        found = await reads.spot_order_pages(services, ids, first=first, before_id=before_id)
        pages.update({(id_, first, before_id): page for id_, page in zip(ids, found, strict=True)})
    return [pages[key] for key in keys]


class Context:
    """One request's context. A sign-in that failed is raised by the first field that needs the caller."""

    contracts = Loader(reads.contracts)
    customers = Loader(reads.customers)
    spot_order_pages = Loader(_spot_order_pages)
    spot_order_counts = Loader(reads.spot_order_count)
    accounts = Loader(account_reads.accounts)
    account_groups = Loader(account_reads.account_groups)
    groups = Loader(account_reads.groups)
    group_sizes = Loader(account_reads.group_sizes)
    capacity_falls = Loader(account_reads.falls)
    webhooks_pending = Loader(webhook_use_cases.pending)
    purchases = Loader(purchase_reads.purchases)
    purchase_documents = Loader(purchase_reads.documents_by_purchase)

    def __init__(self, services: Services, caller: Caller | None, sign_in_failure: Exception | None = None) -> None:
        self.services = services
        self.extensions: Mapping[str, Any] = {}
        """What the request's ``extensions`` ask for beside the operation."""
        self._caller = caller
        self._sign_in_failure = sign_in_failure

    @cached_property
    def webhook_endpoints(self) -> DataLoader[int, list[Endpoint]]:
        """The endpoints of customers, as far as the caller may see them."""
        return DataLoader(partial(webhook_use_cases.endpoints, self.services, self.caller))

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
