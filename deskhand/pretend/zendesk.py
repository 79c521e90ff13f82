"""A pretend Zendesk: tickets, comments and signed webhooks as Zendesk Support has them, refusals included."""

import base64
import json
import re
import secrets
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any, ClassVar

import nh3
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from plugins.conformance.pretend.faults import OperationName
from plugins.conformance.pretend.model import Event, PretendNote, PretendTicket, Webhook
from plugins.conformance.pretend.vendor import Call, Operation, PretendVendor
from plugins.rendering import html_to_text
from plugins.zendesk.webhook import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

MAX_BODY_BYTES = 65_536
"""Zendesk cuts a comment here without a word."""

_PLACEHOLDER = re.compile(r"\{\{\s*([\w.]*).*?\}\}", re.DOTALL)
_TAG = re.compile(r"\{%.*?%\}", re.DOTALL)
_EVENTS: Mapping[Event, str] = {
    "created": "ticket.created",
    "resolved": "ticket.status_changed",
    "noted": "ticket.comment_added",
}
_REQUESTER_ID = 901
_AGENT_ID = 902


class ZendeskAccount(BaseModel):
    """An agent with an API token."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    email: str = Field(default="deskhand@acme.example", min_length=3)
    api_token: str = Field(default_factory=lambda: secrets.token_urlsafe(18), min_length=1)


class PretendZendesk(PretendVendor):
    """Zendesk Support.

    A webhook without `tenant_id` is subscribed to events: its body is Zendesk's own. With one it is connected to a
    trigger, whose flat body an admin wrote.
    """

    title: ClassVar[str] = "Zendesk"
    tool_type: ClassVar[str] = "zendesk"
    account_model: ClassVar[type[BaseModel]] = ZendeskAccount
    events: ClassVar[frozenset[Event]] = frozenset({"created", "resolved", "noted"})
    ticket_path: ClassVar[str] = "/agent/tickets/{id}"
    open_status: ClassVar[str] = "new"
    resolved_status: ClassVar[str] = "solved"
    closed_status: ClassVar[str] = "closed"

    def operations(self) -> Sequence[Operation]:
        """Every path works with and without `.json`."""

        def both(
            name: OperationName, method: str, path: str, handler: Callable[[Call], Awaitable[Response]]
        ) -> list[Operation]:
            return [Operation(name, method, f"/api/v2/{path}{suffix}", handler) for suffix in (".json", "")]

        return [
            *both("other", "GET", "users/me", self._me),
            *both("get_ticket", "GET", "tickets/{id}", self._get),
            *both("post_note", "PUT", "tickets/{id}", self._update),
            *both("list_notes", "GET", "tickets/{id}/comments", self._comments),
            *both("retract_note", "PUT", "tickets/{id}/comments/{comment}/make_private", self._make_private),
        ]

    def credential(self, fields: Mapping[str, Any]) -> str:
        """User name and password of Basic authentication."""
        return f"{fields['email']}/token:{fields['api_token']}"

    def presented(self, request: Request) -> str | None:
        """The same, out of the Authorization header. Nothing but Basic is known."""
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        try:
            return base64.b64decode(value, validate=True).decode() if kind.lower() == "basic" else None
        except ValueError:
            return None

    def new_account_id(self) -> str:
        """A user's number."""
        return str(self.next_number())

    def new_ticket_id(self, fields: Mapping[str, Any]) -> str:
        """A ticket's number."""
        del fields
        return str(self.next_number())

    def refusal(self, status: int) -> Response:
        """Zendesk's shapes: a code with a description, a title with a message, or, for 429, plain text."""
        match status:
            case 401:
                return JSONResponse({"error": "Couldn't authenticate you"}, status_code=401)
            case 404:
                return JSONResponse({"error": "RecordNotFound", "description": "Not found"}, status_code=404)
            case 409:
                words = "Safe Update prevented the update due to outdated ticket data"
                return JSONResponse({"error": "UpdateConflict", "description": words}, status_code=409)
            case 422:
                return _invalid("comment", "Comment: is not acceptable")
            case 429:
                return PlainTextResponse("Number of allowed API requests per minute exceeded", status_code=429)
            case _:
                error = {"title": f"Error {status}", "message": "There was a problem with your request"}
                return JSONResponse({"error": error}, status_code=status)

    # Zendesk's API.

    async def _me(self, call: Call) -> Response:
        user = {"id": int(call.account), "name": "Deskhand", "role": "agent", "active": True}
        return JSONResponse({"user": user})

    async def _get(self, call: Call) -> Response:
        ticket = self.tickets.get(call.parameter("id"))
        return JSONResponse({"ticket": self._ticket(ticket)}) if ticket else self.refusal(404)

    async def _update(self, call: Call) -> Response:
        ticket = self.tickets.get(call.parameter("id"))
        if ticket is None:
            return self.refusal(404)
        changes = _json(call).get("ticket")
        if not isinstance(changes, dict):
            error = {"title": "Invalid attribute", "message": "Invalid parameter: ticket must be an object"}
            return JSONResponse({"error": error}, status_code=400)
        if ticket.closed:
            return _invalid("status", "Status: closed prevents ticket update")
        if changes.get("safe_update") and changes.get("updated_stamp") != _iso(ticket.updated_at):
            return self.refusal(409)
        events = []
        comment = changes.get("comment")
        if isinstance(comment, dict):
            html = comment.get("html_body") or escape(str(comment.get("body") or ""))
            # What is not said to be private is public, as on a ticket that began with a public comment.
            private = comment.get("public") is False
            events.append(self._comment(self.store_note(call, ticket, _stored(html, ticket), private=private)))
        audit = {"id": self.next_number(), "ticket_id": int(ticket.id), "author_id": int(call.account)}
        audit["events"] = [{**event, "type": "Comment"} for event in events]  # type: ignore[assignment]  # JSON
        return JSONResponse({"ticket": self._ticket(ticket), "audit": audit})

    async def _comments(self, call: Call) -> Response:
        ticket = self.tickets.get(call.parameter("id"))
        if ticket is None:
            return self.refusal(404)
        query = call.request.query_params
        first = PretendNote(
            f"{ticket.id}0", _stored(ticket.description, ticket), False, str(_REQUESTER_ID), ticket.created_at
        )
        said = [first, *ticket.notes]
        if ticket.resolved_at is not None:  # what the agent wrote on solving it: Zendesk has no other place for it
            solution = _stored(ticket.resolution, ticket)
            said.append(PretendNote(f"{ticket.id}9", solution, False, str(_AGENT_ID), ticket.resolved_at))
        comments = [self._comment(note) for note in said]
        if query.get("sort") == "-created_at":
            comments.reverse()
        size, begin = query.get("page[size]", "100"), query.get("page[after]", "0")
        if not (size.isdigit() and begin.isdigit() and 1 <= int(size) <= 100):
            error = {"title": "Invalid parameter", "message": "page[size] must be between 1 and 100"}
            return JSONResponse({"error": error}, status_code=400)
        end = int(begin) + int(size)
        more = end < len(comments)
        link = f"{self.origin}{call.request.url.path}?page[size]={size}&page[after]={end}" if more else None
        meta = {"has_more": more, "after_cursor": str(end) if more else None}
        return JSONResponse({"comments": comments[int(begin) : end], "meta": meta, "links": {"next": link}})

    async def _make_private(self, call: Call) -> Response:
        ticket = self.tickets.get(call.parameter("id"))
        for note in ticket.notes if ticket else ():
            if note.id == call.parameter("comment"):
                note.private = True
                return JSONResponse({})
        return self.refusal(404)

    def _comment(self, note: PretendNote) -> dict[str, Any]:
        html = str(note.body)
        return {
            "id": int(note.id),
            "type": "Comment",
            "author_id": int(note.author),
            "public": not note.private,
            "html_body": html,
            "plain_body": html_to_text(html),
            "created_at": _iso(note.created_at),
        }

    def _ticket(self, ticket: PretendTicket) -> dict[str, Any]:
        return {
            "id": int(ticket.id),
            "url": f"{self.origin}/api/v2/tickets/{ticket.id}.json",
            "subject": ticket.subject,
            "raw_subject": ticket.subject,
            "description": ticket.description,
            "priority": ticket.priority.lower() if ticket.priority else None,
            "status": ticket.status,
            "type": "incident",
            "tags": [],
            "requester_id": _REQUESTER_ID,
            "created_at": _iso(ticket.created_at),
            "updated_at": _iso(ticket.updated_at),
        }

    # Webhooks.

    def webhook_body(self, event: Event, ticket: PretendTicket, webhook: Webhook) -> dict[str, Any]:
        """An event body, or a trigger body if the webhook has a `tenant_id`."""
        return _trigger_body(event, ticket, webhook.tenant_id) if webhook.tenant_id else _event_body(event, ticket)

    def webhook_headers(self, raw: bytes, webhook: Webhook) -> dict[str, str]:
        """The body signed as of now."""
        timestamp = _iso(datetime.now(UTC))
        return {
            "Content-Type": "application/json; charset=utf-8",
            SIGNATURE_HEADER: sign(webhook.secret, timestamp, raw),
            TIMESTAMP_HEADER: timestamp,
            "X-Zendesk-Account-Id": "1",
            "X-Zendesk-Webhook-Id": "01PRETEND",
            "X-Zendesk-Webhook-Invocation-Id": uuid.uuid4().hex,
        }


def _event_body(event: Event, ticket: PretendTicket) -> dict[str, Any]:
    name = _EVENTS[event]
    changes = {
        "created": {},
        "resolved": {"current": "SOLVED", "previous": "NEW"},
        "noted": {"comment": {"id": ticket.notes[-1].id, "is_public": False}} if ticket.notes else {},
    }
    return {
        "type": f"zen:event-type:{name}",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"zendesk/{ticket.id}/{name}")),
        "account_id": 1,
        "time": ticket.updated_at.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z",
        "zendesk_event_version": "2022-11-06",
        "subject": f"zen:ticket:{ticket.id}",
        "event": changes[event],
        "detail": {
            "actor_id": ticket.notes[-1].author if event == "noted" else str(_REQUESTER_ID),
            "id": ticket.id,
            "subject": ticket.subject,
            "description": ticket.description,
            "priority": ticket.priority.upper() if ticket.priority else None,
            "status": ticket.status.upper(),
            "is_public": True,
            "requester_id": str(_REQUESTER_ID),
            "tags": [],
            "type": "INCIDENT",
            "created_at": _iso(ticket.created_at),
            "updated_at": _iso(ticket.updated_at),
            "via": {"channel": "web_service"},
        },
    }


def _trigger_body(event: Event, ticket: PretendTicket, tenant_id: str) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "event": f"ticket_{event}",
        "ticket_id": ticket.id,
        "subject": ticket.subject,
        "description": ticket.description,
        # What a placeholder makes of it: title case, and an empty string where there is none.
        "priority": ticket.priority.title() if ticket.priority else "",
        "created_at": _iso(ticket.created_at),
        "updated_at": _iso(ticket.updated_at),
    }


def _stored(html: str, ticket: PretendTicket) -> str:
    """A comment as Zendesk keeps it: placeholders filled in, sanitised, and cut."""
    fields = {"ticket.id": ticket.id, "ticket.title": ticket.subject, "ticket.requester.name": ticket.requester}
    filled = _PLACEHOLDER.sub(lambda match: fields.get(match[1], ""), _TAG.sub("", html))
    return nh3.clean(filled).encode()[:MAX_BODY_BYTES].decode(errors="ignore")


def _invalid(field: str, words: str) -> Response:
    body = {
        "error": "RecordInvalid",
        "description": "Record validation errors",
        "details": {field: [{"description": words}]},
    }
    return JSONResponse(body, status_code=422)


def _json(call: Call) -> dict[str, Any]:
    """The JSON body; empty for any other media type, which Zendesk does not read as JSON."""
    if call.request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        return {}
    try:
        body = json.loads(call.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
