"""``spotplan order-states``: every state and move of an order as a table, as it stands in the README."""

import typer

from domain.orders import MOVES, OrderStatus

_S = OrderStatus
CAUSES: dict[tuple[OrderStatus, OrderStatus], str] = {
    (_S.AWAITING_PAYMENT_METHOD, _S.PENDING_PAYMENT): "checkout by card or transfer",
    (_S.AWAITING_PAYMENT_METHOD, _S.CONFIRMED): "checkout by invoice",
    (_S.AWAITING_PAYMENT_METHOD, _S.CANCELLED): "the customer",
    (_S.AWAITING_PAYMENT_METHOD, _S.EXPIRED): "time: 30 minutes without a payment method",
    (_S.PENDING_PAYMENT, _S.AWAITING_PAYMENT_METHOD): "the card was declined",
    (_S.PENDING_PAYMENT, _S.CONFIRMED): "the card was charged, the transfer arrived, or checkout by invoice instead",
    (_S.PENDING_PAYMENT, _S.CANCELLED): "the customer",
    (_S.PENDING_PAYMENT, _S.EXPIRED): "time: no payment in time (14 days for a transfer)",
    (_S.CONFIRMED, _S.ACTIVE): "time: its first day",
    (_S.CONFIRMED, _S.CANCELLED): "the customer, before its first day, with a credit note",
    (_S.ACTIVE, _S.ENDED): "time: its last day is over",
}
"""What makes each move."""


def table() -> str:
    """The moves of :data:`domain.orders.MOVES` as a Markdown table.

    Raises:
        KeyError: a move has no cause.
    """
    rows = [
        f"| {status.value} | {wanted.value} | {CAUSES[status, wanted]} |"
        for status in OrderStatus
        for wanted in OrderStatus
        if wanted in MOVES[status]
    ]
    return "\n".join(["| from | to | by |", "|---|---|---|", *rows])


def order_states() -> None:
    """Print every state and move of an order as a table, as it stands in the README."""
    typer.echo(table())
