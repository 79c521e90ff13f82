"""Markdown to the Atlassian Document Format, for Jira.

The rules are those of Atlassian's own JSON schema (npm `@atlaskit/adf-schema` 57.7, `json-schema/v1/full.json`): a
quote or a list item holds paragraphs, lists and code blocks only, so what Markdown allows there beyond that is
flattened; the mark `code` goes together with `link` alone; no text node is empty.
"""

import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from markdown_it.token import Token

from plugins.rendering.cutting import Format, fit
from plugins.rendering.markdown import Block, parse

Node = dict[str, Any]

_STRONG: Node = {"type": "strong"}
_MARKS = {"strong": "strong", "em": "em", "s": "strike"}
_CELLS = {"th_open": "tableHeader", "td_open": "tableCell"}
_LANGUAGE = re.compile(r"[\w+#.-]{1,40}", re.ASCII)


def to_adf(markdown: str, *, limit: int | None = None) -> dict[str, Any]:
    """`markdown` as an ADF document: no images, no raw HTML, links to the web or a mailbox only.

    `limit` is in characters of the document as compact JSON, counted in UTF-16 units as Java does (so never fewer than
    Python counts). Over it, whole blocks are left out in favour of "… (shortened)", and the last block is kept: it
    holds the note's reference. Only a last block that is itself over the limit is cut. The empty document takes 40.
    """
    blocks = parse(markdown)
    nodes = _nodes(blocks)
    document = _document(nodes)
    if limit is None or _units(document) <= limit:
        return document
    form = Format(render=lambda block: _nodes([block])[0], size=lambda node: _units(node) + 1)  # with its comma
    room = limit - _units(_document([])) + 1  # the last node has no comma after it
    return _document(fit(blocks, nodes, room, form))


def _document(nodes: list[Node]) -> Node:
    return {"version": 1, "type": "doc", "content": nodes}


def _units(node: Node) -> int:
    """The size of `node` in the JSON that is sent (httpx: compact, not ASCII-escaped), in UTF-16 units."""
    return len(json.dumps(node, ensure_ascii=False, separators=(",", ":")).encode("utf-16-le")) // 2


class _Frame(NamedTuple):
    """A container that is open: what may go into it, and where that is collected."""

    kind: str
    content: list[Node]


def _nodes(blocks: Iterable[Block]) -> list[Node]:
    """The ADF nodes of `blocks`, one for each. An explicit stack stands for recursion."""
    root = _Frame("doc", [])
    stack = [root]
    heading = 0
    for block in blocks:
        for token in block:
            frame = stack[-1]
            match token.type:
                case "inline":
                    _add_text(frame, token, heading)
                case "heading_open":
                    heading = int(token.tag[1:])
                case "heading_close":
                    heading = 0
                case "fence" | "code_block":
                    frame.content.append(_code_block(token))
                case "hr":
                    frame.content.append({"type": "rule"} if frame.kind == "doc" else _paragraph([_text("———")]))
                case "tr_open" | "th_open" | "td_open" if frame.kind == "lines":
                    _separate(frame, token)
                    stack.append(frame)
                case _ if token.nesting == 1 and token.type != "paragraph_open":
                    stack.append(_open(frame, token))
                case _ if token.nesting == -1 and token.type != "paragraph_close":
                    _close(stack.pop(), token)
    return root.content


def _open(frame: _Frame, token: Token) -> _Frame:
    """Open what `token` opens inside `frame`; where the schema does not allow it there, something that it does."""
    node: Node
    match token.type:
        case "blockquote_open" if frame.kind != "doc":
            return frame
        case "table_open" if frame.kind != "doc":
            node = _paragraph([])
            frame.content.append(node)
            return _Frame("lines", node["content"])
        case "thead_open" | "tbody_open":
            return frame
        case "blockquote_open":
            node = {"type": "blockquote", "content": []}
        case "bullet_list_open":
            node = {"type": "bulletList", "content": []}
        case "ordered_list_open":
            node = {"type": "orderedList", "attrs": {"order": int(token.attrs.get("start", 1))}, "content": []}
        case "list_item_open":
            node = {"type": "listItem", "content": []}
        case "table_open":
            node = {"type": "table", "content": []}
        case "tr_open":
            node = {"type": "tableRow", "content": []}
        case _:
            node = {"type": _CELLS[token.type], "content": []}
    frame.content.append(node)
    return _Frame(node["type"], node["content"])


def _close(frame: _Frame, token: Token) -> None:
    if not frame.content and token.type in ("blockquote_close", "list_item_close", "th_close", "td_close"):
        frame.content.append(_paragraph([]))


def _separate(lines: _Frame, token: Token) -> None:
    """In a table that became lines of text: start the next row, or the next cell with a bar."""
    starts_line = not lines.content or lines.content[-1]["type"] == "hardBreak"
    if token.type != "tr_open":
        lines.content.append(_text("| " if starts_line else " | "))
    elif not starts_line:
        lines.content.append({"type": "hardBreak"})


def _add_text(frame: _Frame, token: Token, heading: int) -> None:
    children = token.children or []
    if frame.kind == "lines":
        frame.content.extend(_inline(children))
    elif heading and frame.kind == "doc":
        frame.content.append({"type": "heading", "attrs": {"level": heading}, "content": _inline(children)})
    else:
        frame.content.append(_paragraph(_inline(children, strong=bool(heading))))


def _code_block(token: Token) -> Node:
    text = token.content.removesuffix("\n")
    node: Node = {"type": "codeBlock", "content": [_text(text)] if text else []}
    language = _LANGUAGE.match(token.info)
    if language:
        node["attrs"] = {"language": language.group()}
    return node


def _inline(children: list[Token], *, strong: bool = False) -> list[Node]:
    """Inline nodes. Neighbours with the same marks are one text node."""
    nodes: list[Node] = []
    parts: list[str] = []
    marks: list[Node] = [_STRONG] if strong else []
    part_marks: list[Node] = marks

    def flush() -> None:
        text = "".join(parts)
        parts.clear()
        if text:
            nodes.append(_text(text, part_marks))

    for token in children:
        if token.nesting:
            marks = _changed(marks, token, strong)
            continue
        if token.type == "hardbreak":
            flush()
            nodes.append({"type": "hardBreak"})
            continue
        code = token.type == "code_inline"
        wanted = [{"type": "code"}, *(mark for mark in marks if mark["type"] == "link")] if code else marks
        if wanted != part_marks:
            flush()
            part_marks = wanted
        parts.append(" " if token.type == "softbreak" else token.content)
    flush()
    return nodes


def _changed(marks: list[Node], token: Token, strong: bool) -> list[Node]:
    """The marks that hold after `token`, which opens or closes one. What opens last stands last."""
    kind = "link" if token.tag == "a" else _MARKS[token.tag]
    if token.nesting == -1:
        return [mark for mark in marks if mark["type"] != kind or (strong and kind == "strong")]
    if any(mark["type"] == kind for mark in marks):
        return marks
    mark: Node = {"type": kind}
    if kind == "link":
        mark["attrs"] = {"href": str(token.attrs["href"])}
    return [*marks, mark]


def _paragraph(content: list[Node]) -> Node:
    return {"type": "paragraph", "content": content}


def _text(text: str, marks: list[Node] | None = None) -> Node:
    node: Node = {"type": "text", "text": text}
    if marks:
        node["marks"] = marks
    return node
