"""The README's table of states and moves is the code's."""

from itertools import product

from cli.order_states import CAUSES, table
from domain.orders import MOVES, OrderStatus
from tests.processes import ROOT


def test_the_readme_has_the_table_that_the_code_makes() -> None:
    assert f"\n\n{table()}\n\n" in (ROOT / "README.md").read_text("utf-8")


def test_every_move_has_a_cause_and_nothing_else_has() -> None:
    moves = {pair for pair in product(OrderStatus, OrderStatus) if pair[1] in MOVES[pair[0]]}
    assert moves == set(CAUSES)
    assert table().count("\n") == len(moves) + 1
