"""What an activity takes, returns or fails with stays far below Temporal's limits, whatever tool or plugin says.

Temporal refuses a payload over 2 MB. The delivery alone may be larger than the bound here: it is as large as the door
lets a body be (`Settings.max_body_bytes`), which has a limit of its own.
"""

from datetime import UTC, datetime

import pytest
from pydantic import BaseModel
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.failures import failure
from deskhand.crypto.codec import EncryptionCodec
from deskhand.crypto.keyring import Keyring
from plugins.exceptions import APIError, TicketRefusedError
from plugins.types import Comment, EventKind, TicketContext
from workflows.contracts import (
    ContextQuery,
    Extracted,
    GatheredContext,
    GetTicketInput,
    Metadata,
    Note,
    Outcome,
    RecordInput,
    RunResult,
    SimilarTicket,
    TicketAnswer,
    UpdateResult,
    UpdateTicketInput,
    Verdict,
    WriteNoteInput,
)

MOST = 128 * 1024
ID = "i" * 100
REF = "dh-000000000000"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEXTS = {"emoji": "😀" * 300_000, "quotes": '"' * 1_000_000, "control characters": "\x01" * 1_000_000}
"""Each grows in its own way on its way to JSON."""


def largest(text: str) -> list[BaseModel]:
    """Each value between workflow and activities but the delivery, with as much in it as activities put there."""
    ticket = TicketContext(
        ticket_id=ID,
        subject=text,
        description=text,
        status=text,
        category=text,
        url="u" * 500,
        comments=tuple(Comment(text=text, author=text) for _ in range(100)),
        resolution=text,
    )
    # The history holds what was recorded of a ticket like this, and a search returns five.
    similar = SimilarTicket(
        ticket_id=ID, subject=ticket.subject, resolution=ticket.resolution, url=ticket.url, score=1.0
    )
    context = GatheredContext(similar=(similar,) * 5, missing=("the history of earlier tickets",))
    metadata = Metadata(tenant_id=ID, ticket_id=ID, description=text, priority="high", created_at=NOW)
    note = Note(markdown=text[:16_000], writer="extractive")
    said = str(TicketRefusedError(text))
    return [
        Verdict(verdict="invalid", reason=said),
        Extracted(metadata=metadata, kind=EventKind.CREATED),
        GetTicketInput(tool="jira", metadata=metadata),
        TicketAnswer(ticket=ticket),
        TicketAnswer(ticket=None, refused=said),
        ContextQuery(tool="jira", tenant_id=ID, ticket_id=ID, subject=text, text=text),
        context,
        WriteNoteInput(tool="jira", ref=REF, ticket=ticket, context=context),
        note,
        UpdateTicketInput(tool="jira", tenant_id=ID, ticket_id=ID, ref=REF, note=note.markdown),
        UpdateResult(result="refused", detail=said),
        RecordInput(tool="jira", tenant_id=ID, version=ID, ticket=ticket, resolved_at=NOW),
        RunResult(outcome=Outcome.DRY_RUN, ref=REF, detail=said, note=note.markdown),
    ]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
async def test_values_are_bounded_as_they_are_stored(text: str) -> None:
    codec = EncryptionCodec(Keyring.parse(Keyring.generate_text("p")), allow_plaintext=False)
    for value in largest(text):
        (sealed,) = await codec.encode(await pydantic_data_converter.encode([value]))
        assert sealed.ByteSize() < MOST, type(value).__name__


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("kind", [APIError, ValueError])
def test_failures_are_bounded(kind: type[Exception], text: str) -> None:
    failed = failure(kind(text), attempt=1)
    assert len(failed.message.encode()) < 4 * 1024
    assert len(str(failed.details)) < 1024
