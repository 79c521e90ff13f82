"""What commands do to many runs at once: at a bounded rate, with progress, and Ctrl-C says how far it came."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any

import typer
from temporalio.client import Client
from temporalio.service import RPCError

from deskhand.cli.progress import Progress
from deskhand.runs.handling import RunError, Runs, Tally
from deskhand.runs.pacing import PER_SECOND, Pace
from deskhand.runs.telling import run_lines
from deskhand.runs.visibility import RunFilter, RunFound
from deskhand.runs.wording import counted

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""

Act = Callable[[Runs, RunFound, bool], Awaitable[None]]
"""What is done to a run: `Runs.resume` or `Runs.cancel`, the last argument being `dry_run`."""


async def act_on_named(client: Client, named: Sequence[str], act: Act, done: str, dry_run: bool) -> bool:
    """Do something to each of these runs; whether it could be done to all. Those others are named on standard error."""
    runs = Runs(client)
    well = True
    for run in named:
        try:
            found = await runs.look(run)
            await act(runs, found, dry_run)
        except RunError as error:
            print(f"deskhand: {error}", file=sys.stderr)
            well = False
        else:
            print(f"{found.id}: {f'would be {done}' if dry_run else done} ({found.state})")
    return well


async def act_on_all(
    client: Client,
    which: RunFilter,
    tally: Tally,
    act: Act,
    done: str,
) -> None:
    """Do something to all of a tenant's runs that wait, with progress, and print to how many it was done.

    `done` says what was, such as `resumed`; `tally` is right at any moment.
    """
    runs = Runs(client)
    tally.total = await runs.count(which)
    progress = Progress()
    try:
        await runs.each(
            which,
            lambda run: act(runs, run, False),
            tally,
            lambda now: progress.say(
                f"{now.done} of {counted(now.total, 'run')} {done}, at most {PER_SECOND:g} a second"
            ),
            Pace(),
        )
    except RPCError:
        print(f"{counted(tally.done, 'run')} of {which.tenant} {done} so far: repeat it for the others")
        raise
    finally:
        progress.clear()
    gone = f"; {tally.gone} had ended or gone on meanwhile" if tally.gone else ""
    print(f"{counted(tally.done, 'run')} of {which.tenant} {done}{gone}")


async def print_all(runs: AsyncIterator[RunFound], would_be: str) -> None:
    """A line for each run, and how many would be dealt with."""
    count = 0
    async for run in runs:
        print("\n".join(run_lines([run], datetime.now(UTC))))
        count += 1
    print(f"{counted(count, 'run')} would be {would_be}")


def interruptible(work: Coroutine[Any, Any, None], so_far: Callable[[], str]) -> None:
    """Run it; on Ctrl-C, say how far it came."""
    try:
        asyncio.run(work)
    except KeyboardInterrupt:
        print(f"deskhand: interrupted: {so_far()}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
