"""What holds for whatever a tool stores: it becomes printable text, and never raises."""

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.rendering import adf_to_text, html_to_text, wiki_to_text

NEVER_SHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

# The same examples every time: a test that fails by chance tells nobody anything.
fixed = settings(derandomize=True, database=None, deadline=None, max_examples=60)


@fixed
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


@fixed
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


@fixed
@given(st.dictionaries(st.sampled_from(["type", "content", "attrs", "text"]), json_values))
def test_anything_in_place_of_adf_becomes_printable_text(document: dict[str, Any]) -> None:
    assert not NEVER_SHOWN.search(adf_to_text(document))
