"""Workers that stop, die or stand still: another one goes on with their runs, or the run says what it waits for."""

import os
import signal
from datetime import timedelta

from deskhand.devstack.waiting import came_true
from tests.support.desk import Desk, outcome
from tests.workflows.odd import Odd
from tests.workflows.odd_plugins import BlindPlugin
from tests.workflows.seen import (
    ONLY_WHEN_TOLD,
    SOON,
    WEEK,
    attempts,
    calls,
    details,
    ended,
    failure,
    parked,
    to_its_end,
    took,
    under_way,
    waited_for,
)
from workflows.contracts import RESUME, Outcome, Waiting

STANDSTILL = 60
"""Real seconds in which all attempts at a worker that stands still have timed out."""


async def test_a_worker_that_is_told_to_stop_ends_what_it_is_at_and_another_goes_on(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault("get_ticket", "late", seconds=1)
    ticket_id, handle = await desk.new_run_in_real_time(tenant)
    await under_way(tenant, "get_ticket")
    await desk.stack.stop("worker")
    (call,) = await calls(tenant, "get_ticket")
    assert call["status"] == 200, "heard to its end"
    assert await tenant.vendor.notes(ticket_id) == []

    await desk.stack.start("worker")
    assert (await ended(handle)).outcome is Outcome.POSTED
    assert await attempts(handle, "get_ticket") == 1
    assert len(await tenant.vendor.notes(ticket_id)) == 1


async def test_a_parked_run_outlives_its_worker(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault("get_ticket", "status", times=None, status=401)
    _, handle = await desk.new_run_in_real_time(tenant, patience=ONLY_WHEN_TOLD)
    await parked(desk, handle, Waiting.CREDENTIALS)
    said = await details(handle)
    await desk.stack.stop("worker")
    await handle.signal(RESUME)
    await handle.signal(RESUME)
    await desk.stack.start("worker")
    await parked(desk, handle, Waiting.CREDENTIALS, times=2)
    assert await attempts(handle, "get_ticket") == 2, "both were heard together: one attempt"
    assert (await details(handle)).split("Next try")[0] == said.split("Next try")[0]
    await desk.clear_faults()
    await handle.signal(RESUME)
    assert (await ended(handle)).outcome is Outcome.POSTED


async def test_a_worker_killed_while_it_writes_leaves_doubt_and_one_note(desk: Desk, odd: Odd) -> None:
    seeing, blind, reading = await desk.tenant("jira"), await odd.tenant(BlindPlugin), await desk.tenant("zendesk")
    for tenant in (seeing, blind):
        await tenant.vendor.fault("post_note", "late", seconds=1)
    await reading.vendor.fault("get_ticket", "slow", seconds=30)
    read_ticket, read = await desk.new_run_in_real_time(reading)
    seen_ticket, seen = await desk.new_run_in_real_time(seeing)
    blind_ticket, unseen = await odd.new_run_in_real_time(blind)
    await under_way(reading, "get_ticket")
    await under_way(seeing, "post_note")
    await under_way(blind, "post_note")

    async def landed() -> bool:
        return bool(await seeing.vendor.notes(seen_ticket)) and bool(await blind.vendor.notes(blind_ticket))

    desk.stack.kill("worker")
    odd.worker.kill()
    both_landed = await came_true(landed, SOON)
    await desk.stack.start("worker")
    await odd.worker.start()
    assert both_landed, "the vendors go on with what they have in hand"
    # What remains of the attempt's budget is real, and so are the seconds until Temporal misses the dead worker.
    await to_its_end(desk, unseen)
    unconfirmed = await unseen.result()
    assert unconfirmed.outcome is Outcome.UNCONFIRMED
    assert unconfirmed.detail == "blind may have the note of an earlier attempt, and cannot be asked"
    assert outcome(await unseen.describe()) == "unconfirmed"
    assert len(await calls(blind, "post_note")) == 1

    await to_its_end(desk, seen)
    found = await seen.result()
    assert (found.outcome, found.detail) == (Outcome.POSTED, "an earlier attempt's note is on the ticket")
    assert len(await calls(seeing, "post_note")) == 1

    await to_its_end(desk, read)
    assert (await read.result()).outcome is Outcome.POSTED
    assert await attempts(read, "update_ticket") == 1, "a killed reader leaves no doubt"
    for tenant, ticket_id in ((seeing, seen_ticket), (blind, blind_ticket), (reading, read_ticket)):
        assert len(await tenant.vendor.notes(ticket_id)) == 1


async def test_a_worker_that_stands_still_is_overload_and_the_run_says_so(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault("get_ticket", "slow", times=None, seconds=30)
    ticket_id, handle = await desk.new_run_in_real_time(tenant, patience=ONLY_WHEN_TOLD)
    other = await desk.tenant("jira")
    await other.vendor.fault("get_ticket", "status", status=401)
    await other.vendor.fault("get_ticket", "slow", times=None, seconds=30)
    _, woken = await desk.new_run_in_real_time(other, patience=ONLY_WHEN_TOLD)
    await parked(desk, woken, Waiting.CREDENTIALS)
    await woken.signal(RESUME)
    await under_way(other, "get_ticket")
    await under_way(tenant, "get_ticket")

    async def used_up() -> bool:
        seen = [await run.describe() for run in (handle, woken)]
        return not any(run.raw_description.pending_activities for run in seen)

    worker = desk.stack.pids["worker"]
    os.kill(worker, signal.SIGSTOP)
    try:
        # The attempts' budgets are real, the delays between them are not.
        await desk.skipper.fast_forward(handle, timedelta(seconds=2 + 4 + 8 + 4 * 2 + 1))
        assert await came_true(used_up, STANDSTILL)
        await desk.clear_faults()
    finally:
        os.kill(worker, signal.SIGCONT)
    wait = await parked(desk, handle, Waiting.OVERLOAD)
    assert wait.summary == "Waiting for overload: `get_ticket: no attempt finished in time`"
    assert "More workers may be needed" in await details(handle)
    await handle.signal(RESUME)
    assert (await ended(handle)).outcome is Outcome.POSTED
    assert len(await tenant.vendor.notes(ticket_id)) == 1
    assert await waited_for(desk, handle) == [Waiting.OVERLOAD, ""]

    await parked(desk, woken, Waiting.OVERLOAD, times=2)
    await to_its_end(desk, woken)
    error = await failure(woken)
    assert error.message.endswith(
        "given up after 7 days of waiting (overload): get_ticket: no attempt finished in time"
    )
    assert await took(woken) >= WEEK
