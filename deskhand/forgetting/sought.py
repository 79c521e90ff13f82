"""What is to be forgotten, and how a value mentions it: by itself, or only as a quotation of another ticket."""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

from deskhand.forgetting.terms import Terms

QUOTING = frozenset({"similar", "markdown", "note"})
"""Fields of our contracts in which a run holds what it has from the history of other tickets: those that it found alike
(`GatheredContext`), and the note that was made of them."""

_DEPTH = 60
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
"""In either alphabet: pydantic writes bytes in the one for URLs."""
_FOR_URLS = str.maketrans("-_", "+/")


class Mention(IntEnum):
    """How a run mentions what is to be forgotten; the strongest counts."""

    NONE = 0
    QUOTED = 1
    """It is the run of another ticket, and has it only from the history."""
    OWN = 2
    """The run is about it: its delivery, its ticket, or anything else that would bring it back."""


class Sought(Protocol):
    """What is to be forgotten of one tenant."""

    @property
    def strongest(self) -> Mention:
        """The most that `mention_in` can say."""
        ...

    def is_ticket(self, ticket_id: str) -> bool:
        """Whether all that is about this ticket is meant."""
        ...

    def mention_in(self, value: Any) -> Mention:
        """How a value mentions it: out of JSON, or a plain text."""
        ...

    def in_row(self, ticket_id: str, texts: tuple[str, ...]) -> bool:
        """Whether a row of the ticket history is meant."""
        ...


@dataclass(frozen=True, slots=True)
class Ticket:
    """One ticket by its id, as the tool writes it."""

    tool: str
    id: str

    @property
    def strongest(self) -> Mention:
        """See `Sought`."""
        return Mention.QUOTED

    def is_ticket(self, ticket_id: str) -> bool:
        """See `Sought`."""
        return ticket_id == self.id

    def mention_in(self, value: Any) -> Mention:
        """See `Sought`: whether it is among a run's similar tickets."""
        return Mention.QUOTED if any(found == self.id for found in _similar(value)) else Mention.NONE

    def in_row(self, ticket_id: str, texts: tuple[str, ...]) -> bool:
        """See `Sought`."""
        del texts
        return ticket_id == self.id


@dataclass(frozen=True, slots=True)
class Requester:
    """One person, by what they are known by."""

    terms: Terms

    @property
    def strongest(self) -> Mention:
        """See `Sought`."""
        return Mention.OWN

    def is_ticket(self, ticket_id: str) -> bool:
        """See `Sought`: a person is not known by a ticket's id."""
        del ticket_id
        return False

    def mention_in(self, value: Any) -> Mention:
        """See `Sought`."""
        strongest = Mention.NONE
        for text, quoted in texts_of(value):
            if (not quoted or strongest is Mention.NONE) and self.terms.occur_in(text):
                if not quoted:
                    return Mention.OWN
                strongest = Mention.QUOTED
        return strongest

    def in_row(self, ticket_id: str, texts: tuple[str, ...]) -> bool:
        """See `Sought`."""
        return any(self.terms.occur_in(text) for text in (ticket_id, *texts))


def texts_of(value: Any, *, quoted: bool = False, ours: bool = True, depth: int = 0) -> Iterator[tuple[str, bool]]:
    """Every text in a value out of JSON, names of fields and numbers too, and whether it is a quotation.

    JSON inside of texts is looked into, and base64, as which a delivery's raw bytes are kept: what those hold is
    nobody's quotation, whatever its fields are called.

    Args:
        quoted: whether the value is part of a quotation.
        ours: whether the names of its fields are those of our contracts.
        depth: how deep inside the value it is.
    """
    if depth > _DEPTH:
        yield json.dumps(value, ensure_ascii=False), quoted
    elif isinstance(value, dict):
        for name, part in value.items():
            if not ours:
                yield str(name), quoted
            yield from texts_of(part, quoted=quoted or (ours and name in QUOTING), ours=ours, depth=depth + 1)
    elif isinstance(value, list):
        for part in value:
            yield from texts_of(part, quoted=quoted, ours=ours, depth=depth + 1)
    elif isinstance(value, str):
        yield value, quoted
        inner = _inside(value)
        if inner is not None:
            yield from texts_of(inner, quoted=quoted, ours=False, depth=depth + 1)
        raw = _decoded(value)
        if raw is not None:
            yield from texts_of(raw, ours=False, depth=depth + 1)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value), quoted


def parsed(text: str) -> Any:
    """The value that a text is as JSON, or the text itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _inside(text: str) -> Any:
    """What is in a text that is itself JSON."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    value = parsed(text)
    return None if isinstance(value, str) else value


def _decoded(text: str) -> str | None:
    """What is in a text that is base64 of another."""
    if len(text) % 4 or not _BASE64.fullmatch(text):
        return None
    try:
        return base64.b64decode(text.translate(_FOR_URLS), validate=True).decode()
    except (binascii.Error, ValueError):
        return None


def _similar(value: Any) -> Iterator[Any]:
    """The ids of the tickets that a value holds as similar ones."""
    if isinstance(value, dict):
        for name, part in value.items():
            if name == "similar" and isinstance(part, list):
                yield from (ticket.get("ticket_id") for ticket in part if isinstance(ticket, dict))
            else:
                yield from _similar(part)
    elif isinstance(value, list):
        for part in value:
            yield from _similar(part)
