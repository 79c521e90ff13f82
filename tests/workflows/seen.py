"""What a user sees of a run: in the list, on its page in the Temporal UI, and at the vendor."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from deskhand.devstack.waiting import came_true
from tests.support.desk import Desk, Tenant
from workflows.contracts import Patience, RunResult, Waiting
from workflows.search_attributes import WAITING_FOR

Handle = WorkflowHandle[Any, RunResult]

AGES = 10**12
ONLY_WHEN_TOLD = Patience(first=(AGES,), hourly=AGES, later=AGES)
"""The patience of a run that does not wake by itself: its waits are all but sure to be longer than its deadline."""

WEEK = 7 * 24 * 60 * 60
"""Seconds from a run's start to its deadline."""

SOON = 30
"""Real seconds within which whatever is to happen at once has happened on a loaded machine."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A timer that a run set."""

    summary: str
    began: datetime
    seconds: float
    """What it was set to."""
    end: Literal["fired", "cancelled", "open"]


async def waits(desk: Desk, handle: Handle) -> list[Wait]:
    """The run's timers, in the order in which they were set, with the words beside them."""
    events = await _events(handle)
    fired = {
        event.timer_fired_event_attributes.started_event_id
        for event in events
        if event.HasField("timer_fired_event_attributes")
    }
    cancelled = {
        event.timer_canceled_event_attributes.started_event_id
        for event in events
        if event.HasField("timer_canceled_event_attributes")
    }
    return [
        Wait(
            summary=await _summary(desk, event),
            began=event.event_time.ToDatetime(),
            seconds=event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta().total_seconds(),
            end="fired" if event.event_id in fired else "cancelled" if event.event_id in cancelled else "open",
        )
        for event in events
        if event.HasField("timer_started_event_attributes")
    ]


async def parked(desk: Desk, handle: Handle, waiting: Waiting, *, times: int = 1) -> Wait:
    """Wait until the run is parked for that, on its timer number `times`; that timer."""

    async def settled() -> bool:
        if (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING:
            return True
        set_so_far = await waits(desk, handle)
        return len(set_so_far) >= times and set_so_far[-1].end == "open"

    assert await came_true(settled, SOON), "it does not wait"
    assert await waiting_for(handle) == waiting
    return (await waits(desk, handle))[-1]


async def waiting_for(handle: Handle) -> str | None:
    """What the list says that the run waits for."""
    return (await handle.describe()).typed_search_attributes.get(WAITING_FOR)


async def waited_for(desk: Desk, handle: Handle) -> list[str]:
    """What the run waited for, in order; "" where it waited no longer."""
    said = [
        event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
        for event in await _events(handle)
        if event.HasField("upsert_workflow_search_attributes_event_attributes")
    ]
    return [fields[WAITING_FOR.name].data.decode().strip('"') for fields in said if WAITING_FOR.name in fields]


async def details(handle: Handle) -> str:
    """The run's current details, as `temporal workflow metadata` and the UI show them."""
    metadata: WorkflowMetadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return metadata.current_details


async def attempts(handle: Handle, activity: str) -> int:
    """How many attempts at an activity there were, under all of its policies."""
    events = await _events(handle)
    scheduled = {event.event_id for event in _scheduled(events, activity)}
    return sum(
        event.activity_task_started_event_attributes.attempt
        for event in events
        if event.HasField("activity_task_started_event_attributes")
        and event.activity_task_started_event_attributes.scheduled_event_id in scheduled
    )


async def queues(handle: Handle, activity: str) -> list[str]:
    """The task queue of each time that an activity was called for."""
    scheduled = _scheduled(await _events(handle), activity)
    return [event.activity_task_scheduled_event_attributes.task_queue.name for event in scheduled]


async def took(handle: Handle) -> float:
    """Seconds of the run's own clock from start to end."""
    seen = await handle.describe()
    assert seen.close_time is not None
    return (seen.close_time - seen.start_time).total_seconds()


async def to_its_end(desk: Desk, handle: Handle) -> None:
    """Skip whatever a run still waits for, until it ends. It may have ended already: real time passes as well."""
    try:
        await desk.skipper.fast_forward(handle)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


async def ended(handle: Handle) -> RunResult:
    """What the run came to, which it must before long."""
    async with asyncio.timeout(SOON):
        return await handle.result()


async def failure(handle: Handle) -> ApplicationError:
    """Why a run failed."""
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert isinstance(caught.value.cause, ApplicationError)
    return caught.value.cause


async def calls(tenant: Tenant, operation: str) -> list[dict[str, Any]]:
    """The tenant's requests of this kind to its vendor, oldest first."""
    log = await tenant.vendor.log()
    return [call for call in log if call["account"] == tenant.account_id and call["operation"] == operation]


async def under_way(tenant: Tenant, operation: str) -> None:
    """Wait until the vendor has a request of this kind in hand."""

    async def in_hand() -> bool:
        return any(call["ended"] is None for call in await calls(tenant, operation))

    assert await came_true(in_hand, SOON), f"no {operation} came"


async def _events(handle: Handle) -> list[HistoryEvent]:
    return list((await handle.fetch_history()).events)


def _scheduled(events: list[HistoryEvent], activity: str) -> list[HistoryEvent]:
    return [
        event
        for event in events
        if event.HasField("activity_task_scheduled_event_attributes")
        and event.activity_task_scheduled_event_attributes.activity_type.name == activity
    ]


async def _summary(desk: Desk, event: HistoryEvent) -> str:
    (summary,) = await desk.client.data_converter.decode([event.user_metadata.summary], [str])
    return str(summary)
