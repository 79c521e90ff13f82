"""`deskhand retention`: what is older than its tenant wants it kept, removed: once, or by a process, regularly."""

import asyncio
import signal
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any

import asyncpg
import structlog
import typer

from deskhand.cli.auditing import audit, audit_look
from deskhand.cli.durations import parse_duration
from deskhand.cli.errors import CliError
from deskhand.cli.progress import Progress
from deskhand.cli.shared import print_json, temporal_client
from deskhand.crypto.keyring import Keys, keyring_of
from deskhand.db.errors import DatabaseUnavailableError, first_line
from deskhand.db.pool import Pool, create_pool
from deskhand.forgetting.removed import Removed
from deskhand.forgetting.retention import PER_SECOND, Limit, limits, sweep_database, sweep_runs
from deskhand.observability.logging import configure_logging
from deskhand.runs.pacing import Pace
from deskhand.runs.wording import counted, one_line
from deskhand.settings import Settings, load_settings
from deskhand.temporal import connect_config

SHORTEST_INTERVAL = timedelta(minutes=1)
LONGEST_INTERVAL = timedelta(days=2)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Swept:
    """How far one sweep came."""

    tenants: list[tuple[Limit, Removed]] = field(default_factory=list)

    @property
    def total(self) -> Removed:
        """Of all tenants."""
        total = Removed()
        for _, removed in self.tenants:
            total.history += removed.history
            total.spooled += removed.spooled
            total.runs += removed.runs
        return total


def retention(
    every: Annotated[
        str | None, typer.Option(metavar="SPAN", help="Keep running, with a sweep each time, such as 1h.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Remove what is older than its tenant's retention: history, ended runs, what is in the spool's quarantine.

    For tenants that have a retention time; the others keep their history, and their runs for as long as Temporal does.
    """
    settings = load_settings()
    keys = keyring_of(settings, "payload_keys")
    settings.secret("database_operator_url")
    connect_config()
    if every is None:
        _once(settings, keys, dry_run=dry_run, as_json=as_json)
        return
    if dry_run or as_json:
        raise CliError("--every: keeps running and writes a log; --dry-run and --json are for one sweep")
    interval = parse_duration("--every", every)
    if not SHORTEST_INTERVAL <= interval <= LONGEST_INTERVAL:
        raise CliError("--every: must be between 1m and 2d, such as 1h")
    configure_logging(settings)
    asyncio.run(_regularly(settings, keys, interval))


def _once(settings: Settings, keys: Keys, *, dry_run: bool, as_json: bool) -> None:
    swept = Swept()
    progress = Progress()
    try:
        asyncio.run(_sweep(settings, keys, swept, progress, dry_run=dry_run))
    finally:
        progress.clear()
        if as_json:
            print_json(_json(swept, dry_run=dry_run))
        else:
            for line in swept_lines(swept, dry_run=dry_run):
                print(line)


async def _regularly(settings: Settings, keys: Keys, interval: timedelta) -> None:
    """Sweep, wait, and so on, until told to stop. An outage of a store is a line in the log; the next sweep does it."""
    loop, working = asyncio.get_running_loop(), asyncio.current_task()
    assert working is not None  # noqa: S101 - a coroutine that runs is in a task
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, working.cancel)
    log.info("retention.started", every_seconds=interval.total_seconds())
    try:
        while True:
            await _sweep_logged(settings, keys)
            await asyncio.sleep(interval.total_seconds())
    except asyncio.CancelledError:
        log.info("retention.stopped")


async def _sweep_logged(settings: Settings, keys: Keys) -> None:
    swept = Swept()
    why = ""
    try:
        await _sweep(settings, keys, swept, None, dry_run=False)
    except (CliError, DatabaseUnavailableError) as error:
        why = one_line(str(error))
    except asyncpg.PostgresError as error:
        why = f"the database refuses: {one_line(first_line(error))}"
    total = swept.total
    counts = {"tenants": len(swept.tenants), "history": total.history, "spooled": total.spooled, "runs": total.runs}
    if why:
        log.warning("retention.unfinished", why=why, **counts)
    else:
        log.info("retention.swept", **counts)


async def _sweep(settings: Settings, keys: Keys, swept: Swept, progress: Progress | None, *, dry_run: bool) -> None:
    """One sweep over all tenants: the database first, which needs no Temporal. `swept` is right at any moment."""
    if dry_run:
        await audit_look(settings, "retention.look")
    else:
        await audit(settings, "retention.sweep")
    pool = await create_pool(settings.secret("database_operator_url"), settings)
    try:
        await _sweep_stores(settings, keys, pool, swept, progress, dry_run=dry_run)
    finally:
        await pool.close()
        if not dry_run:
            for limit, removed in swept.tenants:
                if removed.history or removed.spooled or removed.runs:
                    await audit_look(settings, "retention.swept", limit.tenant_id, **_counts(removed))


async def _sweep_stores(
    settings: Settings, keys: Keys, pool: Pool, swept: Swept, progress: Progress | None, *, dry_run: bool
) -> None:
    for limit in await limits(pool):
        swept.tenants.append((limit, Removed()))
    for limit, removed in swept.tenants:
        await sweep_database(pool, keys, limit, removed, dry_run=dry_run)
    if not swept.tenants:
        return
    pace = Pace(PER_SECOND)
    async with temporal_client(settings) as client:
        for limit, removed in swept.tenants:

            def say(done: int, tenant: str = limit.tenant_id) -> None:
                if progress is not None:
                    progress.say(f"tenant {tenant}: {counted(done, 'run')} deleted")

            await sweep_runs(client, limit, removed, pace, dry_run=dry_run, progress=say)


def _counts(removed: Removed) -> dict[str, int]:
    return {"history": removed.history, "spooled": removed.spooled, "runs": removed.runs}


def swept_lines(swept: Swept, *, dry_run: bool) -> list[str]:
    """What was removed, a line for each tenant that has a retention time."""
    done = "would be removed" if dry_run else "removed"
    lines = [
        f"tenant {limit.tenant_id} (kept for {counted(limit.days, 'day')}): "
        f"{counted(removed.history, 'ticket of the history', 'tickets of the history')}, "
        f"{counted(removed.spooled, 'delivery', 'deliveries')} in quarantine, {counted(removed.runs, 'run')} {done}"
        for limit, removed in swept.tenants
    ]
    return lines or ["no tenant has a retention time: nothing is too old"]


def _json(swept: Swept, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "tenants": [
            {"tenant": limit.tenant_id, "days": limit.days, "before": limit.before.isoformat(), **_counts(removed)}
            for limit, removed in swept.tenants
        ],
    }
