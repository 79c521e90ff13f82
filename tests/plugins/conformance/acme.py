"""A small ticketing tool that nobody has, and a plugin for it that keeps every promise: broken ones are made of it."""

import hashlib
import hmac
import json
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote

import httpx
import nh3
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from plugins.base import TicketMetadata
from plugins.conformance.pretend import Call, Event, Operation, PretendNote, PretendTicket, PretendVendor, Webhook
from plugins.exceptions import ConfigurationError, TicketRefusedError
from plugins.fields import Address, HeaderToken
from plugins.http import HttpPlugin
from plugins.oauth import AccessToken, TokenAuth
from plugins.parsing import normalise_priority, number_id, time_or
from plugins.payload import received_at, settings_of, signed_bytes
from plugins.rendering import html_to_text
from plugins.rendering.html import to_html
from plugins.sightings import Sightings
from plugins.signatures import hmac_sha256, matches_any, static_digest
from plugins.types import EventKind, PostedNote, Priority, TenantSettings, TicketContext

MAX_NOTE_BYTES = 20_000
PAGE = 50
PRIORITIES: Mapping[str, Priority] = {"high": "high", "normal": "medium", "low": "low"}


class AcmeConnection(BaseModel):
    """What an operator gives."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    base_url: Address
    api_token: HeaderToken | None = None
    """Or, in its place, a client that may ask for tokens:"""
    client_secret: SecretStr | None = None


class AcmePlugin(HttpPlugin):
    """Keeps every promise."""

    __tool_type__ = "acme"
    connection_model = AcmeConnection

    signature_schemes = frozenset({"hmac", "header"})

    def signature_from(self, headers: Mapping[str, str], settings: TenantSettings) -> str:
        if settings.signature_scheme != "header":
            return super().signature_from(headers, settings)
        secret = headers.get("x-secret", "")
        return static_digest(secret) if secret else ""

    async def validate_webhook(self, payload: dict[str, Any], signature: str) -> bool:
        scheme = settings_of(payload).signature_scheme
        if scheme == "header":
            return await self.static_secret_matches(payload, signature)
        accepted = await self.webhook_secrets(payload) if scheme in (None, "hmac") else ()
        return matches_any(accepted, lambda secret: signed(secret, self.what_is_signed(payload)), signature)

    def what_is_signed(self, payload: dict[str, Any]) -> bytes:
        return signed_bytes(payload)

    def extract_metadata(self, payload: dict[str, Any]) -> TicketMetadata:
        description = payload.get("description")
        return TicketMetadata(
            tenant_id=payload.get("tenant_id"),  # type: ignore[arg-type]  # TicketMetadata refuses what is no text
            ticket_id=number_id(payload.get("ticket_id"), "ticket_id", "ticket"),
            description=description if isinstance(description, str) else "",
            priority=normalise_priority(payload.get("priority"), settings_of(payload), PRIORITIES),
            created_at=time_or(payload.get("created_at"), received_at(payload), "created_at"),
        )

    def event_kind(self, payload: dict[str, Any]) -> EventKind:
        kinds = {"created": EventKind.CREATED, "resolved": EventKind.RESOLVED}
        return kinds.get(str(payload.get("event")), EventKind.OTHER)

    async def get_ticket(self, tenant_id: str, ticket_id: str) -> dict[str, Any] | None:
        response = await self.ask(tenant_id, "GET", number_id(ticket_id, "ticket_id", "ticket"))
        return None if response.status_code == 404 else self.body(response)

    def describe(self, ticket: dict[str, Any], metadata: TicketMetadata) -> TicketContext:
        text = ticket.get("description")
        given = html_to_text(text) if isinstance(text, str) else metadata.description
        return super().describe(ticket, metadata).model_copy(update={"description": given[:2_000]})

    async def post_note(self, tenant_id: str, ticket_id: str, content: str) -> PostedNote | None:
        number = number_id(ticket_id, "ticket_id", "ticket")
        note = {"html": self.html(content), "private": True}
        response = await self.ask(tenant_id, "POST", f"{number}/notes", json_body=note)
        if response.status_code == 404:
            return None
        if response.status_code == 409:
            raise TicketRefusedError("acme refuses the note: the ticket is closed")
        posted = self.body(response)
        return PostedNote(private=posted.get("private"), note_id=str(posted.get("id")))

    def html(self, content: str) -> str:
        return to_html(content, limit=MAX_NOTE_BYTES)

    async def find_notes(self, tenant_id: str, ticket_id: str, ref: str) -> Sightings | None:
        seen = Sightings((await self.tenant(tenant_id)).settings.own_account_id, ref)
        number, page = number_id(ticket_id, "ticket_id", "ticket"), 1
        while not (seen.settled or seen.complete):
            response = await self.ask(tenant_id, "GET", f"{number}/notes", params={"page": str(page)})
            notes = [] if response.status_code == 404 else self.body(response)["notes"]
            for each in notes:
                if ref in each["html"]:
                    text = html_to_text(each["html"])
                    seen.add(text, private=each["private"], note_id=each["id"], author=each["author"])
            seen.complete = self.is_last(notes)
            page += 1
        return seen

    def is_last(self, notes: Sequence[Any]) -> bool:
        return len(notes) < PAGE

    async def remove_note(self, tenant_id: str, ticket_id: str, posted: PostedNote) -> bool:
        number = number_id(ticket_id, "ticket_id", "ticket")
        response = await self.ask(tenant_id, "DELETE", f"{number}/notes/{quote(str(posted.note_id))}")
        return response.status_code in (204, 404)

    async def recent_tickets(self, tenant_id: str, since: datetime) -> AsyncIterator[dict[str, Any]]:
        params = {"since": since.isoformat()}
        while True:
            page = self.body(await self.ask(tenant_id, "GET", "", params=params))
            for ticket in page["tickets"]:
                yield self.announced(tenant_id, ticket)
            if page["next"] is None:
                return
            params["after"] = page["next"]

    def announced(self, tenant_id: str, ticket: Mapping[str, Any]) -> dict[str, Any]:
        return {"tenant_id": tenant_id, "event": "created", "ticket_id": ticket["id"]}

    async def ask(self, tenant_id: str, method: str, path: str, **more: Any) -> httpx.Response:
        connection = await self.connection(tenant_id, AcmeConnection)

        async def token(refused: str | None) -> str:
            if connection.api_token is not None:
                return connection.api_token.get_secret_value()
            return await self.token(tenant_id, connection, refused)

        auth = TokenAuth(token, refuses=lambda answer: answer.status_code == 401 and connection.api_token is None)
        address = f"{connection.base_url}/api/tickets" + (f"/{path}" if path else "")
        return await self.send(tenant_id, method, address, auth=auth, **more)

    async def token(self, tenant_id: str, connection: AcmeConnection, refused: str | None) -> str:
        if connection.client_secret is None:
            raise ConfigurationError(f"tenant {tenant_id}: api_token or client_secret: give one of them")
        secret = connection.client_secret.get_secret_value()

        async def ask() -> AccessToken:
            form = {"grant_type": "client_credentials", "client_secret": secret}
            return await self.access_token(tenant_id, f"{connection.base_url}/token", form=form, address="base_url")

        return await self.tokens.get(tenant_id, (connection.base_url, secret), ask, refused=refused)

    def body(self, response: httpx.Response) -> dict[str, Any]:
        if not response.is_success:
            self.refuse(response)
        return self.json_object(response)


def signed(secret: str, body: bytes) -> str:
    """As Acme signs."""
    return "sha256=" + hmac_sha256(secret, body).hex()


class AcmeAccount(BaseModel):
    """An account of the pretend tool."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    oauth: bool = False
    credential: str = Field(default_factory=lambda: secrets.token_urlsafe(18), min_length=1)


class PretendAcme(PretendVendor):
    """The tool."""

    title = "Acme"
    tool_type = "acme"
    account_model: ClassVar[type[BaseModel]] = AcmeAccount
    editions: ClassVar[Mapping[str, Mapping[str, Any]]] = {"token": {}, "oauth": {"oauth": True}}
    events: ClassVar[frozenset[Event]] = frozenset({"created", "resolved", "noted"})
    ticket_path = "/tickets/{id}"

    def operations(self) -> Sequence[Operation]:
        ticket = "/api/tickets/{id}"
        return [
            Operation("token", "POST", "/token", self._token, public=True),
            Operation("list_tickets", "GET", "/api/tickets", self._list_tickets),
            Operation("get_ticket", "GET", ticket, self._get),
            Operation("post_note", "POST", f"{ticket}/notes", self._post),
            Operation("list_notes", "GET", f"{ticket}/notes", self._list),
            Operation("retract_note", "DELETE", f"{ticket}/notes/{{note}}", self._delete),
        ]

    def credential(self, fields: Mapping[str, Any]) -> str:
        return f"{fields['oauth']} {fields['credential']}"

    def presented(self, request: Request) -> str | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return self.tokens.credential(token) or f"False {token}"

    def connection(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {"base_url": self.origin, "client_secret" if fields["oauth"] else "api_token": fields["credential"]}

    def new_account_id(self) -> str:
        return str(self.next_number())

    def new_ticket_id(self, fields: Mapping[str, Any]) -> str:
        return str(self.next_number())

    def refusal(self, status: int) -> Response:
        return JSONResponse({"error": f"refused with {status}"}, status_code=status)

    async def _token(self, call: Call) -> Response:
        credential = f"True {dict(parse_qsl(call.body.decode())).get('client_secret')}"
        if self.account_of(credential) is None:
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        return JSONResponse({"access_token": self.tokens.issue(credential), "expires_in": 600})

    async def _get(self, call: Call) -> Response:
        ticket = self.tickets.get(call.parameter("id"))
        return JSONResponse(_ticket(ticket)) if ticket else self.refusal(404)

    async def _list_tickets(self, call: Call) -> Response:
        query = call.request.query_params
        since, after, skip = datetime.fromisoformat(query["since"]), query.get("after", ""), int(query.get("skip", "0"))
        tickets = sorted(self.tickets.values(), key=_place)
        left = [ticket for ticket in tickets if ticket.created_at >= since and _place(ticket) > after][skip:]
        more = _place(left[PAGE - 1]) if len(left) > PAGE else None
        return JSONResponse({"tickets": [_ticket(ticket) for ticket in left[:PAGE]], "next": more})

    async def _post(self, call: Call) -> Response:
        ticket = self.tickets.get(call.parameter("id"))
        if ticket is None or ticket.closed:
            return self.refusal(409 if ticket else 404)
        given = json.loads(call.body)
        html = nh3.clean(str(given["html"])).encode()[:MAX_NOTE_BYTES].decode(errors="ignore")
        note = self.store_note(call, ticket, html, private=given.get("private") is True)
        return JSONResponse(_note(note), status_code=201)

    async def _list(self, call: Call) -> Response:
        ticket = self.tickets.get(call.parameter("id"))
        begin = (int(call.request.query_params.get("page", "1")) - 1) * PAGE
        notes = [_note(note) for note in reversed(ticket.notes)] if ticket else []
        return JSONResponse({"notes": notes[begin : begin + PAGE]}) if ticket else self.refusal(404)

    async def _delete(self, call: Call) -> Response:
        ticket = self.tickets.get(call.parameter("id"))
        for note in ticket.notes if ticket else ():
            if ticket and note.id == call.parameter("note"):
                ticket.notes.remove(note)
                return Response(status_code=204)
        return self.refusal(404)

    def webhook_body(self, event: Event, ticket: PretendTicket, webhook: Webhook) -> dict[str, Any]:
        return {
            **({"tenant_id": webhook.tenant_id} if webhook.tenant_id else {}),
            "event": event,
            "ticket_id": int(ticket.id),
            "description": ticket.description,
            "priority": ticket.priority,
            "created_at": _iso(ticket.created_at),
            "updated_at": _iso(ticket.updated_at),
        }

    def webhook_headers(self, raw: bytes, webhook: Webhook) -> dict[str, str]:
        if webhook.scheme == "header":
            return {"X-Secret": webhook.secret}
        return {"X-Signature": "sha256=" + hmac.new(webhook.secret.encode(), raw, hashlib.sha256).hexdigest()}

    def covers_body(self, scheme: str | None) -> bool:
        return scheme != "header"


def _ticket(ticket: PretendTicket) -> dict[str, Any]:
    return {"id": int(ticket.id), "description": escape(ticket.description), "status": ticket.status}


def _place(ticket: PretendTicket) -> str:
    return f"{ticket.created_at.isoformat(timespec='microseconds')} {ticket.id}"


def _note(note: PretendNote) -> dict[str, Any]:
    return {"id": note.id, "html": note.body, "private": note.private, "author": note.author}


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
