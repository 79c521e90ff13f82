"""The JSON of a pretend ServiceDesk Plus, as the API v3 has it."""

import json
from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import parse_qs

from starlette.responses import JSONResponse, Response

from plugins.conformance.pretend.model import PretendNote, PretendTicket

FORM = "application/x-www-form-urlencoded"

CODES = {
    400: (4001, "Invalid input"),
    401: (4022, "Invalid API key"),
    403: (4002, "You are not allowed to do this"),
    404: (4007, "Invalid URL or resource not found"),
    429: (4015, "The maximum number of requests has been exceeded"),
    500: (4004, "Internal error"),
}
"""HTTP status to code: the vendor's page "Common error codes". The words are ours."""

_SUCCESS = {"status_code": 2000, "status": "success"}


def succeeded(body: Mapping[str, Any], status: int = 200) -> Response:
    """A success, with its `response_status`."""
    return JSONResponse({**body, "response_status": _SUCCESS}, status_code=status)


def failed(status: int, code: int | None, words: str, field: str | None = None) -> Response:
    """A failure. The precise code is in `messages`; the outer one says only that something failed."""
    message: dict[str, Any] = {"type": "failed", "message": words}
    message |= {"status_code": code} if code else {}
    message |= {"field": field} if field else {}
    body = {"response_status": {"status_code": 4000, "status": "failed", "messages": [message]}}
    return JSONResponse(body, status_code=status)


def page_of(name: str, rows: list[dict[str, Any]], list_info: Mapping[str, Any]) -> Response:
    """One page of a list, oldest first unless asked otherwise. Lists have their status in a list, too."""
    ordered = rows[::-1] if list_info.get("sort_order") == "desc" else rows
    count, begin = min(int(list_info.get("row_count", 10)), 100), int(list_info.get("start_index", 1))
    page = ordered[begin - 1 : begin - 1 + count]
    more = begin - 1 + count < len(ordered)
    listed = {"has_more_rows": more, "row_count": len(page), "start_index": begin}
    return JSONResponse({name: page, "list_info": listed, "response_status": [_SUCCESS]})


def request_json(ticket: PretendTicket, status: Mapping[str, str]) -> dict[str, Any]:
    """A request."""
    return {
        "id": ticket.id,
        "display_id": ticket.id[-5:],
        "subject": ticket.subject,
        "description": html(ticket.description),
        "priority": {"id": "1", "name": ticket.priority, "color": "#ff0000"} if ticket.priority else None,
        "status": {"id": "1", **status},
        "category": {"id": "1", "name": "General"},
        "requester": {"id": "901", "name": ticket.requester},
        "resolution": {"content": html(ticket.resolution)} if ticket.resolution else None,
        "created_time": time_json(ticket.created_at),
        "last_updated_time": time_json(ticket.updated_at),
        "resolved_time": time_json(ticket.resolved_at) if ticket.resolved_at else None,
        "completed_time": time_json(ticket.updated_at) if ticket.closed else None,
        "has_notes": bool(ticket.notes),
    }


def note_json(note: PretendNote) -> dict[str, Any]:
    """A note."""
    return {
        "id": note.id,
        "description": note.body,
        "show_to_requester": not note.private,
        **note.extra,
        "added_by": {"id": note.author},
        "added_time": time_json(note.created_at),
    }


def input_data(form: str) -> dict[str, Any]:
    """What a form or query has under `input_data`; nothing else is read."""
    try:
        given = json.loads(parse_qs(form).get("input_data", [""])[0])
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}


def html(text: str) -> str:
    """A description as it is stored."""
    return text if text.lstrip().startswith("<") else f"<div>{escape(text, quote=False)}</div>"


def milliseconds(moment: datetime) -> str:
    """A time as digits."""
    return str(round(moment.timestamp() * 1000))


def time_json(moment: datetime) -> dict[str, str]:
    """A time as the API has it."""
    return {"value": milliseconds(moment), "display_value": moment.strftime("%b %d, %Y %I:%M %p")}
