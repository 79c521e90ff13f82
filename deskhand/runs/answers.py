"""What each activity answered, in a few words. Nothing of a ticket's content is among them."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from deskhand.runs.wording import one_line
from plugins.types import TenantMode
from workflows import contracts
from workflows.contracts import (
    Extracted,
    GatheredContext,
    Note,
    Recorded,
    Sighting,
    TicketAnswer,
    UpdateResult,
    Verdict,
)

RETURNS: Mapping[str, type[BaseModel]] = {ref.name: ref.returns for ref in contracts.ACTIVITIES}
"""The model of each activity's result, by the activity's name."""


def answered(result: Any) -> str:
    """The result of an activity in a few words, on one line; empty for one that says nothing to an operator."""
    words = _WORDS.get(type(result))
    return one_line(words(result)) if words else ""


def _verdict(verdict: Verdict) -> str:
    said = [verdict.verdict + (f": {verdict.reason}" if verdict.reason else "")]
    if verdict.mode is not TenantMode.LIVE:
        said.append(f"the tenant is on {verdict.mode}")
    return ", ".join(said)


def _extracted(extracted: Extracted) -> str:
    return f"{extracted.kind}, priority {extracted.metadata.priority}"


def _ticket(answer: TicketAnswer) -> str:
    if answer.refused:
        return f"refused: {answer.refused}"
    return "there it is" if answer.ticket else "there is no such ticket"


def _context(context: GatheredContext) -> str:
    missing = f"; missing: {', '.join(context.missing)}" if context.missing else ""
    return f"{len(context.similar)} similar of {context.searched} earlier tickets{missing}"


def _note(note: Note) -> str:
    return f"{len(note.markdown)} characters by the {note.writer} writer, confidence {note.confidence}"


def _update(update: UpdateResult) -> str:
    return f"{update.result}: {update.detail}" if update.detail else update.result


def _sighting(sighting: Sighting) -> str:
    return {True: "the note is there", False: "the note is not there", None: "cannot tell"}[sighting.found]


def _recorded(recorded: Recorded) -> str:
    return "kept" if recorded.changed else "the history already had this or a later one"


_WORDS: Mapping[type[BaseModel], Callable[[Any], str]] = {
    Verdict: _verdict,
    Extracted: _extracted,
    TicketAnswer: _ticket,
    GatheredContext: _context,
    Note: _note,
    UpdateResult: _update,
    Sighting: _sighting,
    Recorded: _recorded,
}
