"""What Jira's webhooks say, and when they are believed."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from deskhand.pretend.jira import PretendJira
from plugins.conformance.pretend.controlling import Control
from plugins.conformance.pretend.vendor import PretendVendor
from plugins.exceptions import ValidationError
from plugins.jira import JiraPlugin
from plugins.jira.values import MAX_WEBHOOK_TEXT
from plugins.payload import WebhookPayload
from plugins.signatures import hmac_sha256, static_digest
from plugins.tenants import WebhookSecret
from plugins.types import EventKind, TenantSettings
from tests.support.pretend import MemoryTenants, PretendFactory, take

SECRET = "a test secret"
RECEIVED = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@dataclass
class Jira:
    """A tenant `acme` of a plugin, and the pretend site that announces its tickets."""

    plugin: JiraPlugin
    tenants: MemoryTenants
    control: Control

    async def created(self, **fields: Any) -> dict[str, Any]:
        return await self.control.delivery(await self.control.ticket(**fields))


@pytest.fixture
async def jira(
    pretend: PretendFactory,
    control: Callable[[PretendVendor], Control],
    tenants: MemoryTenants,
    http: httpx.AsyncClient,
) -> Jira:
    site = control(await pretend(PretendJira))
    await site.webhook("http://127.0.0.1:9/webhooks/jira/acme", SECRET)
    tenants.add("acme", "jira", secrets=(SECRET,))
    return Jira(JiraPlugin(tenants, http), tenants, site)


def payload(body: dict[str, Any], settings: TenantSettings | None = None) -> WebhookPayload:
    full = {"tenant_id": "acme", **body}
    return WebhookPayload(full, raw=json.dumps(body).encode(), received_at=RECEIVED, settings=settings)


# Signatures


async def test_the_vendors_own_example_is_valid(jira: Jira) -> None:
    """Atlassian's "Webhooks" page, "Secure admin webhooks"."""
    jira.tenants.add("acme", "jira", secrets=("It's a Secret to Everybody",))
    hello = WebhookPayload({"tenant_id": "acme"}, raw=b"Hello World!", received_at=RECEIVED)
    signature = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
    assert await jira.plugin.validate_webhook(hello, signature)


async def test_a_delivery_as_jira_sends_it_is_valid(jira: Jira) -> None:
    taken = take(jira.plugin, await jira.created(), "acme")
    assert await jira.plugin.validate_webhook(taken.payload, taken.signature)


@pytest.mark.parametrize("how", ["whitespace", "key order", "unicode escape", "one character"])
async def test_a_body_that_was_touched_is_refused(jira: Jira, how: str) -> None:
    delivery = await jira.created(description="Drucker fällt aus")
    raw = base64.b64decode(delivery["body_base64"])
    body = json.loads(raw)
    touched = {
        "whitespace": raw.replace(b'":', b'": ', 1),
        "key order": json.dumps(dict(reversed(body.items())), ensure_ascii=False, separators=(",", ":")).encode(),
        "unicode escape": raw.replace("ä".encode(), b"\\u00e4"),
        "one character": raw.replace(b"Drucker", b"drucker"),
    }[how]
    assert touched != raw
    taken = take(jira.plugin, delivery, "acme", raw=touched)
    assert not await jira.plugin.validate_webhook(taken.payload, taken.signature)


@pytest.mark.parametrize("method", ["", "sha1=", "sha512=", "SHA256="])
async def test_other_signing_methods_are_refused(jira: Jira, method: str) -> None:
    taken = take(jira.plugin, await jira.created(), "acme")
    given = method + taken.signature.removeprefix("sha256=")
    assert not await jira.plugin.validate_webhook(taken.payload, given)


async def test_an_unsigned_delivery_is_refused(jira: Jira) -> None:
    delivery = await jira.created()
    del delivery["headers"]["X-Hub-Signature"]
    taken = take(jira.plugin, delivery, "acme")
    assert taken.signature == ""
    assert not await jira.plugin.validate_webhook(taken.payload, taken.signature)


async def test_a_plain_dictionary_is_checked_over_compact_json(jira: Jira) -> None:
    """The interface reference's own example."""
    body = {"tenant_id": "acme", "ticket_id": "HELP-1"}
    signature = "sha256=" + hmac_sha256(SECRET, b'{"tenant_id":"acme","ticket_id":"HELP-1"}').hex()
    assert await jira.plugin.validate_webhook(body, signature)


@pytest.mark.parametrize("case", ["unknown", "not yet active", "inactive", "other tool", "no secret", "no tenant"])
async def test_a_tenant_that_cannot_be_the_sender_is_refused(jira: Jira, case: str) -> None:
    delivery = await jira.created()
    if case == "not yet active":
        jira.tenants.add("acme", "jira", secrets=(SECRET,), active_from=RECEIVED + timedelta(seconds=1))
    elif case == "inactive":
        jira.tenants.add("acme", "jira", secrets=(SECRET,), active_until=RECEIVED)
    elif case == "other tool":
        jira.tenants.add("acme", "zendesk", secrets=(SECRET,))
    elif case == "no secret":
        jira.tenants.add("acme", "jira")
    taken = take(jira.plugin, delivery, "nobody" if case == "unknown" else "acme", received_at=RECEIVED)
    if case == "no tenant":
        del taken.payload["tenant_id"]
    assert not await jira.plugin.validate_webhook(taken.payload, taken.signature)


@pytest.mark.parametrize(
    ("offset", "counts"), [(-3601, False), (-3600, True), (-1, True), (0, False), (60, False)], ids=str
)
async def test_a_secret_counts_as_of_when_the_delivery_was_received(jira: Jira, offset: int, counts: bool) -> None:
    """Seconds from the moment that the secret was rotated; it began an hour before."""
    old = WebhookSecret(SecretStr(SECRET), not_before=RECEIVED - timedelta(hours=1), not_after=RECEIVED)
    jira.tenants.add("acme", "jira", secrets=(WebhookSecret(SecretStr("new"), not_before=RECEIVED), old))
    taken = take(jira.plugin, await jira.created(), "acme", received_at=RECEIVED + timedelta(seconds=offset))
    assert await jira.plugin.validate_webhook(taken.payload, taken.signature) is counts


async def test_under_the_header_scheme_the_header_is_the_secret(jira: Jira) -> None:
    settings = TenantSettings(signature_scheme="header")
    delivery = await jira.created()
    delivery["headers"]["X-Deskhand-Secret"] = SECRET
    taken = take(jira.plugin, delivery, "acme", settings=settings)
    assert taken.signature == static_digest(SECRET)
    assert await jira.plugin.validate_webhook(taken.payload, taken.signature)
    for other in ("", SECRET, static_digest("another"), delivery["headers"]["X-Hub-Signature"]):
        assert not await jira.plugin.validate_webhook(taken.payload, other)


@pytest.mark.parametrize("scheme", [None, "hmac"])
async def test_a_bare_secret_is_no_signature_where_signing_is_in_force(jira: Jira, scheme: str | None) -> None:
    settings = TenantSettings(signature_scheme=scheme)
    taken = take(jira.plugin, await jira.created(), "acme", settings=settings)
    assert await jira.plugin.validate_webhook(taken.payload, taken.signature)
    assert not await jira.plugin.validate_webhook(taken.payload, static_digest(SECRET))


async def test_an_unknown_scheme_refuses_everything(jira: Jira) -> None:
    settings = TenantSettings(signature_scheme="rot13")
    taken = take(jira.plugin, await jira.created(), "acme", settings=settings)
    assert not await jira.plugin.validate_webhook(taken.payload, taken.signature)


# What an event asks for


async def test_a_new_issue_asks_for_a_note(jira: Jira) -> None:
    assert jira.plugin.event_kind(take(jira.plugin, await jira.created(), "acme").payload) is EventKind.CREATED


async def test_a_resolved_issue_asks_to_be_recorded(jira: Jira) -> None:
    key = await jira.control.ticket()
    await jira.control.resolve(key, "Replaced the cable.")
    taken = take(jira.plugin, await jira.control.delivery(key, "resolved"), "acme")
    assert await jira.plugin.validate_webhook(taken.payload, taken.signature)
    assert jira.plugin.event_kind(taken.payload) is EventKind.RESOLVED
    version = jira.plugin.resolved_version(taken.payload)
    assert version is not None
    assert version.endswith("+00:00")


DONE = {"key": "HELP-1", "fields": {"status": {"name": "Fertig", "statusCategory": {"key": "done"}}}}
OPEN = {"key": "HELP-1", "fields": {"status": {"name": "Offen", "statusCategory": {"key": "new"}}}}


def update(issue: dict[str, Any], *items: dict[str, Any]) -> dict[str, Any]:
    return {"webhookEvent": "jira:issue_updated", "issue": issue, "changelog": {"items": list(items)}}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (update(OPEN, {"field": "resolution", "to": "10000"}), EventKind.RESOLVED),
        (update(DONE, {"field": "status", "to": "6"}), EventKind.RESOLVED),
        (update(DONE, {"field": "resolution", "to": None}, {"field": "status", "to": "1"}), EventKind.OTHER),
        (update(DONE, {"field": "labels", "to": "vpn"}), EventKind.OTHER),
        (update(OPEN, {"field": "status", "to": "3"}), EventKind.OTHER),
        (update(DONE), EventKind.OTHER),
        ({"webhookEvent": "jira:issue_updated", "issue": DONE, "changelog": None}, EventKind.OTHER),
        ({"webhookEvent": "jira:issue_updated", "changelog": {"items": ["x", {"field": 3}]}}, EventKind.OTHER),
        ({"webhookEvent": "comment_created", "issue": OPEN}, EventKind.OTHER),
        ({"webhookEvent": "jira:issue_deleted", "issue": OPEN}, EventKind.OTHER),
        ({"webhookEvent": None}, EventKind.OTHER),
        ({"issue": OPEN}, EventKind.CREATED),
        (OPEN, EventKind.CREATED),
        ({"ticket_id": "HELP-1"}, EventKind.CREATED),
    ],
)
def test_the_kind_of_an_event(jira: Jira, body: dict[str, Any], kind: EventKind) -> None:
    assert jira.plugin.event_kind(payload(body)) is kind


@pytest.mark.parametrize("event", ["jira:issue_created", "jira:issue_updated", "comment_created"])
def test_what_our_own_account_did_is_never_answered_with_work(jira: Jira, event: str) -> None:
    settings = TenantSettings(own_account_id="557058:us")
    body = update(DONE, {"field": "resolution", "to": "1"}) | {"webhookEvent": event}
    assert jira.plugin.event_kind(payload({**body, "user": {"accountId": "557058:us"}}, settings)) is EventKind.OWN
    assert jira.plugin.event_kind(payload({**body, "user": {"accountId": "other"}}, settings)) is not EventKind.OWN
    assert jira.plugin.event_kind(payload(body, settings)) is not EventKind.OWN


# Metadata

ADF = {
    "type": "doc",
    "version": 1,
    "content": [{"type": "paragraph", "content": [{"type": "text", "text": "No network"}]}],
}
FIELDS = {"description": "No network", "priority": {"name": "High"}, "created": "2023-06-16T17:21:05.291+0530"}
CREATED = datetime(2023, 6, 16, 11, 51, 5, 291000, tzinfo=UTC)


@pytest.mark.parametrize(
    "body",
    [
        {"webhookEvent": "jira:issue_created", "issue": {"key": "HELP-7", "fields": FIELDS}},
        {"issue": {"key": "HELP-7", "fields": {**FIELDS, "description": ADF}}, "user": None},
        {"key": "HELP-7", "fields": FIELDS},
        {
            "ticket_id": "HELP-7",
            "description": "No network",
            "priority": "HIGH",
            "created_at": "2023-06-16T11:51:05.291Z",
        },
        {"key": "HELP-7", "description": "No network", "priority": "high", "created_at": 1686916265291},
    ],
    ids=["native", "automation, Jira format", "automation, bare issue", "custom", "custom with key"],
)
def test_metadata_of_each_form_of_body(jira: Jira, body: dict[str, Any]) -> None:
    metadata = jira.plugin.extract_metadata(payload(body))
    assert (metadata.tenant_id, metadata.ticket_id, metadata.priority) == ("acme", "HELP-7", "high")
    assert metadata.description.strip() == "No network"
    assert metadata.created_at == CREATED


async def test_metadata_of_a_delivery_as_jira_sends_it(jira: Jira) -> None:
    delivery = await jira.created(description="The *printer* is on fire", priority="Highest")
    metadata = jira.plugin.extract_metadata(take(jira.plugin, delivery, "acme").payload)
    assert metadata.ticket_id == "HELP-1"
    assert "printer" in metadata.description
    assert metadata.priority == "high"
    assert abs(datetime.now(UTC) - metadata.created_at) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "body", [{"ticket_id": "HELP-7"}, {"issue": {"key": "HELP-7"}}, {"key": "HELP-7", "fields": {}}]
)
def test_a_body_with_only_the_key_is_legal(jira: Jira, body: dict[str, Any]) -> None:
    metadata = jira.plugin.extract_metadata(payload(body))
    assert (metadata.ticket_id, metadata.description, metadata.priority) == ("HELP-7", "", "medium")
    assert metadata.created_at == RECEIVED


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("Highest", "high"),
        ("critical", "high"),
        ("HIGH", "high"),
        ("Medium", "medium"),
        ("Low", "low"),
        ("Lowest", "low"),
        ("Blocker", "high"),
        ("Dringend", "medium"),
        (None, "medium"),
    ],
)
def test_priorities(jira: Jira, name: str | None, ours: str) -> None:
    settings = TenantSettings(priorities={"BLOCKER": "high"})
    body = {"issue": {"key": "HELP-7", "fields": {"priority": {"name": name} if name else None}}}
    assert jira.plugin.extract_metadata(payload(body, settings)).priority == ours


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"tenant_id": None, "ticket_id": "HELP-7"}, "tenant_id: is missing"),
        ({}, "ticket_id: is missing"),
        ({"ticket_id": 7}, "ticket_id: is missing"),
        ({"issue": {"fields": {}}}, "issue.key: is missing"),
        ({"issue": "HELP-7"}, "issue: must be an object"),
        ({"issue": {"key": "HELP-7", "fields": "secretive"}}, "fields: must be an object"),
        ({"ticket_id": "secretive"}, "ticket_id: must be an issue key"),
        ({"ticket_id": "HELP-7/../../secretive"}, "ticket_id: must be an issue key"),
        ({"ticket_id": "HELP-7\n"}, "ticket_id: must be an issue key"),
        ({"ticket_id": "HELP-7", "description": ["secretive"]}, "description: must be text"),
        ({"ticket_id": "HELP-7", "created_at": "secretive"}, "created_at: must be"),
        ({"key": "HELP-7", "fields": {"created": "secretive"}}, "created: must be"),
        ({"ticket_id": "HELP-" + "7" * 100}, "ticket_id: longer than 100"),
    ],
)
def test_an_unusable_body_is_refused_by_field_and_never_quoted(jira: Jira, body: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        jira.plugin.extract_metadata(payload(body))
    assert str(refused.value).startswith(field)
    assert "secretive" not in str(refused.value)


@pytest.mark.parametrize(
    "body",
    [{"ticket_id": "help-7"}, {"key": "Help-7"}, {"key": "hELP-7", "fields": {}}, {"issue": {"key": "help-7"}}],
    ids=str,
)
def test_one_issue_has_one_identity(jira: Jira, body: dict[str, Any]) -> None:
    assert jira.plugin.extract_metadata(payload(body)).ticket_id == "HELP-7"


@pytest.mark.parametrize("form", ["wiki", "one ADF text", "many ADF nodes", "empty ADF nodes"])
def test_only_the_beginning_of_a_huge_description_is_read(jira: Jira, form: str) -> None:
    line = [{"type": "paragraph", "content": [{"type": "text", "text": "The *printer* is on fire"}]}]
    description: Any = {
        "wiki": "The *printer* is on fire\n" * 40_000,
        "one ADF text": {"type": "doc", "content": [{"type": "text", "text": "The *printer* is on fire. " * 40_000}]},
        "many ADF nodes": {"type": "doc", "content": line * 10_000},
        "empty ADF nodes": {"type": "doc", "content": [*line, *[{"type": "x"}] * MAX_WEBHOOK_TEXT, *line]},
    }[form]
    text = jira.plugin.extract_metadata(payload({"issue": {"key": "HELP-7", "fields": {"description": description}}}))
    printer = "printer" if form == "wiki" else "*printer*"
    assert text.description.startswith(f"The {printer} is on fire")
    assert len(text.description) <= MAX_WEBHOOK_TEXT
    assert form != "empty ADF nodes" or text.description.count("printer") == 1
