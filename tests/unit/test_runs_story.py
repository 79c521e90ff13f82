"""The story of a run, out of the recorded histories that the replays hold, and out of what Temporal knows besides."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import ActivityType
from temporalio.api.enums.v1 import EventType, PendingActivityState
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.history.v1 import HistoryEvent, WorkflowTaskFailedEventAttributes
from temporalio.api.workflow.v1 import PendingActivityInfo, PendingWorkflowTaskInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.client import WorkflowExecutionStatus

from deskhand.crypto.codec import data_converter
from deskhand.crypto.keyring import Keyring
from deskhand.crypto.sealing import SealError
from deskhand.runs.history import read_story
from deskhand.runs.story import Story
from deskhand.runs.telling import story_json, story_lines, ui_link
from deskhand.runs.visibility import RunFound
from tests.replay.stored import TEST_KEYS, Told, stored

CONVERTER = data_converter(TEST_KEYS, allow_plaintext=True)
STORED = stored()
NOTHING = DescribeWorkflowExecutionResponse()

_STATUSES = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: WorkflowExecutionStatus.COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: WorkflowExecutionStatus.FAILED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: WorkflowExecutionStatus.CANCELED,
}


def at(event: HistoryEvent) -> datetime:
    return event.event_time.ToDatetime(tzinfo=UTC)


def found(told: Told) -> RunFound:
    """The run as `describe` has it at the end of its history."""
    first, last = told.events[0], told.events[-1]
    status = _STATUSES.get(last.event_type, WorkflowExecutionStatus.RUNNING)
    fields = first.workflow_execution_started_event_attributes.search_attributes.indexed_fields
    tool, tenant, ticket = (json.loads(fields[f"Deskhand{name}"].data) for name in ("Tool", "Tenant", "Ticket"))
    return RunFound(
        id=f"{tool}:{tenant}:{ticket}:created",
        run_id="0",
        tool=tool,
        tenant=tenant,
        ticket=ticket,
        status=status,
        outcome=told.outcome or None,
        waiting_for=told.waiting_for or None,
        started=at(first),
        closed=at(last) if told.ended else None,
    )


def read(
    told: Told,
    more: Sequence[HistoryEvent] = (),
    known: DescribeWorkflowExecutionResponse = NOTHING,
    now: datetime | None = None,
    converter: Any = CONVERTER,
) -> Story:
    async def events() -> AsyncIterator[HistoryEvent]:
        for event in (*told.events, *more):
            yield event

    return asyncio.run(read_story(found(told), events(), known, converter, now or at(told.events[-1])))


def lines(story: Story, now: datetime | None = None) -> list[str]:
    return list(story_lines(story, now or story.run.closed or story.run.started, ""))


def history(name: str) -> Told:
    return Told.read(STORED[name])


@pytest.mark.parametrize("name", STORED)
def test_every_recorded_run_has_a_short_story(name: str) -> None:
    told = history(name)
    story = read(told)
    shown = lines(story, at(told.events[-1]))
    assert len(shown) <= 14
    assert all(line.isprintable() and len(line) < 400 for line in shown)
    assert shown[0] == f"{story.run.id}: {story.run.state}"
    assert [bool(line.startswith("Ended ")) for line in shown].count(True) == told.ended
    assert (story.waits.reason if story.waits else "") == told.waiting_for
    assert {step.state for step in story.steps[:-1]} <= {"ok", "failed"}
    if told.step and not told.ended and story.waits and story.waits.until:
        assert (story.steps[-1].activity, story.steps[-1].state) == (told.step, "failed")
    json.dumps(story_json(story, ""))


def test_a_run_that_posted() -> None:
    story = read(history("EnhanceTicket/posted"))
    assert [(step.activity, step.state, step.attempts, step.said) for step in story.steps] == [
        ("validate_webhook", "ok", 1, "valid"),
        ("extract_metadata", "ok", 1, "created, priority medium"),
        ("get_ticket", "ok", 1, "there it is"),
        ("gather_context", "ok", 1, "0 similar of 0 earlier tickets"),
        ("write_note", "ok", 1, "21 characters by the extractive writer, confidence none"),
        ("update_ticket", "ok", 1, "posted"),
    ]
    assert story.ended == "posted"
    assert story.steps[2].summary == "Get the ticket. Budget 2 s per attempt"
    assert lines(story)[-1] == "To go on: nothing: it is done"


@pytest.mark.parametrize(
    ("name", "waits", "way_on"),
    [
        (
            "parked-get_ticket-credentials",
            "credentials",
            "`deskhand plugins check --tenant example`, mend what it names, then `deskhand runs resume jira:example",
        ),
        ("parked-get_ticket-vendor", "vendor", "nothing, or at once with `deskhand runs resume jira:example"),
        (
            "parked-get_ticket-configuration",
            "configuration",
            "mend what is named above, then `deskhand runs resume jira:example:EXAMPLE-1:created`",
        ),
        ("parked-validate_webhook-paused", "paused", "`deskhand tenant unpause example`"),
    ],
)
def test_a_parked_run_says_why_until_when_and_how_to_go_on(name: str, waits: str, way_on: str) -> None:
    told = history(f"EnhanceTicket/{name}")
    story = read(told)
    assert story.waits is not None
    assert story.waits.until is not None
    assert (story.waits.reason, story.waits.by_itself) == (waits, True)
    assert story.waits.summary.startswith(f"Waiting for {waits}: `")
    shown = "\n".join(lines(story, at(told.events[-1])))
    assert f"\nWaits ({waits}) since " in shown
    assert f"; wakes by itself {story.waits.until:%Y-%m-%d %H:%M:%S} UTC (in " in shown
    assert "\nGives up " in shown
    assert f"\nTo go on: {way_on}" in shown
    late = "\n".join(lines(story, story.waits.until + timedelta(seconds=1)))
    assert "; was to wake by itself " in late


def test_a_note_that_came_out_public_waits_for_a_person() -> None:
    told = history("EnhanceTicket/parked-update_ticket-privacy")
    assert any(
        line.startswith("Waits (privacy) since ") and line.endswith("; does not wake by itself")
        for line in lines(read(told), at(told.events[-1]))
    )


def test_attempts_and_wakes_of_one_step_are_one_line() -> None:
    story = read(history("EnhanceTicket/expired"))
    step = story.steps[-1]
    assert (step.activity, step.state, step.wakes, step.attempts) == ("get_ticket", "failed", 5, 6)
    assert story.ended.startswith("expired: given up after ")
    assert f"To go on: `deskhand runs retry {story.run.id}` starts it again" in lines(story)


def test_what_was_resumed_says_so_while_its_attempt_is_under_way() -> None:
    told = history("EnhanceTicket/resumed-get_ticket")
    story = read(told)
    assert story.resumed == 1
    assert story.waits is not None
    assert story.waits.until is None
    assert any(line.endswith("; an attempt is under way; told to resume 1 time") for line in lines(story))


def test_a_step_that_was_under_way_when_the_run_ended() -> None:
    story = read(history("EnhanceTicket/cancelled-asking"))
    assert (story.steps[-1].state, story.ended) == ("stopped", "")
    assert any(line.startswith("Ended ") and line.endswith(": cancelled") for line in lines(story))


def test_between_the_looks_it_sleeps() -> None:
    story = read(history("EnhanceTicket/second-look-to-come"))
    assert any(line.startswith("Sleeps until ") and ": Look again: " in line for line in lines(story))


def test_an_attempt_that_waits_in_its_policy_is_known_from_temporal() -> None:
    told = history("EnhanceTicket/retrying-get_ticket")
    now = at(told.events[-1]) + timedelta(seconds=5)
    pending = PendingActivityInfo(
        activity_type=ActivityType(name="get_ticket"),
        state=PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED,
        attempt=3,
        last_failure=hostile("the vendor\n\x1b[2Jsays\u202e no"),
        next_attempt_schedule_time=stamp(now + timedelta(seconds=4)),
    )
    story = read(told, known=DescribeWorkflowExecutionResponse(pending_activities=[pending]), now=now)
    shown = next(line for line in lines(story, now) if line.startswith("  get_ticket"))
    assert shown == "  get_ticket        at work  2 attempts failed, the next in 4 s: APIError: the vendor [2Jsays no"


def test_a_turn_that_a_worker_fails_at_or_that_nobody_takes_is_told() -> None:
    told = history("EnhanceTicket/retrying-get_ticket")
    now = at(told.events[-1]) + timedelta(minutes=1)
    turn = PendingWorkflowTaskInfo(attempt=7, scheduled_time=stamp(now - timedelta(seconds=30)))
    known = DescribeWorkflowExecutionResponse(pending_workflow_task=turn)
    assert "Stuck: no worker takes it on; is one running?" in lines(read(told, known=known, now=now), now)
    failed = HistoryEvent(
        event_type=EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
        workflow_task_failed_event_attributes=WorkflowTaskFailedEventAttributes(failure=hostile("does not match")),
    )
    shown = lines(read(told, [failed], known, now), now)
    assert "Stuck: a worker has failed 7 times at its turn: APIError: does not match" in shown
    fresh = PendingWorkflowTaskInfo(attempt=1, scheduled_time=stamp(now - timedelta(seconds=1)))
    known = DescribeWorkflowExecutionResponse(pending_workflow_task=fresh)
    assert not read(told, known=known, now=now).trouble


def test_a_history_that_does_not_open_is_said_at_once() -> None:
    stranger = data_converter(Keyring.parse(Keyring.generate_text()), allow_plaintext=True)
    with pytest.raises(SealError):
        read(history("EnhanceTicket/posted"), converter=stranger)


def test_the_link_names_the_run_whatever_is_in_its_id() -> None:
    run = found(history("EnhanceTicket/posted"))
    assert ui_link("http://ui.example/", "a b", run) == (
        "http://ui.example/namespaces/a%20b/workflows/jira%3Aexample%3AEXAMPLE-1%3Acreated/0/history"
    )
    assert ui_link(None, "a", run) == ""


def stamp(moment: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(moment)
    return made


def hostile(message: str) -> Failure:
    return Failure(message=message, application_failure_info=ApplicationFailureInfo(type="APIError"))
