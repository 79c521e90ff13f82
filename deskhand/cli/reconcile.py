"""`deskhand reconcile`: find the tickets that no webhook told of and start their runs, now or regularly."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from deskhand.cli.auditing import audit, audit_look
from deskhand.cli.bulk import interruptible
from deskhand.cli.durations import parse_duration
from deskhand.cli.errors import CliError
from deskhand.cli.progress import Progress
from deskhand.cli.shared import plugin_class, print_json, require_tenant_id, temporal_client, with_tenants
from deskhand.crypto.keyring import keyring_of
from deskhand.runs.passes import Passes, PassProgress, UnderWayError
from deskhand.runs.regular import Regular, RegularPasses, window
from deskhand.runs.wording import counted, moment, one_line, span
from deskhand.settings import Settings, load_settings
from plugins.base import TicketingToolPlugin
from workflows.contracts import Reconciled, ReconcileInput, Walked
from workflows.reconcile import MAX_TICKETS, Reconcile

LOOK_SECONDS = 1.0
SHORTEST_INTERVAL = timedelta(minutes=1)
LONGEST_INTERVAL = timedelta(days=2)
"""A schedule looks back twice as far, and never so far that runs may be forgotten."""

Handle = WorkflowHandle[Reconcile, Reconciled]


def reconcile(
    tenant: Annotated[str, typer.Option(metavar="TENANT", help="The tenant whose tickets are walked over.")],
    since: Annotated[str | None, typer.Option(metavar="SPAN", help="One pass now, this far back, such as 2h.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --since: only name the runs to start.")] = False,
    every: Annotated[str | None, typer.Option(metavar="SPAN", help="A pass regularly from now on, such as 1h.")] = None,
    off: Annotated[bool, typer.Option("--off", help="No more passes by themselves.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Whether passes come by themselves, and the last.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Start the runs of tickets that no webhook told of: one pass over those of the last hours, or one regularly.

    A ticket that has or had its run, whatever its outcome, is left alone.
    """
    if sum((since is not None, every is not None, off, status)) != 1:
        raise CliError("--since: give one of --since 2h (a pass now), --every 1h (regularly), --off, --status")
    if dry_run and since is None:
        raise CliError("--dry-run: is for one pass; give it with --since")
    require_tenant_id("--tenant", tenant)
    settings = load_settings()
    if since is not None:
        back = parse_duration("--since", since)
        asyncio.run(audit(settings, "reconcile.pass", tenant, since=since, dry_run=dry_run))
        tool, kept = _tool(settings, tenant)
        _refuse_forgotten("--since", back, kept)
        interruptible(
            _pass_now(settings, tenant, tool, back, dry_run=dry_run, as_json=as_json),
            lambda: f"a pass that has begun goes on; `deskhand runs list --tenant {tenant}` shows what it starts",
        )
    elif every is not None:
        interval = parse_duration("--every", every)
        if not SHORTEST_INTERVAL <= interval <= LONGEST_INTERVAL:
            raise CliError("--every: must be between 1m and 2d, such as 1h")
        asyncio.run(audit(settings, "reconcile.on", tenant, every=every))
        tool, kept = _tool(settings, tenant)
        _refuse_forgotten("--every", window(interval), kept)
        asyncio.run(_switch_on(settings, tenant, tool, interval, as_json=as_json))
    elif off:
        asyncio.run(audit(settings, "reconcile.off", tenant))
        asyncio.run(_switch_off(settings, tenant, as_json=as_json))
    else:
        asyncio.run(audit_look(settings, "reconcile.status", tenant))
        asyncio.run(_show(settings, tenant, as_json=as_json))


def _tool(settings: Settings, tenant: str) -> tuple[str, timedelta | None]:
    """The tenant's tool, whose plugin can list recent tickets, and for how long the tenant has its runs kept."""
    details = with_tenants(settings, lambda admin: admin.show(tenant))
    tool, days = details.summary.tool, details.settings.retention_days
    plugin = plugin_class(f"tenant {tenant}:", tool)
    if plugin.recent_tickets is TicketingToolPlugin.recent_tickets:
        raise CliError(f"tenant {tenant}: its plugin, {tool}, cannot list recent tickets, so none can be found missing")
    return tool, None if days is None else timedelta(days=days)


def _refuse_forgotten(given_as: str, back: timedelta, kept: timedelta | None) -> None:
    """Refuse to look back further than the tenant's runs are kept: what has no run any more looks like it had none."""
    if kept is not None and back > kept:
        raise CliError(
            f"{given_as}: a pass would look back {span(back)}, and the tenant's runs are kept for {span(kept)} only "
            "(its retention_days); a ticket whose run is forgotten could get a second note; give less"
        )


async def _pass_now(
    settings: Settings, tenant: str, tool: str, back: timedelta, *, dry_run: bool, as_json: bool
) -> None:
    keyring_of(settings, "payload_keys")  # what is started must be sealed
    given = ReconcileInput(tool=tool, tenant_id=tenant, since=datetime.now(UTC) - back, dry_run=dry_run)
    async with temporal_client(settings) as client:
        passes = Passes(client, settings.task_queue)
        kept = await passes.retention()
        if back > kept:
            raise CliError(
                f"--since: runs are known for {span(kept)} only (the namespace's retention), and a ticket whose run is "
                "forgotten would get a second note; give less"
            )
        try:
            handle = await passes.begin(given)
        except UnderWayError:
            raise CliError(
                f"tenant {tenant}: a pass is under way already{await _so_far(passes, tenant)}; wait until it has ended"
            ) from None
        done = await _watched(passes, handle, tenant, dry_run=dry_run)
    if as_json:
        print_json(_json(tenant, done, dry_run=dry_run))
    if done.held:
        raise CliError(f"tenant {tenant}: nothing was done: {done.held}")
    if not as_json:
        for line in _lines(tenant, done, dry_run=dry_run):
            print(line)


async def _so_far(passes: Passes, tenant: str) -> str:
    walked = (await passes.progress(tenant)).walked
    return f" ({_counts(walked, dry_run=False)} so far)" if walked else ""


async def _watched(passes: Passes, handle: Handle, tenant: str, *, dry_run: bool) -> Reconciled:
    """What the pass came to, with its progress on standard error.

    Raises:
        CliError: it failed.
    """
    progress = Progress()
    result = asyncio.create_task(handle.result())
    try:
        while not (await asyncio.wait({result}, timeout=LOOK_SECONDS))[0]:
            progress.say(_progress(await passes.progress(tenant), dry_run=dry_run))
        return await result
    except WorkflowFailureError as error:
        cause = error.cause
        why = cause.message if isinstance(cause, ApplicationError) else type(cause).__name__
        raise CliError(
            f"tenant {tenant}: the pass failed: {one_line(why)}. What it had started goes on; reconcile again later"
        ) from None
    finally:
        result.cancel()
        progress.clear()


def _progress(now: PassProgress, *, dry_run: bool) -> str:
    if not now.taken_up:
        return "waiting for a worker"
    said = _counts(now.walked, dry_run=dry_run) if now.walked else "asking for recent tickets"
    return f"{said}; trying again after: {one_line(now.trouble, 120)}" if now.trouble else said


async def _switch_on(settings: Settings, tenant: str, tool: str, every: timedelta, *, as_json: bool) -> None:
    keyring_of(settings, "payload_keys")
    async with temporal_client(settings) as client:
        regular = RegularPasses(client, settings.task_queue)
        new = await regular.switch_on(tool, tenant, every)
        shown = await regular.show(tenant)
    if as_json:
        print_json(_regular_json(tenant, shown))
        return
    print(f"tenant {tenant}: {'' if new else 'changed: '}{_rhythm(shown) if shown else 'gone again'}")


async def _switch_off(settings: Settings, tenant: str, *, as_json: bool) -> None:
    async with temporal_client(settings) as client:
        was_on = await RegularPasses(client, settings.task_queue).switch_off(tenant)
    if as_json:
        print_json(_regular_json(tenant, None))
    elif was_on:
        print(f"tenant {tenant}: no more passes by themselves; one that is under way goes on")
    else:
        print(f"tenant {tenant}: there was no schedule to switch off")


async def _show(settings: Settings, tenant: str, *, as_json: bool) -> None:
    keyring_of(settings, "payload_keys")  # what a pass came to is sealed
    async with temporal_client(settings) as client:
        shown = await RegularPasses(client, settings.task_queue).show(tenant)
    if as_json:
        print_json(_regular_json(tenant, shown))
        return
    if shown is None:
        print(
            f"tenant {tenant}: no passes by themselves; `deskhand reconcile --tenant {tenant} --every 1h` has them come"
        )
        return
    print(f"tenant {tenant}: {_rhythm(shown)}")
    for done in shown.passes:
        print(f"  {moment(done.at)}  {_said(done.result) if done.result else one_line(done.state)}")
    if not shown.passes:
        print("  none has begun yet")


def _rhythm(shown: Regular) -> str:
    then = "paused in Temporal" if shown.paused else f"the next {moment(shown.next_at)}" if shown.next_at else "no next"
    return f"a pass every {span(shown.every)}, over the last {span(window(shown.every))}; {then}"


def _said(done: Reconciled, *, dry_run: bool = False) -> str:
    if done.held:
        return f"nothing was done: {done.held}"
    return f"since {moment(done.since)}: {_counts(done.walked, dry_run=dry_run)}"


def _lines(tenant: str, done: Reconciled, *, dry_run: bool) -> list[str]:
    walked = done.walked
    lines = list(walked.missing)
    if len(lines) < walked.started and dry_run:
        lines.append(f"… and {walked.started - len(lines)} more")
    lines.append(f"tenant {tenant}: {_said(done, dry_run=dry_run)}")
    if not done.complete:
        lines.append(f"It ended at {MAX_TICKETS} tickets; give a shorter --since for the newest.")
    if walked.unusable:
        lines.append("Why some could not be used stands in the worker's log.")
    if walked.started and not dry_run:
        lines.append(f"See them: `deskhand runs list --tenant {tenant}`")
    return lines


def _counts(walked: Walked, *, dry_run: bool) -> str:
    started = counted(walked.started, "run") + (" would be started" if dry_run else " started")
    parts = [counted(walked.seen, "ticket"), started, f"{walked.had_run} had theirs"]
    if walked.ignored:
        parts.append(f"{walked.ignored} ask for none")
    if walked.unusable:
        parts.append(f"{walked.unusable} could not be used")
    return ", ".join(parts)


def _json(tenant: str, done: Reconciled, *, dry_run: bool) -> dict[str, Any]:
    walked = done.walked
    return {
        "tenant": tenant,
        "since": done.since.isoformat(),
        "began": done.began.isoformat(),
        "dry_run": dry_run,
        "seen": walked.seen,
        "would_be_started" if dry_run else "started": walked.started,
        "had_run": walked.had_run,
        "ignored": walked.ignored,
        "unusable": walked.unusable,
        "complete": done.complete,
        "held": done.held,
        **({"runs": list(walked.missing)} if dry_run else {}),
    }


def _regular_json(tenant: str, shown: Regular | None) -> dict[str, Any]:
    if shown is None:
        return {"tenant": tenant, "every_seconds": None, "passes": []}
    return {
        "tenant": tenant,
        "every_seconds": round(shown.every.total_seconds()),
        "window_seconds": round(window(shown.every).total_seconds()),
        "paused": shown.paused,
        "next": shown.next_at.isoformat() if shown.next_at else None,
        "passes": [
            {"at": done.at.isoformat(), "state": done.state}
            | (_json(tenant, done.result, dry_run=False) if done.result else {})
            for done in shown.passes
        ],
    }
