"""A pretend Zendesk: tickets, comments, OAuth tokens and signed webhooks as Zendesk Support has them, refusals too.

Users are agents, light agents or end users; a token may do what its scopes and its user may.
"""

import base64
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import escape
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deskhand.pretend import zendesk_accounts as accounts
from deskhand.pretend import zendesk_bodies as bodies
from deskhand.pretend.zendesk_accounts import Right, ZendeskAccount
from deskhand.pretend.zendesk_search import exported
from plugins.conformance.pretend.faults import OperationName
from plugins.conformance.pretend.model import Event, PretendTicket, Webhook, now
from plugins.conformance.pretend.vendor import Call, Operation, PretendVendor
from plugins.zendesk.webhook import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

Handler = Callable[[Call], Awaitable[Response]]


class PretendZendesk(PretendVendor):
    """Zendesk Support.

    A webhook without `tenant_id` is subscribed to events: its body is Zendesk's own. With one it is connected to a
    trigger, whose flat body an admin wrote.
    """

    title: ClassVar[str] = "Zendesk"
    tool_type: ClassVar[str] = "zendesk"
    account_model: ClassVar[type[BaseModel]] = ZendeskAccount
    editions: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {"api_token": MappingProxyType({"auth": "api_token"}), "oauth": MappingProxyType({"auth": "oauth"})}
    )
    events: ClassVar[frozenset[Event]] = frozenset({"created", "resolved", "noted"})
    ticket_path: ClassVar[str] = "/agent/tickets/{id}"
    open_status: ClassVar[str] = "new"
    resolved_status: ClassVar[str] = "solved"
    closed_status: ClassVar[str] = "closed"

    index_lag = timedelta(0)
    """How long a new ticket is not yet found by a search: a few minutes at the real one."""

    def __init__(self, origin: str) -> None:
        super().__init__(origin)
        self._scopes: dict[str, str] = {}

    def operations(self) -> Sequence[Operation]:
        """Every path of the API works with and without `.json`."""

        def both(
            name: OperationName, method: str, path: str, handler: Handler, *, public: bool = False
        ) -> list[Operation]:
            return [Operation(name, method, f"/api/v2/{path}{suffix}", handler, public) for suffix in (".json", "")]

        read, write = self._needing("tickets:read"), self._needing("tickets:write")
        return [
            Operation("token", "POST", "/oauth/tokens", self._token, public=True),
            *both("other", "GET", "users/me", self._me, public=True),
            *both("list_tickets", "GET", "tickets", read(self._list)),
            *both("list_tickets", "GET", "search/export", self._needing("search:read")(self._export)),
            *both("get_ticket", "GET", "tickets/{id}", read(self._get)),
            *both("post_note", "PUT", "tickets/{id}", write(self._update)),
            *both("list_notes", "GET", "tickets/{id}/comments", read(self._comments)),
            *both("retract_note", "PUT", "tickets/{id}/comments/{comment}/make_private", write(self._make_private)),
        ]

    def credential(self, fields: Mapping[str, Any]) -> str:
        """User name and password of Basic authentication, or the OAuth client's id and secret."""
        return ZendeskAccount(**fields).credential

    def connection(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The API token, or the OAuth client."""
        return ZendeskAccount(**fields).connection(self.origin)

    def presented(self, request: Request) -> str | None:
        """Out of the Authorization header: Basic, or a Bearer token that was given out."""
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self.tokens.credential(value)
        try:
            return "basic " + base64.b64decode(value, validate=True).decode() if kind.lower() == "basic" else None
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
        """In Zendesk's shapes; see `bodies.refusal`."""
        return bodies.refusal(status)

    # Who may do what.

    def _needing(self, right: Right) -> Callable[[Handler], Handler]:
        """Refuses what the caller's role or the token's scopes do not allow."""

        def wrap(handler: Handler) -> Handler:
            async def guarded(call: Call) -> Response:
                return await handler(call) if self._may(call, right) else self.refusal(403)

            return guarded

        return wrap

    def _may(self, call: Call, right: Right) -> bool:
        token = call.request.headers.get("authorization", "").partition(" ")[2]
        return ZendeskAccount(**call.caller.fields).may(right, self._scopes.get(token, accounts.ALL_SCOPES))

    async def _token(self, call: Call) -> Response:
        asked = accounts.token_request(_json(call))
        if isinstance(asked, Response):
            return asked
        account = self.account_of(asked.credential)
        if account is None:
            return accounts.unknown_client()
        if not set(asked.scope.split()) <= set(account.fields["allowed_scopes"].split()):
            return accounts.oauth_error(400, "invalid_scope", "The requested scope is invalid, unknown, or malformed.")
        token = self.tokens.issue(asked.credential)
        self._scopes[token] = asked.scope
        return JSONResponse(
            {"access_token": token, "token_type": "bearer", "scope": asked.scope, "expires_in": asked.seconds}
        )

    async def _me(self, call: Call) -> Response:
        """A stranger is told so, and with 200; whoever shows a wrong credential is refused."""
        if "authorization" not in call.request.headers:
            return JSONResponse({"user": accounts.ANONYMOUS})
        account = self.account_of(self.presented(call.request) or "")
        if account is None:
            return self.refusal(401)
        if not self._may(replace(call, caller=account), "users:read"):
            return self.refusal(403)
        return JSONResponse({"user": ZendeskAccount(**account.fields).user(account.id)})

    # Tickets.

    async def _list(self, call: Call) -> Response:
        rows = [bodies.ticket_body(ticket, self.origin) for ticket in self.tickets.values()]
        return bodies.page_of(rows, "tickets", call.request.query_params, f"{self.origin}{call.request.url.path}")

    async def _export(self, call: Call) -> Response:
        indexed = [ticket for ticket in self.tickets.values() if ticket.created_at <= now() - self.index_lag]
        return exported(indexed, call.request.query_params, self.origin)

    async def _get(self, call: Call) -> Response:
        ticket = self.tickets.get(call.parameter("id"))
        return JSONResponse({"ticket": bodies.ticket_body(ticket, self.origin)}) if ticket else self.refusal(404)

    async def _update(self, call: Call) -> Response:
        ticket = self.tickets.get(call.parameter("id"))
        if ticket is None:
            return self.refusal(404)
        changes = _json(call).get("ticket")
        if not isinstance(changes, dict):
            error = {"title": "Invalid attribute", "message": "Invalid parameter: ticket must be an object"}
            return JSONResponse({"error": error}, status_code=400)
        if ticket.closed:
            return bodies.invalid("status", "Status: closed prevents ticket update")
        if changes.get("safe_update") and changes.get("updated_stamp") != bodies.iso(ticket.updated_at):
            return self.refusal(409)
        comment = changes.get("comment")
        events = [self._comment(call, ticket, comment)] if isinstance(comment, dict) else []
        audit = {"id": self.next_number(), "ticket_id": int(ticket.id), "author_id": int(call.account)}
        return JSONResponse(
            {"ticket": bodies.ticket_body(ticket, self.origin), "audit": {**audit, "events": events}},
        )

    def _comment(self, call: Call, ticket: PretendTicket, comment: Mapping[str, Any]) -> dict[str, Any]:
        html = comment.get("html_body") or escape(str(comment.get("body") or ""))
        # What is not said to be private is public, as on a ticket that began with a public comment. A light agent
        # cannot write any other than a private one.
        private = comment.get("public") is False or call.caller.fields["role"] == "light_agent"
        note = self.store_note(call, ticket, bodies.stored_html(html, ticket), private=private)
        return bodies.comment_body(note)

    async def _comments(self, call: Call) -> Response:
        ticket = self.tickets.get(call.parameter("id"))
        if ticket is None:
            return self.refusal(404)
        query = call.request.query_params
        rows = bodies.comments_of(ticket)
        if query.get("sort") == "-created_at":
            rows.reverse()
        return bodies.page_of(rows, "comments", query, f"{self.origin}{call.request.url.path}")

    async def _make_private(self, call: Call) -> Response:
        if call.caller.fields["role"] == "light_agent":
            return self.refusal(403)
        ticket = self.tickets.get(call.parameter("id"))
        for note in ticket.notes if ticket else ():
            if note.id == call.parameter("comment"):
                note.private = True
                return JSONResponse({})
        return self.refusal(404)

    # Webhooks.

    def webhook_body(self, event: Event, ticket: PretendTicket, webhook: Webhook) -> dict[str, Any]:
        """An event body, or a trigger body if the webhook has a `tenant_id`."""
        if webhook.tenant_id:
            return bodies.trigger_body(event, ticket, webhook.tenant_id)
        return bodies.event_body(event, ticket)

    def webhook_headers(self, raw: bytes, webhook: Webhook) -> dict[str, str]:
        """The body signed as of now."""
        timestamp = bodies.iso(datetime.now(UTC))
        return {
            "Content-Type": "application/json; charset=utf-8",
            SIGNATURE_HEADER: sign(webhook.secret, timestamp, raw),
            TIMESTAMP_HEADER: timestamp,
            "X-Zendesk-Account-Id": "1",
            "X-Zendesk-Webhook-Id": "01PRETEND",
            "X-Zendesk-Webhook-Invocation-Id": uuid.uuid4().hex,
        }


def _json(call: Call) -> dict[str, Any]:
    """The JSON body; empty for any other media type, which Zendesk does not read as JSON."""
    if call.request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        return {}
    try:
        body = json.loads(call.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
