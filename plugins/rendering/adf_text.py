"""The Atlassian Document Format to plain text."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from plugins.rendering.lines import TextLines

# fmt: off
_PARAGRAPHS = frozenset((
    "blockCard", "blockquote", "bulletList", "codeBlock", "decisionList", "embedCard", "expand", "heading",
    "mediaGroup", "mediaSingle", "nestedExpand", "orderedList", "panel", "paragraph", "rule", "table", "taskList",
))
# fmt: on
_CONTAINERS_OF_PARAGRAPHS = frozenset(("doc", "layoutColumn", "bodiedExtension", "expand", "panel"))
_ITEMS = frozenset(("listItem", "taskItem", "decisionItem"))


def adf_to_text(document: Mapping[str, Any]) -> str:
    """The text of an ADF document: a line per block, a blank line between blocks at the top level.

    List items start with "- ", "[ ] " or their number, cells of a row are joined by " | ". A node of an unknown type
    gives the text of what it holds; whatever has not the form of a node is passed over.
    """
    lines = TextLines()
    # An explicit stack stands for recursion: what is still to be done, the next on top.
    todo: list[Callable[[], None] | tuple[Mapping[str, Any], str, str]] = [(document, "", "- ")]
    while todo:
        step = todo.pop()
        if callable(step):
            step()
            continue
        node, parent, marker = step
        kind = _string(node.get("type"))
        todo.extend(_enter(lines, node, kind, parent, marker))
        content = node.get("content")
        children = content if isinstance(content, list) else []
        first = _attributes(node).get("order", 1) if kind == "orderedList" else None
        todo.extend(
            (children[index], kind, f"{first + index}. " if isinstance(first, int) else "- ")
            for index in range(len(children) - 1, -1, -1)
            if isinstance(children[index], Mapping)
        )
    return lines.text()


def _enter(
    lines: TextLines, node: Mapping[str, Any], kind: str, parent: str, marker: str
) -> tuple[Callable[[], None], ...]:
    """Write what a node says itself; what is returned is to be done when its content is written."""
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
    lines.add(_own_text(node, kind))
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
