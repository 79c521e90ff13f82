"""The values that cross the workflow boundary, and the activities by name.

What stands here is stored in histories: unknown fields are ignored, new ones get defaults, none is ever renamed. Every
model is frozen, and its validation errors never quote the input.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from plugins.types import (
    Description,
    EventKind,
    Excerpt,
    Line,
    Priority,
    TenantMode,
    TenantSettings,
    TicketContext,
    Value,
)

TASK_QUEUE = "deskhand"
ENHANCE_TICKET = "EnhanceTicket"
RECORD_RESOLUTION = "RecordResolution"


class Delivery(Value):
    """One delivery as the door took it. The raw bytes cross as base64: signatures cover bytes, not JSON."""

    # `Base64Bytes` would decode on the way in and corrupt what was never encoded.
    model_config = ConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, ser_json_bytes="base64", val_json_bytes="base64"
    )

    tool: str
    tenant_id: str
    raw: bytes
    signature: str = ""
    """What `signature_from` made of the headers; a digest where the header was the secret."""
    received_at: datetime
    origin: Literal["webhook", "reconcile", "preview"] = "webhook"
    """All but `webhook` carry no signature: only a holder of the payload key can make such an input."""


class Outcome(StrEnum):
    """How a run ended; the search attribute `DeskhandOutcome`."""

    POSTED = "posted"
    DRY_RUN = "dry_run"
    RECORDED = "recorded"
    IGNORED = "ignored"
    NOT_FOUND = "not_found"
    REFUSED = "refused"
    UNCONFIRMED = "unconfirmed"
    # The run failed:
    REJECTED = "rejected"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class RunInput(Value):
    """The input of `EnhanceTicket` and `RecordResolution`."""

    delivery: Delivery


class RunResult(Value):
    """What a run that completed came to."""

    outcome: Outcome
    ref: str = ""
    detail: str = ""
    """One plain sentence for the engineer who opens the run."""
    note: str = ""
    """The note in Markdown, only where it was not posted (`dry_run`)."""


class Verdict(Value):
    """Whether a delivery is authentic, as of when it was received, and what its tenant wants done."""

    verdict: Literal["valid", "vouched", "invalid"]
    reason: str = ""
    mode: TenantMode = TenantMode.LIVE
    settings: TenantSettings = Field(default_factory=TenantSettings)


class ExtractInput(Value):
    """The delivery, and the plain settings that its verdict named."""

    delivery: Delivery
    settings: TenantSettings


class Metadata(Value):
    """The interface reference's `TicketMetadata`, frozen."""

    tenant_id: str
    ticket_id: str
    description: Description
    """Bounded: the whole of it stands in the delivery, and may be as large as a body may be."""
    priority: Priority
    created_at: datetime


class Extracted(Value):
    """What the payload says."""

    metadata: Metadata
    kind: EventKind
    version: str = ""
    """Tells one resolution of a ticket from the next; empty for other kinds."""


class GetTicketInput(Value):
    """Which ticket to get, and what the webhook already said of it."""

    tool: str
    metadata: Metadata


class TicketAnswer(Value):
    """The ticket as bounded text, or `None` if the tool has none. Never the vendor's raw JSON."""

    ticket: TicketContext | None
    refused: str = ""
    """The vendor's words, where it refuses the ticket for good; then there is no ticket."""


class ContextQuery(Value):
    """What to look for in the tenant's own history, 2 KB at most."""

    tool: str
    tenant_id: str
    ticket_id: str
    subject: Line
    text: Excerpt
    language: str = "english"


class SimilarTicket(Value):
    """One earlier ticket of the same tenant, and how it was solved."""

    ticket_id: str
    subject: str
    resolution: str = ""
    url: str = ""
    resolved_at: datetime | None = None
    score: float
    """Rank within this search, higher is nearer; comparable within one search only."""


class GatheredContext(Value):
    """Similar tickets, best first, and which sources could not be asked."""

    similar: tuple[SimilarTicket, ...] = ()
    searched: int = 0
    """How many tickets of this tenant the history holds."""
    missing: tuple[str, ...] = ()
    """Sources that could not be asked, in words for the note."""


class WriteNoteInput(Value):
    """What the note is written from."""

    tool: str
    ref: str
    ticket: TicketContext
    context: GatheredContext
    writer: Literal["model", "extractive"] = "extractive"


class Note(Value):
    """The note in Markdown, its footer with `ref` last."""

    markdown: Annotated[str, Field(max_length=16_000)]
    writer: str
    confidence: Literal["high", "medium", "low", "none"] = "none"


class UpdateTicketInput(Value):
    """Where the note goes."""

    tool: str
    tenant_id: str
    ticket_id: str
    ref: str
    note: str


class UpdateResult(Value):
    """What became of the note. `found` means that an earlier attempt's note is already there."""

    result: Literal["posted", "found", "refused", "unconfirmed"]
    detail: str = ""


class RecordInput(Value):
    """A resolved ticket for the tenant's history."""

    tool: str
    tenant_id: str
    version: str
    ticket: TicketContext
    resolved_at: datetime


class Recorded(Value):
    """Whether the history took the ticket; `False`: it already had this or a later version."""

    changed: bool


TakesT = TypeVar("TakesT", bound=BaseModel)
ReturnsT = TypeVar("ReturnsT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ActivityRef(Generic[TakesT, ReturnsT]):
    """An activity by name, with the models it takes and returns. A test holds the worker to these."""

    name: str
    takes: type[TakesT]
    returns: type[ReturnsT]


VALIDATE_WEBHOOK = ActivityRef("validate_webhook", Delivery, Verdict)
EXTRACT_METADATA = ActivityRef("extract_metadata", ExtractInput, Extracted)
GET_TICKET = ActivityRef("get_ticket", GetTicketInput, TicketAnswer)
GATHER_CONTEXT = ActivityRef("gather_context", ContextQuery, GatheredContext)
WRITE_NOTE = ActivityRef("write_note", WriteNoteInput, Note)
UPDATE_TICKET = ActivityRef("update_ticket", UpdateTicketInput, UpdateResult)
RECORD_TICKET = ActivityRef("record_ticket", RecordInput, Recorded)

ACTIVITIES: tuple[ActivityRef[BaseModel, BaseModel], ...] = (
    VALIDATE_WEBHOOK,  # type: ignore[assignment]
    EXTRACT_METADATA,
    GET_TICKET,
    GATHER_CONTEXT,
    WRITE_NOTE,
    UPDATE_TICKET,
    RECORD_TICKET,
)
