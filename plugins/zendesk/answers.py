"""What Zendesk's replies say: pure functions of JSON, tolerant of what is missing."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import httpx

from plugins.base import TicketMetadata
from plugins.parsing import is_our_note, parse_time
from plugins.rendering import html_to_text
from plugins.types import Comment, PostedNote, Priority, TicketContext

EXTRA = "deskhand"
"""The key that `get_ticket` adds to the ticket: what only the tenant's configuration knows (`url`, `priority`)
and what the ticket does not hold (`comments`)."""

MAX_WORDS = 300


def error_words(response: httpx.Response) -> str:
    """The reason in Zendesk's words, one line; empty for a body that is not Zendesk's JSON (a proxy's page)."""
    try:
        body = response.json()
    except ValueError:
        return ""
    if not isinstance(body, dict):
        return ""
    words = ": ".join(text for text in _reasons(body) if isinstance(text, str) and text)
    return "".join(c for c in " ".join(words.split()) if c.isprintable())[:MAX_WORDS]


def _reasons(body: Mapping[str, Any]) -> Iterator[Any]:
    error = body.get("error")
    if isinstance(error, dict):
        yield error.get("title")
        yield error.get("message")
    else:
        yield error
    yield body.get("description")
    details = body.get("details")
    for problems in details.values() if isinstance(details, dict) else ():
        for problem in problems if isinstance(problems, list) else ():
            if isinstance(problem, dict):
                yield problem.get("description")


def ticket_is_closed(response: httpx.Response) -> bool:
    """Whether a 422 says that the ticket's status forbids the update: no later try can succeed."""
    try:
        body = response.json()
    except ValueError:
        return False
    details = body.get("details") if isinstance(body, dict) else None
    return response.status_code == 422 and isinstance(details, dict) and "status" in details


def posted_note(body: Mapping[str, Any]) -> PostedNote:
    """The comment that an update made, out of its audit. Triggers that the update fires add their events after it."""
    audit = body.get("audit")
    events = audit.get("events") if isinstance(audit, dict) else None
    for event in events if isinstance(events, list) else ():
        if isinstance(event, dict) and event.get("type") == "Comment":
            public, note_id = event.get("public"), event.get("id")
            return PostedNote(
                private=not public if isinstance(public, bool) else None,
                note_id=str(note_id) if note_id is not None else None,
            )
    return PostedNote(private=None)


def holds(comment: Any, ref: str) -> bool:
    """Whether a comment's text has `ref` in it."""
    return isinstance(comment, dict) and any(
        ref in text for text in (comment.get(name) for name in ("html_body", "plain_body", "body")) if text
    )


def ticket_context(ticket: Mapping[str, Any], metadata: TicketMetadata) -> TicketContext:
    """Zendesk's ticket as bounded text; what it does not say comes from the webhook."""
    extra = ticket.get(EXTRA)
    known = extra if isinstance(extra, dict) else {}
    given = known.get("comments")
    newest_first = [comment for comment in (given if isinstance(given, list) else ()) if isinstance(comment, dict)]
    description = _text(ticket, "description") or metadata.description
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
        comments=tuple(_comment(c) for c in reversed(newest_first) if _comment_text(c) != description.strip()),
        resolution=_resolution(ticket, newest_first),
    )


def _resolution(ticket: Mapping[str, Any], newest_first: list[dict[str, Any]]) -> str:
    """What solved the ticket. Zendesk has no field for it: the last comment that neither the requester nor we wrote."""
    if ticket.get("status") not in ("solved", "closed"):
        return ""
    for comment in newest_first:
        text = _comment_text(comment)
        if text and comment.get("author_id") != ticket.get("requester_id") and not is_our_note(text):
            return text
    return ""


def _comment(comment: Mapping[str, Any]) -> Comment:
    return Comment(
        text=_comment_text(comment),
        created_at=parse_time(comment.get("created_at")),
        private=comment.get("public") is False,
    )


def _comment_text(comment: Mapping[str, Any]) -> str:
    plain = _text(comment, "plain_body")
    return (plain or html_to_text(_text(comment, "html_body"))).strip()


def _text(ticket: Mapping[str, Any], name: str) -> str:
    value = ticket.get(name)
    return value if isinstance(value, str) else ""
