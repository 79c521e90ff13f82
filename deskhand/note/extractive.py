"""The writer that needs no model and no network: it says only what the ticket and the tenant's own history say."""

import re
from dataclasses import dataclass

from deskhand.note.enhancement import Confidence, Enhancement
from deskhand.note.template import shortened, to_markdown
from workflows.contracts import GatheredContext, Note, SimilarTicket, WriteNoteInput

SHOWN = 3
"""Similar tickets that a note names. Past a few a technician stops reading."""
ALIKE = 0.5
"""Share of the new subject's telling words that an earlier subject must have to count as alike."""

_WORD = re.compile(r"\w{3,}")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
# Words that many subjects share whatever they are about.
_EMPTY_WORDS = frozenset(
    _WORD.findall(
        "and are but can cannot does for from has have how into its not our out please since that the their them there "
        "they this urgent was when who why will with you your help issue problem ticket error after again "
        "aber auf bei bitte das dem den der die ein eine für hat ich ist keine kein mit nach nicht oder seit und von"
    )
)


@dataclass(frozen=True, slots=True)
class ExtractiveWriter:
    """An honest note from history alone."""

    async def write(self, given: WriteNoteInput) -> Note:
        """The note in Markdown."""
        said = enhancement(given)
        return Note(markdown=to_markdown(said, given.ref), writer="extractive", confidence=said.confidence)


def enhancement(given: WriteNoteInput) -> Enhancement:
    """What can be said of the ticket without guessing."""
    ticket, context = given.ticket, given.context
    words = _telling(ticket.subject) or _telling(ticket.description)
    solved = [t for t in context.similar if t.resolution]
    alike = [t for t in solved if _share(words, t) >= ALIKE]
    shown = tuple((alike or solved or list(context.similar))[:SHOWN])
    confidence, reason = _confidence(context, alike, solved)
    return Enhancement(
        summary=_summary(given),
        likely_cause=(
            f"The same as in {alike[0].ticket_id} ({alike[0].subject}), whose subject shares most of its words."
            if alike
            else ""
        ),
        next_steps=_steps(alike, solved, has_description=bool(ticket.description)),
        similar=shown,
        confidence=confidence,
        confidence_reason=reason,
        sources_used=_used(given),
        sources_missing=context.missing,
        writer="without a model",
    )


def _summary(given: WriteNoteInput) -> str:
    ticket = given.ticket
    said = " ".join(_SENTENCE_END.split(" ".join(ticket.description.split()))[:2])
    if ticket.subject and said:
        return f"{ticket.subject.rstrip('.')}. In the requester's words: “{shortened(said, 300)}”"
    return ticket.subject or shortened(said, 400) or "The ticket has neither a subject nor a description."


def _steps(alike: list[SimilarTicket], solved: list[SimilarTicket], *, has_description: bool) -> tuple[str, ...]:
    steps = [f"Check whether what solved {t.ticket_id} applies here: {shortened(t.resolution, 200)}" for t in alike[:2]]
    if not alike and solved:
        steps.append(f"Read {solved[0].ticket_id} first: it is the nearest resolved ticket, though not clearly alike.")
    if not has_description:
        steps.append("Ask the requester what exactly happens and since when: the ticket has no description.")
    return tuple(steps)


def _confidence(
    context: GatheredContext, alike: list[SimilarTicket], solved: list[SimilarTicket]
) -> tuple[Confidence, str]:
    if context.missing:
        return "none", "The history could not be searched, so nothing here rests on earlier tickets."
    if context.searched == 0:
        return "none", "There is no earlier ticket of this tenant on record yet, so there is nothing to compare with."
    if len(alike) > 1:
        return "high", f"{len(alike)} resolved tickets of this tenant have nearly the same subject."
    if alike:
        return "medium", "One resolved ticket of this tenant has nearly the same subject."
    if solved:
        return "low", "Earlier tickets share some words with this one, but none is clearly about the same."
    if context.similar:
        return "low", "Earlier tickets look similar, but none has its resolution on record."
    return "none", f"None of the {context.searched} earlier tickets on record looks similar."


def _used(given: WriteNoteInput) -> tuple[str, ...]:
    ticket = f"this ticket in {given.tool}"
    if given.context.missing:
        return (ticket,)
    return (ticket, f"{given.context.searched} earlier tickets of this tenant")


def _telling(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold())) - _EMPTY_WORDS


def _share(words: frozenset[str], ticket: SimilarTicket) -> float:
    return len(words & _telling(ticket.subject)) / len(words) if words else 0.0
