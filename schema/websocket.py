"""GraphQL over WebSocket by graphql-transport-ws: text frames, limits, and a context for each operation."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any, cast

import orjson
from graphql import GraphQLError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import NonJsonMessageReceived, NonTextMessageReceived, WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
    SubscribeMessage,
)

from schema.context import Context
from schema.rates import too_often

TOO_LARGE = 1009
"""The close code for a message that is too big, of RFC 6455."""

REASON_BYTES_MAX = 123
"""A frame of control has at most 125 bytes, two of which are the code (RFC 6455, 5.5)."""


class TextAdapter(ASGIWebSocketAdapter):
    """Messages as JSON objects in text frames, none larger than the body of a request may be."""

    ws: WebSocket

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        """The client's messages until it leaves."""
        bytes_max: int = self.view.message_bytes_max  # type: ignore[attr-defined] # our own endpoint
        while self.ws.application_state is not WebSocketState.DISCONNECTED:
            try:
                text = await self.ws.receive_text()
            except WebSocketDisconnect:
                return
            except KeyError:
                raise NonTextMessageReceived from None
            if len(text.encode()) > bytes_max:
                await self.ws.close(TOO_LARGE, f"A message has at most {bytes_max} bytes")
                return
            yield self._parsed(text)

    async def close(self, code: int, reason: str) -> None:
        """Close the connection; a reason repeats what the client has sent, which may be longer than one may be."""
        await super().close(code, reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore"))

    def _parsed(self, text: str) -> dict[str, Any]:
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise NonJsonMessageReceived from None
        if not isinstance(message, dict):
            raise NonJsonMessageReceived
        return message

    async def send_json(self, message: Mapping[str, object]) -> None:
        """Send a message; as text, since clients parse no binary frames."""
        if self.ws.application_state is WebSocketState.DISCONNECTED:
            raise WebSocketDisconnected
        try:
            await self.ws.send_text(self.view.encode_json_string(message))
        except WebSocketDisconnect:
            raise WebSocketDisconnected from None


class TransportHandler(BaseGraphQLTransportWSHandler[Context, None]):
    """One connection. Its token is the one of ``connection_init``, or else the handshake's."""

    authorization: str | None = None

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self._payloads: dict[str, dict[str, Any]] = {}

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        """Take the token; a bad one is refused by the operations that need it, as over HTTP."""
        payload = message.get("payload")
        for name, value in payload.items() if isinstance(payload, dict) else ():
            if name.lower() == "authorization":
                self.authorization = str(value)
        await super().handle_connection_init(message)

    async def handle_message(self, message: Message) -> None:
        """Close the connection where a message has not the protocol's form."""
        if isinstance(message.get("id", ""), str):
            await super().handle_message(message)
        else:
            await self.handle_invalid_message("A message's id must be a string")

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Start an operation, unless it is malformed or one too many."""
        if not _is_request(message.get("payload")):
            await self.handle_invalid_message("The payload must be an object as over HTTP")
            return
        operations_max = self.max_subscriptions_per_connection
        if operations_max is not None and len(self.operations) >= operations_max:
            extensions = {"code": "TOO_MANY_OPERATIONS", "operationsMax": operations_max, "retryable": True}
            error = GraphQLError(f"At most {operations_max} operations run on a connection.", extensions=extensions)
            await self.send_message({"id": message["id"], "type": "error", "payload": [error.formatted]})
            return
        payload = cast("dict[str, Any]", message["payload"])
        payload.setdefault("query", None)
        self._payloads[message["id"]] = payload
        await super().handle_subscribe(message)

    async def run_operation(self, operation: Operation[Context, None]) -> None:
        """Run an operation in a context of its own: loaders remember what they read, and tokens end."""
        payload = self._payloads.pop(operation.id)
        try:
            operation.query = await self.view.asked.document(  # type: ignore[attr-defined] # our own endpoint
                payload["query"], payload.get("documentId"), payload.get("extensions")
            )
        except GraphQLError as error:
            await operation.send_initial_errors([error])
            return
        websocket = cast("TextAdapter", self.websocket).ws
        authorization = self.authorization or websocket.headers.get("authorization")
        endpoint = cast("Any", self.view)
        context: Context = await endpoint.context_for(authorization)
        context.extensions = payload.get("extensions") or {}
        if seconds := await endpoint.seconds_to_wait(context, websocket):
            message, extensions = too_often(seconds)
            await operation.send_initial_errors([GraphQLError(message, extensions=extensions)])
            return
        # Nothing may be awaited between this and the run, which reads the attribute: others run at the same time.
        self.context = context
        await super().run_operation(operation)

    async def cleanup_operation(self, operation_id: str) -> None:
        """Forget an operation, which may not have begun."""
        self._payloads.pop(operation_id, None)
        await super().cleanup_operation(operation_id)

    async def handle_task_exception(self, error: Exception) -> None:
        """Log what went wrong in an operation; a client that left is nothing wrong."""
        if not isinstance(error, WebSocketDisconnected):
            await super().handle_task_exception(error)


def _is_request(payload: object) -> bool:
    return (
        isinstance(payload, dict)
        and all(isinstance(payload.get(name), str | None) for name in ("query", "operationName", "documentId"))
        and all(isinstance(payload.get(name), dict | None) for name in ("variables", "extensions"))
        and bool({"query", "documentId", "extensions"} & set(payload))
    )
