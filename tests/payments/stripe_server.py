"""The part of Stripe's API that payments use, as Stripe documents it, over real sockets."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Answer = tuple[int, dict[str, Any]]

DROP_BEFORE = "the connection breaks before anything is done"
DROP_AFTER = "it is done, then the connection breaks"
SILENT = "it is done, and never answered"


@dataclass(frozen=True)
class Fault:
    """What a request is answered with. If it is ``stored``, the work is done, and its key is answered so for ever."""

    status: int
    body: bytes
    stored: bool = False


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: str
    query: dict[str, str]

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body, keep_blank_values=True))

    @property
    def key(self) -> str | None:
        return self.headers.get("idempotency-key")


@dataclass
class StripeServer:
    """What Stripe remembers, and how it is to misbehave."""

    address: str = ""
    received: list[Received] = field(default_factory=list)
    faults: deque[str | Fault | None] = field(default_factory=deque)
    """For the next requests, in order; None: nothing is wrong with that one."""
    intents: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, tuple[str, str, int, bytes]] = field(default_factory=dict)
    search_is_late: bool = False

    @property
    def calls(self) -> list[str]:
        """Methods and paths, in order."""
        return [f"{request.method} {request.path}" for request in self.received]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _read(reader)) is not None:
                self.received.append(request)
                fault = self.faults.popleft() if self.faults else None
                if fault == DROP_BEFORE:
                    break
                status, body, headers = self._answer(request, fault if isinstance(fault, Fault) else None)
                if fault == DROP_AFTER:
                    break
                if fault == SILENT:
                    await reader.read()
                    break
                writer.write(_encoded(status, body, headers))
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    def _answer(self, request: Received, fault: Fault | None) -> tuple[int, bytes, dict[str, str]]:
        if request.key in self.keys and request.method == "POST":
            path, body, status, answer = self.keys[request.key]
            if (path, body) != (request.path, request.body):
                mismatch = {
                    "type": "idempotency_error",
                    "message": "Keys for idempotent requests can only be used once.",
                }
                return 400, json.dumps({"error": mismatch}).encode(), {}
            return status, answer, {"Idempotent-Replayed": "true", "Stripe-Should-Retry": "false"}
        if fault is not None and not fault.stored:
            return fault.status, fault.body, {}
        status, content = self._done(request)
        answer = json.dumps(content).encode()
        if fault is not None:
            status, answer = fault.status, fault.body
        # Requests that are not valid are not remembered.
        if request.method == "POST" and request.key is not None and status not in {400, 404}:
            self.keys[request.key] = request.path, request.body, status, answer
        return status, answer, {"Stripe-Should-Retry": "false"} if fault is not None else {}

    def _done(self, request: Received) -> Answer:  # noqa: PLR0911 # one for each thing that Stripe can do
        match (request.method, *request.path.removeprefix("/v1/").split("/")):
            case ("POST", "payment_intents"):
                return self._create(request.form)
            case ("GET", "payment_intents", "search"):
                return 200, {"object": "search_result", "data": self._found(request.query["query"]), "has_more": False}
            case ("GET", "payment_intents", reference) if reference in self.intents:
                return 200, self.intents[reference]
            case ("POST", "payment_intents", reference, "cancel") if reference in self.intents:
                return self._cancel(self.intents[reference])
            case ("POST", "refunds"):
                return self._refund(request.form)
            case ("GET", "refunds"):
                wanted = request.query["payment_intent"]
                data = [refund for refund in self.refunds.values() if refund["payment_intent"] == wanted]
                return 200, {"object": "list", "data": data, "has_more": False, "url": "/v1/refunds"}
        return _invalid(404, "resource_missing", "intent")

    def _create(self, form: dict[str, str]) -> Answer:
        amount = int(form["amount"])
        if amount < 50:
            return _invalid(400, "amount_too_small", "amount")
        reference = f"pi_{len(self.intents) + 1}"
        card = form.get("payment_method")
        status = {
            None: "requires_payment_method",
            "pm_card_visa": "succeeded",
            "pm_card_visa_chargeDeclined": "requires_payment_method",
            "pm_card_authenticationRequired": "requires_action",
            "pm_slow": "processing",
        }[card]
        declined = card == "pm_card_visa_chargeDeclined"
        error = {
            "charge": "ch_1",
            "code": "card_declined",
            "decline_code": "stolen_card",
            "doc_url": "https://stripe.com/docs/error-codes/card-declined",
            "message": "Your card was declined.",
            "type": "card_error",
        }
        intent: dict[str, Any] = {
            "id": reference,
            "object": "payment_intent",
            "amount": amount,
            "amount_received": amount if status == "succeeded" else 0,
            "client_secret": f"{reference}_secret_abc",
            "currency": form["currency"],
            "description": form["description"],
            "last_payment_error": error if declined else None,
            "metadata": {"payment_id": form["metadata[payment_id]"]},
            "payment_method_types": ["card"],
            "status": status,
        }
        self.intents[reference] = intent
        return (402, {"error": {**error, "payment_intent": intent}}) if declined else (200, intent)

    def _found(self, query: str) -> list[dict[str, Any]]:
        name, _, value = query.partition(":")
        assert name == "metadata['payment_id']"
        # Metadata is found whatever the case of its letters.
        wanted = value[1:-1].replace("\\'", "'").lower()
        all_found = [intent for intent in self.intents.values() if intent["metadata"]["payment_id"].lower() == wanted]
        # Found objects may be older than the truth.
        return [] if self.search_is_late else [{**intent, "status": "processing"} for intent in all_found]

    def _cancel(self, intent: dict[str, Any]) -> Answer:
        if intent["status"] in {"succeeded", "canceled"}:
            return _invalid(400, "payment_intent_unexpected_state", "intent")
        intent["status"] = "canceled"
        return 200, intent

    def _refund(self, form: dict[str, str]) -> Answer:
        intent = self.intents[form["payment_intent"]]
        paid_back = sum(r["amount"] for r in self.refunds.values() if r["payment_intent"] == intent["id"])
        if paid_back + int(form["amount"]) > intent["amount_received"]:
            return _invalid(400, "charge_already_refunded", "amount")
        reference = f"re_{len(self.refunds) + 1}"
        self.refunds[reference] = {
            "id": reference,
            "object": "refund",
            "amount": int(form["amount"]),
            "metadata": {"refund_id": form["metadata[refund_id]"]},
            "payment_intent": intent["id"],
            "status": "succeeded",
        }
        return 200, self.refunds[reference]


def _invalid(status: int, code: str, param: str) -> Answer:
    return status, {"error": {"type": "invalid_request_error", "code": code, "param": param, "message": f"No: {param}"}}


async def _read(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    url = urlsplit(target)
    return Received(method, url.path, headers, body.decode(), dict(parse_qsl(url.query)))


def _encoded(status: int, body: bytes, headers: dict[str, str]) -> bytes:
    all_headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Request-Id": "req_1",
        **headers,
    }
    lines = [f"HTTP/1.1 {status} Something", *(f"{name}: {value}" for name, value in all_headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body


@asynccontextmanager
async def stripe_server() -> AsyncIterator[StripeServer]:
    """A server on a free port."""
    stripe = StripeServer()
    server = await asyncio.start_server(stripe.serve, "127.0.0.1", 0)
    stripe.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield stripe
