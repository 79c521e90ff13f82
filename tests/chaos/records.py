"""What is on record when all is over, at the vendors and in Temporal."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.service import RPCError, RPCStatusCode

from tests.chaos.sending import Delivered
from tests.chaos.setting import Setting
from tests.support.desk import Tenant, outcome
from workflows.search_attributes import WAITING_FOR

AT_ONCE = 8
"""Histories read at the same time."""


@dataclass(slots=True)
class Run:
    """What Temporal has on record of a run."""

    status: str
    outcome: str | None
    parked: list[str]
    """What it waited for, each time that this changed."""
    tries: Counter[str]
    """Attempts beyond the first, by activity."""
    starts: int
    """How many executions there were under this id."""


@dataclass(slots=True)
class Record:
    """A ticket at the end."""

    delivered: Delivered
    notes: list[dict[str, Any]]
    run: Run | None
    """`None`: Temporal knows of none."""
    first_note: float | None
    """Seconds from the webhook's first delivery to the first note."""
    surplus: list[float]
    """Each time that it had more than one note, how many seconds that lasted."""


@dataclass(slots=True)
class Records:
    """Everything at the end."""

    tickets: list[Record]
    faults: dict[str, Counter[str]]
    """How many requests each kind of fault hit, by tool."""

    @property
    def runs(self) -> list[Run]:
        """Those that there are."""
        return [record.run for record in self.tickets if record.run is not None]


async def gather(setting: Setting, tenants: Sequence[Tenant], deliveries: Sequence[Delivered]) -> Records:
    """Read it all, at the vendors and in Temporal."""
    stored: dict[tuple[str, str], dict[str, Any]] = {}
    removed: dict[str, dict[str, float]] = {}
    faults: dict[str, Counter[str]] = {}
    for tenant in tenants:
        for ticket in await tenant.vendor.tickets():
            stored[tenant.tool, ticket["id"]] = ticket
        log = await tenant.vendor.log()
        removed[tenant.tool] = _removals(log)
        faults[tenant.tool] = Counter(_fault(entry) for entry in log if entry["fault"])
    turn = asyncio.Semaphore(AT_ONCE)

    async def record(delivered: Delivered) -> Record:
        ticket = stored[delivered.tenant.tool, delivered.ticket_id]
        async with turn:
            run = await _run(setting, delivered.run)
        written = sorted(datetime.fromisoformat(moment).timestamp() for moment in ticket["noted"].values())
        return Record(
            delivered,
            ticket["notes"],
            run,
            first_note=written[0] - delivered.first_sent if written else None,
            surplus=_stood(ticket["noted"], removed[delivered.tenant.tool]),
        )

    return Records(list(await asyncio.gather(*map(record, deliveries))), faults)


async def _run(setting: Setting, workflow_id: str) -> Run | None:
    handle = setting.desk.client.get_workflow_handle(workflow_id)
    try:
        described = await handle.describe()
        history = await handle.fetch_history()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    names: dict[int, str] = {}
    tries: Counter[str] = Counter()
    parked: list[str] = []
    for event in history.events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            names[event.event_id] = event.activity_task_scheduled_event_attributes.activity_type.name
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            started = event.activity_task_started_event_attributes
            if started.attempt > 1:
                tries[names[started.scheduled_event_id]] += started.attempt - 1
        elif event.event_type == EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
            upserted = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
            if WAITING_FOR.name in upserted and (said := upserted[WAITING_FOR.name].data.decode()) not in ("", "null"):
                parked.append(said.strip('[]"'))
    assert described.status is not None
    starts = await setting.desk.client.count_workflows(f"WorkflowId = '{workflow_id}'")
    return Run(described.status.name, outcome(described), parked, tries, starts.count)


def _fault(entry: Mapping[str, Any]) -> str:
    if entry["fault"] != "status":
        return str(entry["fault"])
    return str(entry["status"] or "refused")


def _was_done(entry: Mapping[str, Any]) -> bool:
    """Whether the vendor did it, answered or not: after `slow` it does not do what nobody waits for any more."""
    status: int | None = entry["status"]
    return entry["fault"] != "slow" if status is None else status < 300


def _removals(log: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """When each note was removed that was, by its id, in seconds of the wall clock."""
    # The log's clock is the machine's, the same for all processes.
    offset = time.time() - time.monotonic()
    return {
        entry["path"].rpartition("/")[2]: entry["ended"] + offset
        for entry in log
        if entry["operation"] == "retract_note" and entry["ended"] is not None and _was_done(entry)
    }


def _stood(noted: Mapping[str, str], removed: Mapping[str, float]) -> list[float]:
    """How long there was more than one note, each time that this came and went."""
    changes = [(datetime.fromisoformat(moment).timestamp(), 1) for moment in noted.values()]
    changes += [(moment, -1) for note, moment in removed.items() if note in noted]
    stood, there, since = [], 0, 0.0
    for moment, change in sorted(changes):
        there += change
        if (there, change) == (2, 1):
            since = moment
        elif (there, change) == (1, -1):
            stood.append(moment - since)
    return stood
