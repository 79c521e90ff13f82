"""`RecordResolution`: what solved a ticket is kept, and it waits and goes on as the other workflow does."""

from typing import Any

import pytest
from temporalio.client import WorkflowFailureError

from tests.support.desk import TOOLS, Desk, Tenant, note_text, outcome
from tests.workflows.seen import (
    ONLY_WHEN_TOLD,
    Handle,
    details,
    ended,
    failure,
    parked,
    waited_for,
    waiting_for,
)
from workflows.contracts import RECORD_RESOLUTION, RESUME, Outcome, Waiting


async def resolved(tenant: Tenant) -> str:
    """A ticket that was solved."""
    ticket_id = await tenant.vendor.ticket("Scanner sends empty mails", "Each scan arrives without its attachment.")
    await tenant.vendor.resolve(ticket_id, "Raised the attachment limit of the relay.")
    return ticket_id


async def recording(desk: Desk, tenant: Tenant, ticket_id: str, version: str = "1", **options: Any) -> Handle:
    """The run of the resolution."""
    signed = await desk.signed(tenant, ticket_id, "resolved")
    return await desk.start_past_the_door(
        tenant, signed, ticket_id, workflow=RECORD_RESOLUTION, kind=f"resolved:{version}", **options
    )


@pytest.mark.parametrize("tool", TOOLS)
async def test_a_resolution_is_recorded_and_found_again(desk: Desk, tool: str) -> None:
    tenant = await desk.tenant(tool)
    old = await resolved(tenant)
    handle = await recording(desk, tenant, old)
    assert (await handle.result()).outcome is Outcome.RECORDED
    assert outcome(await handle.describe()) == "recorded"

    new, enhancing = await desk.new_run(tenant, subject="Scanner sends mails that are empty")
    assert (await enhancing.result()).outcome is Outcome.POSTED
    (note,) = await tenant.vendor.notes(new)
    assert old in note_text(note)
    assert "Raised the attachment limit of the relay" in note_text(note)


async def test_the_same_resolution_again_changes_nothing_and_says_so(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    ticket_id = await resolved(tenant)
    await (await recording(desk, tenant, ticket_id)).result()
    again = await (await recording(desk, tenant, ticket_id, version="2")).result()
    assert again.outcome is Outcome.RECORDED
    assert again.detail == "the history already had this resolution or a later one"


async def test_it_parks_and_goes_on_when_it_is_resumed(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    ticket_id = await resolved(tenant)
    await tenant.vendor.fault("get_ticket", "status", times=None, status=401)
    with desk.skipper.with_time_skipping_disabled():
        handle = await recording(desk, tenant, ticket_id, patience=ONLY_WHEN_TOLD)
    await parked(desk, handle, Waiting.CREDENTIALS)
    assert f"`deskhand runs resume {tenant.run(ticket_id, 'resolved:1')}`" in await details(handle)
    await handle.signal(RESUME)
    await parked(desk, handle, Waiting.CREDENTIALS, times=2)
    await desk.clear_faults()
    await handle.signal(RESUME)
    assert (await ended(handle)).outcome is Outcome.RECORDED
    assert await waited_for(desk, handle) == [Waiting.CREDENTIALS, ""]
    assert await waiting_for(handle) is None


async def test_it_wakes_by_itself_and_one_day_gives_up(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    ticket_id = await resolved(tenant)
    await tenant.vendor.fault("get_ticket", "status", times=2, status=401)
    assert (await (await recording(desk, tenant, ticket_id)).result()).outcome is Outcome.RECORDED

    await tenant.vendor.fault("get_ticket", "status", times=None, status=401)
    handle = await recording(desk, tenant, ticket_id, version="2", patience=ONLY_WHEN_TOLD)
    assert (await failure(handle)).type == "expired"


async def test_a_ticket_that_is_gone_is_not_found(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    ticket_id = await resolved(tenant)
    await tenant.vendor.fault("get_ticket", "status", status=404)
    handle = await recording(desk, tenant, ticket_id)
    assert (await handle.result()).outcome is Outcome.NOT_FOUND


async def test_a_new_ticket_is_no_resolution(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    ticket_id = await tenant.vendor.ticket()
    signed = await desk.signed(tenant, ticket_id)
    handle = await desk.start_past_the_door(tenant, signed, ticket_id, workflow=RECORD_RESOLUTION, kind="resolved:1")
    result = await handle.result()
    assert (result.outcome, result.detail) == (Outcome.IGNORED, "the event is created")


async def test_a_tampered_resolution_is_rejected(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    ticket_id = await resolved(tenant)
    signed = await desk.signed(tenant, ticket_id, "resolved")
    tampered = signed.with_body(signed.raw + b" ")
    handle = await desk.start_past_the_door(tenant, tampered, ticket_id, workflow=RECORD_RESOLUTION, kind="resolved:1")
    assert (await failure(handle)).type == "rejected"


async def test_it_can_be_cancelled_while_it_is_parked(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    ticket_id = await resolved(tenant)
    await tenant.vendor.fault("get_ticket", "status", times=None, status=401)
    with desk.skipper.with_time_skipping_disabled():
        handle = await recording(desk, tenant, ticket_id, patience=ONLY_WHEN_TOLD)
    await parked(desk, handle, Waiting.CREDENTIALS)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await ended(handle)
    assert outcome(await handle.describe()) == "cancelled"
    assert await waiting_for(handle) is None
