"""Zendesk's webhooks: what is accepted as authentic, and what a body is taken to say."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from plugins.exceptions import ValidationError
from plugins.payload import WebhookPayload, rebuild
from plugins.types import EventKind, TenantSettings
from plugins.zendesk import ZendeskPlugin
from plugins.zendesk.webhook import MAX_WEBHOOK_TEXT, sign
from tests.support.pretend import MemoryTenants

SECRET = "a marked test secret"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def plugin(tenants: MemoryTenants, http: httpx.AsyncClient) -> ZendeskPlugin:
    tenants.add("acme", "zendesk", secrets=(SECRET,))
    return ZendeskPlugin(tenants, http)


@dataclass(frozen=True)
class Signed:
    """A delivery as Zendesk signs it."""

    raw: bytes
    headers: dict[str, str]


def signed(raw: bytes, *, secret: str = SECRET, at: datetime = NOW) -> Signed:
    timestamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    headers = {
        "x-zendesk-webhook-signature": sign(secret, timestamp, raw),
        "x-zendesk-webhook-signature-timestamp": timestamp,
    }
    return Signed(raw, headers)


async def accepted(
    plugin: ZendeskPlugin, delivery: Signed, *, received_at: datetime = NOW, settings: TenantSettings | None = None
) -> bool:
    settings = settings or TenantSettings()
    payload = rebuild(delivery.raw, "acme", received_at, settings)
    return await plugin.validate_webhook(payload, plugin.signature_from(delivery.headers, settings))


BODY = '{"ticket_id": "7", "description": "Drück mich"}'.encode()

# Signatures


async def test_the_vendors_own_vector(tenants: MemoryTenants, plugin: ZendeskPlugin) -> None:
    """The test vector of Zendesk's page on verifying webhooks."""
    secret = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="
    tenants.add("acme", "zendesk", secrets=(secret,))
    headers = {
        "x-zendesk-webhook-signature": "S/RDdU2ERmj7LHDDoWJ2onPYH+t7/f2+LTM4dL7UiLM=",
        "x-zendesk-webhook-signature-timestamp": "2021-03-25T05:09:27Z",
    }
    delivery = Signed(b'{"event":"ticket.updated","id":123}', headers)
    assert await accepted(plugin, delivery, received_at=datetime(2021, 3, 25, 5, 9, 30, tzinfo=UTC))


async def test_the_vendors_test_secret_opens_nothing(plugin: ZendeskPlugin) -> None:
    assert not await accepted(plugin, signed(BODY, secret="dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="))


async def test_a_changed_timestamp_is_refused(plugin: ZendeskPlugin) -> None:
    delivery = signed(BODY, at=NOW - timedelta(hours=1))
    delivery.headers["x-zendesk-webhook-signature-timestamp"] = "2026-11-24T12:00:00Z"
    assert not await accepted(plugin, delivery)


@pytest.mark.parametrize(
    ("age", "fresh"), [(300, True), (301, False), (-300, True), (-301, False)], ids=lambda value: str(value)
)
async def test_the_replay_window_reaches_both_ways(plugin: ZendeskPlugin, age: int, fresh: bool) -> None:
    assert await accepted(plugin, signed(BODY), received_at=NOW + timedelta(seconds=age)) is fresh


async def test_the_replay_window_is_the_tenants_setting(plugin: ZendeskPlugin) -> None:
    settings = TenantSettings(signature_window_seconds=3600)
    assert await accepted(plugin, signed(BODY), received_at=NOW + timedelta(seconds=3600), settings=settings)
    assert not await accepted(plugin, signed(BODY), received_at=NOW + timedelta(seconds=3601), settings=settings)


@pytest.mark.parametrize("missing", ["x-zendesk-webhook-signature", "x-zendesk-webhook-signature-timestamp"])
async def test_both_headers_are_needed(plugin: ZendeskPlugin, missing: str) -> None:
    delivery = signed(BODY)
    del delivery.headers[missing]
    assert not await accepted(plugin, delivery)


async def test_a_timestamp_that_is_no_time_is_refused(plugin: ZendeskPlugin) -> None:
    headers = {
        "x-zendesk-webhook-signature": sign(SECRET, "yesterday", BODY),
        "x-zendesk-webhook-signature-timestamp": "yesterday",
    }
    assert not await accepted(plugin, Signed(BODY, headers))


async def test_text_that_a_placeholder_did_not_escape_is_read_after_the_signature_held(plugin: ZendeskPlugin) -> None:
    """Placeholders put a description's line ends and tabs into the JSON as they are."""
    raw = b'{"ticket_id": 7, "event": "ticket_created", "description": "Line one\nLine\ttwo\r\n"}'
    assert await accepted(plugin, signed(raw))
    body = rebuild(raw, "acme", NOW, TenantSettings())
    assert plugin.extract_metadata(body).description == "Line one\nLine\ttwo\r\n"


# What a body says


def payload(body: dict[str, Any], **settings: Any) -> WebhookPayload:
    return WebhookPayload(
        {"tenant_id": "acme", **body}, raw=b"", received_at=NOW, settings=TenantSettings.model_validate(settings)
    )


EVENT = {
    "type": "zen:event-type:ticket.created",
    "id": "b1",
    "time": "2026-11-24T11:59:59.123456789Z",
    "subject": "zen:ticket:35436",
    "event": {},
    "detail": {
        "actor_id": "901",
        "id": "35436",
        "description": "The printer is on fire",
        "priority": "HIGH",
        "status": "NEW",
        "created_at": "2026-11-24T11:59:58Z",
        "updated_at": "2026-11-24T11:59:59Z",
    },
}


def event(kind: str, detail: dict[str, Any] | None = None, **happened: Any) -> dict[str, Any]:
    return {
        **EVENT,
        "type": f"zen:event-type:{kind}",
        "event": happened,
        "detail": {**EVENT["detail"], **(detail or {})},  # type: ignore[dict-item]  # a plain JSON literal
    }


@pytest.mark.parametrize("ticket_id", ["35436", 35436, "0035436", None])
def test_metadata_of_an_event(plugin: ZendeskPlugin, ticket_id: object) -> None:
    metadata = plugin.extract_metadata(payload(event("ticket.created", {"id": ticket_id})))
    assert metadata.ticket_id == "35436"
    assert metadata.description == "The printer is on fire"
    assert metadata.priority == "high"
    assert metadata.created_at == datetime(2026, 11, 24, 11, 59, 58, tzinfo=UTC)


@pytest.mark.parametrize("ticket_id", ["35436", 35436, " 35436 ", "0035436"])
def test_metadata_of_a_trigger(plugin: ZendeskPlugin, ticket_id: object) -> None:
    body = {
        "ticket_id": ticket_id,
        "description": "Line one\nLine two",
        "priority": "Urgent",
        "created_at": "2026-11-24T12:59:58+01:00",
    }
    metadata = plugin.extract_metadata(payload(body))
    assert metadata.ticket_id == "35436"
    assert metadata.description == "Line one\nLine two"
    assert metadata.priority == "high"
    assert metadata.created_at == datetime(2026, 11, 24, 11, 59, 58, tzinfo=UTC)


def test_an_id_is_enough(plugin: ZendeskPlugin) -> None:
    metadata = plugin.extract_metadata(payload({"ticket_id": 7}))
    assert (metadata.description, metadata.priority, metadata.created_at) == ("", "medium", NOW)
    assert plugin.event_kind(payload({"ticket_id": 7})) is EventKind.CREATED


def test_an_event_without_the_id_in_its_detail_names_it_in_its_subject(plugin: ZendeskPlugin) -> None:
    body = {**EVENT, "detail": {"priority": None}}
    metadata = plugin.extract_metadata(payload(body))
    assert (metadata.ticket_id, metadata.priority) == ("35436", "medium")


def test_only_the_beginning_of_a_huge_description_is_read(plugin: ZendeskPlugin) -> None:
    metadata = plugin.extract_metadata(payload({"ticket_id": 7, "description": "On fire. " * 100_000}))
    assert metadata.description == ("On fire. " * 100_000)[:MAX_WEBHOOK_TEXT]


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("urgent", "high"),
        ("HIGH", "high"),
        ("Normal", "medium"),
        ("LOW", "low"),
        ("", "medium"),
        (None, "medium"),
        ("Dringend", "medium"),
        (3, "medium"),
    ],
)
def test_priorities(plugin: ZendeskPlugin, name: object, ours: str) -> None:
    assert plugin.extract_metadata(payload({"ticket_id": "7", "priority": name})).priority == ours


def test_a_tenants_own_priorities_come_first(plugin: ZendeskPlugin) -> None:
    body = payload({"ticket_id": "7", "priority": "Dringend"}, priorities={"dringend": "high", "urgent": "low"})
    assert plugin.extract_metadata(body).priority == "high"
    body = payload({"ticket_id": "7", "priority": "URGENT"}, priorities={"dringend": "high", "urgent": "low"})
    assert plugin.extract_metadata(body).priority == "low"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "ticket_id"),
        ({"ticket_id": "{{ticket.id}}"}, "ticket_id"),
        ({"ticket_id": "7/../8"}, "ticket_id"),
        ({"ticket_id": "\u0667"}, "ticket_id"),
        ({"ticket_id": True}, "ticket_id"),
        ({"ticket_id": 7.5}, "ticket_id"),
        ({"ticket_id": "7", "description": {"a": 1}}, "description"),
        ({"ticket_id": "7", "created_at": "November 24"}, "created_at"),
        ({"ticket_id": "7", "created_at": "2026-11-24T12:00:00"}, "created_at"),
        ({**EVENT, "subject": None, "detail": {}}, "detail.id"),
        ({"ticket_id": "7", "tenant_id": 5}, "tenant_id"),
    ],
)
def test_what_is_unusable_is_refused_by_name(plugin: ZendeskPlugin, body: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError, match=f"^{field}: "):
        plugin.extract_metadata(payload(body))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (EVENT, EventKind.CREATED),
        (event("ticket.created", {"status": "SOLVED"}), EventKind.CREATED),
        (event("ticket.status_changed", current="SOLVED", previous="OPEN"), EventKind.RESOLVED),
        (event("ticket.status_changed", current="CLOSED", previous="SOLVED"), EventKind.RESOLVED),
        (event("ticket.status_changed", {"status": "SOLVED"}), EventKind.RESOLVED),
        (event("ticket.status_changed", {"status": "SOLVED"}, current="OPEN"), EventKind.OTHER),
        (event("ticket.comment_added", {"status": "SOLVED"}), EventKind.OTHER),
        (event("ticket.priority_changed"), EventKind.OTHER),
        ({"ticket_id": 7, "event": "ticket_created", "status": "Solved"}, EventKind.CREATED),
        ({"ticket_id": 7, "event": "ticket_resolved"}, EventKind.RESOLVED),
        ({"ticket_id": 7, "event": "Ticket.Solved"}, EventKind.RESOLVED),
        ({"ticket_id": 7, "event": "closed", "status": "Gelöst"}, EventKind.RESOLVED),
        ({"ticket_id": 7, "status": "Solved"}, EventKind.RESOLVED),
        ({"ticket_id": 7, "status": "Open"}, EventKind.CREATED),
        ({"ticket_id": 7, "event": "ticket_updated"}, EventKind.OTHER),
    ],
)
def test_what_a_delivery_asks_for(plugin: ZendeskPlugin, body: dict[str, Any], kind: EventKind) -> None:
    assert plugin.event_kind(payload(body)) is kind
    assert plugin.event_kind(payload(body, own_account_id="1")) is kind


@pytest.mark.parametrize(
    "body",
    [
        event("ticket.comment_added"),
        event("ticket.status_changed", {"actor_id": 901}, current="OPEN"),
        {"ticket_id": 7, "actor_id": "901"},
        {"ticket_id": 7, "actor_id": "901", "event": "commented"},
    ],
)
def test_what_we_caused_ourselves_asks_for_nothing(plugin: ZendeskPlugin, body: dict[str, Any]) -> None:
    assert plugin.event_kind(payload(body, own_account_id="901")) is EventKind.OWN


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (event("ticket.created"), EventKind.CREATED),
        (event("ticket.status_changed", {"actor_id": 901}, current="SOLVED"), EventKind.RESOLVED),
        ({"ticket_id": 7, "actor_id": "901", "event": "ticket_created"}, EventKind.CREATED),
    ],
)
def test_tickets_that_others_create_and_solve_under_our_account_are_work(
    plugin: ZendeskPlugin, body: dict[str, Any], kind: EventKind
) -> None:
    assert plugin.event_kind(payload(body, own_account_id="901")) is kind


def test_resolutions_are_told_apart_by_when_they_were(plugin: ZendeskPlugin) -> None:
    body = event("ticket.status_changed", current="SOLVED")
    assert plugin.resolved_version(payload(body)) == "2026-11-24T11:59:59+00:00"
    bare = {**body, "detail": {"id": "35436"}}
    assert plugin.resolved_version(payload(bare)) == "2026-11-24T11:59:59.123456+00:00", "of its nanoseconds"
    flat = {"ticket_id": 7, "event": "ticket_resolved"}
    assert plugin.resolved_version(payload(flat)) is None
    assert plugin.resolved_version(payload({**flat, "updated_at": "yesterday"})) is None
    assert plugin.resolved_version(payload({**flat, "updated_at": "2026-11-24T12:00:00Z"})) is not None
