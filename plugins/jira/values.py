"""Reading Jira's JSON without trusting its shape."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from plugins.exceptions import ValidationError
from plugins.rendering import adf_to_text, wiki_to_text
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
    """Plain text of a field that is ADF (REST v3), wiki markup (webhooks) or not set: its first `limit` characters."""
    if isinstance(value, Mapping):
        return adf_to_text(value, limit=limit)
    return wiki_to_text(value[:limit]) if isinstance(value, str) else ""


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


def checked_key(key: str) -> str:
    """The issue key, safe to stand in a URL and in upper case: Jira takes any case, and one issue has one identity.

    Raises:
        ValidationError: it has not the form of one.
    """
    if not ISSUE_KEY.fullmatch(key):
        raise ValidationError("ticket_id: must be an issue key such as HELP-123")
    return key.upper()


def is_done(issue: Mapping[str, Any]) -> bool:
    """Whether the issue's status is of the category that Jira calls done, whatever the status is called."""
    status = mapping(mapping(issue.get("fields")).get("status"))
    return mapping(status.get("statusCategory")).get("key") == "done"
