"""What resolvers find in ``info.context``: the services, who is asking, and the request's loaders."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import strawberry
from strawberry.dataloader import DataLoader

from db.contracts import StoredContract
from db.documents import StoredDocument
from db.falls import HandledFall
from db.groups import Group
from domain.accounts import Account
from domain.customers import Customer
from domain.orders import SpotOrder
from domain.purchases import Purchase
from domain.webhooks import Endpoint
from resolvers import account_reads, purchase_reads, reads
from resolvers import webhooks as webhook_use_cases
from resolvers.access import Caller
from resolvers.reads import Page
from resolvers.services import Services

OrdersKey = tuple[int, int, int | None]
"""A page of orders: customer, page size, and the id it comes before."""


class Context:
    """One request's context. A sign-in that failed is raised by the first field that needs the caller."""

    def __init__(self, services: Services, caller: Caller | None, sign_in_failure: Exception | None = None) -> None:
        self.services = services
        self.extensions: Mapping[str, Any] = {}
        """What the request's ``extensions`` ask for beside the operation."""
        self._caller = caller
        self._sign_in_failure = sign_in_failure
        self.contracts: DataLoader[int, StoredContract | None] = DataLoader(self._load_contracts)
        self.customers: DataLoader[int, Customer | None] = DataLoader(self._load_customers)
        self.spot_order_pages: DataLoader[OrdersKey, Page[SpotOrder]] = DataLoader(self._load_pages)
        self.spot_order_counts: DataLoader[int, int] = DataLoader(self._load_counts)
        self.accounts: DataLoader[int, Account | None] = DataLoader(self._load_accounts)
        self.account_groups: DataLoader[int, list[Group]] = DataLoader(self._load_account_groups)
        self.groups: DataLoader[int, list[Group]] = DataLoader(self._load_groups)
        self.group_sizes: DataLoader[int, int] = DataLoader(self._load_group_sizes)
        self.capacity_falls: DataLoader[int, HandledFall | None] = DataLoader(self._load_falls)
        self.webhook_endpoints: DataLoader[int, list[Endpoint]] = DataLoader(self._load_webhook_endpoints)
        self.webhooks_pending: DataLoader[int, int] = DataLoader(self._load_webhooks_pending)
        self.purchases: DataLoader[int, Purchase | None] = DataLoader(self._load_purchases)
        self.purchase_documents: DataLoader[int, list[StoredDocument]] = DataLoader(self._load_documents)

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

    async def _load_contracts(self, keys: list[int]) -> list[StoredContract | None]:
        return await reads.contracts(self.services, keys)

    async def _load_customers(self, keys: list[int]) -> list[Customer | None]:
        return await reads.customers(self.services, keys)

    async def _load_counts(self, keys: list[int]) -> list[int]:
        return await reads.spot_order_count(self.services, keys)

    async def _load_accounts(self, keys: list[int]) -> list[Account | None]:
        return await account_reads.accounts(self.services, keys)

    async def _load_account_groups(self, keys: list[int]) -> list[list[Group]]:
        return await account_reads.account_groups(self.services, keys)

    async def _load_groups(self, keys: list[int]) -> list[list[Group]]:
        return await account_reads.groups(self.services, keys)

    async def _load_group_sizes(self, keys: list[int]) -> list[int]:
        return await account_reads.group_sizes(self.services, keys)

    async def _load_falls(self, keys: list[int]) -> list[HandledFall | None]:
        return await account_reads.falls(self.services, keys)

    async def _load_purchases(self, keys: list[int]) -> list[Purchase | None]:
        return await purchase_reads.purchases(self.services, keys)

    async def _load_documents(self, keys: list[int]) -> list[list[StoredDocument]]:
        return await purchase_reads.documents_by_purchase(self.services, keys)

    async def _load_webhook_endpoints(self, keys: list[int]) -> list[list[Endpoint]]:
        return await webhook_use_cases.endpoints(self.services, self.caller, keys)

    async def _load_webhooks_pending(self, keys: list[int]) -> list[int]:
        return await webhook_use_cases.pending(self.services, keys)

    async def _load_pages(self, keys: list[OrdersKey]) -> list[Page[SpotOrder]]:
        groups: dict[tuple[int, int | None], list[int]] = defaultdict(list)
        for customer_id, first, before_id in keys:
            groups[first, before_id].append(customer_id)
        pages: dict[OrdersKey, Page[SpotOrder]] = {}
        for (first, before_id), ids in groups.items():
            found = await reads.spot_order_pages(self.services, ids, first=first, before_id=before_id)
            pages.update({(id_, first, before_id): page for id_, page in zip(ids, found, strict=True)})
        return [pages[key] for key in keys]


Info = strawberry.Info[Context, Any]
