"""One ticket or one requester of a tenant, forgotten: found in every store, and removed from it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from temporalio.client import Client

from deskhand.crypto.codec import EncryptionCodec
from deskhand.crypto.keyring import Keys
from deskhand.crypto.sealing import SealError
from deskhand.db.pool import Pool
from deskhand.forgetting.history import Row, TenantHistory
from deskhand.forgetting.removed import Removed
from deskhand.forgetting.replacing import Replacing
from deskhand.forgetting.runs import FORGOTTEN, REPLACED, TenantRuns
from deskhand.forgetting.sought import Mention, Sought
from deskhand.forgetting.spooled import FoundOrders, TenantSpool
from deskhand.runs.handling import RunError
from deskhand.runs.order import RunsRefusedError
from deskhand.runs.visibility import RunFound
from deskhand.runs.wording import counted
from workflows.policies import GATHER_CONTEXT, RECORD_TICKET

ROUNDS = 5
"""How often it is looked again at most: each time at what was open, or not there, the time before."""
SETTLING = max(GATHER_CONTEXT.attempt, RECORD_TICKET.attempt).total_seconds()
"""How long, in seconds, an attempt may go on that reads or writes the history for a run that has been ended."""


@dataclass(slots=True)
class Found:
    """What there is of it, at one look."""

    rows: list[Row] = field(default_factory=list)
    orders: FoundOrders = field(default_factory=FoundOrders)
    foreign: int = 0
    """Orders in the spool, of whichever tenant, that were sealed with other keys."""
    own: list[RunFound] = field(default_factory=list)
    """Executions that are about it."""
    quoting: list[RunFound] = field(default_factory=list)
    """Executions of other tickets that have it from the history."""
    unopened: list[tuple[str, str]] = field(default_factory=list)
    """Executions that do not open, each with the reason."""
    seen: int = 0
    """Executions that were looked at."""

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to remove."""
        return not (self.rows or self.orders.ids or self.own or self.quoting)


class Forgetting:
    """Finds and removes what is sought of one tenant.

    `find` and `forget` raise `DatabaseUnavailableError` and `RPCError` where a store is away, and
    `RunsUnavailableError` where Temporal takes no run: what was removed until then is removed, and the next time finds
    the rest. `removed` is right at any moment.
    """

    def __init__(
        self,
        pool: Pool,
        client: Client,
        payload_keys: Keys,
        task_queue: str,
        tenant_id: str,
        sought: Sought,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`pool` is of the role `deskhand_operator`; the client's converter opens sealed payloads only."""
        self._history = TenantHistory(pool, tenant_id)
        self._spool = TenantSpool(pool, payload_keys, tenant_id)
        self._runs = TenantRuns(client, tenant_id)
        self._replacing = Replacing(client, task_queue, self._runs)
        # Search attributes, and a few payloads of Temporal's own, are not sealed.
        self._codec = EncryptionCodec(payload_keys, allow_plaintext=True)
        self._sought = sought
        self._progress = progress
        self._looked_at: set[str] = set()
        """Executions that had ended when they were looked at, and are not about it: they do not change any more."""
        self.removed = Removed()

    async def find(self) -> Found:
        """What there is of it now. What had ended and was read before is not read again."""
        found = Found()
        found.orders = await self._spool.find(self._sought)
        found.foreign = await self._spool.foreign()
        found.rows = await self._history.find(self._sought)
        async for run in self._runs.all():
            if run.run_id not in self._looked_at:
                await self._judge(run, found)
                found.seen += 1
                self._progress(f"{counted(found.seen, 'run')} looked at")
        return found

    async def forget(self, found: Found) -> None:
        """Remove what was found, then look again until nothing is found that came meanwhile."""
        for _ in range(ROUNDS):
            await self._remove(found)
            found = await self.find()
            if found.nothing:
                break
        else:
            self.removed.problems.append("more of it comes while it is being removed: run it again later")
        self.removed.problems += problems(found)

    async def _remove(self, found: Found) -> None:
        """Spool and history first: what is started again, or still at work, finds nothing there any more."""
        self.removed.spooled += await self._spool.delete(found.orders.ids)
        self.removed.history += await self._history.delete(found.rows)
        for run in found.own:
            self.removed.ended += run.open and await self._runs.end(run, FORGOTTEN)
        gone = [*found.own, *[run for run in found.quoting if await self._replaced(run)]]
        for run in gone:
            self.removed.runs += await self._runs.delete(run)
            self._progress(f"{counted(self.removed.runs, 'run')} deleted")
        still = {run.run_id for run in await self._wait_until_gone(gone)}
        for run in gone:
            if run.run_id in still:
                self.removed.problems.append(
                    f"{run.id}: Temporal was told to delete it, and still has it: run it again later, to be sure"
                )
            self._looked_at.add(run.run_id)
        if not found.nothing:
            await asyncio.sleep(SETTLING)

    async def _replaced(self, run: RunFound) -> bool:
        """Start a quoting run again if it has not done its work; whether the old one can go."""
        if not (run.open or await self._runs.was_ended_for(run, REPLACED)):
            return True
        try:
            again = await self._replacing.replace(run)
        except (RunError, RunsRefusedError, SealError) as error:
            self._looked_at.add(run.run_id)
            self.removed.problems.append(
                f"{run.id}: quotes it, and cannot be started again without ({error}): "
                f"`deskhand runs cancel {run.id}`, then run this again"
            )
            return False
        if again:
            self.removed.ended += run.open
            self.removed.restarted.append(run.id)
        return True

    async def _wait_until_gone(self, runs: list[RunFound]) -> list[RunFound]:
        if runs:
            self._progress("waiting until Temporal has deleted them")
        return await self._runs.gone(runs)

    async def _judge(self, run: RunFound, found: Found) -> None:
        if self._sought.is_ticket(run.ticket):
            found.own.append(run)
            return
        try:
            mention = await self._runs.mention(run, self._sought, self._codec)
        except SealError as error:
            found.unopened.append((run.id, str(error)))
            return
        if mention is Mention.OWN:
            found.own.append(run)
        elif mention is Mention.QUOTED:
            found.quoting.append(run)
        elif not run.open or mention is None:
            self._looked_at.add(run.run_id)


def problems(found: Found) -> list[str]:
    """What could not be looked at, a line each, with the way out."""
    lines = [
        f"{run}: not looked at: its history does not open ({why}): set DESKHAND_PAYLOAD_KEYS with that key in it, and "
        "run this again"
        for run, why in found.unopened
    ]
    if found.orders.unopened:
        lines.append(
            f"the spool: {found.orders.unopened} of the tenant's orders do not open and were not looked at: set "
            "DESKHAND_PAYLOAD_KEYS with every key in it, and run this again"
        )
    if found.foreign:
        lines.append(
            f"the spool: {found.foreign} orders are sealed with keys that are not in DESKHAND_PAYLOAD_KEYS, so that "
            "nobody knows whose they are: add the old keys, and run this again"
        )
    return lines
