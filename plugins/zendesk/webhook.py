"""What a Zendesk webhook says: pure functions of its headers and body.

Zendesk sends two kinds of body under one signature. *Event* bodies are fixed by Zendesk (`type` is
`zen:event-type:ticket.…`, the ticket is in `detail`); *trigger* bodies are flat and written by the tenant's admin, down
to nothing but `ticket_id`. Ids are strings in the one and may be numbers in the other. A trigger that tells of solved
tickets says `"event": "ticket_solved"`: its placeholder for the status may be in the account's language.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, Self

from plugins.base import TicketMetadata
from plugins.exceptions import ValidationError
from plugins.parsing import normalise_priority, number_id, optional_text, parse_time
from plugins.payload import received_at, settings_of, tenant_of
from plugins.signatures import hmac_sha256
from plugins.types import EventKind, Payload, Priority

SIGNATURE_HEADER = "X-Zendesk-Webhook-Signature"
TIMESTAMP_HEADER = "X-Zendesk-Webhook-Signature-Timestamp"

PRIORITIES: Final[Mapping[str, Priority]] = MappingProxyType(
    {"urgent": "high", "high": "high", "normal": "medium", "low": "low"}
)
"""The interface reference's map. Events say `"HIGH"`, REST `"high"`, placeholders `"High"`."""

MAX_WEBHOOK_TEXT = 12_000
"""Characters of a webhook's description that are read: more than is used of one, and few enough to be quick."""

_EVENT = "zen:event-type:"
_SOLVED = frozenset({"solved", "closed"})
_CREATED_EVENTS = frozenset({"created", "ticket.created", "ticket_created"})
_SOLVED_EVENTS = frozenset(
    f"{ticket}{change}" for ticket in ("", "ticket.", "ticket_") for change in ("resolved", "solved", "closed")
)
_SUBJECT = re.compile(r"zen:ticket:([0-9]{1,20})")
_STAMPED = re.compile(r"t=([^,\s]{1,64}),v1=([A-Za-z0-9+/=]{1,128})")


@dataclass(frozen=True, slots=True)
class StampedSignature:
    """Zendesk's two signature headers as one value, written `t=<timestamp>,v1=<base64>`."""

    timestamp: str
    """As it came, since it is part of what is signed: `2021-03-25T05:09:27Z`."""
    digest: str

    def __str__(self) -> str:
        return f"t={self.timestamp},v1={self.digest}"

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Self | None:
        """Out of request headers with lower-case names; `None` unless both are there."""
        digest, timestamp = headers.get(SIGNATURE_HEADER.lower()), headers.get(TIMESTAMP_HEADER.lower())
        return cls(timestamp.strip(), digest.strip()) if digest and timestamp else None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The opposite of `str()`; `None` for text of any other form."""
        match = _STAMPED.fullmatch(text)
        return cls(match[1], match[2]) if match else None

    def fresh(self, moment: datetime, window_seconds: int) -> bool:
        """Whether the signed time lies within the window around `moment`, earlier or later."""
        signed = parse_time(self.timestamp)
        return signed is not None and abs(moment - signed) <= timedelta(seconds=window_seconds)


def sign(secret: str, timestamp: str, raw: bytes) -> str:
    """base64(HMAC-SHA256(secret, timestamp + body)). The secret counts as text: Zendesk does not decode its base64."""
    return b64encode(hmac_sha256(secret, timestamp.encode() + raw)).decode()


def ticket_number(value: Any, field: str = "ticket_id") -> str:
    """A ticket's id as digits; see `plugins.parsing.number_id`."""
    return number_id(value, field, "ticket")


def event_kind(payload: Payload) -> EventKind:
    """What the delivery asks for. What our own account caused is `OWN`, but for tickets created and solved: Deskhand
    does neither, so somebody shares the account.
    """
    name = payload.get("type")
    native = isinstance(name, str) and name.startswith(_EVENT)
    kind = _native_kind(str(name).removeprefix(_EVENT), payload) if native else _flat_kind(payload)
    said = native or bool(_name(payload.get("event")))
    if said and kind is not EventKind.OTHER:
        return kind
    own, actor = settings_of(payload).own_account_id, _detail(payload).get("actor_id")
    return EventKind.OWN if own and actor is not None and str(actor) == own else kind


def _native_kind(name: str, payload: Payload) -> EventKind:
    if name == "ticket.created":
        return EventKind.CREATED
    if name == "ticket.status_changed":
        event = payload.get("event")
        status = event.get("current") if isinstance(event, dict) else None
        if _name(status or _detail(payload).get("status")) in _SOLVED:
            return EventKind.RESOLVED
    return EventKind.OTHER


def _flat_kind(payload: Payload) -> EventKind:
    event = _name(payload.get("event"))
    if event in _CREATED_EVENTS:
        return EventKind.CREATED
    if event in _SOLVED_EVENTS or _name(payload.get("status")) in _SOLVED:
        return EventKind.RESOLVED
    return EventKind.OTHER if event else EventKind.CREATED


def resolved_version(payload: Payload) -> str | None:
    """When the ticket was solved, as far as the signed body says (ISO, UTC); `None` if it does not."""
    detail = _detail(payload)
    for value in (payload.get("resolved_at"), detail.get("updated_at"), payload.get("time")):
        moment = parse_time(value)
        if moment is not None:
            return moment.isoformat()
    return None


def extract_metadata(payload: Payload) -> TicketMetadata:
    """The interface reference's metadata. All but the ticket's id may be missing: `get_ticket` completes it.

    Raises:
        ValidationError: naming the field.
    """
    detail = _detail(payload)
    return TicketMetadata(
        tenant_id=tenant_of(payload),
        ticket_id=_ticket_id(payload),
        description=optional_text(detail.get("description"), "description")[:MAX_WEBHOOK_TEXT],
        priority=normalise_priority(detail.get("priority"), settings_of(payload), PRIORITIES),
        created_at=_created_at(payload, detail),
    )


def _ticket_id(payload: Payload) -> str:
    detail = payload.get("detail")
    if not isinstance(detail, dict):
        return ticket_number(payload.get("ticket_id"))
    subject = _SUBJECT.fullmatch(str(payload.get("subject")))
    return ticket_number(detail.get("id") or (subject and subject[1]), "detail.id")


def _created_at(payload: Payload, detail: Mapping[str, Any]) -> datetime:
    value = detail.get("created_at")
    if value is None or value == "":
        return received_at(payload)
    moment = parse_time(value)
    if moment is None:
        raise ValidationError(
            "created_at: must be an ISO time with its offset; in a trigger use {{ticket.created_at_with_timestamp}}"
        )
    return moment


def _detail(payload: Payload) -> Mapping[str, Any]:
    """Where the ticket's fields are: `detail` of an event body, the body itself otherwise."""
    detail = payload.get("detail")
    return detail if isinstance(detail, dict) else payload


def _name(value: Any) -> str:
    return value.strip().casefold() if isinstance(value, str) else ""
