"""What an operator does to runs: find, resume and cancel them, one by one or all that a filter means."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.service import RPCError, RPCStatusCode

from deskhand.runs.pacing import Pace
from deskhand.runs.visibility import RUN_TYPES, RunFilter, RunFound
from deskhand.runs.wording import one_line
from workflows.contracts import RESUME

RPC_TIMEOUT = timedelta(seconds=10)
PAGE = 100
"""Runs read at a time: what bounds the memory however many there are."""


class RunError(Exception):
    """What was asked cannot be done to this run. The message is one readable line that names it."""


@dataclass(slots=True)
class Tally:
    """How far it is with many runs."""

    total: int
    """How many there were when it began."""
    done: int = 0
    gone: int = 0
    """Runs that had ended before their turn came."""


class Runs:
    """The runs in a client's namespace. Every method raises `RPCError` where Temporal does not answer, or refuses."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def count(self, which: RunFilter) -> int:
        """How many runs there are."""
        return (await self._client.count_workflows(which.query(), rpc_timeout=RPC_TIMEOUT)).count

    async def find(self, which: RunFilter, limit: int | None = None) -> AsyncIterator[RunFound]:
        """The runs: open ones first, the last started first; then those that ended, the last ended first."""
        found = self._client.list_workflows(which.query(), limit=limit, page_size=PAGE, rpc_timeout=RPC_TIMEOUT)
        async for execution in found:
            yield RunFound.of(execution)

    async def describe(self, run: str) -> WorkflowExecutionDescription:
        """The latest run with this workflow id, as Temporal describes it.

        Raises:
            RunError: there is none.
        """
        try:
            description = await self._client.get_workflow_handle(run).describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is RPCStatusCode.INVALID_ARGUMENT or is_unknown_run(error):
                raise RunError(
                    f"{one_line(run, 100)}: there is no such run; see `deskhand runs list`. A run is named by its "
                    "workflow id, and kept for the namespace's retention time"
                ) from None
            raise
        if description.workflow_type not in RUN_TYPES:
            raise RunError(f"{description.id}: is no run of a ticket, but a {one_line(description.workflow_type, 40)}")
        return description

    async def look(self, run: str) -> RunFound:
        """The latest run with this workflow id.

        Raises:
            RunError: there is none.
        """
        return RunFound.of(await self.describe(run))

    async def resume(self, run: RunFound, dry_run: bool = False) -> None:
        """Have a parked run make its next attempt now; with `dry_run`, only see whether it could be told to.

        Raises:
            RunError: it has ended, or is not parked.
        """
        if not run.open:
            raise RunError(f"{run.id}: has ended ({run.state}); `deskhand runs retry` starts it again")
        if run.waiting_for is None:
            raise RunError(f"{run.id}: does not wait, it is at work; see `deskhand runs show`")
        handle = self._client.get_workflow_handle(run.id, run_id=run.run_id)
        if not dry_run and not await self._reached(handle.signal(RESUME, rpc_timeout=RPC_TIMEOUT)):
            raise RunError(f"{run.id}: has just ended")

    async def cancel(self, run: RunFound, dry_run: bool = False) -> None:
        """Ask a run to end with the outcome `cancelled`: it does when a worker has its turn. See `resume`.

        Raises:
            RunError: it has ended.
        """
        if not run.open:
            raise RunError(f"{run.id}: has ended ({run.state}) already")
        handle = self._client.get_workflow_handle(run.id, run_id=run.run_id)
        if not dry_run and not await self._reached(handle.cancel(rpc_timeout=RPC_TIMEOUT)):
            raise RunError(f"{run.id}: has just ended")

    async def each(
        self,
        which: RunFilter,
        act: Callable[[RunFound], Awaitable[None]],
        tally: Tally,
        progress: Callable[[Tally], None],
        pace: Pace,
    ) -> None:
        """Do something to every run, at a bounded rate; those that end meanwhile are counted as `gone`.

        `tally` is right at any moment, also where this is cancelled half-way.
        """
        async for run in self.find(which):
            await pace.turn()
            try:
                await act(run)
            except RunError:
                tally.gone += 1
            else:
                tally.done += 1
            progress(tally)

    @staticmethod
    async def _reached(call: Awaitable[None]) -> bool:
        """Whether the run was still there for it."""
        try:
            await call
        except RPCError as error:
            if is_unknown_run(error):
                return False
            raise
        return True


def is_unknown_namespace(error: RPCError) -> bool:
    """Whether Temporal has no such namespace, which it says with the same status as that there is no such run."""
    return any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details)


def is_unknown_run(error: RPCError) -> bool:
    """Whether Temporal has no such run or schedule."""
    return error.status is RPCStatusCode.NOT_FOUND and not is_unknown_namespace(error)
