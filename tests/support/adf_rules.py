"""The JSON schema of ADF as rules: npm `@atlaskit/adf-schema` 57.7, `json-schema/v1/full.json`.

They know the nodes and marks that `plugins.rendering` makes, and nothing else: a document that keeps to them is valid
by the schema. The schema itself is not ours to copy.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

Check = Callable[[Any], bool]


class Kind(NamedTuple):
    """What the schema says of one type of node."""

    holds: frozenset[str]
    least: int = 0
    attributes: Mapping[str, Check] = {}
    optional: bool = False
    """Whether the node may be without its attributes."""


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_BLOCKS = frozenset(("paragraph", "codeBlock", "bulletList", "orderedList"))
_CELL = _BLOCKS | {"heading", "blockquote", "rule"}
_INLINE = frozenset(("text", "hardBreak"))
KINDS: Mapping[str, Kind] = {
    "doc": Kind(_CELL | {"table"}),
    "blockquote": Kind(_BLOCKS, 1),
    "listItem": Kind(_BLOCKS, 1),
    "bulletList": Kind(frozenset(("listItem",)), 1),
    "orderedList": Kind(frozenset(("listItem",)), 1, {"order": lambda order: _whole(order) and order >= 0}),
    "table": Kind(frozenset(("tableRow",)), 1),
    "tableRow": Kind(frozenset(("tableHeader", "tableCell"))),
    "tableHeader": Kind(_CELL, 1),
    "tableCell": Kind(_CELL, 1),
    "paragraph": Kind(_INLINE),
    "heading": Kind(_INLINE, 0, {"level": lambda level: _whole(level) and 1 <= level <= 6}),
    "codeBlock": Kind(frozenset(("text",)), 0, {"language": lambda language: isinstance(language, str)}, optional=True),
}
"""The nodes that hold others."""

_ALONE = frozenset(("hardBreak", "rule"))
_MARKS: Mapping[str, Mapping[str, Check]] = {
    "code": {},
    "em": {},
    "strike": {},
    "strong": {},
    "link": {"href": lambda address: isinstance(address, str)},
}


def nodes(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every node of a document that keeps to the rules."""
    pending = [dict(document)]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(node.get("content", ()))


def broken_rules(document: object) -> list[str]:
    """What of `document` the schema does not allow, whatever it is; empty for a valid one."""
    if not isinstance(document, dict) or document.get("type") != "doc":
        return ["the document is no doc"]
    broken: list[str] = []
    pending: list[dict[str, Any]] = [document]
    while pending:
        node = pending.pop()
        kind = node["type"]
        broken.extend(_of_text(node) if kind == "text" else _of_node(node))
        children = node.get("content")
        if not isinstance(children, list):
            continue
        known = [child for child in children if isinstance(child, dict) and isinstance(child.get("type"), str)]
        if len(known) < len(children):
            broken.append(f"{kind} holds what is no node")
        pending.extend(known)
        if kind == "codeBlock" and any("marks" in child for child in known):
            broken.append("codeBlock holds marked text")
    return broken


def _of_node(node: Mapping[str, Any]) -> Iterator[str]:
    kind = node["type"]
    if kind in _ALONE:
        yield from _keys(node, {"type"})
        return
    if kind not in KINDS:
        yield f"{kind} is not known"
        return
    rule = KINDS[kind]
    if kind == "doc" and not (_whole(node.get("version")) and node["version"] == 1):
        yield f"doc has version {node.get('version')}"
    wanted = {"type", "content"} | ({"version"} if kind == "doc" else set())
    if rule.attributes and not (rule.optional and "attrs" not in node):
        wanted.add("attrs")
        yield from _attributes(node, rule.attributes)
    yield from _keys(node, wanted)
    content = node.get("content")
    if not isinstance(content, list):
        yield f"{kind} has no list of content"
        return
    held = {str(child.get("type")) for child in content if isinstance(child, dict)}
    if not held <= rule.holds:
        yield f"{kind} holds {sorted(held - rule.holds)}"
    if len(content) < rule.least:
        yield f"{kind} is empty"


def _of_text(node: Mapping[str, Any]) -> Iterator[str]:
    yield from _keys(node, {"type", "text", "marks"} if "marks" in node else {"type", "text"})
    text, marks = node.get("text"), node.get("marks", [])
    if not isinstance(text, str) or not text:
        yield "text is empty"
    if not isinstance(marks, list) or not all(isinstance(mark, dict) for mark in marks):
        yield "text has marks that are none"
        return
    kinds = [str(mark.get("type")) for mark in marks]
    if not set(kinds) <= set(_MARKS) or len(set(kinds)) != len(kinds):
        yield f"text has the marks {kinds}"
        return
    if "code" in kinds and not set(kinds) <= {"code", "link"}:
        yield f"text has code among {kinds}"
    for mark in marks:
        wanted = _MARKS[mark["type"]]
        yield from _keys(mark, {"type", "attrs"} if wanted else {"type"})
        if wanted:
            yield from _attributes(mark, wanted)


def _keys(node: Mapping[str, Any], wanted: set[str]) -> Iterator[str]:
    if set(node) != wanted:
        yield f"{node['type']} has {sorted(node)}, not {sorted(wanted)}"


def _attributes(node: Mapping[str, Any], wanted: Mapping[str, Check]) -> Iterator[str]:
    given = node.get("attrs")
    if not isinstance(given, dict) or set(given) != set(wanted):
        yield f"{node['type']} has the attributes {given}"
        return
    for name, check in wanted.items():
        if not check(given[name]):
            yield f"{node['type']} has {name} {given[name]!r}"
