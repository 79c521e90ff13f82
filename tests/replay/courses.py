"""The courses that a run can take, each with what its activities answer and when its history is taken.

A new outcome or a new reason to wait needs a course here: `test_replay.py` names it until then.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from activities.failures import TenantPausedError
from deskhand.db.errors import DatabaseUnavailableError
from plugins.exceptions import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    OutcomeUnknownError,
    PermanentAPIError,
    PrivacyError,
    RateLimitError,
    ValidationError,
)
from plugins.types import EventKind, TenantMode, TicketContext
from tests.replay.stored import activity_of, timers
from workflows.contracts import (
    ENHANCE_TICKET,
    RECONCILE,
    RECONCILE_REGULARLY,
    RECORD_RESOLUTION,
    Extracted,
    GatheredContext,
    Metadata,
    Note,
    Patience,
    ReconcileInput,
    ReconcileStep,
    Recorded,
    RegularInput,
    Sighting,
    TicketAnswer,
    UpdateResult,
    Verdict,
    Walked,
)

TOOL, TENANT, TICKET = "jira", "example", "EXAMPLE-1"
THEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

PASSES = (RECONCILE, RECONCILE_REGULARLY)
"""The workflows that end without an outcome, and never park."""


@dataclass(frozen=True, slots=True)
class Fails:
    """An activity's answer: it fails with this."""

    error: Exception
    may_have_landed: bool | None = None
    """What a failed write says of the note."""


@dataclass(frozen=True, slots=True)
class Hangs:
    """An activity's answer: none, so that its attempt times out."""


@dataclass(frozen=True, slots=True)
class Held:
    """An activity's answer: this, but not before the course says so."""

    answer: BaseModel | Fails


Answer = BaseModel | Fails | Hangs | Held
Act = Literal["resume", "cancel", "let it answer"]
Moment = Callable[[Sequence[HistoryEvent]], bool]
"""Whether a history has come far enough."""


def ended(events: Sequence[HistoryEvent]) -> bool:
    """The run is over: the stream of events ends there by itself."""
    return False


def waits(number: int = 1) -> Moment:
    """The run has just begun its nth wait: parked, or before the second look."""
    started = EventType.EVENT_TYPE_TIMER_STARTED
    return lambda events: events[-1].event_type == started and timers(events) == number


def asks(activity: str, waited: int = 0) -> Moment:
    """The run has called an activity, after so many waits, and waits for its answer."""
    scheduled = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    return lambda events: (
        events[-1].event_type == scheduled and activity_of(events[-1]) == activity and timers(events) == waited
    )


def begins(events: Sequence[HistoryEvent]) -> bool:
    """The run has just been started: whatever its worker does first is under way."""
    return True


def has_child(events: Sequence[HistoryEvent]) -> bool:
    """The run has a child, and waits for its end."""
    return events[-1].event_type == EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED


def resumed(events: Sequence[HistoryEvent]) -> bool:
    """The run has just been told to go on."""
    return events[-1].event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED


_AS_USUAL = Patience()


@dataclass(frozen=True, slots=True)
class Course:
    """One course through a workflow."""

    name: str
    says: Mapping[str, Sequence[Answer]] = field(default_factory=dict)
    """What an activity answers, in turn, by its name. What comes after the last is as usual."""
    workflow: str = ENHANCE_TICKET
    until: Moment = ended
    """When its history is taken."""
    retrying: bool = False
    """Whether that is not before the activity that is called has failed once and is to be tried again."""
    acts: Sequence[tuple[Moment, Act]] = ()
    """What is done to the run meanwhile, one after the other, and when: not before the moment."""
    patience: Patience = _AS_USUAL
    given: BaseModel | None = None
    """The workflow's input; `None`: an example of a delivery, with this patience."""

    @property
    def full_name(self) -> str:
        """The name of its stored history."""
        return f"{self.workflow}/{self.name}"


def usual(workflow: str) -> Mapping[str, BaseModel]:
    """What activities answer where a course says nothing else."""
    if workflow in PASSES:
        return {"start_missing": ReconcileStep(walked=Walked(seen=2, started=1, had_run=1))}
    metadata = Metadata(
        tenant_id=TENANT, ticket_id=TICKET, description="An example.", priority="medium", created_at=THEN
    )
    kind, version = (EventKind.CREATED, "") if workflow == ENHANCE_TICKET else (EventKind.RESOLVED, "1")
    return {
        "validate_webhook": Verdict(verdict="valid"),
        "extract_metadata": Extracted(metadata=metadata, kind=kind, version=version),
        "get_ticket": TicketAnswer(ticket=TicketContext(ticket_id=TICKET, subject="An example")),
        "gather_context": GatheredContext(),
        "write_note": Note(markdown="An example of a note.", writer="extractive"),
        "update_ticket": UpdateResult(result="posted"),
        "look_again": Sighting(found=True),
        "record_ticket": Recorded(changed=True),
    }


def _extracted(kind: EventKind, tenant: str = TENANT) -> Extracted:
    metadata = Metadata(tenant_id=tenant, ticket_id=TICKET, description="", priority="medium", created_at=THEN)
    return Extracted(metadata=metadata, kind=kind)


_HANGS = Hangs()
_DOWN = Fails(APIError("the tool answered 503"))
_DENIED = Fails(AuthenticationError("the tool answered 401"))
_PAUSED = Fails(TenantPausedError())
_NO_DATABASE = Fails(DatabaseUnavailableError("the database cannot be reached"))
_MISSING = Fails(ConfigurationError("the tenant has no connection"))
_BUG = Fails(RuntimeError("nobody foresaw this"))
_WRONG = Fails(ValidationError("ticket_id: missing"))
_BAD_REQUEST = Fails(PermanentAPIError("the tool answered 400"))
_SLOW_DOWN = Fails(RateLimitError("the tool answered 429", retry_after=600))
_LOST = Fails(OutcomeUnknownError("no answer"), may_have_landed=True)
_PAUSED_WRITE = Fails(TenantPausedError(), may_have_landed=False)
_PUBLIC = Fails(PrivacyError("the note came out public"), may_have_landed=True)
_DOUBTFUL = UpdateResult(result="posted", look_again=True)
_INVALID = Verdict(verdict="invalid", reason="the signature does not fit the body")
_NO_TICKET = TicketAnswer(ticket=None)
_REFUSED = TicketAnswer(ticket=None, refused="the ticket is locked")

_IMPATIENT = Patience(first=(1, 1, 1), hourly=1)
"""Wakes after a second. The schedule is input: that it is short changes no command but the timers' length."""
_FAR = 3600
"""A wait that outlasts the recording by far."""


def _soon_over(seconds: int) -> Patience:
    return Patience(first=(1, 1, 1), hourly=1, deadline=seconds)


def _record(name: str, says: Mapping[str, Sequence[Answer]], **more: object) -> Course:
    return Course(name, says, RECORD_RESOLUTION, **more)  # type: ignore[arg-type]


def _pass(name: str, *says: Answer, **more: object) -> Course:
    given = ReconcileInput(tool=TOOL, tenant_id=f"{TENANT}-{name}", since=THEN)
    return Course(name, {"start_missing": says}, RECONCILE, given=given, **more)  # type: ignore[arg-type]


def _regularly(name: str, *says: Answer, **more: object) -> Course:
    given = RegularInput(tool=TOOL, tenant_id=f"{TENANT}-regularly-{name}", window_seconds=3600)
    return Course(name, {"start_missing": says}, RECONCILE_REGULARLY, given=given, **more)  # type: ignore[arg-type]


_ENDED = (
    Course("posted"),
    Course("posted-without-history", {"gather_context": [_NO_DATABASE] * 2}),
    Course("posted-over-budget", {"validate_webhook": [_HANGS] * 8, "extract_metadata": [_HANGS] * 8}),
    # So long inside one workflow task that the worker asks for another one meanwhile.
    Course("posted-after-slow-start", {"validate_webhook": [_BUG] * 7, "extract_metadata": [_BUG] * 6}),
    Course("posted-after-doubt", {"update_ticket": [_LOST, _DOUBTFUL]}),
    Course("posted-unlooked", {"update_ticket": [_DOUBTFUL], "look_again": [_BAD_REQUEST]}),
    Course(
        "posted-unlooked-to-the-deadline",
        {"update_ticket": [_DOUBTFUL], "look_again": [_DENIED] * 99},
        patience=_soon_over(24),
    ),
    Course("posted-after-outage", {"get_ticket": [_DOWN] * 7}, patience=_IMPATIENT),
    Course(
        "posted-after-resumes",
        {"get_ticket": [_DENIED] * 2, "update_ticket": [_PAUSED_WRITE]},
        acts=[(waits(1), "resume"), (waits(2), "resume"), (waits(3), "resume")],
        patience=Patience(first=(_FAR, _FAR, _FAR)),
    ),
    Course(
        "posted-after-pause",
        {"validate_webhook": [_PAUSED] * 2},
        acts=[(waits(1), "resume"), (waits(2), "resume")],
        patience=Patience(first=(_FAR, _FAR, _FAR)),
    ),
    Course(
        "posted-after-early-resume",
        {"get_ticket": [Held(_DENIED)]},
        acts=[(asks("get_ticket"), "resume"), (resumed, "let it answer")],
    ),
    Course("found", {"update_ticket": [UpdateResult(result="found", detail="it is on the ticket")]}),
    Course("dry_run", {"validate_webhook": [Verdict(verdict="valid", mode=TenantMode.DRY_RUN)]}),
    Course("dry_run-since", {"update_ticket": [UpdateResult(result="dry_run")]}),
    Course("ignored", {"extract_metadata": [_extracted(EventKind.OTHER)]}),
    Course("not_found", {"get_ticket": [_NO_TICKET]}),
    Course("refused", {"get_ticket": [_REFUSED]}),
    Course("refused-note", {"update_ticket": [UpdateResult(result="refused", detail="the ticket is closed")]}),
    Course("unconfirmed", {"update_ticket": [UpdateResult(result="unconfirmed", detail="it cannot be asked")]}),
    Course("rejected", {"validate_webhook": [_INVALID]}),
    Course("rejected-other-tenant", {"extract_metadata": [_extracted(EventKind.CREATED, "another")]}),
    Course("failed-extract_metadata", {"extract_metadata": [_WRONG]}),
    Course("failed-get_ticket", {"get_ticket": [_BAD_REQUEST]}),
    Course("failed-update_ticket", {"update_ticket": [Fails(_BAD_REQUEST.error, may_have_landed=False)]}),
    Course("expired", {"get_ticket": [_DENIED] * 99}, patience=_soon_over(6)),
    Course("expired-asleep", {"update_ticket": [_PUBLIC] * 9}, patience=_soon_over(4)),
    Course(
        "cancelled-reading",
        {"validate_webhook": [_BUG] * 7, "extract_metadata": [_BUG] * 7},
        acts=[(begins, "cancel")],
    ),
    Course("cancelled-parked", {"get_ticket": [_DENIED]}, acts=[(waits(), "cancel")]),
    Course("cancelled-asking", {"get_ticket": [_DOWN]}, acts=[(asks("get_ticket"), "cancel")]),
    Course("cancelled-before-second-look", {"update_ticket": [_DOUBTFUL]}, acts=[(waits(), "cancel")]),
    _record("recorded", {}),
    _record("recorded-before", {"record_ticket": [Recorded(changed=False)]}),
    _record(
        "recorded-after-resume",
        {"get_ticket": [_DENIED], "record_ticket": [_NO_DATABASE] * 5},
        acts=[(waits(1), "resume"), (waits(2), "resume"), (waits(3), "resume")],
        patience=Patience(first=(_FAR, _FAR, _FAR)),
    ),
    _record("ignored", {"extract_metadata": [_extracted(EventKind.OWN)]}),
    _record("not_found", {"get_ticket": [_NO_TICKET]}),
    _record("refused", {"get_ticket": [_REFUSED]}),
    _record("rejected", {"validate_webhook": [_INVALID]}),
    _record("failed", {"extract_metadata": [_WRONG]}),
    _record("expired", {"get_ticket": [_DENIED] * 99}, patience=_soon_over(4)),
    _record("cancelled", {"get_ticket": [_DENIED]}, acts=[(waits(), "cancel")]),
)

_PARKED = (
    Course("parked-validate_webhook-paused", {"validate_webhook": [_PAUSED]}, until=waits()),
    Course("parked-validate_webhook-overload", {"validate_webhook": [_HANGS] * 12}, until=waits()),
    Course("parked-extract_metadata-fault", {"extract_metadata": [_BUG] * 8}, until=waits()),
    Course("parked-get_ticket-vendor", {"get_ticket": [_DOWN] * 4}, until=waits()),
    Course("parked-get_ticket-rate_limit", {"get_ticket": [_SLOW_DOWN]}, until=waits()),
    Course("parked-get_ticket-credentials", {"get_ticket": [_DENIED]}, until=waits()),
    Course("parked-get_ticket-configuration", {"get_ticket": [_MISSING]}, until=waits()),
    Course("parked-get_ticket-overload", {"get_ticket": [_HANGS] * 4}, until=waits()),
    Course("parked-write_note-storage", {"write_note": [_NO_DATABASE] * 2}, until=waits()),
    Course(
        "parked-write_note-without-history", {"gather_context": [_BUG] * 2, "write_note": [_BUG] * 2}, until=waits()
    ),
    Course("parked-update_ticket-paused", {"update_ticket": [_PAUSED_WRITE]}, until=waits()),
    Course("parked-update_ticket-privacy", {"update_ticket": [_PUBLIC]}, until=waits()),
    Course("parked-update_ticket-in-doubt", {"update_ticket": [_LOST, _PUBLIC]}, until=waits()),
    Course("parked-look_again-credentials", {"update_ticket": [_DOUBTFUL], "look_again": [_DENIED]}, until=waits(2)),
    Course("parked-after-wakes", {"get_ticket": [_DENIED] * 4}, until=waits(4), patience=_IMPATIENT),
    Course(
        "parked-after-wakes-and-resume",
        {"get_ticket": [_DENIED] * 3, "update_ticket": [_PAUSED_WRITE] * 3},
        until=waits(6),
        acts=[(waits(3), "resume")],
        patience=Patience(first=(1, 1, _FAR)),
    ),
    Course("parked-for-another-reason", {"get_ticket": [_DENIED, _MISSING]}, until=waits(2), patience=_IMPATIENT),
    _record("parked-validate_webhook-storage", {"validate_webhook": [_NO_DATABASE] * 8}, until=waits()),
    _record("parked-extract_metadata-configuration", {"extract_metadata": [_MISSING]}, until=waits()),
    _record("parked-get_ticket-vendor", {"get_ticket": [_DOWN] * 4}, until=waits()),
    _record("parked-record_ticket-storage", {"record_ticket": [_NO_DATABASE] * 4}, until=waits()),
)

_UNDER_WAY = (
    Course("second-look-to-come", {"update_ticket": [_DOUBTFUL]}, until=waits()),
    Course(
        "retrying-validate_webhook",
        {"validate_webhook": [*[_HANGS] * 8, _BUG]},
        until=asks("validate_webhook"),
        retrying=True,
    ),
    Course("retrying-get_ticket", {"get_ticket": [_DOWN]}, until=asks("get_ticket"), retrying=True),
    Course("retrying-gather_context", {"gather_context": [_NO_DATABASE]}, until=asks("gather_context"), retrying=True),
    Course("retrying-write_note", {"write_note": [_BUG]}, until=asks("write_note"), retrying=True),
    Course("retrying-update_ticket", {"update_ticket": [_LOST]}, until=asks("update_ticket"), retrying=True),
    Course(
        "retrying-look_again",
        {"update_ticket": [_DOUBTFUL], "look_again": [_DOWN]},
        until=asks("look_again", waited=1),
        retrying=True,
    ),
    Course(
        "resumed-get_ticket",
        {"get_ticket": [_DENIED, _HANGS]},
        until=asks("get_ticket", waited=1),
        acts=[(waits(), "resume")],
    ),
    _record("retrying-record_ticket", {"record_ticket": [_NO_DATABASE]}, until=asks("record_ticket"), retrying=True),
)

_PASSES = (
    _pass("complete"),
    _pass("goes-on", ReconcileStep(walked=Walked(seen=2, started=2), more=True)),
    _pass("held", ReconcileStep(walked=Walked(), held="the tenant is on pause")),
    _pass("failed", _DENIED),
    _pass("cancelled", _HANGS, acts=[(asks("start_missing"), "cancel")]),
    _pass("retrying-start_missing", _DOWN, until=asks("start_missing"), retrying=True),
    _regularly("complete"),
    _regularly("failed", _DENIED),
    _regularly("cancelled", _HANGS, acts=[(has_child, "cancel")]),
    _regularly("waiting-for-its-pass", _HANGS, until=has_child),
)

COURSES = (*_ENDED, *_PARKED, *_UNDER_WAY, *_PASSES)
