"""What ServiceDesk Plus's replies mean: the body's code counts before the HTTP status."""

from typing import Any

import httpx
import pytest

from deskhand.pretend.servicedesk_plus import PretendServiceDeskPlus
from plugins.conformance.pretend.faults import Fault
from plugins.exceptions import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    OutcomeUnknownError,
    PermanentAPIError,
    PluginError,
    RateLimitError,
)
from plugins.rendering.lines import PART
from plugins.servicedesk_plus import ServiceDeskPlusPlugin, answers, webhook
from plugins.types import TenantSettings
from tests.support.pretend import MemoryTenants, PretendFactory

REF = "dh-0123456789ab"
NOTE = f"**Try** turning it off.\n\nref {REF}"


@pytest.fixture
async def sdp(pretend: PretendFactory) -> PretendServiceDeskPlus:
    return await pretend(PretendServiceDeskPlus)


def connect(tenants: MemoryTenants, sdp: PretendServiceDeskPlus, edition: str = "on_premises", **settings: Any) -> None:
    account = sdp.add_account(sdp.editions[edition])
    tenants.add(
        "acme",
        "servicedesk_plus",
        connection=account.connection,
        settings=TenantSettings.model_validate(settings),
    )


@pytest.fixture
def plugin(tenants: MemoryTenants, http: httpx.AsyncClient, sdp: PretendServiceDeskPlus) -> ServiceDeskPlusPlugin:
    connect(tenants, sdp)
    return ServiceDeskPlusPlugin(tenants, http)


@pytest.fixture
def number(sdp: PretendServiceDeskPlus, plugin: ServiceDeskPlusPlugin) -> str:
    """A request's id."""
    description = "<div>On fire<script>alert(1)</script></div>"
    return sdp.add_ticket({"subject": "Printer", "description": description, "priority": "Urgent"}).id


# Failures

EDITIONS = list(PretendServiceDeskPlus.editions)
REFUSALS: list[tuple[int, type[PluginError]]] = [
    (401, AuthenticationError),
    (403, AuthenticationError),
    (429, RateLimitError),
    (400, PermanentAPIError),
    (500, APIError),
]


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("failure_status", [200, 400])
@pytest.mark.parametrize(("status", "meaning"), REFUSALS, ids=str)
async def test_a_failure_means_the_same_inside_another_http_status(
    plugin: ServiceDeskPlusPlugin,
    tenants: MemoryTenants,
    sdp: PretendServiceDeskPlus,
    number: str,
    edition: str,
    failure_status: int,
    status: int,
    meaning: type[PluginError],
) -> None:
    connect(tenants, sdp, edition)
    sdp.failure_status = failure_status
    for operation in ("get_ticket", "post_note", "list_notes"):
        sdp.faults.add(Fault(operation=operation, kind="status", status=status))
    for call in (
        plugin.get_ticket("acme", number),
        plugin.update_ticket("acme", number, NOTE),
        plugin.has_note("acme", number, REF),
    ):
        with pytest.raises(meaning) as caught:
            await call
        assert type(caught.value) is meaning
        assert f"answered {failure_status}" in str(caught.value)


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("failure_status", [None, 200, 400])
async def test_a_request_that_is_not_there(
    plugin: ServiceDeskPlusPlugin,
    tenants: MemoryTenants,
    sdp: PretendServiceDeskPlus,
    edition: str,
    failure_status: int | None,
) -> None:
    connect(tenants, sdp, edition)
    sdp.failure_status = failure_status
    assert await plugin.get_ticket("acme", "999") is None
    assert await plugin.update_ticket("acme", "999", NOTE) is False
    assert await plugin.has_note("acme", "999", REF) is False


def answering(tenants: MemoryTenants, response: httpx.Response) -> ServiceDeskPlusPlugin:
    """A plugin whose ServiceDesk Plus answers everything alike."""
    tenants.add("acme", "servicedesk_plus", connection={"base_url": "http://127.0.0.1:9", "api_key": "key"})
    return ServiceDeskPlusPlugin(tenants, httpx.AsyncClient(transport=httpx.MockTransport(lambda _: response)))


@pytest.mark.parametrize(
    ("http_status", "status", "meaning"),
    [
        (200, {"status_code": 4000, "status": "failed"}, PermanentAPIError),
        (200, [{"status_code": 4000, "status": "failed", "messages": [{"status_code": 4022}]}], AuthenticationError),
        (200, {"status_code": 4002, "status": "failed", "messages": [{"field": "priority"}]}, AuthenticationError),
        (200, {"status_code": "4000", "messages": [{"status_code": "4015"}]}, RateLimitError),
        (400, {"status_code": 4015, "status": "failed"}, RateLimitError),
        (200, {"status": "failed", "messages": [{"message": "no"}]}, PermanentAPIError),
        (400, {"status_code": 4012, "status": "failed"}, PermanentAPIError),
        (400, {"status_code": 4000, "messages": [{"status_code": 7001}]}, ConfigurationError),
        (400, None, PermanentAPIError),
        (502, [], APIError),
        (500, {"status_code": 4000, "messages": "odd"}, APIError),
    ],
    ids=str,
)
async def test_the_shapes_of_a_failure(
    tenants: MemoryTenants, http_status: int, status: object, meaning: type[PluginError]
) -> None:
    plugin = answering(tenants, httpx.Response(http_status, json={"response_status": status}))
    with pytest.raises(meaning) as caught:
        await plugin.get_ticket("acme", "7")
    assert type(caught.value) is meaning


@pytest.mark.parametrize("status", [200, 422, 500])
async def test_json_that_is_nested_too_deeply_is_no_answer(tenants: MemoryTenants, status: int) -> None:
    plugin = answering(tenants, httpx.Response(status, content=b"[" * 100_000))
    for call in (plugin.get_ticket("acme", "7"), plugin.update_ticket("acme", "7", NOTE)):
        with pytest.raises(APIError, match=f"answered {status}"):
            await call


async def test_a_code_that_is_no_number_is_none(tenants: MemoryTenants) -> None:
    plugin = answering(tenants, httpx.Response(200, content=b'{"response_status": {"status_code": Infinity}}'))
    with pytest.raises(APIError, match="without a request"):
        await plugin.get_ticket("acme", "7")


async def test_a_login_page_in_answer_to_a_note_leaves_the_outcome_unknown(tenants: MemoryTenants) -> None:
    plugin = answering(tenants, httpx.Response(200, html="<h1>Log in</h1>"))
    with pytest.raises(OutcomeUnknownError, match="text/html, not JSON"):
        await plugin.update_ticket("acme", "7", NOTE)


AT = {"value": "1795521598000"}


@pytest.mark.parametrize(
    ("request_", "closed"),
    [
        ({"status": {"name": "Closed"}}, True),
        ({"status": {"name": "Erledigt", "internal_name": "Closed"}}, True),
        ({"status": "cancelled"}, True),
        ({"status": {"name": "Erledigt"}, "completed_time": AT}, True),
        ({"status": {"name": "Erledigt", "internal_name": "Resolved"}, "completed_time": AT}, False),
        ({"status": {"name": "Open"}, "completed_time": None}, False),
        ({"status": None}, False),
        ({}, False),
    ],
    ids=str,
)
def test_whether_a_request_is_closed(request_: dict[str, Any], closed: bool) -> None:
    assert answers.is_closed(request_) is closed


# A request


async def test_a_request_as_a_technician_sees_it(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, http: httpx.AsyncClient, number: str
) -> None:
    sdp.resolve(sdp.tickets[number], "Replaced the\ntoner")
    ticket = await plugin.get_ticket("acme", number)
    assert ticket is not None
    metadata = plugin.extract_metadata({"tenant_id": "acme", "ticket_id": number})
    seen = plugin.describe(ticket, metadata)
    assert (seen.subject, seen.description, seen.status) == ("Printer", "On fire", "Resolved")
    assert (seen.priority, seen.category) == ("high", "General")
    assert seen.resolution.split() == ["Replaced", "the", "toner"]
    assert seen.created_at == sdp.tickets[number].created_at
    assert "Printer" in (await http.get(seen.url, follow_redirects=True)).text


async def test_a_portals_request_is_opened_outside_the_portal(
    plugin: ServiceDeskPlusPlugin, tenants: MemoryTenants, sdp: PretendServiceDeskPlus, number: str
) -> None:
    connect(tenants, sdp, "on_premises_portal")
    ticket = await plugin.get_ticket("acme", number)
    assert ticket is not None
    assert sdp.log[-1].path == f"/app/itdesk/api/v3/requests/{number}"
    assert ticket["deskhand"]["url"] == sdp.ticket_url(number)


async def test_the_key_goes_by_both_its_names_and_never_into_the_address(tenants: MemoryTenants) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"request": {"id": "7"}, "response_status": {"status_code": 2000}})

    base_url = "http://127.0.0.1:9/app/itdesk/"
    tenants.add("acme", "servicedesk_plus", connection={"base_url": base_url, "api_key": "MARKED"})
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        await ServiceDeskPlusPlugin(tenants, client).get_ticket("acme", "7")
    (request,) = seen
    assert request.headers["authtoken"] == request.headers["TECHNICIAN_KEY"] == "MARKED"
    assert str(request.url) == "http://127.0.0.1:9/app/itdesk/api/v3/requests/7"


async def test_a_tenants_own_priorities_count_for_the_request_too(
    plugin: ServiceDeskPlusPlugin, tenants: MemoryTenants, sdp: PretendServiceDeskPlus, number: str
) -> None:
    connect(tenants, sdp, priorities={"urgent": "low"})
    ticket = await plugin.get_ticket("acme", number)
    assert ticket is not None
    metadata = plugin.extract_metadata({"tenant_id": "acme", "ticket_id": number})
    assert plugin.describe(ticket, metadata).priority == "low"


async def test_one_ticket_has_one_identity(plugin: ServiceDeskPlusPlugin, number: str) -> None:
    metadata = plugin.extract_metadata({"tenant_id": "acme", "ticket_id": f" 00{number} "})
    assert metadata.ticket_id == number
    assert await plugin.update_ticket("acme", f"00{number}", NOTE) is True


def test_what_the_request_does_not_say_comes_from_the_webhook(plugin: ServiceDeskPlusPlugin) -> None:
    body = {"tenant_id": "acme", "ticket_id": 7, "description": "From the webhook", "priority": "High"}
    request = {"description": None, "priority": None, "status": None, "resolution": None}
    seen = plugin.describe(request, plugin.extract_metadata(body))
    assert (seen.description, seen.priority, seen.status, seen.url) == ("From the webhook", "high", "", "")


def test_the_text_after_a_mail_programs_style_sheet_is_read(plugin: ServiceDeskPlusPlugin) -> None:
    html = f"<style>{'p { margin: 0 } ' * 3000}</style><p>On fire</p>"
    metadata = plugin.extract_metadata({"tenant_id": "acme", "ticket_id": 7})
    assert plugin.describe({"description": html}, metadata).description == "On fire"


def test_of_a_huge_request_only_the_beginning_of_each_text_is_read(plugin: ServiceDeskPlusPlugin) -> None:
    html = "".join(f"<p>line {number}</p>" for number in range(50_000))
    metadata = plugin.extract_metadata({"tenant_id": "acme", "ticket_id": 7})
    for text in (html, "line 0 " * 150_000):
        seen = plugin.describe({"subject": text, "description": text, "resolution": {"content": text}}, metadata)
        for read in (seen.subject, seen.description, seen.resolution):
            assert read.startswith("line 0")
    assert len(webhook.plain_text("<b>x" * 25_000)) < webhook.MAX_TEXT / PART
    assert len(webhook.plain_text("x" * 1_000_000)) == webhook.MAX_TEXT
