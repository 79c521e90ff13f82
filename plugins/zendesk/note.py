"""The note as Zendesk takes it: HTML within its limit, and nothing in it that Zendesk would fill in."""

import re

from plugins.rendering import to_html

MAX_HTML_BYTES = 64_000
"""Zendesk cuts a comment at 64 kB without a word (Support API, ticket comments)."""

_PLACEHOLDER = re.compile(r"\{(?=[{%])")


def note_html(markdown: str) -> str:
    """The note as HTML, at most `MAX_HTML_BYTES` of UTF-8, free of Zendesk's placeholders.

    Zendesk replaces `{{…}}` and runs `{%…%}` in what an agent writes, so text from a ticket could pull in fields of the
    ticket. A space between the two signs keeps it readable and inert. The HTML is what is searched, not the Markdown:
    there a backslash or an entity can hide a brace.
    """
    html = to_html(markdown, limit=MAX_HTML_BYTES)
    safe = _inert(html)
    # A shorter text mostly grows by no more than this one did. Half the room is enough for any: one sign for each.
    half = MAX_HTML_BYTES // 2
    for limit in (max(MAX_HTML_BYTES - (len(safe) - len(html)), half), half):
        if len(safe.encode()) <= MAX_HTML_BYTES:
            break
        safe = _inert(to_html(markdown, limit=limit))
    return safe


def _inert(html: str) -> str:
    return _PLACEHOLDER.sub("{ ", html)
