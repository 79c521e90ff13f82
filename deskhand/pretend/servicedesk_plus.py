"""A pretend ServiceDesk Plus: requests and notes as the on-premises API v3 has them, oddities included."""

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any, ClassVar
from urllib.parse import parse_qs

import nh3
from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from plugins.conformance.pretend.control import ControlError
from plugins.conformance.pretend.model import Event, PretendNote, PretendTicket, Webhook
from plugins.conformance.pretend.vendor import Call, Operation, PretendVendor
from plugins.servicedesk_plus.authentication import HMAC_HEADER, SECRET_HEADER, Scheme, sign
from plugins.servicedesk_plus.connection import MEDIA_TYPE

FORM = "application/x-www-form-urlencoded"

_NOTE_FLAGS = ("show_to_requester", "notify_technician", "mark_first_response", "add_to_linked_requests")

_CODES = {
    400: (4001, "Invalid input"),
    401: (4022, "Invalid API key"),
    403: (4002, "You are not allowed to do this"),
    404: (4007, "Invalid URL or resource not found"),
    429: (4015, "The maximum number of requests has been exceeded"),
    500: (4004, "Internal error"),
}
"""HTTP status to code: the vendor's page "Common error codes". The words are ours."""


class ServiceDeskPlusAccount(BaseModel):
    """A technician with an API key."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    api_key: str = Field(default_factory=lambda: secrets.token_urlsafe(18), min_length=1)


class PretendServiceDeskPlus(PretendVendor):
    """ServiceDesk Plus on-premises."""

    title: ClassVar[str] = "ServiceDesk Plus"
    tool_type: ClassVar[str] = "servicedesk_plus"
    account_model: ClassVar[type[BaseModel]] = ServiceDeskPlusAccount
    events: ClassVar[frozenset[Event]] = frozenset({"created", "resolved", "noted"})
    credential_headers: ClassVar[tuple[str, ...]] = ("authtoken", "technician_key")
    ticket_path: ClassVar[str] = "/requests/{id}"

    note_root = "note"
    """The key around a note that this installation knows; older ones say `request_note`."""
    list_has_descriptions = True
    """Whether lists of notes hold their text. Not all versions' do."""
    failure_status: int | None = None
    """The HTTP status of every failure, whatever its code: 200 and 400 have been seen. `None`: the one that fits."""

    def operations(self) -> Sequence[Operation]:
        """The resources under `/api/v3/requests`."""
        root = "/api/v3/requests"
        return [
            Operation("other", "GET", root, self._list),
            Operation("get_ticket", "GET", f"{root}/{{id}}", self._get),
            Operation("post_note", "POST", f"{root}/{{id}}/notes", self._add_note),
            Operation("list_notes", "GET", f"{root}/{{id}}/notes", self._list_notes),
            Operation("list_notes", "GET", f"{root}/{{id}}/notes/{{note}}", self._get_note),
            Operation("retract_note", "DELETE", f"{root}/{{id}}/notes/{{note}}", self._delete_note),
        ]

    def credential(self, fields: Mapping[str, Any]) -> str:
        """The API key."""
        return str(fields["api_key"])

    def presented(self, request: Request) -> str | None:
        """The API key, under either name of its header. A key in the query is not read."""
        return request.headers.get("authtoken") or request.headers.get("technician_key")

    def new_account_id(self) -> str:
        """A technician's number."""
        return str(self.next_number())

    def new_ticket_id(self, fields: Mapping[str, Any]) -> str:
        """A request's number."""
        del fields
        return str(self.next_number())

    def ticket_url(self, ticket_id: str) -> str:
        """The address that ServiceDesk Plus itself uses; here it leads to the request's page."""
        return f"{self.origin}/WorkOrder.do?woMode=viewWO&woID={ticket_id}"

    def _build(self) -> Starlette:
        app = super()._build()
        app.router.routes.insert(0, Route("/WorkOrder.do", self._work_order, methods=["GET"]))
        return app

    async def _work_order(self, request: Request) -> Response:
        wanted = self.tickets.get(request.query_params.get("woID", ""))
        return RedirectResponse(self.ticket_path.replace("{id}", wanted.id) if wanted else "/")

    def refusal(self, status: int) -> Response:
        """The code is in `messages`; the outer one says only that something failed."""
        code, words = _CODES.get(status, (None, f"Error {status}"))
        return self._failed(status, code, words)

    def _failed(self, status: int, code: int | None, words: str, field: str | None = None) -> Response:
        message = {"type": "failed", "message": words}
        message |= {"status_code": code} if code else {}  # type: ignore[dict-item]  # JSON
        message |= {"field": field} if field else {}
        body = {"response_status": {"status_code": 4000, "status": "failed", "messages": [message]}}
        return JSONResponse(body, status_code=self.failure_status or status)

    # The API v3.

    async def _list(self, call: Call) -> Response:
        return self._refused(call) or self._rows(call, "requests", [self._request(t) for t in self.tickets.values()])

    async def _get(self, call: Call) -> Response:
        ticket = self.tickets.get(call.parameter("id"))
        refused = self._refused(call, ticket)
        return refused or _succeeded({"request": self._request(ticket)} if ticket else {})

    async def _add_note(self, call: Call) -> Response:
        ticket = self.tickets.get(call.parameter("id"))
        refused = self._refused(call, ticket)
        if refused or ticket is None:
            return refused or self.refusal(404)
        if call.request.headers.get("content-type", "").split(";")[0].strip() != FORM:
            # Nothing but the form field is read, and nothing is said about it.
            return _succeeded({})
        given = _input_data(call.body.decode(errors="replace"))
        extra = next((name for name in given if name != self.note_root), None)
        if extra:
            return self._failed(400, 4001, "EXTRA_KEY_FOUND_IN_JSON", extra)
        note = given.get(self.note_root)
        if not isinstance(note, dict) or not note.get("description"):
            return self._failed(400, 4012, "Mandatory field missing", "description")
        if ticket.closed:
            return self._failed(400, 4001, "Notes cannot be added to a closed request")
        flags = {name: note.get(name) is True for name in _NOTE_FLAGS}
        private = not flags.pop("show_to_requester")
        stored = self.store_note(call, ticket, nh3.clean(str(note["description"])), private=private, extra=flags)
        return _succeeded({self.note_root: self._note_json(stored)}, status=201)

    async def _list_notes(self, call: Call) -> Response:
        ticket = self.tickets.get(call.parameter("id"))
        refused = self._refused(call, ticket)
        if refused or ticket is None:
            return refused or self.refusal(404)
        notes = [self._note_json(note) for note in ticket.notes]
        if not self.list_has_descriptions:
            notes = [{name: value for name, value in note.items() if name != "description"} for note in notes]
        return self._rows(call, "notes", notes)

    async def _get_note(self, call: Call) -> Response:
        note = self._find_note(call)
        return self._refused(call, note) or _succeeded({self.note_root: self._note_json(note)} if note else {})

    async def _delete_note(self, call: Call) -> Response:
        note = self._find_note(call)
        refused = self._refused(call, note)
        if refused or note is None:
            return refused or self.refusal(404)
        self.tickets[call.parameter("id")].notes.remove(note)
        return _succeeded({})

    def _find_note(self, call: Call) -> PretendNote | None:
        ticket = self.tickets.get(call.parameter("id"))
        notes = ticket.notes if ticket else []
        return next((note for note in notes if note.id == call.parameter("note")), None)

    def _refused(self, call: Call, *found: object) -> Response | None:
        """What every call is refused for: another schema asked for, or a resource that is not there."""
        if call.request.headers.get("accept") != MEDIA_TYPE:
            return self._failed(400, 4001, f"Accept must be {MEDIA_TYPE}")
        return self.refusal(404) if None in found else None

    def _rows(self, call: Call, name: str, rows: list[dict[str, Any]]) -> Response:
        info = _input_data(str(call.request.url.query)).get("list_info")
        info = info if isinstance(info, dict) else {}
        if info.get("sort_order") == "desc":
            rows.reverse()
        count, begin = min(int(info.get("row_count", 10)), 100), int(info.get("start_index", 1))
        page = rows[begin - 1 : begin - 1 + count]
        more = begin - 1 + count < len(rows)
        listed = {"has_more_rows": more, "row_count": len(page), "start_index": begin}
        # Lists have their status in a list, too.
        return JSONResponse({name: page, "list_info": listed, "response_status": [_SUCCESS]})

    def _request(self, ticket: PretendTicket) -> dict[str, Any]:
        return {
            "id": ticket.id,
            "display_id": ticket.id,
            "subject": ticket.subject,
            "description": _html(ticket.description),
            "priority": {"id": "1", "name": ticket.priority, "color": "#ff0000"} if ticket.priority else None,
            "status": {"id": "1", "name": ticket.status},
            "category": {"id": "1", "name": "General"},
            "requester": {"id": "901", "name": ticket.requester},
            "resolution": {"content": _html(ticket.resolution)} if ticket.resolution else None,
            "created_time": _time(ticket.created_at),
            "last_updated_time": _time(ticket.updated_at),
            "resolved_time": _time(ticket.resolved_at) if ticket.resolved_at else None,
            "has_notes": bool(ticket.notes),
        }

    def _note_json(self, note: PretendNote) -> dict[str, Any]:
        return {
            "id": note.id,
            "description": note.body,
            "show_to_requester": not note.private,
            **note.extra,
            "added_by": {"id": note.author},
            "added_time": _time(note.created_at),
        }

    # Webhooks.

    def webhook_body(self, event: Event, ticket: PretendTicket, webhook: Webhook) -> dict[str, Any]:
        """The flat template."""
        body: dict[str, Any] = {"tenant_id": webhook.tenant_id} if webhook.tenant_id else {}
        body |= {
            "event": f"ticket_{event}",
            "ticket_id": ticket.id,
            "subject": ticket.subject,
            "description": _html(ticket.description),
            "priority": ticket.priority or "",
            "created_at": _milliseconds(ticket.created_at),
        }
        if event == "resolved":
            body["resolved_at"] = _milliseconds(ticket.updated_at)
        if event == "noted":
            body["actor_id"] = ticket.notes[-1].author
        return body

    def webhook_headers(self, raw: bytes, webhook: Webhook) -> dict[str, str]:
        """The secret as the scheme has it, or under `hmac` a signature."""
        return _authentication(webhook, raw)

    def covers_body(self, scheme: str | None) -> bool:
        """Only a signature does."""
        return scheme == Scheme.HMAC


_SUCCESS = {"status_code": 2000, "status": "success"}


def _succeeded(body: Mapping[str, Any], status: int = 200) -> Response:
    return JSONResponse({**body, "response_status": _SUCCESS}, status_code=status)


def _authentication(webhook: Webhook, raw: bytes) -> dict[str, str]:
    if webhook.scheme not in (None, *Scheme):
        raise ControlError(422, f"scheme: must be one of {', '.join(Scheme)}")
    match Scheme(webhook.scheme or Scheme.HEADER):
        case Scheme.HMAC:
            return {HMAC_HEADER: sign(webhook.secret, raw)}
        case Scheme.BASIC:
            return {"Authorization": "Basic " + base64.b64encode(f"deskhand:{webhook.secret}".encode()).decode()}
        case Scheme.HEADER:
            return {SECRET_HEADER: webhook.secret}


def _input_data(form: str) -> dict[str, Any]:
    values = parse_qs(form).get("input_data", [""])
    try:
        given = json.loads(values[0])
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}


def _html(text: str) -> str:
    return text if text.lstrip().startswith("<") else f"<div>{escape(text, quote=False)}</div>"


def _milliseconds(moment: datetime) -> str:
    return str(round(moment.timestamp() * 1000))


def _time(moment: datetime) -> dict[str, str]:
    return {"value": _milliseconds(moment), "display_value": moment.strftime("%b %d, %Y %I:%M %p")}
