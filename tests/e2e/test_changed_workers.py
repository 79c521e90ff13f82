"""Workers that cannot go on with a run, since they have other keys or other code: the run waits, and does not fail."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from deskhand.crypto.keyring import Keyring
from deskhand.devstack.process import ChildProcess, ProcessSpec
from deskhand.devstack.services import WORKER, Services
from deskhand.devstack.temporal import NAMESPACE
from deskhand.devstack.waiting import came_true
from tests.replay.stored import Told
from tests.support.desk import Desk, Tenant
from workflows.contracts import RESUME, TASK_QUEUE, Outcome, RunResult
from workflows.search_attributes import WAITING_FOR

Handle = WorkflowHandle[Any, RunResult]


def worker_spec(desk: Desk) -> ProcessSpec:
    """What the stack's own worker runs."""
    (spec,) = (s for s in Services(desk.stack.state, desk.stack.database).specs() if s.name == WORKER)
    return spec


def with_other_keys(desk: Desk) -> ProcessSpec:
    """A worker that has everything but the key which the runs are sealed under."""
    spec = worker_spec(desk)
    env = {**spec.env, "DESKHAND_PAYLOAD_KEYS_FILE": "", "DESKHAND_PAYLOAD_KEYS": Keyring.generate_text("other")}
    return replace(spec, name="worker-other-keys", env=env, log=desk.stack.state.log("worker-other-keys"))


def with_other_code(desk: Desk) -> ProcessSpec:
    """A worker of a careless version, whose workflow has other commands."""
    spec = worker_spec(desk)
    argv = (sys.executable, "-m", "tests.replay.changed_worker", desk.stack.addresses.temporal, NAMESPACE, TASK_QUEUE)
    return replace(spec, name="worker-other-code", argv=argv, log=desk.stack.state.log("worker-other-code"))


@asynccontextmanager
async def instead(desk: Desk, spec: ProcessSpec) -> AsyncIterator[None]:
    """Have another worker in the place of the stack's own, which is back afterwards."""
    await desk.stack.stop(WORKER)
    other = ChildProcess(spec)
    try:
        await other.start()
        yield
    finally:
        await other.stop()
        await desk.stack.start(WORKER)


async def parked(desk: Desk, tenant: Tenant, operation: str) -> tuple[str, Handle]:
    """A ticket and its run, which waits for credentials."""
    await tenant.vendor.fault(operation, "status", times=None, status=401)
    ticket_id = await tenant.vendor.ticket(announce=True)
    handle = desk.handle(tenant.run(ticket_id))

    async def waits() -> bool:
        return (await handle.describe()).typed_search_attributes.get(WAITING_FOR) == "credentials"

    assert await came_true(waits, seconds=30)
    await tenant.vendor.clear_faults()
    return ticket_id, handle


async def failed_tasks(handle: Handle) -> list[str]:
    """Why workflow tasks of a run failed."""
    failed = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    return [
        WorkflowTaskFailedCause.Name(event.workflow_task_failed_event_attributes.cause)
        for event in (await handle.fetch_history()).events
        if event.event_type == failed
    ]


@pytest.mark.parametrize(
    ("other", "cause"),
    [
        (with_other_keys, "WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE"),
        (with_other_code, "WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR"),
    ],
)
async def test_a_parked_run_that_another_worker_is_given_waits_for_the_right_one(
    desk: Desk, other: Any, cause: str
) -> None:
    tenant = await desk.tenant("jira")
    ticket_id, handle = await parked(desk, tenant, "post_note")
    async with instead(desk, other(desk)):
        await handle.signal(RESUME)

        async def failed() -> bool:
            return bool(await failed_tasks(handle))

        assert await came_true(failed, seconds=30)
        assert set(await failed_tasks(handle)) == {cause}
        assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
        assert await tenant.vendor.notes(ticket_id) == []
    assert (await handle.result()).outcome is Outcome.POSTED
    assert len(await tenant.vendor.notes(ticket_id)) == 1


async def test_a_new_run_waits_for_a_worker_with_its_key(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    async with instead(desk, with_other_keys(desk)):
        ticket_id = await tenant.vendor.ticket(announce=True)
        handle = desk.handle(tenant.run(ticket_id))

        async def failed() -> bool:
            return bool(await failed_tasks(handle))

        assert await came_true(failed, seconds=30)
        assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    assert (await handle.result()).outcome is Outcome.POSTED
    assert len(await tenant.vendor.notes(ticket_id)) == 1


async def test_activities_that_a_worker_with_other_keys_is_given_are_not_lost(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("get_ticket", "status", times=None, status=503)
    ticket_id = await tenant.vendor.ticket(announce=True)
    handle = desk.handle(tenant.run(ticket_id))

    def attempts(least: int) -> Any:
        async def reached() -> bool:
            pending = (await handle.describe()).raw_description.pending_activities
            return any(call.attempt >= least for call in pending)

        return reached

    assert await came_true(attempts(2), seconds=20)
    async with instead(desk, with_other_keys(desk)):
        await tenant.vendor.clear_faults()

        async def failed() -> bool:
            return bool(await failed_tasks(handle))

        assert await came_true(failed, seconds=40)
        assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    await handle.signal(RESUME)
    async with asyncio.timeout(40):
        result = await handle.result()
    assert result.outcome is Outcome.POSTED
    told = Told(tuple((await handle.fetch_history()).events))
    assert f"upsert_workflow_search_attributes {WAITING_FOR.name}=configuration" in told.way
    assert len(await tenant.vendor.notes(ticket_id)) == 1
