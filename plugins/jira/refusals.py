"""What Jira, and the gateway before it, say when they refuse. Pure: no I/O.

Sources: Atlassian's OpenAPI document of the platform API v3 (2025-12) and its "Rate limiting" page (2026-03); the
gateway's own bodies and `X-Seraph-LoginReason` are as users have reported them.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from plugins.echoes import without_echo
from plugins.http import LONGEST_PAUSE, json_or_none, retry_after_seconds
from plugins.jira.connection import GATEWAY_HOST
from plugins.jira.values import mapping
from plugins.parsing import parse_time

MAX_WORDS = 300

QUOTA_SECONDS = 3600
"""The points of a quota are counted by the hour: after so many seconds there are some again."""

TOKEN_REFUSED = (
    "the token may have expired or been revoked; a token with scopes needs the base_url "
    f"https://{GATEWAY_HOST}/ex/jira/<cloud id>"
)
TOKEN_SCOPES = "the token needs the scopes read:jira-work, write:jira-work and read:jira-user"  # noqa: S105  # words

_LOGIN_FAILED = ("AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED")


def words(response: httpx.Response) -> str:
    """The reason in Jira's or its gateway's own words, on one line and bounded; empty for any other body."""
    line = " ".join(" ".join(_reasons(response)).split())
    return without_echo("".join(filter(str.isprintable, line))[:MAX_WORDS], response)


def _reasons(response: httpx.Response) -> Iterator[str]:
    body = mapping(json_or_none(response))
    messages = body.get("errorMessages")
    yield from (message for message in (messages if isinstance(messages, list) else ()) if isinstance(message, str))
    yield from (f"{field}: {reason}" for field, reason in field_errors(response).items() if isinstance(reason, str))
    # The gateway's form: {"code": 401, "message": "Unauthorized; scope does not match"}.
    if isinstance(body.get("message"), str):
        yield body["message"]


def field_errors(response: httpx.Response) -> Mapping[str, Any]:
    """What Jira says of single fields, by their names."""
    return mapping(mapping(json_or_none(response)).get("errors"))


def is_jiras(response: httpx.Response) -> bool:
    """Whether it is Jira's API itself that refuses: not its gateway, nor the page of a site that is not there."""
    return not {"errorMessages", "errors"}.isdisjoint(mapping(json_or_none(response)))


def login_failed(response: httpx.Response) -> bool:
    """Whether Jira took the request for a stranger's because it does not accept the credentials.

    What strangers may ask for, such as an issue, it then answers as to a stranger: with a public issue, or with 404.
    """
    return any(reason in response.headers.get("X-Seraph-LoginReason", "") for reason in _LOGIN_FAILED)


def rate_limit_reason(response: httpx.Response) -> str:
    """Which limit a 429 is about, as Jira names it (`jira-burst-based`); empty where it does not."""
    reason = response.headers.get("RateLimit-Reason", "")
    return "".join(filter(str.isprintable, reason))[:MAX_WORDS]


def pause_seconds(response: httpx.Response) -> int | None:
    """How many seconds from now a 429 asks to wait; `None` where it does not say."""
    asked = retry_after_seconds(response.headers.get("Retry-After"))
    if asked is not None:
        return asked
    # An ISO time and no number; of whole minutes, so that it may have passed already.
    reset = response.headers.get("X-RateLimit-Reset", "")
    moment = None if reset.isdigit() else parse_time(reset)
    if moment is not None:
        return min(max(1, round((moment - datetime.now(UTC)).total_seconds())), LONGEST_PAUSE)
    return QUOTA_SECONDS if "quota" in rate_limit_reason(response) else None
