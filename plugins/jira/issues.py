"""What an issue from Jira's REST API v3 says, as bounded text. Pure: no I/O."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from typing import Any, cast

from plugins.base import TicketMetadata
from plugins.jira.values import MAX_COMMENT, MAX_DESCRIPTION, is_done, mapping, name_of, raw_texts, rich_text, string
from plugins.parsing import is_our_note, parse_time
from plugins.types import MAX_COMMENTS, Comment, Priority, TicketContext

FIELDS = (
    "summary,description,status,priority,created,comment,project,resolution,labels,components,reporter"  # all we read
)

OWN = "deskhand"
"""Where `get_ticket` adds what only it can know to Jira's JSON: `priority` by the tenant's own map, the `site`."""

_GATEWAY = "/ex/jira/"
_LAST_WORDS = 20
"""Comments among which the resolution is looked for."""
_FOOTER = 50
"""Pieces of text from a comment's end among which the reference of a note of ours stands."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def describe(issue: Mapping[str, Any], metadata: TicketMetadata) -> TicketContext:
    """The issue as text. Fields that Jira leaves out stay empty, or as the webhook had them."""
    fields = mapping(issue.get("fields"))
    comments = [_Said(comment) for comment in _comments(fields)[-_LAST_WORDS:]]
    return TicketContext(
        ticket_id=metadata.ticket_id,
        subject=string(fields.get("summary")),
        description=rich_text(fields.get("description"), MAX_DESCRIPTION) or metadata.description,
        status=name_of(fields.get("status")),
        priority=cast(Priority, mapping(issue.get(OWN)).get("priority", metadata.priority)),
        category=_category(fields),
        created_at=parse_time(fields.get("created")) or metadata.created_at,
        url=_browse_url(issue, metadata.ticket_id),
        comments=tuple(said.comment() for said in comments[-MAX_COMMENTS:]),
        resolution=_resolution(issue, comments),
    )


def _comments(fields: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The issue's comments, oldest first."""
    comments = mapping(fields.get("comment")).get("comments")
    found = [mapping(comment) for comment in (comments if isinstance(comments, list) else ())]
    return sorted(found, key=lambda comment: parse_time(comment.get("created")) or _LONG_AGO)


class _Said:
    """One of Jira's comments, whose text is made once and only if it is wanted."""

    def __init__(self, comment: Mapping[str, Any]) -> None:
        self._comment = comment
        self.author = mapping(comment.get("author"))

    @cached_property
    def text(self) -> str:
        return rich_text(self._comment.get("body"), MAX_COMMENT)

    def is_our_note(self) -> bool:
        return any(is_our_note(text) for text in islice(raw_texts(self._comment.get("body")), _FOOTER))

    def comment(self) -> Comment:
        return Comment(
            text=self.text,
            author=string(self.author.get("displayName")),
            created_at=parse_time(self._comment.get("created")),
            private=self._comment.get("jsdPublic") is False or bool(self._comment.get("visibility")),
        )


def _category(fields: Mapping[str, Any]) -> str:
    """The components' names; the labels where there are none."""
    components, labels = fields.get("components"), fields.get("labels")
    names = [name_of(component) for component in (components if isinstance(components, list) else ())]
    names = names or [string(label) for label in (labels if isinstance(labels, list) else ())]
    return ", ".join(filter(None, names))


def _resolution(issue: Mapping[str, Any], comments: list[_Said]) -> str:
    """What solved the issue.

    Jira has no text for it: a resolution is only a name ("Done"), and how it was done stands in the comment that an
    agent wrote on resolving. So: the last comment that neither the reporter nor we wrote, else the name; the status's
    where the project sets no resolution.
    """
    fields = mapping(issue.get("fields"))
    name = name_of(fields.get("resolution")) or (name_of(fields.get("status")) if is_done(issue) else "")
    if not name:
        return ""
    reporter = mapping(fields.get("reporter")).get("accountId")
    for said in reversed(comments):
        if said.author.get("accountId") != reporter and not said.is_our_note() and said.text:
            return said.text
    return name


def _browse_url(issue: Mapping[str, Any], key: str) -> str:
    """Where a technician opens the issue; empty where we cannot tell, as the gateway's links do not name the site."""
    site = string(mapping(issue.get(OWN)).get("site"))
    if not site:
        site, api, _ = string(issue.get("self")).partition("/rest/api/")
        if not api or not site.startswith(("https://", "http://")) or _GATEWAY in site:
            return ""
    url = f"{site}/browse/{key}"
    return url if len(url) <= 500 else ""
