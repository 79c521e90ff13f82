"""A run that only quotes what is forgotten, started again without it: its ticket must not lose its note."""

import asyncio

from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy

from deskhand.forgetting.runs import REPLACED, TenantRuns
from deskhand.runs.again import Again
from deskhand.runs.order import Order
from deskhand.runs.starting import TemporalRuns
from deskhand.runs.visibility import RunFound
from workflows.policies import UPDATE_TICKET


class Replacing(Again):
    """Ends such a run and starts it again from its own delivery.

    The old one is ended first: only then does its history say for good whether it came to write its note. Whoever
    breaks off in between leaves a run that was ended for `REPLACED`, which the next look takes up here.
    """

    def __init__(self, client: Client, task_queue: str, runs: TenantRuns) -> None:
        starter = TemporalRuns(client, task_queue)
        super().__init__(client, starter)
        self._starting = starter
        self._executions = runs

    async def replace(self, run: RunFound) -> bool:
        """Whether it was started again; `False`: it has ended by itself, and needs no other.

        Raises:
            RunError: its input is not a delivery that this version knows.
            SealError: its input does not open.
            RunsUnavailableError, RunsRefusedError: Temporal does not take it.
        """
        await self._order(run)  # before it is ended: one that cannot be started again must not be
        if run.open and not await self._executions.end(run, REPLACED):
            return False
        order = await self._order(run)
        await self._start(order)
        return True

    async def _start(self, order: Order) -> None:
        if order.may_have_landed:
            # What it has just sent to the tool may still land; the new run looks for it before it writes.
            await asyncio.sleep(UPDATE_TICKET.attempt.total_seconds())
        # One that somebody else has started meanwhile will do.
        await self._starting.start(order, reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE)
