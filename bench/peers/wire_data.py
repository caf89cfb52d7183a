"""What every server of ``bench wire`` answers with; the standard library only, since their environments differ."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum

SDL = """
scalar Date
enum Status { OPEN CONFIRMED }
type Viewer { role: String! }
type Order {
  id: ID!
  number: String!
  status: Status!
  accounts: Int!
  months: Int!
  startsOn: Date!
  isPaid: Boolean!
  note: String
}
type Query {
  viewer: Viewer!
  orders(first: Int!): [Order!]!
}
"""
"""The schema, for those that read it."""


class Status(Enum):
    """Its enumeration."""

    OPEN = "OPEN"
    CONFIRMED = "CONFIRMED"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks."""

    role: str


@dataclass(frozen=True, slots=True)
class Order:
    """Eight fields of the usual kinds."""

    id: str
    number: str
    status: Status
    accounts: int
    months: int
    starts_on: date
    is_paid: bool
    note: str | None


def viewer() -> Viewer:
    """Always the same one."""
    return Viewer("OWNER")


def orders(first: int) -> list[Order]:
    """Always the same ones: what is measured is how they are answered, not how they are made."""
    return ORDERS[:first]


ORDERS = [
    Order(
        id=f"T3JkZXI6{n}",
        number=f"SO-2026-{n:05d}",
        status=Status.CONFIRMED if n % 3 else Status.OPEN,
        accounts=100 * (n % 5 + 1),
        months=n % 6 + 1,
        starts_on=date(2026, 4, 1) + timedelta(n),
        is_paid=n % 2 == 0,
        note=None if n % 4 else "by invoice",
    )
    for n in range(100)
]
