"""What is served beside GraphQL: the payment provider's events, and documents as PDF."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from db.engine import DatabaseUnavailableError
from documents.pdf import pdf
from documents.texts import Language
from domain.documents import Document
from domain.global_ids import parse_id
from payments.provider import ProviderRefusedError, ProviderUnavailableError, SignatureInvalidError
from resolvers import purchase_reads, quotes
from resolvers.access import AccessError, Caller
from resolvers.payments import receive_event
from resolvers.services import Services
from schema.context import Context
from schema.requests import note
from schema.wire import WireError, limited

Endpoint = Callable[[Request], Awaitable[Response]]


def payment_events(services: Services) -> Endpoint:
    """Takes in the payment provider's events; what it is not told was settled, it sends again."""

    async def answer(request: Request) -> Response:
        received = Request(request.scope, limited(request.receive, services.settings.request_bytes_max))
        try:
            await services.refresh_clock()
            is_ours = await receive_event(services, await received.body(), request.headers)
        except SignatureInvalidError:
            return _text("not signed by the payment provider", 400)
        except LookupError:
            return _text("no payments by card here", 404)
        except WireError as error:
            return _text(str(error), error.status)
        except (ProviderUnavailableError, ProviderRefusedError, DatabaseUnavailableError):
            return _text("try again later", 503)
        return _text("settled" if is_ours else "not ours", 200)

    return answer


def document_pdfs(services: Services, context_for: Callable[[str | None], Awaitable[Context]]) -> Endpoint:
    """Invoices, credit notes and quotes as PDF, by their global ids, for whoever may see them."""

    async def answer(request: Request) -> Response:
        language = Language.__members__.get(request.query_params.get("language", "JA"))
        try:
            context = await context_for(request.headers.get("authorization"))
            note(customer_id=context.customer_id)
            caller = context.caller
            found = await _document(services, caller, request.path_params["id"])
        except AccessError as error:
            return _text(str(error), 401 if error.code == "NOT_SIGNED_IN" else 403)
        except DatabaseUnavailableError:
            return _text("try again later", 503)
        if found is None:
            return _text("There is no such document.", 404)
        if language is None:
            return _text(f"The language is {' or '.join(Language)}.", 400)
        content = await asyncio.to_thread(pdf, found, language)
        name = {"content-disposition": f'inline; filename="{found.number}.pdf"'}
        return Response(content, media_type="application/pdf", headers=name)

    return answer


async def _document(services: Services, caller: Caller | None, text: str) -> Document | None:
    """The document or quote with a global id, where the caller may see it."""
    try:
        type_name, key = parse_id(text)
    except ValueError:
        type_name, key = "", 0
    if type_name == "Quote":
        quote = await quotes.quote(services, caller, key)
        return quote.document if quote else None
    found = await purchase_reads.document(services, caller, key if type_name == "Document" else 0)
    return found.document if found else None


def _text(message: str, status_code: int) -> Response:
    return PlainTextResponse(f"{message}\n", status_code=status_code)
