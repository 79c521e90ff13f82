"""The Atlassian Document Format to plain text."""

import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from plugins.rendering.lines import PART, TextLines

# fmt: off
_PARAGRAPHS = frozenset((
    "blockCard", "blockquote", "bulletList", "codeBlock", "decisionList", "embedCard", "expand", "heading",
    "mediaGroup", "mediaSingle", "nestedExpand", "orderedList", "panel", "paragraph", "rule", "table", "taskList",
))
# fmt: on
_CONTAINERS_OF_PARAGRAPHS = frozenset(("doc", "layoutColumn", "bodiedExtension", "expand", "panel"))
_ITEMS = frozenset(("listItem", "taskItem", "decisionItem"))
_MAX_NUMBER = 10**9
"""Of a list's first item. Python writes no number of more than 4,300 digits."""


def adf_to_text(document: Mapping[str, Any], *, limit: int | None = None) -> str:
    """The text of an ADF document: a line per block, a blank line between blocks at the top level.

    List items start with "- ", "[ ] " or their number, cells of a row are joined by " | ". A node of an unknown type
    gives the text of what it holds; whatever has not the form of a node is passed over. `limit` is in characters, each
    node counting as `plugins.rendering.lines.PART` more: what comes after it is not even looked at.
    """
    lines = TextLines()
    left = sys.maxsize if limit is None else limit
    # An explicit stack stands for recursion: the open nodes' children that are still to come, and what closes a node.
    todo: list[tuple[Iterator[_Child], tuple[Callable[[], None], ...]]] = [(iter([_Child(document, "", "- ")]), ())]
    while todo and left > 0:
        children, leave = todo[-1]
        child = next(children, None)
        if child is None:
            todo.pop()
            for step in leave:
                step()
            continue
        left -= PART
        if not isinstance(child.node, Mapping):
            continue
        kind = _string(child.node.get("type"))
        text = _own_text(child.node, kind)[: max(left, 0)]
        left -= len(text)
        leave = _enter(lines, child.node, kind, text, child.parent, child.marker)
        todo.append((_children(child.node, kind), leave))
    return lines.text()


class _Child(NamedTuple):
    node: object
    parent: str
    """The type of the node that holds it."""
    marker: str


def _children(node: Mapping[str, Any], kind: str) -> Iterator[_Child]:
    content = node.get("content")
    first = _first_number(node) if kind == "orderedList" else None
    for index, child in enumerate(content if isinstance(content, list) else ()):
        yield _Child(child, kind, "- " if first is None else f"{first + index}. ")


def _first_number(node: Mapping[str, Any]) -> int | None:
    """The number of an ordered list's first item, if it is one that can be written."""
    number = _attributes(node).get("order", 1)
    return number if isinstance(number, int) and 0 <= number <= _MAX_NUMBER else None


def _enter(
    lines: TextLines, node: Mapping[str, Any], kind: str, text: str, parent: str, marker: str
) -> tuple[Callable[[], None], ...]:
    """Write what a node says itself, `text`; what is returned is to be done when its content is written."""
    leave: tuple[Callable[[], None], ...] = ()
    if kind in _ITEMS:
        task = {"DONE": "[x] ", "TODO": "[ ] "}.get(_string(_attributes(node).get("state")), marker)
        lines.start_item(task)
        leave = (lines.end,)
    elif kind == "tableRow":
        lines.start_row()
        leave = (lines.end,)
    elif kind in ("tableCell", "tableHeader"):
        lines.start_cell()
    elif kind in _PARAGRAPHS:
        blank = parent in _CONTAINERS_OF_PARAGRAPHS
        lines.break_line(blank=blank)
        leave = (lambda: lines.break_line(blank=blank),)
    elif kind == "hardBreak":
        lines.add("\n")
    lines.add(text)
    if kind in ("expand", "nestedExpand"):
        lines.break_line()
    return leave


def _own_text(node: Mapping[str, Any], kind: str) -> str:
    """What a node says by itself, apart from what it holds."""
    attributes = _attributes(node)
    match kind:
        case "text":
            return _string(node.get("text"))
        case "rule":
            return "---"
        case "mention" | "status" | "placeholder":
            return _string(attributes.get("text"))
        case "emoji":
            return _string(attributes.get("text")) or _string(attributes.get("shortName"))
        case "inlineCard" | "blockCard" | "embedCard":
            return _string(attributes.get("url"))
        case "date":
            return _date(attributes.get("timestamp"))
        case "media" | "mediaInline":
            return _string(attributes.get("alt"))
        case "expand" | "nestedExpand":
            return _string(attributes.get("title"))
        case _:
            return ""


def _attributes(node: Mapping[str, Any]) -> Mapping[str, Any]:
    attributes = node.get("attrs")
    return attributes if isinstance(attributes, Mapping) else {}


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _date(milliseconds: object) -> str:
    """A date node's day: its timestamp is in milliseconds since 1970, as a string."""
    try:
        return datetime.fromtimestamp(int(str(milliseconds)) / 1000, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return _string(milliseconds)
