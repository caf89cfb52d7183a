"""Values for the fuzzer: right ones, another customer's, made-up ones, and those at the border of every type.

Texts carry marks, so that they are known again in whatever answer: which customer's they are, and whether they are
about a person. Owners alone write texts with their own marks, so that nobody else's answers may ever have one.
"""

import json
from base64 import b64encode
from dataclasses import dataclass, field
from random import Random

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    is_required_input_field,
)

from domain.global_ids import global_id
from schema.relay import cursor

CUSTOMERS = ("a", "b")
HOUSE = {"a": "quetzal", "b": "xylophone"}
"""Marks of a customer's own texts: its name, its groups, keys and addresses."""
PERSON = {"a": "qpersona", "b": "xpersona"}
"""Marks of names, addresses and ids of a customer's accounts."""

NODES = {
    "customerId": "Customer",
    "accountIds": "Account",
    "accountId": "Account",
    "groupId": "AccountGroup",
    "orderId": "SpotOrder",
    "purchaseId": "Purchase",
    "quoteId": "Quote",
    "recommendationId": "SavedRecommendation",
    "endpointId": "WebhookEndpoint",
}
TYPES = (*dict.fromkeys(NODES.values()), "CapacityFall", "ContractOrder", "Document", "MainContract")

BORDER_TEXTS = (
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "\udc00x",
    "\u202eabc",
    "\ufeff",
    "\u2028",
    "\uffff",
    "\x7f",
    "\xa0",
    "\r\n",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "\u0301" * 50,
    "\u0130\u00df\u017f",
    "\u0661\u0662\u0663",
    "\u05d0\u05d1\u0627",
    "'; DROP TABLE customers; --",
    '"\\',
    "%",
    "_%_",
    "{0.__class__}",
    "%s%n",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "null",
    "NaN",
    "1e999",
    "x" * 201,
    "x" * 900_000,
    "\U0001f600" * 3_000,
)
BORDER_INTS = (0, -1, 1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**63 - 1, 2**63, 10**30)
BORDER_FLOATS = ("0", "-0.0", "-1", "1e999", "-1e999", "1e308", "5e-324", "0.05", "0.049999", "30.0001", "1E2")
BORDER_DATES = (
    "2026-02-31",
    "2028-02-29",
    "2026-02-29",
    "9999-12-31",
    "0001-01-01",
    "10000-01-01",
    "0000-00-00",
    "2026-2-3",
    "20260410",
    "2026-W15-5",
    "\uff12026-04-10",
    "2026-04-10T00:00:00Z",
    "",
)
BORDER_INSTANTS = (
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00",
    "2026-04-10T12:00:00",
    "2026-04-10T24:00:00Z",
    "2026-12-31T23:59:60Z",
    "2026-04-10",
    "2026-04-10T12:00:00.123456789Z",
    "2026-04-10T12:00:00+99:99",
    "",
)
BORDER_IDS = (
    "",
    "x",
    "Q3VzdG9tZXI6MQ",
    " Q3VzdG9tZXI6MQ==",
    "\uff31",
    "\0",
    "\ud800",
    *(
        b64encode(text.encode()).decode()
        for text in ("Customer:0", "Customer:-1", "Customer:01", "Customer:1_0", "Customer:\u0661", "Customer:1:1", ":")
    ),
    *(b64encode(f"Account:{number}".encode()).decode() for number in (2**31 - 1, 2**31, 2**63, "9" * 5_000)),
    b64encode(b"\xff\xfe:1").decode(),
)
BORDER_CURSORS = (
    "",
    "x",
    cursor(1),
    cursor("x", 1),
    cursor("x\0", 1),
    cursor(2**31),
    cursor(-1),
    b64encode(b"cursor:" + b"[" * 5_000).decode(),
    b64encode(b'cursor:["\\ud800",1]').decode(),
    b64encode(b"cursor:[1e999]").decode(),
    b64encode(b"cursor:[true]").decode(),
    b64encode(b"cursor:{}").decode(),
    b64encode(b"cursor:[" + b"1" * 5_000 + b"]").decode(),
)
DAYS = ("2026-04-10", "2026-04-11", "2026-05-01", "2026-05-31", "2026-06-30", "2026-12-01", "2027-03-31", "2027-04-01")
RIGHT_NUMBERS: dict[str, tuple[int, ...]] = {
    "accounts": (100, 100, 100, 200, 300, 50),
    "months": (1, 1, 2, 3, 12),
    "units": (1, 1, 2, 5),
    "first": (1, 2, 3, 10),
    "expectedTotal": (5_500, 11_000, 16_500, 33_000),
    "amount": (5_500, 11_000, 1),
    "overlapSeconds": (0, 60, 86_400),
    "number": (1, 2, 3, 4, 5, 10),
    "basisPoints": (800, 1_000),
    "ordersMax": (1, 2, 5),
    "monthsMax": (1, 3, 12),
    "budget": (0, 5_000, 30_000),
}
RIGHT_TEXTS: dict[str, tuple[str, ...]] = {
    "planCode": ("STARTER", "STARTER", "STANDARD", "FREE", "starter"),
    "agreedTermsVersion": ("2026-04-01",) * 9 + ("2020-01-01",),
    "card": ("demo_approve", "demo_decline", "demo_timeout", "demo_later", "demo_action", "card"),
}


class Name(str):
    """An enumeration's value: a name in a document, a string in JSON."""

    __slots__ = ()


class Number(str):
    """A number as it is written, such as 1e999."""

    __slots__ = ()


Value = None | bool | int | str | list["Value"] | dict[str, "Value"]


def written(value: Value, *, in_json: bool = False) -> str:
    """A value as JSON, or in GraphQL's own notation; of ASCII alone, so that lone surrogates are escapes."""
    if isinstance(value, Name):
        return json.dumps(value) if in_json else str(value)
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(written(item, in_json=in_json) for item in value) + "]"
    if isinstance(value, dict):
        keys = (json.dumps(key) if in_json else key for key in value)
        items = (written(item, in_json=in_json) for item in value.values())
        return "{" + ", ".join(f"{key}: {item}" for key, item in zip(keys, items, strict=True)) + "}"
    return json.dumps(value)


@dataclass
class Known:
    """What callers have seen so far: each customer's ids by type, the latest last, and cursors."""

    ids: dict[str, dict[str, list[str]]] = field(default_factory=lambda: {customer: {} for customer in CUSTOMERS})
    cursors: list[str] = field(default_factory=list)
    right: dict[str, dict[str, list[dict[str, "Value"]]]] = field(default_factory=dict)
    """By customer and input type, fields that fit together: an order with its total."""
    days: tuple[str, ...] = DAYS
    """Days that things may begin on."""

    def learn(self, customer: str, type_name: str, key: str) -> None:
        """Keep an id that an answer had; the oldest one goes."""
        kept = self.ids[customer].setdefault(type_name, [])
        if key not in kept:
            kept.append(key)
            del kept[:-12]


@dataclass
class Values:
    """Values for one document. ``customer`` is the caller's own; ``marks`` is off where they may end up elsewhere.

    ``declared`` and ``given`` are the variables, as they are declared and sent.
    """

    rng: Random
    known: Known
    customer: str | None
    is_query: bool
    marks: bool = True
    declared: list[str] = field(default_factory=list)
    given: dict[str, Value] = field(default_factory=dict)
    named: str = ""

    def likely(self) -> str:
        """The type of what the last id names."""
        return self.named

    def declarations(self) -> list[str]:
        """The variables so far, as an operation declares them."""
        return self.declared

    def literal(self, _rng: Random, name: str, argument: GraphQLArgument) -> str | None:
        """An argument's value written out, or a variable with it."""
        kind, rng = argument.type, self.rng
        if not isinstance(kind, GraphQLNonNull) and rng.random() < 0.4:
            return None
        # Plans take time: fewer of them.
        if "RecommendInput" in str(kind) and rng.random() < 0.6:
            return None
        value = self.draw(kind, name, "")
        if rng.random() < 0.5:
            return written(value)
        variable = f"v{len(self.given) + 1}_{len(self.declared)}"
        roll = rng.random()
        default = f" = {written(value)}" if roll < 0.1 else ""
        self.declared.append(f"${variable}: {kind}{default}")
        if roll >= 0.05:
            self.given[variable] = value if roll < 0.95 else self.wrong()
        return f"${variable}"

    def wrong(self) -> Value:
        """A value of some other type."""
        nested = Number("[" * 400 + "]" * 400)
        wrong: list[Value] = [None, True, 7, "7", Number("1.5"), [], {}, {"a": 1}, [None], nested, Number("1" * 400)]
        return self.rng.choice(wrong)

    def draw(self, kind: GraphQLInputType, name: str, within: str) -> Value:
        """A value of a type, for an argument or a field of the input ``within``."""
        rng = self.rng
        roll = rng.random()
        if roll < 0.003:
            return self.wrong()
        if isinstance(kind, GraphQLNonNull):
            kind = kind.of_type
        elif roll < 0.1:
            return None
        if isinstance(kind, GraphQLList):
            return [self.draw(kind.of_type, name, within) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
        if isinstance(kind, GraphQLInputObjectType):
            return self._object(kind)
        if isinstance(kind, GraphQLEnumType):
            return Name(rng.choice(list(kind.values)) if rng.random() > 0.01 else "NOTHING")
        return self._id(name) if kind.name == "ID" else self._scalar(kind.name, name, within)

    def _object(self, kind: GraphQLInputObjectType) -> Value:
        rng = self.rng
        if kind.is_one_of:
            count = 1 if rng.random() > 0.03 else 2
            chosen = rng.sample(list(kind.fields), min(count, len(kind.fields)))
            # A null counts as given, so it is drawn as if it were required.
            return {name: self.draw(GraphQLNonNull(kind.fields[name].type), name, kind.name) for name in chosen}
        wanted = {
            name: about.type
            for name, about in kind.fields.items()
            # Left out, the seconds are two: too many for as many questions as there are.
            if is_required_input_field(about) or name == "seconds" or rng.random() < 0.5
        }
        if "customerId" in kind.fields and self.customer is None:  # everybody but owners has to name one
            wanted["customerId"] = GraphQLNonNull(kind.fields["customerId"].type)
        if rng.random() < 0.005 and wanted:
            wanted.pop(rng.choice(list(wanted)))
        found = {name: self.draw(type_, name, kind.name) for name, type_ in wanted.items()}
        right = self.known.right.get(self.customer or rng.choice(CUSTOMERS), {}).get(kind.name)
        return found | rng.choice(right[:3]) if right and rng.random() < 0.7 else found

    def _scalar(self, kind: str, name: str, within: str) -> Value:
        rng = self.rng
        is_border = rng.random() < 0.04
        if kind == "String":
            return self._text(name, within)
        if kind == "Boolean":
            return rng.random() < 0.5
        if kind == "Float":
            return Number(rng.choice(BORDER_FLOATS if is_border else ("0.05", "0.06", "0.1")))
        instants = tuple(f"{day}T{rng.randrange(24):02}:00:00Z" for day in DAYS)
        choices: dict[str, tuple[tuple[Value, ...], tuple[Value, ...]]] = {
            "Int": (BORDER_INTS, RIGHT_NUMBERS.get(name, (0, 1, 2, 30, 100, 5_000))),
            "Date": (BORDER_DATES, self.known.days),
            "DateTime": (BORDER_INSTANTS, instants),
        }
        border, right = choices[kind]
        values: tuple[Value, ...] = border if is_border else right
        return rng.choice(values)

    def _id(self, name: str) -> str:
        rng = self.rng
        self.named = type_name = NODES.get(name) or rng.choice(TYPES)
        roll = rng.random()
        if roll < 0.04:
            return rng.choice(BORDER_IDS)
        if roll < 0.07:
            type_name = rng.choice(TYPES)
        if roll < 0.15:
            return global_id(type_name, rng.randint(1, 30))
        whose = self.customer if self.customer and roll < (0.5 if name == "id" else 0.8) else rng.choice(CUSTOMERS)
        known = self.known.ids[whose].get(type_name) or [global_id(type_name, 1)]
        return rng.choice(known)

    def _text(self, name: str, within: str) -> str:
        rng = self.rng
        if rng.random() < 0.04:
            return rng.choice(BORDER_TEXTS)
        if name == "after":
            return rng.choice(BORDER_CURSORS if rng.random() < 0.3 or not self.known.cursors else self.known.cursors)
        if name == "csv":
            return self._accounts() if within == "AccountImportInput" else self._demand()
        if name in RIGHT_TEXTS:
            return rng.choice(RIGHT_TEXTS[name])
        word = self.word(PERSON if within == "NewAccountInput" and name != "groups" else HOUSE)
        if name == "email":
            return f"{word}@example.com"
        return f"https://{word}.example/hook" if name == "url" else word

    def word(self, marks: dict[str, str]) -> str:
        """A text with the caller's own mark, or without one; in queries, which store nothing, with anybody's."""
        rng = self.rng
        number = rng.randint(1, 60)
        roll = rng.random()
        if roll < 0.2 or not self.marks:
            return f"shared{number}"  # both customers have it: what is found by it must not be the other one's
        if self.is_query and roll < 0.6:
            return rng.choice([*HOUSE.values(), *PERSON.values()]) + str(number)
        return f"{marks[self.customer] if self.customer else 'neutral'}{number}"

    def _accounts(self) -> str:
        lines = ["externalId,name,email,groups"]
        for _ in range(self.rng.randint(0, 4)):
            who = self.word(PERSON)
            lines.append(f"{who},{who} san,{who}@example.com,{self.word(HOUSE)}|{self.word(HOUSE)}")
        if self.rng.random() < 0.3:
            lines[self.rng.randrange(len(lines))] = self.rng.choice(BORDER_TEXTS[:-2])
        return self.rng.choice(("\n", "\r\n", "\r")).join(lines)

    def _demand(self) -> str:
        rng = self.rng
        days = sorted(rng.sample(DAYS, 2))
        line = f"{days[0]},{days[1]},{rng.choice((50, 100, 150, 400))}"
        return line if rng.random() < 0.8 else line + "\n" + rng.choice((line, "x,y,z", "2026-02-31,,", "\0", '"'))
