"""What Jira's webhook bodies say. Pure: no I/O.

- native (System > WebHooks): `webhookEvent`, `issue`, `user`, `changelog`;
- Automation's "Issue data (Jira format)": `issue` without `webhookEvent`;
- legacy automation of service projects: `timestamp`, `issue`, `comment`, `user`;
- Automation's "Issue data (Automation format)": the bare issue, `key` and `fields`;
- custom data of an Automation rule: `ticket_id` or `key` and, as far as the rule gives them, `event`, `description`,
  `priority`, `created_at`, `status`, `resolved_at`, `actor_id`.

Only the native one always says what happened. In the others an `event` may say it; failing that, the issue itself does:
one that is done was resolved, any other is new. A rule for any change may therefore tell of a new issue more than once:
the second is a repeat of the first, and starts nothing.

Sources: Atlassian's pages "Webhooks", "Automation webhooks" and "Issue data (Automation format)".
"""

from collections.abc import Iterator, Mapping
from typing import Any

from plugins.base import TicketMetadata
from plugins.exceptions import ValidationError
from plugins.jira.values import (
    MAX_WEBHOOK_TEXT,
    PRIORITIES,
    checked_key,
    is_done,
    mapping,
    name_of,
    rich_text,
    string,
)
from plugins.parsing import normalise_priority, parse_time, time_or
from plugins.payload import received_at, settings_of, tenant_of
from plugins.types import EventKind

_CREATED_EVENTS = frozenset({"created", "issue_created", "ticket_created"})
_RESOLVED_EVENTS = frozenset(
    {"closed", "issue_closed", "issue_resolved", "resolved", "ticket_closed", "ticket_resolved"}
)
_RESOLVED_STATUSES = frozenset({"closed", "done", "resolved"})


def event_kind(payload: dict[str, Any]) -> EventKind:
    """What the event asks for; `OWN` for what our own account did, but for issues created and resolved: Deskhand does
    neither, so somebody shares the account.
    """
    event = string(payload.get("event")).strip().casefold()
    said = _native_kind(payload) if "webhookEvent" in payload else _named_kind(event) if event else None
    if said in (EventKind.CREATED, EventKind.RESOLVED):
        return said
    own = settings_of(payload).own_account_id
    if own and own in _actors(payload):
        return EventKind.OWN
    return said or (EventKind.RESOLVED if _is_resolved(payload) else EventKind.CREATED)


def _native_kind(payload: Mapping[str, Any]) -> EventKind:
    event = payload["webhookEvent"]
    if event == "jira:issue_created":
        return EventKind.CREATED
    return EventKind.RESOLVED if event == "jira:issue_updated" and _resolves(payload) else EventKind.OTHER


def _named_kind(event: str) -> EventKind:
    if event in _CREATED_EVENTS:
        return EventKind.CREATED
    return EventKind.RESOLVED if event in _RESOLVED_EVENTS else EventKind.OTHER


def _actors(payload: Mapping[str, Any]) -> Iterator[str]:
    """The ids of whoever caused the event."""
    comment = mapping(payload.get("comment"))
    native = "webhookEvent" in payload
    # A comment's event has no user. An event of the issue may bring a comment, which need not be what happened.
    if not native or string(payload["webhookEvent"]).startswith("comment_"):
        yield string(mapping(comment.get("updateAuthor")).get("accountId"))
        yield string(mapping(comment.get("author")).get("accountId"))
    # The user of a rule may be the account that the rule runs as, ours among them: that alone makes no event our own.
    if native or comment or "issue" not in payload:
        yield string(mapping(payload.get("user")).get("accountId"))
    yield string(payload.get("actor_id"))


def _resolves(payload: Mapping[str, Any]) -> bool:
    """Whether this very update resolved the issue: later updates of a resolved issue are nothing new."""
    items = mapping(payload.get("changelog")).get("items")
    changes = {
        string(item.get("fieldId") or item.get("field")): item
        for item in (items if isinstance(items, list) else ())
        if isinstance(item, Mapping)
    }
    if "resolution" in changes:
        return bool(changes["resolution"].get("to"))
    return "status" in changes and is_done(mapping(payload.get("issue")))


def _is_resolved(payload: Mapping[str, Any]) -> bool:
    """Whether the issue is done, as a body without an event has it."""
    issue = _issue(payload)
    if name_of(mapping(issue.get("fields")).get("resolution")) or is_done(issue):
        return True
    status = payload.get("status")
    return (string(status) or name_of(status)).strip().casefold() in _RESOLVED_STATUSES


def resolved_version(payload: dict[str, Any]) -> str | None:
    """When the issue was resolved, or last changed, as the body has it (ISO, UTC); `None` if it does not say."""
    fields = mapping(_issue(payload).get("fields"))
    times = (fields.get(name) for name in ("resolutiondate", "statuscategorychangedate", "updated"))
    flat = (payload.get(name) for name in ("resolved_at", "updated_at"))
    for value in (*times, *flat):
        moment = parse_time(value)
        if moment is not None:
            return moment.isoformat(timespec="milliseconds")
    return None


def extract_metadata(payload: dict[str, Any]) -> TicketMetadata:
    """The normalised metadata. Bodies that give only the key are legal: `get_ticket` completes them.

    Raises:
        ValidationError: naming the field.
    """
    tenant_id = tenant_of(payload)
    issue = payload.get("issue", payload)
    if not isinstance(issue, Mapping):
        raise ValidationError("issue: must be an object")
    if issue is payload and "fields" not in payload:
        key = _key(payload.get("ticket_id") or payload.get("key"), "ticket_id")
        return _metadata(payload, tenant_id, key, payload, "created_at")
    fields = issue.get("fields") or {}
    if not isinstance(fields, Mapping):
        raise ValidationError("fields: must be an object")
    key = _key(issue.get("key"), "key" if issue is payload else "issue.key")
    return _metadata(payload, tenant_id, key, fields, "created")


def _issue(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where the issue is: under `issue`, or the body itself."""
    return mapping(payload["issue"]) if "issue" in payload else payload


def _key(value: object, field: str) -> str:
    if value is None or value == "":
        raise ValidationError(f"{field}: is missing")
    return checked_key(value, field)


def _metadata(
    payload: dict[str, Any], tenant_id: str, key: str, fields: Mapping[str, Any], created: str
) -> TicketMetadata:
    description = fields.get("description")
    if description is not None and not isinstance(description, str | Mapping):
        raise ValidationError("description: must be text or an ADF document")
    return TicketMetadata(
        tenant_id=tenant_id,
        ticket_id=key,
        description=rich_text(description, MAX_WEBHOOK_TEXT),
        priority=normalise_priority(fields.get("priority"), settings_of(payload), PRIORITIES),
        created_at=time_or(fields.get(created), received_at(payload), created),
    )
