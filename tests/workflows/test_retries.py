"""What a policy does before a run has to park: attempts at NFR001's delays, each within its budget."""

import pytest

from tests.support.desk import Desk
from tests.workflows.seen import attempts, calls, failure, took, waits
from workflows.contracts import Outcome

SLACK = 4
"""Seconds of a run's clock that its attempts may really take, together, on a loaded machine."""


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
    assert await attempts(handle, activity) == failures + 1
    assert delays <= await took(handle) < delays + SLACK
    assert await waits(desk, handle) == []
    assert len(await tenant.vendor.notes(ticket_id)) == 1


async def test_what_no_waiting_mends_fails_with_the_vendors_words(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("get_ticket", "status", times=None, status=400)
    _, handle = await desk.new_run(tenant)
    error = await failure(handle)
    assert error.type == "failed"
    assert await attempts(handle, "get_ticket") == 1
    assert "400" in error.message
    assert await waits(desk, handle) == []


async def test_a_login_page_is_no_answer_and_is_asked_again(desk: Desk) -> None:
    tenant = await desk.tenant("servicedesk_plus")
    await tenant.vendor.fault("get_ticket", "garbage")
    ticket_id, handle = await desk.new_run(tenant)
    assert (await handle.result()).outcome is Outcome.POSTED
    assert await attempts(handle, "get_ticket") == 2
    assert len(await tenant.vendor.notes(ticket_id)) == 1


async def test_an_attempt_past_its_budget_is_closed_before_the_next_begins(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.fault("post_note", "slow", seconds=6)
    ticket_id, handle = await desk.new_run(tenant)
    assert (await handle.result()).outcome is Outcome.POSTED
    posts = await calls(tenant, "post_note")
    assert [call["client_gone"] for call in posts] == [True, False]
    assert posts[0]["ended"] - posts[0]["began"] < 5, "closed within the budget"
    assert posts[0]["ended"] < posts[1]["began"]
    assert len(await tenant.vendor.notes(ticket_id)) == 1
