"""HTML read strictly: what a note may consist of, and not a character that a browser would have to guess at."""

import re
from html.parser import HTMLParser

_TAGS = "p|blockquote|pre|ul|li|h[1-6]|strong|em|s|code|table|thead|tbody|tr|th|td"
_ATTRIBUTES = r'ol(?: start="[0-9]+")?|a(?: href="[^"<>]*")? rel="noopener noreferrer"|br|hr'
_MARKUP = re.compile(rf"<(?:{_TAGS}|{_ATTRIBUTES})>|</(?:{_TAGS}|ol|a)>|&(?:amp|lt|gt|quot|nbsp|#[0-9]+);")
_VOID = ("br", "hr")


class Page(HTMLParser):
    """The elements of HTML with their attributes, its text, and what is wrong with it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.faults: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        self.faults.extend(f"<{tag}> is not closed" for tag in self._open)
        stray = re.search("[<>&].{0,20}", _MARKUP.sub("", html), re.DOTALL)
        if stray:
            self.faults.append(f"unknown markup at {stray[0]!r}")

    @property
    def addresses(self) -> list[str]:
        """Where its links lead."""
        return [attributes["href"] or "" for _, attributes in self.elements if "href" in attributes]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Note its end, which must be in order."""
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> out of order")

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data
