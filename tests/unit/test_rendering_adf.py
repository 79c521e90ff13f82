"""Markdown to ADF: what a technician sees in Jira."""

from typing import Any

import pytest

from plugins.rendering import to_adf


def content(markdown: str) -> list[Any]:
    """The document's nodes, each as one readable term: `paragraph(...)`, `'text'`, `'text'[marks]`."""
    document = to_adf(markdown)
    assert (document["type"], document["version"]) == ("doc", 1)
    return [term(node) for node in document["content"]]


def term(node: dict[str, Any]) -> str:
    if node["type"] == "text":
        marks = "".join(f"[{mark.get('attrs', {}).get('href', mark['type'])}]" for mark in node.get("marks", []))
        return repr(node["text"]) + marks
    attributes = "".join(f":{value}" for value in node.get("attrs", {}).values())
    return f"{node['type']}{attributes}({', '.join(map(term, node.get('content', [])))})"


def test_a_note_keeps_its_structure() -> None:
    note = "## Printer\n\nLooks like a **driver**.\n\n1. Restart\n2. Update\n\n---\n\n> it *never* prints\n\nref `dh-1`"
    assert content(note) == [
        "heading:2('Printer')",
        "paragraph('Looks like a ', 'driver'[strong], '.')",
        "orderedList:1(listItem(paragraph('Restart')), listItem(paragraph('Update')))",
        "rule()",
        "blockquote(paragraph('it ', 'never'[em], ' prints'))",
        "paragraph('ref ', 'dh-1'[code])",
    ]


@pytest.mark.parametrize("nothing", ["", "   \n\n", "\u202e\x00", "[x]: http://a.b"])
def test_nothing_is_an_empty_document(nothing: str) -> None:
    assert to_adf(nothing) == {"version": 1, "type": "doc", "content": []}


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("> # Big *one*", ["blockquote(paragraph('Big '[strong], 'one'[strong][em]))"]),
        ("- # Big `x`", ["bulletList(listItem(paragraph('Big '[strong], 'x'[code])))"]),
        ("> > deep", ["blockquote(paragraph('deep'))"]),
        ("- > said", ["bulletList(listItem(paragraph('said')))"]),
        ("> ---", ["blockquote(paragraph('———'))"]),
        (">", ["blockquote(paragraph())"]),
        ("-", ["bulletList(listItem(paragraph()))"]),
        ("> - a\n>   - b", ["blockquote(bulletList(listItem(paragraph('a'), bulletList(listItem(paragraph('b'))))))"]),
        ("- ```\n  x\n  ```", ["bulletList(listItem(codeBlock('x')))"]),
        (
            "- | a | b |\n  |---|---|\n  | | `c` |",
            ["bulletList(listItem(paragraph('| ', 'a', ' | ', 'b', hardBreak(), '| ', ' | ', 'c'[code])))"],
        ),
    ],
)
def test_what_the_schema_forbids_inside_quotes_and_items_is_flattened(markdown: str, expected: list[str]) -> None:
    assert content(markdown) == expected


def test_a_table_has_header_and_cells() -> None:
    [table] = content("| a | b |\n|---|:-:|\n| 1 | |")
    header = "tableRow(tableHeader(paragraph('a')), tableHeader(paragraph('b')))"
    row = "tableRow(tableCell(paragraph('1')), tableCell(paragraph()))"
    assert table == f"table({header}, {row})"


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("```\n```", "codeBlock()"),
        ("```c++ linenos\na\n\nb\n```", "codeBlock:c++('a\\n\\nb')"),
        ("```<script>\nx\n```", "codeBlock('x')"),
        ("    <b>&amp;", "codeBlock('<b>&amp;')"),
        ("a  \nb\\\nc\nd", "paragraph('a', hardBreak(), 'b', hardBreak(), 'c d')"),
        ("AT&amp;T &copy; &#x202e;x", "paragraph('AT&T © x')"),
        ("**bold `code` on**", "paragraph('bold '[strong], 'code'[code], ' on'[strong])"),
        ("~~no~~ ***x***", "paragraph('no'[strike], ' ', 'x'[em][strong])"),
        ("**a **b** c**", "paragraph('a b c'[strong])"),
        ("7. x", "orderedList:7(listItem(paragraph('x')))"),
        ("<b>x</b> <!-- y -->", "paragraph('<b>x</b> <!-- y -->')"),
        ("#", "heading:1()"),
    ],
)
def test_details(markdown: str, expected: str) -> None:
    assert content(markdown) == [expected]


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("[kb](https://kb.example/1 'title')", "'kb'[https://kb.example/1]"),
        ("[`x`](HTTP://a.b)", "'x'[code][HTTP://a.b]"),
        ("<https://a.b/c>", "'https://a.b/c'[https://a.b/c]"),
        ("<me@a.b>", "'me@a.b'[mailto:me@a.b]"),
        ("[x](javascript:alert(1))", "'[x](javascript:alert(1))'"),
        ("[x](JavaScript&colon;alert)", "'[x](JavaScript:alert)'"),
        ("<javascript:alert>", "'<javascript:alert>'"),
        ("[x](/relative)", "'[x](/relative)'"),
        ("[x](//host/)", "'[x](//host/)'"),
        ("[x]()", "'x'"),
        ("[x](https:host)", "'[x](https:host)'"),
        ("[x](http://[::1)", "'[x](http://[::1)'"),
        ("[x](javascript://a.b/%0ax)", "'[x](javascript://a.b/%0ax)'"),
        ("[x](file:///etc/passwd)", "'[x](file:///etc/passwd)'"),
        ("![a *cat*](https://a.b/c.png)", "'a cat'"),
        ("![a `b`\nc ![d &amp; e](https://a.b)](https://a.b)", "'a b c d & e'"),
        ("[![alt](https://a.b/c.png)](https://a.b)", "'alt'[https://a.b]"),
    ],
)
def test_only_web_and_mail_links_can_be_clicked(markdown: str, expected: str) -> None:
    assert content(markdown) == [f"paragraph({expected})"]


def test_text_nested_deeper_than_any_note_is_still_there() -> None:
    for prefix in ("> ", "- ", "1. "):
        [node] = content(prefix * 5_000 + "needle")
        assert "needle" in node
    assert content("*" * 20_000 + "x" + "*" * 20_000) == ["paragraph('x'[strong])"]
