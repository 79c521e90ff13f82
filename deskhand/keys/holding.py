"""What is sealed with which key: rows of the database, and what Temporal holds. Headers are read, nothing is opened."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from temporalio.api.workflowservice.v1 import DescribeScheduleRequest, DescribeScheduleResponse
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError

from deskhand.db.pool import Pool, transaction
from deskhand.keys.payloads import UNREADABLE, keys_in
from deskhand.keys.rings import RingKind
from deskhand.runs.handling import PAGE, RPC_TIMEOUT, is_unknown_run

AT_ONCE = 8
"""Histories read at the same time."""
SLACK = timedelta(minutes=1)
"""What is added to a moment of the audit log where runs are told apart by their start: two clocks, two stores."""

# Only the header leaves the database, and only a slice of a large value is read for it.
_BY_KEY = """
SELECT CASE WHEN length(head) > 2 AND get_byte(head, 0) = 1
    THEN encode(substring(head FROM 3 FOR get_byte(head, 1)), 'escape') END AS key, count(*) AS rows
FROM (SELECT substring({column} FROM 1 FOR 34) AS head FROM {table}) AS heads GROUP BY 1
"""
_TENANT_COLUMNS = {RingKind.PAYLOAD: "webhook_secrets", RingKind.CREDENTIAL: "connection"}


@dataclass(slots=True)
class Holdings:
    """How much is sealed with each key of a ring, by its id."""

    tenants: Counter[str] = field(default_factory=Counter)
    spooled: Counter[str] = field(default_factory=Counter)
    open_runs: Counter[str] = field(default_factory=Counter)
    schedules: Counter[str] = field(default_factory=Counter)

    @property
    def keys(self) -> set[str]:
        """Every key that anything is sealed with."""
        return {*self.tenants, *self.spooled, *self.open_runs, *self.schedules}


async def rows_held(pool: Pool, kind: RingKind) -> Holdings:
    """The rows of the database, over a pool of the role `deskhand_operator`.

    Raises:
        DatabaseUnavailableError: the database cannot be asked now.
    """
    held = Holdings(tenants=await _rows(pool, "tenant_configs", _TENANT_COLUMNS[kind]))
    if kind is RingKind.PAYLOAD:
        held.spooled = await _rows(pool, "spool", "sealed")
    return held


async def _rows(pool: Pool, table: str, column: str) -> Counter[str]:
    async with transaction(pool) as connection:
        rows = await connection.fetch(_BY_KEY.format(table=table, column=column))
    return Counter({row["key"] or UNREADABLE: row["rows"] for row in rows})


async def open_runs_held(client: Client) -> Counter[str]:
    """Open runs of every kind. Each one's history is read: it holds keys of every day since the run began.

    Raises:
        RPCError: Temporal does not answer, or refuses.
    """
    found: Counter[str] = Counter()
    runs: list[WorkflowExecution] = []

    async def count() -> None:
        turns = asyncio.Semaphore(AT_ONCE)
        for keys in await asyncio.gather(*(_run_keys(client, run, turns) for run in runs)):
            found.update(keys)
        runs.clear()

    async for run in client.list_workflows("ExecutionStatus = 'Running'", page_size=PAGE, rpc_timeout=RPC_TIMEOUT):
        runs.append(run)
        if len(runs) == PAGE:
            await count()
    await count()
    return found


async def _run_keys(client: Client, run: WorkflowExecution, turns: asyncio.Semaphore) -> set[str]:
    handle = client.get_workflow_handle(run.id, run_id=run.run_id)
    keys: set[str] = set()
    async with turns:
        try:
            async for event in handle.fetch_history_events(rpc_timeout=RPC_TIMEOUT):
                keys |= keys_in(event)
            # What an activity that is tried again failed with is not in the history.
            keys |= keys_in((await handle.describe(rpc_timeout=RPC_TIMEOUT)).raw_description)
        except RPCError as error:
            if not is_unknown_run(error):
                raise
            return set()  # it has ended and was deleted
    return keys


async def schedules_held(client: Client) -> Counter[str]:
    """Schedules, whose input keeps the key of the day on which they were made.

    Raises:
        RPCError: Temporal does not answer, or refuses.
    """
    found: Counter[str] = Counter()
    async for _, schedule in schedules(client):
        found.update(keys_in(schedule.schedule) | await _last_pass_keys(client, schedule))
    return found


async def _last_pass_keys(client: Client, schedule: DescribeScheduleResponse) -> set[str]:
    """What the next pass is given of the last one, its result or failure: the server keeps that as it was sealed."""
    if not schedule.info.recent_actions:
        return set()
    last = schedule.info.recent_actions[-1].start_workflow_result
    handle = client.get_workflow_handle(last.workflow_id, run_id=last.run_id)
    try:
        events = [event async for event in handle.fetch_history_events(rpc_timeout=RPC_TIMEOUT)]
    except RPCError as error:
        if not is_unknown_run(error):
            raise
        return set()
    # One that failed leaves behind what it was given itself, too.
    completed = events[-1].HasField("workflow_execution_completed_event_attributes")
    return set().union(*map(keys_in, events[-1:] if completed else events))


async def schedules(client: Client) -> AsyncIterator[tuple[str, DescribeScheduleResponse]]:
    """Every schedule, by its id, as Temporal keeps it."""
    async for listed in await client.list_schedules(page_size=PAGE, rpc_timeout=RPC_TIMEOUT):
        asked = DescribeScheduleRequest(namespace=client.namespace, schedule_id=listed.id)
        try:
            yield listed.id, await client.workflow_service.describe_schedule(asked, timeout=RPC_TIMEOUT)
        except RPCError as error:
            if not is_unknown_run(error):
                raise


async def closed_runs(client: Client, started_before: datetime) -> int:
    """How many runs that have ended, and are still kept, started before this.

    Raises:
        RPCError: Temporal does not answer, or refuses.
    """
    moment = started_before.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    query = f"ExecutionStatus != 'Running' AND StartTime < '{moment}'"
    return (await client.count_workflows(query, rpc_timeout=RPC_TIMEOUT)).count
