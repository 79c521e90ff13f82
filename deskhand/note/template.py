"""An `Enhancement` as Markdown. Ticket text is hostile: it is printed as itself, and only a source's URL is a link."""

import re
import unicodedata

from deskhand.note.enhancement import Enhancement
from workflows.contracts import SimilarTicket

SUBJECT = 120
RESOLUTION = 400
SENTENCE = 500

_MEANS_SOMETHING = re.compile(r"([\\`*_\[\]<>#|~&!()])")
_STARTS_A_BLOCK = re.compile(r"^([-+=]|\d{1,9}(?=[.)]))")
_URL = re.compile(r"https?://[^\s<>()\[\]\"'`\\]+")


def to_markdown(said: Enhancement, ref: str) -> str:
    """The whole note. Its last block is the footer with `ref`, which renderers keep whole when they shorten."""
    blocks = [f"**What this looks like:** {plain(said.summary, SENTENCE)}"]
    if said.likely_cause:
        blocks.append(f"**Likely cause:** {plain(said.likely_cause, SENTENCE)}")
    if said.similar:
        fixes = "\n".join(f"- {_similar(ticket)}" for ticket in said.similar)
        blocks.append(f"**Similar tickets, and what solved them**\n\n{fixes}")
    if said.next_steps:
        steps = "\n".join(f"{number}. {plain(step, SENTENCE)}" for number, step in enumerate(said.next_steps, 1))
        blocks.append(f"**Next steps**\n\n{steps}")
    blocks.append(f"**Confidence: {said.confidence}.** {plain(said.confidence_reason, SENTENCE)}")
    blocks.append(_sources(said))
    blocks.append(f"*Deskhand, {plain(said.writer, SENTENCE)}. Private: the requester does not see this.* ref {ref}")
    return "\n\n".join(blocks)


def _similar(ticket: SimilarTicket) -> str:
    number = plain(ticket.ticket_id, SUBJECT)
    # Angle brackets keep every character of an address that `_URL` lets through from ending the link early.
    name = f"[{number}](<{ticket.url}>)" if _URL.fullmatch(ticket.url) else number
    solved = f"solved by: {plain(ticket.resolution, RESOLUTION)}" if ticket.resolution else "no resolution on record"
    return f"{name} {plain(ticket.subject, SUBJECT)}: {solved}"


def _sources(said: Enhancement) -> str:
    used = "; ".join(plain(source, SENTENCE) for source in said.sources_used) or "none"
    missing = "; ".join(plain(source, SENTENCE) for source in said.sources_missing)
    return f"**Sources:** {used}." + (f" **Could not be asked:** {missing}." if missing else "")


def plain(text: str, limit: int) -> str:
    """Text of unknown origin as one line that Markdown takes literally, of `limit` characters at most before escaping.

    Control and bidirectional characters go: they could hide or reorder what a technician reads.
    """
    visible = "".join(
        " " if character.isspace() else character
        for character in text
        if character.isspace() or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    line = shortened(" ".join(visible.split()), limit)
    return _STARTS_A_BLOCK.sub(r"\\\1" if line[:1] in "-+=" else r"\1\\", _MEANS_SOMETHING.sub(r"\\\1", line))


def shortened(line: str, limit: int) -> str:
    """The line, cut between words with an ellipsis where it is longer than `limit` characters."""
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    at_word, _, _ = cut.rpartition(" ")
    return (at_word if len(at_word) > limit // 2 else cut).rstrip(",;:. ") + "…"
