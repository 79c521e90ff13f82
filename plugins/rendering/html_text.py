"""HTML as people and mail programs write it, to plain text."""

from plugins.rendering.lines import TextLines
from plugins.rendering.tag_soup import Event, scan

# fmt: off
_LINES = frozenset((
    "address", "article", "aside", "body", "br", "dd", "details", "div", "dl", "dt", "fieldset", "figcaption", "figure",
    "footer", "form", "header", "legend", "main", "nav", "option", "section", "summary", "tbody", "tfoot", "thead",
))
_PARAGRAPHS = frozenset((
    "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ol", "p", "pre", "table", "ul",
))
# fmt: on
_LISTS = frozenset(("ol", "ul"))


def html_to_text(html: str, *, limit: int | None = None) -> str:
    """The text of `html`: a line per block, a blank line around paragraphs, entities decoded.

    List items start with "- " or their number, cells of a row are joined by " | ". Scripts, styles, comments and the
    title are left out; so are the addresses of links and pictures. Takes any input, in linear time. `limit` is in
    characters of text, each tag or comment counting as `plugins.rendering.lines.PART`: what comes after is not read.
    """
    writer = _Writer()
    for event in scan(html, limit=limit):
        writer.take(event)
    return writer.lines.text()


class _Writer:
    def __init__(self) -> None:
        self.lines = TextLines()
        self._numbers: list[int | None] = []
        """Of each open list, the number of its last item; `None` if its items have no numbers."""
        self._preformatted = 0

    def take(self, event: Event) -> None:
        """Write what `event` adds to the text."""
        if event.kind == "text":
            if self._preformatted:
                self.lines.add(event.value)
            else:
                self.lines.add_flowing(event.value)
        elif event.value in _PARAGRAPHS:
            self._paragraph(event)
        elif event.value in _LINES:
            self._line(event)
        elif event.value in ("li", "tr", "td", "th"):
            self._part(event)

    def _line(self, event: Event) -> None:
        if event.value == "br" and self._preformatted:
            self.lines.add("\n")
        else:
            self.lines.break_line()

    def _part(self, event: Event) -> None:
        """A list item, a row or a cell."""
        if event.kind == "end":
            if event.value in ("li", "tr"):
                self.lines.end()
        elif event.value == "li":
            self.lines.start_item(self._next_marker())
        elif event.value == "tr":
            self.lines.start_row()
        else:
            self.lines.start_cell()

    def _paragraph(self, event: Event) -> None:
        nested_list = event.value in _LISTS and len(self._numbers) > (0 if event.kind == "start" else 1)
        self.lines.break_line(blank=not nested_list)
        change = 1 if event.kind == "start" else -1
        if event.value == "pre":
            self._preformatted = max(0, self._preformatted + change)
        elif event.value in _LISTS and change == 1:
            self._numbers.append(0 if event.value == "ol" else None)
        elif event.value in _LISTS and self._numbers:
            self._numbers.pop()

    def _next_marker(self) -> str:
        number = self._numbers[-1] if self._numbers else None
        if number is None:
            return "- "
        self._numbers[-1] = number + 1
        return f"{number + 1}. "
