"""Passes that come by themselves: a schedule for each tenant that has it switched on."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionResult,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    WorkflowExecutionStatus,
    WorkflowFailureError,
)
from temporalio.common import Priority
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from deskhand.runs.handling import RPC_TIMEOUT, is_unknown_run
from deskhand.runs.visibility import ended
from workflows.contracts import RECONCILE_REGULARLY, Reconciled, RegularInput, reconcile_id
from workflows.reconcile import about

SHORTEST_WINDOW = timedelta(minutes=15)
"""How far a pass looks back at least: tools take minutes until a new ticket stands in their lists."""
CATCH_UP = timedelta(minutes=1)
"""How late a pass may begin. One that Temporal missed is not made up for: the next looks back over it."""
MOST_JITTER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Ended:
    """One pass that the schedule started."""

    at: datetime
    result: Reconciled | None
    state: str
    """`at work`, or how it ended where it has no result."""


@dataclass(frozen=True, slots=True)
class Regular:
    """A tenant's schedule."""

    every: timedelta
    paused: bool
    next_at: datetime | None
    passes: tuple[Ended, ...]
    """The last few, the latest first."""


def window(every: timedelta) -> timedelta:
    """How far each pass looks back: twice the interval, so that one that fails leaves no gap."""
    return max(2 * every, SHORTEST_WINDOW)


class RegularPasses:
    """The schedules in a client's namespace. Every method raises `RPCError` where Temporal does not answer."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    async def switch_on(self, tool: str, tenant_id: str, every: timedelta) -> bool:
        """Have passes begin regularly from now on; whether they did not before."""
        schedule = self._schedule(tool, tenant_id, every)
        try:
            await self._client.create_schedule(
                reconcile_id(tenant_id), schedule, search_attributes=about(tool, tenant_id), rpc_timeout=RPC_TIMEOUT
            )
        except ScheduleAlreadyRunningError:
            handle = self._client.get_schedule_handle(reconcile_id(tenant_id))
            await handle.update(lambda _: ScheduleUpdate(schedule), rpc_timeout=RPC_TIMEOUT)
            return False
        return True

    async def switch_off(self, tenant_id: str) -> bool:
        """Have no more begin; whether any would have. One that is under way goes on."""
        try:
            await self._client.get_schedule_handle(reconcile_id(tenant_id)).delete(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if is_unknown_run(error):
                return False
            raise
        return True

    async def show(self, tenant_id: str, most: int = 5) -> Regular | None:
        """The schedule and its last passes; `None` if it is not switched on."""
        try:
            handle = self._client.get_schedule_handle(reconcile_id(tenant_id))
            description = await handle.describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if is_unknown_run(error):
                return None
            raise
        info = description.info
        return Regular(
            every=description.schedule.spec.intervals[0].every,
            paused=description.schedule.state.paused,
            next_at=info.next_action_times[0] if info.next_action_times else None,
            passes=tuple([await self._ended(did) for did in info.recent_actions[: -most - 1 : -1]]),
        )

    async def _ended(self, did: ScheduleActionResult) -> Ended:
        action = did.action
        if not isinstance(action, ScheduleActionExecutionStartWorkflow):
            raise TypeError(f"the schedule does not start a workflow but does {type(action).__name__}")
        handle = self._client.get_workflow_handle(
            action.workflow_id, run_id=action.first_execution_run_id, result_type=Reconciled
        )
        try:
            status = (await handle.describe(rpc_timeout=RPC_TIMEOUT)).status
            if status is None or status is WorkflowExecutionStatus.RUNNING:
                return Ended(did.started_at, None, "at work")
            return Ended(did.started_at, await handle.result(rpc_timeout=RPC_TIMEOUT), "")
        except WorkflowFailureError as error:
            cause = error.cause
            why = f": {cause.message}" if isinstance(cause, ApplicationError) else ""
            return Ended(did.started_at, None, f"{ended(status or WorkflowExecutionStatus.FAILED)}{why}")
        except RPCError as error:
            if is_unknown_run(error):
                return Ended(did.started_at, None, "no longer kept")
            raise

    def _schedule(self, tool: str, tenant_id: str, every: timedelta) -> Schedule:
        return Schedule(
            action=ScheduleActionStartWorkflow(
                RECONCILE_REGULARLY,
                RegularInput(tool=tool, tenant_id=tenant_id, window_seconds=round(window(every).total_seconds())),
                id=f"reconcile-regularly:{tenant_id}",
                task_queue=self._task_queue,
                typed_search_attributes=about(tool, tenant_id),
                static_summary=f"{tool}: recent tickets, regularly",
                priority=Priority(fairness_key=tenant_id),
            ),
            spec=ScheduleSpec(
                intervals=[ScheduleIntervalSpec(every=every)],
                jitter=min(every / 10, MOST_JITTER),  # tenants with the same interval do not all come at once
            ),
            policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
        )
