"""``spotplan plan --svg --png``: what is on the page, that it can be read, and that it is the same each time."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from io import BytesIO
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib.image
import matplotlib.style
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from cli.plan_file import read_problem
from cli.plan_picture import STYLE, page, picture
from planner.problem import FrontierPoint, OrderKind, Outcome, PlanningProblem, PlanStatus, Reason
from planner.profile import coverage_steps, with_orders
from planner.solve import solve
from tests.cli.planning import INSTANCES, full_problem, problem, refused, run, step, term
from tests.planner.builders import planned

SVG = "{http://www.w3.org/2000/svg}"


def words(svg: bytes) -> list[str]:
    """Every text in an SVG, in order."""
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314 # ours


def ids(svg: bytes) -> set[str]:
    return {group.get("id", "") for group in ET.fromstring(svg).iter(f"{SVG}g")}  # noqa: S314


def solved(given: dict[str, Any]) -> tuple[PlanningProblem, Outcome]:
    asked = read_problem(json.dumps(given))
    return asked, solve(asked)


def with_many_orders(count: int, **changes: Any) -> tuple[PlanningProblem, Outcome]:
    """A plan of so many orders and frontier points, none of it a good one; large numbers, so that texts are long."""
    asked, outcome = solved(problem(**changes))
    orders = tuple(
        planned(f"2026-{4 + index % 8:02}-{1 + index % 28:02}", 1, units=10_000 + index, unit_price_minor=99_999)
        for index in range(count)
    )
    orders = tuple(
        replace(order, kind=OrderKind.ADDITIONAL_LICENCE) if index % 7 == 0 else order
        for index, order in enumerate(orders)
    )
    points = tuple(
        FrontierPoint(index, orders[:1], 9_000_000_000 // index, 8_000_000_000 // index)
        for index in range(1, count + 1)
    )
    cost = sum(order.net_minor for order in orders)
    return asked, replace(
        outcome,
        orders=orders,
        reasons=(Reason((), ()),) * count,
        cost_minor=cost,
        lower_bound_minor=cost // 2,
        status=PlanStatus.FEASIBLE,
        frontier=points,
        coverage=with_orders(asked, coverage_steps(asked), orders),
    )


@contextmanager
def drawn(asked: PlanningProblem, outcome: Outcome) -> Iterator[Figure]:
    with matplotlib.style.context(["default", STYLE]):
        figure = page(asked, outcome)
        figure.canvas.draw()
        yield figure


LONG_DEMAND = [
    step(f"{year}-{month:02}-03", f"{year}-{month + 2:02}-20", 5_100 + 100 * month)
    for year in range(2026, 2036)
    for month in (4, 8)
]
PAGES: dict[str, Callable[[], tuple[PlanningProblem, Outcome]]] = {
    "one order": lambda: solved(problem()),
    "no order": lambda: solved(problem(accounts=300)),
    "an instance": lambda: solved(INSTANCES[5]),
    "licences and a renewal": lambda: solved(full_problem(include_additional_licences=True, order_fee=100)),
    "budget": lambda: solved(problem(budget=12_000)),
    "no money": lambda: solved(problem(budget=1)),
    "outside the contract": lambda: solved(problem(demand=[step("2026-03-01", "2027-05-01", 300)])),
    "limits": lambda: solved(problem(orders_max=1, accounts_per_order_max=100)),
    "no plan in time": lambda: (solved(problem())[0], Outcome(PlanStatus.NO_PLAN_IN_TIME)),
    "free of charge": lambda: solved(problem(monthly_unit_price=0)),
    "ten years": lambda: solved(
        full_problem(terms=[term("2026-04-01", "2036-04-01", accounts=5_000)], demand=LONG_DEMAND)
    ),
    "large": lambda: solved(problem(accounts=9_000_000, demand=[step("2026-04-10", "2026-05-20", 10_000_000)])),
    "20 orders": lambda: with_many_orders(20),
    "21 orders": lambda: with_many_orders(21),
    "60 orders": lambda: with_many_orders(60),
    "150 orders": lambda: with_many_orders(150),
    "60 orders, two days": lambda: with_many_orders(60, demand=[step("2026-04-10", "2026-04-12", 300)]),
}


@cache
def made(name: str) -> tuple[PlanningProblem, Outcome]:
    """One of the pages, solved when it is first asked for."""
    return PAGES[name]()


@pytest.mark.parametrize("name", PAGES)
def test_texts_are_large_enough_on_the_page_and_apart(name: str) -> None:
    asked, outcome = made(name)
    with drawn(asked, outcome) as figure:
        texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
        boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
        assert len(boxes) > 5
        assert min(float(text.get_fontsize()) for text in texts) >= 8
        for text, box in boxes:
            assert box.x0 >= 0, text
            assert box.y0 >= 0, text
            assert box.x1 <= figure.bbox.width, text
            assert box.y1 <= figure.bbox.height, text
        over = [(one, other) for (one, a), (other, b) in combinations(boxes, 2) if a.overlaps(b)]
        assert over == []


@pytest.mark.parametrize("name", PAGES)
def test_no_panel_covers_another(name: str) -> None:
    asked, outcome = made(name)
    with drawn(asked, outcome) as figure:
        boxes = [axes.get_window_extent() for axes in figure.axes]
        assert [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_order_and_every_point_of_the_frontier_is_there(name: str) -> None:
    asked, outcome = made(name)
    svg = picture(asked, outcome, "svg")
    texts = words(svg)
    for number, order in enumerate(outcome.orders, start=1):
        kind = " (licence)" if order.kind is OrderKind.ADDITIONAL_LICENCE else ""
        assert f"{number}: {order.accounts:,} accounts, {order.net_minor:,}{kind}" in texts
    groups = ids(svg)
    assert {group for group in groups if group.startswith("order-")} == {
        f"order-{number}" for number in range(1, len(outcome.orders) + 1)
    }
    assert {group for group in groups if group.startswith("frontier-")} == {
        f"frontier-{point.orders_max}" for point in outcome.frontier
    }


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("one order", "OPTIMAL: 1 order, cost 20,000, gap 0.0%"),
        ("no order", "OPTIMAL: 0 orders, cost 0, gap 0.0%"),
        ("licences and a renewal", "OPTIMAL: 2 orders, cost 34,527, gap 0.0%"),
        ("budget", "OPTIMAL: 1 order, cost 10,000, 2,000 account-days short"),
        ("limits", "INFEASIBLE: no plan"),
        ("no plan in time", "NO_PLAN_IN_TIME: no plan"),
    ],
)
def test_the_title_has_status_cost_and_gap(name: str, title: str) -> None:
    assert title in words(picture(*made(name), "svg"))


def test_what_stays_short_is_listed() -> None:
    texts = words(picture(*made("outside the contract"), "svg"))
    assert "outside the main contract:" in texts
    assert "  2026-03-01 to 2026-03-31        300" in texts
    assert "  2027-04-01 to 2027-04-30        300" in texts
    assert "cannot be covered" in texts


def test_a_long_list_of_what_stays_short_is_cut() -> None:
    asked, outcome = solved(problem(demand=[step("2026-03-01", "2026-05-01", 300)]))
    many = replace(outcome, shortfalls=outcome.shortfalls * 90)
    texts = words(picture(asked, many, "svg"))
    assert "and more" in texts
    assert texts.count("  2026-03-01 to 2026-03-31        300") < 90


def test_the_same_plan_is_the_same_file() -> None:
    asked, outcome = made("licences and a renewal")
    for kind in ("svg", "png"):
        assert picture(asked, outcome, kind) == picture(asked, outcome, kind)
    assert b"<dc:date>" not in picture(asked, outcome, "svg")


def pixels(content: bytes) -> "np.ndarray[Any, Any]":
    """Lightness from 0 to 1; shape (height, width)."""
    colours = np.asarray(matplotlib.image.imread(BytesIO(content), format="png"))[:, :, :3]
    return np.asarray(colours.mean(axis=2))


def test_a_png_is_a4_landscape_with_something_in_each_part() -> None:
    light = pixels(picture(*made("an instance"), "png"))
    assert light.shape == (1654, 2338)
    height, width = light.shape
    parts = {
        "title": light[: height // 8, : width // 2],
        "coverage": light[height // 4 : height // 2, : width // 2],
        "orders": light[-height // 4 :, : width // 2],
        "labels": light[-height // 4 :, width * 3 // 4 :],
        "frontier": light[height // 8 : height // 2, width * 3 // 4 :],
    }
    for name, part in parts.items():
        assert (part < 0.5).mean() > 0.001, name
    for edge in (light[:40], light[-40:], light[:, :40], light[:, -40:]):
        assert edge.min() == 1.0


def test_a_picture_is_grey_only() -> None:
    image = matplotlib.image.imread(BytesIO(picture(*made("budget"), "png")), format="png")
    colours = np.asarray(image)[:, :, :3]
    assert float((colours.max(axis=2) - colours.min(axis=2)).max()) < 0.02


def test_a_page_of_many_orders_is_as_wide_and_higher() -> None:
    assert pixels(picture(*made("60 orders"), "png")).shape == (1654, 2338)
    height, width = pixels(picture(*made("150 orders"), "png")).shape
    assert width == 2338
    assert height > 1654 * 2


def test_both_files_are_written_beside_the_answer(tmp_path: Path) -> None:
    svg, png = tmp_path / "plan.svg", tmp_path / "plan.png"
    svg.write_text("what was there before")
    result = run("-", "--json", f"--svg={svg}", f"--png={png}", text=json.dumps(problem()))
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["net_total"] == 20_000
    assert "1: 200 accounts, 20,000" in words(svg.read_bytes())
    assert png.read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plan.png", "plan.svg"]


def test_a_picture_is_drawn_of_what_has_no_plan(tmp_path: Path) -> None:
    svg = tmp_path / "plan.svg"
    given = problem(orders_max=1, accounts_per_order_max=100)
    assert run("-", f"--svg={svg}", text=json.dumps(given)).exit_code == 1
    assert "INFEASIBLE: no plan" in words(svg.read_bytes())


@pytest.mark.parametrize(
    ("make", "name", "reason"),
    [
        (lambda path: None, "no/such/plan.svg", "No such file or directory"),
        (lambda path: (path / "plan.svg").mkdir(), "plan.svg", "Is a directory"),
        (lambda path: (path / "file").write_text(""), "file/plan.svg", "Not a directory"),
    ],
    ids=["no folder", "directory", "in a file"],
)
def test_a_path_that_cannot_be_written_is_refused_before_the_search(
    make: Any, name: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path)
    there = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr("planner.solve.solve", lambda *_: pytest.fail("searched in vain"))
    message = refused(run("-", f"--svg={tmp_path / name}", text=json.dumps(problem())))
    assert message == f"--svg: cannot write {tmp_path / name}: {reason}"
    assert sorted(tmp_path.rglob("*")) == there


def test_what_was_there_stays_when_drawing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    svg = tmp_path / "plan.svg"
    svg.write_text("what was there before")

    def fail(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    message = refused(run("-", f"--svg={svg}", text=json.dumps(problem())))
    assert message == f"--svg: cannot write {svg}: No space left on device"
    assert svg.read_text() == "what was there before"
    assert [path.name for path in tmp_path.iterdir()] == ["plan.svg"]


def test_one_order_of_one_account_is_in_the_singular() -> None:
    asked, outcome = solved(problem(accounts_per_unit=1, demand=[step("2026-04-10", "2026-04-12", 101)]))
    assert "1: 1 account, 5,000" in words(picture(asked, outcome, "svg"))
