"""Hostile notes: what costs the parser more than its size is bounded, and what lies beyond is still there as text."""

import pytest

from plugins.rendering import adf_to_text, html_to_text, to_adf, to_html
from plugins.rendering.bounds import MAX_CELLS, MAX_LAZY_LINES
from plugins.rendering.markdown import MAX_ADDRESSES, parse
from tests.support.adf_rules import nodes

FOOTER = "ref dh-0123456789ab"
SIZE = 100_000


def filled(piece: str) -> str:
    """100,000 characters of `piece`."""
    return piece * (SIZE // len(piece))


@pytest.mark.parametrize(
    "hostile",
    [
        *("> # a\nb\n", "> -\nb\n", "> 1. - > #\nb\n", ">>>>>>>>>>>>>>>>#\nb\n", "- - ", "|a|\n|-|\n"),
        *("[a][", "[a](http://a.b ", "*a **b ", "`a``", "&#"),
    ],
)
def test_a_hundred_kilobytes_of_anything_are_rendered_to_their_end(hostile: str) -> None:
    # Quadratic time would be minutes, and run into the time-out of the tests.
    note = f"[a]: http://a.b\n\n{filled(hostile)}\n\n{FOOTER}"
    assert FOOTER in adf_to_text(to_adf(note, limit=32_767))
    assert FOOTER in html_to_text(to_html(note, limit=64_000))


def test_a_table_of_made_up_cells_ends_in_text() -> None:
    header, rows = "|a" * 100 + "|\n" + "|-" * 100 + "|\n", [f"row{number}" for number in range(2_000)]
    document = to_adf(header + "\n".join(rows))
    cells = [node for node in nodes(document) if node["type"] in ("tableHeader", "tableCell")]
    assert len(cells) == MAX_CELLS
    assert [word for word in adf_to_text(document).replace("\n", " ").split() if word.startswith("row")] == rows


def test_the_cells_of_all_tables_count_together() -> None:
    table = "|a" * 50 + "|\n" + "|-" * 50 + "|\n" + "|b\n" * 50 + "\n"
    document = to_adf(table * 100)
    cells = [node for node in nodes(document) if node["type"] in ("tableHeader", "tableCell")]
    assert MAX_CELLS - 50 <= len(cells) <= MAX_CELLS
    assert adf_to_text(document).count("b") == 50 * 100


def test_an_address_that_is_used_over_and_over_stops_being_a_link() -> None:
    address = "http://a.b/" + "x" * 989
    html = to_html(f"[kb]: {address}\n\n" + "[kb] - " * 5_000)
    assert html.count(f'<a href="{address}"') == MAX_ADDRESSES // len(address)
    assert html_to_text(html).count("kb -") == 5_000


def test_of_a_definition_only_the_address_is_carried_along() -> None:
    [block] = parse("[kb]\n\n[kb]: http://a.b 'a title that may be long'")
    assert [token.attrs for token in block[1].children or []] == [{"href": "http://a.b"}, {}, {}]


def test_a_quote_goes_on_after_a_line_without_its_mark_until_there_were_too_many() -> None:
    one, two = "<p>a\nb\nc</p>\n</blockquote>\n", "<p>c</p>\n</blockquote>\n"
    quote = "> a\nb\n> c\n\n"
    assert to_html(quote) == "<blockquote>\n" + one
    many = to_html(quote * MAX_LAZY_LINES)
    assert many.startswith("<blockquote>\n" + one)
    assert many.endswith("<blockquote>\n<p>a\nb</p>\n</blockquote>\n<blockquote>\n" + two)
    assert many.count("b") - many.count("blockquote") == MAX_LAZY_LINES
