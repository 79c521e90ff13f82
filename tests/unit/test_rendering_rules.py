"""The rules that stand for Atlassian's schema see what it forbids; without that, valid documents would mean nothing."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from plugins.rendering import to_adf
from tests.support.adf_rules import broken_rules

NOTE = (
    "# Title\n\na **b** `c` [d](https://a.b)  \ne\n\n> quote\n\n2. item\n   - deeper\n\n| h |\n|---|\n| c |\n\n"
    "```py\ncode\n```\n\n---"
)
Break = Callable[[dict[str, Any]], object]


def find(document: dict[str, Any], kind: str) -> dict[str, Any]:
    """The first node of a type."""
    if document["type"] == kind:
        return document
    found = (find(child, kind) for child in document.get("content", []))
    return next((node for node in found if node), {})


def set_in(kind: str, **values: Any) -> Break:
    return lambda document: find(document, kind).update(values)


def put_into(kind: str, *content: str) -> Break:
    """Break by putting copies of other nodes, by type, into the first node of `kind`, in place of what it held."""
    return lambda document: find(document, kind).update(
        content=[copy.deepcopy(find(to_adf(NOTE), other)) for other in content]
    )


def without(kind: str, key: str) -> Break:
    return lambda document: find(document, kind).pop(key)


def link(*marks: dict[str, Any]) -> Break:
    return set_in("text", marks=list(marks))


def test_a_note_of_everything_keeps_to_the_rules() -> None:
    assert broken_rules(to_adf(NOTE)) == []


@pytest.mark.parametrize("kind", ["heading", "table", "rule", "blockquote", "listItem", "text"])
def test_a_quote_and_an_item_hold_no(kind: str) -> None:
    for container in ("blockquote", "listItem"):
        document = to_adf(NOTE)
        put_into(container, kind)(document)
        assert any(broken.startswith(f"{container} holds") for broken in broken_rules(document))


@pytest.mark.parametrize(
    "spoil",
    [
        *(put_into(kind) for kind in ("blockquote", "listItem", "bulletList", "orderedList", "table", "tableCell")),
        *(put_into(kind, "paragraph") for kind in ("paragraph", "heading", "codeBlock", "bulletList", "table")),
        *(put_into(kind, "table") for kind in ("tableCell", "tableHeader", "tableRow")),
        *(put_into("doc", kind) for kind in ("text", "hardBreak", "listItem", "tableRow", "tableCell")),
        *(without(kind, "type") for kind in ("rule", "text")),
        *(without(kind, "content") for kind in ("doc", "table", "listItem", "blockquote")),
        *(without("heading", "attrs"), without("doc", "version"), without("text", "text")),
        *(set_in("text", text=value) for value in ("", None, 5)),
        *(set_in("heading", attrs={"level": level}) for level in (0, 7, "1", None)),
        *(set_in("orderedList", attrs={"order": order}) for order in (-1, "2", None)),
        *(set_in("codeBlock", attrs=value) for value in ({"language": 5}, {"lang": "py"}, None)),
        *(set_in(kind, x=1) for kind in ("doc", "paragraph", "text", "rule", "hardBreak", "table")),
        *(
            set_in("doc", version=2),
            set_in("rule", content=[]),
            set_in("paragraph", content={}),
            set_in("rule", type="x"),
        ),
        *(link({"type": "code"}, {"type": "strong"}), link({"type": "link"}), link({"type": "link", "attrs": {}})),
        *(link({"type": "link", "attrs": {"href": None}}), link({"type": "link", "attrs": {"href": "", "x": 1}})),
        *(
            link({"type": "strong", "attrs": {}}),
            link({"type": "u"}),
            set_in("text", marks={}),
            set_in("text", marks=[1]),
        ),
        lambda document: find(find(document, "codeBlock"), "text").update(marks=[{"type": "em"}]),
        lambda document: document["content"].append(None),
    ],
)
def test_what_the_schema_forbids_breaks_a_rule(spoil: Break) -> None:
    document = to_adf(NOTE)
    spoil(document)
    assert broken_rules(document) != []
