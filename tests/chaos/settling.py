"""Afterwards: waiting until every run has ended and the spool is empty, once vendors and processes behave again."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from temporalio.client import WorkflowExecution
from temporalio.service import RPCError

from tests.chaos.killing import Killer
from tests.chaos.setting import Setting
from tests.support.desk import Tenant
from workflows.contracts import RESUME
from workflows.search_attributes import TENANT, WAITING_FOR

LOOK_EVERY = 1.0
QUIET_LOOKS = 3
"""How many looks in a row must find nothing: Temporal lists a run that has just begun a moment later."""
RESUME_EVERY = 5.0
"""Seconds between two signals to one run: the resumed ones get their turn at a bounded rate."""


@dataclass(slots=True)
class Settled:
    """How the end went."""

    seconds: float = 0.0
    resumed: int = 0
    """Runs that were parked when the vendors behaved again, and were told to go on."""
    still_open: int = 0
    """Runs that had not ended when the limit came."""
    in_spool: int = 0
    quarantined: int = 0

    def ends_as(self, later: "Settled") -> None:
        """Take over what a later look found to be open."""
        self.still_open, self.in_spool, self.quarantined = later.still_open, later.in_spool, later.quarantined


async def drain(setting: Setting, killer: Killer, limit: float) -> None:
    """Wait until the starters have brought what is in the spool to Temporal, for `limit` seconds at most."""
    deadline = time.monotonic() + limit
    while (await setting.spool.state()).waiting and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_EVERY)
        await killer.revive()


async def settle(setting: Setting, tenants: Sequence[Tenant], killer: Killer, limit: float) -> Settled:
    """Resume what is parked, and wait until nothing is open, for `limit` seconds at most."""
    began = time.monotonic()
    settled = Settled()
    told: dict[str, float] = {}
    quiet = 0
    while quiet < QUIET_LOOKS and time.monotonic() < began + limit:
        await asyncio.sleep(LOOK_EVERY)
        await killer.revive()
        running = await _open(setting, tenants)
        for run in running:
            if run.typed_search_attributes.get(WAITING_FOR) and told.get(run.id, 0.0) < time.monotonic() - RESUME_EVERY:
                told[run.id] = time.monotonic()
                await _resume(setting, run)
        state = await setting.spool.state()
        settled.still_open, settled.in_spool, settled.quarantined = len(running), state.waiting, state.refused
        quiet = quiet + 1 if not running and not state.waiting else 0
    settled.resumed = len(told)
    settled.seconds = time.monotonic() - began
    return settled


async def _open(setting: Setting, tenants: Sequence[Tenant]) -> list[WorkflowExecution]:
    ours = ", ".join(f"'{tenant.id}'" for tenant in tenants)
    query = f"ExecutionStatus = 'Running' AND {TENANT.name} IN ({ours})"
    return [run async for run in setting.desk.client.list_workflows(query)]


async def _resume(setting: Setting, run: WorkflowExecution) -> None:
    try:
        await setting.desk.client.get_workflow_handle(run.id).signal(RESUME)
    except RPCError:  # it has ended meanwhile
        return
