"""What Zendesk's replies say: pure functions of JSON, tolerant of what is missing."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, cast

import httpx

from plugins.base import TicketMetadata
from plugins.echoes import without_echo
from plugins.http import json_or_none
from plugins.parsing import is_our_note, parse_time
from plugins.rendering import html_to_text
from plugins.types import MAX_COMMENTS, Comment, PostedNote, Priority, TicketContext

EXTRA = "deskhand"
"""The key that `get_ticket` adds to the ticket: what only the tenant's configuration knows (`url`, `priority`)
and what the ticket does not hold (`comments`)."""

MAX_WORDS = 300

MAX_DESCRIPTION = 12_000
"""Characters that are read of a description: more than a `TicketContext` holds."""
MAX_COMMENT = 5_000
"""The same for a comment, which may be the solution."""
MAX_COMMENT_HTML = 25_000
"""Characters of HTML that such a comment is read from."""


def error_words(response: httpx.Response) -> str:
    """The reason in Zendesk's words, one line; empty for a body that is not Zendesk's JSON (a proxy's page)."""
    body = json_or_none(response)
    if not isinstance(body, dict):
        return ""
    words = ": ".join(text for text in _reasons(body) if isinstance(text, str) and text)
    return without_echo("".join(c for c in " ".join(words.split()) if c.isprintable())[:MAX_WORDS], response)


def _reasons(body: Mapping[str, Any]) -> Iterator[Any]:
    error = body.get("error")
    if isinstance(error, dict):
        yield error.get("title")
        yield error.get("message")
    else:
        yield error
    yield body.get("description")
    yield body.get("error_description")
    details = body.get("details")
    for problems in details.values() if isinstance(details, dict) else ():
        for problem in problems if isinstance(problems, list) else ():
            if isinstance(problem, dict):
                yield problem.get("description")


def is_elsewhere(response: httpx.Response) -> bool:
    """Whether a 404 says that there is no Zendesk account at the address, and not that there is no such ticket.

    That it does not have a ticket, Zendesk says in JSON (`RecordNotFound`). For a subdomain that nobody has it answers
    with a page, or with JSON whose title is "No help desk at …".
    """
    body = json_or_none(response)
    error = body.get("error") if isinstance(body, dict) else None
    title = error.get("title") if isinstance(error, dict) else error
    return response.status_code == 404 and (not isinstance(title, str) or title.startswith("No help desk"))


def ticket_is_closed(response: httpx.Response) -> bool:
    """Whether a 422 says that the ticket's status forbids the update: no later try can succeed."""
    body = json_or_none(response)
    details = body.get("details") if isinstance(body, dict) else None
    return response.status_code == 422 and isinstance(details, dict) and "status" in details


def posted_note(body: Mapping[str, Any]) -> PostedNote:
    """The comment that an update made, out of its audit. Triggers that the update fires add their events after it."""
    audit = body.get("audit")
    events = audit.get("events") if isinstance(audit, dict) else None
    for event in events if isinstance(events, list) else ():
        if isinstance(event, dict) and event.get("type") == "Comment":
            return PostedNote(private=is_private(event), note_id=id_of(event))
    return PostedNote(private=None)


def is_private(comment: Mapping[str, Any]) -> bool | None:
    """What Zendesk says of a comment; `None` if it does not say."""
    public = comment.get("public")
    return not public if isinstance(public, bool) else None


def id_of(holder: Mapping[str, Any], name: str = "id") -> str | None:
    """An id, which Zendesk has as a number; `None` where there is none."""
    value = holder.get(name)
    return str(value) if isinstance(value, int | str) else None


def holds(comment: Mapping[str, Any], ref: str) -> bool:
    """Whether a comment's text has `ref` in it."""
    return any(ref in text for text in (_text(comment, name) for name in ("html_body", "plain_body", "body")))


def whole_text(comment: Mapping[str, Any]) -> str:
    """All of a comment's text."""
    return html_to_text(_text(comment, "html_body")) or _text(comment, "plain_body") or _text(comment, "body")


def ticket_context(ticket: Mapping[str, Any], metadata: TicketMetadata) -> TicketContext:
    """Zendesk's ticket as bounded text; what it does not say comes from the webhook."""
    extra = ticket.get(EXTRA)
    known = extra if isinstance(extra, dict) else {}
    given = known.get("comments")
    listed = given[:MAX_COMMENTS] if isinstance(given, list) else []
    newest_first = [_Said(comment) for comment in listed if isinstance(comment, dict)]
    description = _text(ticket, "description")[:MAX_DESCRIPTION] or metadata.description
    beginning = description.strip()[:MAX_COMMENT]
    return TicketContext(
        ticket_id=metadata.ticket_id,
        subject=_text(ticket, "subject") or _text(ticket, "raw_subject"),
        description=description,
        status=_text(ticket, "status"),
        priority=cast(Priority, known.get("priority") or metadata.priority),
        category=_text(ticket, "type"),
        created_at=parse_time(ticket.get("created_at")) or metadata.created_at,
        url=known.get("url") or "",
        # Zendesk's first comment is the description.
        comments=tuple(said.comment() for said in reversed(newest_first) if said.text != beginning),
        resolution=_resolution(ticket, newest_first),
    )


class _Said:
    """One of Zendesk's comments, whose text is made once and only if it is wanted."""

    def __init__(self, comment: Mapping[str, Any]) -> None:
        self._comment = comment
        self.author = comment.get("author_id")

    @cached_property
    def text(self) -> str:
        plain = _text(self._comment, "plain_body").strip()[:MAX_COMMENT]
        return plain or html_to_text(_text(self._comment, "html_body")[:MAX_COMMENT_HTML], limit=MAX_COMMENT).strip()

    def is_our_note(self) -> bool:
        # Looked for where it was made: the end of a long note may lie beyond what is read of it as text.
        return any(is_our_note(_text(self._comment, name)) for name in ("plain_body", "html_body"))

    def comment(self) -> Comment:
        return Comment(
            text=self.text,
            created_at=parse_time(self._comment.get("created_at")),
            private=self._comment.get("public") is False,
        )


def _resolution(ticket: Mapping[str, Any], newest_first: list[_Said]) -> str:
    """What solved the ticket. Zendesk has no field for it: the last comment that neither the requester nor we wrote."""
    if ticket.get("status") not in ("solved", "closed"):
        return ""
    for said in newest_first:
        if said.author != ticket.get("requester_id") and not said.is_our_note() and said.text:
            return said.text
    return ""


def _text(ticket: Mapping[str, Any], name: str) -> str:
    value = ticket.get(name)
    return value if isinstance(value, str) else ""
