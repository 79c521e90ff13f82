"""What the pretend Zendesk says in JSON: tickets, comments, refusals and webhooks, as Zendesk Support words them."""

import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import nh3
from starlette.responses import JSONResponse, PlainTextResponse, Response

from plugins.conformance.pretend.model import Event, PretendNote, PretendTicket
from plugins.rendering import html_to_text

MAX_BODY_BYTES = 65_536
"""Zendesk cuts a comment here without a word."""

REQUESTER_ID = 901
AGENT_ID = 902

_PLACEHOLDER = re.compile(r"\{\{\s*([\w.]*).*?\}\}", re.DOTALL)
_TAG = re.compile(r"\{%.*?%\}", re.DOTALL)
_EVENTS: Mapping[Event, str] = {
    "created": "ticket.created",
    "resolved": "ticket.status_changed",
    "noted": "ticket.comment_added",
}


def iso(moment: datetime) -> str:
    """A moment as Zendesk spells it, in whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def stored_html(html: str, ticket: PretendTicket) -> str:
    """A comment as Zendesk keeps it: placeholders filled in, sanitised, and cut."""
    fields = {"ticket.id": ticket.id, "ticket.title": ticket.subject, "ticket.requester.name": ticket.requester}
    filled = _PLACEHOLDER.sub(lambda match: fields.get(match[1], ""), _TAG.sub("", html))
    return nh3.clean(filled).encode()[:MAX_BODY_BYTES].decode(errors="ignore")


def ticket_body(ticket: PretendTicket, origin: str) -> dict[str, Any]:
    """A ticket in the API."""
    return {
        "id": int(ticket.id),
        "url": f"{origin}/api/v2/tickets/{ticket.id}.json",
        "subject": ticket.subject,
        "raw_subject": ticket.subject,
        "description": ticket.description,
        "priority": ticket.priority.lower() if ticket.priority else None,
        "status": ticket.status,
        "type": "incident",
        "tags": [],
        "requester_id": REQUESTER_ID,
        "created_at": iso(ticket.created_at),
        "updated_at": iso(ticket.updated_at),
    }


def comment_body(note: PretendNote) -> dict[str, Any]:
    """A comment in the API."""
    html = str(note.body)
    return {
        "id": int(note.id),
        "type": "Comment",
        "author_id": int(note.author),
        "public": not note.private,
        "html_body": html,
        "plain_body": html_to_text(html),
        "created_at": iso(note.created_at),
    }


def comments_of(ticket: PretendTicket) -> list[dict[str, Any]]:
    """A ticket's comments, oldest first: the description, the notes, and what the agent wrote on solving it."""
    html = stored_html(ticket.description, ticket)
    said = [PretendNote(f"{ticket.id}0", html, False, str(REQUESTER_ID), ticket.created_at), *ticket.notes]
    if ticket.resolved_at is not None:  # Zendesk has no other place for it
        solution = stored_html(ticket.resolution, ticket)
        said.append(PretendNote(f"{ticket.id}9", solution, False, str(AGENT_ID), ticket.resolved_at))
    return [comment_body(note) for note in said]


def page_of(rows: list[dict[str, Any]], name: str, query: Mapping[str, str], url: str) -> Response:
    """A page of a list, by cursor."""
    size, begin = query.get("page[size]", "100"), query.get("page[after]", "0")
    if not (size.isdigit() and begin.isdigit() and 1 <= int(size) <= 100):
        error = {"title": "Invalid parameter", "message": "page[size] must be between 1 and 100"}
        return JSONResponse({"error": error}, status_code=400)
    end = int(begin) + int(size)
    more = end < len(rows)
    link = f"{url}?page[size]={size}&page[after]={end}" if more else None
    meta = {"has_more": more, "after_cursor": str(end) if more else None}
    return JSONResponse({name: rows[int(begin) : end], "meta": meta, "links": {"next": link}})


def refusal(status: int) -> Response:
    """Zendesk's shapes: a code with a description, a title with a message, or, for 429, plain text."""
    match status:
        case 401:
            return JSONResponse({"error": "Couldn't authenticate you"}, status_code=401)
        case 403:
            words = "You do not have access to this page. Please contact the account owner of this help desk."
            return JSONResponse({"error": {"title": "Forbidden", "message": words}}, status_code=403)
        case 404:
            return JSONResponse({"error": "RecordNotFound", "description": "Not found"}, status_code=404)
        case 409:
            words = "Safe Update prevented the update due to outdated ticket data"
            return JSONResponse({"error": "UpdateConflict", "description": words}, status_code=409)
        case 422:
            return invalid("comment", "Comment: is not acceptable")
        case 429:
            return PlainTextResponse("Number of allowed API requests per minute exceeded", status_code=429)
        case _:
            error = {"title": f"Error {status}", "message": "There was a problem with your request"}
            return JSONResponse({"error": error}, status_code=status)


def invalid(field: str, words: str) -> Response:
    """The refusal of what a record would not take."""
    body = {
        "error": "RecordInvalid",
        "description": "Record validation errors",
        "details": {field: [{"description": words}]},
    }
    return JSONResponse(body, status_code=422)


def event_body(event: Event, ticket: PretendTicket) -> dict[str, Any]:
    """What a webhook says that is subscribed to events: Zendesk's own words."""
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
            "actor_id": ticket.notes[-1].author if event == "noted" else str(REQUESTER_ID),
            "id": ticket.id,
            "subject": ticket.subject,
            "description": ticket.description,
            "priority": ticket.priority.upper() if ticket.priority else None,
            "status": ticket.status.upper(),
            "is_public": True,
            "requester_id": str(REQUESTER_ID),
            "tags": [],
            "type": "INCIDENT",
            "created_at": iso(ticket.created_at),
            "updated_at": iso(ticket.updated_at),
            "via": {"channel": "web_service"},
        },
    }


def trigger_body(event: Event, ticket: PretendTicket, tenant_id: str) -> dict[str, Any]:
    """What a trigger's webhook says: the words are the admin's, the values what placeholders make of the ticket."""
    return {
        "tenant_id": tenant_id,
        "event": f"ticket_{event}",
        "ticket_id": ticket.id,
        "subject": ticket.subject,
        "description": ticket.description,
        # Title case, and an empty string where there is none.
        "priority": ticket.priority.title() if ticket.priority else "",
        "created_at": iso(ticket.created_at),
        "updated_at": iso(ticket.updated_at),
    }
