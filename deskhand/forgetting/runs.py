"""One tenant's executions in Temporal: read, ended and deleted."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from deskhand.crypto.codec import EncryptionCodec
from deskhand.forgetting.payloads import values_in
from deskhand.forgetting.sought import Mention, Sought
from deskhand.runs.handling import PAGE, RPC_TIMEOUT, is_unknown_run
from deskhand.runs.visibility import RunFound, quoted
from workflows.search_attributes import TENANT

REPLACED = "ended by `deskhand forget`, to be started again"
"""The reason in the history of a run that quotes what is forgotten. One that is found with it was not started again."""
FORGOTTEN = "forgotten"
"""The reason in the history of one that goes for good."""
GONE_SECONDS = 180.0
"""How long Temporal may take to delete what it was told to: it does so by and by, within about a minute."""
_LOOK_SECONDS = 0.5
_AT_ONCE = 50
"""Executions that one question to the visibility store names."""


class TenantRuns:
    """One tenant's executions: runs of its tickets, and the passes over them.

    Every method raises `RPCError` where Temporal does not answer, or refuses.
    """

    def __init__(self, client: Client, tenant_id: str) -> None:
        self._client = client
        self._query = f"{TENANT.name} = {quoted(tenant_id)}"

    async def all(self) -> AsyncIterator[RunFound]:
        """Every execution, open ones first."""
        async for run in self._listed(self._query):
            yield run

    async def closed_before(self, moment: datetime) -> AsyncIterator[RunFound]:
        """Those that ended before this."""
        async for run in self._listed(self._closed(moment)):
            yield run

    async def count_closed_before(self, moment: datetime) -> int:
        """How many ended before this."""
        return (await self._client.count_workflows(self._closed(moment), rpc_timeout=RPC_TIMEOUT)).count

    async def mention(self, run: RunFound, sought: Sought, codec: EncryptionCodec) -> Mention | None:
        """How an execution mentions what is sought: its whole history, and of an open one what is under way.

        `None`: it is gone.

        Raises:
            SealError: something of it does not open.
        """
        handle = self._handle(run)
        strongest = Mention.NONE
        try:
            async for event in handle.fetch_history_events(rpc_timeout=RPC_TIMEOUT):
                async for value in values_in(event, codec):
                    strongest = max(strongest, sought.mention_in(value))
                    if strongest is sought.strongest:
                        return strongest
            if run.open:
                known = (await handle.describe(rpc_timeout=RPC_TIMEOUT)).raw_description
                async for value in values_in(known, codec):
                    strongest = max(strongest, sought.mention_in(value))
        except RPCError as error:
            if is_unknown_run(error):
                return None
            raise
        return strongest

    async def end(self, run: RunFound, reason: str) -> bool:
        """Terminate an execution; `False`: it has ended already."""
        try:
            await self._handle(run).terminate(reason=reason, rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if is_unknown_run(error):
                return False
            raise
        return True

    async def was_ended_for(self, run: RunFound, reason: str) -> bool:
        """Whether it was terminated for this reason, and nothing has run under its id since."""
        try:
            latest = await self._client.get_workflow_handle(run.id).describe(rpc_timeout=RPC_TIMEOUT)
            if latest.run_id != run.run_id:
                return False
            said = [event async for event in self._handle(run).fetch_history_events(rpc_timeout=RPC_TIMEOUT)]
        except RPCError as error:
            if is_unknown_run(error):
                return False
            raise
        return bool(said) and said[-1].workflow_execution_terminated_event_attributes.reason == reason

    async def delete(self, run: RunFound) -> bool:
        """Have an execution that has ended deleted, by and by; `False`: it is gone already."""
        request = DeleteWorkflowExecutionRequest(
            namespace=self._client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=run.id, run_id=run.run_id),
        )
        try:
            await self._client.workflow_service.delete_workflow_execution(request, timeout=RPC_TIMEOUT)
        except RPCError as error:
            if is_unknown_run(error):
                return False
            raise
        return True

    async def gone(self, runs: Iterable[RunFound], seconds: float = GONE_SECONDS) -> list[RunFound]:
        """Wait until neither history nor visibility store knows these executions any more; those that they still do."""
        deadline = asyncio.get_running_loop().time() + seconds
        waits = list(runs)
        known = list(waits)
        while True:
            while known and not await self._is_known(known[-1]):
                known.pop()
            late = asyncio.get_running_loop().time() >= deadline
            if not known or late:
                listed = await self._still_listed(waits)
                waits = [*listed, *(run for run in known if run not in listed)]
            if not waits or late:
                return waits
            await asyncio.sleep(_LOOK_SECONDS)

    async def _is_known(self, run: RunFound) -> bool:
        try:
            await self._handle(run).describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if is_unknown_run(error):
                return False
            raise
        return True

    async def _still_listed(self, runs: list[RunFound]) -> list[RunFound]:
        listed = set()
        for start in range(0, len(runs), _AT_ONCE):
            named = ", ".join(quoted(run.run_id) for run in runs[start : start + _AT_ONCE])
            async for run in self._listed(f"RunId IN ({named})"):
                listed.add(run.run_id)
        return [run for run in runs if run.run_id in listed]

    async def _listed(self, query: str) -> AsyncIterator[RunFound]:
        async for execution in self._client.list_workflows(query, page_size=PAGE, rpc_timeout=RPC_TIMEOUT):
            yield RunFound.of(execution)

    def _closed(self, before: datetime) -> str:
        moment = before.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return f"{self._query} AND ExecutionStatus != 'Running' AND CloseTime < {quoted(moment)}"

    def _handle(self, run: RunFound) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle(run.id, run_id=run.run_id)
