"""What Jira's webhook bodies say. Pure: no I/O.

Four forms arrive: the native event (`webhookEvent`, `issue`, `user`, `changelog`), Automation's "issue data" in Jira
format (`issue` without `webhookEvent`) and in Automation format (the bare issue), and a custom flat body
(`ticket_id` or `key`, `description`, `priority`, `created_at`). Sources: Atlassian's "Webhooks" and "Issue data
(Automation format)" pages.
"""

from collections.abc import Mapping
from typing import Any

from plugins.base import TicketMetadata
from plugins.exceptions import ValidationError
from plugins.jira.values import MAX_WEBHOOK_TEXT, PRIORITIES, checked_key, is_done, mapping, rich_text, string
from plugins.parsing import normalise_priority, parse_time, time_or
from plugins.payload import received_at, settings_of
from plugins.types import EventKind


def event_kind(payload: dict[str, Any]) -> EventKind:
    """What the event asks for. A body that names no event comes from an Automation rule for new issues."""
    own = settings_of(payload).own_account_id
    if own is not None and mapping(payload.get("user")).get("accountId") == own:
        return EventKind.OWN
    if "webhookEvent" not in payload or payload["webhookEvent"] == "jira:issue_created":
        return EventKind.CREATED
    if payload["webhookEvent"] == "jira:issue_updated" and _resolves(payload):
        return EventKind.RESOLVED
    return EventKind.OTHER


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


def resolved_version(payload: dict[str, Any]) -> str | None:
    """When the issue was resolved, or last changed, as the body has it."""
    fields = mapping(mapping(payload.get("issue")).get("fields"))
    for name in ("resolutiondate", "updated"):
        moment = parse_time(fields.get(name))
        if moment is not None:
            return moment.isoformat(timespec="milliseconds")
    return None


def extract_metadata(payload: dict[str, Any]) -> TicketMetadata:
    """The normalised metadata. Bodies that give only the key are legal: `get_ticket` completes them.

    Raises:
        ValidationError: naming the field.
    """
    tenant_id = payload.get("tenant_id")
    if not isinstance(tenant_id, str):
        raise ValidationError("tenant_id: is missing")
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


def _key(value: object, field: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValidationError(f"{field}: is missing")
    return checked_key(value)


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
