"""A scanner for HTML as it comes: broken, huge or hostile, in linear time.

The standard library's `HTMLParser` needs quadratic time on unclosed tags before Python 3.11.14 and raises on others,
and a tree builder can be made to need quadratic memory.
"""

import re
import sys
from collections.abc import Iterator
from html import unescape
from typing import Literal, NamedTuple

from plugins.rendering.lines import PART

_OPENER = re.compile(r"<(?:(!--)|([!?])|(/?)([a-zA-Z][a-zA-Z0-9:-]*+))")
_QUOTE_OR_END = re.compile(r"=\s*+([\"'])|>")
_UNREAD = ("script", "style", "title")
"""Elements whose content is not text of the page and holds no tags."""
_UNREAD_ENDS = {name: re.compile(f"</{name}(?![a-z0-9])", re.IGNORECASE) for name in _UNREAD}
_LONG_REFERENCE = re.compile(r"&#(?:[0-9]{8,}+|[xX][0-9a-fA-F]{8,}+);?")


class Event(NamedTuple):
    """A piece of text (decoded), or a tag (its name in lower case)."""

    kind: Literal["text", "start", "end"]
    value: str


class _Source:
    """The HTML, with a memory of what is not found any more: what makes the scan linear."""

    def __init__(self, html: str) -> None:
        self.html = html
        self._absent: set[str] = set()
        self._trust_quotes = True

    def find(self, needle: str, position: int) -> int:
        """Where `needle` is found from `position` on, or -1. Positions only grow, so absent once is absent for good."""
        if needle in self._absent:
            return -1
        found = self.html.find(needle, position)
        if found < 0:
            self._absent.add(needle)
        return found

    def tag_end(self, position: int) -> int:
        """Just after the `>` of a tag, or -1. A `>` inside a quoted value does not count, unless quotes are broken."""
        first = self.find(">", position)
        if first < 0:
            return -1
        if self._trust_quotes:
            while match := _QUOTE_OR_END.search(self.html, position):
                if not match[1]:
                    return match.end()
                closing = self.find(match[1], match.end())
                if closing < 0:
                    break
                position = closing + 1
            # A second such scan over the whole rest would be one too many.
            self._trust_quotes = False
        return first + 1


def scan(html: str, *, limit: int | None = None) -> Iterator[Event]:
    """The text and tags of `html` in order, without comments, declarations, scripts, styles and the title.

    What looks like a tag and never ends is text. An unclosed script or style takes the rest with it, as in a browser.
    Stops after `limit` characters of text, where a tag or comment counts as `PART`.
    """
    source = _Source(html)
    unread = set(_UNREAD)
    position = text_start = 0
    left = sys.maxsize if limit is None else limit
    while left > 0 and (opener := _OPENER.search(html, position)):
        comment, declaration, slash, name = opener.groups()
        name = name.lower() if name else ""
        if comment:
            closing = source.find("-->", opener.end())
            end = closing + 3 if closing >= 0 else opener.end()
        elif declaration:
            end = source.find(">", opener.end()) + 1 or opener.end()
        else:
            end = source.tag_end(opener.end())
            if end < 0:
                break
        if text_start < opener.start():
            yield Event("text", _decoded(html[text_start : min(opener.start(), text_start + left)]))
        left -= opener.start() - text_start + PART
        position = text_start = end
        if left <= 0:
            return
        if name in unread and not slash:
            closing_tag = _UNREAD_ENDS[name].search(html, end)
            if closing_tag:
                position = text_start = closing_tag.start()
            elif name == "title":
                unread.remove(name)
            else:
                return
        elif name:
            yield Event("end" if slash else "start", name)
    if text_start < len(html) and left > 0:
        yield Event("text", _decoded(html[text_start : text_start + left]))


def _decoded(text: str) -> str:
    # Python refuses to read numbers of thousands of digits.
    return unescape(_LONG_REFERENCE.sub("\ufffd", text)) if "&" in text else text
