"""Waking a tenant's paused runs, once every worker knows that it is not on pause any more."""

import asyncio

from deskhand.cli.bulk import act_on_all, interruptible
from deskhand.cli.errors import CliError
from deskhand.cli.progress import Progress
from deskhand.cli.shared import temporal_client
from deskhand.runs.handling import Runs, Tally
from deskhand.runs.visibility import RunFilter
from deskhand.runs.wording import counted
from deskhand.settings import Settings
from deskhand.tenants.cache import FRESH_SECONDS
from workflows.contracts import Waiting

SEEN_SECONDS = FRESH_SECONDS + 2.0
"""When every worker has read the tenant anew: one that was reading as it changed keeps what it read for this long."""


def wake_paused(settings: Settings, tenant: str) -> None:
    """Wait until the workers see the change, then resume every run of the tenant that waits as `paused`.

    One that a worker parks in between wakes by itself, at the first of its waits: within a minute.

    Raises:
        CliError: Temporal cannot be reached; the message says how to wake the runs later.
    """
    tally = Tally(0)
    try:
        interruptible(
            _wake(settings, tenant, tally),
            lambda: f"{tally.done} of {counted(tally.total, 'paused run')} resumed; run it again for the others",
        )
    except CliError as error:
        raise CliError(
            f"its paused runs were not resumed, they wake by themselves, or with `deskhand tenant unpause {tenant}` "
            f"again: {error}"
        ) from None


async def _wake(settings: Settings, tenant: str, tally: Tally) -> None:
    async with temporal_client(settings) as client:
        print(f"Its paused runs are resumed in {SEEN_SECONDS:g} s, when every worker has seen it.", flush=True)
        progress = Progress()
        try:
            for left in range(round(SEEN_SECONDS), 0, -1):
                progress.say(f"{left} s until every worker has seen it")
                await asyncio.sleep(1)
        finally:
            progress.clear()
        await act_on_all(client, RunFilter(tenant=tenant, waiting_for=Waiting.PAUSED), tally, Runs.resume, "resumed")
