"""The control API under `/_pretend`: what tests, the demo and the bench do to a pretend ticketing tool."""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from plugins.conformance.pretend.faults import Fault
from plugins.conformance.pretend.model import Event, PretendTicket, Webhook

if TYPE_CHECKING:
    from plugins.conformance.pretend.vendor import PretendVendor

ModelT = TypeVar("ModelT", bound=BaseModel)


class ControlError(Exception):
    """The control API refuses. The message names the field."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def control_error(_request: Request, error: Exception) -> Response:
    """What a `ControlError` looks like over HTTP."""
    return JSONResponse({"error": str(error)}, status_code=error.status if isinstance(error, ControlError) else 500)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class _WebhookBody(_Body):
    url: str = Field(pattern=r"^https?://")
    secret: str = Field(min_length=1)
    tenant_id: str | None = None
    scheme: str | None = None


class _ResolveBody(_Body):
    resolution: str
    announce: bool = True


class _DeliveryQuery(_Body):
    event: Event = "created"


def control_routes(vendor: "PretendVendor") -> list[Route]:
    """The routes of the control API of one vendor."""
    return _Control(vendor).routes()


class _Control:
    def __init__(self, vendor: "PretendVendor") -> None:
        self.vendor = vendor

    def routes(self) -> list[Route]:
        def route(method: str, path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
            return Route(f"/_pretend{path}", endpoint, methods=[method])

        return [
            route("POST", "/accounts", self.add_account),
            route("GET", "/editions", self.editions),
            route("DELETE", "/tokens", self.expire_tokens),
            route("PUT", "/webhook", self.set_webhook),
            route("POST", "/tickets", self.add_ticket),
            route("GET", "/tickets", self.list_tickets),
            route("POST", "/tickets/{id}/resolve", self.resolve),
            route("POST", "/tickets/{id}/close", self.close),
            route("GET", "/tickets/{id}/delivery", self.delivery),
            route("POST", "/faults", self.add_fault),
            route("DELETE", "/faults", self.clear_faults),
            route("GET", "/log", self.log),
        ]

    async def add_account(self, request: Request) -> Response:
        fields = await _read(request, self.vendor.account_model)
        account = self.vendor.add_account(fields.model_dump())
        return JSONResponse({"account_id": account.id, "connection": dict(account.connection)}, status_code=201)

    async def editions(self, _request: Request) -> Response:
        return JSONResponse({name: dict(fields) for name, fields in self.vendor.editions.items()})

    async def expire_tokens(self, _request: Request) -> Response:
        self.vendor.tokens.expire()
        return Response(status_code=204)

    async def set_webhook(self, request: Request) -> Response:
        fields = await _read(request, _WebhookBody)
        self.vendor.webhook = Webhook(**fields.model_dump())
        return Response(status_code=204)

    async def add_ticket(self, request: Request) -> Response:
        fields = await _read(request, self.vendor.ticket_model)
        ticket = self.vendor.add_ticket(fields.model_dump())
        announced = await self._announce(ticket, "created", wanted=fields.announce)
        return JSONResponse(
            {"ticket_id": ticket.id, "url": self.vendor.ticket_url(ticket.id), "announced": announced}, status_code=201
        )

    async def list_tickets(self, _request: Request) -> Response:
        return JSONResponse({"tickets": [ticket.public_view() for ticket in self.vendor.tickets.values()]})

    async def resolve(self, request: Request) -> Response:
        ticket = self._ticket(request)
        fields = await _read(request, _ResolveBody)
        self.vendor.resolve(ticket, fields.resolution)
        announced = await self._announce(ticket, "resolved", wanted=fields.announce)
        return JSONResponse({"ticket_id": ticket.id, "announced": announced})

    async def close(self, request: Request) -> Response:
        self.vendor.close(self._ticket(request))
        return Response(status_code=204)

    async def delivery(self, request: Request) -> Response:
        ticket = self._ticket(request)
        query = _checked(_DeliveryQuery, dict(request.query_params))
        delivery = self.vendor.delivery_of(ticket.id, query.event)
        return JSONResponse(
            {
                "method": delivery.method,
                "url": delivery.url,
                "headers": delivery.headers,
                "body_base64": base64.b64encode(delivery.body).decode(),
            }
        )

    async def add_fault(self, request: Request) -> Response:
        self.vendor.faults.add(await _read(request, Fault))
        return Response(status_code=204)

    async def clear_faults(self, _request: Request) -> Response:
        self.vendor.faults.clear()
        return Response(status_code=204)

    async def log(self, _request: Request) -> Response:
        return JSONResponse([entry.public_view() for entry in self.vendor.log])

    def _ticket(self, request: Request) -> PretendTicket:
        ticket = self.vendor.tickets.get(request.path_params["id"])
        if ticket is None:
            raise ControlError(404, "id: no such ticket")
        return ticket

    async def _announce(self, ticket: PretendTicket, event: Event, *, wanted: bool) -> int | None:
        return await self.vendor.announce(ticket, event) if wanted else None


async def _read(request: Request, model: type[ModelT]) -> ModelT:
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise ControlError(422, "body: is not JSON") from None
    return _checked(model, body)


def _checked(model: type[ModelT], body: object) -> ModelT:
    try:
        return model.model_validate(body)
    except pydantic.ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise ControlError(422, f"{where}: {reason}" if where else reason) from None
