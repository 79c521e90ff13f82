"""A pretend Jira Cloud site, by itself and behind Atlassian's gateway.

It has a service project (`HELP`) and a software project (`SW`), and answers as Atlassian's OpenAPI document of the
platform API v3 (2025-12) has it. Each kind of token counts at its own address alone: classic API tokens at the site,
those with scopes and OAuth's at the gateway.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import timedelta, timezone
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from deskhand.pretend import jira_bodies as bodies
from deskhand.pretend.jira_search import page_of_issues
from plugins.conformance.pretend.model import Event, PretendTicket, Webhook
from plugins.conformance.pretend.vendor import Call, Handler, NewTicket, Operation, PretendVendor

CLOUD_ID = "11223344-a1b2-3c33-d4d4-1234567890ab"
GATEWAY = f"/ex/jira/{CLOUD_ID}"
ROLES = ("Administrators", "Developers", "Service Desk Team")
MAX_COMMENT = 32_767
PAGE = 100

_INTERNAL = {"key": "sd.public.comment", "value": {"internal": True}}
_JSON = {"application/json", "application/*", "*/*"}
_WORDS = {
    401: "Client must be authenticated to access this resource.",
    403: "You do not have permission to access this resource.",
    404: "Issue does not exist or you do not have permission to see it.",
    413: "The issue has reached the limit of comments.",
    429: "Rate limit exceeded.",
}
_NO_COMMENT = {
    "en": "Deskhand, you do not have the permission to comment on this issue.",
    "de": "Deskhand, Sie haben keine Berechtigung, diesen Vorgang zu kommentieren.",
}
_at_gateway: ContextVar[bool] = ContextVar("_at_gateway", default=False)


class JiraAccount(BaseModel):
    """What `POST /_pretend/accounts` takes."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    kind: Literal["classic", "scoped", "oauth"] = "classic"
    """Of the token. OAuth's is sent as Bearer, the others as Basic with the e-mail address."""
    email: str = Field(default="deskhand@acme.example", min_length=3)
    api_token: str = Field(default_factory=lambda: secrets.token_urlsafe(18), min_length=1)
    standing: Literal["agent", "collaborator", "customer"] = "agent"
    """In service projects. What a customer writes is public, whatever is asked for: Atlassian does not say what
    happens then, and the worst is assumed."""
    roles: tuple[str, ...] = ROLES
    """The project roles that the account is in."""
    may_browse: bool = True
    may_comment: bool = True
    may_delete: bool = True
    """Its own comments."""
    language: Literal["en", "de"] = "en"
    utc_offset_hours: int = Field(default=0, ge=-12, le=14)
    """Of the time zone in its profile, in which dates of a search are read."""
    visibility_role: str | None = None
    """Goes into the connection, as the operator's choice."""


class NewIssue(NewTicket):
    """What `POST /_pretend/tickets` takes."""

    project: Literal["HELP", "SW"] = "HELP"


class PretendJira(PretendVendor):
    """Jira Cloud, as far as Deskhand touches it."""

    title = "Jira"
    tool_type = "jira"
    account_model = JiraAccount
    editions: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "classic": {},
            "scoped": {"kind": "scoped"},
            "oauth": {"kind": "oauth"},
            # For projects that are no service projects.
            "software": {"visibility_role": "Service Desk Team"},
        }
    )
    ticket_fields: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType({"software": {"project": "SW"}})
    ticket_model: ClassVar[type[NewTicket]] = NewIssue
    events = frozenset({"created", "resolved", "noted"})
    ticket_path = "/browse/{id}"
    open_status = "Open"
    resolved_status = "Done"
    closed_status = "Closed"

    def __init__(self, origin: str) -> None:
        super().__init__(origin)
        self.knows_agents = True
        """Whether it has Jira Service Management. Otherwise it does not know the permission to be an agent."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI)."""
        # The gateway refuses tokens in a form of its own, and `refusal` is not told where the request went.
        _at_gateway.set(scope.get("path", "").startswith("/ex/"))
        await super().__call__(scope, receive, send)

    def operations(self) -> Sequence[Operation]:
        """The REST API v3, at the site and behind the gateway."""
        return [
            *self._api(""),
            *self._api(GATEWAY),
            Operation("other", "GET", "/_edge/tenant_info", self._tenant_info, public=True),
            *(
                Operation("other", method, "/ex/{path:path}", self._no_such_cloud, public=True)
                for method in ("GET", "POST", "DELETE")
            ),
        ]

    def _api(self, place: str) -> Sequence[Operation]:
        api = f"{place}/rest/api/3"
        issue = f"{api}/issue/{{key}}"
        return [
            Operation("get_ticket", "GET", issue, self._json_only(self._get_issue)),
            Operation("list_tickets", "GET", f"{api}/search/jql", self._json_only(self._search)),
            Operation("other", "GET", f"{api}/search", self._search_that_was),
            Operation("post_note", "POST", f"{issue}/comment", self._json_only(self._add_comment)),
            Operation("list_notes", "GET", f"{issue}/comment", self._json_only(self._list_comments)),
            Operation("retract_note", "DELETE", f"{issue}/comment/{{comment}}", self._delete_comment),
            Operation("other", "GET", f"{api}/myself", self._json_only(self._myself)),
            Operation("other", "GET", f"{api}/mypermissions", self._json_only(self._permissions)),
            Operation("other", "GET", f"{api}/serverInfo", self._json_only(self._server_info)),
        ]

    def credential(self, fields: Mapping[str, Any]) -> str:
        """Where the token counts, and how it is presented."""
        if fields["kind"] == "oauth":
            return f"gateway Bearer {fields['api_token']}"
        place = "site" if fields["kind"] == "classic" else "gateway"
        return f"{place} Basic {fields['email']}:{fields['api_token']}"

    def presented(self, request: Request) -> str | None:
        """The `Authorization` header, decoded, and where it was presented."""
        place = "gateway" if request.url.path.startswith(f"{GATEWAY}/") else "site"
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return f"{place} Bearer {value}"
        if scheme.lower() != "basic":
            return None
        try:
            return f"{place} Basic " + base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None

    def connection(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The site's address for a classic token, the gateway's for the others; no e-mail address for OAuth's."""
        given: dict[str, Any] = {"base_url": self.origin, "api_token": fields["api_token"]}
        if fields["kind"] != "classic":
            given |= {"base_url": self.origin + GATEWAY, "site_url": self.origin}
        if fields["kind"] != "oauth":
            given["email"] = fields["email"]
        if fields["visibility_role"] is not None:
            given["visibility_role"] = fields["visibility_role"]
        return given

    def new_account_id(self) -> str:
        """As Atlassian's are: opaque, with a colon."""
        return f"557058:{uuid.uuid4()}"

    def new_ticket_id(self, fields: Mapping[str, Any]) -> str:
        """The issue's key."""
        return f"{fields['project']}-{self.next_number() - 10_000}"

    def refusal(self, status: int) -> Response:
        """Jira's error body; of a token that is refused at the gateway, the gateway's."""
        if status == 401 and _at_gateway.get():
            return bodies.gateway_error(401, "Unauthorized")
        headers = {"Retry-After": "10", "RateLimit-Reason": "jira-burst-based"} if status == 429 else {}
        return bodies.error(status, _WORDS.get(status, f"Jira refuses with {status}."), headers)

    def webhook_body(self, event: Event, ticket: PretendTicket, webhook: Webhook) -> dict[str, Any]:
        """What an admin webhook says, whose body has no place for a tenant id; under `header`, what a rule sends."""
        if webhook.scheme == "header":
            if event == "noted":
                return bodies.automation_custom("comment_added", ticket, webhook, ticket.notes[-1].author)
            return bodies.automation_issue(ticket, self.origin)
        return (
            bodies.comment_event(ticket, self.origin)
            if event == "noted"
            else bodies.native_event(event, ticket, self.origin)
        )

    def webhook_headers(self, raw: bytes, webhook: Webhook) -> dict[str, str]:
        """The body signed, as with an admin webhook that has a secret; under `header` a rule's own header."""
        if webhook.scheme == "header":
            return {"X-Deskhand-Secret": webhook.secret}
        signature = hmac.new(webhook.secret.encode(), raw, hashlib.sha256).hexdigest()
        return {
            "Content-Type": "application/json; charset=UTF-8",
            "User-Agent": "Atlassian Webhook HTTP Client",
            "X-Hub-Signature": f"sha256={signature}",
            "X-Atlassian-Webhook-Identifier": str(uuid.uuid4()),
            "X-Atlassian-Webhook-Flow": "Primary",
        }

    def covers_body(self, scheme: str | None) -> bool:
        """A rule's header covers nothing."""
        return scheme != "header"

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
        issue = bodies.rest_issue(ticket, self._address(call))
        wanted = call.request.query_params.get("fields")
        if wanted and wanted != "*all":
            issue["fields"] = {name: value for name, value in issue["fields"].items() if name in wanted.split(",")}
        return JSONResponse(issue)

    async def _search(self, call: Call) -> Response:
        account = call.caller.fields
        seen = self.tickets.values() if account["may_browse"] else ()
        zone = timezone(timedelta(hours=account["utc_offset_hours"]))
        found = page_of_issues(seen, call.request.query_params, zone=zone, api=self._address(call))
        return found if isinstance(found, Response) else JSONResponse(found)

    async def _search_that_was(self, call: Call) -> Response:
        del call
        return bodies.error(410, "The requested API has been removed. Please migrate to /rest/api/3/search/jql.")

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
        if not bodies.is_comment(comment):
            return bodies.error(400, "INVALID_INPUT")
        if len(json.dumps(comment["body"], ensure_ascii=False, separators=(",", ":"))) > MAX_COMMENT:
            return bodies.field_error(
                "comment", "The entered text is too long. It exceeds the allowed limit of 32,767 characters."
            )
        account = call.caller.fields
        if ticket.closed or not account["may_comment"]:
            return bodies.error(400, _NO_COMMENT[_language(call)])
        visibility = comment.get("visibility")
        if visibility is not None and (
            visibility.get("type") != "role" or visibility.get("value") not in {*ROLES} & {*account["roles"]}
        ):
            return bodies.field_error(
                "commentLevel", f"You are currently not a member of the project role: {visibility.get('value')}."
            )
        # Only an internal comment is hidden from a service project's customers; elsewhere only a role hides anything.
        internal = _INTERNAL in comment.get("properties", []) and account["standing"] != "customer"
        private = internal if bodies.project_type(ticket) == "service_desk" else visibility is not None
        note = self.store_note(
            call, ticket, comment["body"], private=private, extra={"visibility": visibility} if visibility else None
        )
        return JSONResponse(bodies.comment(ticket, note, self._address(call)), status_code=201)

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
            return bodies.error(400, "orderBy: unknown field.")
        comments = sorted(
            bodies.comments(ticket), key=lambda note: (note.created_at, int(note.id)), reverse=order.startswith("-")
        )
        page = [bodies.comment(ticket, note, self._address(call)) for note in comments[start : start + size]]
        return JSONResponse({"startAt": start, "maxResults": size, "total": len(comments), "comments": page})

    async def _delete_comment(self, call: Call) -> Response:
        ticket = self._ticket(call)
        if ticket is None:
            return self.refusal(404)
        wanted = call.parameter("comment")
        for note in ticket.notes:
            if note.id == wanted:
                if not call.caller.fields["may_delete"] or note.author != call.account:
                    return bodies.error(400, f"You do not have permission to delete comment with id: {wanted}")
                ticket.notes.remove(note)
                return Response(status_code=204)
        return bodies.error(404, f"Can not find a comment for the id: {wanted}.")

    async def _myself(self, call: Call) -> Response:
        return JSONResponse({**bodies.user(call.account), "active": True})

    async def _permissions(self, call: Call) -> Response:
        asked = call.request.query_params.get("permissions")
        if not asked:
            return bodies.error(400, "The 'permissions' query parameter is required.")
        account = call.caller.fields
        held = {
            "BROWSE_PROJECTS": account["may_browse"],
            "ADD_COMMENTS": account["may_comment"],
            "DELETE_OWN_COMMENTS": account["may_delete"],
        }
        if self.knows_agents:
            held["SERVICEDESK_AGENT"] = account["standing"] == "agent"
        keys = asked.split(",")
        if unknown := [key for key in keys if key not in held]:
            return bodies.error(400, f"Unrecognized permissions: {', '.join(unknown)}")
        shown = {key: {"key": key, "type": "PROJECT", "havePermission": held[key]} for key in keys}
        return JSONResponse({"permissions": shown})

    async def _server_info(self, call: Call) -> Response:
        del call
        return JSONResponse({"baseUrl": self.origin, "deploymentType": "Cloud", "serverTitle": "Jira"})

    async def _tenant_info(self, call: Call) -> Response:
        del call
        return JSONResponse({"cloudId": CLOUD_ID})

    async def _no_such_cloud(self, call: Call) -> Response:
        del call
        return bodies.gateway_error(404, "Not Found")

    def _ticket(self, call: Call) -> PretendTicket | None:
        """The issue, if there is one that the account may see."""
        return self.tickets.get(call.parameter("key").upper()) if call.caller.fields["may_browse"] else None

    def _address(self, call: Call) -> str:
        """What links in answers begin with: they lead to where the request went."""
        place = GATEWAY if call.request.url.path.startswith(f"{GATEWAY}/") else ""
        return f"{self.origin}{place}/rest/api/3"


def _language(call: Call) -> str:
    """Of the words in a refusal: the account's own, unless the request forces another."""
    forced = call.request.headers.get("X-Force-Accept-Language") == "true"
    asked = call.request.headers.get("Accept-Language", "")[:2]
    return asked if forced and asked in _NO_COMMENT else str(call.caller.fields["language"])
