"""Whatever a vendor sends, a ticket stays small enough for a history and can be stored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.types import MAX_COMMENTS, Comment, TenantSettings, TicketContext

CHARACTERS = st.sampled_from(["a", "ä", "я", "漢", "😀", '"', "\\", "\n", "\t", "\x00", "\ud83d", "\u202e"])


@given(CHARACTERS, CHARACTERS, st.integers(0, 20_000))
def test_a_ticket_is_32_kb_at_most_in_any_script(one: str, other: str, length: int) -> None:
    text = (one + other) * length
    ticket = TicketContext(
        ticket_id="x" * 100,
        subject=text,
        description=text,
        status=text,
        category=text,
        url="https://vendor.example/" + "x" * 470,
        comments=tuple(Comment(text=text, author=text) for _ in range(15)),
        resolution=text,
    )
    assert len(ticket.model_dump_json().encode()) <= 32 * 1024
    assert TicketContext.model_validate_json(ticket.model_dump_json()) == ticket


def test_what_is_cut_shows_it_and_what_fits_is_whole() -> None:
    assert TicketContext(ticket_id="1", subject="x" * 400).subject == "x" * 400
    assert TicketContext(ticket_id="1", subject="x" * 401).subject == "x" * 397 + "…"


def test_the_last_comments_are_kept() -> None:
    ticket = TicketContext(ticket_id="1", comments=tuple(Comment(text=str(n)) for n in range(MAX_COMMENTS + 5)))
    assert [comment.text for comment in ticket.comments] == [str(n) for n in range(5, MAX_COMMENTS + 5)]


def test_half_a_surrogate_pair_does_not_keep_a_ticket_from_being_stored() -> None:
    assert TicketContext(ticket_id="1", subject="broken \ud83d emoji\x00").subject == "broken  emoji"


def test_settings_cannot_be_changed_by_who_is_handed_them() -> None:
    settings = TenantSettings(priorities={"P1": "high"})
    with pytest.raises(TypeError):
        settings.priorities["P2"] = "low"  # type: ignore[index]  # the point
    assert TenantSettings.model_validate_json(settings.model_dump_json()) == settings
