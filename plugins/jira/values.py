"""Reading Jira's JSON without trusting its shape."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from plugins.exceptions import ValidationError
from plugins.rendering import adf_to_text, html_to_text, wiki_to_text
from plugins.types import Priority

MAX_TEXT = 32_767
"""Characters of a text field or comment. Jira's own limit."""
MAX_WEBHOOK_TEXT = 8_000
"""Characters that are read of a webhook's description, which must not cost `extract_metadata` its 10 ms (NFR001)."""
MAX_DESCRIPTION = 12_000
"""Characters that are read of an issue's description: more than a `TicketContext` holds."""
MAX_COMMENT = 5_000
"""The same for a comment, which may be the resolution."""

ISSUE_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]+-[0-9]+")

_HTML = re.compile(
    r"\s*<(?:!doctype|blockquote|body|div|h[1-6]|html|ol|p|pre|span|table|ul)\b[^<>]*>.*</[a-z]",
    re.IGNORECASE | re.DOTALL,
)
"""HTML, where a rule sends it. Wiki markup may hold angle brackets too, but does not begin with such a tag."""

DONE = "3"
"""The id of the status category that Jira calls done: Jira's own, the same on every site."""

PRIORITIES: Mapping[str, Priority] = {
    "Highest": "high",
    "Critical": "high",
    "High": "high",
    "Medium": "medium",
    "Low": "low",
    "Lowest": "low",
}
"""The interface reference's map."""


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one: Jira leaves out or nulls what is not set."""
    return value if isinstance(value, Mapping) else {}


def string(value: object) -> str:
    """The value if it is text, else empty."""
    return value if isinstance(value, str) else ""


def name_of(value: object) -> str:
    """The `name` of an object such as a status or a component."""
    return string(mapping(value).get("name"))


def rich_text(value: object, limit: int) -> str:
    """Plain text of a field that is ADF (REST v3), wiki markup or HTML (webhooks) or not set: its first `limit`
    characters.
    """
    if isinstance(value, Mapping):
        return adf_to_text(value, limit=limit)
    if not isinstance(value, str):
        return ""
    beginning = value[:limit]
    return html_to_text(beginning, limit=limit) if _HTML.match(beginning) else wiki_to_text(beginning)


def raw_texts(value: object) -> Iterator[str]:
    """The pieces of text of such a field as they stand there, the last first: enough to look for a `ref`, and cheap.

    A node without text counts as an empty piece.
    """
    if isinstance(value, str):
        yield value
    todo = [value]
    while todo:
        node = mapping(todo.pop())
        yield string(node.get("text"))
        content = node.get("content")
        if isinstance(content, list):
            todo.extend(content)


def checked_key(key: object, field: str = "ticket_id") -> str:
    """The issue key, safe to stand in a URL and in upper case: Jira takes any case, and one issue has one identity.

    Raises:
        ValidationError: it has not the form of one, as the number that Jira has for an issue beside its key.
    """
    if not isinstance(key, str) or not ISSUE_KEY.fullmatch(key):
        raise ValidationError(f"{field}: must be an issue key such as HELP-123")
    return key.upper()


def is_done(issue: Mapping[str, Any]) -> bool:
    """Whether the issue's status is of the category that Jira calls done, whatever the status is called."""
    category = mapping(mapping(mapping(issue.get("fields")).get("status")).get("statusCategory"))
    return category.get("key") == "done" or str(category.get("id")) == DONE
