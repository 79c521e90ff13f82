"""Our own database is down: which runs wait for it, and which need it less than one would think."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from deskhand.devstack.waiting import until
from deskhand.tenants.cache import FRESH_SECONDS
from tests.support.desk import Desk, Tenant, note_text, outcome
from tests.workflows.seen import (
    ONLY_WHEN_TOLD,
    WEEK,
    Handle,
    attempts,
    calls,
    details,
    ended,
    failure,
    parked,
    to_its_end,
    took,
    waited_for,
)
from workflows.contracts import RECORD_RESOLUTION, RESUME, Outcome, Waiting

DOWN = "DatabaseUnavailableError: the database "


@asynccontextmanager
async def our_database_down(desk: Desk) -> AsyncIterator[None]:
    """PostgreSQL is stopped inside, and there again afterwards."""
    await desk.stack.stop("postgres")
    try:
        yield
    finally:
        await desk.stack.start("postgres")


async def recording(desk: Desk, tenant: Tenant) -> Handle:
    """The run of a resolution, in real time."""
    ticket_id = await tenant.vendor.ticket()
    await tenant.vendor.resolve(ticket_id, "Replaced the cable.")
    signed = await desk.signed(tenant, ticket_id, "resolved")
    with desk.skipper.with_time_skipping_disabled():
        return await desk.start_past_the_door(
            tenant,
            signed,
            ticket_id,
            workflow=RECORD_RESOLUTION,
            kind="resolved:1",
            patience=ONLY_WHEN_TOLD,
        )


async def seen_lately(desk: Desk) -> Tenant:
    """A tenant that the worker has read from the database."""
    tenant = await desk.tenant("jira")
    _, handle = await desk.new_run(tenant)
    assert (await handle.result()).outcome is Outcome.POSTED
    return tenant


async def test_a_tenant_never_seen_waits_for_the_database_and_one_seen_lately_does_not(desk: Desk) -> None:
    known = await seen_lately(desk)
    loop = asyncio.get_running_loop()
    stale_at = loop.time() + FRESH_SECONDS
    unknown = await desk.tenant("zendesk")
    async with our_database_down(desk):
        ticket_id, handle = await desk.new_run_in_real_time(unknown, patience=ONLY_WHEN_TOLD)
        await desk.skipper.fast_forward(handle, timedelta(seconds=30))
        wait = await parked(desk, handle, Waiting.STORAGE)
        assert wait.summary.startswith(f"Waiting for storage: `validate_webhook: {DOWN}")
        assert "Nothing need be done once it is back" in await details(handle)
        assert await calls(unknown, "get_ticket") == []

        assert await until(lambda: loop.time() > stale_at, FRESH_SECONDS)
        other_ticket, other = await desk.new_run(known)
        assert (await ended(other)).outcome is Outcome.POSTED
        (note,) = await known.vendor.notes(other_ticket)
        assert "Could not be asked: the history of earlier tickets" in note_text(note)

    await handle.signal(RESUME)
    assert (await ended(handle)).outcome is Outcome.POSTED
    assert len(await unknown.vendor.notes(ticket_id)) == 1
    assert await waited_for(desk, handle) == [Waiting.STORAGE, ""]


async def test_a_resolution_is_kept_once_the_database_is_back(desk: Desk) -> None:
    tenant = await seen_lately(desk)
    async with our_database_down(desk):
        handle = await recording(desk, tenant)
        await desk.skipper.fast_forward(handle, timedelta(seconds=20))
        wait = await parked(desk, handle, Waiting.STORAGE)
        assert wait.summary.startswith(f"Waiting for storage: `record_ticket: {DOWN}")
        assert await attempts(handle, "record_ticket") == 4
        await handle.signal(RESUME)
        await parked(desk, handle, Waiting.STORAGE, times=2)
        assert await attempts(handle, "record_ticket") == 5

    await handle.signal(RESUME)
    result = await ended(handle)
    assert (result.outcome, result.detail) == (Outcome.RECORDED, "kept")
    assert await waited_for(desk, handle) == [Waiting.STORAGE, ""]


async def test_a_database_that_never_comes_back_ends_the_run(desk: Desk) -> None:
    tenant = await seen_lately(desk)
    async with our_database_down(desk):
        handle = await recording(desk, tenant)
        await to_its_end(desk, handle)
        error = await failure(handle)
    assert error.type == "expired"
    assert f"given up after 7 days of waiting (storage): record_ticket: {DOWN}" in error.message
    assert await took(handle) >= WEEK
    assert outcome(await handle.describe()) == "expired"


async def test_without_the_history_the_note_names_what_is_missing(desk: Desk) -> None:
    tenant = await seen_lately(desk)
    async with our_database_down(desk):
        ticket_id, handle = await desk.new_run(tenant)
        assert (await ended(handle)).outcome is Outcome.POSTED
    assert await attempts(handle, "gather_context") == 2
    (note,) = await tenant.vendor.notes(ticket_id)
    assert note["private"] is True
    assert "Could not be asked: the history of earlier tickets" in note_text(note)
