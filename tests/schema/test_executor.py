"""Answers are graphql-core's own: the same data in the same order, the same errors at the same places."""

import gc
import json
import re
import weakref
from collections.abc import Callable, Generator
from datetime import date
from enum import Enum
from inspect import isawaitable
from random import Random
from typing import Annotated, Any, NewType, cast

import pytest
import strawberry
from graphql import (
    DocumentNode,
    GraphQLArgument,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLSchema,
    Undefined,
    build_schema,
    execute,
    get_nullable_type,
    parse,
    validate,
)
from strawberry.execution.is_awaitable import optimized_is_awaitable
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema import execution
from schema.executor import PlainExecutor, Plan
from tests.processes import ROOT
from tests.schema.access_probe import NAMED, SCALARS, victims
from tests.schema.queries import Queries
from tests.world import Api, TestClock
from tests.world import World as Customers


@strawberry.enum
class Colour(Enum):
    RED = "red"
    BLUE = "blue"


Anything = NewType("Anything", object)
Asked = tuple[DocumentNode, dict[str, bool]]


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Leaf(Named):
    text: str
    text_or_null: str | None
    number: int
    number_or_null: int | None
    share: float
    is_so: bool
    key: strawberry.ID
    day: date
    colour: Colour
    colour_or_null: Colour | None
    anything: Anything
    anything_or_null: Anything | None
    texts: list[str]
    texts_or_nulls: list[str | None] | None
    numbers: list[list[int]]


@strawberry.type
class Pair:
    left: Leaf
    right: Leaf | None


@strawberry.type
class Tree:
    leaf: Leaf
    pair: Pair | None
    leaves: list[Leaf]
    leaves_or_nulls: list[Leaf | None] | None
    named: Named | None
    either: Annotated[Leaf | Pair, strawberry.union("Either")]
    trees: list["Tree"]
    mixed: list["Mixed"]


@strawberry.type
class Mixed:
    leaf: Leaf
    number: int
    value: strawberry.Private[Any]

    @strawberry.field
    def worked_out(self) -> int | None:
        return _raised(self.value)  # type: ignore[no-any-return]

    @strawberry.field
    async def awaited(self) -> int:
        return _raised(self.value)  # type: ignore[no-any-return]


def _raised(value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    return value


class Text(str):
    __slots__ = ()


class Raises:
    """An object of which every attribute is an error."""

    def __getattr__(self, name: str) -> Any:
        raise LookupError(f"no {name}")


class Later:
    """Something to be awaited; unlike a coroutine it need not be."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, None, Any]:
        yield from ()
        return _raised(self._value)


class World:
    """Objects as the schema wants them, of which some are wrong in every way that there is."""

    def __init__(self, rng: Random, wrong: float) -> None:
        self._rng = rng
        self._wrong = wrong

    def _or_wrong(self, make: Callable[[], Any]) -> Any:
        if self._rng.random() >= self._wrong:
            return make()
        wrong: list[Callable[[], Any]] = [
            lambda: None,
            lambda: Undefined,
            lambda: ValueError("as a value"),
            lambda: 2**31,
            lambda: -5,
            lambda: float("nan"),
            lambda: 0,
            lambda: 1.5,
            lambda: True,
            lambda: "wrong",
            lambda: Text("a subclass"),
            list,
            lambda: [make()],
            lambda: (make(), make()),
            lambda: iter([make()]),
            lambda: {"name": "a mapping"},
            Raises,
            lambda: Colour.RED,
            lambda: date(2026, 1, 1),
            lambda: Later(make()),
            lambda: Later(ValueError("later")),
            self.leaf,
        ]
        return self._rng.choice(wrong)()

    def _several(self, make: Callable[[], Any]) -> list[Any]:
        return [self._or_wrong(make) for _ in range(self._rng.randint(0, 3))]

    def leaf(self) -> Leaf:
        rng = self._rng
        values: dict[str, Callable[[], Any]] = {
            "name": lambda: f"n{rng.random()}",
            "text": lambda: "text",
            "text_or_null": lambda: rng.choice([None, "text"]),
            "number": lambda: rng.choice([0, 1, -(2**31), 2**31 - 1]),
            "number_or_null": lambda: rng.choice([None, 7]),
            "share": rng.random,
            "is_so": lambda: rng.random() < 0.5,
            "key": lambda: rng.choice(["key", strawberry.ID("other")]),
            "day": lambda: date(2026, 2, 28),
            "colour": lambda: rng.choice(list(Colour)),
            "colour_or_null": lambda: rng.choice([None, Colour.RED]),
            "anything": lambda: rng.choice([1, "x", [1], {"a": 1}]),
            "anything_or_null": lambda: rng.choice([None, 1.5]),
            "texts": lambda: self._several(lambda: "text"),
            "texts_or_nulls": lambda: rng.choice([None, self._several(lambda: rng.choice([None, "text"]))]),
            "numbers": lambda: self._several(lambda: self._several(lambda: 3)),
        }
        return Leaf(**{name: self._or_wrong(make) for name, make in values.items()})

    def pair(self) -> Pair:
        return Pair(left=self._or_wrong(self.leaf), right=self._rng.choice([None, self._or_wrong(self.leaf)]))

    def mixed(self) -> Mixed:
        leaf, number = self._or_wrong(self.leaf), self._or_wrong(lambda: 3)
        return Mixed(leaf=leaf, number=number, value=self._or_wrong(lambda: 5))

    def tree(self, depth: int = 2) -> Tree:
        return Tree(
            leaf=self._or_wrong(self.leaf),
            pair=self._rng.choice([None, self._or_wrong(self.pair)]),
            leaves=self._or_wrong(lambda: self._several(self.leaf)),
            leaves_or_nulls=self._or_wrong(lambda: self._several(self.leaf)),
            named=self._or_wrong(self.leaf),
            either=self._or_wrong(self._rng.choice([self.leaf, self.pair])),
            trees=self._or_wrong(lambda: self._several(lambda: self.tree(depth - 1)) if depth else []),
            mixed=self._or_wrong(lambda: self._several(self.mixed)),
        )


@strawberry.type
class Query:
    @strawberry.field
    def tree(self, info: strawberry.Info) -> Tree | None:
        tree: Tree = info.context.tree()
        return tree

    @strawberry.field
    async def trees(self, info: strawberry.Info) -> list[Tree]:
        return [info.context.tree() for _ in range(3)]


def _schema() -> GraphQLSchema:
    scalars: Any = {Anything: strawberry.scalar(name="Anything", serialize=lambda value: None if value == 0 else value)}
    return strawberry.Schema(Query, types=[Leaf, Pair], config=StrawberryConfig(scalar_map=scalars))._schema


class Theirs(StrawberryGraphQLCoreExecutionContext):
    def __init__(self, *args: Any, plan: Plan | None, **given: Any) -> None:
        super().__init__(*args, **given)


def _no_argument(_rng: Random, _name: str, _argument: GraphQLArgument) -> str | None:
    return None


async def _answered(
    executor: type[StrawberryGraphQLCoreExecutionContext], schema: GraphQLSchema, asked: Asked, world: World
) -> tuple[str, list[Any]]:
    """Data with the order of its fields, and the errors in theirs; addresses of objects are left out."""
    document, variables = asked
    result: Any = execute(
        schema,
        document,
        variable_values=variables,
        context_value=world,
        executor_class=executor,
        is_awaitable=cast("Any", optimized_is_awaitable),
    )
    if isawaitable(result):
        result = await result
    told = [
        json.dumps(each, default=repr) for each in (result.data, *(error.formatted for error in result.errors or ()))
    ]
    data, *errors = [re.sub("0x[0-9a-f]+", "", each) for each in told]
    return data, errors


@pytest.mark.anyio
# graphql-core does not await what came before an error in the same list.
@pytest.mark.filterwarnings("ignore:coroutine.*was never awaited", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("wrong", [0, 0.01, 0.15])
async def test_random_queries_on_right_and_wrong_values_are_answered_alike(wrong: float) -> None:
    schema = _schema()
    failed = 0
    for seed in range(700):
        query, variables = Queries(schema, Random(seed), _no_argument).query()
        asked = parse(query), variables
        expected = await _answered(StrawberryGraphQLCoreExecutionContext, schema, asked, World(Random(seed), wrong))
        found = await _answered(PlainExecutor, schema, asked, World(Random(seed), wrong))
        assert found == expected, (seed, query)
        failed += bool(expected[1])
    gc.collect()  # while the warnings above are let through
    assert (failed == 0) == (wrong == 0)


def test_a_plan_keeps_nothing_of_the_request_that_made_it() -> None:
    schema, plan = _schema(), Plan()
    document = parse("{ tree { leaf { text colour number } leaves { texts } mixed { leaf { name } } } }")

    def answered(world: World) -> Any:
        executor: Any = PlainExecutor.build(schema, document, context_value=world, plan=plan)
        return executor.execute_operation()

    world = World(Random(3), 0)
    expected, gone = answered(world), weakref.ref(world)
    del world
    gc.collect()
    assert gone() is None
    assert len(plan.selections) > 1
    assert answered(World(Random(3), 0)) == expected


def test_the_random_queries_are_valid() -> None:
    schema = _schema()
    for seed in range(100):
        assert validate(schema, parse(Queries(schema, Random(seed), _no_argument).query()[0])) == []


@pytest.mark.anyio
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # execution knows no databases
async def test_random_queries_of_the_real_schema_are_answered_alike(
    api: Api, world: Customers, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the two answers nothing changes: the clock stands still, and queries store nothing."""
    found = await victims(api, world, clock)
    schema = build_schema((ROOT / "schema" / "schema.graphql").read_text())

    def literal(rng: Random, name: str, argument: GraphQLArgument) -> str | None:
        named = {"id": rng.choice(list(victim.nodes.values())), "after": None, **NAMED}
        kind = get_nullable_type(argument.type)
        if name == "id" or isinstance(argument.type, GraphQLNonNull) or rng.random() < 0.3:
            value = named.get(name, SCALARS.get(kind.name) if isinstance(kind, GraphQLScalarType) else None)
            return None if value is None else json.dumps(value)
        return None

    answered = 0
    for seed in range(250):
        rng = Random(seed)
        victim = found[rng.choice(list(found))]
        query, variables = Queries(schema, rng, literal, fields_max=30).query()
        texts = []
        for executor in (Theirs, PlainExecutor, PlainExecutor):  # the second time with what the first one has made
            monkeypatch.setattr(execution, "PlainExecutor", executor)
            texts.append((await api.post(query, victim.token, **variables)).text)
        # Where several items fail, which of them is told first hangs on how long each waits for the database.
        found_texts = [re.sub(r"(?<=,)\d+(?=,)", "", text) for text in texts]
        assert found_texts[1:] == found_texts[:1] * 2, f"{seed} {query}"
        answered += "errors" not in texts[0]
    assert answered > 50
