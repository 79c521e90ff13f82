"""What Jira's webhooks and Automation rules say, in each of their bodies; and Jira's own example of a signature."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from deskhand.pretend.jira import PretendJira
from plugins.conformance.pretend.model import Event, PretendNote, Webhook
from plugins.exceptions import ValidationError
from plugins.jira import JiraPlugin
from plugins.jira.values import MAX_WEBHOOK_TEXT
from plugins.jira.webhooks import event_kind, extract_metadata, resolved_version
from plugins.payload import WebhookPayload
from plugins.signatures import hmac_sha256
from plugins.types import EventKind, TenantSettings
from tests.support.jira import adf
from tests.support.pretend import MemoryTenants

RECEIVED = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
US = "557058:us"
OURS, OTHERS = {"accountId": US}, {"accountId": "557058:agent"}
WE_ARE_KNOWN = TenantSettings(own_account_id=US)


def payload(body: dict[str, Any], settings: TenantSettings | None = None) -> WebhookPayload:
    full = {"tenant_id": "acme", **body}
    return WebhookPayload(full, raw=json.dumps(body).encode(), received_at=RECEIVED, settings=settings)


# Signatures


async def test_the_vendors_own_example_is_valid(tenants: MemoryTenants, http: httpx.AsyncClient) -> None:
    """Atlassian's "Webhooks" page, "Secure admin webhooks"."""
    tenants.add("acme", "jira", secrets=("It's a Secret to Everybody",))
    hello = WebhookPayload({"tenant_id": "acme"}, raw=b"Hello World!", received_at=RECEIVED)
    digest = "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
    plugin = JiraPlugin(tenants, http)
    assert await plugin.validate_webhook(hello, f"sha256={digest}")
    for other in ("", "sha1=", "sha512=", "SHA256="):
        assert not await plugin.validate_webhook(hello, other + digest)


async def test_a_plain_dictionary_is_checked_over_compact_json(tenants: MemoryTenants, http: httpx.AsyncClient) -> None:
    """The interface reference's own example."""
    tenants.add("acme", "jira", secrets=("secret",))
    signature = "sha256=" + hmac_sha256("secret", b'{"tenant_id":"acme","ticket_id":"HELP-1"}').hex()
    assert await JiraPlugin(tenants, http).validate_webhook({"tenant_id": "acme", "ticket_id": "HELP-1"}, signature)


# What the vendor's own deliveries say


def delivered(event: Event, scheme: str | None = None) -> WebhookPayload:
    """What the pretend Jira tells of a ticket that was resolved and then had a note of ours."""
    jira = PretendJira("https://acme.atlassian.net")
    ticket = jira.add_ticket({"description": "The *printer* is on fire", "priority": "Highest"})
    ticket.created_at = datetime(2026, 11, 24, 9, 30, 0, 291_000, tzinfo=UTC)
    if event != "created":
        jira.resolve(ticket, "Put it out.")
        ticket.resolved_at = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
        ticket.notes.append(PretendNote("1", adf("A note"), True, US, RECEIVED))
    body = jira.webhook_body(event, ticket, Webhook("https://deskhand.example", "secret", scheme=scheme))
    return payload(dict(body), WE_ARE_KNOWN)


@pytest.mark.parametrize("scheme", [None, "header"], ids=["native", "automation"])
@pytest.mark.parametrize(
    ("event", "kind"), [("created", EventKind.CREATED), ("resolved", EventKind.RESOLVED), ("noted", EventKind.OWN)]
)
def test_deliveries_of_webhooks_and_of_rules(event: Event, kind: EventKind, scheme: str | None) -> None:
    assert event_kind(delivered(event, scheme)) is kind


@pytest.mark.parametrize("scheme", [None, "header"], ids=["native", "automation"])
def test_metadata_of_a_delivery_whatever_the_offset_of_its_times(scheme: str | None) -> None:
    sent = delivered("created", scheme)
    assert (b"+0530" in sent.raw) is (scheme == "header")
    metadata = extract_metadata(sent)
    assert (metadata.ticket_id, metadata.priority) == ("HELP-1", "high")
    assert metadata.description == "The printer is on fire"
    assert metadata.created_at == datetime(2026, 11, 24, 9, 30, 0, 291_000, tzinfo=UTC)


@pytest.mark.parametrize("scheme", [None, "header"], ids=["native", "automation"])
def test_one_resolution_is_told_from_the_next_by_its_time(scheme: str | None) -> None:
    assert resolved_version(delivered("resolved", scheme)) == "2026-11-24T11:00:00.000+00:00"


# What an event asks for

DONE = {"key": "HELP-1", "fields": {"status": {"name": "Fertig", "statusCategory": {"key": "done"}}}}
RESOLVED = {"key": "HELP-1", "fields": {"resolution": {"name": "Erledigt"}}}
OPEN = {"key": "HELP-1", "fields": {"resolution": None, "status": {"name": "Offen", "statusCategory": {"key": "new"}}}}


def update(issue: dict[str, Any], *items: dict[str, Any]) -> dict[str, Any]:
    return {"webhookEvent": "jira:issue_updated", "issue": issue, "changelog": {"items": list(items)}}


NATIVE = [
    ({"webhookEvent": "jira:issue_created", "issue": OPEN}, EventKind.CREATED),
    ({"webhookEvent": "jira:issue_created", "issue": DONE}, EventKind.CREATED),
    (update(OPEN, {"field": "resolution", "to": "10000"}), EventKind.RESOLVED),
    (update(DONE, {"field": "Lösung", "fieldId": "resolution", "to": "10000"}), EventKind.RESOLVED),
    (update(DONE, {"field": "status", "to": "6"}), EventKind.RESOLVED),
    (update(DONE, {"field": "resolution", "to": None}, {"field": "status", "to": "1"}), EventKind.OTHER),
    (update(DONE, {"field": "labels", "to": "vpn"}), EventKind.OTHER),
    (update(OPEN, {"field": "status", "to": "3"}), EventKind.OTHER),
    (update(DONE), EventKind.OTHER),
    ({"webhookEvent": "jira:issue_updated", "issue": DONE, "changelog": None}, EventKind.OTHER),
    ({"webhookEvent": "jira:issue_updated", "changelog": {"items": ["x", {"field": 3}]}}, EventKind.OTHER),
    ({"webhookEvent": "comment_created", "issue": OPEN}, EventKind.OTHER),
    ({"webhookEvent": "jira:issue_deleted", "issue": OPEN}, EventKind.OTHER),
    ({"webhookEvent": "jira:issue_deleted", "event": "created"}, EventKind.OTHER),
    ({"webhookEvent": None}, EventKind.OTHER),
]
AUTOMATION = [
    ({"issue": OPEN}, EventKind.CREATED),
    ({"issue": DONE}, EventKind.RESOLVED),
    ({"issue": RESOLVED}, EventKind.RESOLVED),
    ({"timestamp": 1462941258113, "issue": OPEN, "user": OTHERS}, EventKind.CREATED),
    ({"timestamp": 1462941258113, "issue": DONE, "user": OTHERS, "comment": None}, EventKind.RESOLVED),
    (OPEN, EventKind.CREATED),
    (DONE, EventKind.RESOLVED),
    (RESOLVED, EventKind.RESOLVED),
    ({"issue": {"key": "HELP-1"}}, EventKind.CREATED),
    ({"issue": "HELP-1"}, EventKind.CREATED),
]
CUSTOM = [
    ({"ticket_id": "HELP-1"}, EventKind.CREATED),
    ({"key": "HELP-1"}, EventKind.CREATED),
    ({"key": "HELP-1", "event": ""}, EventKind.CREATED),
    ({"key": "HELP-1", "event": 5}, EventKind.CREATED),
    ({"key": "HELP-1", "event": "created", "status": "Done"}, EventKind.CREATED),
    ({"key": "HELP-1", "event": " Ticket_Created "}, EventKind.CREATED),
    ({"key": "HELP-1", "event": "issue_created"}, EventKind.CREATED),
    ({"key": "HELP-1", "event": "ticket_resolved"}, EventKind.RESOLVED),
    ({"key": "HELP-1", "event": "ticket_closed"}, EventKind.RESOLVED),
    ({"key": "HELP-1", "event": "Resolved"}, EventKind.RESOLVED),
    ({"issue": OPEN, "event": "issue_resolved"}, EventKind.RESOLVED),
    ({"issue": DONE, "event": "commented"}, EventKind.OTHER),
    ({"key": "HELP-1", "status": "Resolved"}, EventKind.RESOLVED),
    ({"key": "HELP-1", "status": {"name": "Done"}}, EventKind.RESOLVED),
    ({"key": "HELP-1", "status": "In Progress"}, EventKind.CREATED),
    ({"key": "HELP-1", "status": None}, EventKind.CREATED),
]


@pytest.mark.parametrize(("body", "kind"), [*NATIVE, *AUTOMATION, *CUSTOM])
def test_the_kind_of_an_event(body: dict[str, Any], kind: EventKind) -> None:
    assert event_kind(payload(body)) is kind


@pytest.mark.parametrize(
    "body",
    [
        {"webhookEvent": "jira:issue_updated", "user": OURS, "issue": OPEN},
        {"webhookEvent": "jira:issue_updated", "issue_event_type_name": "issue_commented", "user": OURS, "issue": OPEN},
        {"webhookEvent": "comment_created", "issue": OPEN, "comment": {"author": OURS}},
        {"webhookEvent": "comment_updated", "issue": OPEN, "comment": {"author": OTHERS, "updateAuthor": OURS}},
        {"timestamp": 1462941258113, "issue": OPEN, "comment": {"author": OURS}, "user": OTHERS},
        {"timestamp": 1462941258113, "issue": OPEN, "comment": {}, "user": OTHERS, "actor_id": US},
        {"timestamp": 1462941258113, "issue": OPEN, "comment": {"id": "1"}, "user": OURS},
        {"ticket_id": "HELP-1", "event": "commented", "actor_id": US},
        {"ticket_id": "HELP-1", "user": OURS},
    ],
    ids=str,
)
def test_what_our_own_account_did_is_never_answered_with_work(body: dict[str, Any]) -> None:
    assert event_kind(payload(body, WE_ARE_KNOWN)) is EventKind.OWN
    assert event_kind(payload(body)) is not EventKind.OWN
    assert event_kind(payload(body, TenantSettings(own_account_id=""))) is not EventKind.OWN


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"webhookEvent": "jira:issue_created", "user": OURS, "issue": OPEN}, EventKind.CREATED),
        (update(DONE, {"field": "resolution", "to": "1"}) | {"user": OURS}, EventKind.RESOLVED),
        ({"ticket_id": "HELP-1", "event": "created", "actor_id": US}, EventKind.CREATED),
        ({"ticket_id": "HELP-1", "event": "resolved", "actor_id": US}, EventKind.RESOLVED),
    ],
    ids=str,
)
def test_issues_that_others_create_and_resolve_under_our_account_are_work(
    body: dict[str, Any], kind: EventKind
) -> None:
    assert event_kind(payload(body, WE_ARE_KNOWN)) is kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        # The rule runs as our account: whoever opened the ticket, its user is always us.
        ({"timestamp": 1462941258113, "issue": OPEN, "user": OURS}, EventKind.CREATED),
        # What happened is the resolution; the comment that came with it may be an older one.
        (
            update(DONE, {"field": "resolution", "to": "1"}) | {"user": OTHERS, "comment": {"author": OURS}},
            EventKind.RESOLVED,
        ),
        ({"webhookEvent": "jira:issue_created", "issue": OPEN, "user": OTHERS}, EventKind.CREATED),
        ({"webhookEvent": "comment_created", "issue": OPEN, "comment": {"author": OTHERS}}, EventKind.OTHER),
    ],
    ids=str,
)
def test_what_others_did_is_not_ours(body: dict[str, Any], kind: EventKind) -> None:
    assert event_kind(payload(body, WE_ARE_KNOWN)) is kind


@pytest.mark.parametrize(
    ("body", "version"),
    [
        ({"issue": {"fields": {"resolutiondate": None, "updated": "2026-11-24T12:00:00.000+0100"}}}, "11:00"),
        ({"fields": {"statuscategorychangedate": "2026-11-24T15:30:00.000+0530", "updated": "x"}}, "10:00"),
        ({"key": "HELP-1", "resolved_at": "2026-11-24T09:00:00Z"}, "09:00"),
        ({"key": "HELP-1", "updated_at": 1795507200000}, "08:00"),
        ({"key": "HELP-1"}, None),
        ({"issue": "HELP-1"}, None),
    ],
    ids=str,
)
def test_when_an_issue_was_resolved(body: dict[str, Any], version: str | None) -> None:
    expected = None if version is None else f"2026-11-24T{version}:00.000+00:00"
    assert resolved_version(payload(body)) == expected


# Metadata

FIELDS = {"description": "No network", "priority": {"name": "High"}, "created": "2023-06-16T17:21:05.291+0530"}
CREATED = datetime(2023, 6, 16, 11, 51, 5, 291000, tzinfo=UTC)


@pytest.mark.parametrize(
    "body",
    [
        {"webhookEvent": "jira:issue_created", "issue": {"key": "HELP-7", "fields": FIELDS}},
        {"issue": {"key": "HELP-7", "fields": {**FIELDS, "description": adf("No network")}}, "user": None},
        {"timestamp": 1462941258113, "issue": {"key": "HELP-7", "fields": FIELDS}, "comment": None, "user": OTHERS},
        {"id": 11111, "key": "HELP-7", "fields": FIELDS},
        {
            "ticket_id": "HELP-7",
            "description": "No network",
            "priority": "HIGH",
            "created_at": "2023-06-16T11:51:05.291000000Z",
        },
        {"key": "HELP-7", "description": "No network", "priority": "high", "created_at": 1686916265291},
        {"ticket_id": "HELP-7", "description": "No network", "priority": " high ", "created_at": "1686916265291"},
    ],
    ids=["native", "Jira format", "legacy automation", "Automation format", "custom", "custom with key", "digits"],
)
def test_metadata_of_each_form_of_body(body: dict[str, Any]) -> None:
    metadata = extract_metadata(payload(body))
    assert (metadata.tenant_id, metadata.ticket_id, metadata.priority) == ("acme", "HELP-7", "high")
    assert metadata.description.strip() == "No network"
    assert metadata.created_at == CREATED


@pytest.mark.parametrize(
    "body", [{"ticket_id": "HELP-7"}, {"issue": {"key": "HELP-7"}}, {"key": "HELP-7", "fields": {}}], ids=str
)
def test_a_body_with_only_the_key_is_legal(body: dict[str, Any]) -> None:
    metadata = extract_metadata(payload(body))
    assert (metadata.ticket_id, metadata.description, metadata.priority) == ("HELP-7", "", "medium")
    assert metadata.created_at == RECEIVED


@pytest.mark.parametrize(
    ("description", "text"),
    [
        (None, ""),
        ("", ""),
        ("h2. The *printer*\n# is on fire", "The printer\n- is on fire"),
        ("<p>The <b>printer</b></p><ul><li>is on fire &amp; smokes</li></ul>", "The printer\n\n- is on fire & smokes"),
        ("  <!DOCTYPE html><html><body>On fire</body></html>", "On fire"),
        ("List<String> is <empty> & sad", "List<String> is <empty> & sad"),
        ("<div is what I typed", "<div is what I typed"),
        (adf("The printer", "is on fire"), "The printer\n\nis on fire"),
        ({"type": "doc"}, ""),
    ],
    ids=str,
)
def test_a_description_is_wiki_markup_or_html_or_adf_or_nothing(description: object, text: str) -> None:
    body = {"issue": {"key": "HELP-7", "fields": {"description": description}}}
    assert extract_metadata(payload(body)).description.strip() == text


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
def test_priorities(name: str | None, ours: str) -> None:
    settings = TenantSettings(priorities={"BLOCKER": "high"})
    body = {"issue": {"key": "HELP-7", "fields": {"priority": {"name": name} if name else None}}}
    assert extract_metadata(payload(body, settings)).priority == ours


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"tenant_id": None, "ticket_id": "HELP-7"}, "tenant_id: is missing"),
        ({}, "ticket_id: is missing"),
        ({"ticket_id": 7}, "ticket_id: must be an issue key"),
        ({"ticket_id": "10001"}, "ticket_id: must be an issue key"),
        ({"issue": {"fields": {}}}, "issue.key: is missing"),
        ({"issue": {"key": 10001}}, "issue.key: must be an issue key"),
        ({"key": ["secretive"], "fields": {}}, "key: must be an issue key"),
        ({"issue": "HELP-7"}, "issue: must be an object"),
        ({"issue": {"key": "HELP-7", "fields": "secretive"}}, "fields: must be an object"),
        ({"ticket_id": "secretive"}, "ticket_id: must be an issue key"),
        ({"ticket_id": "{{issue.key}}"}, "ticket_id: must be an issue key"),
        ({"ticket_id": "HELP-7/../../secretive"}, "ticket_id: must be an issue key"),
        ({"ticket_id": "HELP-7\n"}, "ticket_id: must be an issue key"),
        ({"ticket_id": "HELP-7", "description": ["secretive"]}, "description: must be text"),
        ({"ticket_id": "HELP-7", "created_at": "secretive"}, "created_at: must be"),
        ({"key": "HELP-7", "fields": {"created": "secretive"}}, "created: must be"),
        ({"ticket_id": "HELP-" + "7" * 100}, "ticket_id: longer than 100"),
    ],
    ids=str,
)
def test_an_unusable_body_is_refused_by_field_and_never_quoted(body: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        extract_metadata(payload(body))
    assert str(refused.value).startswith(field)
    assert "secretive" not in str(refused.value)


@pytest.mark.parametrize(
    "body",
    [{"ticket_id": "help-7"}, {"key": "Help-7"}, {"key": "hELP-7", "fields": {}}, {"issue": {"key": "help-7"}}],
    ids=str,
)
def test_one_issue_has_one_identity(body: dict[str, Any]) -> None:
    assert extract_metadata(payload(body)).ticket_id == "HELP-7"


@pytest.mark.parametrize("form", ["wiki", "HTML", "one ADF text", "many ADF nodes", "empty ADF nodes"])
def test_only_the_beginning_of_a_huge_description_is_read(form: str) -> None:
    line = adf("The *printer* is on fire")["content"]
    description: Any = {
        "wiki": "The *printer* is on fire\n" * 40_000,
        "HTML": "<p>The printer is on fire</p>" * 40_000,
        "one ADF text": {"type": "doc", "content": [{"type": "text", "text": "The *printer* is on fire. " * 40_000}]},
        "many ADF nodes": {"type": "doc", "content": line * 10_000},
        "empty ADF nodes": {"type": "doc", "content": [*line, *[{"type": "x"}] * MAX_WEBHOOK_TEXT, *line]},
    }[form]
    body = {"issue": {"key": "HELP-7", "fields": {"description": description}}}
    text = extract_metadata(payload(body)).description
    printer = "printer" if form in ("wiki", "HTML") else "*printer*"
    assert text.startswith(f"The {printer} is on fire")
    assert len(text) <= MAX_WEBHOOK_TEXT
    assert form != "empty ADF nodes" or text.count("printer") == 1
