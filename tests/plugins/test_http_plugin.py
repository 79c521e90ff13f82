"""What every plugin over HTTP shares: a note is private or taken back, and what an answer means."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal

import httpx
import pytest

from plugins.base import TicketMetadata
from plugins.exceptions import APIError, OutcomeUnknownError, PermanentAPIError, PluginError, PrivacyError
from plugins.http import LONGEST_PAUSE, HttpPlugin, json_or_none, retry_after_seconds
from plugins.sightings import Sightings
from plugins.types import PostedNote
from tests.support.pretend import MemoryTenants

DEEP = b"[" * 100_000
OURS, THEIRS, UNKNOWN = "1", "2", None


class Tool(HttpPlugin):
    """A tool that finds what it is told to, and remembers what it was to take back."""

    __tool_type__ = "tool"

    found: PostedNote | Literal[False] | None = None
    surplus: tuple[PostedNote, ...] = ()

    def __init__(self, tenants: MemoryTenants, http: httpx.AsyncClient) -> None:
        super().__init__(tenants, http)
        self.retracted: list[str | None] = []

    async def validate_webhook(self, payload: dict[str, Any], signature: str) -> bool:
        raise NotImplementedError

    async def get_ticket(self, tenant_id: str, ticket_id: str) -> dict[str, Any] | None:
        raise NotImplementedError

    def extract_metadata(self, payload: dict[str, Any]) -> TicketMetadata:
        raise NotImplementedError

    async def post_note(self, tenant_id: str, ticket_id: str, content: str) -> PostedNote | None:
        raise NotImplementedError

    async def find_notes(self, tenant_id: str, ticket_id: str, ref: str) -> Sightings | None:
        seen = Sightings(OURS, ref)
        for note in (*self.surplus, *((self.found,) if self.found else ())):
            author = OURS if note.note_id else None
            seen.add(f"Try it. ref {ref}", private=note.private, note_id=note.note_id, author=author)
        seen.complete = self.found is not None
        return seen

    async def retract_note(self, tenant_id: str, ticket_id: str, posted: PostedNote) -> bool:
        self.retracted.append(posted.note_id)
        return True


@pytest.fixture
def tool(tenants: MemoryTenants, http: httpx.AsyncClient) -> Tool:
    tenants.add("acme", "tool")
    return Tool(tenants, http)


# An earlier attempt's note


@pytest.mark.parametrize(
    ("found", "there"),
    [(None, None), (False, False), (PostedNote(private=True), True), (PostedNote(private=True, note_id="7"), True)],
    ids=str,
)
async def test_a_note_counts_if_it_is_private(
    tool: Tool, found: PostedNote | Literal[False] | None, there: bool | None
) -> None:
    tool.found = found
    assert await tool.has_note("acme", "1", "dh-1") is there
    assert tool.retracted == []


@pytest.mark.parametrize(("private", "words"), [(False, "is public"), (None, "does not say")], ids=str)
async def test_an_earlier_note_that_is_not_private_is_taken_back(tool: Tool, private: bool | None, words: str) -> None:
    tool.found = PostedNote(private=private, note_id="7")
    with pytest.raises(PrivacyError, match=f"an earlier note {words}.*; it was taken back"):
        await tool.has_note("acme", "1", "dh-1")
    assert tool.retracted == ["7"]


async def test_what_may_be_another_accounts_is_left_alone(tool: Tool) -> None:
    tool.found = PostedNote(private=False)
    with pytest.raises(PrivacyError, match=r"public; it was left alone.*by hand"):
        await tool.has_note("acme", "1", "dh-1")
    assert tool.retracted == []


@pytest.mark.parametrize(
    ("own", "seen", "best"),
    [
        (OURS, [], None),
        (OURS, [(False, "8", THEIRS), (None, "7", THEIRS)], None),
        (OURS, [(True, "7", THEIRS), (False, "8", OURS)], PostedNote(private=False, note_id="8")),
        ("", [(False, "7", OURS)], PostedNote(private=False)),
        (OURS, [(False, "7", OURS)], PostedNote(private=False, note_id="7")),
        (OURS, [(False, "7", 1)], PostedNote(private=False, note_id="7")),
        (OURS, [(False, "7", OURS), (True, "8", OURS)], PostedNote(private=True, note_id="8")),
        (OURS, [(True, "8", OURS), (False, "7", OURS)], PostedNote(private=True, note_id="8")),
        (OURS, [(False, "7", UNKNOWN), (None, "8", OURS)], PostedNote(private=None, note_id="8")),
        (OURS, [(False, "8", OURS), (False, "7", UNKNOWN)], PostedNote(private=False, note_id="8")),
        (OURS, [(False, "7", UNKNOWN)], PostedNote(private=False)),
        (None, [(False, "7", OURS)], PostedNote(private=False)),
        (None, [(False, "7", THEIRS), (True, "8", OURS)], PostedNote(private=True)),
    ],
)
def test_which_of_several_comments_is_our_note(
    own: str | None, seen: list[tuple[bool | None, str, str | int | None]], best: PostedNote | None
) -> None:
    sightings = Sightings(own, "dh-1")
    for private, note_id, author in seen:
        sightings.add("Try it. ref dh-1", private=private, note_id=note_id, author=author)
    assert sightings.best == best
    assert sightings.settled is (best is not None and best.private is True)


NOTE = "Try it. ref dh-1"


def look(*comments: tuple[str, bool | None, str, str | None]) -> Sightings:
    """What comes of comments as (text, private, id, author), the newest first."""
    seen = Sightings(OURS, "dh-1")
    for text, private, note_id, author in comments:
        seen.add(text, private=private, note_id=note_id, author=author)
    return seen


def test_what_a_person_wrote_under_our_account_is_not_touched() -> None:
    answer = "> Try it. ref dh-1\nIt helped, thank you."
    seen = look((answer, False, "2", OURS), (NOTE, True, "1", OURS))
    assert seen.best == PostedNote(private=True, note_id="1")
    assert seen.surplus == ()
    assert look((answer, False, "2", OURS)).best == PostedNote(private=False), "without its id it is not taken back"
    assert look((answer, True, "2", OURS)).best == PostedNote(private=True)


def test_only_the_same_words_under_another_id_are_surplus() -> None:
    again, other = ("Try  it.\nref dh-1", True, "3", OURS), ("Try that. ref dh-1", True, "2", OURS)
    seen = look(again, other, (NOTE, True, "1", OURS), (NOTE, True, "1", OURS))
    assert seen.best == PostedNote(private=True, note_id="1")
    assert seen.surplus == (PostedNote(private=True, note_id="3"),), "a row that is listed twice is one note"


def test_our_public_note_is_surplus_beside_our_private_one() -> None:
    seen = look((NOTE, False, "2", OURS), (NOTE, True, "1", OURS))
    assert seen.surplus == (PostedNote(private=False, note_id="2"),)


def test_a_colleagues_private_quote_does_not_hide_our_public_note() -> None:
    seen = look(("See: Try it. ref dh-1", True, "2", THEIRS), (NOTE, False, "1", OURS))
    assert seen.best == PostedNote(private=False, note_id="1")
    assert not seen.settled


def test_a_comment_without_the_reference_is_none_of_our_concern() -> None:
    assert look(("Try it. ref dh-2", True, "1", OURS)).best is None


# What an answer means


def answer(method: str, status: int, content: bytes) -> httpx.Response:
    return httpx.Response(status, content=content, request=httpx.Request(method, "http://127.0.0.1:9"))


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    ("status", "doubtful"), [(400, False), (500, False), (502, True), (503, False), (504, True)], ids=str
)
def test_after_a_gateways_refusal_a_write_may_have_been_carried_out(
    tool: Tool, method: str, status: int, doubtful: bool
) -> None:
    with pytest.raises(PluginError, match=f"tool answered {status}: words") as refused:
        tool.refuse(answer(method, status, b""), "words")
    meaning = PermanentAPIError if status == 400 else APIError
    assert type(refused.value) is (OutcomeUnknownError if doubtful and method != "GET" else meaning)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize("content", [b"<h1>Log in</h1>", b"", b"[]", b"null", b'{"a": ', b"\xff", DEEP], ids=range(7))
def test_after_an_unreadable_success_a_write_may_have_been_carried_out(tool: Tool, method: str, content: bytes) -> None:
    with pytest.raises(APIError, match="tool answered 200 with") as refused:
        tool.json_object(answer(method, 200, content))
    assert type(refused.value) is (APIError if method == "GET" else OutcomeUnknownError)


def test_json_that_cannot_be_read_is_none() -> None:
    assert json_or_none(answer("GET", 500, b'{"a": 1}')) == {"a": 1}
    for content in (b"", b"<html>", b"\xff", DEEP):
        assert json_or_none(answer("GET", 500, content)) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("7", 7),
        (" 0 ", 1),
        ("9" * 5_000, LONGEST_PAUSE),
        ("Mon, 01 Jan 2024 00:00:00 GMT", 1),
        ("Fri, 31 Dec 9999 23:59:59 -2359", LONGEST_PAUSE),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999999999", None),
        ("Mon, 99 Jan 2024 00:00:00 GMT", None),
    ],
)
def test_retry_after(header: str | None, seconds: int | None) -> None:
    assert retry_after_seconds(header) == seconds


def test_retry_after_as_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    assert 3500 < (retry_after_seconds(later) or 0) <= 3600
