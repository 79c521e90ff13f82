"""Zendesk's API: tickets, private notes, and what each refusal means."""

import socket
from typing import Any

import httpx
import pytest

from deskhand.pretend.zendesk import PretendZendesk
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
from plugins.rendering import html_to_text
from plugins.types import TenantSettings
from plugins.zendesk import ZendeskPlugin, answers
from plugins.zendesk.note import MAX_HTML_BYTES
from tests.support.pretend import MemoryTenants, PretendFactory

TOKEN = "a-marked-test-token"
REF = "dh-0123456789ab"
NOTE = f"**Try** turning it off.\n\nref {REF}"


@pytest.fixture
async def zendesk(pretend: PretendFactory) -> PretendZendesk:
    vendor = await pretend(PretendZendesk)
    vendor.add_account({"email": "deskhand@acme.example", "api_token": TOKEN})
    return vendor


def connect(tenants: MemoryTenants, origin: str, settings: TenantSettings | None = None, **changed: Any) -> None:
    connection = {"base_url": origin, "email": "deskhand@acme.example", "api_token": TOKEN, **changed}
    tenants.add("acme", "zendesk", connection=connection, settings=settings)


@pytest.fixture
def plugin(tenants: MemoryTenants, http: httpx.AsyncClient, zendesk: PretendZendesk) -> ZendeskPlugin:
    connect(tenants, zendesk.origin)
    return ZendeskPlugin(tenants, http)


@pytest.fixture
def number(zendesk: PretendZendesk) -> str:
    """A ticket's id."""
    fields = {"subject": "Printer", "description": "On fire", "priority": "urgent", "requester": "Robin"}
    return zendesk.add_ticket(fields).id


async def fault(http: httpx.AsyncClient, vendor: PretendZendesk, operation: str, kind: str, **more: Any) -> None:
    body = {"operation": operation, "kind": kind, **more}
    (await http.post(f"{vendor.origin}/_pretend/faults", json=body)).raise_for_status()


# A ticket


async def test_a_ticket_as_a_technician_sees_it(
    plugin: ZendeskPlugin, zendesk: PretendZendesk, http: httpx.AsyncClient, number: str
) -> None:
    ticket = await plugin.get_ticket("acme", number)
    assert ticket is not None
    assert ticket["id"] == int(number)
    metadata = plugin.extract_metadata({"tenant_id": "acme", "ticket_id": number})
    seen = plugin.describe(ticket, metadata)
    assert (seen.subject, seen.description, seen.status) == ("Printer", "On fire", "new")
    assert (seen.priority, seen.category) == ("high", "incident")
    assert seen.created_at == zendesk.tickets[number].created_at.replace(microsecond=0)
    assert "Printer" in (await http.get(seen.url)).text


async def test_a_tenants_own_priorities_count_for_the_ticket_too(
    plugin: ZendeskPlugin, tenants: MemoryTenants, zendesk: PretendZendesk, number: str
) -> None:
    connect(tenants, zendesk.origin, TenantSettings(priorities={"urgent": "low"}))
    ticket = await plugin.get_ticket("acme", number)
    assert ticket is not None
    metadata = plugin.extract_metadata({"tenant_id": "acme", "ticket_id": number})
    assert plugin.describe(ticket, metadata).priority == "low"


async def test_the_solution_is_the_last_word_of_an_agent(
    plugin: ZendeskPlugin, zendesk: PretendZendesk, number: str
) -> None:
    await plugin.update_ticket("acme", number, NOTE)
    metadata = plugin.extract_metadata({"tenant_id": "acme", "ticket_id": number})
    open_ticket = await plugin.get_ticket("acme", number)
    assert open_ticket is not None
    assert plugin.describe(open_ticket, metadata).resolution == "", "what is open has no solution"

    zendesk.resolve(zendesk.tickets[number], "Unplugged it.")
    zendesk.tickets[number].notes.append(PretendNote("77", "<p>Thanks!</p>", False, "901", now()))
    await plugin.update_ticket("acme", number, NOTE)
    solved = await plugin.get_ticket("acme", number)
    assert solved is not None
    seen = plugin.describe(solved, metadata)
    assert seen.resolution == "Unplugged it.", "neither our own note nor the requester's thanks"
    texts = [comment.text for comment in seen.comments]
    assert "On fire" not in texts, "the first comment is the description"
    assert {"Thanks!", "Unplugged it."} <= set(texts)
    assert [comment.private for comment in seen.comments if REF in comment.text] == [True, True]


async def test_a_ticket_is_not_half_read(
    plugin: ZendeskPlugin, http: httpx.AsyncClient, zendesk: PretendZendesk, number: str
) -> None:
    await fault(http, zendesk, "list_notes", "status", status=503)
    with pytest.raises(APIError):
        await plugin.get_ticket("acme", number)


def test_what_the_ticket_does_not_say_comes_from_the_webhook(plugin: ZendeskPlugin) -> None:
    body = {"tenant_id": "acme", "ticket_id": 7, "description": "From the webhook", "priority": "high"}
    seen = plugin.describe({"subject": None, "status": 3}, plugin.extract_metadata(body))
    assert (seen.description, seen.priority, seen.subject, seen.url) == ("From the webhook", "high", "", "")


async def test_a_ticket_that_is_not_there(plugin: ZendeskPlugin) -> None:
    assert await plugin.get_ticket("acme", "999") is None
    assert await plugin.update_ticket("acme", "999", NOTE) is False
    assert await plugin.has_note("acme", "999", REF) is False


@pytest.mark.parametrize("odd", ["../users/me", "7.json?x=", "", "\u0667", "INC-1"])
async def test_an_id_that_is_no_number_never_enters_an_address(
    plugin: ZendeskPlugin, zendesk: PretendZendesk, odd: str
) -> None:
    for call in (plugin.get_ticket("acme", odd), plugin.update_ticket("acme", odd, NOTE)):
        with pytest.raises(ValidationError, match="ticket_id"):
            await call
    assert not zendesk.log


# A note


async def test_a_note_is_private(plugin: ZendeskPlugin, zendesk: PretendZendesk, number: str) -> None:
    assert await plugin.update_ticket("acme", number, NOTE) is True
    (note,) = zendesk.tickets[number].notes
    assert note.private
    assert "<strong>Try</strong>" in str(note.body)
    assert REF in str(note.body)
    assert [entry.method for entry in zendesk.log] == ["PUT"]


async def test_a_note_that_comes_out_public_is_made_private(
    plugin: ZendeskPlugin, zendesk: PretendZendesk, http: httpx.AsyncClient, number: str
) -> None:
    await fault(http, zendesk, "post_note", "public")
    with pytest.raises(PrivacyError, match="public; it was taken back"):
        await plugin.update_ticket("acme", number, NOTE)
    assert [note.private for note in zendesk.tickets[number].notes] == [True]


async def test_a_note_that_stays_public_is_said_to(
    plugin: ZendeskPlugin, zendesk: PretendZendesk, http: httpx.AsyncClient, number: str
) -> None:
    await fault(http, zendesk, "post_note", "public")
    await fault(http, zendesk, "retract_note", "status", status=500)
    with pytest.raises(PrivacyError, match="taking it back failed: zendesk answered 500"):
        await plugin.update_ticket("acme", number, NOTE)
    zendesk.faults.clear()
    await fault(http, zendesk, "post_note", "public")
    await fault(http, zendesk, "retract_note", "status", status=404)
    with pytest.raises(PrivacyError, match="remove it by hand"):
        await plugin.update_ticket("acme", number, NOTE)


async def test_a_reply_that_does_not_say_is_not_taken_as_private(tenants: MemoryTenants) -> None:
    connect(tenants, "http://127.0.0.1:9")
    reply = httpx.MockTransport(lambda _: httpx.Response(200, json={"ticket": {"id": 7}}))
    async with httpx.AsyncClient(transport=reply) as client:
        with pytest.raises(PrivacyError, match="without saying"):
            await ZendeskPlugin(tenants, client).update_ticket("acme", "7", NOTE)


@pytest.mark.parametrize(
    "text",
    [
        "{{ticket.requester.name}} {% if x %}",
        r"\{\{ticket.requester.name}} \{% if x %}",
        "{&#123;ticket.requester.name}} &#123;&#37; if x %}",
        "`{{ticket.requester.name}} {% if x %}`",
        "{{{ticket.requester.name}}} {{% if x %}",
    ],
    ids=["plain", "backslash", "entity", "code", "three"],
)
async def test_zendesk_fills_nothing_into_our_text(
    plugin: ZendeskPlugin, zendesk: PretendZendesk, number: str, text: str
) -> None:
    await plugin.update_ticket("acme", number, text)
    (note,) = zendesk.tickets[number].notes
    assert "Robin" not in str(note.body)
    assert "{ {ticket.requester.name}}" in str(note.body)
    assert "{ % if x %}" in str(note.body)


@pytest.mark.parametrize("text", ["ä", "{", r"\{", "<"], ids=["letters", "braces", "hidden braces", "markup"])
async def test_a_long_note_fits_and_keeps_its_reference(
    plugin: ZendeskPlugin, zendesk: PretendZendesk, number: str, text: str
) -> None:
    blocks = "\n\n".join([text * 500] * 200)
    assert await plugin.update_ticket("acme", number, f"{blocks}\n\nref {REF}") is True
    (note,) = zendesk.tickets[number].notes
    assert REF in str(note.body)
    assert len(str(note.body).encode()) <= MAX_HTML_BYTES


async def test_a_closed_ticket_refuses_in_zendesks_words(
    plugin: ZendeskPlugin, zendesk: PretendZendesk, number: str
) -> None:
    zendesk.close(zendesk.tickets[number])
    with pytest.raises(TicketRefusedError, match="Status: closed prevents ticket update"):
        await plugin.update_ticket("acme", number, NOTE)


# What each refusal means


REFUSALS: list[tuple[dict[str, Any], type[PluginError]]] = [
    ({"kind": "status", "status": 401}, AuthenticationError),
    ({"kind": "status", "status": 403}, AuthenticationError),
    ({"kind": "status", "status": 429}, RateLimitError),
    ({"kind": "status", "status": 400}, PermanentAPIError),
    ({"kind": "status", "status": 422}, PermanentAPIError),
    ({"kind": "status", "status": 409}, APIError),
    ({"kind": "status", "status": 500}, APIError),
    ({"kind": "status", "status": 503}, APIError),
    ({"kind": "status", "status": 302, "headers": {"Location": "/login"}}, ConfigurationError),
    ({"kind": "drop"}, OutcomeUnknownError),
]


@pytest.mark.parametrize(("what", "meaning"), REFUSALS, ids=lambda value: str(value))
async def test_what_a_refusal_means(
    plugin: ZendeskPlugin,
    zendesk: PretendZendesk,
    http: httpx.AsyncClient,
    number: str,
    what: dict[str, Any],
    meaning: type[PluginError],
) -> None:
    await fault(http, zendesk, "any", **what)
    for call in (
        plugin.get_ticket("acme", number),
        plugin.update_ticket("acme", number, NOTE),
        plugin.has_note("acme", number, REF),
    ):
        with pytest.raises(meaning) as caught:
            await call
        assert type(caught.value) is meaning
        assert TOKEN not in str(caught.value)
        assert "On fire" not in str(caught.value)
    # Nothing is sent twice, whatever came back.
    assert len(zendesk.log) == 3


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("0", 1), (None, None)])
async def test_how_long_zendesk_wants_us_to_wait(
    plugin: ZendeskPlugin,
    zendesk: PretendZendesk,
    http: httpx.AsyncClient,
    number: str,
    header: str | None,
    seconds: int | None,
) -> None:
    headers = {"Retry-After": header} if header else {}
    await fault(http, zendesk, "any", "status", status=429, headers=headers)
    with pytest.raises(RateLimitError) as caught:
        await plugin.update_ticket("acme", number, NOTE)
    assert caught.value.retry_after == seconds


async def test_an_answer_that_does_not_come(
    tenants: MemoryTenants, zendesk: PretendZendesk, http: httpx.AsyncClient, number: str
) -> None:
    connect(tenants, zendesk.origin)
    await fault(http, zendesk, "post_note", "slow", seconds=60)
    async with httpx.AsyncClient(timeout=httpx.Timeout(5, read=0.1)) as hasty:
        with pytest.raises(OutcomeUnknownError):
            await ZendeskPlugin(tenants, hasty).update_ticket("acme", number, NOTE)


async def test_a_connection_that_is_refused_left_nothing_behind(
    tenants: MemoryTenants, http: httpx.AsyncClient
) -> None:
    with socket.socket() as bound:  # and not listening: connections are refused
        bound.bind(("127.0.0.1", 0))
        connect(tenants, f"http://127.0.0.1:{bound.getsockname()[1]}")
        with pytest.raises(APIError) as caught:
            await ZendeskPlugin(tenants, http).update_ticket("acme", "7", NOTE)
    assert not isinstance(caught.value, OutcomeUnknownError)
    assert caught.value.last_error is not None


async def test_wrong_credentials(plugin: ZendeskPlugin, tenants: MemoryTenants, zendesk: PretendZendesk) -> None:
    connect(tenants, zendesk.origin, api_token="another")
    with pytest.raises(AuthenticationError, match="Couldn't authenticate you"):
        await plugin.get_ticket("acme", "7")


async def test_tenants_without_a_usable_connection(
    plugin: ZendeskPlugin, tenants: MemoryTenants, zendesk: PretendZendesk
) -> None:
    for name, value in (
        ("base_url", "ftp://acme.example"),
        ("base_url", f"{zendesk.origin}/api/v2"),
        ("base_url", "https://me:secret@acme.example"),
        ("email", "nobody"),
        ("api_token", ""),
        ("api_tokn", "misspelt"),
    ):
        connect(tenants, zendesk.origin, **dict[str, Any]({name: value}))
        with pytest.raises(ConfigurationError, match=f"tenant acme: {name}: ") as caught:
            await plugin.get_ticket("acme", "7")
        assert not value or value not in str(caught.value)
    tenants.add("other", "jira")
    for tenant_id in ("other", "unknown"):
        with pytest.raises(ConfigurationError, match=f"tenant {tenant_id}"):
            await plugin.update_ticket(tenant_id, "7", NOTE)
    assert not zendesk.log


# Looking for a note


async def test_our_note_is_found(plugin: ZendeskPlugin, number: str) -> None:
    assert await plugin.has_note("acme", number, REF) is False
    await plugin.update_ticket("acme", number, NOTE)
    assert await plugin.has_note("acme", number, REF) is True
    assert await plugin.has_note("acme", number, "dh-ffffffffffff") is False


def remarks(zendesk: PretendZendesk, number: str, count: int) -> None:
    note = [PretendNote(str(zendesk.next_number()), "<p>Me too</p>", False, "901", now()) for _ in range(count)]
    zendesk.tickets[number].notes.extend(note)


async def test_an_old_note_is_found_on_a_later_page(
    plugin: ZendeskPlugin, zendesk: PretendZendesk, number: str
) -> None:
    await plugin.update_ticket("acme", number, NOTE)
    remarks(zendesk, number, 250)
    zendesk.log.clear()
    assert await plugin.has_note("acme", number, REF) is True
    assert len(zendesk.log) == 3
    assert await plugin.has_note("acme", number, "dh-ffffffffffff") is False


async def test_a_new_note_is_found_on_the_first_page(
    plugin: ZendeskPlugin, zendesk: PretendZendesk, number: str
) -> None:
    remarks(zendesk, number, 250)
    await plugin.update_ticket("acme", number, NOTE)
    zendesk.log.clear()
    assert await plugin.has_note("acme", number, REF) is True
    assert len(zendesk.log) == 1


async def test_a_list_that_leads_nowhere_proves_nothing(tenants: MemoryTenants) -> None:
    connect(tenants, "http://127.0.0.1:9")
    page = {"comments": [], "meta": {"has_more": True, "after_cursor": "same"}}
    reply = httpx.MockTransport(lambda _: httpx.Response(200, json=page))
    async with httpx.AsyncClient(transport=reply) as client:
        assert await ZendeskPlugin(tenants, client).has_note("acme", "7", REF) is None


# A note that came out public while its answer was lost


def quote(zendesk: PretendZendesk, number: str, author: str, *, private: bool = False) -> None:
    """Somebody writes what quotes our note."""
    body = f"<p>As ref {REF} says</p>"
    zendesk.tickets[number].notes.append(PretendNote(str(zendesk.next_number()), body, private, author, now()))


def own_account(zendesk: PretendZendesk) -> str:
    return zendesk.add_account({"email": "deskhand@acme.example", "api_token": TOKEN}).id


async def test_a_lost_public_note_is_taken_back_when_it_is_found(
    plugin: ZendeskPlugin, tenants: MemoryTenants, zendesk: PretendZendesk, http: httpx.AsyncClient, number: str
) -> None:
    connect(tenants, zendesk.origin, TenantSettings(own_account_id=own_account(zendesk)))
    await fault(http, zendesk, "post_note", "public", dropped=True)
    with pytest.raises(OutcomeUnknownError):
        await plugin.update_ticket("acme", number, NOTE)
    assert [note.private for note in zendesk.tickets[number].notes] == [False]
    with pytest.raises(PrivacyError, match="an earlier note is public; it was taken back"):
        await plugin.has_note("acme", number, REF)
    assert [note.private for note in zendesk.tickets[number].notes] == [True]
    assert await plugin.has_note("acme", number, REF) is True, "it was made private, which is what was wanted"


@pytest.mark.parametrize("own_known", [False, True])
async def test_a_public_note_that_may_not_be_ours_is_left_alone(
    plugin: ZendeskPlugin,
    tenants: MemoryTenants,
    zendesk: PretendZendesk,
    number: str,
    own_known: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if own_known:
        connect(tenants, zendesk.origin, TenantSettings(own_account_id=own_account(zendesk)))
        given = zendesk._comment
        without = lambda note: {k: v for k, v in given(note).items() if k != "author_id"}  # noqa: E731
        monkeypatch.setattr(zendesk, "_comment", without)
    quote(zendesk, number, own_account(zendesk))
    with pytest.raises(PrivacyError, match=r"public; it was left alone.*by hand"):
        await plugin.has_note("acme", number, REF)
    assert [note.private for note in zendesk.tickets[number].notes] == [False]
    assert {entry.operation for entry in zendesk.log} == {"list_notes"}


async def test_a_quote_of_our_note_is_neither_ours_nor_taken_back(
    plugin: ZendeskPlugin, tenants: MemoryTenants, zendesk: PretendZendesk, number: str
) -> None:
    connect(tenants, zendesk.origin, TenantSettings(own_account_id=own_account(zendesk)))
    quote(zendesk, number, "902")
    assert await plugin.has_note("acme", number, REF) is False
    await plugin.update_ticket("acme", number, NOTE)
    quote(zendesk, number, "902")
    assert await plugin.has_note("acme", number, REF) is True
    assert [note.private for note in zendesk.tickets[number].notes] == [False, True, False]


async def test_a_private_note_counts_whoever_the_vendor_says_wrote_it(
    plugin: ZendeskPlugin, tenants: MemoryTenants, zendesk: PretendZendesk, number: str
) -> None:
    """The tenant's `own_account_id` may be wrong, and that must not double its notes."""
    connect(tenants, zendesk.origin, TenantSettings(own_account_id="1"))
    await plugin.update_ticket("acme", number, NOTE)
    assert await plugin.has_note("acme", number, REF) is True


async def test_a_private_note_counts_before_a_newer_public_quote(
    plugin: ZendeskPlugin, zendesk: PretendZendesk, number: str
) -> None:
    await plugin.update_ticket("acme", number, NOTE)
    for _ in range(120):
        quote(zendesk, number, "902")
    assert await plugin.has_note("acme", number, REF) is True


@pytest.mark.parametrize(
    "what", [{"kind": "status", "status": 502}, {"kind": "status", "status": 504}, {"kind": "garbage"}]
)
async def test_a_gateways_answer_to_a_note_leaves_the_outcome_unknown(
    plugin: ZendeskPlugin, zendesk: PretendZendesk, http: httpx.AsyncClient, number: str, what: dict[str, Any]
) -> None:
    await fault(http, zendesk, "any", **what)
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
        plugin = ZendeskPlugin(tenants, client)
        for call in (plugin.get_ticket("acme", "7"), plugin.update_ticket("acme", "7", NOTE)):
            with pytest.raises(APIError, match=f"answered {status}"):
                await call


async def test_one_ticket_has_one_identity(plugin: ZendeskPlugin, zendesk: PretendZendesk, number: str) -> None:
    metadata = plugin.extract_metadata({"tenant_id": "acme", "ticket_id": f" 00{number} "})
    assert metadata.ticket_id == number
    assert await plugin.update_ticket("acme", f"00{number}", NOTE) is True


@pytest.mark.parametrize("body", [5, None, ["dh-0123456789ab"], True])
async def test_a_comment_whose_text_is_no_text_is_passed_over(tenants: MemoryTenants, body: object) -> None:
    connect(tenants, "http://127.0.0.1:9")
    page = {"comments": [{"id": 1, "body": body, "plain_body": body, "html_body": body}, 5], "meta": None}
    reply = httpx.MockTransport(lambda _: httpx.Response(200, json=page))
    async with httpx.AsyncClient(transport=reply) as client:
        assert await ZendeskPlugin(tenants, client).has_note("acme", "7", REF) is False


def test_of_a_huge_ticket_only_the_beginning_of_each_text_is_read(
    plugin: ZendeskPlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(html: str, *, limit: int | None = None) -> str:
        read.append(html_to_text(html, limit=limit))
        return read[-1]

    monkeypatch.setattr("plugins.zendesk.answers.html_to_text", counted)
    fix = "".join(f"<p>fix {number}</p>" for number in range(5_000))
    ours = "<p>long</p>" * 5_000 + f"<p>ref {REF}</p>"
    comments = [{"html_body": ours, "author_id": 3}] * 2 + [{"html_body": fix, "author_id": 2}] * 8
    ticket = {
        "status": "solved",
        "requester_id": 1,
        "description": "line\n" * 200_000,
        answers.EXTRA: {"comments": comments * 20},
    }
    seen = plugin.describe(ticket, plugin.extract_metadata({"tenant_id": "acme", "ticket_id": 7}))
    assert seen.description.startswith("line\nline")
    assert seen.resolution.startswith("fix 0\n\nfix 1"), "the reference at the end of a long note is seen"
    assert len(seen.comments) == len(read) == 10, "each is read once"
    assert max(map(len, read)) <= answers.MAX_COMMENT


def test_a_long_first_comment_is_still_known_as_the_description(plugin: ZendeskPlugin) -> None:
    text = "On fire. " * 5_000
    ticket = {"description": text, answers.EXTRA: {"comments": [{"plain_body": text}, {"plain_body": "Hello"}]}}
    seen = plugin.describe(ticket, plugin.extract_metadata({"tenant_id": "acme", "ticket_id": 7}))
    assert [comment.text for comment in seen.comments] == ["Hello"]


# Checking a connection


async def test_a_connection_that_works_names_the_account(
    plugin: ZendeskPlugin, tenants: MemoryTenants, zendesk: PretendZendesk
) -> None:
    own = own_account(zendesk)
    report = await plugin.check_connection("acme")
    assert report.ok
    assert own in report.account
    assert any(f"own_account_id to {own}" in finding.mend for finding in report.findings)
    connect(tenants, zendesk.origin, TenantSettings(own_account_id=own))
    assert not any("own_account_id" in finding.mend for finding in (await plugin.check_connection("acme")).findings)


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ({"id": None, "name": "Anonymous user"}, "does not know"),
        ({"id": 5, "role": "end-user"}, "no agent"),
        (1, "not"),
    ],
)
async def test_an_account_that_cannot_write_notes(tenants: MemoryTenants, user: object, words: str) -> None:
    connect(tenants, "http://127.0.0.1:9")
    reply = httpx.MockTransport(lambda _: httpx.Response(200, json={"user": user}))
    async with httpx.AsyncClient(transport=reply) as client:
        report = await ZendeskPlugin(tenants, client).check_connection("acme")
    assert not report.ok
    assert any(words in finding.what for finding in report.findings)


async def test_a_connection_that_does_not_work_says_why(
    plugin: ZendeskPlugin, tenants: MemoryTenants, zendesk: PretendZendesk
) -> None:
    connect(tenants, zendesk.origin, api_token="another")
    report = await plugin.check_connection("acme")
    assert not report.ok
    assert "401" in report.findings[0].what
