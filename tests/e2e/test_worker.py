"""The worker as an operator meets it: it waits for Temporal, and lets go of nothing when it is told to stop."""

import asyncio

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from deskhand.devstack.temporal import NAMESPACE
from deskhand.devstack.waiting import came_true
from deskhand.observability.readiness import Readiness
from tests.support.desk import Desk
from workflows.contracts import TASK_QUEUE, Outcome


async def test_it_starts_before_temporal_is_up_and_waits(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await desk.stack.stop("worker")
    await desk.stack.stop("temporal")
    log = desk.stack.state.log("worker")
    begin = log.stat().st_size

    async def waits() -> bool:
        return "worker.waiting_for_temporal" in log.read_text()[begin:]

    starting = asyncio.create_task(desk.stack.start("worker"))
    assert await came_true(waits, seconds=20)
    await desk.stack.start("temporal")
    await starting
    ticket_id = await tenant.vendor.ticket(announce=True)
    assert (await desk.handle(tenant.run(ticket_id)).result()).outcome is Outcome.POSTED


async def test_a_worker_that_is_told_to_stop_finishes_what_it_is_at(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("post_note", "late", seconds=2)
    before = len(await tenant.vendor.log())
    ticket_id = await tenant.vendor.ticket(announce=True)

    async def posting() -> bool:
        return any(call["operation"] == "post_note" for call in (await tenant.vendor.log())[before:])

    assert await came_true(posting, seconds=20)
    await desk.stack.stop("worker")
    (post,) = [call for call in (await tenant.vendor.log())[before:] if call["operation"] == "post_note"]
    assert (post["client_gone"], post["status"]) == (False, 201), "the call was heard to its end"

    await desk.stack.start("worker")
    result = await desk.handle(tenant.run(ticket_id)).result()
    assert (result.outcome, result.detail) == (Outcome.POSTED, ""), "posted by the first attempt, not found by a second"
    assert len(await tenant.vendor.notes(ticket_id)) == 1


async def test_it_is_ready_only_while_temporal_sees_itself_poll(desk: Desk) -> None:
    address = desk.stack.addresses.temporal
    (poller,) = [poller for poller in await pollers(desk) if f"{desk.stack.pids['worker']}@" in poller]
    queues = (
        (TASK_QUEUE, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY),
        (TASK_QUEUE, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW),
    )

    itself, another = Readiness(), Readiness()
    itself.works(await Client.connect(address, namespace=NAMESPACE, identity=poller), queues)
    another.works(await Client.connect(address, namespace=NAMESPACE, identity="deskhand-worker-1@elsewhere"), queues)
    assert await itself.missing() == []
    assert await another.missing() == [
        f"{TASK_QUEUE} (activity tasks): this worker does not poll it",
        f"{TASK_QUEUE} (workflow tasks): this worker does not poll it",
    ]
    itself.drains()
    assert await itself.missing() == ["the worker was told to stop"]


async def pollers(desk: Desk) -> set[str]:
    """Who asks for work now."""
    answer = await desk.client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(namespace=NAMESPACE, task_queue=TaskQueue(name=TASK_QUEUE))
    )
    return {poller.identity for poller in answer.pollers}
