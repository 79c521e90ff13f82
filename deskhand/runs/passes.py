"""Passes over a tenant's recent tickets, as an operator begins and watches them."""

from dataclasses import dataclass
from datetime import timedelta

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.common import Priority, WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from deskhand.runs.handling import RPC_TIMEOUT
from workflows.contracts import RECONCILE, Reconciled, ReconcileInput, Walked, reconcile_id
from workflows.reconcile import Reconcile, about, summary


@dataclass(frozen=True, slots=True)
class PassProgress:
    """How far a pass is."""

    taken_up: bool = False
    """Whether a worker is at it."""
    walked: Walked | None = None
    trouble: str = ""
    """Why the attempt before this one failed."""


class UnderWayError(Exception):
    """A pass of this tenant is under way already."""


class Passes:
    """The passes in a client's namespace. Every method raises `RPCError` where Temporal does not answer, or refuses."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    async def retention(self) -> timedelta:
        """How long the namespace knows of runs that have ended."""
        answer = await self._client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=self._client.namespace), timeout=RPC_TIMEOUT
        )
        return answer.config.workflow_execution_retention_ttl.ToTimedelta()

    async def begin(self, given: ReconcileInput) -> WorkflowHandle[Reconcile, Reconciled]:
        """Begin a pass.

        Raises:
            UnderWayError: one of this tenant is under way.
        """
        try:
            return await self._client.start_workflow(
                RECONCILE,
                given,
                id=reconcile_id(given.tenant_id),
                task_queue=self._task_queue,
                result_type=Reconciled,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                search_attributes=about(given.tool, given.tenant_id),
                static_summary=summary(given.tool, given.since),
                priority=Priority(fairness_key=given.tenant_id),
                rpc_timeout=RPC_TIMEOUT,
            )
        except WorkflowAlreadyStartedError:
            raise UnderWayError from None

    async def progress(self, tenant_id: str) -> PassProgress:
        """How far the tenant's pass is, some seconds ago."""
        description = await self._client.get_workflow_handle(reconcile_id(tenant_id)).describe(rpc_timeout=RPC_TIMEOUT)
        pending = list(description.raw_description.pending_activities)
        if not pending:
            return PassProgress()
        converter = self._client.data_converter
        said = list(pending[0].heartbeat_details.payloads)
        walked = Walked.model_validate_json((await converter.decode(said, [str]))[0]) if said else None
        trouble = ""
        if pending[0].HasField("last_failure"):
            trouble = str(await converter.decode_failure(pending[0].last_failure))
        return PassProgress(taken_up=True, walked=walked, trouble=trouble)
