"""The JSON that a pretend Jira speaks: issues, comments, refusals, and what its webhooks and Automation rules send.

In the form of Atlassian's OpenAPI document of the platform API v3 (2025-12) and its pages "Webhooks" and "Issue data
(Automation format)"; the gateway's refusals, and Jira's words in refusals of comments, are as users have reported them.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, Literal, TypeGuard

from starlette.responses import JSONResponse, Response

from plugins.conformance.pretend.model import PretendNote, PretendTicket, Webhook
from plugins.rendering import adf_to_text

PROJECT_TYPES = {"HELP": "service_desk", "SW": "software"}
DONE_STATUSES = frozenset({"Done", "Closed"})
REPORTER = "557058:requester"
AGENT = "557058:agent"
INDIA = timezone(timedelta(hours=5, minutes=30))
"""Where Automation's times come from in Atlassian's example: each site has a time zone of its own."""


def project_type(ticket: PretendTicket) -> str:
    """The `projectTypeKey` of the ticket's project."""
    return PROJECT_TYPES[ticket.id.split("-")[0]]


def number(ticket: PretendTicket) -> str:
    """The issue's numeric id, which Jira has beside the key."""
    return str(10_000 + int(ticket.id.split("-")[1]))


def user(account_id: str, ticket: PretendTicket | None = None) -> dict[str, Any]:
    """Whoever it is: the requester, the agent who resolves, or an account of ours."""
    names = {REPORTER: ticket.requester if ticket else "", AGENT: "Sam Agent"}
    return {"accountId": account_id, "accountType": "atlassian", "displayName": names.get(account_id, "Deskhand")}


def issue(ticket: PretendTicket, api: str, *, zone: tzinfo = UTC) -> dict[str, Any]:
    """The issue without what differs between the versions of the API. `api` is the address before `/issue`."""
    key = ticket.id.split("-")[0]
    done = ticket.status in DONE_STATUSES
    category = {"id": 3, "key": "done", "name": "Done"} if done else {"id": 2, "key": "new", "name": "To Do"}
    resolved = ticket.resolved_at is not None
    fields: dict[str, Any] = {
        "summary": ticket.subject,
        "description": ticket.description or None,
        "project": {"id": "10000", "key": key, "name": key, "projectTypeKey": project_type(ticket)},
        "issuetype": {"id": "10001", "name": "[System] Incident"},
        "status": {"name": ticket.status, "statusCategory": category},
        "resolution": {"id": "10000", "name": "Done"} if resolved else None,
        "resolutiondate": _time(ticket.resolved_at, zone) if ticket.resolved_at else None,
        "created": _time(ticket.created_at, zone),
        "updated": _time(ticket.updated_at, zone),
        "reporter": user(REPORTER, ticket),
        "labels": [],
        "components": [],
    }
    if ticket.priority is not None:
        fields["priority"] = {"id": "3", "name": ticket.priority}
    return {"id": number(ticket), "self": f"{api}/issue/{number(ticket)}", "key": ticket.id, "fields": fields}


def rest_issue(ticket: PretendTicket, api: str) -> dict[str, Any]:
    """The issue as version 3 of the API has it: texts in ADF, and its comments."""
    body = issue(ticket, api)
    shown = [comment(ticket, note, api) for note in comments(ticket)]
    body["fields"] |= {
        "description": document(ticket.description) if ticket.description else None,
        "comment": {"comments": shown, "total": len(shown), "maxResults": len(shown), "startAt": 0},
    }
    return body


def comments(ticket: PretendTicket) -> Iterable[PretendNote]:
    """The notes, and what the agent wrote on resolving: Jira keeps it as a comment, it has no other place."""
    yield from ticket.notes
    if ticket.resolved_at is not None:
        yield PretendNote(f"9{number(ticket)}", document(ticket.resolution), False, AGENT, ticket.resolved_at)


def comment(ticket: PretendTicket, note: PretendNote, api: str) -> dict[str, Any]:
    """A comment as version 3 of the API has it."""
    body = {
        "self": f"{api}/issue/{number(ticket)}/comment/{note.id}",
        "id": note.id,
        "author": user(note.author, ticket),
        "updateAuthor": user(note.author, ticket),
        "body": note.body,
        "created": _time(note.created_at),
        "updated": _time(note.created_at),
        # True outside service projects, whatever was asked.
        "jsdPublic": not note.private or project_type(ticket) != "service_desk",
    }
    if note.private and "visibility" in note.extra:
        body["visibility"] = note.extra["visibility"]
    return body


def native_event(event: Literal["created", "resolved"], ticket: PretendTicket, site: str) -> dict[str, Any]:
    """What an admin webhook tells of an issue: version 2 of the API, with texts in wiki markup."""
    created = event == "created"
    moment = ticket.created_at if created else ticket.resolved_at or ticket.updated_at
    changes = [
        {"field": "resolution", "fieldId": "resolution", "from": None, "to": "10000", "toString": "Done"},
        {"field": "status", "fieldId": "status", "from": "1", "to": "10001", "toString": ticket.status},
    ]
    return {
        "timestamp": int(moment.timestamp() * 1000),
        "webhookEvent": "jira:issue_created" if created else "jira:issue_updated",
        "issue_event_type_name": "issue_created" if created else "issue_resolved",
        "user": user(REPORTER if created else AGENT, ticket),
        "issue": issue(ticket, f"{site}/rest/api/2"),
        "changelog": {"id": number(ticket), "items": [] if created else changes},
    }


def comment_event(ticket: PretendTicket, site: str) -> dict[str, Any]:
    """What an admin webhook tells of the ticket's last note. It has no `user`: the comment says who it was."""
    api = f"{site}/rest/api/2"
    note = ticket.notes[-1]
    text = adf_to_text(note.body) if isinstance(note.body, Mapping) else note.body
    return {
        "timestamp": int(note.created_at.timestamp() * 1000),
        "webhookEvent": "comment_created",
        "comment": {**comment(ticket, note, api), "body": text},
        "issue": issue(ticket, api),
        "eventType": "primaryAction",
    }


def automation_issue(ticket: PretendTicket, site: str) -> dict[str, Any]:
    """What a rule sends as "Issue data (Automation format)": the bare issue, and no word on what happened."""
    body = issue(ticket, f"{site}/rest/api/2", zone=INDIA)
    none = {"startAt": 0, "maxResults": 0, "total": 0, "histories": None}
    return {**body, "id": int(body["id"]), "changelog": none}


def automation_custom(event: str, ticket: PretendTicket, webhook: Webhook, actor: str) -> dict[str, Any]:
    """What a rule sends as "Custom data", with a template as Deskhand understands it."""
    body = {"event": event, "ticket_id": ticket.id, "actor_id": actor}
    return body if webhook.tenant_id is None else {"tenant_id": webhook.tenant_id, **body}


def document(text: str) -> dict[str, Any]:
    """Plain text as an ADF document."""
    lines = [line for line in text.splitlines() if line.strip()]
    paragraphs = [{"type": "paragraph", "content": [{"type": "text", "text": line}]} for line in lines]
    return {"type": "doc", "version": 1, "content": paragraphs}


def is_comment(body: object) -> TypeGuard[dict[str, Any]]:
    """Whether it is a comment as Jira takes one."""
    return (
        isinstance(body, dict)
        and _is_adf(body.get("body"))
        and isinstance(body.get("properties", []), list)
        and isinstance(body.get("visibility"), dict | None)
    )


def _is_adf(node: object) -> bool:
    """Whether it is roughly an ADF document: typed nodes all the way down, and no empty text."""
    if not isinstance(node, dict) or node.get("type") != "doc" or node.get("version") != 1:
        return False
    waiting = [node]
    while waiting:
        part = waiting.pop()
        content = part.get("content", [])
        if not isinstance(part.get("type"), str) or not isinstance(content, list):
            return False
        if part["type"] == "text" and not (isinstance(part.get("text"), str) and part["text"]):
            return False
        if not all(isinstance(child, dict) for child in content):
            return False
        waiting.extend(content)
    return isinstance(node.get("content"), list)


def error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Jira's refusal."""
    return JSONResponse({"errorMessages": [message], "errors": {}}, status_code=status, headers=headers)


def field_error(field: str, message: str) -> Response:
    """Jira's refusal of one field."""
    return JSONResponse({"errorMessages": [], "errors": {field: message}}, status_code=400)


def gateway_error(status: int, message: str) -> Response:
    """The gateway's refusal: the request never reached a site."""
    return JSONResponse({"code": status, "message": message}, status_code=status)


def _time(moment: datetime, zone: tzinfo = UTC) -> str:
    """As Jira writes times: milliseconds, and an offset without a colon."""
    local = moment.astimezone(zone)
    return local.strftime("%Y-%m-%dT%H:%M:%S.") + f"{local.microsecond // 1000:03d}" + local.strftime("%z")
