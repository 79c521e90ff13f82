"""A vendor's words without what we had sent it: some errors quote the request, and with it a credential or a ticket."""

import base64
from collections.abc import Iterator
from urllib.parse import unquote_plus

import httpx

_CREDENTIALS = ("authorization", "authtoken", "technician_key", "x-api-key")
"""Request headers whose values no message may hold."""
_SHORTEST = 6
"""Characters of a credential that count: `X` as a password is none."""
_RUN = 20
"""Characters in a row that can be no chance."""


def without_echo(words: str, response: httpx.Response) -> str:
    """The words; empty if they repeat a credential of the request that the response answers, or a piece of its body."""
    try:
        request = response.request
        body = request.content.decode(errors="replace")
    except (RuntimeError, httpx.RequestNotRead):
        return words
    if any(secret in words for secret in _secrets(request)):
        return ""
    sent = f"{body}\n{unquote_plus(body)}"
    pieces = (words[start : start + _RUN] for start in range(len(words) - _RUN + 1))
    return "" if body and any(piece in sent for piece in pieces) else words


def _secrets(request: httpx.Request) -> Iterator[str]:
    for name in _CREDENTIALS:
        for part in request.headers.get(name, "").split():
            candidates = [part, *_basic(part)]
            yield from (candidate for candidate in candidates if len(candidate) >= _SHORTEST)


def _basic(part: str) -> list[str]:
    try:
        user, _, password = base64.b64decode(part, validate=True).decode().partition(":")
    except ValueError:
        return []
    return [user, password]
