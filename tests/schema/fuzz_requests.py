"""Requests for the fuzzer: valid documents, nearly valid ones, and what is wrong on the wire."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from urllib.parse import quote, urlencode

from graphql import GraphQLSchema

from domain.global_ids import global_id
from tests.schema.fuzz_values import BORDER_IDS, BORDER_TEXTS, CUSTOMERS, Known, Value, Values, written
from tests.schema.queries import Queries

JSON = "application/json"
RESPONSE = "application/graphql-response+json"
EVENTS = "text/event-stream"
CALLERS = {"a": 30, "b": 30, "sales": 18, "operator": 14, "nobody": 4, "stranger": 4}
"""Who asks how often: owners of both customers, the vendor's people, no token, and a token that is none."""
ADDRESS_LENGTH_MAX = 5_000
"""Before it is encoded; clients send none that is much longer."""
TOKENS = re.compile(r'"(?:\\.|[^"\\])*"|\.\.\.|[$@]?\w+|[^\s\w]')


@dataclass(frozen=True)
class Asked:
    """A request. ``carried`` is all text that it has, before any encoding: what an answer may repeat."""

    kind: str
    caller: str
    method: str
    address: str
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""
    carried: str = ""

    def __str__(self) -> str:
        content = self.content if len(self.content) < 5_000 else self.content[:5_000] + b"..."
        return f"{self.kind} by {self.caller}: {self.method} {self.address} {self.headers}\n{content!r}"


@dataclass
class Parameters:
    """What a request of GraphQL has."""

    query: str
    variables: dict[str, Value] = field(default_factory=dict)
    operation_name: str | None = None
    extensions: dict[str, Value] = field(default_factory=dict)
    kind: str = "query"

    def as_json(self, *, is_ascii: bool = True) -> str:
        """The body; with characters as they are where ``is_ascii`` is off."""
        parts = {"query": json.dumps(self.query, ensure_ascii=is_ascii)}
        if self.variables:
            parts["variables"] = written(self.variables, in_json=True)
        if self.operation_name is not None:
            parts["operationName"] = json.dumps(self.operation_name)
        if self.extensions:
            parts["extensions"] = written(self.extensions, in_json=True)
        return "{" + ", ".join(f'"{name}": {value}' for name, value in parts.items()) + "}"

    def as_address(self) -> str:
        """The parameters of a GET."""
        pairs = {"query": self.query, "variables": written(self.variables, in_json=True)}
        if self.operation_name is not None:
            pairs["operationName"] = self.operation_name
        return "/graphql?" + urlencode(pairs, errors="surrogatepass")


class Requests:
    """Makes requests; the same ones for the same random numbers, and the same things seen so far."""

    def __init__(self, schema: GraphQLSchema, known: Known, rng: Random) -> None:
        self._schema = schema
        self._known = known
        self._rng = rng

    def next(self, caller: str | None = None) -> Asked:
        """A request of any kind, by any caller where none is named."""
        rng = self._rng
        caller = caller or rng.choices(list(CALLERS), list(CALLERS.values()))[0]
        make = rng.choices([self._valid, self._nearly_valid, self._wrong], [62, 18, 20])[0]
        return make(caller)

    # Documents

    def _document(self, caller: str, *, marks: bool = True) -> Parameters:
        rng = self._rng
        kind = rng.choices(["query", "mutation", "subscription"], [50, 47, 3])[0]
        names = ["Q"[: rng.random() < 0.5]] if rng.random() < 0.85 else ["A", "B", "C"][: rng.randint(2, 3)]
        own = caller if caller in CUSTOMERS else None
        texts: list[str] = []
        given: dict[str, Value] = {}
        for name in names:
            # Whatever runs, words that only queries may have are not in a document that also changes something.
            values = Values(rng, self._known, own, kind == "query", marks)
            values.given = dict.fromkeys(given)  # names of variables go on
            queries = Queries(self._schema, rng, values.literal, rng.choice((8, 25, 40)), values.likely)
            texts.append(queries.operation(kind, name, rng.randint(2, 6), values.declarations, self._roots(kind)))
            given |= {name: value for name, value in values.given.items() if name not in given}
        named = rng.choice(names) if len(names) > 1 or rng.random() < 0.5 else None
        if rng.random() < 0.02:
            named = rng.choice(["", "Nothing", "\0", "\ud800", "A" * 3_000])
        extensions: dict[str, Value] = {"cost": True} if rng.random() < 0.1 else {}
        return Parameters("\n".join(texts), given, named or None, extensions, kind)

    def _roots(self, kind: str) -> list[str]:
        """What an operation asks for: little at a time mostly, because one refusal makes an answer of nothing."""
        rng = self._rng
        if kind == "subscription":
            return ["recommendationSearch"]
        if kind == "mutation":
            assert self._schema.mutation_type is not None
            return rng.sample(list(self._schema.mutation_type.fields), rng.choice((1, 1, 2)))
        assert self._schema.query_type is not None
        names = [*self._schema.query_type.fields, "node", "node", "node", "customer", "customer", "customer"]
        return rng.sample(names, rng.choice((0, 1, 1, 1, 2)))

    def _valid(self, caller: str) -> Asked:
        return self._sent("valid", caller, self._document(caller))

    def _nearly_valid(self, caller: str) -> Asked:
        """A document in which some tokens are lost, doubled, swapped or others: marks may end up anywhere."""
        rng = self._rng
        asked = self._document(caller, marks=False)
        tokens = TOKENS.findall(asked.query)
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            place = rng.randrange(len(tokens))
            # With one of the same kind: more of these can be parsed.
            alike = [
                number for number, token in enumerate(tokens) if token[:1].isalpha() == tokens[place][:1].isalpha()
            ]
            other = rng.choice(alike)
            match rng.randrange(5):
                case 0:
                    tokens[place] = ""
                case 1:
                    tokens[place] += f" {tokens[place]}"
                case 2:
                    tokens[place], tokens[other] = tokens[other], tokens[place]
                case 3:
                    tokens[place] = rng.choice(
                        ["{", "}", "null", "...", "$", "@skip", "on", "1", '"', '"""', "\0", "é"]
                    )
                case _:
                    tokens[place] = tokens[place][: len(tokens[place]) // 2]
        asked.query = " ".join(tokens)
        return self._sent("nearly valid", caller, asked)

    def _sent(self, kind: str, caller: str, asked: Parameters) -> Asked:
        rng = self._rng
        accept = EVENTS if asked.kind == "subscription" else rng.choice((JSON, RESPONSE, RESPONSE, "*/*"))
        if rng.random() < 0.04:
            accept = rng.choice((EVENTS, f"{RESPONSE}, {EVENTS}", JSON))
        carried = " ".join((asked.query, json.dumps(asked.variables, ensure_ascii=False), asked.operation_name or ""))
        if len(carried) < ADDRESS_LENGTH_MAX and rng.random() < (0.1 if asked.kind == "query" else 0.01):
            return Asked(kind, caller, "GET", asked.as_address(), {"Accept": accept}, b"", carried)
        content = asked.as_json(is_ascii=rng.random() < 0.7).encode("utf-8", "surrogatepass")
        return Asked(kind, caller, "POST", "/graphql", {"Accept": accept, "Content-Type": JSON}, content, carried)

    # The wire

    def _wrong(self, caller: str) -> Asked:
        weights: dict[Callable[[str], Asked], int] = {
            self._body: 5,
            self._parameters: 4,
            self._nested: 3,
            self._http: 4,
            self._get: 3,
            self._persisted: 2,
            self._elsewhere: 2,
        }
        return self._rng.choices(list(weights), list(weights.values()))[0](caller)

    def _posted(self, caller: str, content: bytes | str, **headers: str) -> Asked:
        raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        accept = self._rng.choice((JSON, RESPONSE))
        given = {"Content-Type": JSON, "Accept": accept} | {key.replace("_", "-"): headers[key] for key in headers}
        # Escapes are undone only where they can be: carried text is to be compared with answers.
        return Asked("wrong", caller, "POST", "/graphql", given, raw, raw.decode("utf-8", "replace"))

    def _body(self, caller: str) -> Asked:
        """Bodies that are no JSON, or no object."""
        rng = self._rng
        good = self._document(caller).as_json().encode()
        cut = rng.randrange(len(good))
        bodies = [
            b"",
            b"null",
            b"[]",
            b"[" + good + b"]",
            b"[" + good + b"," + good + b"]",
            good + good,
            good[:cut],
            good[:cut] + bytes([rng.randrange(256)]) + good[cut + 1 :],
            b"\xef\xbb\xbf" + good,
            good.decode().encode("utf-16"),
            b"\xff\xfe" + good,
            b"[" * rng.choice((100, 1_500, 100_000)),
            b'{"a":' * rng.choice((100, 1_500, 100_000)),
            b'"' + b"x" * rng.choice((100, 1_000_001)) + b'"',
            b"NaN",
            b"{'query': '{__typename}'}",
            b'{"query": "{ __typename }", "query": 7}',
        ]
        return self._posted(caller, rng.choice(bodies))

    def _parameters(self, caller: str) -> Asked:
        """Parameters of wrong types, or with odd texts."""
        rng = self._rng
        values = [
            "null",
            "7",
            "true",
            '""',
            '"x"',
            "[]",
            "{}",
            '{"a": [null, 1e999]}',
            "[[]]",
            "1" * 5_000,
            '"\\ud800"',
        ]
        values += [json.dumps(rng.choice(BORDER_TEXTS))]
        given = {"query": '"query A($a: Int) { __typename }"'}
        for name in ("query", "variables", "operationName", "extensions", "documentId", "id", "\\u0000"):
            if rng.random() < 0.35:
                given[name] = rng.choice(values)
        return self._posted(caller, "{" + ", ".join(f'"{name}": {value}' for name, value in given.items()) + "}")

    def _nested(self, caller: str) -> Asked:
        """Documents and variables that are nested deeper, or longer, than anybody asks."""
        rng = self._rng
        depth = rng.choice((20, 150, 249, 330, 490, 3_000, 50_000))
        documents = [
            "{a" * depth,
            "{a" * depth + "}" * depth,
            "{customer{mainContract{" * depth + "x" + "}}}" * depth,
            "{...{" * depth + "__typename" + "}}" * depth,
            "{node(id: " + "[" * depth + "]" * depth + "){id}}",
            "{node(id: " + "{a:" * depth + "1" + "}" * depth + "){id}}",
            "query($v: " + "[" * depth + "Int" + "]" * depth + "){__typename}",
            "{__typename" + "@skip(if:false)" * depth + "}",
            "{" + "__typename " * depth + "}",
            "{" + " ".join(f"...F{n}" for n in range(depth)) + "}",
            "{...A} fragment A on Query {...B} fragment B on Query {...A}",
            " ".join(f"fragment F{n} on Query {{...F{n + 1}}}" for n in range(depth)) + "{...F0}",
            " ".join(f"query Q{n} {{__typename}}" for n in range(depth)),
            "#" * depth + "\n{__typename}",
            '{node(id: """' + '\\"""' * depth + '"""){id}}',
            "query(" + " ".join(f"$v{n}: Int" for n in range(depth)) + "){__typename}",
            "{node(id: " + "9" * depth + "){id}}",
            "{taxRates{basisPoints}} type Query {a: Int}",
            "subscription {recommendationSearch(input: {}) {gap} __typename}",
            "{" + "\u00e9" * depth + "}",
        ]
        if rng.random() < 0.2:
            value = rng.choice(("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth, "9" * depth))
            types = ("ID", "[ID!]", "Int", "RecommendInput", "AccountStatus", "Date", "DateTime")
            query = f"query($v: {rng.choice(types)}) {{ __typename @skip(if: $v) customer(id: $v) {{ id }} }}"
            return self._posted(caller, f'{{"query": {json.dumps(query)}, "variables": {{"v": {value}}}}}')
        return self._posted(caller, json.dumps({"query": rng.choice(documents)}))

    def _http(self, caller: str) -> Asked:
        """Methods, content types and accepted types that are not ours."""
        rng = self._rng
        asked = self._posted(caller, self._document(caller).as_json())
        headers = dict(asked.headers)
        odd = ["", "x", "/", ";", "text/plain", "application/graphql", "multipart/form-data", f"{JSON}; charset=utf-16"]
        odd += [f"{JSON}; charset=", f'{JSON}; charset="utf-8"', f"{JSON};;;", "a" * 5_000, "text/html", "*/*;q=x", "é"]
        odd += ["application/x-www-form-urlencoded", "*/*;q=0", "*/*;q=nan", f"{JSON};q=1e999", "text/*", "," * 300]
        for name in ("Content-Type", "Accept", "Content-Encoding", "Origin", "X-Request-Id", "traceparent", "Cookie"):
            if rng.random() < 0.4:
                headers[name] = rng.choice(odd)
        method = rng.choice(
            ("POST", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "FOO", "GET")
        )
        return Asked("wrong", caller, method, asked.address, headers, asked.content, asked.carried)

    def _get(self, caller: str) -> Asked:
        """A GET with odd parameters."""
        rng = self._rng
        values = ["", "null", "7", "[]", "{", '{"a": 1}', "[" * 3_000, "1" * 5_000, *BORDER_TEXTS[:-2]]
        pairs = [("query", rng.choice(("{ __typename }", "{ customer { name } }", self._document(caller).query)))]
        names = ("query", "variables", "operationName", "extensions", "documentId", "x")
        pairs += [(name, rng.choice(values)) for name in names if rng.random() < 0.3]
        rng.shuffle(pairs)
        address = "/graphql?" + urlencode(pairs, errors="surrogatepass")
        address += rng.choice(
            ("", "", "&", "&=&", "&query=%ff%fe", "&variables=%", "&extensions=%7B%22cost%22%3Atrue%7D")
        )
        headers = {"Accept": rng.choice((JSON, RESPONSE, "text/html", f"text/html, {EVENTS}", EVENTS))}
        return Asked("wrong", caller, "GET", address, headers, b"", " ".join(value for _, value in pairs))

    def _persisted(self, caller: str) -> Asked:
        """Ids of persisted operations."""
        rng = self._rng
        query = "{ viewer { role } }"
        right = hashlib.sha256(query.encode()).hexdigest()
        ids = [right, right.upper(), "sha256:" + right, "sha256:", "sha256:sha256:x", "0" * 64, *BORDER_TEXTS]
        id_: Value = rng.choice(ids)
        version = rng.choice(("1", "2", "null", '"1"', "true", "1.0"))
        parts = [f'"query": {json.dumps(query)}'] if rng.random() < 0.5 else []
        if rng.random() < 0.5:
            parts.append(f'"documentId": {json.dumps(id_)}')
        else:
            parts.append(
                f'"extensions": {{"persistedQuery": {{"version": {version}, "sha256Hash": {json.dumps(id_)}}}}}'
            )
        return self._posted(caller, "{" + ", ".join(parts) + "}")

    def _elsewhere(self, caller: str) -> Asked:
        """The paths beside GraphQL."""
        rng = self._rng
        ids = [global_id(kind, rng.randint(1, 12)) for kind in ("Document", "Quote", "Customer")] * 4
        pdf = quote(rng.choice([*ids, *BORDER_IDS]), errors="surrogatepass")
        paths = [f"/documents/{pdf}.pdf"] * 6 + [
            f"/documents/{pdf}.pdf?language={language}" for language in ("EN", "", "X")
        ]
        paths += ["/healthz", "/readyz", "/graphql/", "/graphiql/..%2f..%2fsettings.py", "/graphiql/%00", "/%ff", "//"]
        if rng.random() < 0.2:
            body = rng.choice((b"", b"{}", b'{"type": "x"}', b"\xff", b"[" * 100_000))
            headers = {
                "webhook-id": "x",
                "webhook-timestamp": rng.choice(("0", "x", "9" * 30)),
                "webhook-signature": "v1,x",
            }
            return Asked(
                "elsewhere", caller, "POST", "/payments/webhook", headers, body, body.decode("utf-8", "replace")
            )
        path = rng.choice(paths)
        return Asked("elsewhere", caller, "GET", path, {}, b"", path)
