"""``/graphql``: operations over HTTP, as server-sent events and over WebSocket, and the GraphiQL page for browsers."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

import orjson
import strawberry
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import process_result
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import SubscriptionExecutionResult
from strawberry.types.graphql import OperationType

from db.engine import DatabaseUnavailableError
from resolvers.access import Caller, NotSignedInError
from resolvers.identity import IdentityUnavailableError
from resolvers.operations import Operations
from resolvers.services import Services
from resolvers.tokens import sign_in
from schema import wire
from schema.context import Context
from schema.errors import presented
from schema.graphiql import page
from schema.operations import Asked
from schema.rates import Rates, too_often
from schema.websocket import TextAdapter, TransportHandler
from schema.wire import Parameters, WireError

CONNECTION_INIT_MAX = timedelta(seconds=10)
"""A WebSocket is closed when its client has not said connection_init by then."""


class GraphQLEndpoint(GraphQL[Context, None]):
    """Answers by the GraphQL over HTTP draft; strawberry's own view speaks WebSocket and writes the event stream.

    Pages of other origins may open a WebSocket only if CORS admits them.
    """

    websocket_adapter_class = TextAdapter
    graphql_transport_ws_handler_class = TransportHandler
    stream_transport_classes_by_protocol = {GRAPHQL_SSE_PROTOCOL: wire.EventStream}  # noqa: RUF012 # inherited

    def __init__(self, schema: strawberry.Schema, services: Services, graphiql: Mapping[str, Any]) -> None:
        settings = services.settings
        super().__init__(
            schema,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL),
            connection_init_wait_timeout=CONNECTION_INIT_MAX,
            max_subscriptions_per_connection=settings.operations_per_websocket_max,
            allowed_origins=settings.origins,
        )
        self.message_bytes_max = settings.request_bytes_max
        self.asked = Asked(Operations(services.database), persisted_only=settings.operations == "persisted")
        self.rates = Rates(settings)
        self._services = services
        self._graphiql = graphiql

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; whatever it is, the answer is JSON, events or the page."""
        if scope["type"] == "websocket":
            await self.run(WebSocket(scope, receive, send))
            return
        request = Request(scope, wire.limited(receive, self.message_bytes_max))
        kinds = [wire.JSON]
        try:
            kinds = wire.accepted(request)
            response = await self._answer(request, kinds)
        except WireError as error:
            response = wire.refused(error, kinds[0])
        except Exception as error:  # noqa: BLE001 # a crash before GraphQL began is presented as one within it
            crash = presented(GraphQLError(str(error), original_error=error))
            response = wire.refused(WireError(500, crash.message, **(crash.extensions or {})), kinds[0])
        response.headers.add_vary_header("Accept")
        is_small = len(response.body) < wire.COMPRESS_MIN if hasattr(response, "body") else True  # streams have none
        await (response if is_small else wire.compressed(response))(scope, receive, send)

    async def _answer(self, request: Request, kinds: list[str]) -> Response:
        # Only browsers that open the page ask for HTML; tools send ``*/*``.
        if wire.HTML in kinds and request.method == "GET" and "query" not in request.query_params:
            return page(self._graphiql)  # anew each time: compression changes a response's headers
        asked = await wire.parameters_of(request, self._services.settings.body_seconds_max)
        try:
            asked.query = await self.asked.document(asked.query, asked.document_id, asked.extensions)
        except GraphQLError as error:
            if (error.extensions or {}).get("code") == "BAD_REQUEST":
                raise WireError(400, error.message) from None
            return _answered({"errors": [error.formatted]}, kinds)
        context = await self.context_for(request.headers.get("authorization"))
        context.extensions = asked.extensions or {}
        if seconds := await self.seconds_to_wait(context, request):
            message, extensions = too_often(seconds)
            raise WireError(429, message, headers={"Retry-After": str(seconds)}, **extensions)
        if kinds[0] == wire.EVENTS:
            return await self._events(request, asked, context)
        try:
            result = await self.schema.execute(
                **_operation(request, asked, context), operation_extensions=asked.extensions
            )
        except InvalidOperationTypeError as error:
            if error.operation_type is OperationType.SUBSCRIPTION and wire.EVENTS in kinds:
                return await self._events(request, asked, context)
            raise _not_answered(error.operation_type) from None
        content = process_result(result)
        if result.data is None and all(error.path is None for error in result.errors or ()):
            content.pop("data")  # it never began to run: a request error
        return _answered(content, kinds)

    async def _events(self, request: Request, asked: Parameters, context: Context) -> Response:
        results = await self.schema.stream(**_operation(request, asked, context), operation_extensions=asked.extensions)
        sub_response = await self.get_sub_response(request)
        streamed = cast("SubscriptionExecutionResult", results)
        return await self._create_streaming_response(request, streamed, "sse", sub_response)

    async def seconds_to_wait(self, context: Context, connection: Request | WebSocket) -> int:
        """Count an operation of a caller; 0 where it may run."""
        return await self.rates.seconds_to_wait(context.token_id, connection.client.host if connection.client else "")

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        """The context of a WebSocket; its operations ask for one each."""
        return Context(self._services, None)

    async def context_for(self, authorization: str | None) -> Context:
        """A context for one operation, with its caller."""
        try:
            await self._services.refresh_clock()
            return Context(self._services, await self._caller(authorization))
        except (NotSignedInError, IdentityUnavailableError, DatabaseUnavailableError) as failure:
            return Context(self._services, None, failure)

    async def _caller(self, header: str | None) -> Caller | None:
        if header is None:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise NotSignedInError("The Authorization header must be: Bearer <token>.")
        return await sign_in(self._services, token.strip())

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)


def _operation(request: Request, asked: Parameters, context: Context) -> dict[str, Any]:
    """What the schema is to run: anything by POST, and no mutation by GET."""
    allowed = {OperationType.QUERY, OperationType.SUBSCRIPTION}
    return {
        "query": asked.query,
        "variable_values": asked.variables,
        "context_value": context,
        "operation_name": asked.operation_name,
        "allowed_operation_types": allowed if request.method == "GET" else allowed | {OperationType.MUTATION},
    }


def _answered(content: Any, kinds: list[str]) -> Response:
    kind = next((kind for kind in kinds if kind in {wire.RESPONSE, wire.JSON}), wire.JSON)
    status = 200  # by the draft, clients of application/json learn of request errors from the content alone
    if kind == wire.RESPONSE and "data" not in content:
        status = 503 if content["errors"][0]["extensions"]["code"] in {"TIMEOUT", "UNAVAILABLE"} else 400
    return wire.answer(content, kind, status)


def _not_answered(kind: OperationType) -> WireError:
    if kind is OperationType.SUBSCRIPTION:
        return WireError(400, "A subscription needs Accept: text/event-stream, or a WebSocket")
    return WireError(405, "A mutation needs POST", "METHOD_NOT_ALLOWED", {"Allow": "POST"})
