"""What of all that is on record must not be."""

import asyncio
from collections.abc import Iterator, Sequence

from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from tests.chaos.records import AT_ONCE, Record, Records
from tests.chaos.sending import Delivered
from tests.chaos.setting import Setting
from tests.chaos.settling import Settled
from tests.support.desk import note_text
from workflows.contracts import Outcome

ANSWERS = (202, 200, 503, None)
"""What an authentic webhook may be answered, whatever is down: never 401 for "I could not look", nor 500."""
MARK = "dh-"
"""How a note's `ref` begins."""


async def lost(setting: Setting, deliveries: Sequence[Delivered]) -> list[str]:
    """The tickets, a line each, whose webhook was admitted and of which Temporal knows nothing.

    To be asked once the spool is empty, and before anything is reconciled, which would heal what must not happen.
    """
    turn = asyncio.Semaphore(AT_ONCE)

    async def is_known(delivered: Delivered) -> bool:
        async with turn:
            try:
                await setting.desk.client.get_workflow_handle(delivered.run).describe()
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    return False
                raise
            return True

    admitted = [delivered for delivered in deliveries if delivered.admitted]
    known = await asyncio.gather(*map(is_known, admitted))
    return [
        f"{delivered.where}: no run, though it was admitted: answers {delivered.answers}"
        for delivered, there in zip(admitted, known, strict=True)
        if not there
    ]


def violations(records: Records, settled: Settled, accidents: Sequence[str]) -> Iterator[str]:
    """What must not be, a line each. `accidents` are what went wrong besides."""
    yield from accidents
    if settled.still_open:
        yield f"{settled.still_open} runs are still open"
    if settled.in_spool:
        yield f"the spool still holds {settled.in_spool} orders"
    if settled.quarantined:
        yield f"the spool's quarantine holds {settled.quarantined} orders"
    for record in records.tickets:
        for wrong in wrongs(record):
            yield f"{record.delivered.where}: {wrong}; {_told(record)}"


def wrongs(record: Record) -> Iterator[str]:
    """What is wrong with one ticket."""
    if odd := {status for status in record.delivered.answers if status not in ANSWERS}:
        yield f"answers that no authentic webhook may get ({', '.join(map(str, sorted(odd)))})"
    yield from _wrong_notes(record)
    yield from _wrong_run(record)


def _wrong_notes(record: Record) -> Iterator[str]:
    ref = record.delivered.ref
    ours = [note for note in record.notes if ref in note_text(note)]
    if len(ours) > 1:
        yield f"{len(ours)} notes"
    if not ours:
        yield "no note"
    if any(not note["private"] for note in record.notes):
        yield "a public note"
    if len(record.notes) > len(ours):
        marks = {word for note in record.notes for word in note_text(note).split() if word.startswith(MARK)} - {ref}
        yield f"a note of another ticket ({', '.join(sorted(marks)) or 'no mark'})"


def _wrong_run(record: Record) -> Iterator[str]:
    run = record.run
    if run is None:
        yield "no run"
        return
    if run.status != WorkflowExecutionStatus.COMPLETED.name:
        yield f"the run is {run.status}"
    elif run.outcome != Outcome.POSTED:
        yield f"the run's outcome is {run.outcome}"
    if run.starts > 1:
        yield f"{run.starts} runs"


def _told(record: Record) -> str:
    run = record.run
    of_run = f"run {run.status} {run.outcome}, parked {run.parked}, more tries {dict(run.tries)}" if run else "no run"
    return f"answers {record.delivered.answers}, {of_run}"
