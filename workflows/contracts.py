"""The values that cross the workflow boundary, and the activities by name.

What stands here is stored in histories: unknown fields are ignored, new ones get defaults, none is ever renamed. Every
model is frozen, and its validation errors never quote the input.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

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


def resumed_queue(task_queue: str) -> str:
    """Where the attempts of runs that were parked go: at a bounded rate for each tenant, and past nobody else's."""
    return f"{task_queue}-resumed"


RESUMED_PER_SECOND = 5.0
"""How many of them are handed out a second for one tenant: its vendor has only just recovered."""

ENHANCE_TICKET = "EnhanceTicket"
RECORD_RESOLUTION = "RecordResolution"
RESUME = "resume"
"""The signal that has a parked run go on."""

RECONCILE = "Reconcile"
RECONCILE_REGULARLY = "ReconcileRegularly"


def reconcile_id(tenant_id: str) -> str:
    """The workflow id of a tenant's pass, so that there is one at a time; also the id of its schedule."""
    return f"reconcile:{tenant_id}"


def reconcile_queue(task_queue: str) -> str:
    """Where the walks over a tool's tickets go, which take minutes: they hold none of the slots that tickets need."""
    return f"{task_queue}-reconcile"


# `Base64Bytes` would decode on the way in and corrupt what was never encoded.
_WITH_BYTES = ConfigDict(
    frozen=True, extra="ignore", hide_input_in_errors=True, ser_json_bytes="base64", val_json_bytes="base64"
)


class Delivery(Value):
    """One delivery as the door took it. The raw bytes cross as base64: signatures cover bytes, not JSON."""

    model_config = _WITH_BYTES

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


class Waiting(StrEnum):
    """What a parked run waits for; the search attribute `DeskhandWaitingFor`."""

    VENDOR = "vendor"
    RATE_LIMIT = "rate_limit"
    CREDENTIALS = "credentials"
    CONFIGURATION = "configuration"
    PRIVACY = "privacy"
    STORAGE = "storage"
    OVERLOAD = "overload"
    PAUSED = "paused"
    FAULT = "fault"
    """An error that nobody foresaw: of ours, or of a plugin's."""


class Patience(Value):
    """When a parked run wakes by itself, and when it gives up. In seconds; each wait but the vendor's is jittered."""

    first: tuple[int, ...] = (60, 5 * 60, 15 * 60)
    hourly: int = 60 * 60
    hourly_until: int = 24 * 60 * 60
    later: int = 6 * 60 * 60
    deadline: int = 7 * 24 * 60 * 60
    """Counted from the run's start."""


class RunInput(Value):
    """The input of `EnhanceTicket` and `RecordResolution`."""

    delivery: Delivery
    patience: Patience = Field(default_factory=Patience)
    may_have_landed: bool = False
    """Whether an earlier run of the same ticket may have left the note: this one was started again."""


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
    may_have_landed: bool = False
    """Whether an attempt under an earlier policy may have left the note unseen."""


class UpdateResult(Value):
    """What became of the note. `found` means that an earlier attempt's note is already there."""

    result: Literal["posted", "found", "refused", "unconfirmed", "dry_run"]
    detail: str = ""
    look_again: bool = False
    """Whether an earlier attempt's note may still land beside this one."""


class LookInput(Value):
    """Which note to look for."""

    tool: str
    tenant_id: str
    ticket_id: str
    ref: str


class Sighting(Value):
    """Whether the note is on the ticket; `None`: the plugin cannot tell. What was there twice has been removed."""

    found: bool | None


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


class Walked(Value):
    """How far a pass over a tenant's recent tickets is."""

    model_config = _WITH_BYTES

    seen: int = 0
    """Tickets, each counted once: the sum of the next four."""
    started: int = 0
    """Runs that were started; in a dry run, that would be."""
    had_run: int = 0
    """Tickets that had their run already, whatever its outcome."""
    ignored: int = 0
    """Tickets whose payload asks for no note."""
    unusable: int = 0
    """Payloads that the plugin does not take."""
    missing: tuple[str, ...] = ()
    """In a dry run, the first workflow ids that would be started."""
    handled: bytes = b""
    """Eight bytes of a hash for each ticket that is done with, whoever goes on."""


class ReconcileInput(Value):
    """A pass: the tickets created since then, and how far it is where it goes on."""

    tool: str
    tenant_id: str
    since: AwareDatetime
    dry_run: bool = False
    """Nothing is started."""
    began: AwareDatetime | None = None
    """When the pass began, where it goes on."""
    walked: Walked = Field(default_factory=Walked)


class ReconcileStep(Value):
    """A part of a pass."""

    walked: Walked
    more: bool = False
    """Whether tickets are left."""
    held: str = ""
    """Why nothing is started for this tenant now, in words; empty where something is."""


class RegularInput(Value):
    """The input of the passes that a schedule starts."""

    tool: str
    tenant_id: str
    window_seconds: int
    """How far each looks back from when it starts; further where those before it failed."""


class Reconciled(Value):
    """What a pass came to; `walked` without what only those who go on need."""

    since: AwareDatetime
    began: AwareDatetime
    walked: Walked = Field(default_factory=Walked)
    complete: bool = True
    """Whether every ticket was seen: a pass ends at a number of them."""
    held: str = ""
    """Why nothing was done, in words."""
    caught_up: AwareDatetime
    """Every ticket created before this was seen: the next scheduled pass begins here or earlier."""


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
LOOK_AGAIN = ActivityRef("look_again", LookInput, Sighting)
RECORD_TICKET = ActivityRef("record_ticket", RecordInput, Recorded)
START_MISSING = ActivityRef("start_missing", ReconcileInput, ReconcileStep)

ACTIVITIES: tuple[ActivityRef[BaseModel, BaseModel], ...] = (
    VALIDATE_WEBHOOK,  # type: ignore[assignment]
    EXTRACT_METADATA,
    GET_TICKET,
    GATHER_CONTEXT,
    WRITE_NOTE,
    UPDATE_TICKET,
    LOOK_AGAIN,
    RECORD_TICKET,
    START_MISSING,
)
