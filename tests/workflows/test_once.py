"""One note per ticket, whatever becomes of the answers: looked for before each write, and once more after a doubt."""

from datetime import timedelta

import pytest

from deskhand.devstack.waiting import came_true
from deskhand.runs.again import Again
from deskhand.runs.handling import Runs
from deskhand.runs.starting import TemporalRuns
from tests.support.desk import TOOLS, Desk, note_text, outcome
from tests.workflows.odd import QUEUE, Odd
from tests.workflows.odd_plugins import BlindPlugin
from tests.workflows.seen import (
    ONLY_WHEN_TOLD,
    SOON,
    attempts,
    calls,
    details,
    ended,
    failure,
    parked,
    to_its_end,
    took,
    waited_for,
    waiting_for,
    waits,
)
from workflows.contracts import RESUME, Outcome, Waiting

FOUND = "an earlier attempt's note is on the ticket"
LEFT_ALONE = 20
"""Seconds between a write of unknown outcome and the next look."""


@pytest.mark.parametrize("tool", TOOLS)
async def test_a_note_whose_answer_was_lost_is_not_written_twice(desk: Desk, tool: str) -> None:
    tenant = await desk.tenant(tool)
    await tenant.vendor.fault("post_note", "drop")
    ticket_id, handle = await desk.new_run(tenant)
    result = await handle.result()
    assert (result.outcome, result.detail) == (Outcome.POSTED, FOUND)
    assert len(await calls(tenant, "post_note")) == 1
    assert len(await tenant.vendor.notes(ticket_id)) == 1
    assert await took(handle) >= 2 * LEFT_ALONE, "a slow vendor had time to commit before each look"


async def test_a_vendor_that_lands_the_note_after_our_time_out_gets_no_second_one(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("post_note", "late", seconds=5)
    ticket_id, handle = await desk.new_run_in_real_time(tenant)

    async def landed() -> bool:
        return bool(await tenant.vendor.notes(ticket_id))

    # The vendor's five seconds are real; what is left of the twenty that we leave it is not.
    assert await came_true(landed, SOON)
    await desk.skipper.fast_forward(handle, timedelta(minutes=1))
    result = await handle.result()
    assert (result.outcome, result.detail) == (Outcome.POSTED, FOUND)
    assert len(await calls(tenant, "post_note")) == 1
    assert len(await tenant.vendor.notes(ticket_id)) == 1


async def test_a_note_that_lands_after_our_second_one_is_removed_by_the_second_look(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("post_note", "late", seconds=7)
    ticket_id, handle = await desk.new_run_in_real_time(tenant)

    async def given_up() -> bool:
        return any(call["client_gone"] for call in await calls(tenant, "post_note"))

    async def two() -> bool:
        return len(await tenant.vendor.notes(ticket_id)) == 2

    assert await came_true(given_up, SOON)
    await desk.skipper.fast_forward(handle, timedelta(seconds=LEFT_ALONE + 1))
    assert await came_true(two, SOON), "the vendor commits the first one behind our back"
    (wait,) = await waits(desk, handle)
    assert "did an earlier attempt leave a second note?" in wait.summary
    assert (wait.seconds, wait.end) == (LEFT_ALONE, "open")

    await to_its_end(desk, handle)
    result = await handle.result()
    assert (result.outcome, result.detail) == (Outcome.POSTED, "")
    (note,) = await tenant.vendor.notes(ticket_id)
    assert note["private"] is True
    assert note_text(note).rstrip().endswith(tenant.ref(ticket_id))


async def test_a_note_that_was_posted_at_once_needs_no_second_look(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    _, handle = await desk.new_run(tenant)
    await handle.result()
    assert await attempts(handle, "look_again") == 0
    assert await waits(desk, handle) == []


async def test_after_a_definite_refusal_there_is_no_doubt(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("post_note", "status", times=2, status=503)
    _, handle = await desk.new_run(tenant)
    assert (await handle.result()).outcome is Outcome.POSTED
    assert await attempts(handle, "look_again") == 0
    assert await took(handle) < LEFT_ALONE


async def test_doubt_outlives_the_park(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("post_note", "drop")
    ticket_id, handle = await desk.new_run_in_real_time(tenant, patience=ONLY_WHEN_TOLD)

    async def landed() -> bool:
        return bool(await tenant.vendor.notes(ticket_id))

    assert await came_true(landed, SOON)
    await tenant.vendor.fault("list_notes", "status", status=401)
    await desk.skipper.fast_forward(handle, timedelta(seconds=LEFT_ALONE + 1))
    await parked(desk, handle, Waiting.CREDENTIALS)
    await handle.signal(RESUME)
    await to_its_end(desk, handle)
    result = await handle.result()
    assert (result.outcome, result.detail) == (Outcome.POSTED, FOUND)
    assert await attempts(handle, "look_again") == 1, "an attempt before the park may have left one more"
    assert len(await tenant.vendor.notes(ticket_id)) == 1
    assert await waited_for(desk, handle) == [Waiting.CREDENTIALS, ""]


async def test_a_second_look_that_fails_is_waited_for(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("post_note", "drop")
    ticket_id, handle = await desk.new_run_in_real_time(tenant, patience=ONLY_WHEN_TOLD)

    async def landed() -> bool:
        return bool(await tenant.vendor.notes(ticket_id))

    assert await came_true(landed, SOON)
    await desk.skipper.fast_forward(handle, timedelta(seconds=LEFT_ALONE + 1))
    await tenant.vendor.fault("list_notes", "status", status=401)
    await desk.skipper.fast_forward(handle, timedelta(seconds=LEFT_ALONE + 1))
    wait = await parked(desk, handle, Waiting.CREDENTIALS, times=2)
    assert "look_again: " in wait.summary
    await handle.signal(RESUME)
    assert (await ended(handle)).outcome is Outcome.POSTED
    assert len(await tenant.vendor.notes(ticket_id)) == 1


@pytest.mark.parametrize("status", [400, 401])
async def test_a_second_look_that_never_works_does_not_undo_the_note(desk: Desk, status: int) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("post_note", "drop")
    ticket_id, handle = await desk.new_run_in_real_time(tenant, patience=ONLY_WHEN_TOLD)

    async def landed() -> bool:
        return bool(await tenant.vendor.notes(ticket_id))

    assert await came_true(landed, SOON)
    await desk.skipper.fast_forward(handle, timedelta(seconds=LEFT_ALONE + 1))
    await tenant.vendor.fault("list_notes", "status", times=None, status=status)
    await to_its_end(desk, handle)
    result = await handle.result()
    assert result.outcome is Outcome.POSTED
    assert result.detail.startswith(f"{FOUND}; an earlier attempt may have left a second note")
    assert outcome(await handle.describe()) == "posted"
    assert await waiting_for(handle) is None


async def test_where_the_plugin_cannot_look_a_lost_answer_is_not_repeated(odd: Odd) -> None:
    tenant = await odd.tenant(BlindPlugin)
    await tenant.vendor.fault("post_note", "drop")
    ticket_id, handle = await odd.new_run(tenant)
    result = await handle.result()
    assert result.outcome is Outcome.UNCONFIRMED
    assert "no answer to POST" in result.detail
    assert outcome(await handle.describe()) == "unconfirmed"
    assert len(await calls(tenant, "post_note")) == 1
    assert len(await tenant.vendor.notes(ticket_id)) == 1


async def test_where_the_plugin_cannot_look_a_definite_refusal_is_repeated(odd: Odd) -> None:
    tenant = await odd.tenant(BlindPlugin)
    await tenant.vendor.fault("post_note", "status", times=5, status=503)
    ticket_id, handle = await odd.new_run(tenant)
    assert (await handle.result()).outcome is Outcome.POSTED
    assert len(await calls(tenant, "post_note")) == 6, "over a park, too"
    assert len(await tenant.vendor.notes(ticket_id)) == 1


async def test_where_the_plugin_cannot_look_doubt_outlives_the_park(odd: Odd) -> None:
    tenant = await odd.tenant(BlindPlugin)
    await tenant.vendor.fault("post_note", "public")
    _, handle = await odd.new_run_in_real_time(tenant, patience=ONLY_WHEN_TOLD)
    await parked(odd.desk, handle, Waiting.PRIVACY)
    assert "it could not be taken back: remove it by hand" in await details(handle)
    await handle.signal(RESUME)
    result = await ended(handle)
    assert result.outcome is Outcome.UNCONFIRMED
    assert result.detail == "blind may have the note of an earlier attempt, and cannot be asked"
    assert len(await calls(tenant, "post_note")) == 1


async def test_where_the_plugin_cannot_look_doubt_outlives_the_run_until_somebody_has_looked(odd: Odd) -> None:
    tenant = await odd.tenant(BlindPlugin)
    await tenant.vendor.fault("post_note", "drop")
    ticket_id, handle = await odd.new_run(tenant)
    assert (await handle.result()).outcome is Outcome.UNCONFIRMED
    again = Again(odd.desk.client, TemporalRuns(odd.desk.client, QUEUE))

    async def retried(*, not_there: bool = False) -> Outcome:
        await again.retry(await Runs(odd.desk.client).look(tenant.run(ticket_id)), not_there=not_there)
        return (await odd.desk.handle(tenant.run(ticket_id)).result()).outcome

    assert await retried() is Outcome.UNCONFIRMED
    assert await retried() is Outcome.UNCONFIRMED, "a second time, too"
    assert len(await calls(tenant, "post_note")) == 1
    assert len(await tenant.vendor.notes(ticket_id)) == 1
    assert await retried(not_there=True) is Outcome.POSTED
    assert len(await calls(tenant, "post_note")) == 2, "as it was told to"


@pytest.mark.parametrize("tool", TOOLS)
async def test_a_note_that_came_out_public_is_taken_back_and_never_repeated(desk: Desk, tool: str) -> None:
    tenant = await desk.tenant(tool)
    await tenant.vendor.fault("post_note", "public", times=None)
    ticket_id, handle = await desk.new_run(tenant)
    error = await failure(handle)
    assert "public" in error.message
    assert len(await calls(tenant, "post_note")) == 1
    assert [note for note in await tenant.vendor.notes(ticket_id) if not note["private"]] == []


@pytest.mark.parametrize("tool", TOOLS)
async def test_a_public_note_whose_answer_was_lost_is_never_taken_for_a_posted_one(desk: Desk, tool: str) -> None:
    tenant = await desk.tenant(tool)
    await tenant.vendor.fault("post_note", "public", dropped=True)
    ticket_id, handle = await desk.new_run(tenant)
    error = await failure(handle)
    assert "an earlier note is public" in error.message
    assert [note for note in await tenant.vendor.notes(ticket_id) if not note["private"]] == []
