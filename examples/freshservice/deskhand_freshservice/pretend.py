"""A pretend Freshservice, as strict as the API v2 where Deskhand touches it."""

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

import nh3
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from plugins.conformance.pretend import Call, Event, Operation, PretendNote, PretendTicket, PretendVendor, Webhook

_PRIORITIES = {"Low": 1, "Medium": 2, "High": 3, "Urgent": 4}
_STATUSES = {"Open": 2, "Resolved": 4, "Closed": 5}
_WORDS = {401: "You have to be logged in to perform this action.", 403: "You are not authorized to do this."}


class FreshserviceAccount(BaseModel):
    """An agent with an API key."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    api_key: str = Field(default_factory=lambda: secrets.token_urlsafe(18), min_length=1)


class PretendFreshservice(PretendVendor):
    """Freshservice, as far as Deskhand touches it. Its rules call the webhook for new and for resolved tickets."""

    title: ClassVar[str] = "Freshservice"
    tool_type: ClassVar[str] = "freshservice"
    account_model: ClassVar[type[BaseModel]] = FreshserviceAccount
    events: ClassVar[frozenset[Event]] = frozenset({"created", "resolved", "noted"})
    ticket_path: ClassVar[str] = "/a/tickets/{id}"

    def operations(self) -> Sequence[Operation]:
        """The API v2."""
        ticket = "/api/v2/tickets/{id}"
        return [
            Operation("get_ticket", "GET", ticket, self._get),
            Operation("post_note", "POST", f"{ticket}/notes", self._add_note),
            Operation("list_notes", "GET", f"{ticket}/conversations", self._list),
            Operation("retract_note", "DELETE", "/api/v2/conversations/{note}", self._delete),
        ]

    def credential(self, fields: Mapping[str, Any]) -> str:
        """The API key."""
        return str(fields["api_key"])

    def presented(self, request: Request) -> str | None:
        """The user name of Basic authentication; the password does not count."""
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0] if kind == "Basic" else None
        except ValueError:
            return None

    def new_account_id(self) -> str:
        """An agent's number."""
        return str(self.next_number())

    def new_ticket_id(self, fields: Mapping[str, Any]) -> str:
        """A ticket's number."""
        del fields
        return str(self.next_number())

    def refusal(self, status: int) -> Response:
        """A code with words; 404 has no body."""
        if status == 404:
            return Response(status_code=404)
        words = _WORDS.get(status, f"Freshservice refuses with {status}.")
        return JSONResponse({"code": "refused", "message": words}, status_code=status)

    async def _get(self, call: Call) -> Response:
        ticket = self.tickets.get(call.parameter("id"))
        return JSONResponse({"ticket": _ticket(ticket)}) if ticket else self.refusal(404)

    async def _add_note(self, call: Call) -> Response:
        ticket = self.tickets.get(call.parameter("id"))
        if ticket is None:
            return self.refusal(404)
        if call.request.headers.get("content-type") != "application/json":
            return self.refusal(415)
        note = json.loads(call.body)
        if not note.get("body"):
            problem = {"field": "body", "message": "It should not be blank", "code": "invalid_value"}
            return JSONResponse({"description": "Validation failed", "errors": [problem]}, status_code=400)
        private = note.get("private") is True
        stored = self.store_note(call, ticket, nh3.clean(note["body"]), private=private)
        return JSONResponse({"conversation": _note(stored, ticket)}, status_code=201)

    async def _list(self, call: Call) -> Response:
        ticket = self.tickets.get(call.parameter("id"))
        if ticket is None:
            return self.refusal(404)
        query = call.request.query_params
        page, size = int(query.get("page", "1")), int(query.get("per_page", "30"))
        if not (page >= 1 and 1 <= size <= 100):
            return self.refusal(400)
        rows = [_note(note, ticket) for note in ticket.notes]
        return JSONResponse({"conversations": rows[(page - 1) * size : page * size]})

    async def _delete(self, call: Call) -> Response:
        for ticket in self.tickets.values():
            for note in ticket.notes:
                if note.id == call.parameter("note"):
                    ticket.notes.remove(note)
                    return Response(status_code=204)
        return self.refusal(404)

    def webhook_body(self, event: Event, ticket: PretendTicket, webhook: Webhook) -> Mapping[str, Any]:
        """The body that an admin wrote into the rule."""
        return {
            **({"tenant_id": webhook.tenant_id} if webhook.tenant_id else {}),
            "event": f"ticket_{event}",
            "ticket_id": ticket.id,
            "description": _html(ticket.description),
            "priority": ticket.priority or "",
            "created_at": _time(ticket.created_at),
            "updated_at": _time(ticket.updated_at),
        }

    def webhook_headers(self, raw: bytes, webhook: Webhook) -> dict[str, str]:
        """The rule's own header. Freshservice signs nothing."""
        del raw
        return {"X-Deskhand-Secret": webhook.secret}

    def covers_body(self, scheme: str | None) -> bool:
        """The secret itself is sent."""
        del scheme
        return False


class PretendNewTicketsOnly(PretendFreshservice):
    """Freshservice with one rule, for new tickets: all that a plugin with four methods can tell apart."""

    events: ClassVar[frozenset[Event]] = frozenset({"created"})


def _ticket(ticket: PretendTicket) -> dict[str, Any]:
    return {
        "id": int(ticket.id),
        "subject": ticket.subject,
        "description": _html(ticket.description),
        "description_text": ticket.description,
        "status": _STATUSES[ticket.status],
        "priority": _PRIORITIES.get(ticket.priority or "", 1),
        "category": None,
        "created_at": _time(ticket.created_at),
        "updated_at": _time(ticket.updated_at),
    }


def _note(note: PretendNote, ticket: PretendTicket) -> dict[str, Any]:
    return {
        "id": int(note.id),
        "user_id": int(note.author),
        "body": note.body,
        "body_text": note.text,
        "private": note.private,
        "ticket_id": int(ticket.id),
        "created_at": _time(note.created_at),
    }


def _html(text: str) -> str:
    return f"<div>{nh3.clean_text(text)}</div>"


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
