"""What holds for any Markdown whatever: valid output, within its limit, harmless, and with its footer."""

import json
import re
from itertools import takewhile
from typing import Any

from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from plugins.rendering import to_adf, to_html
from plugins.zendesk.note import note_html
from tests.support.adf_rules import broken_rules, nodes
from tests.support.any_markdown import Repeated, large_markdown, markdown
from tests.support.page import Page

FOOTER = "Written by Deskhand · ref dh-0123456789ab"
ADF_FOOTER = to_adf(FOOTER)["content"]
HTML_FOOTER = to_html(FOOTER)
ADF_MARK = to_adf("… (shortened)")["content"]
HTML_MARK = to_html("… (shortened)")

JIRA_LIMIT = 32_767
ZENDESK_LIMIT = 64_000
NEVER_SHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
SAFE_ADDRESS = re.compile(r"(?:https?://[^\s/]|mailto:\S)[\x21-\x7e]*", re.IGNORECASE)
ONLY_CLOSES = re.compile(r"(?:</\w+>|<t[dh]>|\s)*")
"""The end of what was cut: elements are closed, and a table's row has all its cells."""

# The same examples every time: a test that fails by chance tells nobody anything.
fixed = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
# Looking for a smaller text that fails the same way would take longer than a test may.
fixed_and_large = settings(fixed, max_examples=20, phases=[Phase.generate])


def footed(text: str) -> str:
    """`text` with the note's footer as its last paragraph."""
    return f"{text}\n\n{FOOTER}"


def units(document: dict[str, Any]) -> int:
    """The size of a document as Jira counts it."""
    return len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-16-le")) // 2


def texts(node: dict[str, Any]) -> list[str]:
    """The texts of a node and what it holds."""
    return [part["text"] for part in nodes(node) if part["type"] == "text"]


def assert_sound_adf(document: dict[str, Any]) -> None:
    """Valid, sendable, and without anything harmful."""
    assert broken_rules(document) == []
    json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    for node in nodes(document):
        assert not NEVER_SHOWN.search(node.get("text", ""))
        for mark in node.get("marks", []):
            if mark["type"] == "link":
                assert SAFE_ADDRESS.fullmatch(mark["attrs"]["href"])


def assert_sound_html(html: str) -> None:
    """Well formed, of known elements and attributes, and without anything harmful."""
    page = Page(html)
    assert page.faults == []
    assert not NEVER_SHOWN.search(html)
    for address in page.addresses:
        assert SAFE_ADDRESS.fullmatch(address)


def assert_cut_adf(text: str, limit: int) -> None:
    """Sound, within `limit`, footer whole, and cut where a block ends, with the mark to show it."""
    document = to_adf(footed(text), limit=limit)
    assert_sound_adf(document)
    assert units(document) <= limit
    content, whole = document["content"], to_adf(footed(text))["content"]
    if content == whole:
        return
    assert content[-1:] in (ADF_FOOTER, whole[-1:]) or "".join(texts(content[-1])) == FOOTER
    if len(content) > 1:
        assert content[-2:-1] == ADF_MARK
        # The block before the mark may be the beginning of one; all others are as they were.
        assert content[:-3] == whole[: max(0, len(content) - 3)]


def assert_cut_html(text: str, limit: int) -> None:
    """The same for HTML."""
    html, whole = to_html(footed(text), limit=limit), to_html(footed(text))
    assert_sound_html(html)
    assert len(html.encode()) <= limit
    if html == whole:
        return
    before, mark, last = html.rpartition(HTML_MARK)
    assert last == HTML_FOOTER or Page(last).text.strip().endswith(FOOTER)
    if not mark:
        assert before == ""
        return
    same = takewhile(lambda pair: pair[0] == pair[1], zip(before, whole, strict=False))
    kept = "".join(character for character, _ in same)
    if kept.rfind("<") > kept.rfind(">"):
        kept = kept[: kept.rfind("<")]
    assert ONLY_CLOSES.fullmatch(before, len(kept))


@fixed
@given(markdown())
def test_any_markdown_gives_sound_documents(text: str) -> None:
    assert_sound_adf(to_adf(text))
    assert_sound_html(to_html(text))


@fixed_and_large
@given(large_markdown())
def test_a_hundred_kilobytes_give_sound_documents_within_the_tools_limits(large: Repeated) -> None:
    text = large.text
    event(f"{len(text):,} characters")
    assert_cut_adf(text, JIRA_LIMIT)
    assert_cut_html(text, ZENDESK_LIMIT)


@fixed
@given(markdown(), st.integers(400, 6_000))
def test_any_limit_is_kept_to_and_so_is_the_footer(text: str, limit: int) -> None:
    assert_cut_adf(text, limit)
    assert_cut_html(text, limit)


@fixed
@given(markdown())
def test_where_only_the_footer_fits_it_is_what_is_left(text: str) -> None:
    adf_limit, html_limit = units(to_adf(FOOTER)), len(HTML_FOOTER.encode())
    assert to_adf(footed(text), limit=adf_limit)["content"] == ADF_FOOTER
    assert to_html(footed(text), limit=html_limit) == HTML_FOOTER
    assert units(to_adf(footed(text), limit=adf_limit - 1)) < adf_limit
    assert len(to_html(footed(text), limit=html_limit - 1).encode()) < html_limit


@fixed
@given(markdown(), st.integers(40, 400))
def test_even_a_tiny_limit_is_kept_to(text: str, limit: int) -> None:
    document, html = to_adf(text, limit=limit), to_html(text, limit=limit)
    assert_sound_adf(document)
    assert_sound_html(html)
    assert units(document) <= limit
    assert len(html.encode()) <= limit


@fixed
@given(markdown())
def test_zendesk_finds_nothing_to_fill_in(text: str) -> None:
    html = note_html(footed(text))
    assert_sound_html(html)
    assert len(html.encode()) <= ZENDESK_LIMIT
    assert not re.search(r"\{[{%]", html)
    assert html.endswith(HTML_FOOTER) or FOOTER in Page(html).text
