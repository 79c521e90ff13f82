"""Starting runs again that have ended: with the same workflow id and the delivery of their first event."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime

import pydantic
from temporalio.api.history.v1 import WorkflowExecutionStartedEventAttributes
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from deskhand.crypto.sealing import SealError
from deskhand.runs.handling import RPC_TIMEOUT, RunError, Runs
from deskhand.runs.order import Order, RunsRefusedError, Taken
from deskhand.runs.pacing import Pace
from deskhand.runs.starting import TemporalRuns
from deskhand.runs.visibility import RunFilter, RunFound
from plugins.types import Priority
from workflows.contracts import UPDATE_TICKET, Outcome, RunInput
from workflows.policies import priority_key

REDRIVEN = (Outcome.FAILED, Outcome.EXPIRED, Outcome.REJECTED)
"""The outcomes that a redrive may be about."""
FAILED_STATUSES = (WorkflowExecutionStatus.FAILED, WorkflowExecutionStatus.TIMED_OUT)
"""What counts as failed: not a run that somebody has cancelled or terminated."""

_PRIORITIES: dict[int, Priority] = {
    priority_key("high"): "high",
    priority_key("medium"): "medium",
    priority_key("low"): "low",
}


@dataclass(slots=True)
class Redriven:
    """How far a redrive is."""

    total: int = 0
    """How many runs had failed when it began."""
    started: int = 0
    left: int = 0
    """Runs that have run again since, whose history is gone, or that Temporal refuses."""
    unopened: int = 0
    """Runs whose input does not open with these payload keys."""
    problems: list[str] = field(default_factory=list)
    """The first few reasons why a run was not started."""

    @property
    def seen(self) -> int:
        """How many of them are done with."""
        return self.started + self.left + self.unopened


class Again:
    """Starts ended runs again. The client's converter must open sealed payloads only.

    What was not sealed is nobody's delivery: starting it again would put our seal on what a stranger wrote. The start's
    patience begins anew; `received_at` stays, so the delivery is judged as of when it came.
    """

    def __init__(self, client: Client, starter: TemporalRuns) -> None:
        self._client = client
        self._runs = Runs(client)
        self._starter = starter

    async def retry(self, run: RunFound, *, not_there: bool = False) -> None:
        """Start a run again, whatever its outcome. A note that is on the ticket is found, not written twice.

        Where the run came as far as writing, and the tool cannot be asked for the note, the new one ends `unconfirmed`
        without writing, unless somebody has looked and says that it is `not_there`.

        Raises:
            RunError: it has not ended, its input is unusable, or somebody else has just started it again.
            SealError: these payload keys do not open its input.
            RunsUnavailableError, RunsRefusedError: Temporal does not take it.
        """
        if run.open:
            raise RunError(
                f"{run.id}: has not ended ({run.state}); `deskhand runs resume` has it go on, "
                "`deskhand runs cancel` ends it"
            )
        order = await self._order(run)
        if not_there:
            order = order.model_copy(update={"may_have_landed": False})
        taken = await self._starter.start(order, reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE)
        if taken is not Taken.STARTED:
            raise RunError(f"{run.id}: somebody else has just started it again")

    async def failed(self, which: RunFilter) -> AsyncIterator[RunFound]:
        """Those of the runs that are still the last with their id: the others have run again since."""
        async for run in self._runs.find(which):
            try:
                latest = await self._runs.look(run.id)
            except RunError:
                continue
            if latest.run_id == run.run_id:
                yield run

    async def redrive(
        self, which: RunFilter, so_far: Redriven, progress: Callable[[Redriven], None], pace: Pace
    ) -> None:
        """Start every one of these runs again that has failed and not run again since, at a bounded rate.

        `so_far` is right at any moment, also where this is cancelled half-way.

        Raises:
            RunsUnavailableError: Temporal takes no more.
        """
        async for run in self._runs.find(which):
            await pace.turn()
            try:
                started = await self._redriven(run)
            except SealError as error:
                so_far.unopened += 1
                _note(so_far, f"{run.id}: its input does not open with DESKHAND_PAYLOAD_KEYS: {error}")
            except RunError as error:
                so_far.left += 1
                _note(so_far, str(error))
            except RunsRefusedError as error:  # it must not keep those behind it from their turn
                so_far.left += 1
                _note(so_far, f"{run.id}: Temporal refuses it: {error}")
            else:
                so_far.started += started
                so_far.left += not started
            progress(so_far)

    async def _redriven(self, run: RunFound) -> bool:
        latest = await self._runs.look(run.id)
        if latest.run_id != run.run_id:
            return False
        return await self._starter.start(await self._order(run)) is Taken.STARTED

    async def _order(self, run: RunFound) -> Order:
        """The order that the run was started with, and the doubt that it leaves: a note may be there."""
        started = await self._started(run)
        converter = self._client.data_converter
        try:
            (given,) = await converter.decode(started.input.payloads, [RunInput])
            memo = started.memo.fields.get("delivery_id")
            delivery_id = (await converter.decode([memo], [str]))[0] if memo is not None else ""
        except (pydantic.ValidationError, ValueError, KeyError, RuntimeError):
            raise RunError(f"{run.id}: its input is not a delivery that this version knows") from None
        return Order(
            workflow=started.workflow_type.name,
            run=run.id,
            ticket_id=run.ticket,
            delivery=given.delivery,
            priority=_PRIORITIES.get(started.priority.priority_key, "medium"),
            delivery_id=delivery_id,
            may_have_landed=given.may_have_landed or await self._came_to_write(run),
        )

    async def _came_to_write(self, run: RunFound) -> bool:
        handle = self._client.get_workflow_handle(run.id, run_id=run.run_id)
        async for event in handle.fetch_history_events(rpc_timeout=RPC_TIMEOUT):
            scheduled = event.activity_task_scheduled_event_attributes
            if scheduled.activity_type.name == UPDATE_TICKET.name:
                return True
        return False

    async def _started(self, run: RunFound) -> WorkflowExecutionStartedEventAttributes:
        handle = self._client.get_workflow_handle(run.id, run_id=run.run_id)
        try:
            async for event in handle.fetch_history_events(page_size=1, rpc_timeout=RPC_TIMEOUT):
                return event.workflow_execution_started_event_attributes
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        raise RunError(f"{run.id}: its history is gone")


def failed_since(since: datetime, until: datetime, tenant: str | None, outcomes: tuple[Outcome, ...]) -> RunFilter:
    """The runs that failed in this time. `until` keeps those out that fail again while they are being started."""
    return RunFilter(tenant=tenant, outcomes=outcomes, statuses=FAILED_STATUSES, closed_from=since, closed_until=until)


def _note(so_far: Redriven, problem: str) -> None:
    if len(so_far.problems) < 5:
        so_far.problems.append(problem)
