"""A fall of capacity as SQL statements alone: what :mod:`resolvers.settling` must be measured against.

As many customers in a transaction, the same rows, and the fewest statements for each of them. Nothing is decided here:
that a fall is due, that all accounts of the spot go and that nothing else moves is known, as somebody at a prompt would
know it.
"""

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

import asyncpg

from resolvers.settling import CUSTOMERS_AT_ONCE

Values = Mapping[str, Any]

DUE = """SELECT main_contracts.id, main_contracts.customer_id, spot_orders.id
FROM main_contracts JOIN spot_orders ON spot_orders.main_contract_id = main_contracts.id
WHERE due_at <= :recorded::timestamptz ORDER BY due_at, main_contracts.id"""
LOCK = "SELECT id FROM main_contracts WHERE id = :contract FOR UPDATE"
COUNT = """SELECT count(*), count(*) FILTER (WHERE counted_since >= :since::timestamptz) FROM accounts
WHERE customer_id = :customer AND status IN ('ACTIVE', 'SUSPENDED')"""
END_SPOT = "UPDATE spot_orders SET status = 'ENDED' WHERE id = :order"
LOG_SPOT = """INSERT INTO events (customer_id, kind, actor, occurred_at, recorded_at, spot_order_id, changes)
VALUES (:customer, 'SPOT_ENDED', 'SYSTEM', :occurred, :recorded, :order, '{"status": ["ACTIVE", "ENDED"]}')"""
FALL = """INSERT INTO capacity_falls (customer_id, main_contract_id, on_day, capacity_before, capacity_after,
counted_before, deactivated, policy, handled_at)
VALUES (:customer, :contract, :day, 200, 100, :counted, :out, 'ALL_REGISTERED_DURING_SPOT', :recorded) RETURNING id"""
LOG_FALL = """INSERT INTO events (customer_id, kind, actor, occurred_at, recorded_at, capacity_fall_id, changes)
VALUES (:customer, 'CAPACITY_FELL', 'SYSTEM', :occurred, :recorded, :fall, '{"capacity": ["200", "100"]}')"""
GROUP = """INSERT INTO account_groups (customer_id, name, is_built_in)
VALUES (:customer, 'Auto Deactivation', TRUE) RETURNING id"""
OUT = """INSERT INTO deactivations (fall_id, position, account_id, reason, previous_status)
SELECT :fall::integer, row_number() OVER (ORDER BY counted_since DESC, id DESC), id, 'REGISTERED_DURING_SPOT', status
FROM accounts WHERE customer_id = :customer AND status IN ('ACTIVE', 'SUSPENDED')
AND counted_since >= :since::timestamptz"""
CHANGE = """UPDATE accounts SET status = 'DEACTIVATED', deactivated_at = :occurred
WHERE id IN (SELECT account_id FROM deactivations WHERE fall_id = :fall)"""
ENTER = """INSERT INTO account_group_members (group_id, account_id, customer_id)
SELECT :group::integer, account_id, :customer::integer FROM deactivations WHERE fall_id = :fall"""
LOG_OUT = """INSERT INTO events (customer_id, kind, actor, occurred_at, recorded_at, account_id, capacity_fall_id,
changes, counted_after)
SELECT :customer::integer, 'ACCOUNT_DEACTIVATED', 'SYSTEM', :occurred::timestamptz, :recorded::timestamptz, account_id,
fall_id, '{"status": ["ACTIVE", "DEACTIVATED"], "reason": [null, "REGISTERED_DURING_SPOT"]}'::json, 100
FROM deactivations WHERE fall_id = :fall ORDER BY position"""
SETTLE = "UPDATE main_contracts SET settled_through = :day, due_at = :next WHERE id = :contract"


@dataclass(frozen=True, slots=True)
class Day:
    """The day on which capacity falls, and the instants that matter, for customers of one time zone."""

    on: date
    since: datetime
    """When the spot began."""
    occurred: datetime
    recorded: datetime
    next: datetime
    """When the main contract ends."""

    @property
    def values(self) -> dict[str, Any]:
        instants = {"since": self.since, "occurred": self.occurred, "recorded": self.recorded, "next": self.next}
        return {"day": self.on, **instants}


def settle_sqlite(connection: sqlite3.Connection, day: Day) -> int:
    """Handle the fall of every customer that is due; how many were."""
    known = {name: _as_stored(value) for name, value in day.values.items()}

    def run(statement: str, values: Values) -> sqlite3.Cursor:
        return connection.execute(_sqlite(statement), values)

    due = run(DUE, known).fetchall()
    for start in range(0, len(due), CUSTOMERS_AT_ONCE):
        connection.execute("BEGIN IMMEDIATE")
        for contract, customer, order in due[start : start + CUSTOMERS_AT_ONCE]:
            values = {**known, "contract": contract, "customer": customer, "order": order}
            values["counted"], values["out"] = run(COUNT, values).fetchone()
            run(END_SPOT, values)
            run(LOG_SPOT, values)
            (values["fall"],) = run(FALL, values).fetchone()
            run(LOG_FALL, values)
            (values["group"],) = run(GROUP, values).fetchone()
            for statement in (OUT, CHANGE, ENTER, LOG_OUT, SETTLE):
                run(statement, values)
        connection.execute("COMMIT")
    return len(due)


async def settle_postgresql(connection: "asyncpg.Connection[asyncpg.Record]", day: Day) -> int:
    """Handle the fall of every customer that is due; how many were."""

    def call(statement: str, values: Values) -> tuple[Any, ...]:
        text, names = _postgresql(statement)
        return (text, *(values[name] for name in names))

    due = await connection.fetch(*call(DUE, day.values))
    for start in range(0, len(due), CUSTOMERS_AT_ONCE):
        async with connection.transaction():
            for contract, customer, order in due[start : start + CUSTOMERS_AT_ONCE]:
                values = {**day.values, "contract": contract, "customer": customer, "order": order}
                await connection.fetchval(*call(LOCK, values))
                values["counted"], values["out"] = (await connection.fetch(*call(COUNT, values)))[0]
                await connection.execute(*call(END_SPOT, values))
                await connection.execute(*call(LOG_SPOT, values))
                values["fall"] = await connection.fetchval(*call(FALL, values))
                await connection.execute(*call(LOG_FALL, values))
                values["group"] = await connection.fetchval(*call(GROUP, values))
                for statement in (OUT, CHANGE, ENTER, LOG_OUT, SETTLE):
                    await connection.execute(*call(statement, values))
    return len(due)


@cache
def _sqlite(statement: str) -> str:
    """It needs no types."""
    return re.sub(r"::\w+", "", statement)


@cache
def _postgresql(statement: str) -> tuple[str, tuple[str, ...]]:
    """With numbered parameters, and their names in that order."""
    names = tuple(dict.fromkeys(re.findall(r"(?<!:):([a-z]+)", statement)))
    return re.sub(r"(?<!:):([a-z]+)", lambda found: f"${names.index(found[1]) + 1}", statement), names


def _as_stored(value: date) -> str:
    """A day or an instant as it is in the tables."""
    return f"{value:%Y-%m-%d %H:%M:%S.%f}" if isinstance(value, datetime) else str(value)
