"""A run that is cancelled stops where it is, and says so."""

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import CancelledError

from deskhand.devstack.waiting import came_true
from tests.support.desk import Desk, outcome
from tests.workflows.seen import SOON, Handle, calls, details, ended, parked, under_way, waiting_for
from workflows.contracts import Waiting


async def cancel(handle: Handle) -> None:
    """Cancel the run, and see it end as cancelled and as nothing else."""
    await handle.cancel()
    with pytest.raises(WorkflowFailureError) as caught:
        await ended(handle)
    assert isinstance(caught.value.cause, CancelledError)
    seen = await handle.describe()
    assert (seen.status, outcome(seen)) == (WorkflowExecutionStatus.CANCELED, "cancelled")
    assert await waiting_for(handle) is None
    assert await details(handle) == ""


async def test_while_it_is_parked(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault("get_ticket", "status", times=None, status=401)
    ticket_id, handle = await desk.new_run_in_real_time(tenant)
    await parked(desk, handle, Waiting.CREDENTIALS)
    asked = len(await calls(tenant, "get_ticket"))
    await desk.clear_faults()
    await cancel(handle)
    assert len(await calls(tenant, "get_ticket")) == asked
    assert await tenant.vendor.notes(ticket_id) == []


async def test_during_an_attempt(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault("get_ticket", "slow", seconds=1)
    ticket_id, handle = await desk.new_run_in_real_time(tenant)
    await under_way(tenant, "get_ticket")
    await cancel(handle)
    assert await tenant.vendor.notes(ticket_id) == []


async def test_during_the_attempt_of_a_wake(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault("get_ticket", "status", status=401)
    await tenant.vendor.fault("get_ticket", "slow", seconds=1)
    ticket_id, handle = await desk.new_run_in_real_time(tenant)
    await parked(desk, handle, Waiting.CREDENTIALS)
    await handle.signal("resume")
    await under_way(tenant, "get_ticket")
    await cancel(handle)
    assert await tenant.vendor.notes(ticket_id) == []


async def test_between_two_attempts(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault("get_ticket", "status", times=None, status=503)
    _, handle = await desk.new_run_in_real_time(tenant)

    async def failed_once() -> bool:
        return any(activity.attempt > 1 for activity in (await handle.describe()).raw_description.pending_activities)

    assert await came_true(failed_once, SOON)
    await cancel(handle)


async def test_during_the_write(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault("post_note", "late", seconds=1)
    ticket_id, handle = await desk.new_run_in_real_time(tenant)
    await under_way(tenant, "post_note")
    await cancel(handle)
    assert len(await calls(tenant, "post_note")) == 1, "what was under way is not repeated"
    assert len(await tenant.vendor.notes(ticket_id)) <= 1
