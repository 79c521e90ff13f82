"""The base of the pretend ticketing tools: accounts, tickets, faults and the log. A subclass supplies the vendor.

A `PretendVendor` is an ASGI application to be served by uvicorn: the vendor's API, the control API under `/_pretend`
(`plugins.conformance.pretend.control`) and a read-only page. A subclass must refuse what the real vendor refuses (wrong
authentication, media type, a note that does not ask for privacy comes out public): a conformance test is worth as much
as the pretend tool is strict.
"""

import asyncio
import copy
import hashlib
import json
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar

import httpx
from pydantic import BaseModel, ConfigDict
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from plugins.conformance.pretend.control import ControlError, control_error, control_routes
from plugins.conformance.pretend.faults import Fault, Faults, OperationName, close_unanswered, hung_up_within
from plugins.conformance.pretend.model import Delivery, Event, LogEntry, PretendNote, PretendTicket, Webhook, now
from plugins.conformance.pretend.page import render_page
from plugins.conformance.pretend.tokens import Tokens

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
LOG_LENGTH = 10_000
ANNOUNCE_TIMEOUT = 30.0
"""Seconds that an announcement waits for the receiver's answer."""
SESSION_COOKIE = "pretend-session"

_LOGIN_PAGE = "<!doctype html><title>Log in</title><h1>Log in</h1><form><input name=user></form>"


class NewTicket(BaseModel):
    """What `POST /_pretend/tickets` takes. A subclass of `PretendVendor` may ask for more."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    subject: str = "VPN drops"
    description: str = "Every ten minutes."
    priority: str | None = None
    """The vendor's own name for it; `None` leaves it out, as a vendor with a hidden field does."""
    requester: str = "Robin Example"
    announce: bool = True


@dataclass(frozen=True, slots=True)
class Account:
    """An account that the vendor knows."""

    id: str
    """The vendor's id for it."""
    fields: Mapping[str, Any] = field(repr=False)
    """What it was made from: the fields of `account_model`."""
    connection: Mapping[str, Any] = field(repr=False)
    """The fields of the plugin's `connection_model` that connect as this account."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the vendor's API by an account that it knows."""

    request: Request
    body: bytes
    caller: Account
    fault: Fault | None = None

    @property
    def account(self) -> str:
        """The vendor's id of the account that called."""
        return self.caller.id

    def parameter(self, name: str) -> str:
        """A parameter of the route's path."""
        return str(self.request.path_params[name])


Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One route of the vendor's API, and which operation faults and log know it by."""

    name: OperationName
    method: str
    path: str
    handler: Handler
    public: bool = False
    """Whether it is called without authentication, as an address that gives tokens out is. `Call.caller` is then
    `NOBODY`."""


NOBODY = Account("nobody", MappingProxyType({}), MappingProxyType({}))


class PretendVendor(ABC):
    """One pretend ticketing tool: an ASGI application for uvicorn."""

    title: ClassVar[str]
    """The product's name, on the page."""
    tool_type: ClassVar[str]
    """The plugin's tool type."""
    account_model: ClassVar[type[BaseModel]]
    """What `POST /_pretend/accounts` takes. Every field needs a default, credentials a fresh one each time."""
    editions: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType({"default": MappingProxyType({})})
    """Each way of connecting, by name, as the fields of `account_model` that make an account connect that way."""
    ticket_fields: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType({})
    """What tickets need in an edition beyond the defaults, as fields of `ticket_model`."""
    events: ClassVar[frozenset[Event]] = frozenset({"created"})
    """What its webhooks can tell."""
    credential_headers: ClassVar[tuple[str, ...]] = ("authorization",)
    """The request headers (lower case) that hold credentials: two requests that differ in them are not the same."""
    ticket_model: ClassVar[type[NewTicket]] = NewTicket
    ticket_path: ClassVar[str]
    """Where a technician would open a ticket, with `{id}` in it."""
    open_status: ClassVar[str] = "Open"
    resolved_status: ClassVar[str] = "Resolved"
    closed_status: ClassVar[str] = "Closed"

    def __init__(self, origin: str) -> None:
        """`origin` is the address it is served at, without a slash at the end: vendors put it into their bodies."""
        self.origin = origin
        self.tickets: dict[str, PretendTicket] = {}
        self.webhook: Webhook | None = None
        self.faults = Faults()
        self.tokens = Tokens()
        """Access tokens that were given out, where the vendor does that."""
        self.log: deque[LogEntry] = deque(maxlen=LOG_LENGTH)
        self.running = 0
        """Requests to the vendor's API whose work is not over."""
        self._changed = asyncio.Condition()
        self._accounts: dict[str, Account] = {}
        self._snapshots: dict[tuple[str, Event], PretendTicket] = {}
        self._requests = 0
        self._numbers = 10_000
        self._app = self._build()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI)."""
        # The `drop` fault needs the server's own send, before Starlette wraps it.
        scope["deskhand.send"] = send
        await self._app(scope, receive, send)

    # What a subclass supplies.

    @abstractmethod
    def operations(self) -> Sequence[Operation]:
        """The vendor's API."""

    @abstractmethod
    def credential(self, fields: Mapping[str, Any]) -> str:
        """What requests of an account with these fields (of `account_model`) present; see `presented`."""

    @abstractmethod
    def presented(self, request: Request) -> str | None:
        """The credential that a request presents, in the form of `credential`; `None` if there is none."""

    @abstractmethod
    def new_account_id(self) -> str:
        """The vendor's id for one more account."""

    @abstractmethod
    def new_ticket_id(self, fields: Mapping[str, Any]) -> str:
        """The vendor's id for one more ticket with these fields (of `ticket_model`)."""

    @abstractmethod
    def refusal(self, status: int) -> Response:
        """The vendor's answer of this status (300 to 599), in the vendor's own shape of body."""

    @abstractmethod
    def webhook_body(self, event: Event, ticket: PretendTicket, webhook: Webhook) -> Mapping[str, Any]:
        """What the webhook says of the event. `ticket` is as it was at the event.

        It depends on nothing but the arguments and the origin: each delivery of an event has the same body. Of the
        event `noted`, the note is the ticket's last, and its author is who caused the event.
        """

    @abstractmethod
    def webhook_headers(self, raw: bytes, webhook: Webhook) -> dict[str, str]:
        """The headers of a webhook call with this body: whatever shows that it is authentic, ids fresh per call."""

    # What a subclass may change.

    def connection(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of the plugin's `connection_model` that connect as the account made from these fields.

        Default: the same fields, and `base_url`.
        """
        return {"base_url": self.origin, **fields}

    def covers_body(self, scheme: str | None) -> bool:
        """Whether what `webhook_headers` says under this scheme depends on the body. Default: yes.

        Where the secret itself is sent, it does not, and nobody can tell a changed body from the true one.
        """
        del scheme
        return True

    # Help for subclasses.

    def next_number(self) -> int:
        """A number that this vendor has not used: for ids."""
        self._numbers += 1
        return self._numbers

    def store_note(
        self,
        call: Call,
        ticket: PretendTicket,
        body: str | dict[str, Any],
        *,
        private: bool,
        extra: Mapping[str, Any] | None = None,
    ) -> PretendNote:
        """Store a note by the caller, as the fault on the call has it. The reply is made from what is returned."""
        kind = call.fault.kind if call.fault else None
        note = self._note(call, body, private and kind != "public", extra)
        if kind != "lose":
            self._keep(ticket, note)
            ticket.updated_at = note.created_at
            self._remember("noted", ticket)
        if kind == "double":
            self._keep(ticket, self._note(call, body, private, extra))
        return note

    @staticmethod
    def _keep(ticket: PretendTicket, note: PretendNote) -> None:
        ticket.notes.append(note)
        ticket.noted[note.id] = note.created_at

    def _note(
        self, call: Call, body: str | dict[str, Any], private: bool, extra: Mapping[str, Any] | None
    ) -> PretendNote:
        return PretendNote(str(self.next_number()), body, private, call.account, now(), dict(extra or {}))

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait for something that requests to the vendor's API bring about, without asking again and again."""
        async with self._changed:
            await self._changed.wait_for(reached)

    # What the control API does.

    def add_account(self, fields: Mapping[str, Any] | None = None) -> Account:
        """Accept an account with these fields (of `account_model`) from now on; the known one for known credentials."""
        account = self.account_model.model_validate(fields or {}).model_dump()
        credential = self.credential(account)
        known = self._accounts.get(credential)
        made = Account(known.id if known else self.new_account_id(), account, self.connection(account))
        self._accounts[credential] = made
        return made

    def account_of(self, credential: str) -> Account | None:
        """The account with this credential, in the form of `credential`."""
        return self._accounts.get(credential)

    def add_ticket(self, fields: Mapping[str, Any] | None = None) -> PretendTicket:
        """Create a ticket from the fields of `ticket_model`."""
        fields = self.ticket_model.model_validate(fields or {}).model_dump()
        moment = now()
        ticket = PretendTicket(
            id=self.new_ticket_id(fields),
            subject=fields["subject"],
            description=fields["description"],
            priority=fields["priority"],
            requester=fields["requester"],
            created_at=moment,
            updated_at=moment,
            status=self.open_status,
        )
        self.tickets[ticket.id] = ticket
        self._remember("created", ticket)
        return ticket

    def resolve(self, ticket: PretendTicket, resolution: str) -> None:
        """Mark a ticket as resolved, with what solved it."""
        ticket.status = self.resolved_status
        ticket.resolution = resolution
        ticket.resolved_at = ticket.updated_at = now()
        self._remember("resolved", ticket)

    def close(self, ticket: PretendTicket) -> None:
        """Close a ticket: it takes no more notes."""
        ticket.status = self.closed_status
        ticket.closed = True
        ticket.updated_at = now()

    def _remember(self, event: Event, ticket: PretendTicket) -> None:
        """Keep the ticket as it is at the event, so that every delivery of the event has the same body."""
        self._snapshots[ticket.id, event] = copy.deepcopy(ticket)

    def delivery_of(self, ticket_id: str, event: Event) -> Delivery:
        """The webhook call for an event of a ticket.

        Raises:
            ControlError: no webhook is set, or the event has not happened.
        """
        if self.webhook is None:
            raise ControlError(409, "webhook: none is set; PUT /_pretend/webhook first")
        snapshot = self._snapshots.get((ticket_id, event))
        if snapshot is None:
            raise ControlError(409, f"event: this ticket was not {event}")
        return self.delivery(event, snapshot, self.webhook)

    def delivery(self, event: Event, ticket: PretendTicket, webhook: Webhook) -> Delivery:
        """The webhook call that tells of an event of the ticket, as it was then."""
        body = self.webhook_body(event, ticket, webhook)
        return self.signed(json.dumps(body, ensure_ascii=False).encode(), webhook)

    def signed(self, raw: bytes, webhook: Webhook) -> Delivery:
        """The webhook call with this body, however it is written."""
        headers = {"Content-Type": "application/json", **self.webhook_headers(raw, webhook)}
        return Delivery(webhook.url, headers, raw)

    async def announce(self, ticket: PretendTicket, event: Event) -> int | None:
        """Call the webhook; the status answered, `None` without a webhook or an answer."""
        if self.webhook is None:
            return None
        delivery = self.delivery_of(ticket.id, event)
        async with httpx.AsyncClient(trust_env=False, timeout=ANNOUNCE_TIMEOUT) as client:
            try:
                answer = await client.request(
                    delivery.method, delivery.url, headers=delivery.headers, content=delivery.body
                )
            except httpx.HTTPError:
                return None
        return answer.status_code

    def ticket_url(self, ticket_id: str) -> str:
        """Where a technician would open the ticket."""
        return self.origin + self.ticket_path.replace("{id}", ticket_id)

    # Serving.

    def _build(self) -> Starlette:
        nowhere = Operation("other", "", "/{path:path}", self._nowhere)
        routes = [Route(op.path, self._endpoint(op), methods=[op.method]) for op in self.operations()]
        return Starlette(
            routes=[
                Route("/", self._page, methods=["GET"]),
                Route(self.ticket_path, self._page, methods=["GET"]),
                *control_routes(self),
                *routes,
                Route(nowhere.path, self._endpoint(nowhere), methods=METHODS),
            ],
            exception_handlers={ControlError: control_error},
        )

    async def _nowhere(self, call: Call) -> Response:
        del call
        return self.refusal(404)

    async def _page(self, request: Request) -> Response:
        wanted = request.path_params.get("id")
        tickets = [ticket for ticket in self.tickets.values() if wanted in (None, ticket.id)]
        page = render_page(self.title, self.ticket_path, tickets)
        return HTMLResponse(page, status_code=200 if tickets or wanted is None else 404)

    def _endpoint(self, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            await self._count(1)
            try:
                return await self._answer(operation, request)
            finally:
                await self._count(-1)

        return endpoint

    async def _count(self, change: int) -> None:
        async with self._changed:
            self.running += change
            self._changed.notify_all()

    async def _answer(self, operation: Operation, request: Request) -> Response:
        self._requests += 1
        account = NOBODY if operation.public else self._accounts.get(self.presented(request) or "")
        entry = LogEntry(
            self._requests,
            operation.name,
            request.method,
            request.url.path,
            account.id if account else None,
            dict(request.cookies),
            time.monotonic(),
        )
        self.log.append(entry)
        fault = self.faults.take(operation.name)
        entry.fault = fault.kind if fault else ""
        try:
            body = await request.body()
        except ClientDisconnect:
            _gone(entry)
            return Response()
        entry.digest = self._digest(request, body)
        if fault and fault.kind in ("slow", "late") and await self._hangs_up(request, entry, fault):
            return Response()
        response = await self._work(operation, request, body, account, fault)
        if fault and (fault.dropped or fault.kind == "drop"):
            entry.ended = time.monotonic()
            await close_unanswered(request)
            return response
        response.set_cookie(SESSION_COOKIE, account.id if account else NOBODY.id)
        if not entry.client_gone:
            entry.status = response.status_code
            entry.ended = time.monotonic()
        return response

    def _digest(self, request: Request, body: bytes) -> str:
        """Tells requests apart by all that the vendor acts on. A hash, since the log is open to everybody."""
        credentials = [request.headers.get(name, "") for name in self.credential_headers]
        parts = (request.method, str(request.url), *credentials, body.hex())
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    async def _hangs_up(self, request: Request, entry: LogEntry, fault: Fault) -> bool:
        """Wait as the fault says. True if the client hung up and the work is not to be done."""
        began = time.monotonic()
        if await hung_up_within(request, fault.seconds):
            _gone(entry)
            if fault.kind == "slow":
                return True
            await asyncio.sleep(max(0.0, began + fault.seconds - time.monotonic()))
        return False

    async def _work(
        self, operation: Operation, request: Request, body: bytes, account: Account | None, fault: Fault | None
    ) -> Response:
        if fault and fault.kind == "status" and fault.status is not None:
            response = self.refusal(fault.status)
            response.headers.update(fault.headers)
            return response
        if fault and fault.kind == "garbage":
            return HTMLResponse(_LOGIN_PAGE)
        if account is None:
            return self.refusal(401)
        return await operation.handler(Call(request, body, account, fault))


def _gone(entry: LogEntry) -> None:
    entry.client_gone = True
    entry.ended = time.monotonic()
