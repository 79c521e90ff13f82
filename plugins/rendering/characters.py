"""Characters that are never shown or stored, and the tidying of lines that all plain text gets."""

import re

_FORBIDDEN = re.compile(
    "["
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters, but for tab, line feed and carriage return
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # marks, embeddings, overrides and isolates of text direction
    "\ufeff\ufff9-\ufffb\ufffe\uffff"  # byte order mark, interlinear annotation, no characters at all
    "\ud800-\udfff"  # halves of surrogate pairs: not encodable as UTF-8
    "]"
)
_BLANK_LINES = re.compile(r"\n{3,}")


def printable(text: str) -> str:
    """`text` without control characters (tab and line ends stay), direction controls and lone surrogates."""
    return _FORBIDDEN.sub("", text)


def tidy_lines(text: str) -> str:
    """`text` printable, without space at line ends, with no more than one blank line in a row and none around."""
    lines = printable(text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return _BLANK_LINES.sub("\n\n", "\n".join(line.rstrip() for line in lines)).strip("\n")
