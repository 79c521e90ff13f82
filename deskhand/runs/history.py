"""The story of a run, read out of its history and out of what Temporal knows of it now."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pydantic
import temporalio.exceptions
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import (
    HistoryEvent,
    MarkerRecordedEventAttributes,
    UpsertWorkflowSearchAttributesEventAttributes,
    WorkflowExecutionStartedEventAttributes,
)
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.converter import DataConverter
from temporalio.exceptions import ActivityError, ApplicationError

from deskhand.runs.answers import RETURNS, answered
from deskhand.runs.story import Pause, Step, Story
from deskhand.runs.visibility import RunFound
from deskhand.runs.wording import one_line
from workflows.contracts import ENHANCE_TICKET, RESUME, RunInput, RunResult, Waiting
from workflows.identity import reference
from workflows.search_attributes import WAITING_FOR

LOCAL = "core_local_activity"
"""The marker that an activity inside the workflow's worker leaves."""
UNTAKEN = timedelta(seconds=10)
"""How long a run's next turn may lie there before that is worth a word: a worker takes it within moments."""


async def read_story(
    run: RunFound,
    events: AsyncIterator[HistoryEvent],
    known: DescribeWorkflowExecutionResponse,
    converter: DataConverter,
    now: datetime,
) -> Story:
    """The story of a run. The converter must open what is sealed and pass on what is not.

    Raises:
        SealError: something of its history does not open.
    """
    reader = _Reader(Story(run), converter)
    async for event in events:
        await reader.hear(event)
    if run.open:
        await reader.look(known, now)
    else:
        reader.close()
    return reader.story


class _Reader:
    """Makes the story event by event; of the history it keeps only what the story needs."""

    def __init__(self, story: Story, converter: DataConverter) -> None:
        self.story = story
        self._converter = converter
        self._scheduled: dict[int, Step] = {}
        self._timers: dict[str, tuple[str, datetime]] = {}
        """Timers that run: their summary, and when they fire."""
        self._waiting: tuple[str, datetime] | None = None
        self._task_failure = ""

    async def hear(self, event: HistoryEvent) -> None:
        """Add what an event says."""
        kind = event.WhichOneof("attributes") or ""
        said: Any = getattr(event, kind, None)
        match kind.removesuffix("_event_attributes"):
            case "workflow_execution_started":
                await self._start(said, _utc(event.event_time))
            case "marker_recorded" if said.marker_name == LOCAL:
                await self._local(said, _utc(event.event_time), await self._summary(event))
            case "activity_task_scheduled":
                summary = await self._summary(event)
                self._scheduled[event.event_id] = self._step(said.activity_type.name, _utc(event.event_time), summary)
            case "activity_task_started":
                self._scheduled[said.scheduled_event_id].attempts += said.attempt
            case "activity_task_completed":
                step = self._finished(event, said)
                step.state, step.said = "ok", await self._answer(step.activity, said.result.payloads)
            case "activity_task_failed" | "activity_task_timed_out":
                self._finished(event, said).said = await self._failure(said.failure)
            case "activity_task_canceled":
                self._finished(event, said).said = "cancelled"
            case "timer_started":
                fires = _utc(event.event_time) + said.start_to_fire_timeout.ToTimedelta()
                self._timers[said.timer_id] = (await self._summary(event), fires)
            case "timer_fired" | "timer_canceled":
                self._timers.pop(said.timer_id, None)
            case "upsert_workflow_search_attributes":
                self._attributes(said, _utc(event.event_time))
            case "workflow_execution_signaled":
                self.story.resumed += said.signal_name == RESUME
            case "workflow_execution_cancel_requested":
                self.story.cancelling = self.story.run.open
            case "workflow_task_failed":
                self._task_failure = await self._failure(said.failure)
            case "workflow_task_completed":
                self._task_failure = ""
            case "workflow_execution_completed":
                await self._complete(said.result.payloads)
            case "workflow_execution_failed":
                self.story.ended = await self._failure(said.failure)
            case "workflow_execution_terminated":
                self.story.ended = one_line(f"terminated: {said.reason}" if said.reason else "terminated")
            case _:
                pass

    async def look(self, known: DescribeWorkflowExecutionResponse, now: datetime) -> None:
        """Add what is under way now, of which history says nothing yet."""
        for pending in known.pending_activities:
            step = next((s for s in reversed(self.story.steps) if s.activity == pending.activity_type.name), None)
            if step is None or step.state != "at work":
                continue
            started = pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
            step.attempts += pending.attempt if started else pending.attempt - 1
            if pending.HasField("last_failure"):
                step.said = await self._failure(pending.last_failure)
            if not started and pending.attempt > 1 and pending.HasField("next_attempt_schedule_time"):
                step.next_attempt = _utc(pending.next_attempt_schedule_time)
        if self._waiting is not None:
            self.story.waits = self._pause(*self._waiting)
        else:
            self.story.sleeps = next(reversed(self._timers.values()), None)
        if known.HasField("pending_workflow_task"):
            task = known.pending_workflow_task
            if self._task_failure:
                self.story.trouble = f"a worker has failed {task.attempt} times at its turn: {self._task_failure}"
            elif now - _utc(task.scheduled_time) > UNTAKEN and not task.HasField("started_time"):
                self.story.trouble = "no worker takes it on; is one running?"

    def close(self) -> None:
        """Nothing is under way any more."""
        for step in self.story.steps:
            if step.state == "at work":
                step.state, step.ended = "stopped", self.story.run.closed

    def _pause(self, reason: str, since: datetime) -> Pause:
        summary, until = next(reversed(self._timers.values()), ("", None))
        return Pause(reason, since, summary, until, by_itself=reason != Waiting.PRIVACY)

    async def _start(self, said: WorkflowExecutionStartedEventAttributes, at: datetime) -> None:
        story, run = self.story, self.story.run
        story.workflow = said.workflow_type.name
        if story.workflow == ENHANCE_TICKET:
            story.ref = reference(run.tool, run.tenant, run.ticket, "created")
        given = await self._opened(said.input.payloads[0], RunInput) if said.input.payloads else None
        if isinstance(given, RunInput):
            story.origin = given.delivery.origin
            story.received = given.delivery.received_at
            story.deadline = at + timedelta(seconds=given.patience.deadline)
        if "delivery_id" in said.memo.fields:
            story.delivery_id = one_line(str(await self._opened(said.memo.fields["delivery_id"], str)), 100)

    async def _local(self, said: MarkerRecordedEventAttributes, at: datetime, summary: str) -> None:
        data = json.loads(said.details["data"].payloads[0].data)
        step = self._step(data["activity_type"], _moment(data.get("original_schedule_time")) or at, summary)
        step.attempts += data.get("attempt", 1)
        if step.attempts == 1:  # of several, the marker has only the last one's times
            step.ended = _moment(data.get("complete_time")) or at
        if said.HasField("failure"):
            step.state, step.said = "failed", await self._failure(said.failure)
        else:
            step.state, step.said = "ok", await self._answer(step.activity, said.details["result"].payloads)

    def _step(self, activity: str, at: datetime, summary: str) -> Step:
        """The step that begins: a new one, or the last one again where it had failed."""
        last = self.story.steps[-1] if self.story.steps else None
        if last is None or last.activity != activity or last.state != "failed":
            self.story.steps.append(Step(activity, at, summary))
            return self.story.steps[-1]
        last.state, last.ended = "at work", None
        last.wakes += self._waiting is not None
        return last

    def _finished(self, event: HistoryEvent, said: Any) -> Step:
        step = self._scheduled.pop(said.scheduled_event_id)
        step.state, step.ended = "failed", _utc(event.event_time)
        return step

    def _attributes(self, said: UpsertWorkflowSearchAttributesEventAttributes, at: datetime) -> None:
        fields = said.search_attributes.indexed_fields
        if WAITING_FOR.name in fields:
            reason = json.loads(fields[WAITING_FOR.name].data or b"null")
            since = self._waiting[1] if self._waiting else at
            self._waiting = (reason, since) if isinstance(reason, str) else None

    async def _complete(self, payloads: Any) -> None:
        result = await self._opened(payloads[0], RunResult) if payloads else None
        if isinstance(result, RunResult):
            self.story.ref = one_line(result.ref, 40)
            self.story.ended = one_line(f"{result.outcome}: {result.detail}" if result.detail else result.outcome)

    async def _answer(self, activity: str, payloads: Any) -> str:
        model = RETURNS.get(activity)
        return answered(await self._opened(payloads[0], model)) if model is not None and payloads else ""

    async def _summary(self, event: HistoryEvent) -> str:
        summary = event.user_metadata.summary
        return one_line(str(await self._opened(summary, str))) if summary.data else ""

    async def _opened(self, payload: Payload, kind: type[Any]) -> Any:
        """The payload as this, or `None` where another version wrote it that this one cannot read."""
        try:
            return (await self._converter.decode([payload], [kind]))[0]
        except (pydantic.ValidationError, ValueError, KeyError, RuntimeError):
            return None

    async def _failure(self, failure: Failure) -> str:
        error = await self._converter.decode_failure(failure)
        if isinstance(error, ActivityError) and error.cause is not None:
            error = error.cause
        if isinstance(error, temporalio.exceptions.TimeoutError):
            return "no attempt ended in time"
        if isinstance(error, ApplicationError):
            kind = f"{error.type}: " if error.type else ""
            return one_line(f"{kind}{error.message}")
        return one_line(str(error)) or type(error).__name__


def _utc(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)


def _moment(stamp: Any) -> datetime | None:
    """A time as the SDK writes it into its marker."""
    if not isinstance(stamp, dict):
        return None
    return datetime.fromtimestamp(stamp.get("seconds", 0), UTC) + timedelta(microseconds=stamp.get("nanos", 0) // 1000)
