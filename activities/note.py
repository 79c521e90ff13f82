"""The activities around the note: similar tickets in, Markdown out, resolutions kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from temporalio import activity

from activities.failures import as_failures
from workflows import contracts
from workflows.contracts import ContextQuery, GatheredContext, Note, Recorded, RecordInput, WriteNoteInput


class TicketHistory(Protocol):
    """A tenant's earlier tickets."""

    async def search(self, query: ContextQuery) -> GatheredContext:
        """Similar tickets, best first."""
        ...

    async def record(self, ticket: RecordInput) -> bool:
        """Keep a resolved ticket; whether that changed anything."""
        ...


class NoteWriter(Protocol):
    """Turns what is known into a note."""

    async def write(self, given: WriteNoteInput) -> Note:
        """The note in Markdown, its footer with `ref` last."""
        ...


@dataclass(frozen=True, slots=True)
class GatherContext:
    """Looks for similar tickets in the tenant's own history."""

    history: TicketHistory

    @activity.defn(name=contracts.GATHER_CONTEXT.name)
    async def run(self, query: ContextQuery) -> GatheredContext:
        """What was found, and which sources could not be asked."""
        with as_failures():
            return await self.history.search(query)


@dataclass(frozen=True, slots=True)
class WriteNote:
    """Has the note written by the writer that the workflow names."""

    writers: Mapping[str, NoteWriter]

    @activity.defn(name=contracts.WRITE_NOTE.name)
    async def run(self, given: WriteNoteInput) -> Note:
        """The note in Markdown."""
        with as_failures():
            return await self.writers[given.writer].write(given)


@dataclass(frozen=True, slots=True)
class RecordTicket:
    """Keeps a resolved ticket in the tenant's history."""

    history: TicketHistory

    @activity.defn(name=contracts.RECORD_TICKET.name)
    async def run(self, ticket: RecordInput) -> Recorded:
        """Whether the history took it."""
        with as_failures():
            return Recorded(changed=await self.history.record(ticket))
