"""What tools store, as plain text: HTML, ADF and Jira's wiki markup, well meant or hostile."""

from typing import Any

import pytest

from plugins.rendering import adf_to_text, html_to_text, to_adf, wiki_to_text
from plugins.rendering.lines import PART


def test_a_mail_in_html_reads_like_a_mail() -> None:
    html = """<!DOCTYPE html><html><head><title>Mail</title><style>p {color: red}</style></head><body>
    <p>Hello&nbsp;desk,</p><p>the <b>prin</b>ter
    says &lt;E-12&gt;.<br>Really.</p><script>alert("<p>")</script>
    <ul><li>one<ul><li><p>inner</p></li></ul></li><li></li><li>two</li></ul><ol><li>first</li><li>second</li></ol>
    <table><tr><th>Host</th><th>State</th></tr><tr><td><p>a</p></td><td></td><td><p>up</p></td></tr></table>
    <pre>  kept
      as is</pre><!-- not > this --><div>Bye</div><div>Ann</div></body></html>"""
    assert html_to_text(html).split("\n") == [
        *("Hello desk,", "", "the printer says <E-12>.", "Really.", ""),
        *("- one", "- inner", "- two", "", "1. first", "2. second", ""),
        *("Host | State", "a | | up", "", "  kept", "      as is", "", "Bye", "Ann"),
    ]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("plain & simple", "plain & simple"),
        ("2 < 3 > 1 <3", "2 < 3 > 1 <3"),
        ("<a title=\"a > b\" href='x>y'>link</a>", "link"),
        ('<a title="never closed>text</a>', "text"),
        ("<p>a<p>b", "a\n\nb"),
        ("<div><div><div>a</div></div></div><div><br></div><div>b</div>", "a\nb"),
        ("start <unfinished", "start <unfinished"),
        ("a <!-- never closed", "a never closed"),
        ("a<script>never closed", "a"),
        ("<title>never closed", "never closed"),
        ("<![if !supportLists]>- <![endif]>x", "- x"),
        ("&#x202e;a&#0;b", "a\ufffdb"),
        ("&#99999999999;c&#" + "9" * 5_000, "\ufffdc\ufffd"),
        ("</p></td></ul></li>x", "x"),
        ("<SCRIPT>x</ScRiPt >y", "y"),
    ],
)
def test_broken_html_still_gives_its_text(html: str, text: str) -> None:
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "<a ",
            "<",
            "</",
            "<!--",
            "<!",
            "<?",
            "<![",
            "<a b='",
            '<a "',
            '<a b="x>',
            "<a =\n",
            "&#1",
            "&",
            "<div>",
            "<ul>",
        ),
        *(
            "<b x='1'><p>",
            "<li>",
            "<title>",
            "</title>",
            "<td>",
            "<pre>",
            '<a b="x>" c ',
            "<script>",
            " \n",
            "<style></styl",
        ),
    ],
)
def test_a_megabyte_of_hostile_html_is_read_to_its_end(piece: str) -> None:
    # Quadratic time would be minutes each, and run into the time-out of the tests.
    hostile = piece * (1_000_000 // len(piece))
    html_to_text(hostile)
    html_to_text(f'<a b="{hostile}"')


def test_html_is_read_up_to_a_limit() -> None:
    assert html_to_text("<p>one</p><p>two</p>", limit=3 * PART + 4) == "one\n\nt"
    assert html_to_text("one two", limit=5) == "one t"
    assert html_to_text("one<br>two", limit=3) == "one"
    assert html_to_text("<!---->" * 100 + "one", limit=100) == "", "what gives no text counts too"
    assert html_to_text("<script>" + "x" * 1_000 + "</script>one", limit=100) == "one", "what is skipped does not"


def test_html_within_its_limit_is_whole() -> None:
    html = "<ul><li>a</li><li>b &amp; c</li></ul><p>end"
    assert html_to_text(html, limit=len(html) * PART) == html_to_text(html)


def test_adf_is_read_up_to_a_limit() -> None:
    class Trap(list[Any]):
        """Content that must not be looked at beyond its first node."""

        def __iter__(self) -> Any:
            yield self[0]
            raise AssertionError("walked past the limit")

    text = {"type": "text", "text": "one two"}
    assert adf_to_text({"type": "doc", "content": Trap([text])}, limit=2 * PART + 3) == "one"
    assert adf_to_text({"type": "doc", "content": [{"type": "x"}] * 10 + [text]}, limit=10 * PART) == ""
    assert adf_to_text({"type": "doc", "content": [5] * 10 + [text]}, limit=10 * PART) == ""
    document = to_adf("# Title\n\n1. a\n2. b\n\nend")
    assert adf_to_text(document, limit=1_000) == adf_to_text(document)


@pytest.mark.parametrize("order", [10**4300 - 1, -(10**12), True, "x"], ids=["huge", "negative", "bool", "text"])
def test_a_list_of_any_number_is_read(order: object) -> None:
    item = {"type": "listItem", "content": [{"type": "text", "text": "a"}]}
    document = {"type": "orderedList", "attrs": {"order": order}, "content": [item] * 2}
    assert adf_to_text(document).count("a") == 2


def test_adf_reads_like_the_page() -> None:
    markdown = (
        "# Title\n\nThe **printer**  \nis `down`.\n\n- a\n  - b\n\n  more\n- c\n\n2. x\n3. y\n\n> quote\n\n"
        "| h | i |\n|---|---|\n| 1 | |\n| | 4 |\n\n```\n  code\n```\n\n---\n\nend"
    )
    assert adf_to_text(to_adf(markdown)).split("\n") == [
        *("Title", "", "The printer", "is down.", "", "- a", "- b", "more", "- c", "", "2. x", "3. y", "", "quote", ""),
        *("h | i", "1", "4", "", "  code", "", "---", "", "end"),
    ]


def test_adf_nodes_that_are_no_text_say_what_they_stand_for() -> None:
    inline: list[dict[str, Any]] = [
        {"type": "mention", "attrs": {"id": "1", "text": "@Ann"}},
        {"type": "text", "text": " "},
        {"type": "emoji", "attrs": {"shortName": ":fire:"}},
        {"type": "inlineCard", "attrs": {"url": "https://a.b"}},
        {"type": "date", "attrs": {"timestamp": "1700000000000"}},
        {"type": "status", "attrs": {"text": "OPEN"}},
        {"type": "news", "content": [{"type": "text", "text": "!"}]},
    ]
    task = {"type": "taskItem", "attrs": {"state": "DONE"}, "content": [{"type": "text", "text": "reboot"}]}
    panel = {"type": "panel", "content": [{"type": "paragraph", "content": inline}]}
    document = {"type": "doc", "version": 1, "content": [panel, {"type": "taskList", "content": [task]}]}
    assert adf_to_text(document) == "@Ann :fire:https://a.b2023-11-14OPEN!\n\n[x] reboot"


@pytest.mark.parametrize(
    "document",
    [{}, {"type": 3}, {"content": "x"}, {"type": "doc", "content": [None, 1, [], {"type": "text", "text": 5}]}],
)
def test_what_is_no_adf_gives_no_text(document: dict[str, Any]) -> None:
    assert adf_to_text(document) == ""


def test_adf_of_any_depth_is_read() -> None:
    node: dict[str, Any] = {"type": "text", "text": "needle"}
    for _ in range(20_000):
        node = {"type": "blockquote", "content": [node]}
    assert adf_to_text(node) == "needle"


def test_wiki_markup_reads_like_the_page() -> None:
    wiki = r"""h2. Printer down
It is *really* _quite_ down, see [the page|https://a.b/c] or [https://d.e] {color:red}now{color}.
* one
** two
# three
||Host||State||
|a|[up|https://x.y]|
{code:java|title=Main.java}
int *a* = {b};
{code}
bq. so they say
!screen.png|thumbnail! {{mono}} \[not a link\] \\server\share a\\
b"""
    assert wiki_to_text(wiki).split("\n") == [
        *("Printer down", "It is really quite down, see the page (https://a.b/c) or https://d.e now."),
        *("- one", "- two", "- three", "Host | State", "a | up (https://x.y)", "", "Main.java", ""),
        *("int *a* = {b};", "", "so they say", r"[screen.png] mono [not a link] \\server\share a", "", "b"),
    ]


@pytest.mark.parametrize(
    "plain",
    ["file_name_here and 2 * 3 * 4", "a|b", "C:\\temp\\x", "-5 and #7", "{code", "[~accountid:1]", "wow! really!"],
)
def test_what_only_resembles_wiki_markup_stays(plain: str) -> None:
    assert wiki_to_text(plain) == plain


@pytest.mark.parametrize(
    "piece", ["[", "[a|", "!a.b|", "*a ", "_a ", "{{a", "{code:", "{code}", "{quote}", "|a", "\\", "# ", "  "]
)
def test_a_megabyte_of_hostile_wiki_markup_is_read_to_its_end(piece: str) -> None:
    hostile = piece * (1_000_000 // len(piece))
    wiki_to_text(hostile)
    wiki_to_text(f"|a{hostile}b")
