"""Notes that are too long for a tool: what goes, what stays, and what the technician is told."""

import json
from collections.abc import Callable

import pytest

from plugins.rendering import adf_to_text, html_to_text, to_adf, to_html

FOOTER = "ref dh-0123456789abcdef"
MARK = "… (shortened)"

Lines = Callable[[str, int], list[str]]


def adf_lines(markdown: str, limit: int) -> list[str]:
    """What Jira shows of `markdown`, line by line, having checked the limit."""
    document = to_adf(markdown, limit=limit)
    assert len(json.dumps(document, ensure_ascii=False, separators=(",", ":"))) <= limit
    return [line for line in adf_to_text(document).split("\n") if line]


def html_lines(markdown: str, limit: int) -> list[str]:
    """What an HTML tool shows of `markdown`, line by line, having checked the limit."""
    html = to_html(markdown, limit=limit)
    assert len(html.encode()) <= limit
    return [line for line in html_to_text(html).split("\n") if line]


@pytest.fixture(params=[adf_lines, html_lines], ids=["adf", "html"])
def lines(request: pytest.FixtureRequest) -> Lines:
    """Either way to see a note."""
    way: Lines = request.param
    return way


def test_a_note_that_just_fits_is_left_alone() -> None:
    note = f"# Über\n\n*a* 😀\n\n{FOOTER}"
    html, document = to_html(note), to_adf(note)
    units = len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-16-le")) // 2
    assert to_html(note, limit=len(html.encode())) == html
    assert to_html(note, limit=len(html.encode()) - 1) != html
    assert to_adf(note, limit=units) == document
    assert to_adf(note, limit=units - 1) != document


def test_whole_blocks_go_and_the_footer_stays(lines: Lines) -> None:
    blocks = [f"Paragraph {number} " + "with words " * 5 + "end" for number in range(40)]
    shown = lines("\n\n".join([*blocks, FOOTER]), 1_500)
    assert shown[-2:] == [MARK, FOOTER]
    assert len(shown) > 8
    assert shown[:-2] == blocks[: len(shown) - 2]


def test_a_block_too_long_to_drop_is_cut_between_words(lines: Lines) -> None:
    words = " ".join(f"word{number}" for number in range(2_000))
    first, cut, mark, footer = lines(f"Summary\n\n{words}\n\n{FOOTER}", 3_000)
    assert (first, mark, footer) == ("Summary", MARK, FOOTER)
    assert words.startswith(cut + " ")
    assert len(cut) > 2_000


def test_a_long_code_block_is_cut_and_closed(lines: Lines) -> None:
    shown = lines("Log:\n\n```\n" + "line of log\n" * 500 + f"```\n\n{FOOTER}", 1_500)
    assert shown[:2] == ["Log:", "line of log"]
    assert shown[-2:] == [MARK, FOOTER]
    assert len(shown) > 60


def test_a_long_table_keeps_whole_rows() -> None:
    rows = "".join(f"| {number} | some words | more |\n" for number in range(300))
    document = to_adf(f"| a | b | c |\n|---|---|---|\n{rows}\n{FOOTER}", limit=4_000)
    table = document["content"][0]
    assert table["type"] == "table"
    assert len(table["content"]) > 5
    assert {len(row["content"]) for row in table["content"]} == {3}


def test_a_long_nested_list_stays_a_list() -> None:
    markdown = "- top\n" + "  - *nested* item\n" * 500 + f"\n{FOOTER}"
    html = to_html(markdown, limit=1_000)
    assert html.startswith("<ul>\n<li>top\n<ul>\n<li><em>nested</em> item</li>\n")
    assert html.count("<ul>") == html.count("</ul>") == 2
    assert html.count("<li>") == html.count("</li>") > 10


@pytest.mark.parametrize("body", ["text " * 100, "", "```\nx\n```", "> - a\n" * 50])
def test_a_limit_of_exactly_the_footer_leaves_the_footer(body: str) -> None:
    footer = "*Deskhand. Private: the requester does not see this.* ref dh-0123456789ab"
    html, document = to_html(footer), to_adf(footer)
    units = len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-16-le")) // 2
    assert to_html(f"{body}\n\n{footer}", limit=len(html.encode())) == html
    assert to_adf(f"{body}\n\n{footer}", limit=units) == document


@pytest.mark.parametrize(("lines", "limit"), [(adf_lines, 130), (html_lines, 40)])
def test_under_a_tiny_limit_only_the_footer_is_left(lines: Lines, limit: int) -> None:
    assert lines("text " * 100 + f"\n\n{FOOTER}", limit) == [FOOTER]


def test_a_code_block_that_nobody_closed_does_not_swallow_the_footer(lines: Lines) -> None:
    shown = lines("```\n" + "line of log\n" * 500 + f"\n{FOOTER}", 1_000)
    assert shown[0] == "line of log"
    assert shown[-2:] == [MARK, FOOTER]


def test_a_list_that_goes_on_to_the_footer_does_not_swallow_it(lines: Lines) -> None:
    shown = lines("- item of a list\n" * 500 + f"**{FOOTER}**", 1_000)
    assert shown[0] == "- item of a list"
    assert shown[-2:] == [MARK, FOOTER]


def test_a_single_line_without_end_is_cut(lines: Lines) -> None:
    start, mark = lines("x" * 100_000, 500)
    assert set(start) == {"x"}
    assert len(start) > 250
    assert mark == MARK


def test_letters_beyond_ascii_count_as_the_tool_counts() -> None:
    note = "字" * 600 + f"\n\n{FOOTER}"
    assert MARK not in html_to_text(to_html(note, limit=1_900))
    assert MARK in html_to_text(to_html(note, limit=1_800))
    assert MARK not in adf_to_text(to_adf(note, limit=800))
    emoji = "😀" * 600 + f"\n\n{FOOTER}"
    assert MARK in adf_to_text(to_adf(emoji, limit=1_300))


def test_the_limit_holds_to_the_character(lines: Lines) -> None:
    note = "x\n\n" * 100 + FOOTER
    for limit in range(300, 420):
        assert lines(note, limit)[-2:] == [MARK, FOOTER]
