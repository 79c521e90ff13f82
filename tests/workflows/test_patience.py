"""When a parked run wakes by itself, and when it gives up. All of it on the run's own clock."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.support.desk import Desk, outcome
from tests.workflows.seen import (
    ONLY_WHEN_TOLD,
    WEEK,
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
from workflows.contracts import Outcome, Patience, Waiting

HOUR = 60 * 60
DAY = 24 * HOUR
RETRIES = 2 + 4 + 8
"""Seconds between the policy's four attempts at a vendor."""
SLACK = 60
"""Seconds of a run's clock that its attempts may really take, together, on a loaded machine."""


async def test_after_the_fourth_failure_the_run_wakes_by_itself_until_the_vendor_is_back(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("get_ticket", "status", times=6, status=503)
    ticket_id, handle = await desk.new_run(tenant)
    assert (await handle.result()).outcome is Outcome.POSTED
    assert await attempts(handle, "get_ticket") == 7
    assert [wait.end for wait in await waits(desk, handle)] == ["fired"] * 3
    assert await took(handle) < RETRIES + 60 + 300 + 900 + SLACK
    assert len(await tenant.vendor.notes(ticket_id)) == 1


@pytest.mark.usefixtures("hurried")
async def test_a_days_outage_loses_nothing_and_the_vendor_is_asked_ever_more_rarely(desk: Desk) -> None:
    tenant = await desk.tenant("servicedesk_plus")
    await tenant.vendor.fault("get_ticket", "status", times=None, status=503)
    ticket_id, handle = await desk.new_run_in_real_time(tenant)
    await desk.skipper.fast_forward(handle, timedelta(hours=25))
    await desk.clear_faults()
    await to_its_end(desk, handle)
    assert (await handle.result()).outcome is Outcome.POSTED
    assert len(await tenant.vendor.notes(ticket_id)) == 1
    assert await took(handle) <= 25 * HOUR + 6 * HOUR + SLACK

    set_ = await waits(desk, handle)
    assert {wait.end for wait in set_} == {"fired"}
    assert len(await calls(tenant, "get_ticket")) == 4 + len(set_), "four by the policy, and one at each wake"
    assert all(wait.seconds >= 1 for wait in set_)
    first, later = set_[:3], set_[3:]
    assert all(wait.seconds <= most for wait, most in zip(first, (60, 300, 900), strict=True))
    parked_at = first[0].began
    within_a_day = [wait.seconds for wait in later if wait.began - parked_at < timedelta(days=1)]
    after_a_day = [wait.seconds for wait in later if wait.began - parked_at > timedelta(days=1)]
    assert max(within_a_day) <= HOUR
    assert all(seconds <= 6 * HOUR for seconds in after_a_day)
    # Full jitter: of at least 24 waits, some are short and some are long.
    assert len(within_a_day) >= 24
    assert min(within_a_day) < HOUR / 2 < max(within_a_day)


@pytest.mark.usefixtures("hurried")
async def test_after_a_day_it_is_every_six_hours(desk: Desk) -> None:
    # The same schedule, its day an hour long and its hour a minute.
    patience = Patience(first=(1, 5, 15), hourly=60, hourly_until=5 * 60, later=100 * 60)
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("get_ticket", "status", times=None, status=401)
    _, handle = await desk.new_run_in_real_time(tenant, patience=patience)
    await desk.skipper.fast_forward(handle, timedelta(minutes=6))
    for _ in range(3):  # of waits of up to 100 min, one in a hundred is shorter than a minute
        await desk.skipper.fast_forward(handle, timedelta(minutes=101))
    set_ = await waits(desk, handle)
    longest = max(set_, key=lambda wait: wait.seconds)
    assert 60 < longest.seconds <= 100 * 60
    assert longest.began - set_[0].began >= timedelta(minutes=5)
    assert max(wait.seconds for wait in set_ if wait.began - set_[0].began < timedelta(minutes=5)) <= 60


async def test_two_runs_that_park_together_do_not_wake_together(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault("get_ticket", "status", times=None, status=401)
    runs = [await desk.new_run_in_real_time(tenant) for _ in range(4)]
    first = [await parked(desk, handle, Waiting.CREDENTIALS) for _, handle in runs]
    assert len({wait.seconds for wait in first}) == 4
    for _, handle in runs:
        await handle.terminate()


@pytest.mark.usefixtures("hurried")
async def test_patience_comes_from_the_runs_input(desk: Desk) -> None:
    patience = Patience(first=(10,), hourly=20, hourly_until=60, later=40, deadline=10 * 60)
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("get_ticket", "status", times=None, status=401)
    _, handle = await desk.new_run(tenant, patience=patience)
    error = await failure(handle)
    assert error.type == "expired"
    assert 10 * 60 <= await took(handle) < 10 * 60 + SLACK
    first, *later = await waits(desk, handle)
    assert first.seconds <= 10
    assert all(wait.seconds <= 20 for wait in later if wait.began - first.began < timedelta(seconds=60))
    assert all(wait.seconds <= 40 for wait in later)


async def test_the_deadline_counts_from_the_runs_start_not_from_where_it_parked(desk: Desk) -> None:
    patience = ONLY_WHEN_TOLD.model_copy(update={"deadline": 2 * HOUR})
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("get_ticket", "status", status=401)
    await tenant.vendor.fault("list_notes", "status", times=None, status=401)
    _, handle = await desk.new_run_in_real_time(tenant, patience=patience)
    await parked(desk, handle, Waiting.CREDENTIALS)
    await desk.skipper.fast_forward(handle, timedelta(hours=1))
    await handle.signal("resume")
    second = await parked(desk, handle, Waiting.CREDENTIALS, times=2)
    assert second.seconds <= HOUR
    await to_its_end(desk, handle)
    assert (await failure(handle)).type == "expired"
    assert 2 * HOUR <= await took(handle) < 2 * HOUR + SLACK


@pytest.mark.parametrize(
    ("operation", "fault", "waiting", "why"),
    [
        pytest.param("get_ticket", {"kind": "status", "status": 503}, Waiting.VENDOR, "503", id="vendor"),
        pytest.param(
            "post_note",
            {"kind": "status", "status": 429, "headers": {"Retry-After": "9999999"}},
            Waiting.RATE_LIMIT,
            "429",
            id="rate limit",
        ),
        pytest.param("get_ticket", {"kind": "status", "status": 401}, Waiting.CREDENTIALS, "401", id="credentials"),
        pytest.param("get_ticket", {"kind": "status", "status": 302}, Waiting.CONFIGURATION, "302", id="configuration"),
        pytest.param("post_note", {"kind": "public"}, Waiting.PRIVACY, "came out public", id="privacy"),
    ],
)
async def test_after_seven_days_the_run_gives_up_with_a_plain_account(
    desk: Desk, operation: str, fault: dict[str, Any], waiting: Waiting, why: str
) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault(operation, times=None, **fault)
    ticket_id, handle = await desk.new_run(tenant, patience=ONLY_WHEN_TOLD)
    error = await failure(handle)
    assert error.type == "expired"
    assert error.message.startswith(f"given up after 7 days of waiting ({waiting}): ")
    assert why in error.message
    assert WEEK <= await took(handle) < WEEK + SLACK
    assert await waited_for(desk, handle) == [waiting, ""]
    assert await waiting_for(handle) is None
    assert outcome(await handle.describe()) == "expired"
    assert await details(handle) == ""
    assert await tenant.vendor.notes(ticket_id) == []


@pytest.mark.usefixtures("hurried")
async def test_seven_days_by_the_schedule(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault("get_ticket", "status", times=None, status=401)
    _, handle = await desk.new_run(tenant)
    assert (await failure(handle)).type == "expired"
    assert WEEK <= await took(handle) < WEEK + SLACK
    assert await attempts(handle, "get_ticket") == len(await waits(desk, handle)), "none after the deadline"


async def test_privacy_is_not_tried_again_before_somebody_says_so(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("post_note", "public")
    ticket_id, handle = await desk.new_run_in_real_time(tenant)
    await parked(desk, handle, Waiting.PRIVACY)
    await desk.skipper.fast_forward(handle, timedelta(days=6))
    assert await waiting_for(handle) == Waiting.PRIVACY
    assert len(await calls(tenant, "post_note")) == 1
    await handle.signal("resume")
    await to_its_end(desk, handle)
    assert (await ended(handle)).outcome is Outcome.POSTED
    (note,) = await tenant.vendor.notes(ticket_id)
    assert note["private"] is True


async def test_every_wait_is_on_the_runs_own_clock(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("get_ticket", "status", times=3, status=503)
    _, handle = await desk.new_run(tenant)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await handle.result()
    assert loop.time() - began < RETRIES, "these tests skip time"
