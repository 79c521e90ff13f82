"""ServiceDesk Plus's API: requests, private notes, and what each refusal means."""

import socket
from typing import Any

import httpx
import pytest

from deskhand.pretend.servicedesk_plus import PretendServiceDeskPlus
from plugins.conformance.pretend.model import PretendNote, now
from plugins.exceptions import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    OutcomeUnknownError,
    PermanentAPIError,
    PluginError,
    PrivacyError,
    RateLimitError,
    TicketRefusedError,
    ValidationError,
)
from plugins.rendering.lines import PART
from plugins.servicedesk_plus import ServiceDeskPlusPlugin, webhook
from plugins.servicedesk_plus.plugin import MAX_NOTE_BYTES, MAX_SINGLE_NOTES
from plugins.types import TenantSettings
from tests.support.pretend import MemoryTenants, PretendFactory

KEY = "A-MARKED-TEST-KEY"
REF = "dh-0123456789ab"
NOTE = f"**Try** turning it off & on: `a=1+1`.\n\nref {REF}"


@pytest.fixture
async def sdp(pretend: PretendFactory) -> PretendServiceDeskPlus:
    vendor = await pretend(PretendServiceDeskPlus)
    vendor.add_account({"api_key": KEY})
    return vendor


def connect(tenants: MemoryTenants, origin: str, settings: TenantSettings | None = None, **changed: Any) -> None:
    tenants.add(
        "acme", "servicedesk_plus", connection={"base_url": origin, "api_key": KEY, **changed}, settings=settings
    )


@pytest.fixture
def plugin(tenants: MemoryTenants, http: httpx.AsyncClient, sdp: PretendServiceDeskPlus) -> ServiceDeskPlusPlugin:
    connect(tenants, sdp.origin)
    return ServiceDeskPlusPlugin(tenants, http)


@pytest.fixture
def number(sdp: PretendServiceDeskPlus) -> str:
    """A request's id."""
    description = "<div>On fire<script>alert(1)</script></div>"
    fields = {"subject": "Printer", "description": description, "priority": "Urgent", "requester": "Robin"}
    return sdp.add_ticket(fields).id


async def fault(http: httpx.AsyncClient, sdp: PretendServiceDeskPlus, operation: str, kind: str, **more: Any) -> None:
    body = {"operation": operation, "kind": kind, **more}
    (await http.post(f"{sdp.origin}/_pretend/faults", json=body)).raise_for_status()


def answering(tenants: MemoryTenants, status: int, body: object) -> ServiceDeskPlusPlugin:
    """A plugin whose ServiceDesk Plus answers everything alike."""
    connect(tenants, "http://127.0.0.1:9")
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json=body))
    return ServiceDeskPlusPlugin(tenants, httpx.AsyncClient(transport=transport))


# A request


async def test_a_request_as_a_technician_sees_it(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, http: httpx.AsyncClient, number: str
) -> None:
    sdp.resolve(sdp.tickets[number], "Replaced the\ntoner")
    ticket = await plugin.get_ticket("acme", number)
    assert ticket is not None
    assert ticket["id"] == number
    metadata = plugin.extract_metadata({"tenant_id": "acme", "ticket_id": number})
    seen = plugin.describe(ticket, metadata)
    assert (seen.subject, seen.description, seen.status) == ("Printer", "On fire", "Resolved")
    assert (seen.priority, seen.category) == ("high", "General")
    assert seen.resolution.split() == ["Replaced", "the", "toner"]
    assert seen.created_at == sdp.tickets[number].created_at
    page = await http.get(seen.url, follow_redirects=True)
    assert "Printer" in page.text


async def test_the_key_goes_by_both_its_names_and_never_into_the_address(tenants: MemoryTenants) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"request": {"id": "7"}, "response_status": {"status_code": 2000}})

    connect(tenants, "http://127.0.0.1:9/app/itdesk/", resource_path="tickets")
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        await ServiceDeskPlusPlugin(tenants, client).get_ticket("acme", "7")
    (request,) = seen
    assert request.headers["authtoken"] == request.headers["TECHNICIAN_KEY"] == KEY
    assert str(request.url) == "http://127.0.0.1:9/app/itdesk/api/v3/tickets/7"


async def test_a_tenants_own_priorities_count_for_the_request_too(
    plugin: ServiceDeskPlusPlugin, tenants: MemoryTenants, sdp: PretendServiceDeskPlus, number: str
) -> None:
    connect(tenants, sdp.origin, TenantSettings(priorities={"urgent": "low"}))
    ticket = await plugin.get_ticket("acme", number)
    assert ticket is not None
    metadata = plugin.extract_metadata({"tenant_id": "acme", "ticket_id": number})
    assert plugin.describe(ticket, metadata).priority == "low"


def test_what_the_request_does_not_say_comes_from_the_webhook(plugin: ServiceDeskPlusPlugin) -> None:
    body = {"tenant_id": "acme", "ticket_id": 7, "description": "From the webhook", "priority": "High"}
    request = {"description": None, "priority": None, "status": None, "resolution": None}
    seen = plugin.describe(request, plugin.extract_metadata(body))
    assert (seen.description, seen.priority, seen.status, seen.url) == ("From the webhook", "high", "", "")


def test_the_text_after_a_mail_programs_style_sheet_is_read(plugin: ServiceDeskPlusPlugin) -> None:
    html = f"<style>{'p { margin: 0 } ' * 3000}</style><p>On fire</p>"
    metadata = plugin.extract_metadata({"tenant_id": "acme", "ticket_id": 7})
    assert plugin.describe({"description": html}, metadata).description == "On fire"


@pytest.mark.parametrize("failure_status", [None, 200, 400])
async def test_a_request_that_is_not_there(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, failure_status: int | None
) -> None:
    sdp.failure_status = failure_status
    assert await plugin.get_ticket("acme", "999") is None
    assert await plugin.update_ticket("acme", "999", NOTE) is False
    assert await plugin.has_note("acme", "999", REF) is False


@pytest.mark.parametrize("odd", ["../requests", "7?TECHNICIAN_KEY=", "", "INC-1"])
async def test_an_id_that_is_no_number_never_enters_an_address(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, odd: str
) -> None:
    for call in (plugin.get_ticket("acme", odd), plugin.update_ticket("acme", odd, NOTE)):
        with pytest.raises(ValidationError, match="ticket_id"):
            await call
    assert not sdp.log


# A note


async def test_a_note_is_private_and_disturbs_nobody(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str
) -> None:
    assert await plugin.update_ticket("acme", number, NOTE) is True
    (note,) = sdp.tickets[number].notes
    assert note.private
    assert note.extra == {"notify_technician": False, "mark_first_response": False, "add_to_linked_requests": False}
    assert "<strong>Try</strong> turning it off &amp; on: <code>a=1+1</code>" in str(note.body)
    assert [entry.method for entry in sdp.log] == ["POST"]


async def test_an_older_installation_gets_the_note_under_its_own_key(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str
) -> None:
    sdp.note_root = "request_note"
    assert await plugin.update_ticket("acme", number, NOTE) is True
    assert [note.private for note in sdp.tickets[number].notes] == [True]
    assert [entry.status for entry in sdp.log] == [400, 201]


async def test_the_key_that_is_set_comes_first(
    plugin: ServiceDeskPlusPlugin, tenants: MemoryTenants, sdp: PretendServiceDeskPlus, number: str
) -> None:
    sdp.note_root = "request_note"
    connect(tenants, sdp.origin, note_root="request_note")
    assert await plugin.update_ticket("acme", number, NOTE) is True
    assert [entry.status for entry in sdp.log] == [201]


async def test_the_other_key_is_tried_once(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str
) -> None:
    sdp.note_root = "remark"
    with pytest.raises(PermanentAPIError, match="code 4001: EXTRA_KEY_FOUND"):
        await plugin.update_ticket("acme", number, NOTE)
    assert len(sdp.log) == 2


async def test_a_refusal_of_another_field_is_not_about_the_key(tenants: MemoryTenants) -> None:
    message = {"status_code": 4001, "field": "add_to_linked_requests", "message": "EXTRA_KEY_FOUND_IN_JSON"}
    body = {"response_status": {"status_code": 4000, "status": "failed", "messages": [message]}}
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(400, json=body)

    connect(tenants, "http://127.0.0.1:9")
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(PermanentAPIError):
            await ServiceDeskPlusPlugin(tenants, client).update_ticket("acme", "7", NOTE)
    assert len(sent) == 1


async def test_a_note_that_comes_out_public_is_deleted(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, http: httpx.AsyncClient, number: str
) -> None:
    await fault(http, sdp, "post_note", "public")
    with pytest.raises(PrivacyError, match="public; it was taken back"):
        await plugin.update_ticket("acme", number, NOTE)
    assert sdp.tickets[number].notes == []


async def test_a_note_that_stays_public_is_said_to(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, http: httpx.AsyncClient, number: str
) -> None:
    await fault(http, sdp, "post_note", "public")
    await fault(http, sdp, "retract_note", "status", status=403)
    with pytest.raises(PrivacyError, match="taking it back failed: servicedesk_plus answered 403: code 4002"):
        await plugin.update_ticket("acme", number, NOTE)
    sdp.faults.clear()
    await fault(http, sdp, "post_note", "public")
    await fault(http, sdp, "retract_note", "status", status=404)
    with pytest.raises(PrivacyError, match="remove it by hand"):
        await plugin.update_ticket("acme", number, NOTE)


@pytest.mark.parametrize(
    ("note", "words"),
    [(None, "without saying"), ({"id": "5"}, "without saying"), ({"id": "5", "show_to_requester": "true"}, "public")],
)
async def test_nothing_but_the_vendors_word_makes_a_note_private(
    tenants: MemoryTenants, note: object, words: str
) -> None:
    plugin = answering(tenants, 200, {"note": note, "response_status": [{"status_code": 2000}]})
    with pytest.raises(PrivacyError, match=words):
        await plugin.update_ticket("acme", "7", NOTE)


async def test_a_long_note_fits_and_keeps_its_reference(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str
) -> None:
    blocks = "\n\n".join(["ä" * 500] * 200)
    assert await plugin.update_ticket("acme", number, f"{blocks}\n\nref {REF}") is True
    (note,) = sdp.tickets[number].notes
    assert REF in str(note.body)
    assert len(str(note.body).encode()) <= MAX_NOTE_BYTES


async def test_a_closed_request_refuses_in_the_vendors_words(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str
) -> None:
    sdp.close(sdp.tickets[number])
    with pytest.raises(TicketRefusedError, match="Notes cannot be added to a closed request"):
        await plugin.update_ticket("acme", number, NOTE)


# What each refusal means

REFUSALS: list[tuple[dict[str, Any], type[PluginError]]] = [
    ({"kind": "status", "status": 401}, AuthenticationError),
    ({"kind": "status", "status": 403}, AuthenticationError),
    ({"kind": "status", "status": 429}, RateLimitError),
    ({"kind": "status", "status": 400}, PermanentAPIError),
    ({"kind": "status", "status": 500}, APIError),
]


@pytest.mark.parametrize("failure_status", [None, 200, 400])
@pytest.mark.parametrize(("what", "meaning"), REFUSALS, ids=str)
async def test_what_a_refusal_means_whatever_its_http_status(
    plugin: ServiceDeskPlusPlugin,
    sdp: PretendServiceDeskPlus,
    http: httpx.AsyncClient,
    number: str,
    what: dict[str, Any],
    meaning: type[PluginError],
    failure_status: int | None,
) -> None:
    sdp.failure_status = failure_status
    await fault(http, sdp, "any", **what)
    await refused(plugin, sdp, number, meaning)


@pytest.mark.parametrize(
    ("what", "meaning"),
    [
        ({"kind": "status", "status": 503}, APIError),
        ({"kind": "status", "status": 409}, PermanentAPIError),
        ({"kind": "status", "status": 302, "headers": {"Location": "/login"}}, ConfigurationError),
        ({"kind": "drop"}, OutcomeUnknownError),
    ],
    ids=str,
)
async def test_what_a_refusal_without_a_code_means(
    plugin: ServiceDeskPlusPlugin,
    sdp: PretendServiceDeskPlus,
    http: httpx.AsyncClient,
    number: str,
    what: dict[str, Any],
    meaning: type[PluginError],
) -> None:
    await fault(http, sdp, "any", **what)
    await refused(plugin, sdp, number, meaning)


async def refused(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str, meaning: type[PluginError]
) -> None:
    for call in (
        plugin.get_ticket("acme", number),
        plugin.update_ticket("acme", number, NOTE),
        plugin.has_note("acme", number, REF),
    ):
        with pytest.raises(meaning) as caught:
            await call
        assert type(caught.value) is meaning
        assert KEY not in str(caught.value)
        assert "On fire" not in str(caught.value)
    # Nothing is sent twice, whatever came back.
    assert len(sdp.log) == 3


@pytest.mark.parametrize(
    ("http_status", "status", "meaning"),
    [
        (200, {"status_code": 4000, "status": "failed"}, PermanentAPIError),
        (200, [{"status_code": 4000, "status": "failed", "messages": [{"status_code": 4022}]}], AuthenticationError),
        (200, {"status_code": "4000", "messages": [{"status_code": "4015"}]}, RateLimitError),
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
    plugin = answering(tenants, http_status, {"response_status": status})
    with pytest.raises(meaning) as caught:
        await plugin.get_ticket("acme", "7")
    assert type(caught.value) is meaning


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("0", 1), (None, None)])
async def test_how_long_the_vendor_wants_us_to_wait(
    plugin: ServiceDeskPlusPlugin,
    sdp: PretendServiceDeskPlus,
    http: httpx.AsyncClient,
    number: str,
    header: str | None,
    seconds: int | None,
) -> None:
    headers = {"Retry-After": header} if header else {}
    await fault(http, sdp, "any", "status", status=429, headers=headers)
    with pytest.raises(RateLimitError) as caught:
        await plugin.update_ticket("acme", number, NOTE)
    assert caught.value.retry_after == seconds


async def test_an_answer_that_does_not_come(
    tenants: MemoryTenants, sdp: PretendServiceDeskPlus, http: httpx.AsyncClient, number: str
) -> None:
    connect(tenants, sdp.origin)
    await fault(http, sdp, "post_note", "slow", seconds=60)
    async with httpx.AsyncClient(timeout=httpx.Timeout(5, read=0.1)) as hasty:
        with pytest.raises(OutcomeUnknownError):
            await ServiceDeskPlusPlugin(tenants, hasty).update_ticket("acme", number, NOTE)


async def test_a_connection_that_is_refused_left_nothing_behind(
    tenants: MemoryTenants, http: httpx.AsyncClient
) -> None:
    with socket.socket() as bound:  # and not listening: connections are refused
        bound.bind(("127.0.0.1", 0))
        connect(tenants, f"http://127.0.0.1:{bound.getsockname()[1]}")
        with pytest.raises(APIError) as caught:
            await ServiceDeskPlusPlugin(tenants, http).update_ticket("acme", "7", NOTE)
    assert not isinstance(caught.value, OutcomeUnknownError)
    assert caught.value.last_error is not None


async def test_wrong_credentials(
    plugin: ServiceDeskPlusPlugin, tenants: MemoryTenants, sdp: PretendServiceDeskPlus
) -> None:
    connect(tenants, sdp.origin, api_key="another")
    with pytest.raises(AuthenticationError, match="code 4022"):
        await plugin.get_ticket("acme", "7")


async def test_tenants_without_a_usable_connection(
    plugin: ServiceDeskPlusPlugin, tenants: MemoryTenants, sdp: PretendServiceDeskPlus
) -> None:
    for name, value in (
        ("base_url", "ftp://acme.example"),
        ("base_url", f"{sdp.origin}/api/v3"),
        ("base_url", f"{sdp.origin}?TECHNICIAN_KEY=1"),
        ("base_url", "https://me:secret@acme.example"),
        ("api_key", ""),
        ("api_key", "two\nlines"),
        ("resource_path", "requests/../users"),
        ("note_root", "remark"),
        ("note_rot", "misspelt"),
    ):
        connect(tenants, sdp.origin, **dict[str, Any]({name: value}))
        with pytest.raises(ConfigurationError, match=f"tenant acme: {name}: ") as caught:
            await plugin.get_ticket("acme", "7")
        assert not value or value not in str(caught.value)
    tenants.add("other", "jira")
    for tenant_id in ("other", "unknown"):
        with pytest.raises(ConfigurationError, match=f"tenant {tenant_id}"):
            await plugin.update_ticket(tenant_id, "7", NOTE)
    assert not sdp.log


# Looking for a note


async def test_our_note_is_found(plugin: ServiceDeskPlusPlugin, number: str) -> None:
    assert await plugin.has_note("acme", number, REF) is False
    await plugin.update_ticket("acme", number, NOTE)
    assert await plugin.has_note("acme", number, REF) is True
    assert await plugin.has_note("acme", number, "dh-ffffffffffff") is False


def remarks(sdp: PretendServiceDeskPlus, number: str, count: int) -> None:
    notes = [PretendNote(str(sdp.next_number()), "<p>Me too</p>", True, "901", now()) for _ in range(count)]
    sdp.tickets[number].notes.extend(notes)


async def test_an_old_note_is_found_on_a_later_page(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str
) -> None:
    await plugin.update_ticket("acme", number, NOTE)
    remarks(sdp, number, 250)
    sdp.log.clear()
    assert await plugin.has_note("acme", number, REF) is True
    assert len(sdp.log) == 3
    assert await plugin.has_note("acme", number, "dh-ffffffffffff") is False


async def test_a_new_note_is_found_on_the_first_page(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str
) -> None:
    remarks(sdp, number, 250)
    await plugin.update_ticket("acme", number, NOTE)
    sdp.log.clear()
    assert await plugin.has_note("acme", number, REF) is True
    assert len(sdp.log) == 1


async def test_notes_are_fetched_one_by_one_where_the_list_leaves_out_their_text(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str
) -> None:
    sdp.list_has_descriptions = False
    await plugin.update_ticket("acme", number, NOTE)
    remarks(sdp, number, 2)
    sdp.log.clear()
    assert await plugin.has_note("acme", number, REF) is True
    assert len(sdp.log) == 4
    assert await plugin.has_note("acme", number, "dh-ffffffffffff") is False


async def test_more_notes_than_are_fetched_prove_nothing(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str
) -> None:
    sdp.list_has_descriptions = False
    remarks(sdp, number, MAX_SINGLE_NOTES)
    assert await plugin.has_note("acme", number, REF) is False
    remarks(sdp, number, 1)
    assert await plugin.has_note("acme", number, REF) is None


# A note that came out public while its answer was lost


def quote(sdp: PretendServiceDeskPlus, number: str, author: str, *, private: bool = False) -> None:
    """Somebody writes what quotes our note."""
    body = f"<p>As ref {REF} says</p>"
    sdp.tickets[number].notes.append(PretendNote(str(sdp.next_number()), body, private, author, now()))


def own_account(sdp: PretendServiceDeskPlus) -> str:
    return sdp.add_account({"api_key": KEY}).id


async def test_a_lost_public_note_is_taken_back_when_it_is_found(
    plugin: ServiceDeskPlusPlugin,
    tenants: MemoryTenants,
    sdp: PretendServiceDeskPlus,
    http: httpx.AsyncClient,
    number: str,
) -> None:
    connect(tenants, sdp.origin, TenantSettings(own_account_id=own_account(sdp)))
    await fault(http, sdp, "post_note", "public", dropped=True)
    with pytest.raises(OutcomeUnknownError):
        await plugin.update_ticket("acme", number, NOTE)
    assert [note.private for note in sdp.tickets[number].notes] == [False]
    with pytest.raises(PrivacyError, match="an earlier note is public; it was taken back"):
        await plugin.has_note("acme", number, REF)
    assert sdp.tickets[number].notes == []
    assert await plugin.has_note("acme", number, REF) is False


@pytest.mark.parametrize("own_known", [False, True])
async def test_a_public_note_that_may_not_be_ours_is_left_alone(
    plugin: ServiceDeskPlusPlugin,
    tenants: MemoryTenants,
    sdp: PretendServiceDeskPlus,
    number: str,
    own_known: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if own_known:
        connect(tenants, sdp.origin, TenantSettings(own_account_id=own_account(sdp)))
        given = sdp._note_json
        without = lambda note: {k: v for k, v in given(note).items() if k != "added_by"}  # noqa: E731
        monkeypatch.setattr(sdp, "_note_json", without)
    quote(sdp, number, own_account(sdp))
    with pytest.raises(PrivacyError, match=r"public; it was left alone.*by hand"):
        await plugin.has_note("acme", number, REF)
    assert [note.private for note in sdp.tickets[number].notes] == [False]
    assert {entry.operation for entry in sdp.log} == {"list_notes"}


async def test_a_quote_of_our_note_is_neither_ours_nor_taken_back(
    plugin: ServiceDeskPlusPlugin, tenants: MemoryTenants, sdp: PretendServiceDeskPlus, number: str
) -> None:
    connect(tenants, sdp.origin, TenantSettings(own_account_id=own_account(sdp)))
    quote(sdp, number, "902")
    assert await plugin.has_note("acme", number, REF) is False
    await plugin.update_ticket("acme", number, NOTE)
    quote(sdp, number, "902")
    assert await plugin.has_note("acme", number, REF) is True
    assert [note.private for note in sdp.tickets[number].notes] == [False, True, False]


async def test_a_private_note_counts_whoever_the_vendor_says_wrote_it(
    plugin: ServiceDeskPlusPlugin, tenants: MemoryTenants, sdp: PretendServiceDeskPlus, number: str
) -> None:
    """The tenant's `own_account_id` may be wrong, and that must not double its notes."""
    connect(tenants, sdp.origin, TenantSettings(own_account_id="1"))
    await plugin.update_ticket("acme", number, NOTE)
    assert await plugin.has_note("acme", number, REF) is True


async def test_a_private_note_counts_before_a_newer_public_quote(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str
) -> None:
    await plugin.update_ticket("acme", number, NOTE)
    for _ in range(120):
        quote(sdp, number, "902")
    assert await plugin.has_note("acme", number, REF) is True


@pytest.mark.parametrize(
    "what", [{"kind": "status", "status": 502}, {"kind": "status", "status": 504}, {"kind": "garbage"}]
)
async def test_a_gateways_answer_to_a_note_leaves_the_outcome_unknown(
    plugin: ServiceDeskPlusPlugin,
    sdp: PretendServiceDeskPlus,
    http: httpx.AsyncClient,
    number: str,
    what: dict[str, Any],
) -> None:
    await fault(http, sdp, "any", **what)
    with pytest.raises(OutcomeUnknownError):
        await plugin.update_ticket("acme", number, NOTE)
    for call in (plugin.get_ticket("acme", number), plugin.has_note("acme", number, REF)):
        with pytest.raises(APIError) as caught:
            await call
        assert type(caught.value) is APIError


@pytest.mark.parametrize("status", [200, 422, 500])
async def test_json_that_is_nested_too_deeply_is_no_answer(tenants: MemoryTenants, status: int) -> None:
    connect(tenants, "http://127.0.0.1:9")
    reply = httpx.MockTransport(lambda _: httpx.Response(status, content=b"[" * 100_000))
    async with httpx.AsyncClient(transport=reply) as client:
        plugin = ServiceDeskPlusPlugin(tenants, client)
        for call in (plugin.get_ticket("acme", "7"), plugin.update_ticket("acme", "7", NOTE)):
            with pytest.raises(APIError, match=f"answered {status}"):
                await call


async def test_a_code_that_is_no_number_is_none(tenants: MemoryTenants) -> None:
    connect(tenants, "http://127.0.0.1:9")
    content = b'{"response_status": {"status_code": Infinity}}'
    async with httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, content=content))
    ) as client:
        with pytest.raises(APIError, match="without a request"):
            await ServiceDeskPlusPlugin(tenants, client).get_ticket("acme", "7")


async def test_one_ticket_has_one_identity(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str
) -> None:
    metadata = plugin.extract_metadata({"tenant_id": "acme", "ticket_id": f" 00{number} "})
    assert metadata.ticket_id == number
    assert await plugin.update_ticket("acme", f"00{number}", NOTE) is True


async def test_a_note_is_looked_at_where_the_list_leaves_out_who_sees_it(
    plugin: ServiceDeskPlusPlugin,
    tenants: MemoryTenants,
    sdp: PretendServiceDeskPlus,
    number: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect(tenants, sdp.origin, TenantSettings(own_account_id=own_account(sdp)))
    rows_of = sdp._rows

    def without(call: Any, name: str, rows: list[dict[str, Any]]) -> Any:
        kept = [{key: value for key, value in row.items() if key != "show_to_requester"} for row in rows]
        return rows_of(call, name, kept)

    monkeypatch.setattr(sdp, "_rows", without)
    await plugin.update_ticket("acme", number, NOTE)
    remarks(sdp, number, 2)
    sdp.log.clear()
    assert await plugin.has_note("acme", number, REF) is True
    assert len(sdp.log) == 2, "only the note that has the reference is fetched by itself"
    sdp.tickets[number].notes[0].private = False
    with pytest.raises(PrivacyError, match="it was taken back"):
        await plugin.has_note("acme", number, REF)
    assert len(sdp.tickets[number].notes) == 2


def test_of_a_huge_request_only_the_beginning_of_each_text_is_read(plugin: ServiceDeskPlusPlugin) -> None:
    html = "".join(f"<p>line {number}</p>" for number in range(50_000))
    metadata = plugin.extract_metadata({"tenant_id": "acme", "ticket_id": 7})
    for text in (html, "line 0 " * 150_000):
        seen = plugin.describe({"subject": text, "description": text, "resolution": {"content": text}}, metadata)
        for read in (seen.subject, seen.description, seen.resolution):
            assert read.startswith("line 0")
    assert len(webhook.plain_text("<b>x" * 25_000)) < webhook.MAX_TEXT / PART
    assert len(webhook.plain_text("x" * 1_000_000)) == webhook.MAX_TEXT


# Checking a connection


async def test_a_connection_that_works(plugin: ServiceDeskPlusPlugin, tenants: MemoryTenants, number: str) -> None:
    report = await plugin.check_connection("acme")
    assert report.ok
    assert any("own_account_id" in finding.mend for finding in report.findings)


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"api_key": "another"}, "4022"), ({"resource_path": "tickets"}, "resource_path: there is no")],
    ids=str,
)
async def test_a_connection_that_does_not_work_says_why(
    plugin: ServiceDeskPlusPlugin,
    tenants: MemoryTenants,
    sdp: PretendServiceDeskPlus,
    changed: dict[str, Any],
    words: str,
) -> None:
    connect(tenants, sdp.origin, **changed)
    report = await plugin.check_connection("acme")
    assert not report.ok
    assert words in report.findings[0].what
