"""Zendesk's webhooks: what is accepted as authentic, and what a body is taken to say."""

import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from deskhand.pretend.zendesk import PretendZendesk
from plugins.exceptions import ValidationError
from plugins.payload import WebhookPayload
from plugins.tenants import WebhookSecret
from plugins.types import EventKind, TenantSettings
from plugins.zendesk import ZendeskPlugin
from plugins.zendesk.webhook import MAX_WEBHOOK_TEXT, sign
from tests.support.pretend import MemoryTenants, PretendFactory, take

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
    plugin: ZendeskPlugin,
    delivery: Signed,
    *,
    tenant_id: str = "acme",
    raw: bytes | None = None,
    received_at: datetime = NOW,
    settings: TenantSettings | None = None,
) -> bool:
    raw = delivery.raw if raw is None else raw
    settings = settings or TenantSettings()
    payload = WebhookPayload(
        {**json.loads(raw), "tenant_id": tenant_id}, raw=raw, received_at=received_at, settings=settings
    )
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


@pytest.mark.parametrize(
    "other",
    [
        b'{"ticket_id":"7", "description": "Dr\xc3\xbcck mich"}',
        b'{"description": "Dr\xc3\xbcck mich", "ticket_id": "7"}',
        b'{"ticket_id": "7", "description": "Dr\\u00fcck mich"}',
        BODY + b" ",
        b'{"ticket_id": "8", "description": "Dr\xc3\xbcck mich"}',
    ],
    ids=["whitespace", "key order", "unicode escape", "trailing space", "other ticket"],
)
async def test_a_changed_body_is_refused(plugin: ZendeskPlugin, other: bytes) -> None:
    delivery = signed(BODY)
    assert await accepted(plugin, delivery)
    assert not await accepted(plugin, delivery, raw=other)


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


@pytest.mark.parametrize("signature", ["", "t=,v1=", "sha256=00", "t=2026-11-24T12:00:00Z", "\ud800"])
async def test_signatures_of_other_forms_are_refused(plugin: ZendeskPlugin, signature: str) -> None:
    payload = WebhookPayload({"tenant_id": "acme"}, raw=b"{}", received_at=NOW)
    assert not await plugin.validate_webhook(payload, signature)


async def test_tenants_that_cannot_be_signed_for_are_refused(tenants: MemoryTenants, plugin: ZendeskPlugin) -> None:
    tenants.add("silent", "zendesk")
    tenants.add("gone", "zendesk", secrets=(SECRET,), active_until=NOW)
    tenants.add("later", "zendesk", secrets=(SECRET,), active_from=NOW + timedelta(seconds=1))
    tenants.add("jira", "jira", secrets=(SECRET,))
    for tenant_id in ("silent", "gone", "later", "jira", "unknown", "not/a/tenant", ""):
        assert not await accepted(plugin, signed(BODY), tenant_id=tenant_id), tenant_id


async def test_a_tenant_is_judged_as_of_when_the_delivery_came(tenants: MemoryTenants, plugin: ZendeskPlugin) -> None:
    """A run that waited validates again later, when the secret may have been rotated and the tenant switched off."""
    old = WebhookSecret(SecretStr("old"), not_after=NOW)
    new = WebhookSecret(SecretStr("new"), not_before=NOW)
    tenants.add("acme", "zendesk", secrets=(old, new), active_until=NOW + timedelta(minutes=1))
    before = NOW - timedelta(seconds=1)
    assert await accepted(plugin, signed(BODY, secret="old"), received_at=before)
    assert not await accepted(plugin, signed(BODY, secret="new"), received_at=before)
    assert not await accepted(plugin, signed(BODY, secret="old"), received_at=NOW)
    assert await accepted(plugin, signed(BODY, secret="new"), received_at=NOW)
    assert not await accepted(plugin, signed(BODY, secret="new"), received_at=NOW + timedelta(minutes=1))


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


def test_metadata_of_an_event(plugin: ZendeskPlugin) -> None:
    metadata = plugin.extract_metadata(payload(EVENT))
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


def test_one_ticket_has_one_identity(plugin: ZendeskPlugin) -> None:
    body = {**EVENT, "detail": {"id": "0035436"}}
    assert plugin.extract_metadata(payload(body)).ticket_id == "35436"


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
        event("ticket.created"),
        event("ticket.status_changed", {"actor_id": 901}, current="SOLVED"),
        {"ticket_id": 7, "actor_id": "901"},
    ],
)
def test_what_we_caused_ourselves_asks_for_nothing(plugin: ZendeskPlugin, body: dict[str, Any]) -> None:
    assert plugin.event_kind(payload(body, own_account_id="901")) is EventKind.OWN


def test_resolutions_are_told_apart_by_when_they_were(plugin: ZendeskPlugin) -> None:
    body = event("ticket.status_changed", current="SOLVED")
    assert plugin.resolved_version(payload(body)) == "2026-11-24T11:59:59+00:00"
    flat = {"ticket_id": 7, "event": "ticket_resolved"}
    assert plugin.resolved_version(payload(flat)) is None
    assert plugin.resolved_version(payload({**flat, "updated_at": "yesterday"})) is None
    assert plugin.resolved_version(payload({**flat, "updated_at": "2026-11-24T12:00:00Z"})) is not None


# The pretend Zendesk's deliveries


Announce = Callable[[str | None, str], Awaitable[dict[str, Any]]]


@pytest.fixture
async def announced(pretend: PretendFactory, http: httpx.AsyncClient) -> Announce:
    """The delivery of an event (`created` or `resolved`), with a webhook for this tenant id in the body."""

    async def make(tenant_id: str | None, name: str) -> dict[str, Any]:
        vendor = await pretend(PretendZendesk)
        control = f"{vendor.origin}/_pretend"
        webhook = {"url": "http://127.0.0.1:9/hook", "secret": SECRET, "tenant_id": tenant_id}
        (await http.put(f"{control}/webhook", json=webhook)).raise_for_status()
        ticket = {"subject": "Hot", "description": "On fire", "priority": "urgent", "announce": False}
        number = (await http.post(f"{control}/tickets", json=ticket)).json()["ticket_id"]
        resolution = {"resolution": "Water", "announce": False}
        (await http.post(f"{control}/tickets/{number}/resolve", json=resolution)).raise_for_status()
        delivery = await http.get(f"{control}/tickets/{number}/delivery", params={"event": name})
        return {**delivery.json(), "number": number}

    return make


@pytest.mark.parametrize("tenant_id", [None, "acme"], ids=["event", "trigger"])
@pytest.mark.parametrize(("name", "kind"), [("created", EventKind.CREATED), ("resolved", EventKind.RESOLVED)])
async def test_what_the_pretend_zendesk_sends_is_understood(
    plugin: ZendeskPlugin, announced: Announce, tenant_id: str | None, name: str, kind: EventKind
) -> None:
    delivery = await announced(tenant_id, name)
    taken = take(plugin, delivery, "acme")
    assert await plugin.validate_webhook(taken.payload, taken.signature)
    assert plugin.event_kind(taken.payload) is kind
    metadata = plugin.extract_metadata(taken.payload)
    assert (metadata.ticket_id, metadata.description, metadata.priority) == (delivery["number"], "On fire", "high")
    tampered = base64.b64decode(delivery["body_base64"]).replace(b"On fire", b"On ice")
    other = take(plugin, delivery, "acme", raw=tampered)
    assert not await plugin.validate_webhook(other.payload, other.signature)
