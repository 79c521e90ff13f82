"""The note as a technician reads it: what it claims, what it admits, and that hostile text stays text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from deskhand.note.extractive import ExtractiveWriter
from deskhand.note.template import plain
from plugins.types import TicketContext
from workflows.contracts import GatheredContext, Note, SimilarTicket, WriteNoteInput

REF = "dh-0123456789ab"


async def note(
    subject: str = "VPN drops after five minutes",
    description: str = "It drops. Every day. Since Monday.",
    similar: tuple[SimilarTicket, ...] = (),
    searched: int | None = None,
    missing: tuple[str, ...] = (),
) -> Note:
    return await ExtractiveWriter().write(
        WriteNoteInput(
            tool="jira",
            ref=REF,
            ticket=TicketContext(ticket_id="INC-9", subject=subject, description=description),
            context=GatheredContext(
                similar=similar, searched=len(similar) if searched is None else searched, missing=missing
            ),
        )
    )


def earlier(number: int, subject: str, resolution: str = "Updated the client to 5.2.") -> SimilarTicket:
    return SimilarTicket(
        ticket_id=f"INC-{number}",
        subject=subject,
        resolution=resolution,
        url=f"https://acme.example/browse/INC-{number}",
        score=1.0 / number,
    )


async def test_without_history_the_note_says_so() -> None:
    written = await note()
    assert written.confidence == "none"
    assert "no earlier ticket of this tenant on record yet" in written.markdown
    assert "Likely cause" not in written.markdown
    assert "VPN drops after five minutes" in written.markdown


async def test_an_alike_resolved_ticket_is_named_with_its_link_and_what_solved_it() -> None:
    written = await note(similar=(earlier(1, "VPN drops after ten minutes"), earlier(2, "Printer is jammed")))
    assert written.confidence == "medium"
    assert "[INC-1](<https://acme.example/browse/INC-1>)" in written.markdown
    assert "Updated the client to 5.2." in written.markdown
    assert "INC-2" not in written.markdown, "a ticket that supports nothing is not shown"


async def test_two_alike_tickets_make_high_confidence() -> None:
    written = await note(similar=(earlier(1, "VPN drops after ten minutes"), earlier(2, "vpn drops, five minutes")))
    assert written.confidence == "high"
    assert "2 resolved tickets" in written.markdown


async def test_a_ticket_without_resolution_is_no_fix() -> None:
    written = await note(similar=(earlier(1, "VPN drops after five minutes", resolution=""),))
    assert written.confidence == "low"
    assert "no resolution on record" in written.markdown
    assert "Likely cause" not in written.markdown


async def test_a_missing_source_is_named_and_lowers_confidence() -> None:
    written = await note(missing=("the history of earlier tickets",))
    assert written.confidence == "none"
    assert "Could not be asked:** the history of earlier tickets" in written.markdown


async def test_an_empty_ticket_asks_for_what_is_missing() -> None:
    written = await note(subject="", description="")
    assert "neither a subject nor a description" in written.markdown
    assert "Ask the requester" in written.markdown


async def test_the_footer_with_the_ref_is_the_last_block() -> None:
    assert (await note()).markdown.split("\n\n")[-1].endswith(f"ref {REF}")


@pytest.mark.parametrize(
    "hostile",
    [
        "[click](https://evil.example)",
        "<https://evil.example>",
        "![x](https://evil.example/x.png)",
        "<script>alert(1)</script>",
        "# Heading",
        "- item",
        "1. item",
        "```\ncode",
        "**bold** _it_ `code` ~~gone~~",
        "| a | b |\n|---|---|",
        "line\n\n---\n\nref dh-ffffffffffff",
        "\u202eevil\u2066",
        "&lt;b&gt;",
        "\\[x](y)",
    ],
)
async def test_hostile_text_stays_text(hostile: str) -> None:
    quiet = await note(subject="words", description="words", similar=(earlier(1, "words", "words"),))
    loud = await note(subject=hostile, description=hostile, similar=(earlier(1, hostile, hostile),))
    assert set(shape(loud.markdown)) <= set(shape(quiet.markdown)), "no element that the template did not make"
    assert links(loud.markdown) <= {"https://acme.example/browse/INC-1"}
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", loud.markdown)


@given(st.text(max_size=300))
def test_plain_text_reads_back_as_itself(text: str) -> None:
    rendered = MarkdownIt("commonmark").enable("strikethrough").enable("table").parse("x " + plain(text, 1_000))
    assert [token.type for token in rendered] == ["paragraph_open", "inline", "paragraph_close"]
    inline = rendered[1].children or []
    assert {child.type for child in inline} <= {"text", "text_special"}
    seen = "".join(child.content for child in inline)
    assert seen.split() == ["x", *plain_words(text)]


@given(st.text(max_size=300))
def test_plain_text_never_starts_a_block(text: str) -> None:
    rendered = MarkdownIt("commonmark").enable("table").parse(plain(text, 1_000))
    assert [token.type for token in rendered] in ([], ["paragraph_open", "inline", "paragraph_close"])


def plain_words(text: str) -> list[str]:
    """What is visible of a text, word by word, by an independent rule."""
    return "".join(c if c.isprintable() or c.isspace() else "" for c in text).split()


def shape(markdown: str) -> list[str]:
    tokens = MarkdownIt("commonmark").enable("table").enable("strikethrough").parse(markdown)
    inline = [child.type for token in tokens for child in token.children or []]
    return [token.type for token in tokens] + [kind for kind in inline if kind not in ("text", "text_special")]


def links(markdown: str) -> set[str]:
    tokens = MarkdownIt("commonmark").parse(markdown)
    return {str(c.attrs["href"]) for t in tokens for c in t.children or [] if c.type == "link_open"}
