"""What a ServiceDesk Plus webhook says: pure functions of its body.

The body is the tenant's own template, and how the vendor spells its variables differs by product and version. So names
are read without regard to case, `_`, spaces and `$`. Three shapes are understood:

- the flat one: `tenant_id`, `event`, `ticket_id` (or `request_id`, `workorder_id`, `id`), `subject`, `description`,
  `priority`, `status`, `created_at` (or `created_time`), `resolved_at` (or `resolved_time`, `completed_time`),
  `actor_id` (or `actor` with an `id`);
- one with a `request` object, as the API v3 has it;
- the id alone, which is the safest: the vendor does not always escape what it fills in, and `get_ticket` completes it.

`event` says what happened: `ticket_created` or `ticket_resolved`, or the like (see `event_kind`).
"""

import re
from collections.abc import Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

from plugins.base import TicketMetadata
from plugins.parsing import normalise_priority, number_id, optional_text, parse_time, time_or
from plugins.payload import received_at, settings_of, tenant_of
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
MAX_NAMES = 300
"""Names of a body that are read in whatever spelling."""
MAX_NAME = 100
"""Characters of a name, or of an event's."""

_ID = ("ticket_id", "request_id", "workorder_id", "id")
_EVENT = ("event", "event_type", "event_name")
_CREATED_TIME = ("created_at", "created_time", "created_date")
_RESOLVED_TIME = ("resolved_at", "resolved_time", "completed_time", "closed_at", "last_updated_time", "updated_at")

_THINGS = frozenset({"ticket", "request", "incident", "workorder", "work", "order", "new", "on", "is", "was"})
_CREATED = frozenset({"created", "create", "new", "added", "add", "raised", "submitted"})
_RESOLVED = frozenset({"resolved", "resolve", "closed", "close", "completed"})
_RESOLVED_STATUSES = frozenset({"resolved", "closed"})

_MARKUP = re.compile(r"<[a-zA-Z/!]|&(?:#|[a-zA-Z]{2,8};)")
_NOT_A_LETTER = re.compile(r"[^a-z0-9]+")
_NEXT_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")


def request_number(value: Any, field: str = "ticket_id") -> str:
    """A request's id as digits (Cloud's have up to 19); see `plugins.parsing.number_id`."""
    return number_id(value, field, "request")


class _Fields:
    """A body's fields by name, in whatever spelling the template has them."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body
        self._spelt = {
            _NOT_A_LETTER.sub("", key.casefold()): value
            for key, value in islice(body.items(), MAX_NAMES)
            if value is not None and len(key) <= MAX_NAME
        }

    def find(self, *names: str) -> tuple[str, Any]:
        """The first of these names that the body has a value for, and the value; the first and `None` if none."""
        for name in names:
            for value in (self._body.get(name), self._spelt.get(name.replace("_", ""))):
                if value is not None:
                    return name, value
        return names[0], None

    def get(self, *names: str) -> Any:
        """The value alone."""
        return self.find(*names)[1]


def event_kind(payload: Payload) -> EventKind:
    """What the delivery asks for. What our own account did is `OWN`, where the template says who did it, but for
    requests created and resolved: Deskhand does neither, so somebody shares the account.

    `event` counts first, in whatever form: `ticket_created`, `Request Created`, `onCreate` and `new` ask for a note;
    `ticket_resolved`, `closed` and the like tell of a resolution. Without one, or with another, the request's status
    tells of a resolution. A body with neither is a new ticket.
    """
    body = _Fields(payload)
    event = _happened(name_of(body.get(*_EVENT)))
    if event == "created":
        return EventKind.CREATED
    own = settings_of(payload).own_account_id
    if event != "resolved" and own and own in _actors(body):
        return EventKind.OWN
    status = _Fields(_request(payload)).get("status")
    if event == "resolved" or not _status_names(status).isdisjoint(_RESOLVED_STATUSES):
        return EventKind.RESOLVED
    return EventKind.OTHER if event else EventKind.CREATED


def _happened(event: str) -> str:
    """`created`, `resolved`, or whatever else the event's name says."""
    words = [word.lower() for word in _NEXT_WORD.split(event[:MAX_NAME]) if word]
    verbs = [word for word in words if word not in _THINGS] or words[:1]
    if len(verbs) == 1 and verbs[0] in _CREATED:
        return "created"
    if len(verbs) == 1 and verbs[0] in _RESOLVED:
        return "resolved"
    return event


def _status_names(status: Any) -> set[str]:
    """A status by its name and by the one that stays when that is changed or translated."""
    internal = status.get("internal_name") if isinstance(status, dict) else None
    return {name_of(status).casefold(), name_of(internal).casefold()}


def _actors(body: _Fields) -> set[str]:
    """Who caused the event. Not the technician: that is whom the request is assigned to."""
    actor = body.get("actor")
    values = (body.get("actor_id"), actor.get("id") if isinstance(actor, dict) else actor)
    return {str(value) for value in values if isinstance(value, int | str)}


def resolved_version(payload: Payload) -> str | None:
    """When the request was resolved, as far as the body says (ISO, UTC); `None` if it does not."""
    request = _Fields(_request(payload))
    moments = (parse_time(request.get(name)) for name in _RESOLVED_TIME)
    return next((moment.isoformat() for moment in moments if moment is not None), None)


def extract_metadata(payload: Payload) -> TicketMetadata:
    """The interface reference's metadata. All but the request's id may be missing: `get_ticket` completes it.

    Raises:
        ValidationError: naming the field.
    """
    request = _request(payload)
    prefix = "" if request is payload else "request."
    fields = _Fields(request)
    id_name, number = fields.find(*_ID) if request is payload else ("id", request["id"])
    time_name, created = fields.find(*_CREATED_TIME)
    description = optional_text(fields.get("description"), f"{prefix}description")
    return TicketMetadata(
        tenant_id=tenant_of(payload),
        ticket_id=request_number(number, prefix + id_name),
        description=plain_text(description, html_limit=MAX_WEBHOOK_HTML, limit=MAX_WEBHOOK_TEXT),
        priority=normalise_priority(fields.get("priority"), settings_of(payload), PRIORITIES),
        created_at=time_or(created, received_at(payload), prefix + time_name),
    )


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
