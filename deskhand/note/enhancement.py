"""What a note says, before it is put into words of Markdown. Every writer fills this in; one template prints it."""

from typing import Literal

from plugins.types import Value
from workflows.contracts import SimilarTicket

Confidence = Literal["high", "medium", "low", "none"]


class Enhancement(Value):
    """A note's content. Texts are plain: whatever stands in them is printed as itself, never as Markdown."""

    summary: str
    """What the ticket is about, one or two sentences."""
    likely_cause: str = ""
    """Empty where no source supports one."""
    next_steps: tuple[str, ...] = ()
    similar: tuple[SimilarTicket, ...] = ()
    """Earlier tickets that support the above, best first."""
    confidence: Confidence
    confidence_reason: str
    sources_used: tuple[str, ...] = ()
    sources_missing: tuple[str, ...] = ()
    writer: str
    """How the note came about, in words for its footer."""
