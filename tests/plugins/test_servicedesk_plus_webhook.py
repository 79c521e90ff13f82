"""ServiceDesk Plus's webhooks: what is accepted as authentic, and what a body is taken to say."""

import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from deskhand.pretend.servicedesk_plus import PretendServiceDeskPlus
from plugins.exceptions import ConfigurationError, ValidationError
from plugins.payload import WebhookPayload
from plugins.servicedesk_plus import ServiceDeskPlusPlugin
from plugins.servicedesk_plus.webhook import MAX_WEBHOOK_TEXT
from plugins.tenants import WebhookSecret
from plugins.types import EventKind, TenantSettings
from tests.support.pretend import MemoryTenants, PretendFactory, take

SECRET = "a marked test secret"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
BODY = '{"ticket_id": "7", "description": "Drück mich"}'.encode()

HEADER = {"x-deskhand-secret": SECRET}
BASIC = {"authorization": "Basic " + base64.b64encode(f"sdp:{SECRET}".encode()).decode()}
HMAC = {"x-servicedesk-signature": "sha256=" + hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()}


@pytest.fixture
def plugin(tenants: MemoryTenants, http: httpx.AsyncClient) -> ServiceDeskPlusPlugin:
    tenants.add("acme", "servicedesk_plus", secrets=(SECRET,))
    return ServiceDeskPlusPlugin(tenants, http)


async def accepted(
    plugin: ServiceDeskPlusPlugin,
    headers: dict[str, str],
    scheme: str | None = None,
    *,
    tenant_id: str = "acme",
    raw: bytes = BODY,
    received_at: datetime = NOW,
) -> bool:
    settings = TenantSettings(signature_scheme=scheme)
    payload = WebhookPayload(
        {**json.loads(raw), "tenant_id": tenant_id}, raw=raw, received_at=received_at, settings=settings
    )
    return await plugin.validate_webhook(payload, plugin.signature_from(headers, settings))


# Authentication


@pytest.mark.parametrize(
    ("scheme", "right"), [(None, HEADER), ("header", HEADER), ("basic", BASIC), ("hmac", HMAC)], ids=str
)
async def test_only_the_scheme_in_force_counts(
    plugin: ServiceDeskPlusPlugin, scheme: str | None, right: dict[str, str]
) -> None:
    for headers in (HEADER, BASIC, HMAC, {}):
        assert await accepted(plugin, headers, scheme) is (headers is right)


async def test_a_signature_of_another_scheme_does_not_pass_at_any_stage(plugin: ServiceDeskPlusPlugin) -> None:
    """The run gets the signature ready-made: its form alone must not choose the scheme."""
    digest = "static-sha256=" + hashlib.sha256(SECRET.encode()).hexdigest()
    for scheme, signature, right in (
        ("header", digest, True),
        ("header", HMAC["x-servicedesk-signature"], False),
        ("hmac", HMAC["x-servicedesk-signature"], True),
        ("hmac", digest, False),
    ):
        payload = WebhookPayload(
            {"tenant_id": "acme"}, raw=BODY, received_at=NOW, settings=TenantSettings(signature_scheme=scheme)
        )
        assert await plugin.validate_webhook(payload, signature) is right, (scheme, signature)


async def test_the_interface_references_example(plugin: ServiceDeskPlusPlugin) -> None:
    """A plain dict, signed over compact JSON."""
    payload = {"tenant_id": "acme", "ticket_id": "7"}
    raw = json.dumps(payload, separators=(",", ":")).encode()
    signature = "sha256=" + hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
    assert await plugin.validate_webhook(payload, signature)
    assert not await plugin.validate_webhook({**payload, "ticket_id": "8"}, signature)


def test_the_secret_itself_does_not_go_on(plugin: ServiceDeskPlusPlugin) -> None:
    for scheme, headers in (("header", HEADER), ("basic", BASIC)):
        signature = plugin.signature_from(headers, TenantSettings(signature_scheme=scheme))
        assert signature.startswith("static-sha256=")
        assert SECRET not in signature


@pytest.mark.parametrize(
    "headers",
    [
        {"x-deskhand-secret": "wrong"},
        {"x-deskhand-secret": ""},
        {"authorization": "Bearer " + SECRET},
        {"authorization": "Basic !"},
        {"authorization": "Basic " + base64.b64encode(SECRET.encode()).decode()},
        {"authorization": "Basic " + base64.b64encode(f"{SECRET}:".encode()).decode()},
        {"authorization": "Basic " + base64.b64encode(b"\xff:\xff").decode()},
        {"x-servicedesk-signature": HMAC["x-servicedesk-signature"].removeprefix("sha256=")},
        {"x-servicedesk-signature": HMAC["x-servicedesk-signature"].replace("sha256=", "sha1=")},
        {"x-servicedesk-signature": "static-sha256=" + hashlib.sha256(SECRET.encode()).hexdigest()},
    ],
)
@pytest.mark.parametrize("scheme", ["header", "basic", "hmac"])
async def test_what_is_not_quite_the_secret_is_refused(
    plugin: ServiceDeskPlusPlugin, headers: dict[str, str], scheme: str
) -> None:
    assert not await accepted(plugin, headers, scheme)


@pytest.mark.parametrize(
    "other",
    [
        b'{"ticket_id":"7", "description": "Dr\xc3\xbcck mich"}',
        b'{"description": "Dr\xc3\xbcck mich", "ticket_id": "7"}',
        b'{"ticket_id": "7", "description": "Dr\\u00fcck mich"}',
    ],
    ids=["whitespace", "key order", "unicode escape"],
)
async def test_a_signed_body_cannot_be_changed(plugin: ServiceDeskPlusPlugin, other: bytes) -> None:
    assert not await accepted(plugin, HMAC, "hmac", raw=other)


def test_a_scheme_that_there_is_not_is_the_operators_to_mend(plugin: ServiceDeskPlusPlugin) -> None:
    with pytest.raises(ConfigurationError, match="signature_scheme: must be one of header, basic, hmac"):
        plugin.signature_from(HEADER, TenantSettings(signature_scheme="jwt"))


@pytest.mark.parametrize(("scheme", "headers"), [("header", HEADER), ("basic", BASIC), ("hmac", HMAC)], ids=str)
async def test_tenants_that_have_no_say_are_refused(
    tenants: MemoryTenants, plugin: ServiceDeskPlusPlugin, scheme: str, headers: dict[str, str]
) -> None:
    tenants.add("silent", "servicedesk_plus")
    tenants.add("gone", "servicedesk_plus", secrets=(SECRET,), active_until=NOW)
    tenants.add("later", "servicedesk_plus", secrets=(SECRET,), active_from=NOW + timedelta(seconds=1))
    tenants.add("jira", "jira", secrets=(SECRET,))
    for tenant_id in ("silent", "gone", "later", "jira", "unknown", "not/a/tenant"):
        assert not await accepted(plugin, headers, scheme, tenant_id=tenant_id), tenant_id


async def test_a_tenant_is_judged_as_of_when_the_delivery_came(
    tenants: MemoryTenants, plugin: ServiceDeskPlusPlugin
) -> None:
    """A run that waited validates again later, when the secret may have been rotated and the tenant switched off."""
    old = WebhookSecret(SecretStr("old"), not_after=NOW)
    new = WebhookSecret(SecretStr("new"), not_before=NOW)
    tenants.add("acme", "servicedesk_plus", secrets=(old, new), active_until=NOW + timedelta(minutes=1))
    before, at, after = NOW - timedelta(seconds=1), NOW, NOW + timedelta(minutes=1)
    for secret, accepting in (("old", [before]), ("new", [at])):
        for moment in (before, at, after):
            headers = {"x-deskhand-secret": secret}
            assert await accepted(plugin, headers, received_at=moment) is (moment in accepting), (secret, moment)


# What a body says


def payload(body: dict[str, Any], **settings: Any) -> WebhookPayload:
    return WebhookPayload(
        {"tenant_id": "acme", **body}, raw=b"", received_at=NOW, settings=TenantSettings.model_validate(settings)
    )


REQUEST = {
    "id": "234759602834500",
    "subject": "Printer",
    "description": "<div>The printer<br>is &amp; was on fire</div>",
    "priority": {"id": "4", "name": "Urgent", "color": "#ff0000"},
    "status": {"id": "2", "name": "Open"},
    "technician": {"id": "12"},
    "created_time": {"value": "1795521598000", "display_value": "Nov 24, 2026 11:59 AM"},
}


def request(**changed: Any) -> dict[str, Any]:
    return {"request": {**REQUEST, **changed}}


def test_metadata_of_a_request(plugin: ServiceDeskPlusPlugin) -> None:
    metadata = plugin.extract_metadata(payload(request()))
    assert metadata.ticket_id == "234759602834500"
    assert metadata.description.split("\n") == ["The printer", "is & was on fire"]
    assert metadata.priority == "high"
    assert metadata.created_at == datetime(2026, 11, 24, 11, 59, 58, tzinfo=UTC)


@pytest.mark.parametrize("created_at", ["1795521598000", 1795521598000, "2026-11-24T12:59:58+01:00"])
def test_metadata_of_the_template(plugin: ServiceDeskPlusPlugin, created_at: object) -> None:
    body = {
        "event": "ticket_created",
        "ticket_id": 59,
        "subject": "Printer",
        "description": "if a < b\nthen fire",
        "priority": "URGENT",
        "created_at": created_at,
    }
    metadata = plugin.extract_metadata(payload(body))
    assert metadata.ticket_id == "59"
    assert metadata.description == "if a < b\nthen fire"
    assert metadata.priority == "high"
    assert metadata.created_at == datetime(2026, 11, 24, 11, 59, 58, tzinfo=UTC)


@pytest.mark.parametrize("body", [{"ticket_id": "0042"}, {"request": {"id": " 042 "}}, {"ticket_id": 42}], ids=str)
def test_one_request_has_one_identity(plugin: ServiceDeskPlusPlugin, body: dict[str, Any]) -> None:
    assert plugin.extract_metadata(payload(body)).ticket_id == "42"


@pytest.mark.parametrize("piece", ["On fire. ", "<p>On fire. "])
def test_only_the_beginning_of_a_huge_description_is_read(plugin: ServiceDeskPlusPlugin, piece: str) -> None:
    description = plugin.extract_metadata(payload({"ticket_id": 7, "description": piece * 100_000})).description
    assert description.startswith("On fire.")
    assert MAX_WEBHOOK_TEXT / 4 < len(description) <= MAX_WEBHOOK_TEXT


@pytest.mark.parametrize("body", [{"ticket_id": 7}, {"request": {"id": 7}}], ids=str)
def test_an_id_is_enough(plugin: ServiceDeskPlusPlugin, body: dict[str, Any]) -> None:
    metadata = plugin.extract_metadata(payload(body))
    assert (metadata.ticket_id, metadata.description, metadata.priority, metadata.created_at) == (
        "7",
        "",
        "medium",
        NOW,
    )
    assert plugin.event_kind(payload(body)) is EventKind.CREATED


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("Urgent", "high"),
        ("high", "high"),
        ("MEDIUM", "medium"),
        ("Low", "low"),
        ("Normal", "medium"),
        ("", "medium"),
        (None, "medium"),
        ({"name": "Low"}, "low"),
        ({"name": None}, "medium"),
    ],
)
def test_priorities(plugin: ServiceDeskPlusPlugin, name: object, ours: str) -> None:
    assert plugin.extract_metadata(payload({"ticket_id": "7", "priority": name})).priority == ours
    assert plugin.extract_metadata(payload(request(priority=name))).priority == ours


def test_a_tenants_own_priorities_come_first(plugin: ServiceDeskPlusPlugin) -> None:
    body = payload(request(priority={"name": "P1"}), priorities={"p1": "high"})
    assert plugin.extract_metadata(body).priority == "high"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "ticket_id"),
        ({"ticket_id": "$RequestId"}, "ticket_id"),
        ({"ticket_id": "7/notes"}, "ticket_id"),
        ({"ticket_id": True}, "ticket_id"),
        (request(id=None), "request.id"),
        (request(description=["text"]), "description"),
        (request(created_time={"value": "soon"}), "created_at"),
        ({"ticket_id": "7", "created_at": "Nov 24, 2026 11:59 AM"}, "created_at"),
    ],
)
def test_what_is_unusable_is_refused_by_name(plugin: ServiceDeskPlusPlugin, body: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError, match=f"^{field}: "):
        plugin.extract_metadata(payload(body))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (request(), EventKind.CREATED),
        (request(status={"name": "Resolved"}), EventKind.RESOLVED),
        (request(status={"name": "closed"}), EventKind.RESOLVED),
        ({"event": "ticket_created", **request(status={"name": "Closed"})}, EventKind.CREATED),
        ({"event": "ticket_updated", **request()}, EventKind.OTHER),
        ({"event": "ticket_created", "ticket_id": 7}, EventKind.CREATED),
        ({"event": "ticket_resolved", "ticket_id": 7}, EventKind.RESOLVED),
        ({"event": "Ticket_Closed", "ticket_id": 7}, EventKind.RESOLVED),
        ({"ticket_id": 7, "status": "Resolved"}, EventKind.RESOLVED),
        ({"event": "ticket_noted", "ticket_id": 7}, EventKind.OTHER),
    ],
)
def test_what_a_delivery_asks_for(plugin: ServiceDeskPlusPlugin, body: dict[str, Any], kind: EventKind) -> None:
    assert plugin.event_kind(payload(body)) is kind
    assert plugin.event_kind(payload(body, own_account_id="1")) is kind


@pytest.mark.parametrize(
    "who", [{"actor_id": "12"}, {"technician_id": 12}, {"actor": {"id": "12"}}, {"technician": {"id": "12"}}], ids=str
)
def test_what_we_caused_ourselves_asks_for_nothing(plugin: ServiceDeskPlusPlugin, who: dict[str, Any]) -> None:
    body = {"event": "ticket_created", "ticket_id": 7, **who}
    assert plugin.event_kind(payload(body, own_account_id="12")) is EventKind.OWN


def test_a_request_that_is_assigned_to_us_is_still_a_new_one(plugin: ServiceDeskPlusPlugin) -> None:
    assert plugin.event_kind(payload(request(), own_account_id="12")) is EventKind.CREATED


def test_resolutions_are_told_apart_by_when_they_were(plugin: ServiceDeskPlusPlugin) -> None:
    body = request(resolved_time={"value": "1795521598000"}, last_updated_time={"value": "1795521599000"})
    assert plugin.resolved_version(payload(body)) == "2026-11-24T11:59:58+00:00"
    assert plugin.resolved_version(payload({"ticket_id": 7, "resolved_at": "1795521598000"})) is not None
    assert plugin.resolved_version(payload({"ticket_id": 7, "resolved_at": "today"})) is None


# The pretend ServiceDesk Plus's deliveries

Announce = Callable[[str | None, str], Awaitable[dict[str, Any]]]


@pytest.fixture
async def announced(pretend: PretendFactory, http: httpx.AsyncClient) -> Announce:
    """The delivery of an event (`created` or `resolved`) under a scheme."""

    async def make(scheme: str | None, name: str) -> dict[str, Any]:
        vendor = await pretend(PretendServiceDeskPlus)
        control = f"{vendor.origin}/_pretend"
        webhook = {"url": "http://127.0.0.1:9/hook", "secret": SECRET, "tenant_id": "acme", "scheme": scheme}
        (await http.put(f"{control}/webhook", json=webhook)).raise_for_status()
        ticket = {"subject": "Hot", "description": "On fire", "priority": "Urgent", "announce": False}
        number = (await http.post(f"{control}/tickets", json=ticket)).json()["ticket_id"]
        resolution = {"resolution": "Water", "announce": False}
        (await http.post(f"{control}/tickets/{number}/resolve", json=resolution)).raise_for_status()
        delivery = await http.get(f"{control}/tickets/{number}/delivery", params={"event": name})
        return {**delivery.json(), "number": number}

    return make


@pytest.mark.parametrize("scheme", [None, "header", "basic", "hmac"])
@pytest.mark.parametrize(("name", "kind"), [("created", EventKind.CREATED), ("resolved", EventKind.RESOLVED)])
async def test_what_the_pretend_servicedesk_plus_sends_is_understood(
    plugin: ServiceDeskPlusPlugin, announced: Announce, scheme: str | None, name: str, kind: EventKind
) -> None:
    delivery = await announced(scheme, name)
    taken = take(plugin, delivery, "acme", settings=TenantSettings(signature_scheme=scheme))
    assert await plugin.validate_webhook(taken.payload, taken.signature)
    assert plugin.event_kind(taken.payload) is kind
    metadata = plugin.extract_metadata(taken.payload)
    assert (metadata.ticket_id, metadata.description, metadata.priority) == (delivery["number"], "On fire", "high")
