"""How a run ends, on a real server that skips what the run waits for. Worker, store and vendors are processes."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from deskhand.devstack.waiting import came_true
from plugins.types import TenantMode
from tests.support.desk import TOOLS, Desk, note_text, outcome
from workflows.contracts import RECORD_RESOLUTION, Outcome, RunResult

Handle = WorkflowHandle[Any, RunResult]


async def took(handle: Handle) -> float:
    """Seconds of the run's own clock from start to end."""
    seen = await handle.describe()
    assert seen.close_time is not None
    return (seen.close_time - seen.start_time).total_seconds()


async def failure(handle: Handle) -> ApplicationError:
    """Why a run failed."""
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert isinstance(caught.value.cause, ApplicationError)
    return caught.value.cause


async def attempts(handle: Handle) -> dict[str, int]:
    """How many attempts each of the run's remote activities needed."""
    history = await handle.fetch_history()
    names = {
        event.event_id: event.activity_task_scheduled_event_attributes.activity_type.name
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    }
    return {
        names[event.activity_task_started_event_attributes.scheduled_event_id]: (
            event.activity_task_started_event_attributes.attempt
        )
        for event in history.events
        if event.HasField("activity_task_started_event_attributes")
    }


@pytest.mark.parametrize("tool", TOOLS)
async def test_posted(desk: Desk, tool: str) -> None:
    tenant = await desk.tenant(tool)
    ticket_id, handle = await desk.new_run(tenant)
    result = await handle.result()
    assert (result.outcome, result.ref) == (Outcome.POSTED, tenant.ref(ticket_id))
    (note,) = await tenant.vendor.notes(ticket_id)
    assert note["private"] is True
    assert note_text(note).rstrip().endswith(tenant.ref(ticket_id))
    assert outcome(await handle.describe()) == "posted"


async def test_dry_run_writes_the_note_into_the_run_and_nowhere_else(desk: Desk) -> None:
    tenant = await desk.tenant("jira", mode=TenantMode.DRY_RUN)
    ticket_id, handle = await desk.new_run(tenant)
    result = await handle.result()
    assert result.outcome is Outcome.DRY_RUN
    assert tenant.ref(ticket_id) in result.note
    assert await tenant.vendor.notes(ticket_id) == []


@pytest.mark.parametrize("tool", TOOLS)
async def test_a_resolution_is_recorded_and_found_again(desk: Desk, tool: str) -> None:
    tenant = await desk.tenant(tool)
    old = await tenant.vendor.ticket("Scanner sends empty mails", "Each scan arrives without its attachment.")
    await tenant.vendor.resolve(old, "Raised the attachment limit of the relay.")
    signed = await desk.signed(tenant, old, "resolved")
    recorded = await desk.start_past_the_door(tenant, signed, old, workflow=RECORD_RESOLUTION, kind="resolved:1")
    assert (await recorded.result()).outcome is Outcome.RECORDED

    new, handle = await desk.new_run(tenant, subject="Scanner sends mails that are empty")
    assert (await handle.result()).outcome is Outcome.POSTED
    (note,) = await tenant.vendor.notes(new)
    assert old in note_text(note)
    assert "Raised the attachment limit of the relay" in note_text(note)


async def test_an_event_that_asks_for_no_note_is_ignored(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    ticket_id = await tenant.vendor.ticket()
    await tenant.vendor.resolve(ticket_id, "Done.")
    handle = await desk.start_past_the_door(tenant, await desk.signed(tenant, ticket_id, "resolved"), ticket_id)
    assert (await handle.result()).outcome is Outcome.IGNORED
    assert await tenant.vendor.notes(ticket_id) == []


@pytest.mark.parametrize("tool", TOOLS)
async def test_a_ticket_that_is_gone_is_not_found(desk: Desk, tool: str) -> None:
    tenant = await desk.tenant(tool)
    await tenant.vendor.fault("get_ticket", "status", status=404)
    _, handle = await desk.new_run(tenant)
    assert (await handle.result()).outcome is Outcome.NOT_FOUND
    assert outcome(await handle.describe()) == "not_found"


@pytest.mark.parametrize("tool", TOOLS)
async def test_a_closed_ticket_refuses_and_the_run_says_so(desk: Desk, tool: str) -> None:
    tenant = await desk.tenant(tool)
    ticket_id = await tenant.vendor.ticket()
    signed = await desk.signed(tenant, ticket_id)
    await tenant.vendor.close(ticket_id)
    result = await (await desk.start_past_the_door(tenant, signed, ticket_id)).result()
    assert result.outcome is Outcome.REFUSED
    assert result.detail
    assert await tenant.vendor.notes(ticket_id) == []


@pytest.mark.parametrize(
    ("failures", "delays"), [(1, 2), (2, 2 + 4), (3, 2 + 4 + 8)], ids=["after 2 s", "after 4 s more", "after 8 s more"]
)
@pytest.mark.parametrize("operation", ["get_ticket", "post_note"])
async def test_a_vendor_that_is_down_is_asked_again_after_2_4_and_8_seconds(
    desk: Desk, operation: str, failures: int, delays: int
) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault(operation, "status", times=failures, status=503)
    ticket_id, handle = await desk.new_run(tenant)
    assert (await handle.result()).outcome is Outcome.POSTED
    activity = "get_ticket" if operation == "get_ticket" else "update_ticket"
    assert (await attempts(handle))[activity] == failures + 1
    assert delays <= await took(handle) < delays + 1.5
    assert len(await tenant.vendor.notes(ticket_id)) == 1


async def test_after_the_fourth_failure_the_run_parks_and_makes_one_attempt_at_each_wake(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("get_ticket", "status", times=6, status=503)
    ticket_id, handle = await desk.new_run(tenant)
    assert (await handle.result()).outcome is Outcome.POSTED
    assert await took(handle) < 14 + 60 + 300 + 900 + 2
    assert len(await tenant.vendor.notes(ticket_id)) == 1


async def test_retry_after_is_honoured(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault("post_note", "status", status=429, headers={"Retry-After": "5"})
    ticket_id, handle = await desk.new_run(tenant)
    assert (await handle.result()).outcome is Outcome.POSTED
    assert 5 <= await took(handle) < 6.5, "not the policy's 2 s"
    assert len(await tenant.vendor.notes(ticket_id)) == 1


async def test_what_no_waiting_mends_fails_with_the_vendors_words(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("get_ticket", "status", times=None, status=400)
    _, handle = await desk.new_run(tenant)
    error = await failure(handle)
    assert error.type == "failed"
    assert (await attempts(handle))["get_ticket"] == 1
    assert "400" in error.message


@pytest.mark.parametrize("tool", TOOLS)
async def test_a_note_that_came_out_public_is_taken_back_and_never_repeated(desk: Desk, tool: str) -> None:
    tenant = await desk.tenant(tool)
    await tenant.vendor.fault("post_note", "public", times=None)
    ticket_id, handle = await desk.new_run(tenant)
    error = await failure(handle)
    assert "public" in error.message
    assert (await attempts(handle))["update_ticket"] == 1
    assert [note for note in await tenant.vendor.notes(ticket_id) if not note["private"]] == []


@pytest.mark.parametrize("tool", TOOLS)
async def test_a_public_note_whose_answer_was_lost_is_never_taken_for_a_posted_one(desk: Desk, tool: str) -> None:
    tenant = await desk.tenant(tool)
    await tenant.vendor.fault("post_note", "public", dropped=True)
    ticket_id, handle = await desk.new_run(tenant)
    error = await failure(handle)
    assert "an earlier note is public" in error.message
    assert [note for note in await tenant.vendor.notes(ticket_id) if not note["private"]] == []


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    "tamper",
    [
        pytest.param(lambda raw: raw + b" ", id="whitespace"),
        pytest.param(lambda raw: json.dumps(dict(reversed(json.loads(raw).items()))).encode(), id="key order"),
        pytest.param(lambda raw: raw.replace(b"VPN", rb"\u0056PN"), id="a unicode escape"),
    ],
)
async def test_a_tampered_body_is_rejected_in_a_run_started_past_the_door(desk: Desk, tool: str, tamper: Any) -> None:
    # The default scheme of ServiceDesk Plus is a shared secret in a header, which protects no body.
    tenant = await desk.tenant(tool, signature_scheme="hmac" if tool == "servicedesk_plus" else None)
    ticket_id = await tenant.vendor.ticket()
    signed = await desk.signed(tenant, ticket_id)
    tampered = signed.with_body(tamper(signed.raw))
    assert tampered.raw != signed.raw
    error = await failure(await desk.start_past_the_door(tenant, tampered, ticket_id))
    assert error.type == "rejected"
    assert await tenant.vendor.notes(ticket_id) == []
    untampered = await desk.start_past_the_door(tenant, signed, ticket_id)
    assert (await untampered.result()).outcome is Outcome.POSTED


async def test_a_run_for_an_inactive_tenant_is_rejected(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await desk.admin.deactivate(tenant.id)
    _, handle = await desk.new_run(tenant)
    assert (await failure(handle)).type == "rejected"


async def test_a_note_whose_answer_was_lost_is_not_written_twice(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("post_note", "drop")
    ticket_id, handle = await desk.new_run(tenant)
    result = await handle.result()
    assert result.outcome is Outcome.POSTED
    assert len(await tenant.vendor.notes(ticket_id)) == 1
    assert await took(handle) >= 20, "the second look comes when a slow vendor has had time to commit"


async def test_an_attempt_past_its_budget_is_closed_before_the_next_begins(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault("post_note", "slow", seconds=6)
    before = len(await tenant.vendor.log())
    ticket_id, handle = await desk.new_run(tenant)
    assert (await handle.result()).outcome is Outcome.POSTED
    posts = [call for call in (await tenant.vendor.log())[before:] if call["operation"] == "post_note"]
    assert [call["client_gone"] for call in posts] == [True, False]
    assert posts[0]["ended"] - posts[0]["began"] < 5, "closed within the budget"
    assert posts[0]["ended"] < posts[1]["began"]
    assert len(await tenant.vendor.notes(ticket_id)) == 1


async def test_a_vendor_that_lands_the_note_after_our_time_out_gets_no_second_one(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("post_note", "late", seconds=5)
    ticket_id = await tenant.vendor.ticket()
    signed = await desk.signed(tenant, ticket_id)
    with desk.skipper.with_time_skipping_disabled():
        handle = await desk.start_past_the_door(tenant, signed, ticket_id)

    async def landed() -> bool:
        return bool(await tenant.vendor.notes(ticket_id))

    # The vendor's five seconds are real; what is left of the twenty that we leave it is not.
    assert await came_true(landed, seconds=15)
    await desk.skipper.fast_forward(handle, timedelta(minutes=1))
    result = await handle.result()
    assert (result.outcome, result.detail) == (Outcome.POSTED, "an earlier attempt's note is on the ticket")
    assert len(await tenant.vendor.notes(ticket_id)) == 1


async def test_cancelling_is_an_outcome(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("get_ticket", "status", times=None, status=503)
    ticket_id = await tenant.vendor.ticket()
    signed = await desk.signed(tenant, ticket_id)
    with desk.skipper.with_time_skipping_disabled():
        handle = await desk.start_past_the_door(tenant, signed, ticket_id)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    seen = await handle.describe()
    assert (seen.status, outcome(seen)) == (WorkflowExecutionStatus.CANCELED, "cancelled")


async def test_without_the_history_the_note_names_what_is_missing(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await desk.stack.stop("postgres")
    try:
        ticket_id, handle = await desk.new_run(tenant)
    finally:
        await desk.stack.start("postgres")
    assert (await handle.result()).outcome is Outcome.POSTED
    (note,) = await tenant.vendor.notes(ticket_id)
    assert note["private"]


async def test_every_wait_is_on_the_runs_own_clock(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("get_ticket", "status", times=3, status=503)
    _, handle = await desk.new_run(tenant)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await handle.result()
    assert timedelta(seconds=loop.time() - began) < timedelta(seconds=14), "these tests skip time"
