"""A pretend Jira Cloud site: a service project (`HELP`) and a software project (`SW`).

It answers as Atlassian's OpenAPI document of the platform API v3 (2025-12) has it; what Jira says in refusals of
comments is as users have reported it.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal, TypeGuard

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from plugins.conformance.pretend.model import Event, PretendNote, PretendTicket, Webhook
from plugins.conformance.pretend.vendor import Call, Handler, NewTicket, Operation, PretendVendor

PROJECT_TYPES = {"HELP": "service_desk", "SW": "software"}
ROLES = frozenset({"Administrators", "Developers", "Service Desk Team"})
MAX_COMMENT = 32_767
PAGE = 100

_INTERNAL = {"key": "sd.public.comment", "value": {"internal": True}}
_JSON = {"application/json", "application/*", "*/*"}
_EVENT_TYPES: Mapping[Event, str] = {
    "created": "issue_created",
    "resolved": "issue_resolved",
    "noted": "issue_commented",
}
_REPORTER = "557058:requester"
_AGENT = "557058:agent"
_WORDS = {
    401: "Client must be authenticated to access this resource.",
    403: "You do not have permission to access this resource.",
    404: "Issue does not exist or you do not have permission to see it.",
    413: "The issue has reached the limit of comments.",
    429: "Rate limit exceeded.",
}


class JiraAccount(BaseModel):
    """What `POST /_pretend/accounts` takes: with an e-mail address the token counts as Basic, without as Bearer."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    email: str | None = Field(default="deskhand@acme.example", min_length=3)
    api_token: str = Field(default_factory=lambda: secrets.token_urlsafe(18), min_length=1)


class NewIssue(NewTicket):
    """What `POST /_pretend/tickets` takes."""

    project: Literal["HELP", "SW"] = "HELP"


class PretendJira(PretendVendor):
    """Jira Cloud, as far as Deskhand touches it."""

    title = "Jira"
    tool_type = "jira"
    account_model = JiraAccount
    ticket_model: ClassVar[type[NewTicket]] = NewIssue
    events = frozenset({"created", "resolved", "noted"})
    ticket_path = "/browse/{id}"
    open_status = "Open"
    resolved_status = "Done"
    closed_status = "Closed"

    def operations(self) -> Sequence[Operation]:
        """The REST API v3."""
        issue = "/rest/api/3/issue/{key}"
        return [
            Operation("get_ticket", "GET", issue, self._json_only(self._get_issue)),
            Operation("post_note", "POST", f"{issue}/comment", self._json_only(self._add_comment)),
            Operation("list_notes", "GET", f"{issue}/comment", self._json_only(self._list_comments)),
            Operation("retract_note", "DELETE", f"{issue}/comment/{{comment}}", self._delete_comment),
            Operation("other", "GET", "/rest/api/3/myself", self._json_only(self._myself)),
        ]

    def credential(self, fields: Mapping[str, Any]) -> str:
        """`Basic email:token`, or `Bearer token`."""
        token = fields["api_token"]
        return f"Basic {fields['email']}:{token}" if fields["email"] else f"Bearer {token}"

    def presented(self, request: Request) -> str | None:
        """The `Authorization` header, decoded."""
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return f"Bearer {value}"
        if scheme.lower() != "basic":
            return None
        try:
            return "Basic " + base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None

    def new_account_id(self) -> str:
        """As Atlassian's are: opaque, with a colon."""
        return f"557058:{uuid.uuid4()}"

    def new_ticket_id(self, fields: Mapping[str, Any]) -> str:
        """The issue's key."""
        return f"{fields['project']}-{self.next_number() - 10_000}"

    def refusal(self, status: int) -> Response:
        """Jira's error body."""
        headers = {"Retry-After": "10", "RateLimit-Reason": "jira-burst-based"} if status == 429 else {}
        return _error(status, _WORDS.get(status, f"Jira refuses with {status}."), headers)

    def webhook_body(self, event: Event, ticket: PretendTicket, webhook: Webhook) -> dict[str, Any]:
        """What an admin webhook says. Its body is fixed: a tenant id has no place in it."""
        del webhook
        moment = ticket.created_at if event == "created" else ticket.resolved_at or ticket.updated_at
        users = {"created": _REPORTER, "resolved": _AGENT, "noted": ticket.notes[-1].author if ticket.notes else ""}
        done = [
            {"field": "resolution", "fieldId": "resolution", "from": None, "to": "10000", "toString": "Done"},
            {"field": "status", "fieldId": "status", "from": "1", "to": "10001", "toString": self.resolved_status},
        ]
        return {
            "timestamp": int(moment.timestamp() * 1000),
            "webhookEvent": f"jira:issue_{'created' if event == 'created' else 'updated'}",
            "issue_event_type_name": _EVENT_TYPES[event],
            "user": self._user(users[event], ticket),
            "issue": self._issue_json(ticket, api=2),
            "changelog": {"id": _number(ticket), "items": done if event == "resolved" else []},
        }

    def webhook_headers(self, raw: bytes, webhook: Webhook) -> dict[str, str]:
        """The body signed, as with an admin webhook that has a secret."""
        signature = hmac.new(webhook.secret.encode(), raw, hashlib.sha256).hexdigest()
        return {
            "Content-Type": "application/json; charset=UTF-8",
            "User-Agent": "Atlassian Webhook HTTP Client",
            "X-Hub-Signature": f"sha256={signature}",
            "X-Atlassian-Webhook-Identifier": str(uuid.uuid4()),
            "X-Atlassian-Webhook-Flow": "Primary",
        }

    def _json_only(self, handler: Handler) -> Handler:
        """The handler, for clients that take JSON."""

        async def checked(call: Call) -> Response:
            accepted = {part.split(";")[0].strip() for part in call.request.headers.get("Accept", "*/*").split(",")}
            return await handler(call) if accepted & _JSON else self.refusal(406)

        return checked

    async def _get_issue(self, call: Call) -> Response:
        ticket = self._ticket(call)
        if ticket is None:
            return self.refusal(404)
        issue = self._issue_json(ticket, api=3)
        wanted = call.request.query_params.get("fields")
        if wanted and wanted != "*all":
            issue["fields"] = {name: value for name, value in issue["fields"].items() if name in wanted.split(",")}
        return JSONResponse(issue)

    async def _add_comment(self, call: Call) -> Response:
        ticket = self._ticket(call)
        if ticket is None:
            return self.refusal(404)
        if call.request.headers.get("Content-Type", "").split(";")[0].strip() != "application/json":
            return self.refusal(415)
        try:
            comment = json.loads(call.body)
        except ValueError:
            comment = None
        if not _is_comment(comment):
            return _error(400, "INVALID_INPUT")
        if len(json.dumps(comment["body"], ensure_ascii=False, separators=(",", ":"))) > MAX_COMMENT:
            return _field_error(
                "comment", "The entered text is too long. It exceeds the allowed limit of 32,767 characters."
            )
        if ticket.closed:
            return _error(400, "You do not have the permission to comment on this issue.")
        visibility = comment.get("visibility")
        if visibility is not None and (visibility.get("type") != "role" or visibility.get("value") not in ROLES):
            role = visibility.get("value")
            return _field_error("commentLevel", f"You are currently not a member of the project role: {role}.")
        # Only an internal comment is hidden from a service project's customers; elsewhere only a role hides anything.
        internal = _INTERNAL in comment.get("properties", [])
        private = internal if _project_type(ticket) == "service_desk" else visibility is not None
        note = self.store_note(
            call, ticket, comment["body"], private=private, extra={"visibility": visibility} if visibility else None
        )
        return JSONResponse(self._comment_json(ticket, note), status_code=201)

    async def _list_comments(self, call: Call) -> Response:
        ticket = self._ticket(call)
        if ticket is None:
            return self.refusal(404)
        query = call.request.query_params
        try:
            start = int(query.get("startAt", "0"))
            size = min(int(query.get("maxResults", str(PAGE))), PAGE)
        except ValueError:
            return self.refusal(404)
        order = query.get("orderBy", "created")
        if order.lstrip("+-") != "created":
            return _error(400, "orderBy: unknown field.")
        comments = sorted(
            self._comments(ticket), key=lambda note: (note.created_at, int(note.id)), reverse=order.startswith("-")
        )
        return JSONResponse(
            {
                "startAt": start,
                "maxResults": size,
                "total": len(comments),
                "comments": [self._comment_json(ticket, note) for note in comments[start : start + size]],
            }
        )

    async def _delete_comment(self, call: Call) -> Response:
        ticket = self._ticket(call)
        if ticket is None:
            return self.refusal(404)
        for note in ticket.notes:
            if note.id == call.parameter("comment"):
                ticket.notes.remove(note)
                return Response(status_code=204)
        return _error(404, "Can not find a comment for the id: " + call.parameter("comment"))

    async def _myself(self, call: Call) -> Response:
        return JSONResponse({**_account(call.account, "Deskhand"), "active": True})

    def _ticket(self, call: Call) -> PretendTicket | None:
        return self.tickets.get(call.parameter("key").upper())

    def _comments(self, ticket: PretendTicket) -> Iterable[PretendNote]:
        """The notes, and what the agent wrote on resolving: Jira keeps it as a comment, it has no other place."""
        yield from ticket.notes
        if ticket.resolved_at is not None:
            document = {"type": "doc", "version": 1, "content": [_paragraph(ticket.resolution)]}
            yield PretendNote(f"9{_number(ticket)}", document, False, _AGENT, ticket.resolved_at)

    def _issue_json(self, ticket: PretendTicket, api: Literal[2, 3]) -> dict[str, Any]:
        """The issue: wiki markup in version 2, which webhooks have; ADF and comments in version 3."""
        key = ticket.id.split("-")[0]
        number = _number(ticket)
        done = ticket.status in (self.resolved_status, self.closed_status)
        fields: dict[str, Any] = {
            "summary": ticket.subject,
            "description": ticket.description or None,
            "project": {"id": "10000", "key": key, "name": key, "projectTypeKey": PROJECT_TYPES[key]},
            "issuetype": {"id": "10001", "name": "[System] Incident"},
            "status": {
                "name": ticket.status,
                "statusCategory": {"key": "done", "name": "Done"} if done else {"key": "new", "name": "To Do"},
            },
            "resolution": {"id": "10000", "name": "Done"} if ticket.resolved_at is not None else None,
            "resolutiondate": _time(ticket.resolved_at) if ticket.resolved_at is not None else None,
            "created": _time(ticket.created_at),
            "updated": _time(ticket.updated_at),
            "reporter": self._user(_REPORTER, ticket),
            "labels": [],
            "components": [],
        }
        if ticket.priority is not None:
            fields["priority"] = {"id": "3", "name": ticket.priority}
        if api == 3:
            fields["description"] = _document(ticket.description) if ticket.description else None
            comments = [self._comment_json(ticket, note) for note in self._comments(ticket)]
            fields["comment"] = {
                "comments": comments,
                "total": len(comments),
                "maxResults": len(comments),
                "startAt": 0,
            }
        return {
            "id": number,
            "self": f"{self.origin}/rest/api/{api}/issue/{number}",
            "key": ticket.id,
            "fields": fields,
        }

    def _comment_json(self, ticket: PretendTicket, note: PretendNote) -> dict[str, Any]:
        comment = {
            "self": f"{self.origin}/rest/api/3/issue/{_number(ticket)}/comment/{note.id}",
            "id": note.id,
            "author": self._user(note.author, ticket),
            "body": note.body,
            "created": _time(note.created_at),
            "updated": _time(note.created_at),
            # True outside service projects, whatever was asked.
            "jsdPublic": not note.private or _project_type(ticket) != "service_desk",
        }
        if note.private and "visibility" in note.extra:
            comment["visibility"] = note.extra["visibility"]
        return comment

    def _user(self, account_id: str, ticket: PretendTicket) -> dict[str, Any]:
        names = {_REPORTER: ticket.requester, _AGENT: "Sam Agent"}
        return _account(account_id, names.get(account_id, "Deskhand"))


def _account(account_id: str, name: str) -> dict[str, Any]:
    return {"accountId": account_id, "accountType": "atlassian", "displayName": name}


def _project_type(ticket: PretendTicket) -> str:
    return PROJECT_TYPES[ticket.id.split("-")[0]]


def _number(ticket: PretendTicket) -> str:
    """The issue's numeric id, which Jira has beside the key."""
    return str(10_000 + int(ticket.id.split("-")[1]))


def _time(moment: datetime) -> str:
    """As Jira writes times: milliseconds, and an offset without a colon."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000"


def _document(text: str) -> dict[str, Any]:
    lines = [line for line in text.splitlines() if line.strip()]
    return {"type": "doc", "version": 1, "content": [_paragraph(line) for line in lines]}


def _paragraph(text: str) -> dict[str, Any]:
    return {"type": "paragraph", "content": [{"type": "text", "text": text}] if text else []}


def _is_comment(comment: object) -> TypeGuard[dict[str, Any]]:
    return (
        isinstance(comment, dict)
        and _is_adf(comment.get("body"))
        and isinstance(comment.get("properties", []), list)
        and isinstance(comment.get("visibility"), dict | None)
    )


def _is_adf(document: object) -> bool:
    """Whether it is roughly an ADF document: typed nodes all the way down, and no empty text."""
    if not isinstance(document, dict) or document.get("type") != "doc" or document.get("version") != 1:
        return False
    waiting = [document]
    while waiting:
        node = waiting.pop()
        content = node.get("content", [])
        if not isinstance(node.get("type"), str) or not isinstance(content, list):
            return False
        if node["type"] == "text" and not (isinstance(node.get("text"), str) and node["text"]):
            return False
        if not all(isinstance(child, dict) for child in content):
            return False
        waiting.extend(content)
    return isinstance(document.get("content"), list)


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"errorMessages": [message], "errors": {}}, status_code=status, headers=headers)


def _field_error(field: str, message: str) -> Response:
    return JSONResponse({"errorMessages": [], "errors": {field: message}}, status_code=400)
