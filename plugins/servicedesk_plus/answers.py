"""What ServiceDesk Plus's replies say. The body's code counts before the HTTP status: failures come inside HTTP 200."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import httpx

from plugins.base import TicketMetadata
from plugins.echoes import without_echo
from plugins.http import json_or_none
from plugins.parsing import parse_time
from plugins.rendering import html_to_text
from plugins.servicedesk_plus.webhook import name_of, plain_text
from plugins.types import PostedNote, Priority, TicketContext

EXTRA = "deskhand"
"""The key that `get_ticket` adds to the request: what only the tenant's configuration knows (`url`, `priority`)."""

NOTE_ROOTS = ("note", "request_note")
SORT_FIELD = "added_time"
"""What notes are sorted by, newest first."""
MAX_WORDS = 300
MAX_SUBJECT = 1_000
"""Characters that are read of a subject."""

NOT_ALLOWED = 4002
INTERNAL_ERROR = 4004
NOT_FOUND = 4007
RATE_LIMIT = 4015
BAD_API_KEY = 4022
LICENCE = 7001
_FAILED = 4000

_CLOSED = frozenset({"closed", "cancelled", "canceled"})
"""Statuses in which a request is at its end. Names can be changed and translated; `internal_name` stays."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply's `response_status`, whichever of its shapes it has.

    Codes are from the vendor's page "Common error codes" (API v3). The outer code of a failure is mostly 4000; the
    precise one is in `messages`.
    """

    http_status: int
    code: int | None
    words: str
    """The vendor's own, one line."""
    fields: frozenset[str]
    """The input's keys that the messages name."""

    @classmethod
    def of(cls, response: httpx.Response) -> Self:
        """Read a reply of any kind; one that is not the vendor's JSON has no code and no words."""
        status = _status(json_or_none(response))
        messages = [message for message in _list(status.get("messages")) if isinstance(message, dict)]
        codes = [code for code in (_code(message) for message in messages) if code is not None]
        outer = _code(status)
        failed = (outer is not None and outer >= _FAILED) or name_of(status.get("status")).casefold() == "failed"
        precise = next((code for code in codes if code > _FAILED), None) if failed else None
        return cls(
            http_status=response.status_code,
            code=precise or (max(outer or 0, _FAILED) if failed else outer),
            words=without_echo(_words(messages), response),
            fields=frozenset(_fields(messages)),
        )

    @property
    def failed(self) -> bool:
        """Whether the vendor did not do what was asked, whatever the HTTP status says."""
        return (self.code is not None and self.code >= _FAILED) or not 200 <= self.http_status < 300

    @property
    def not_found(self) -> bool:
        """No such request, or no such address: ServiceDesk Plus says the same of both."""
        return self.code == NOT_FOUND or (self.http_status == 404 and self.code == _FAILED)

    @property
    def refuses_credentials(self) -> bool:
        """Whether key or token are not accepted: with HTTP 401, or by a code inside another status."""
        return self.http_status == 401 or self.code == BAD_API_KEY

    @property
    def about_the_request(self) -> bool:
        """Whether it is a definite refusal whose reason may lie in what was asked, or of which ticket."""
        others = (INTERNAL_ERROR, NOT_FOUND, RATE_LIMIT, LICENCE)
        definite = self.failed and 200 <= self.http_status < 500 and not 300 <= self.http_status < 400
        return definite and self.code not in others and self.http_status != 429 and not self.refuses_credentials

    @property
    def wrong_note_root(self) -> bool:
        """Whether the refusal is about the key around the note, so that the other key may be right."""
        extra_key = "extra_key" in self._words
        return self.about_the_request and (not self.fields.isdisjoint(NOTE_ROOTS) or (extra_key and not self.fields))

    @property
    def wrong_sorting(self) -> bool:
        """Whether the refusal is about the field to sort by, so that the same without it may be right."""
        named = not self.fields.isdisjoint(("sort_field", "sort_order", SORT_FIELD))
        return self.about_the_request and (named or "sort_field" in self._words or SORT_FIELD in self._words)

    @property
    def says_closed(self) -> bool:
        """Whether the vendor's words are about something closed. No code of its own exists for a closed request."""
        return "closed" in self._words

    @property
    def _words(self) -> str:
        return self.words.casefold().replace(" ", "_")

    @property
    def reason(self) -> str:
        """The code and the vendor's words, as far as there are any."""
        code = f"code {self.code}" if self.code is not None else ""
        return ": ".join(part for part in (code, self.words) if part)


def _status(body: Any) -> Mapping[str, Any]:
    status = body.get("response_status") if isinstance(body, dict) else None
    if isinstance(status, list) and status:
        status = status[0]
    return status if isinstance(status, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _code(holder: Mapping[str, Any]) -> int | None:
    try:
        return int(holder["status_code"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _words(messages: list[dict[str, Any]]) -> str:
    said = [text for text in (message.get("message") for message in messages) if isinstance(text, str)]
    return "".join(c for c in " ".join("; ".join(said).split()) if c.isprintable())[:MAX_WORDS]


def _fields(messages: list[dict[str, Any]]) -> Iterator[str]:
    for message in messages:
        for value in (message.get("field"), *_list(message.get("fields"))):
            if isinstance(value, str):
                yield value


def is_closed(request: Mapping[str, Any]) -> bool:
    """Whether a request is at its end: by its status, or where that has a name of the customer's own, by its time."""
    status = request.get("status")
    internal = status.get("internal_name") if isinstance(status, dict) else None
    names = {name_of(internal).casefold(), name_of(status).casefold()}
    if not names.isdisjoint(_CLOSED):
        return True
    return "resolved" not in names and parse_time(request.get("completed_time")) is not None


def note_in(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The note in a reply; its key follows the version of ServiceDesk Plus, not always that of the request."""
    return next((body[root] for root in NOTE_ROOTS if isinstance(body.get(root), dict)), {})


def notes(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The notes of one page of a list. A list that is not there is an empty one, as the API leaves it out."""
    rows = next((_list(body[root + "s"]) for root in NOTE_ROOTS if root + "s" in body), [])
    return [note for note in rows if isinstance(note, dict)]


def is_last_page(body: Mapping[str, Any], rows: Sequence[Any], size: int) -> bool:
    """Whether a list has no page after that with these rows. A full page that does not say so may have one."""
    info = body.get("list_info")
    more = info.get("has_more_rows") if isinstance(info, dict) else None
    return more is False if isinstance(more, bool) else len(rows) < size


def posted_note(body: Mapping[str, Any]) -> PostedNote:
    """What the reply says of the note that was added."""
    note = note_in(body)
    return PostedNote(private=is_private(note), note_id=id_of(note))


def is_private(note: Mapping[str, Any]) -> bool | None:
    """What the vendor says of a note; `None` if it does not say."""
    shown = note.get("show_to_requester")
    if shown in ("true", "false"):
        shown = shown == "true"
    return not shown if isinstance(shown, bool) else None


def id_of(holder: Any) -> str | None:
    """The id of a note or a technician; `None` where there is none."""
    value = holder.get("id") if isinstance(holder, dict) else None
    return str(value) if isinstance(value, int | str) else None


def author_of(note: Mapping[str, Any]) -> str | None:
    """The id of the technician who added a note; `None` if the vendor does not say."""
    return id_of(note.get("added_by")) or id_of(note.get("created_by"))


def holds(note: Mapping[str, Any], ref: str) -> bool:
    """Whether a note's text has `ref` in it."""
    text = note.get("description")
    return isinstance(text, str) and ref in text


def whole_text(note: Mapping[str, Any]) -> str:
    """All of a note's text."""
    text = note.get("description")
    return html_to_text(text) if isinstance(text, str) else ""


def is_whole(note: Mapping[str, Any], ref: str) -> bool:
    """Whether a list says all that a look for `ref` needs: its text, and of a note that has it, who sees it."""
    return "description" in note and (not holds(note, ref) or "show_to_requester" in note)


def ticket_context(request: Mapping[str, Any], metadata: TicketMetadata) -> TicketContext:
    """The request as bounded text; what it does not say comes from the webhook."""
    extra = request.get(EXTRA)
    known = extra if isinstance(extra, dict) else {}
    resolution = request.get("resolution")
    return TicketContext(
        ticket_id=metadata.ticket_id,
        subject=plain_text(request.get("subject"), html_limit=MAX_SUBJECT, limit=MAX_SUBJECT),
        description=plain_text(request.get("description")) or metadata.description,
        status=name_of(request.get("status")),
        priority=cast(Priority, known.get("priority") or metadata.priority),
        category=name_of(request.get("category")),
        created_at=parse_time(request.get("created_time")) or metadata.created_at,
        url=known.get("url") or "",
        resolution=plain_text(resolution.get("content") if isinstance(resolution, dict) else None),
    )
