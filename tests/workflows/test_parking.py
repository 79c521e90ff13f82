"""Why a run waits, what it says meanwhile, and that it goes on when it is told to."""

from datetime import timedelta
from typing import Any

import pytest

from deskhand.devstack.waiting import came_true
from tests.support.desk import Desk, note_text, outcome
from tests.workflows.seen import (
    ONLY_WHEN_TOLD,
    SOON,
    attempts,
    calls,
    details,
    ended,
    parked,
    queues,
    to_its_end,
    under_way,
    waited_for,
    waiting_for,
    waits,
)
from workflows.contracts import RESUME, TASK_QUEUE, Outcome, Waiting, resumed_queue

TEN_HOURS = {"Retry-After": "36000"}


@pytest.mark.parametrize(
    ("tool", "operation", "fault", "waiting", "why", "mend"),
    [
        pytest.param(
            "servicedesk_plus",
            "get_ticket",
            {"kind": "status", "status": 503},
            Waiting.VENDOR,
            "get_ticket: servicedesk_plus answered 503",
            "Nothing need be done: it is asked again",
            id="vendor",
        ),
        pytest.param(
            "zendesk",
            "post_note",
            {"kind": "status", "status": 429, "headers": TEN_HOURS},
            Waiting.RATE_LIMIT,
            "update_ticket: zendesk answered 429",
            "asked for a pause",
            id="rate limit",
        ),
        pytest.param(
            "jira",
            "get_ticket",
            {"kind": "status", "status": 401},
            Waiting.CREDENTIALS,
            "get_ticket: jira answered 401",
            "`deskhand plugins check`, then resume",
            id="credentials",
        ),
        pytest.param(
            "zendesk",
            "get_ticket",
            {"kind": "status", "status": 302},
            Waiting.CONFIGURATION,
            "base_url",
            "Mend what is named, then resume",
            id="configuration",
        ),
        pytest.param(
            "jira",
            "post_note",
            {"kind": "public"},
            Waiting.PRIVACY,
            "the note came out public; it was taken back",
            "this run does not wake by itself",
            id="privacy",
        ),
    ],
)
async def test_a_parked_run_says_why_and_what_to_do_and_goes_on_when_it_is_resumed(
    desk: Desk, tool: str, operation: str, fault: dict[str, Any], waiting: Waiting, why: str, mend: str
) -> None:
    tenant = await desk.tenant(tool)
    await tenant.vendor.fault(operation, times=None, **fault)
    ticket_id, handle = await desk.new_run_in_real_time(tenant, patience=ONLY_WHEN_TOLD)
    await desk.skipper.fast_forward(handle, timedelta(seconds=20))  # past the retries, where there are any

    timer = await parked(desk, handle, waiting)
    assert timer.summary.startswith(f"Waiting for {waiting}: ")
    assert why in timer.summary
    said = await details(handle)
    assert said.startswith(f"**Waiting for: {waiting}** since ")
    assert why in said
    assert mend in said
    assert f"`deskhand runs resume {tenant.run(ticket_id)}`" in said
    assert ("Next try: only when it is resumed" in said) == (waiting is Waiting.PRIVACY)

    async def listed() -> bool:
        query = f"DeskhandTenant = '{tenant.id}' AND DeskhandWaitingFor = '{waiting}'"
        return (await desk.client.count_workflows(query)).count == 1

    assert await came_true(listed, SOON)

    await desk.clear_faults()
    await handle.signal(RESUME)
    await to_its_end(desk, handle)
    assert (await handle.result()).outcome is Outcome.POSTED
    (note,) = await tenant.vendor.notes(ticket_id)
    assert note["private"] is True
    assert note_text(note).rstrip().endswith(tenant.ref(ticket_id))
    assert await waited_for(desk, handle) == [waiting, ""]
    assert await waiting_for(handle) is None
    assert outcome(await handle.describe()) == "posted"
    assert await details(handle) == ""


async def test_each_resume_is_one_attempt(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault("get_ticket", "status", times=None, status=401)
    _, handle = await desk.new_run_in_real_time(tenant, patience=ONLY_WHEN_TOLD)
    for time in (1, 2, 3):
        await parked(desk, handle, Waiting.CREDENTIALS, times=time)
        assert len(await calls(tenant, "get_ticket")) == time
        if time == 3:
            await desk.clear_faults()
        await handle.signal(RESUME)
    assert (await ended(handle)).outcome is Outcome.POSTED
    assert await attempts(handle, "get_ticket") == 4
    assert await queues(handle, "get_ticket") == [TASK_QUEUE] + 3 * [resumed_queue(TASK_QUEUE)], "which is bounded"
    assert [wait.end for wait in await waits(desk, handle)] == ["cancelled"] * 3
    assert await waited_for(desk, handle) == [Waiting.CREDENTIALS, ""], "said once, until it is over"


async def test_a_wake_makes_one_attempt_where_the_policy_would_make_four(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault("get_ticket", "status", status=401)
    await tenant.vendor.fault("get_ticket", "status", times=None, status=503)
    _, handle = await desk.new_run_in_real_time(tenant, patience=ONLY_WHEN_TOLD)
    await parked(desk, handle, Waiting.CREDENTIALS)
    await handle.signal(RESUME)
    await parked(desk, handle, Waiting.VENDOR, times=2)
    assert len(await calls(tenant, "get_ticket")) == 2
    assert await waited_for(desk, handle) == [Waiting.CREDENTIALS, Waiting.VENDOR], "it says what it waits for now"
    await desk.clear_faults()
    await handle.signal(RESUME)
    assert (await ended(handle)).outcome is Outcome.POSTED


@pytest.mark.parametrize("resumes", [1, 2])
async def test_resumes_during_a_failing_attempt_are_one_more_attempt_at_once(desk: Desk, resumes: int) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault("get_ticket", "status", status=401)
    _, handle = await desk.new_run_in_real_time(tenant, patience=ONLY_WHEN_TOLD)
    await parked(desk, handle, Waiting.CREDENTIALS)

    await tenant.vendor.fault("get_ticket", "late", seconds=1, dropped=True)
    await tenant.vendor.fault("get_ticket", "status", status=403)
    await handle.signal(RESUME)
    await under_way(tenant, "get_ticket")
    for _ in range(resumes):
        await handle.signal(RESUME)

    async def tried_again() -> bool:
        return len(await calls(tenant, "get_ticket")) >= 3

    assert await came_true(tried_again, SOON), "a resume was lost"
    await parked(desk, handle, Waiting.CREDENTIALS, times=2)
    assert await attempts(handle, "get_ticket") == 3, "the fault of the first, the dropped one, and one more"
    await handle.signal(RESUME)
    assert (await ended(handle)).outcome is Outcome.POSTED


async def test_a_resume_during_the_policys_own_retries_is_one_more_attempt_at_once(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault("get_ticket", "status", times=4, status=503)
    _, handle = await desk.new_run_in_real_time(tenant, patience=ONLY_WHEN_TOLD)

    async def failed_once() -> bool:
        return any(activity.attempt > 1 for activity in (await handle.describe()).raw_description.pending_activities)

    assert await came_true(failed_once, SOON)
    await handle.signal(RESUME)
    await desk.skipper.fast_forward(handle, timedelta(seconds=20))
    assert (await ended(handle)).outcome is Outcome.POSTED
    assert await attempts(handle, "get_ticket") == 5


async def test_a_resume_before_the_step_that_parks_is_none_for_it(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault("get_ticket", "status", times=None, status=401)
    _, handle = await desk.new_run_in_real_time(tenant, patience=ONLY_WHEN_TOLD, signal=RESUME)
    await parked(desk, handle, Waiting.CREDENTIALS)
    assert len(await calls(tenant, "get_ticket")) == 1
    await desk.clear_faults()
    await handle.signal(RESUME)
    assert (await ended(handle)).outcome is Outcome.POSTED


async def test_a_run_may_park_at_one_step_after_another_and_begins_anew_with_its_patience(desk: Desk) -> None:
    impatient_later = ONLY_WHEN_TOLD.model_copy(update={"hourly": 1, "later": 1})
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("get_ticket", "status", status=401)
    await tenant.vendor.fault("list_notes", "status", status=302)
    ticket_id, handle = await desk.new_run_in_real_time(tenant, patience=impatient_later)
    await parked(desk, handle, Waiting.CREDENTIALS)
    await handle.signal(RESUME)
    assert (await parked(desk, handle, Waiting.CONFIGURATION, times=2)).seconds > 1
    await handle.signal(RESUME)
    assert (await ended(handle)).outcome is Outcome.POSTED
    assert await waited_for(desk, handle) == [Waiting.CREDENTIALS, "", Waiting.CONFIGURATION, ""]
    assert len(await tenant.vendor.notes(ticket_id)) == 1
