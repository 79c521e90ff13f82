"""What holds for any Markdown whatever: valid output, within its limit, harmless, and with its footer."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugins.rendering import adf_to_text, html_to_text, to_adf, to_html, wiki_to_text

FOOTER = "Written by Deskhand · ref dh-0123456789abcdef"
JIRA_LIMIT = 32_767
NEVER_SHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

# Atlassian's JSON schema, as far as these documents go: of each node, what it may hold and whether it may be empty.
BLOCKS = {"paragraph", "codeBlock", "bulletList", "orderedList"}
CELL = BLOCKS | {"heading", "blockquote", "rule"}
INLINE = {"text", "hardBreak"}
HOLDS: dict[str, tuple[set[str], int]] = {
    "doc": (CELL | {"table"}, 0),
    "blockquote": (BLOCKS, 1),
    "listItem": (BLOCKS, 1),
    "bulletList": ({"listItem"}, 1),
    "orderedList": ({"listItem"}, 1),
    "table": ({"tableRow"}, 1),
    "tableRow": ({"tableHeader", "tableCell"}, 0),
    "tableHeader": (CELL, 1),
    "tableCell": (CELL, 1),
    "paragraph": (INLINE, 0),
    "heading": (INLINE, 0),
    "codeBlock": ({"text"}, 0),
}
MARKS = {"code", "em", "link", "strike", "strong"}


def nodes(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every node of an ADF document."""
    pending = [document]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(node.get("content", []))


def broken_rules(document: dict[str, Any]) -> list[str]:
    """What an ADF document does that the schema does not allow."""
    return [broken for node in nodes(document) for broken in _broken_rules(node)]


def _broken_rules(node: dict[str, Any]) -> Iterator[str]:
    kind = node["type"]
    allowed_keys = {
        "doc": {"type", "version", "content"},
        "text": {"type", "text", "marks"},
        "hardBreak": {"type"},
        "rule": {"type"},
        "heading": {"type", "attrs", "content"},
        "orderedList": {"type", "attrs", "content"},
        "codeBlock": {"type", "attrs", "content"},
    }.get(kind, {"type", "content"})
    if not set(node) <= allowed_keys:
        yield f"{kind} has {set(node) - allowed_keys}"
    if kind in HOLDS:
        children, least = HOLDS[kind]
        held = {child["type"] for child in node["content"]}
        if not held <= children:
            yield f"{kind} holds {held - children}"
        if len(node["content"]) < least:
            yield f"{kind} is empty"
        if kind == "codeBlock" and any("marks" in child for child in node["content"]):
            yield "codeBlock has marked text"
    elif kind == "text":
        marks = [mark["type"] for mark in node.get("marks", [])]
        if not node["text"]:
            yield "text is empty"
        if not set(marks) <= MARKS or len(set(marks)) != len(marks):
            yield f"text has marks {marks}"
        if "code" in marks and not set(marks) <= {"code", "link"}:
            yield f"code goes with {marks}"
    attributes = node.get("attrs", {})
    if kind == "heading" and not (set(attributes) == {"level"} and 1 <= attributes["level"] <= 6):
        yield f"heading has {attributes}"
    if kind == "orderedList" and not (set(attributes) == {"order"} and attributes["order"] >= 0):
        yield f"orderedList has {attributes}"
    if kind == "codeBlock" and not all(key == "language" and isinstance(attributes[key], str) for key in attributes):
        yield f"codeBlock has {attributes}"


class Page(HTMLParser):
    """Reads HTML: its elements with their attributes, its text, and whether every element is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.well_formed = True
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.well_formed &= bool(self.open) and self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


SHOWN_TAGS = {
    *("p", "br", "hr", "blockquote", "pre", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6"),
    *("strong", "em", "s", "code", "a", "table", "thead", "tbody", "tr", "th", "td"),
}

LINE_STARTS = [
    "",
    "",
    "> ",
    "- ",
    "* ",
    "1. ",
    "7) ",
    "0. ",
    "  ",
    "    ",
    "\t",
    "# ",
    "###### ",
    "> > ",
    "- - ",
    "> - # ",
]
FRAGMENTS = [
    *("word", " ", "  ", "*", "**", "***", "_", "~~", "`", "``", "[", "](", ")", "](http://a.b/c)", "](mailto:a@b.c)"),
    *("![", "](javascript:alert(1))", "](data:text/html,x)", "](JAVASCRIPT&colon;alert(1))", "<javascript:alert(1)>"),
    *("<http://a.b>", "<me@a.b>", "https://a.b", "<b>", "</b>", "<script>alert(1)</script>", "<!-- -->", "<img src=x>"),
    *(
        "&amp;",
        "&#x202e;",
        "&#0;",
        "&lt;b&gt;",
        "&nbsp;",
        "\\",
        "\\*",
        "|",
        "| a | b |",
        "|---|:-:|",
        "---",
        "***",
        "===",
    ),
    *(
        "```",
        "```py",
        "~~~",
        "    code",
        "[x]: http://a.b 'title'",
        "[x]: javascript:alert(1)",
        "[x]",
        "😀",
        "مرحبا",
        "字",
    ),
    *("\u202e", "\u2066", "\x00", "\x1b[31m", "\ud800", "\u2028", "{{x}}", '"', "'"),
]
LINE_ENDS = ["\n", "\n", "\n\n", "  \n", "\\\n", "\r\n", "\r", "\n\n\n", ""]


WHOLES = [
    "---",
    "===",
    "```\n```",
    "```py\nx = 1\n\n```",
    "[x]: http://a.b 'title'\n",
    "| a | *b* | c |\n|---|:-:|--:|\n| `d` | [e](http://f.g) |\n|| **h** \\| i |",
    "# heading",
    "setext\n===",
]


def markdown(max_lines: int = 400) -> st.SearchStrategy[str]:
    """Markdown and what resembles it: fragments of syntax in any order and nesting, plain text between, repeats."""
    piece = st.sampled_from(FRAGMENTS) | st.text(max_size=12)
    starts = st.lists(st.sampled_from(LINE_STARTS), max_size=3).map("".join)
    line = st.tuples(starts, st.lists(piece, max_size=8).map("".join), st.sampled_from(LINE_ENDS)).map("".join)
    whole = st.tuples(starts, st.sampled_from(WHOLES)).map(lambda pair: _indented(*pair))
    repeated = st.tuples(line | whole, st.integers(2, 60)).map(lambda pair: pair[0] * pair[1])
    return st.lists(line | whole | repeated, max_size=max_lines).map("".join).map(lambda text: text[: max_lines * 50])


def _indented(start: str, block: str) -> str:
    """`block` behind `start`: its later lines behind the same quote marks, and as far in."""
    later = re.sub(r"[^>\t]", " ", start)
    return "\n" + start + block.replace("\n", "\n" + later) + "\n\n"


def footed(text: str) -> str:
    """`text` with the note's footer as its last paragraph."""
    return f"{text}\n\n{FOOTER}"


def assert_valid_adf(document: dict[str, Any]) -> None:
    """Schema-valid, sendable, and without anything harmful."""
    assert broken_rules(document) == []
    json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    for node in nodes(document):
        assert not NEVER_SHOWN.search(node.get("text", ""))
        for mark in node.get("marks", []):
            if mark["type"] == "link":
                assert re.match(r"(https?://|mailto:)", mark["attrs"]["href"], re.IGNORECASE)


def assert_clean_html(html: str) -> None:
    """Well formed, of few elements, and without anything harmful."""
    page = Page(html)
    assert page.well_formed
    assert page.open == []
    assert not NEVER_SHOWN.search(html)
    for tag, attributes in page.elements:
        assert tag in SHOWN_TAGS
        assert set(attributes) <= {"a": {"href", "rel"}, "ol": {"start"}}.get(tag, set())
        if "href" in attributes:
            assert re.match(r"(https?://|mailto:)", attributes["href"] or "", re.IGNORECASE)


patient = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@patient
@given(markdown())
def test_any_markdown_gives_valid_adf_and_clean_html(text: str) -> None:
    assert_valid_adf(to_adf(text))
    assert_clean_html(to_html(text))


@patient
@given(markdown(), st.integers(250, 6_000))
def test_any_markdown_keeps_to_the_limit_and_keeps_its_footer(text: str, limit: int) -> None:
    document = to_adf(footed(text), limit=limit)
    assert_valid_adf(document)
    assert len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-16-le")) // 2 <= limit
    assert FOOTER in adf_to_text(document)

    html = to_html(footed(text), limit=limit)
    assert_clean_html(html)
    assert len(html.encode()) <= limit
    assert FOOTER in Page(html).text


@patient
@given(markdown(), st.integers(40, 250))
def test_even_a_tiny_limit_is_kept_to(text: str, limit: int) -> None:
    document = to_adf(text, limit=limit)
    assert_valid_adf(document)
    assert len(json.dumps(document, ensure_ascii=False, separators=(",", ":"))) <= limit
    html = to_html(text, limit=limit)
    assert_clean_html(html)
    assert len(html.encode()) <= limit


@patient
@given(
    st.lists(st.sampled_from([*"<>/!?-=\"' \n&#;x1", "script", "style", "title", "p", "td", "li", "ol", "pre", "字"]))
)
def test_any_html_becomes_printable_text(pieces: list[str]) -> None:
    text = html_to_text("".join(pieces))
    assert not NEVER_SHOWN.search(text)
    assert "\n\n\n" not in text


WIKI_MARKUP = [
    *"{}[]|!*_#-\\: \n.",
    "{code}",
    "{noformat}",
    "{quote}",
    "{color:red}",
    "{panel:title=x}",
    "h1. ",
    "|smart-link]",
]


@patient
@given(st.lists(st.lists(st.sampled_from(WIKI_MARKUP), max_size=4).map("".join)))
def test_wiki_markup_never_loses_a_word(markups: list[str]) -> None:
    words = [f"w{index}w" for index in range(len(markups))]
    text = wiki_to_text("".join(word + markup for word, markup in zip(words, markups, strict=True)))
    assert re.findall(r"w[0-9]+w", text) == words


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["type", "content", "attrs", "text", "order"]), inner)
    ),
    max_leaves=30,
)


@patient
@given(st.dictionaries(st.sampled_from(["type", "content", "attrs", "text"]), json_values))
def test_anything_in_place_of_adf_becomes_printable_text(document: dict[str, Any]) -> None:
    assert not NEVER_SHOWN.search(adf_to_text(document))
