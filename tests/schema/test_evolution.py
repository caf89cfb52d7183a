"""Changes of the schema since the last release: none that could break a client goes unsaid."""

import re
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    find_breaking_changes,
    find_dangerous_changes,
)

ROOT = Path(__file__).parents[2]
RELEASED = build_schema((ROOT / "schema" / "released.graphql").read_text())
CURRENT = build_schema((ROOT / "schema" / "schema.graphql").read_text())
UNRELEASED = (ROOT / "CHANGELOG.md").read_text().split("\n## ")[1]
DATED = re.compile(r"\bUntil \d{4}-\d{2}-\d{2}\b")


def listed(heading: str) -> list[str]:
    """The changes under a heading, each up to the end of its first sentence."""
    section = UNRELEASED.split(f"### {heading}\n")[1].split("\n### ")[0]
    return [re.split(r"(?<=\.)\s", line, maxsplit=1)[0] for line in re.findall(r"^- (.+)$", section, re.MULTILINE)]


def undated(schema: GraphQLSchema) -> list[str]:
    """Everything that is deprecated without saying until when it stays."""
    found = []
    for name, kind in schema.type_map.items():
        items = kind.values if isinstance(kind, GraphQLEnumType) else getattr(kind, "fields", {})
        for item, about in items.items() if not name.startswith("__") else ():
            found.append((f"{name}.{item}", about.deprecation_reason))
            if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
                found += [(f"{name}.{item}({arg})", given.deprecation_reason) for arg, given in about.args.items()]
    return [name for name, reason in found if reason is not None and not DATED.search(reason)]


def test_every_change_that_breaks_or_may_break_a_client_is_in_the_changelog() -> None:
    for heading, find in (("Breaking", find_breaking_changes), ("Dangerous", find_dangerous_changes)):
        assert sorted(listed(heading)) == sorted({change.description for change in find(RELEASED, CURRENT)})
    assert sorted(listed("Dangerous")) == sorted(
        {change.description for change in find_dangerous_changes(RELEASED, CURRENT)}
    )


@pytest.mark.parametrize(
    ("change", "breaking", "dangerous"),
    [
        (("name: String!", "name: String"), ["Field Customer.name changed type from String! to String."], []),
        (("  kind: CustomerKind!\n", ""), ["Field Customer.kind was removed."], []),
        (("  INDIVIDUAL\n", ""), ["Enum value CustomerKind.INDIVIDUAL was removed."], []),
        (("  INDIVIDUAL\n", "  INDIVIDUAL\n  CLUB\n"), [], ["Enum value CustomerKind.CLUB was added."]),
        (
            ("search: String", "search: Int"),
            ["Argument Query.customers(search:) has changed type from String to Int."],
            [],
        ),
        (("  kind: CustomerKind!\n", "  kind: CustomerKind!\n  more: Int\n"), [], []),
    ],
)  # fmt: skip
def test_what_is_compared(change: tuple[str, str], breaking: list[str], dangerous: list[str]) -> None:
    before = """
type Query { customers(search: String): Customer }
type Customer {
  name: String!
  kind: CustomerKind!
}
enum CustomerKind {
  CORPORATE
  INDIVIDUAL
}"""
    assert before.count(change[0]) == 1
    old, new = build_schema(before), build_schema(before.replace(*change))
    assert [item.description for item in find_breaking_changes(old, new)] == breaking
    assert [item.description for item in find_dangerous_changes(old, new)] == dangerous


def test_what_is_deprecated_says_until_when_it_stays() -> None:
    assert undated(CURRENT) == []
    example = """
type Query {
  a(b: Int @deprecated(reason: "Use c."), c: Int): Kind @deprecated(reason: "Until 2027-04-01: use d.")
  d: Kind
}
enum Kind { E @deprecated F }"""
    assert undated(build_schema(example)) == ["Query.a(b)", "Kind.E"]
