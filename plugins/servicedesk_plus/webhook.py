"""What a ServiceDesk Plus webhook says: pure functions of its body.

The body is the tenant's own template. Two shapes are read: flat (`tenant_id`, `event`, `ticket_id`, `subject`,
`description`, `priority`, `created_at`), and one with a `request` object as the API v3 has it.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from plugins.base import TicketMetadata
from plugins.exceptions import ValidationError
from plugins.parsing import normalise_priority, number_id, parse_time
from plugins.payload import received_at, settings_of
from plugins.rendering import html_to_text
from plugins.types import EventKind, Payload, Priority

PRIORITIES: Final[Mapping[str, Priority]] = MappingProxyType(
    {"Urgent": "high", "High": "high", "Medium": "medium", "Low": "low"}
)
"""The interface reference's map."""

MAX_HTML = 100_000
"""Characters of HTML that are looked through for a field's text. Mail programs put long style sheets before it."""
MAX_TEXT = 12_000
"""Characters of text that are read of it: more than a `TicketContext` holds."""
MAX_WEBHOOK_HTML = 12_000
"""Characters of HTML of a webhook's body, which must not cost `extract_metadata` its 10 ms (NFR001)."""
MAX_WEBHOOK_TEXT = 8_000

_CREATED_EVENTS = frozenset({"ticket_created", "request_created", "created"})
_RESOLVED_EVENTS = frozenset({"ticket_resolved", "ticket_closed", "request_resolved", "request_closed"})
_RESOLVED = frozenset({"resolved", "closed"})
_MARKUP = re.compile(r"<[a-zA-Z/!]|&(?:#|[a-zA-Z]{2,8};)")


def request_number(value: Any, field: str = "ticket_id") -> str:
    """A request's id as digits (Cloud's have up to 19); see `plugins.parsing.number_id`."""
    return number_id(value, field, "request")


def event_kind(payload: Payload) -> EventKind:
    """What the delivery asks for. What our own account did is `OWN`, where the template says who did it."""
    own = settings_of(payload).own_account_id
    if own is not None and own in _actors(payload):
        return EventKind.OWN
    event = name_of(payload.get("event")).casefold()
    if event in _CREATED_EVENTS:
        return EventKind.CREATED
    status = name_of(_request(payload).get("status")).casefold()
    if event in _RESOLVED_EVENTS or status in _RESOLVED:
        return EventKind.RESOLVED
    return EventKind.OTHER if event else EventKind.CREATED


def _actors(payload: Payload) -> set[str]:
    """Who caused the event. Not `request.technician`: that is whom the request is assigned to."""
    values = [payload.get("actor_id"), payload.get("technician_id")]
    for name in ("actor", "technician"):
        person = payload.get(name)
        values.append(person.get("id") if isinstance(person, dict) else None)
    return {str(value) for value in values if value is not None}


def resolved_version(payload: Payload) -> str | None:
    """When the request was resolved, as far as the body says (ISO, UTC); `None` if it does not."""
    request = _request(payload)
    for name in ("resolved_time", "resolved_at", "completed_time", "last_updated_time", "updated_at"):
        moment = parse_time(request.get(name))
        if moment is not None:
            return moment.isoformat()
    return None


def extract_metadata(payload: Payload) -> TicketMetadata:
    """The interface reference's metadata. All but the request's id may be missing: `get_ticket` completes it.

    Raises:
        ValidationError: naming the field.
    """
    request = _request(payload)
    nested = request is not payload
    description = request.get("description")
    if description is not None and not isinstance(description, str):
        raise ValidationError("description: must be text")
    return TicketMetadata(
        tenant_id=payload.get("tenant_id"),  # type: ignore[arg-type]  # TicketMetadata itself refuses what is no text
        ticket_id=request_number(request["id"], "request.id") if nested else request_number(payload.get("ticket_id")),
        description=plain_text(description, html_limit=MAX_WEBHOOK_HTML, limit=MAX_WEBHOOK_TEXT),
        priority=normalise_priority(name_of(request.get("priority")), settings_of(payload), PRIORITIES),
        created_at=_created_at(payload, request.get("created_time" if nested else "created_at")),
    )


def _created_at(payload: Payload, value: Any) -> datetime:
    if value is None or value == "":
        return received_at(payload)
    moment = parse_time(value)
    if moment is None:
        raise ValidationError(
            "created_at: must be epoch milliseconds or an ISO time with its offset; leave it out of the template if "
            "only a displayed date is at hand"
        )
    return moment


def _request(payload: Payload) -> Mapping[str, Any]:
    """Where the request's fields are: the `request` object if it has an id, the body itself otherwise."""
    request = payload.get("request")
    return request if isinstance(request, dict) and "id" in request else payload


def name_of(value: Any) -> str:
    """A name that is text or, as the API v3 has it, an object with a `name`; empty where there is none."""
    if isinstance(value, dict):
        value = value.get("name")
    return value.strip() if isinstance(value, str) else ""


def plain_text(value: Any, *, html_limit: int = MAX_HTML, limit: int = MAX_TEXT) -> str:
    """The first `limit` characters of a field that may be HTML, of which `html_limit` characters are looked through.

    What has no markup stays as it is.
    """
    if not isinstance(value, str):
        return ""
    html = value[:html_limit]
    return html_to_text(html, limit=limit) if _MARKUP.search(html) else value[:limit]
