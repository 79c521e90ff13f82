"""Two workers on one queue: either can go, killed or told to, and every ticket has its note, once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from deskhand.devstack.waiting import came_true
from tests.support.desk import TOOLS, Desk, Tenant
from tests.support.histories import WORKFLOW_TASK, Attempts, attempts
from tests.support.processes import second_worker
from workflows.contracts import Outcome, RunResult

TICKETS = 30
FOUND = "an earlier attempt's note is on the ticket"


@dataclass(frozen=True, slots=True)
class Load:
    """Tickets on which notes are being written."""

    desk: Desk
    runs: Sequence[tuple[Tenant, str, WorkflowHandle[Any, RunResult]]]

    async def notes(self) -> list[dict[str, Any]]:
        """All their notes."""
        return [note for tenant, ticket_id, _ in self.runs for note in await tenant.vendor.notes(ticket_id)]

    async def results(self) -> list[RunResult]:
        """What came of them; each has its own note by then, and that is private."""
        results = [await handle.result() for _, _, handle in self.runs]
        for tenant, ticket_id, _ in self.runs:
            (note,) = await tenant.vendor.notes(ticket_id)
            assert note["private"] is True
        return results

    async def attempts(self) -> list[Attempts]:
        """How often their parts were tried."""
        return [attempts(await handle.fetch_history()) for _, _, handle in self.runs]


@pytest.fixture
async def other(desk: Desk) -> AsyncIterator[str]:
    """The name of a second worker."""
    async with second_worker(desk.stack) as name:
        yield name


@pytest.fixture
async def load(desk: Desk, other: str) -> Load:
    """Thirty tickets at three tools that take a while over each note, a good part of the notes on their way."""
    tenants = [await desk.tenant(tool) for tool in TOOLS]
    for tenant in tenants:
        # It lands, whether or not somebody waits for it.
        await tenant.vendor.fault("post_note", "late", times=None, seconds=2)
    before = [len(await tenant.vendor.log()) for tenant in tenants]
    each = TICKETS // len(tenants)
    runs = await asyncio.gather(*(desk.new_run(tenant) for tenant in tenants for _ in range(each)))
    owners = [tenant for tenant in tenants for _ in range(each)]

    async def busy() -> bool:
        calls = [
            call
            for tenant, begin in zip(tenants, before, strict=True)
            for call in (await tenant.vendor.log())[begin:]
            if call["operation"] == "post_note" and call["ended"] is None
        ]
        return len(calls) >= TICKETS // 3

    assert await came_true(busy, seconds=30)
    return Load(desk, [(tenant, *run) for tenant, run in zip(owners, runs, strict=True)])


async def test_the_other_worker_takes_over_from_one_that_is_killed(desk: Desk, other: str, load: Load) -> None:
    desk.stack.kill(other)
    await desk.clear_faults()
    results = await load.results()
    assert {result.outcome for result in results} == {Outcome.POSTED}
    found = [result.detail for result in results].count(FOUND)
    assert 0 < found < TICKETS, "some were on their way from the one that was killed, some were not"


async def test_a_worker_that_is_told_to_stop_leaves_nothing_to_be_tried_again(
    desk: Desk, other: str, load: Load
) -> None:
    await desk.stack.stop(other)
    results = await load.results()
    assert {(result.outcome, result.detail) for result in results} == {(Outcome.POSTED, "")}
    for tried in await load.attempts():
        assert set(tried.latest.values()) == {1}
        # A decision may have been handed out to a poll that was just ending; Temporal hands it out again after 10 s.
        assert tried.unended <= {WORKFLOW_TASK}
