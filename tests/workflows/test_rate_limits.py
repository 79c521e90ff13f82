"""A vendor that says when to come back is not asked before, and not much later."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.support.desk import PATIENCE, Desk
from tests.workflows.seen import attempts, details, failure, parked, to_its_end, took, waited_for, waits
from workflows.contracts import Outcome, Waiting

HOUR = 60 * 60
SLACK = 30
"""Seconds of a run's clock that its attempts may really take, together, on a loaded machine."""


@pytest.mark.parametrize("operation", ["get_ticket", "post_note"])
@pytest.mark.parametrize(("said", "seconds"), [("0", 1), ("1", 1), ("5", 5), ("15", 15)])
async def test_a_short_pause_is_kept_within_the_retries(desk: Desk, operation: str, said: str, seconds: int) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault(operation, "status", times=3, status=429, headers={"Retry-After": said})
    ticket_id, handle = await desk.new_run(tenant)
    assert (await handle.result()).outcome is Outcome.POSTED
    # The policy's own delays would come to 14 s.
    assert 3 * seconds <= await took(handle) < (14 if seconds == 1 else 3 * seconds + SLACK)
    assert await waits(desk, handle) == [], "it did not park"
    assert len(await tenant.vendor.notes(ticket_id)) == 1


@pytest.mark.parametrize("operation", ["get_ticket", "post_note"])
@pytest.mark.parametrize(("said", "seconds"), [("16", 16), ("60", 60), ("36000", 10 * HOUR)])
async def test_for_a_long_pause_the_run_parks_until_then_and_up_to_a_tenth_more(
    desk: Desk, operation: str, said: str, seconds: int
) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault(operation, "status", status=429, headers={"Retry-After": said})
    ticket_id, handle = await desk.new_run(tenant)
    assert (await handle.result()).outcome is Outcome.POSTED
    (wait,) = await waits(desk, handle)
    assert wait.summary.startswith("Waiting for rate_limit: ")
    assert (wait.end, seconds <= wait.seconds <= 1.1 * seconds) == ("fired", True)
    assert seconds <= await took(handle) < 1.1 * seconds + SLACK
    activity = "get_ticket" if operation == "get_ticket" else "update_ticket"
    assert await attempts(handle, activity) == 2
    assert await waited_for(desk, handle) == [Waiting.RATE_LIMIT, ""]
    assert len(await tenant.vendor.notes(ticket_id)) == 1


@pytest.mark.parametrize(("ahead", "parks"), [(-HOUR, False), (10, False), (2 * HOUR, True)])
async def test_a_date_counts_from_now(desk: Desk, ahead: int, parks: bool) -> None:
    tenant = await desk.tenant("zendesk")
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)
    await tenant.vendor.fault("get_ticket", "status", status=429, headers={"Retry-After": date})
    _, handle = await desk.new_run(tenant)
    assert (await handle.result()).outcome is Outcome.POSTED
    # The date is in whole seconds, and some pass before it is read.
    least = max(1, ahead - SLACK / 5)
    assert least <= await took(handle) < 1.1 * max(1, ahead) + SLACK
    assert bool(await waits(desk, handle)) is parks


async def test_without_a_word_on_when_the_policy_decides(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault("get_ticket", "status", times=3, status=429)
    _, handle = await desk.new_run(tenant)
    assert (await handle.result()).outcome is Outcome.POSTED
    assert 2 + 4 + 8 <= await took(handle) < 2 + 4 + 8 + SLACK
    assert await waits(desk, handle) == []


async def test_what_the_vendor_says_at_a_wake_is_the_least_and_twice_that_the_most(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault("get_ticket", "status", status=429, headers={"Retry-After": "60"})
    await tenant.vendor.fault("get_ticket", "status", status=429, headers={"Retry-After": "5"})
    _, handle = await desk.new_run(tenant)
    assert (await handle.result()).outcome is Outcome.POSTED
    first, second = await waits(desk, handle)
    assert 60 <= first.seconds <= 66
    assert 5 <= second.seconds <= 10
    assert await attempts(handle, "get_ticket") == 3


async def test_the_page_of_the_run_says_until_when(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault("get_ticket", "status", status=429, headers={"Retry-After": "36000"})
    _, handle = await desk.new_run_in_real_time(tenant)
    wait = await parked(desk, handle, Waiting.RATE_LIMIT)
    until = wait.began + timedelta(seconds=wait.seconds)
    # It was said a moment before the timer was set.
    moments = (until, until - timedelta(seconds=5))
    said = await details(handle)
    assert any(f"Next try: {moment:%Y-%m-%d %H:%M} UTC" in said for moment in moments)
    await to_its_end(desk, handle)
    assert (await handle.result()).outcome is Outcome.POSTED


@pytest.mark.usefixtures("hurried")
async def test_a_vendor_that_says_a_second_all_day_long_is_asked_less_and_less_often(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault("get_ticket", "status", times=None, status=429, headers={"Retry-After": "1"})
    patience = PATIENCE.model_copy(update={"deadline": 12 * HOUR})
    _, handle = await desk.new_run(tenant, patience=patience)
    assert (await failure(handle)).type == "expired"
    wakes = await waits(desk, handle)
    assert 12 <= len(wakes) < 80, "not one a second, and not given up at once"
    assert all(1 <= wait.seconds <= HOUR for wait in wakes[:-1])
