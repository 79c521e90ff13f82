"""A tenant on pause: its deliveries are held, nothing is written, and they go on when it is off pause.

A worker sees a change of mode within ten seconds. These tests do not wait for that: they start another worker.
"""

from datetime import timedelta

import pytest

from plugins.types import TenantMode
from tests.support.desk import Desk, Tenant, outcome
from tests.workflows.seen import (
    ONLY_WHEN_TOLD,
    WEEK,
    calls,
    details,
    ended,
    failure,
    parked,
    to_its_end,
    took,
    waited_for,
    waiting_for,
)
from workflows.contracts import RECORD_RESOLUTION, RESUME, Outcome, Waiting


async def set_mode(desk: Desk, tenant: Tenant, mode: TenantMode) -> None:
    """Change the mode, and have a worker that knows of it."""
    await desk.admin.set_mode(tenant.id, mode)
    await desk.stack.stop("worker")
    await desk.stack.start("worker")


async def test_a_delivery_to_a_paused_tenant_is_held_until_it_is_off_pause_and_resumed(desk: Desk) -> None:
    tenant = await desk.tenant("jira", mode=TenantMode.PAUSE)
    ticket_id, handle = await desk.new_run_in_real_time(tenant, patience=ONLY_WHEN_TOLD)
    resolved = await tenant.vendor.ticket()
    await tenant.vendor.resolve(resolved, "Done.")
    with desk.skipper.with_time_skipping_disabled():
        recording = await desk.start_past_the_door(
            tenant,
            await desk.signed(tenant, resolved, "resolved"),
            resolved,
            workflow=RECORD_RESOLUTION,
            kind="resolved:1",
            patience=ONLY_WHEN_TOLD,
        )
    for run in (handle, recording):
        wait = await parked(desk, run, Waiting.PAUSED)
        assert "validate_webhook: the tenant is on pause" in wait.summary
        assert "`deskhand tenant unpause` lets it go on" in await details(run)

    await handle.signal(RESUME)
    await parked(desk, handle, Waiting.PAUSED, times=2)
    assert await calls(tenant, "get_ticket") == [], "the tool was not so much as asked"

    await set_mode(desk, tenant, TenantMode.LIVE)
    await handle.signal(RESUME)
    await recording.signal(RESUME)
    assert (await ended(handle)).outcome is Outcome.POSTED
    assert (await ended(recording)).outcome is Outcome.RECORDED
    assert len(await tenant.vendor.notes(ticket_id)) == 1
    assert await waited_for(desk, handle) == [Waiting.PAUSED, ""]


async def test_a_pause_between_reading_and_writing_holds_the_note_and_the_run_wakes_by_itself(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("list_notes", "status", status=401)
    ticket_id, handle = await desk.new_run_in_real_time(
        tenant, patience=ONLY_WHEN_TOLD.model_copy(update={"hourly": 60})
    )
    await parked(desk, handle, Waiting.CREDENTIALS)

    await set_mode(desk, tenant, TenantMode.PAUSE)
    await handle.signal(RESUME)
    wait = await parked(desk, handle, Waiting.PAUSED, times=2)
    assert "update_ticket: the tenant is on pause" in wait.summary
    assert await calls(tenant, "post_note") == []

    await set_mode(desk, tenant, TenantMode.LIVE)
    await to_its_end(desk, handle)
    assert (await ended(handle)).outcome is Outcome.POSTED
    assert len(await tenant.vendor.notes(ticket_id)) == 1
    assert await waited_for(desk, handle) == [Waiting.CREDENTIALS, Waiting.PAUSED, ""]


async def test_a_tenant_put_on_dry_run_meanwhile_gets_no_note(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("list_notes", "status", status=401)
    ticket_id, handle = await desk.new_run_in_real_time(tenant, patience=ONLY_WHEN_TOLD)
    await parked(desk, handle, Waiting.CREDENTIALS)
    await set_mode(desk, tenant, TenantMode.DRY_RUN)
    await handle.signal(RESUME)
    result = await ended(handle)
    assert result.outcome is Outcome.DRY_RUN
    assert tenant.ref(ticket_id) in result.note
    assert await tenant.vendor.notes(ticket_id) == []
    assert outcome(await handle.describe()) == "dry_run"


@pytest.mark.parametrize("tool", ["jira", "zendesk"])
async def test_pause_holds_nothing_that_is_not_authentic(desk: Desk, tool: str) -> None:
    tenant = await desk.tenant(tool, mode=TenantMode.PAUSE)
    ticket_id = await tenant.vendor.ticket()
    signed = await desk.signed(tenant, ticket_id)
    handle = await desk.start_past_the_door(tenant, signed.with_body(signed.raw + b" "), ticket_id)
    assert (await failure(handle)).type == "rejected"


async def test_a_pause_of_more_than_seven_days_ends_the_run(desk: Desk) -> None:
    tenant = await desk.tenant("jira", mode=TenantMode.PAUSE)
    _, handle = await desk.new_run_in_real_time(tenant, patience=ONLY_WHEN_TOLD)
    await parked(desk, handle, Waiting.PAUSED)
    await desk.skipper.fast_forward(handle, timedelta(days=6))
    assert await waiting_for(handle) == Waiting.PAUSED
    await to_its_end(desk, handle)
    error = await failure(handle)
    assert error.type == "expired"
    assert error.message.endswith("given up after 7 days of waiting (paused): validate_webhook: the tenant is on pause")
    assert await took(handle) >= WEEK
    assert await waiting_for(handle) is None


async def test_a_large_delivery_stands_in_history_once_however_often_the_run_wakes(desk: Desk) -> None:
    tenant = await desk.tenant("jira", mode=TenantMode.PAUSE)
    ticket_id = await tenant.vendor.ticket()
    signed = await desk.signed(tenant, ticket_id)
    large = signed.again(tenant, signed.raw.replace(b"Every ten", b"Every ten " * 90_000))
    assert len(large.raw) > 850_000
    with desk.skipper.with_time_skipping_disabled():
        handle = await desk.start_past_the_door(tenant, large, ticket_id, patience=ONLY_WHEN_TOLD)
    wakes = 6
    for times in range(1, wakes + 1):
        await parked(desk, handle, Waiting.PAUSED, times=times)
        await handle.signal(RESUME)
    await parked(desk, handle, Waiting.PAUSED, times=wakes + 1)
    size = (await handle.describe()).raw_description.workflow_execution_info.history_size_bytes
    assert size < 2 * 4 / 3 * len(large.raw), "base64 makes it a third larger"
    await handle.cancel()
