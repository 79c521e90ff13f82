"""A whole tenant, forgotten: everything but its row and the audit log."""

import asyncio
from collections.abc import Callable

from temporalio.client import Client

from deskhand.crypto.keyring import Keys
from deskhand.db.pool import Pool
from deskhand.forgetting.forget import SETTLING
from deskhand.forgetting.history import TenantHistory
from deskhand.forgetting.removed import Removed
from deskhand.forgetting.runs import FORGOTTEN, TenantRuns
from deskhand.forgetting.spooled import TenantSpool
from deskhand.runs.regular import RegularPasses
from deskhand.runs.visibility import RunFound
from deskhand.runs.wording import counted
from workflows.contracts import TASK_QUEUE

ROUNDS = 5
"""How often it is looked again at most for runs that came meanwhile."""


async def forget_tenant(
    pool: Pool,
    client: Client,
    payload_keys: Keys,
    tenant_id: str,
    *,
    dry_run: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Removed:
    """Remove everything of a tenant: the schedule of its passes, what is in the spool, its runs and its history.

    The tenant should be inactive, and that for as long as the services may not know it: whatever is accepted meanwhile
    is there afterwards. Nothing is opened, so that only the spool's hashes need the keys. Run it again where it broke
    off.

    Args:
        pool: of the role `deskhand_operator`.
        dry_run: only count.

    Raises:
        DatabaseUnavailableError, RPCError: a store is away; what was removed until then is removed.
    """
    return await _Leaving(pool, client, payload_keys, tenant_id, progress).count_or_remove(dry_run=dry_run)


class _Leaving:
    def __init__(
        self, pool: Pool, client: Client, payload_keys: Keys, tenant_id: str, progress: Callable[[str], None]
    ) -> None:
        self._tenant = tenant_id
        self._history = TenantHistory(pool, tenant_id)
        self._spool = TenantSpool(pool, payload_keys, tenant_id)
        self._runs = TenantRuns(client, tenant_id)
        self._regular = RegularPasses(client, TASK_QUEUE)  # it starts none here, so that the queue does not matter
        self._progress = progress
        self._removed = Removed()

    async def count_or_remove(self, *, dry_run: bool) -> Removed:
        removed = self._removed
        if dry_run:
            removed.schedule = await self._regular.show(self._tenant, most=0) is not None
            removed.spooled = len(await self._spool.all())
            async for run in self._runs.all():
                removed.runs += 1
                removed.ended += run.open
            removed.history = await self._history.count()
        else:
            removed.schedule = await self._regular.switch_off(self._tenant)
            await self._remove_spooled()
            await self._remove_runs()
            if removed.ended:
                await asyncio.sleep(SETTLING)  # what they were at may still write into the history
            await self._remove_history()
            await self._remove_spooled()
        removed.unreadable = await self._spool.foreign()
        return removed

    async def _remove_spooled(self) -> None:
        self._removed.spooled += await self._spool.delete(await self._spool.all())

    async def _remove_history(self) -> None:
        while done := await self._history.delete_some():
            self._removed.history += done
            self._progress(f"{counted(self._removed.history, 'row')} of the history deleted")

    async def _remove_runs(self) -> None:
        told: set[str] = set()
        for _ in range(ROUNDS):
            runs = [run async for run in self._runs.all() if run.run_id not in told]
            if not runs:
                return
            for run in runs:
                self._removed.ended += run.open and await self._runs.end(run, FORGOTTEN)
                self._removed.runs += await self._runs.delete(run)
                told.add(run.run_id)
                self._progress(f"{counted(self._removed.runs, 'run')} deleted")
            await self._wait(runs)
        self._removed.problems.append("new runs keep coming: deactivate the tenant, wait 10 s, and run this again")

    async def _wait(self, runs: list[RunFound]) -> None:
        self._progress("waiting until Temporal has deleted them")
        still = await self._runs.gone(runs)
        self._removed.problems += [
            f"{run.id}: Temporal was told to delete it, and still has it: run this again later, to be sure"
            for run in still
        ]
