"""Runs as Temporal's visibility store finds them: by our search attributes, some moments after a run has changed."""

from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.client import WorkflowExecution, WorkflowExecutionStatus

from workflows import search_attributes
from workflows.contracts import ENHANCE_TICKET, RECORD_RESOLUTION, Outcome, Waiting

RUN_TYPES = (ENHANCE_TICKET, RECORD_RESOLUTION)
"""The workflows that are runs of a ticket."""


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are meant. What is `None` or empty says nothing."""

    tenant: str | None = None
    tool: str | None = None
    outcomes: tuple[Outcome, ...] = ()
    """Only runs that ended in one of these."""
    waiting: bool = False
    """Only runs that are parked."""
    but_privacy: bool = False
    """Of those, none that waits for privacy."""
    waiting_for: Waiting | None = None
    """Only runs that are parked for this."""
    statuses: tuple[WorkflowExecutionStatus, ...] = ()
    started_before: datetime | None = None
    closed_from: datetime | None = None
    closed_until: datetime | None = None

    def query(self) -> str:
        """In Temporal's list filter syntax."""
        statuses = self.statuses
        conditions = [f"WorkflowType IN ({_listed(RUN_TYPES)})"]
        for key, value in (
            (search_attributes.TENANT, self.tenant),
            (search_attributes.TOOL, self.tool),
            (search_attributes.WAITING_FOR, self.waiting_for),
        ):
            if value is not None:
                conditions.append(f"{key.name} = {quoted(value)}")
        if self.outcomes:
            conditions.append(f"{search_attributes.OUTCOME.name} IN ({_listed(self.outcomes)})")
        if self.waiting or self.waiting_for:
            statuses = (WorkflowExecutionStatus.RUNNING,)  # one that was terminated while parked keeps its attribute
            if not self.waiting_for:
                conditions.append(f"{search_attributes.WAITING_FOR.name} IS NOT NULL")
        if self.but_privacy:
            conditions.append(f"{search_attributes.WAITING_FOR.name} != {quoted(Waiting.PRIVACY)}")
        if statuses:
            names = [status.name.title().replace("_", "") for status in statuses]
            conditions.append(f"ExecutionStatus IN ({_listed(names)})")
        for field, sign, moment in (
            ("StartTime", "<", self.started_before),
            ("CloseTime", ">=", self.closed_from),
            ("CloseTime", "<=", self.closed_until),
        ):
            if moment is not None:
                conditions.append(f"{field} {sign} {quoted(_moment(moment))}")
        return " AND ".join(conditions)


@dataclass(frozen=True, slots=True)
class RunFound:
    """One run in a list. Times are UTC."""

    id: str
    run_id: str
    tool: str
    tenant: str
    ticket: str
    status: WorkflowExecutionStatus
    outcome: str | None
    waiting_for: str | None
    """What a parked run waits for."""
    started: datetime
    closed: datetime | None

    @classmethod
    def of(cls, execution: WorkflowExecution) -> "RunFound":
        """Out of an answer of `list_workflows` or `describe`."""
        attributes = execution.typed_search_attributes
        status = execution.status or WorkflowExecutionStatus.RUNNING
        open_still = status is WorkflowExecutionStatus.RUNNING
        return cls(
            id=execution.id,
            run_id=execution.run_id,
            tool=attributes.get(search_attributes.TOOL) or "",
            tenant=attributes.get(search_attributes.TENANT) or "",
            ticket=attributes.get(search_attributes.TICKET) or "",
            status=status,
            outcome=attributes.get(search_attributes.OUTCOME),
            waiting_for=attributes.get(search_attributes.WAITING_FOR) if open_still else None,
            started=execution.start_time,
            closed=execution.close_time,
        )

    @property
    def open(self) -> bool:
        """Whether it has not ended yet."""
        return self.status is WorkflowExecutionStatus.RUNNING

    @property
    def state(self) -> str:
        """In a word or two: `at work`, `waiting: credentials`, `posted`, `terminated`."""
        if self.open:
            return f"waiting: {self.waiting_for}" if self.waiting_for else "at work"
        return self.outcome or ended(self.status)


def ended(status: WorkflowExecutionStatus) -> str:
    """How a run ended, where it left no outcome: `failed`, `terminated`, `timed out`, …"""
    if status is WorkflowExecutionStatus.CANCELED:
        return Outcome.CANCELLED
    return status.name.lower().replace("_", " ")


def quoted(value: str) -> str:
    """A value as a string of the list filter syntax, whatever it holds."""
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def _listed(values: tuple[str, ...] | list[str]) -> str:
    return ", ".join(quoted(value) for value in values)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
