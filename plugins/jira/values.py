"""Reading Jira's JSON without trusting its shape."""

import re
from collections.abc import Mapping
from typing import Any

from plugins.exceptions import ValidationError
from plugins.rendering import adf_to_text, wiki_to_text
from plugins.types import Priority

MAX_TEXT = 32_767
"""Characters of a text field or comment. Jira's own limit."""

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


def rich_text(value: object) -> str:
    """Plain text of a field that is ADF (REST v3), wiki markup (webhooks) or not set."""
    if isinstance(value, Mapping):
        return adf_to_text(value)
    return wiki_to_text(value[:MAX_TEXT]) if isinstance(value, str) else ""


def checked_key(key: str) -> str:
    """The issue key, safe to stand in a URL.

    Raises:
        ValidationError: it has not the form of one.
    """
    if not ISSUE_KEY.fullmatch(key):
        raise ValidationError("ticket_id: must be an issue key such as HELP-123")
    return key


def is_done(issue: Mapping[str, Any]) -> bool:
    """Whether the issue's status is of the category that Jira calls done, whatever the status is called."""
    status = mapping(mapping(issue.get("fields")).get("status"))
    return mapping(status.get("statusCategory")).get("key") == "done"
