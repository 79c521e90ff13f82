"""Runs that should be there: which are, and starting those that are not."""

from datetime import timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from deskhand.runs.order import Order, RunsUnavailableError, Taken
from deskhand.runs.starting import TemporalRuns

LOOK_SECONDS = 5.0
"""How long Temporal may take to say whether there is a run."""


class MissingRuns:
    """Starts runs of which there is none. One that failed is one that was: `deskhand runs retry` starts it again."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._starter = TemporalRuns(client, task_queue)

    async def start(self, order: Order) -> Taken:
        """Start the run, unless there is or was one with its id.

        Raises:
            RunsUnavailableError: not now.
            RunsRefusedError: never like this.
        """
        return await self._starter.start(order, reuse=WorkflowIDReusePolicy.REJECT_DUPLICATE)

    async def known(self, run: str) -> bool:
        """Whether there is or was a run with this workflow id, as far back as the namespace keeps them.

        Raises:
            RunsUnavailableError: Temporal cannot say now.
        """
        try:
            await self._client.get_workflow_handle(run).describe(rpc_timeout=timedelta(seconds=LOOK_SECONDS))
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise RunsUnavailableError(error.status.name) from error
        except RuntimeError as error:  # what the SDK raises where it cannot connect
            raise RunsUnavailableError(type(error).__name__) from error
        return True
