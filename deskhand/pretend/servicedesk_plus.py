"""A pretend ServiceDesk Plus, on-premises and Cloud: requests and notes as the API v3 has them, oddities included."""

import base64
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Literal
from urllib.parse import parse_qs

import nh3
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from deskhand.pretend import servicedesk_plus_shapes as shapes
from deskhand.pretend.servicedesk_plus_accounts import ServiceDeskPlusAccount, key_credential, zoho_credential
from plugins.conformance.pretend.control import ControlError
from plugins.conformance.pretend.model import Event, PretendNote, PretendTicket, Webhook
from plugins.conformance.pretend.vendor import Account, Call, Operation, PretendVendor
from plugins.servicedesk_plus.authentication import HMAC_HEADER, SECRET_HEADER, Scheme, sign
from plugins.servicedesk_plus.connection import MEDIA_TYPE
from plugins.servicedesk_plus.zoho import TOKEN_KIND, TOKEN_PATH

Template = Literal["flat", "request", "id"]

TOKEN_SECONDS = 3600
LONG_IDS = 71_651_000_024_400_000
"""Where Cloud's ids begin."""

_LIST_INFO = frozenset({"row_count", "start_index", "sort_field", "sort_order", "get_total_count"})
"""What a list can be asked for, as far as it is served here. Conditions are not: how they are spelt differs."""
_NOTE_FLAGS = ("show_to_requester", "notify_technician", "mark_first_response", "add_to_linked_requests")


class PretendServiceDeskPlus(PretendVendor):
    """ServiceDesk Plus. Each account sees the one edition that it was made for, under its own address."""

    title: ClassVar[str] = "ServiceDesk Plus"
    tool_type: ClassVar[str] = "servicedesk_plus"
    account_model: ClassVar[type[BaseModel]] = ServiceDeskPlusAccount
    editions: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {name: MappingProxyType({"edition": name}) for name in ("on_premises", "on_premises_portal", "cloud")}
    )
    events: ClassVar[frozenset[Event]] = frozenset({"created", "resolved", "noted"})
    credential_headers: ClassVar[tuple[str, ...]] = ("authtoken", "technician_key", "authorization")
    ticket_path: ClassVar[str] = "/requests/{id}"

    note_root: str | None = None
    """The key around a note that this installation knows. `None`: `request_note` in Cloud, else `note`; installations
    that are older say `request_note`."""
    list_has_descriptions = True
    """Whether lists of notes hold their text. Not all versions' do."""
    sorts_by = "added_time"
    """The field that notes can be sorted by."""
    sorts_requests_by = "created_time"
    """The field that requests can be sorted by."""
    failure_status: int | None = None
    """The HTTP status of every failure, whatever its code: 200 and 400 have been seen. `None`: the one that fits."""
    unknown_portal: Literal["code", "page"] = "code"
    """What a portal that is not there is answered with: the code 4007, or a page to log in. Both have been seen."""
    closed_refusal = (400, 4001, "Notes cannot be added to a closed request")
    """HTTP status, code and words for a note on a closed request."""
    status_names: Mapping[str, str] = MappingProxyType({})
    """What the installation calls a status, where it was changed or translated."""
    has_internal_names = True
    """Whether a status has the name that stays when the other is changed."""
    throttles_tokens = False
    """Whether Zoho has given out as many tokens as it will for now."""
    template: Template = "flat"
    """What the webhook's body is made of."""

    def __init__(self, origin: str) -> None:
        self._clients: dict[str, str] = {}
        self._long_ids = False
        super().__init__(origin)

    def operations(self) -> Sequence[Operation]:
        """The requests under each address that an edition may have, and Zoho's accounts."""
        found = [Operation("token", "POST", TOKEN_PATH, self._give_token, public=True)]
        for portal in ("", "/app/{portal}"):
            for resource in ("requests", "tickets"):
                root = f"{portal}/api/v3/{resource}"
                found += [
                    Operation("list_tickets", "GET", root, self._list),
                    Operation("get_ticket", "GET", f"{root}/{{id}}", self._get),
                    Operation("post_note", "POST", f"{root}/{{id}}/notes", self._add_note),
                    Operation("list_notes", "GET", f"{root}/{{id}}/notes", self._list_notes),
                    Operation("list_notes", "GET", f"{root}/{{id}}/notes/{{note}}", self._get_note),
                    Operation("retract_note", "DELETE", f"{root}/{{id}}/notes/{{note}}", self._delete_note),
                ]
        return found

    # Accounts.

    def add_account(self, fields: Mapping[str, Any] | None = None) -> Account:
        """Accept a technician. Once there is one of Cloud, ids are as long as Cloud's."""
        account = ServiceDeskPlusAccount.model_validate(fields or {})
        if account.edition == "cloud":
            self._long_ids = True
            self._clients[account.client_id] = account.client_secret
        return super().add_account(account.model_dump())

    def credential(self, fields: Mapping[str, Any]) -> str:
        """The API key; in Cloud, what an access token is given out for."""
        return ServiceDeskPlusAccount.model_validate(fields).credential

    def presented(self, request: Request) -> str | None:
        """An access token, or the API key under either name of its header. Nothing in the query is read."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind:
            return self.tokens.credential(token) if kind == TOKEN_KIND else None
        key = request.headers.get("authtoken") or request.headers.get("technician_key")
        return key_credential(key) if key else None

    def connection(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The address of the account's edition, with its credentials."""
        return ServiceDeskPlusAccount.model_validate(fields).connection(self.origin)

    async def _give_token(self, call: Call) -> Response:
        """Zoho's accounts: most of their refusals come with HTTP 200."""
        if self.throttles_tokens:
            words = "You have made too many requests continuously. Please try again after some time."
            body = {"error": "Access Denied", "error_description": words, "status": "failure"}
            return JSONResponse(body, status_code=400)
        form = {name: values[0] for name, values in parse_qs(call.body.decode(errors="replace")).items()}
        client, secret = form.get("client_id", ""), form.get("client_secret", "")
        if form.get("grant_type") != "refresh_token":
            return JSONResponse({"error": "unsupported_grant_type"})
        if client not in self._clients:
            return JSONResponse({"error": "invalid_client"})
        if self._clients[client] != secret:
            return JSONResponse({"error": "invalid_client_secret"})
        credential = zoho_credential(client, secret, form.get("refresh_token", ""))
        if self.account_of(credential) is None:
            return JSONResponse({"error": "invalid_code"})
        token = self.tokens.issue(credential)
        given = {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return JSONResponse({**given, "api_domain": self.origin})

    # Ids and addresses.

    def next_number(self) -> int:
        """A number; Cloud's have 17 digits here (15 to 19 have been seen)."""
        return super().next_number() + (LONG_IDS if self._long_ids else 0)

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
        opened = [
            Route("/WorkOrder.do", self._open_request, methods=["GET"]),
            Route("/app/{portal}/ui/requests/{id}/details", self._open_request, methods=["GET"]),
        ]
        app.router.routes[:0] = opened
        return app

    async def _open_request(self, request: Request) -> Response:
        wanted = self.tickets.get(request.path_params.get("id") or request.query_params.get("woID", ""))
        return RedirectResponse(self.ticket_path.replace("{id}", wanted.id) if wanted else "/")

    # The API v3.

    def refusal(self, status: int) -> Response:
        """The vendor's code for this status."""
        code, words = shapes.CODES.get(status, (None, f"Error {status}"))
        return self._failed(status, code, words)

    def _failed(self, status: int, code: int | None, words: str, field: str | None = None) -> Response:
        return shapes.failed(self.failure_status or status, code, words, field)

    async def _list(self, call: Call) -> Response:
        refused = self._refused(call)
        if refused:
            return refused
        info = _list_info(call)
        extra = next((name for name in info if name not in _LIST_INFO), None)
        if extra:
            return self._failed(400, 4001, "EXTRA_KEY_FOUND_IN_JSON", extra)
        if info.get("sort_field") not in (None, self.sorts_requests_by):
            return self._failed(400, 4001, "Invalid sort field", "sort_field")
        tickets: Sequence[PretendTicket] = list(self.tickets.values())
        if info.get("sort_field"):
            tickets = sorted(tickets, key=lambda ticket: ticket.created_at)
        return shapes.page_of("requests", [self._request(ticket) for ticket in tickets], info)

    async def _get(self, call: Call) -> Response:
        ticket = self.tickets.get(call.parameter("id"))
        refused = self._refused(call, ticket)
        return refused or shapes.succeeded({"request": self._request(ticket)} if ticket else {})

    async def _add_note(self, call: Call) -> Response:
        ticket = self.tickets.get(call.parameter("id"))
        refused = self._refused(call, ticket)
        if refused or ticket is None:
            return refused or self.refusal(404)
        if call.request.headers.get("content-type", "").split(";")[0].strip() != shapes.FORM:
            # Nothing but the form field is read, and nothing is said about it.
            return shapes.succeeded({})
        given = shapes.input_data(call.body.decode(errors="replace"))
        root = self._note_root(call)
        extra = next((name for name in given if name != root), None)
        if extra:
            return self._failed(400, 4001, "EXTRA_KEY_FOUND_IN_JSON", extra)
        note = given.get(root)
        if not isinstance(note, dict) or not note.get("description"):
            return self._failed(400, 4012, "Mandatory field missing", "description")
        if ticket.closed:
            return self._failed(*self.closed_refusal)
        flags = {name: note.get(name) is True for name in _NOTE_FLAGS}
        private = not flags.pop("show_to_requester")
        stored = self.store_note(call, ticket, nh3.clean(str(note["description"])), private=private, extra=flags)
        return shapes.succeeded({root: shapes.note_json(stored)}, status=201)

    async def _list_notes(self, call: Call) -> Response:
        ticket = self.tickets.get(call.parameter("id"))
        refused = self._refused(call, ticket)
        if refused or ticket is None:
            return refused or self.refusal(404)
        if _list_info(call).get("sort_field") not in (None, self.sorts_by):
            return self._failed(400, 4001, "Invalid sort field", "sort_field")
        notes = [self.listed_note(note) for note in ticket.notes]
        return shapes.page_of("notes", notes, _list_info(call))

    def listed_note(self, note: PretendNote) -> dict[str, Any]:
        """What a list says of a note."""
        shown = shapes.note_json(note)
        return shown if self.list_has_descriptions else {k: v for k, v in shown.items() if k != "description"}

    async def _get_note(self, call: Call) -> Response:
        note = self._find_note(call)
        refused = self._refused(call, note)
        return refused or shapes.succeeded({self._note_root(call): shapes.note_json(note)} if note else {})

    async def _delete_note(self, call: Call) -> Response:
        note = self._find_note(call)
        refused = self._refused(call, note)
        if refused or note is None:
            return refused or self.refusal(404)
        self.tickets[call.parameter("id")].notes.remove(note)
        return shapes.succeeded({})

    def _find_note(self, call: Call) -> PretendNote | None:
        ticket = self.tickets.get(call.parameter("id"))
        notes = ticket.notes if ticket else []
        return next((note for note in notes if note.id == call.parameter("note")), None)

    def _note_root(self, call: Call) -> str:
        return self.note_root or ("request_note" if call.caller.fields["edition"] == "cloud" else "note")

    def _refused(self, call: Call, *found: object) -> Response | None:
        """What every call is refused for: another address, schema or right than the account's, or what is not there."""
        account = ServiceDeskPlusAccount.model_validate(call.caller.fields)
        path = call.request.url.path
        if not f"{path}/".startswith(f"{account.root}/"):
            portal = call.request.path_params.get("portal")
            unknown = portal is not None and not account.root.startswith(f"/app/{portal}/")
            return HTMLResponse("<h1>Log in</h1>") if unknown and self.unknown_portal == "page" else self.refusal(404)
        if call.request.headers.get("accept") != MEDIA_TYPE:
            return self._failed(400, 4001, f"Accept must be {MEDIA_TYPE}")
        if not (account.may_read if call.request.method == "GET" else account.may_write):
            return self.refusal(403)
        return self.refusal(404) if None in found else None

    def _request(self, ticket: PretendTicket) -> dict[str, Any]:
        status = {"name": self.status_names.get(ticket.status, ticket.status)}
        return shapes.request_json(
            ticket, status | ({"internal_name": ticket.status} if self.has_internal_names else {})
        )

    # Webhooks.

    def webhook_body(self, event: Event, ticket: PretendTicket, webhook: Webhook) -> dict[str, Any]:
        """By the template: flat, with a `request` as the API has it, or the id alone."""
        body: dict[str, Any] = {"tenant_id": webhook.tenant_id} if webhook.tenant_id else {}
        body["event"] = f"ticket_{event}"
        if event == "noted":
            body["actor_id"] = ticket.notes[-1].author
        match self.template:
            case "id":
                return body | {"ticket_id": ticket.id}
            case "request":
                return body | {"request": self._request(ticket)}
        body |= {
            "ticket_id": ticket.id,
            "subject": ticket.subject,
            "description": shapes.html(ticket.description),
            "priority": ticket.priority or "",
            "created_at": shapes.milliseconds(ticket.created_at),
        }
        return body | ({"resolved_at": shapes.milliseconds(ticket.updated_at)} if event == "resolved" else {})

    def webhook_headers(self, raw: bytes, webhook: Webhook) -> dict[str, str]:
        """The secret as the scheme has it, or under `hmac` a signature."""
        if webhook.scheme not in (None, *Scheme):
            raise ControlError(422, f"scheme: must be one of {', '.join(Scheme)}")
        match Scheme(webhook.scheme or Scheme.HEADER):
            case Scheme.HMAC:
                return {HMAC_HEADER: sign(webhook.secret, raw)}
            case Scheme.BASIC:
                return {"Authorization": "Basic " + base64.b64encode(f"deskhand:{webhook.secret}".encode()).decode()}
            case Scheme.HEADER:
                return {SECRET_HEADER: webhook.secret}

    def covers_body(self, scheme: str | None) -> bool:
        """Only a signature does."""
        return scheme == Scheme.HMAC


def _list_info(call: Call) -> Mapping[str, Any]:
    info = shapes.input_data(str(call.request.url.query)).get("list_info")
    return info if isinstance(info, dict) else {}
