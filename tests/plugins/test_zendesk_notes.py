"""Notes on Zendesk's tickets: private comments, within Zendesk's limits, found again."""

import httpx
import pytest

from deskhand.pretend.zendesk import PretendZendesk
from plugins.exceptions import OutcomeUnknownError, PermanentAPIError, PluginError, PrivacyError, RateLimitError
from plugins.zendesk.note import MAX_HTML_BYTES, note_html
from tests.support.pretend import MemoryTenants, PretendFactory
from tests.support.zendesk import NOTE, REF, Zendesk, answering

QUOTE = f"<p>As ref {REF} says</p>"


@pytest.fixture
async def zendesk(pretend: PretendFactory, tenants: MemoryTenants, http: httpx.AsyncClient) -> Zendesk:
    return Zendesk(await pretend(PretendZendesk), tenants, http)


# Writing


async def test_a_note_that_comes_out_public_is_made_private(zendesk: Zendesk) -> None:
    """Zendesk cannot delete a comment."""
    ticket = zendesk.ticket()
    zendesk.fault("post_note", "public")
    with pytest.raises(PrivacyError, match="public; it was taken back"):
        await zendesk.update(ticket)
    assert [note.private for note in ticket.notes] == [True]


async def test_a_note_that_stays_public_is_said_to(zendesk: Zendesk) -> None:
    zendesk.be(role="light_agent")
    ticket = zendesk.ticket()
    zendesk.fault("post_note", "public")
    with pytest.raises(PrivacyError, match="taking it back failed: zendesk answered 403: Forbidden: You do not have"):
        await zendesk.update(ticket)
    zendesk.fault("retract_note", "status", status=404)
    with pytest.raises(PrivacyError, match="remove it by hand"):
        await zendesk.update(ticket)


@pytest.mark.parametrize(
    "audit",
    [
        None,
        {"events": None},
        {"events": [{"id": 1, "type": "Change", "public": False}, 5]},
        {"events": [{"id": 1, "type": "Comment", "public": "false"}]},
    ],
    ids=["none", "no events", "no comment", "no bool"],
)
async def test_a_reply_that_does_not_say_is_not_taken_as_private(tenants: MemoryTenants, audit: object) -> None:
    ticket = {"id": 7, "updated_at": "2026-11-24T12:00:00Z"}
    plugin = answering(tenants, httpx.Response(200, json={"ticket": ticket, "audit": audit}))
    with pytest.raises(PrivacyError, match="without saying"):
        await plugin.update_ticket("acme", "7", NOTE)


async def test_what_triggers_add_to_the_audit_does_not_hide_our_comment(tenants: MemoryTenants) -> None:
    events = [
        {"id": 1, "type": "Change", "field_name": "status"},
        {"id": 2, "type": "Comment", "public": False},
        {"id": 3, "type": "Notification", "public": True},
    ]
    ticket = {"id": 7, "updated_at": "2026-11-24T12:00:00Z"}
    plugin = answering(tenants, httpx.Response(200, json={"ticket": ticket, "audit": {"events": events}}))
    assert await plugin.update_ticket("acme", "7", NOTE) is True


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
async def test_zendesk_fills_nothing_into_our_text(zendesk: Zendesk, text: str) -> None:
    ticket = zendesk.ticket()
    await zendesk.update(ticket, text)
    (note,) = ticket.notes
    assert "Robin" not in str(note.body)
    assert "{ {ticket.requester.name}}" in str(note.body)
    assert "{ % if x %}" in str(note.body)


@pytest.mark.parametrize("text", ["ä", "{", r"\{", "<"], ids=["letters", "braces", "hidden braces", "markup"])
async def test_a_long_note_fits_and_keeps_its_reference(zendesk: Zendesk, text: str) -> None:
    ticket = zendesk.ticket()
    blocks = "\n\n".join([text * 500] * 200)
    assert await zendesk.update(ticket, f"{blocks}\n\nref {REF}") is True
    (note,) = ticket.notes
    assert REF in str(note.body)
    assert len(str(note.body).encode()) <= MAX_HTML_BYTES


@pytest.mark.parametrize(
    ("status", "body", "meaning", "words"),
    [
        (
            422,
            {
                "error": "RecordInvalid",
                "description": "Record validation errors",
                "details": {"base": [{"description": "Too many\ncomments"}, 5], "odd": 5},
            },
            PermanentAPIError,
            "422: RecordInvalid: Record validation errors: Too many comments$",
        ),
        (
            400,
            {"error": {"title": "Invalid attribute", "message": "x"}},
            PermanentAPIError,
            "400: Invalid attribute: x$",
        ),
        (
            401,
            {"error": "invalid_token", "error_description": "The access token provided is expired"},
            PluginError,
            "401: invalid_token: The access token provided is expired$",
        ),
        (429, "Number of allowed API requests per minute exceeded", RateLimitError, "429$"),
        (500, ["odd"], PluginError, "500$"),
    ],
)
async def test_a_refusal_is_given_in_zendesks_words(
    tenants: MemoryTenants, status: int, body: object, meaning: type[PluginError], words: str
) -> None:
    answer = httpx.Response(status, text=body) if isinstance(body, str) else httpx.Response(status, json=body)
    with pytest.raises(meaning, match=f"^zendesk answered {words}"):
        await answering(tenants, answer).update_ticket("acme", "7", NOTE)


# Looking for a note


async def test_a_new_note_is_found_on_the_first_page(zendesk: Zendesk) -> None:
    ticket = zendesk.ticket()
    zendesk.comment(ticket, "<p>Me too</p>", "901", count=250)
    await zendesk.update(ticket)
    zendesk.asked()
    assert await zendesk.has_note(ticket) is True
    assert zendesk.asked() == ["get_ticket", "list_notes"]


async def test_a_list_that_leads_nowhere_proves_nothing(tenants: MemoryTenants) -> None:
    ticket = httpx.Response(200, json={"ticket": {"id": 7, "updated_at": "2026-11-24T12:00:00Z"}})
    page = httpx.Response(200, json={"comments": [], "meta": {"has_more": True, "after_cursor": "same"}})
    assert await answering(tenants, ticket, page).has_note("acme", "7", REF) is None


@pytest.mark.parametrize("body", [5, None, [REF], True])
async def test_a_comment_whose_text_is_no_text_is_passed_over(tenants: MemoryTenants, body: object) -> None:
    ticket = httpx.Response(200, json={"ticket": {"id": 7, "updated_at": "2026-11-24T12:00:00Z"}})
    comments = [{"id": 1, "body": body, "plain_body": body, "html_body": body}, 5]
    page = httpx.Response(200, json={"comments": comments, "meta": None})
    assert await answering(tenants, ticket, page).has_note("acme", "7", REF) is False


async def test_a_second_note_of_ours_stays_private(zendesk: Zendesk) -> None:
    zendesk.own_account_known()
    ticket = zendesk.ticket()
    zendesk.fault("post_note", "double", times=1)
    await zendesk.update(ticket)
    zendesk.asked()
    assert await zendesk.has_note(ticket) is True
    assert [note.private for note in ticket.notes] == [True, True]
    assert zendesk.asked() == ["get_ticket", "list_notes"], "Zendesk has no request that would remove one"


async def test_a_second_note_that_is_public_is_made_private(zendesk: Zendesk) -> None:
    zendesk.own_account_known()
    ticket = zendesk.ticket()
    await zendesk.update(ticket)
    zendesk.comment(ticket, str(ticket.notes[0].body), zendesk.account.id)
    assert await zendesk.has_note(ticket) is True
    assert [note.private for note in ticket.notes] == [True, True]


async def test_what_a_person_answers_under_our_account_stays_as_it_is(zendesk: Zendesk) -> None:
    zendesk.own_account_known()
    ticket = zendesk.ticket()
    await zendesk.update(ticket)
    zendesk.comment(ticket, f"{ticket.notes[0].body}<p>It helped, thank you.</p>", zendesk.account.id)
    assert await zendesk.has_note(ticket) is True
    assert [note.private for note in ticket.notes] == [True, False]


async def test_a_lost_public_note_is_taken_back_when_it_is_found(zendesk: Zendesk) -> None:
    zendesk.own_account_known()
    ticket = zendesk.ticket()
    zendesk.fault("post_note", "public", dropped=True)
    with pytest.raises(OutcomeUnknownError):
        await zendesk.update(ticket)
    assert [note.private for note in ticket.notes] == [False]
    with pytest.raises(PrivacyError, match="an earlier note is public; it was taken back"):
        await zendesk.has_note(ticket)
    assert [note.private for note in ticket.notes] == [True]
    assert await zendesk.has_note(ticket) is True, "it was made private, which is what was wanted"


@pytest.mark.parametrize("own_known", [False, True])
async def test_a_public_note_that_may_not_be_ours_is_left_alone(
    zendesk: Zendesk, own_known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if own_known:
        zendesk.own_account_known()
        given = "deskhand.pretend.zendesk_bodies.comment_body"
        monkeypatch.setattr(given, lambda note: {"id": int(note.id), "public": not note.private, "body": note.body})
    ticket = zendesk.ticket()
    zendesk.comment(ticket, QUOTE, zendesk.account.id)
    with pytest.raises(PrivacyError, match=r"public; it was left alone.*by hand"):
        await zendesk.has_note(ticket)
    assert [note.private for note in ticket.notes] == [False]
    assert zendesk.asked() == ["get_ticket", "list_notes"]


FOOTER = f"\n\nref {REF}"


@pytest.mark.parametrize(
    ("text", "least"),
    [("{" * 60_000 + "\n\n" + "{{a}}" * 500 + " x" * 30_500, 30_000), ("{" * 70_000, 60_000), ("{" * 64_000, 60_000)],
    ids=["braces that are cut, then text", "too many braces", "just too many"],
)
def test_a_note_of_braces_keeps_to_the_limit_and_says_what_fits(text: str, least: int) -> None:
    size = len(note_html(text + FOOTER).encode())
    assert least < size <= MAX_HTML_BYTES
    assert REF in note_html(text + FOOTER)
