"""Private notes on ServiceDesk Plus: the keys around them, what a closed request answers, and how ours is found."""

from typing import Any

import httpx
import pytest

from deskhand.pretend.servicedesk_plus import PretendServiceDeskPlus
from plugins.conformance.pretend.faults import Fault
from plugins.conformance.pretend.model import PretendNote, now
from plugins.exceptions import AuthenticationError, PermanentAPIError, PrivacyError, TicketRefusedError
from plugins.servicedesk_plus import ServiceDeskPlusPlugin
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
    connection = {"base_url": origin, "api_key": KEY, **changed}
    tenants.add("acme", "servicedesk_plus", connection=connection, settings=settings)


@pytest.fixture
def plugin(tenants: MemoryTenants, http: httpx.AsyncClient, sdp: PretendServiceDeskPlus) -> ServiceDeskPlusPlugin:
    connect(tenants, sdp.origin)
    return ServiceDeskPlusPlugin(tenants, http)


@pytest.fixture
def number(sdp: PretendServiceDeskPlus) -> str:
    """A request's id."""
    return sdp.add_ticket({"subject": "Printer", "description": "On fire", "priority": "Urgent"}).id


def answering(tenants: MemoryTenants, status: int, body: object) -> ServiceDeskPlusPlugin:
    """A plugin whose ServiceDesk Plus answers everything alike."""
    connect(tenants, "http://127.0.0.1:9")
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json=body))
    return ServiceDeskPlusPlugin(tenants, httpx.AsyncClient(transport=transport))


async def test_a_note_disturbs_nobody(plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str) -> None:
    assert await plugin.update_ticket("acme", number, NOTE) is True
    (note,) = sdp.tickets[number].notes
    assert note.extra == {"notify_technician": False, "mark_first_response": False, "add_to_linked_requests": False}
    assert "<strong>Try</strong> turning it off &amp; on: <code>a=1+1</code>" in str(note.body)
    assert [entry.method for entry in sdp.log] == ["POST"]


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


async def test_a_public_note_that_cannot_be_deleted_is_left_to_the_operator(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str
) -> None:
    for status, words in ((403, "taking it back failed: .*code 4002"), (404, "remove it by hand")):
        sdp.faults.clear()
        sdp.faults.add(Fault(operation="post_note", kind="public"))
        sdp.faults.add(Fault(operation="retract_note", kind="status", status=status))
        with pytest.raises(PrivacyError, match=words):
            await plugin.update_ticket("acme", number, NOTE)


async def test_a_long_note_stays_within_our_limit(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str
) -> None:
    blocks = "\n\n".join(["ä" * 500] * 200)
    assert await plugin.update_ticket("acme", number, f"{blocks}\n\nref {REF}") is True
    (note,) = sdp.tickets[number].notes
    assert MAX_NOTE_BYTES / 2 < len(str(note.body).encode()) <= MAX_NOTE_BYTES


async def test_a_note_under_the_interface_references_path(
    plugin: ServiceDeskPlusPlugin, tenants: MemoryTenants, sdp: PretendServiceDeskPlus, number: str
) -> None:
    account = sdp.add_account({"resource_path": "tickets"})
    tenants.add("acme", "servicedesk_plus", connection=account.connection)
    assert await plugin.get_ticket("acme", number) is not None
    assert await plugin.update_ticket("acme", number, NOTE) is True
    assert await plugin.has_note("acme", number, REF) is True
    assert {entry.path for entry in sdp.log} == {f"/api/v3/tickets/{number}", f"/api/v3/tickets/{number}/notes"}


# The key around a note


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


async def test_a_cloud_that_has_the_newer_key_gets_it(
    plugin: ServiceDeskPlusPlugin, tenants: MemoryTenants, sdp: PretendServiceDeskPlus
) -> None:
    tenants.add("acme", "servicedesk_plus", connection=sdp.add_account({"edition": "cloud"}).connection)
    sdp.note_root = "note"
    number = sdp.add_ticket().id
    assert await plugin.update_ticket("acme", number, NOTE) is True
    assert [entry.status for entry in sdp.log] == [200, 400, 201]


async def test_the_other_key_is_tried_once(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str
) -> None:
    sdp.note_root = "remark"
    with pytest.raises(PermanentAPIError, match="code 4001: EXTRA_KEY_FOUND"):
        await plugin.update_ticket("acme", number, NOTE)
    assert [entry.method for entry in sdp.log] == ["POST", "POST", "GET"]


async def test_a_refusal_of_another_field_is_not_about_the_key(tenants: MemoryTenants) -> None:
    message = {"status_code": 4001, "field": "add_to_linked_requests", "message": "EXTRA_KEY_FOUND_IN_JSON"}
    body = {"response_status": {"status_code": 4000, "status": "failed", "messages": [message]}}
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.method)
        return httpx.Response(400, json=body)

    connect(tenants, "http://127.0.0.1:9")
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(PermanentAPIError):
            await ServiceDeskPlusPlugin(tenants, client).update_ticket("acme", "7", NOTE)
    assert sent == ["POST", "GET"]


# A closed request. There is no code for it, and the words are in the installation's language.

GERMAN = "Zu diesem Vorgang lassen sich keine Notizen anlegen"


@pytest.mark.parametrize("edition", list(PretendServiceDeskPlus.editions))
@pytest.mark.parametrize("refusal", [(400, 4001, GERMAN), (403, 4002, GERMAN), (200, 4001, GERMAN)], ids=str)
async def test_a_closed_request_is_told_by_its_status_whatever_the_words(
    plugin: ServiceDeskPlusPlugin,
    tenants: MemoryTenants,
    sdp: PretendServiceDeskPlus,
    edition: str,
    refusal: tuple[int, int, str],
) -> None:
    account = sdp.add_account(sdp.editions[edition])
    tenants.add("acme", "servicedesk_plus", connection=account.connection)
    ticket = sdp.add_ticket()
    sdp.close(ticket)
    sdp.closed_refusal = refusal
    with pytest.raises(TicketRefusedError, match=f"the request is closed: code {refusal[1]}: {GERMAN}"):
        await plugin.update_ticket("acme", ticket.id, NOTE)
    assert [entry.operation for entry in sdp.log][-2:] == ["post_note", "get_ticket"]


@pytest.mark.parametrize("has_internal_names", [True, False])
async def test_a_status_with_a_name_of_the_customers_own_is_read_too(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str, has_internal_names: bool
) -> None:
    sdp.status_names = {"Closed": "Erledigt"}
    sdp.has_internal_names = has_internal_names
    sdp.closed_refusal = (403, 4002, GERMAN)
    sdp.close(sdp.tickets[number])
    with pytest.raises(TicketRefusedError):
        await plugin.update_ticket("acme", number, NOTE)


async def test_where_the_request_cannot_be_looked_at_the_words_decide(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str
) -> None:
    sdp.close(sdp.tickets[number])
    sdp.faults.add(Fault(operation="get_ticket", kind="status", status=500))
    with pytest.raises(TicketRefusedError, match="Notes cannot be added to a closed request"):
        await plugin.update_ticket("acme", number, NOTE)
    sdp.closed_refusal = (400, 4001, GERMAN)
    with pytest.raises(PermanentAPIError, match=f"code 4001: {GERMAN}"):
        await plugin.update_ticket("acme", number, NOTE)


async def test_a_missing_right_is_not_taken_for_a_closed_request(
    plugin: ServiceDeskPlusPlugin, tenants: MemoryTenants, sdp: PretendServiceDeskPlus, number: str
) -> None:
    account = sdp.add_account({"may_write": False})
    tenants.add("acme", "servicedesk_plus", connection=account.connection)
    for ticket in (sdp.tickets[number], sdp.add_ticket()):
        sdp.resolve(ticket, "Water")
        with pytest.raises(AuthenticationError, match="code 4002"):
            await plugin.update_ticket("acme", ticket.id, NOTE)


async def test_words_about_something_else_that_is_closed_mean_nothing_on_an_open_request(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str
) -> None:
    sdp.closed_refusal = (400, 4001, "The connection pool is closed")
    sdp.tickets[number].closed = True
    sdp.has_internal_names = False
    sdp.status_names = {"Open": "Resolved"}
    with pytest.raises(PermanentAPIError, match="pool is closed"):
        await plugin.update_ticket("acme", number, NOTE)


# Looking for a note


def remarks(sdp: PretendServiceDeskPlus, number: str, count: int) -> None:
    notes = [PretendNote(str(sdp.next_number()), "<p>Me too</p>", True, "901", now()) for _ in range(count)]
    sdp.tickets[number].notes.extend(notes)


async def test_notes_are_looked_through_newest_first(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str
) -> None:
    remarks(sdp, number, 250)
    await plugin.update_ticket("acme", number, NOTE)
    sdp.log.clear()
    assert await plugin.has_note("acme", number, REF) is True
    assert len(sdp.log) == 1
    remarks(sdp, number, 250)
    sdp.log.clear()
    assert await plugin.has_note("acme", number, REF) is True
    assert len(sdp.log) == 3


async def test_notes_that_cannot_be_sorted_so_are_looked_through_as_they_come(
    plugin: ServiceDeskPlusPlugin, sdp: PretendServiceDeskPlus, number: str
) -> None:
    sdp.sorts_by = "created_time"
    remarks(sdp, number, 150)
    await plugin.update_ticket("acme", number, NOTE)
    sdp.log.clear()
    assert await plugin.has_note("acme", number, REF) is True
    assert [entry.status for entry in sdp.log] == [400, 200, 200]
    assert await plugin.has_note("acme", number, "dh-ffffffffffff") is False


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


async def test_a_note_is_looked_at_where_the_list_leaves_out_who_sees_it(
    plugin: ServiceDeskPlusPlugin,
    tenants: MemoryTenants,
    sdp: PretendServiceDeskPlus,
    number: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect(tenants, sdp.origin, TenantSettings(own_account_id=sdp.add_account({"api_key": KEY}).id))
    listed = sdp.listed_note
    without = lambda note: {k: v for k, v in listed(note).items() if k != "show_to_requester"}  # noqa: E731
    monkeypatch.setattr(sdp, "listed_note", without)
    await plugin.update_ticket("acme", number, NOTE)
    remarks(sdp, number, 2)
    sdp.log.clear()
    assert await plugin.has_note("acme", number, REF) is True
    assert len(sdp.log) == 2, "only the note that has the reference is fetched by itself"
    sdp.tickets[number].notes[0].private = False
    with pytest.raises(PrivacyError, match="it was taken back"):
        await plugin.has_note("acme", number, REF)
    assert len(sdp.tickets[number].notes) == 2


@pytest.mark.parametrize("field", ["added_by", "created_by"])
async def test_who_wrote_a_note_goes_by_either_name(tenants: MemoryTenants, field: str) -> None:
    """A public note of another's that quotes ours is no note of ours."""
    note = {"id": "5", "description": f"ref {REF}", "show_to_requester": True, field: {"id": "902"}}
    plugin = answering(tenants, 200, {"notes": [note], "response_status": [{"status_code": 2000}]})
    connect(tenants, "http://127.0.0.1:9", TenantSettings(own_account_id="12"))
    assert await plugin.has_note("acme", "7", REF) is False


async def test_what_a_lost_attempt_left_beside_our_note_is_deleted(
    plugin: ServiceDeskPlusPlugin, tenants: MemoryTenants, sdp: PretendServiceDeskPlus, number: str
) -> None:
    connect(tenants, sdp.origin, TenantSettings(own_account_id=sdp.add_account({"api_key": KEY}).id))
    sdp.faults.add(Fault(operation="post_note", kind="double"))
    await plugin.update_ticket("acme", number, NOTE)
    assert len(sdp.tickets[number].notes) == 2
    assert await plugin.has_note("acme", number, REF) is True
    assert [note.private for note in sdp.tickets[number].notes] == [True]
    assert sdp.log[-1].method == "DELETE"
