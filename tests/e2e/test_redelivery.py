"""A delivery that comes again: at once and through two doors, after the run, after the run was forgotten, after a reset
of the run. There is one note, whatever comes.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest, ResetWorkflowExecutionRequest
from temporalio.service import RPCError, RPCStatusCode

from deskhand.devstack.waiting import came_true
from tests.support.desk import TOOLS, Desk, Signed, Tenant, note_text
from tests.support.processes import second_starter
from workflows.contracts import Outcome, RunResult

FOUND = "an earlier attempt's note is on the ticket"


@pytest.fixture(scope="module")
async def other_door(shared_desk: Desk) -> AsyncIterator[str]:
    """The address of a second starter of the same stack."""
    async with second_starter(shared_desk.stack) as address:
        yield address


async def posted(desk: Desk, tenant: Tenant, ticket_id: str) -> RunResult:
    """Wait for the latest run of the ticket, and see the ticket's one note."""
    result = await desk.handle(tenant.run(ticket_id)).result()
    assert result.outcome is Outcome.POSTED
    (note,) = await tenant.vendor.notes(ticket_id)
    assert note["private"] is True
    assert tenant.ref(ticket_id) in note_text(note)
    return result


async def run_id(desk: Desk, tenant: Tenant, ticket_id: str) -> str:
    """Temporal's id of the ticket's latest run."""
    return (await desk.handle(tenant.run(ticket_id)).describe()).run_id


async def enhanced(desk: Desk, tool: str) -> tuple[Tenant, str, Signed]:
    """A ticket that has its note, and the delivery that brought it."""
    tenant = await desk.tenant(tool)
    ticket_id = await tenant.vendor.ticket()
    signed = await desk.signed(tenant, ticket_id)
    assert (await desk.send(signed)).status_code == 202
    assert (await posted(desk, tenant, ticket_id)).detail == ""
    return tenant, ticket_id, signed


@pytest.mark.parametrize("tool", TOOLS)
async def test_twenty_deliveries_at_each_of_two_starters_make_one_run(desk: Desk, other_door: str, tool: str) -> None:
    tenant = await desk.tenant(tool)
    ticket_id = await tenant.vendor.ticket()
    here = [await desk.signed(tenant, ticket_id) for _ in range(20)]
    there = [
        replace(signed, url=signed.url.replace(desk.stack.addresses.starter, other_door))
        for signed in [await desk.signed(tenant, ticket_id) for _ in range(20)]
    ]
    both = [signed for pair in zip(here, there, strict=True) for signed in pair]
    answers = await asyncio.gather(*map(desk.send, both))
    assert sorted(answer.status_code for answer in answers) == [200] * 39 + [202]
    assert {answer.json()["run"] for answer in answers} == {tenant.run(ticket_id)}
    assert (await posted(desk, tenant, ticket_id)).detail == "", "nobody else had written it"

    only = await run_id(desk, tenant, ticket_id)
    again = await asyncio.gather(desk.send(here[0]), desk.send(there[0]))
    assert [answer.status_code for answer in again] == [200, 200], "a finished run counts, too"
    assert await run_id(desk, tenant, ticket_id) == only
    assert await desk.runs_of(tenant) == 1
    assert len(await tenant.vendor.notes(ticket_id)) == 1


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Two tickets of which Temporal has forgotten the runs, and the deliveries that brought these."""

    tenant: Tenant
    noted: str
    created: Signed
    resolved: Signed


@pytest.fixture(scope="module")
async def forgotten(shared_desk: Desk) -> Mapping[str, Forgotten]:
    """By tool. All at once, since Temporal takes its time over the deletion of a run."""
    found = await asyncio.gather(*(_forgotten(shared_desk, tool) for tool in TOOLS))
    return dict(zip(TOOLS, found, strict=True))


async def _forgotten(desk: Desk, tool: str) -> Forgotten:
    tenant, noted, created = await enhanced(desk, tool)
    ticket_id = await tenant.vendor.ticket()
    await tenant.vendor.resolve(ticket_id, "Replaced the cable.")
    resolved = await desk.signed(tenant, ticket_id, "resolved")
    assert (await recorded(desk, resolved)).detail == "kept"
    runs = [tenant.run(noted), (await desk.send(resolved)).json()["run"]]
    await asyncio.gather(*(forget(desk, run) for run in runs))
    return Forgotten(tenant, noted, created, resolved)


async def recorded(desk: Desk, signed: Signed) -> RunResult:
    """Send a resolution that starts a run, and wait for that."""
    answer = await desk.send(signed)
    assert answer.status_code == 202
    result = await desk.handle(answer.json()["run"]).result()
    assert result.outcome is Outcome.RECORDED
    return result


async def forget(desk: Desk, run: str) -> None:
    """Delete a finished run, as Temporal does after the retention, and wait until it is gone."""
    await desk.client.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(
            namespace=desk.client.namespace, workflow_execution=WorkflowExecution(workflow_id=run)
        )
    )

    async def gone() -> bool:
        try:
            await desk.handle(run).describe()
        except RPCError as error:
            return error.status is RPCStatusCode.NOT_FOUND
        return False

    assert await came_true(gone, seconds=100)


@pytest.mark.parametrize("tool", TOOLS)
async def test_after_the_retention_a_new_run_finds_the_note(
    desk: Desk, forgotten: Mapping[str, Forgotten], tool: str
) -> None:
    tenant, ticket_id = forgotten[tool].tenant, forgotten[tool].noted
    assert (await desk.send(forgotten[tool].created)).status_code == 202, "nobody remembers the first run"
    assert (await posted(desk, tenant, ticket_id)).detail == FOUND


@pytest.mark.parametrize("tool", TOOLS)
async def test_after_the_retention_a_resolution_changes_nothing(
    desk: Desk, forgotten: Mapping[str, Forgotten], tool: str
) -> None:
    again = await recorded(desk, forgotten[tool].resolved)
    assert again.detail == "the history already had this resolution or a later one"


async def reset(desk: Desk, run: str, *, to: int) -> str:
    """Reset a run to its first (0) or last (-1) workflow task; Temporal's id of the new run."""
    ends = [
        event.event_id
        for event in (await desk.handle(run).fetch_history()).events
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    ]
    answer = await desk.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=desk.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=run),
            reason="a test",
            workflow_task_finish_event_id=ends[to],
            request_id=str(uuid4()),
        )
    )
    return answer.run_id


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    ("to", "detail"),
    # From the first on all activities run once more, from the last on none does.
    [pytest.param(0, FOUND, id="first workflow task"), pytest.param(-1, "", id="last workflow task")],
)
async def test_a_run_that_is_reset_writes_no_second_note(desk: Desk, tool: str, to: int, detail: str) -> None:
    tenant, ticket_id, signed = await enhanced(desk, tool)
    new = await reset(desk, tenant.run(ticket_id), to=to)
    assert (await posted(desk, tenant, ticket_id)).detail == detail
    assert await run_id(desk, tenant, ticket_id) == new
    assert (await desk.send(signed)).status_code == 200, "a run that was reset counts, too"
    assert await run_id(desk, tenant, ticket_id) == new
