"""One tenant's flood does not keep another's urgent ticket waiting."""

import asyncio

from deskhand.devstack.waiting import came_true
from tests.support.desk import Desk
from workflows.contracts import Outcome
from workflows.search_attributes import TENANT

FLOOD = 200


async def test_an_urgent_ticket_goes_before_another_tenants_flood(desk: Desk) -> None:
    flooding = await desk.tenant("zendesk")
    await desk.stack.stop("worker")
    try:
        flood = [await desk.signed(flooding, await flooding.vendor.ticket(priority="normal")) for _ in range(FLOOD)]
        for start in range(0, FLOOD, 20):
            answers = await asyncio.gather(*map(desk.send, flood[start : start + 20]))
            assert {answer.status_code for answer in answers} == {202}
        urgent = await desk.tenant("zendesk")
        ticket_id = await urgent.vendor.ticket(priority="urgent")
        assert (await desk.send(await desk.signed(urgent, ticket_id))).status_code == 202
    finally:
        await desk.stack.start("worker")
    handle = desk.handle(urgent.run(ticket_id))
    assert (await handle.result()).outcome is Outcome.POSTED
    posted = (await handle.describe()).close_time

    async def through() -> bool:
        open_runs = f"{TENANT.name} = '{flooding.id}' AND ExecutionStatus = 'Running'"
        return (await desk.client.count_workflows(open_runs)).count == 0

    assert await came_true(through, seconds=60)
    closed = [run.close_time async for run in desk.client.list_workflows(f"{TENANT.name} = '{flooding.id}'")]
    assert len(closed) == FLOOD
    before = sum(1 for moment in closed if moment is not None and posted is not None and moment < posted)
    assert before < FLOOD / 2, "first in, first out, all of them would be"
