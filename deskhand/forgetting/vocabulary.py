"""Deskhand's own words in what runs hold. A person whose name is among them would be found in every run."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import cache
from typing import Any, get_args

from deskhand.note.extractive import enhancement
from deskhand.note.template import to_markdown
from plugins.registry import load_plugins
from plugins.types import EventKind, Priority, TenantMode, TenantSettings, TicketContext
from workflows import contracts, policies
from workflows.contracts import ACTIVITIES, GatheredContext, Outcome, SimilarTicket, Verdict, Waiting, WriteNoteInput

_ENUMS: tuple[type[StrEnum], ...] = (EventKind, TenantMode, Outcome, Waiting)
_TICKET = TicketContext(ticket_id="§")
_SIMILAR = SimilarTicket(ticket_id="§", subject="§", resolution="§", score=1)
_SITUATIONS = (
    GatheredContext(),
    GatheredContext(missing=("the history of earlier tickets",)),
    GatheredContext(searched=1),
    GatheredContext(searched=1, similar=(_SIMILAR,)),
    GatheredContext(searched=2, similar=(_SIMILAR, _SIMILAR)),
)


@cache
def own_words() -> frozenset[str]:
    """Fixed texts of every kind of run, without case: names of steps and tools, outcomes, summaries, empty notes."""
    return frozenset(text.casefold() for text in _texts() if text)


def _texts() -> Iterator[str]:
    for kind in _ENUMS:
        yield from kind
    yield from get_args(Priority)
    yield from get_args(Verdict.model_fields["verdict"].annotation)
    yield from get_args(contracts.Delivery.model_fields["origin"].annotation)
    yield from (ref.name for ref in ACTIVITIES)
    yield from (value for name, value in vars(contracts).items() if name.isupper() and isinstance(value, str))
    yield from (policy.summary for policy in vars(policies).values() if isinstance(policy, policies.Policy))
    yield from _strings(TenantSettings().model_dump().values())
    for tool, plugin in load_plugins().classes.items():
        yield tool
        yield from plugin.signature_schemes
    for subject, description in (("", ""), ("§", ""), ("§", "§")):
        ticket = _TICKET.model_copy(update={"subject": subject, "description": description})
        for context in _SITUATIONS:
            given = WriteNoteInput(tool="§", ref="§", ticket=ticket, context=context)
            yield to_markdown(enhancement(given), given.ref)


def _strings(values: Iterable[Any]) -> Iterator[str]:
    return (value for value in values if isinstance(value, str))
