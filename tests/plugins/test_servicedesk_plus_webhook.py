"""What a ServiceDesk Plus webhook's body is taken to say, in each of the shapes that tenants send."""

from datetime import UTC, datetime
from typing import Any, Protocol, get_args

import httpx
import pytest

from deskhand.pretend.servicedesk_plus import PretendServiceDeskPlus, Template
from plugins.exceptions import ValidationError
from plugins.payload import WebhookPayload
from plugins.servicedesk_plus import ServiceDeskPlusPlugin
from plugins.servicedesk_plus.webhook import MAX_WEBHOOK_TEXT
from plugins.types import EventKind, TenantSettings
from tests.support.pretend import MemoryTenants, PretendFactory, take

SECRET = "a marked test secret"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def plugin(tenants: MemoryTenants, http: httpx.AsyncClient) -> ServiceDeskPlusPlugin:
    tenants.add("acme", "servicedesk_plus", secrets=(SECRET,))
    return ServiceDeskPlusPlugin(tenants, http)


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


@pytest.mark.parametrize(
    "names",
    [
        ("ticket_id", "description", "priority", "created_at"),
        ("requestId", "Description", "PRIORITY", "createdTime"),
        ("Request ID", "description", "priority", "Created Time"),
        ("WORKORDERID", "DESCRIPTION", "Priority", "CREATEDTIME"),
        ("$RequestId", "$Description", "$Priority", "$CreatedDate"),
        ("id", "description", "priority", "created_time"),
    ],
    ids=lambda names: names[0],
)
def test_the_templates_names_are_read_in_the_usual_spellings(
    plugin: ServiceDeskPlusPlugin, names: tuple[str, ...]
) -> None:
    values = ("59", "On fire", {"name": "High"}, {"value": 1795521598000})
    metadata = plugin.extract_metadata(payload(dict(zip(names, values, strict=True))))
    assert (metadata.ticket_id, metadata.description, metadata.priority) == ("59", "On fire", "high")
    assert metadata.created_at == datetime(2026, 11, 24, 11, 59, 58, tzinfo=UTC)


def test_the_tickets_own_id_counts_before_any_other(plugin: ServiceDeskPlusPlugin) -> None:
    body = {"id": "1", "RequestId": "59", "request_id": None}
    assert plugin.extract_metadata(payload(body)).ticket_id == "59"
    body = {"Ticket_Id": "60", "id": "1", "request_id": "59"}
    assert plugin.extract_metadata(payload(body)).ticket_id == "60"


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
        (request(description=["text"]), "request.description"),
        (request(created_time={"value": "soon"}), "request.created_time"),
        ({"RequestId": "$RequestId"}, "request_id"),
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
        ({"event": "Request Created", "ticket_id": 7}, EventKind.CREATED),
        ({"EventType": "onCreate", "ticket_id": 7}, EventKind.CREATED),
        ({"event": "New ticket", "ticket_id": 7}, EventKind.CREATED),
        ({"event": "new", "ticket_id": 7}, EventKind.CREATED),
        ({"event_name": "REQUEST_ADDED", "ticket_id": 7}, EventKind.CREATED),
        ({"event": "note_added", "ticket_id": 7}, EventKind.OTHER),
        ({"event": "New reply", "ticket_id": 7}, EventKind.OTHER),
        ({"event": "ticket", "ticket_id": 7}, EventKind.OTHER),
        ({"event": "Request was resolved", "ticket_id": 7}, EventKind.RESOLVED),
        ({"event": "request.closed", "ticket_id": 7}, EventKind.RESOLVED),
        ({"event": {"name": "completed"}, "ticket_id": 7}, EventKind.RESOLVED),
        (request(status={"name": "Erledigt", "internal_name": "Closed"}), EventKind.RESOLVED),
        ({"event": ["created"], "status": ["Closed"], "ticket_id": 7}, EventKind.CREATED),
    ],
)
def test_what_a_delivery_asks_for(plugin: ServiceDeskPlusPlugin, body: dict[str, Any], kind: EventKind) -> None:
    assert plugin.event_kind(payload(body)) is kind
    assert plugin.event_kind(payload(body, own_account_id="1")) is kind


@pytest.mark.parametrize("who", [{"actor_id": "12"}, {"actor": {"id": 12}}, {"ActorId": 12}, {"actor": "12"}], ids=str)
def test_what_we_caused_ourselves_asks_for_nothing(plugin: ServiceDeskPlusPlugin, who: dict[str, Any]) -> None:
    for event in ("note_added", None):
        assert plugin.event_kind(payload({"event": event, "ticket_id": 7, **who}, own_account_id="12")) is EventKind.OWN
    # What Deskhand never does itself, somebody who shares the account has done.
    for event, kind in (("ticket_created", EventKind.CREATED), ("ticket_resolved", EventKind.RESOLVED)):
        assert plugin.event_kind(payload({"event": event, "ticket_id": 7, **who}, own_account_id="12")) is kind


@pytest.mark.parametrize(
    "body", [request(), {"ticket_id": 7, "technician_id": 12}, {"ticket_id": 7, "technician": {"id": "12"}}], ids=str
)
def test_a_request_that_is_assigned_to_us_is_still_a_new_one(
    plugin: ServiceDeskPlusPlugin, body: dict[str, Any]
) -> None:
    assert plugin.event_kind(payload(body, own_account_id="12")) is EventKind.CREATED


def test_resolutions_are_told_apart_by_when_they_were(plugin: ServiceDeskPlusPlugin) -> None:
    body = request(resolved_time={"value": "1795521598000"}, last_updated_time={"value": "1795521599000"})
    assert plugin.resolved_version(payload(body)) == "2026-11-24T11:59:58+00:00"
    assert plugin.resolved_version(payload({"ticket_id": 7, "resolved_at": "1795521598000"})) is not None
    assert plugin.resolved_version(payload({"ticket_id": 7, "resolved_at": "today"})) is None


# The pretend ServiceDesk Plus's deliveries


class Announce(Protocol):
    """The delivery of an event (`created` or `resolved`) under a scheme."""

    async def __call__(self, scheme: str | None, name: str, template: Template = "flat") -> dict[str, Any]: ...


@pytest.fixture
async def announced(pretend: PretendFactory, http: httpx.AsyncClient) -> Announce:
    async def make(scheme: str | None, name: str, template: Template = "flat") -> dict[str, Any]:
        vendor = await pretend(PretendServiceDeskPlus)
        vendor.template = template
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


@pytest.mark.parametrize("template", get_args(Template))
@pytest.mark.parametrize(("name", "kind"), [("created", EventKind.CREATED), ("resolved", EventKind.RESOLVED)])
async def test_what_the_pretend_servicedesk_plus_sends_is_understood(
    plugin: ServiceDeskPlusPlugin, announced: Announce, template: Template, name: str, kind: EventKind
) -> None:
    delivery = await announced(None, name, template)
    taken = take(plugin, delivery, "acme")
    assert await plugin.validate_webhook(taken.payload, taken.signature)
    assert plugin.event_kind(taken.payload) is kind
    if kind is EventKind.RESOLVED:
        assert (plugin.resolved_version(taken.payload) is None) is (template == "id")
    metadata = plugin.extract_metadata(taken.payload)
    assert metadata.ticket_id == delivery["number"]
    assert (metadata.description, metadata.priority) == (("", "medium") if template == "id" else ("On fire", "high"))
