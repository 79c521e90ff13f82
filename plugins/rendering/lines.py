"""Plain text that grows block by block: line breaks, list markers and cell separators appear only before more text."""

from plugins.rendering.characters import tidy_lines

PART = 8
"""Characters that a tag or a node counts as, besides its text, where a limit is set: empty ones cost time too."""


class TextLines:
    """Collects text. Breaks and markers are held back until text follows, so empty elements leave no trace."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._breaks = 0
        self._marker = ""
        self._separators = 0
        self._row_has_text = False
        self._fresh = False
        """An item or a cell has begun: a block that opens in it needs no break."""

    def add(self, text: str) -> None:
        """Append `text` as it is."""
        if not text:
            return
        if self._breaks and self._parts:
            self._parts.append("\n" * self._breaks)
        if self._separators:
            self._parts.append(" " + "| " * self._separators)
        self._parts.extend((self._marker, text))
        self._breaks = self._separators = 0
        self._marker = ""
        self._row_has_text = True
        self._fresh = False

    def add_flowing(self, text: str) -> None:
        """Append `text` with runs of white space as one space, and none at the start of a line."""
        words = " ".join(text.split())
        if text[:1].isspace() and not self._at_start() and not self._parts[-1][-1:].isspace():
            words = " " + words
        elif not words:
            return
        if text[-1:].isspace() and words != " ":
            words += " "
        self.add(words)

    def break_line(self, *, blank: bool = False) -> None:
        """What follows starts a new line; with `blank`, after a blank line."""
        if not self._fresh:
            self._breaks = max(self._breaks, 2 if blank else 1)

    def start_item(self, marker: str) -> None:
        """A list item begins: a new line that `marker` opens."""
        self.break_line()
        self._marker = marker
        self._fresh = True

    def start_row(self) -> None:
        """A table row begins: a new line."""
        self.break_line()
        self._separators = 0
        self._row_has_text = False
        self._fresh = True

    def start_cell(self) -> None:
        """A table cell begins: it stands on the row's line, behind a bar."""
        if self._row_has_text:
            self._separators += 1
            self._breaks = 0
        self._fresh = True

    def end(self) -> None:
        """The item or row is over: what follows starts a new line. If it was empty, its marker is forgotten."""
        self._marker = ""
        self._separators = 0
        self._fresh = False
        self._breaks = 1

    def text(self) -> str:
        """Everything so far, printable, without superfluous blank lines."""
        return tidy_lines("".join(self._parts))

    def _at_start(self) -> bool:
        return not self._parts or self._breaks > 0 or self._separators > 0 or bool(self._marker)
