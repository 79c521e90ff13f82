"""`deskhand runs …`: what runs there are, the story of one, and having them go on, end, or start again."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from temporalio.service import RPCError

from deskhand.cli.auditing import audit, audit_look
from deskhand.cli.bulk import Act, act_on_all, act_on_named, interruptible, print_all
from deskhand.cli.durations import parse_duration
from deskhand.cli.errors import CliError
from deskhand.cli.progress import Progress
from deskhand.cli.run_entries import enter_named, enter_selection
from deskhand.cli.shared import print_json, require_tenant_id, temporal_client
from deskhand.cli.spool import print_spool, redrive_spool, spool_json, spool_state
from deskhand.crypto.codec import data_converter
from deskhand.crypto.keyring import keyring_of
from deskhand.runs.again import REDRIVEN, Again, Redriven, failed_since
from deskhand.runs.handling import RPC_TIMEOUT, Runs, Tally
from deskhand.runs.history import read_story
from deskhand.runs.order import RunsUnavailableError
from deskhand.runs.pacing import Pace
from deskhand.runs.starting import TemporalRuns
from deskhand.runs.story import Story
from deskhand.runs.telling import run_json, run_lines, story_json, story_lines, ui_link
from deskhand.runs.visibility import RunFilter, RunFound
from deskhand.runs.wording import counted
from deskhand.settings import Settings, load_settings
from workflows.contracts import Outcome, Waiting

app = typer.Typer(
    help="List runs, tell the story of one, resume, cancel, retry and redrive.",
    no_args_is_help=True,
    add_completion=False,
)

ANY = "any"

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="A run's workflow id.")]
RunIds = Annotated[list[str] | None, typer.Argument(metavar="RUN…", help="Workflow ids.")]
OfTenant = Annotated[str | None, typer.Option("--tenant", metavar="TENANT", help="All of this tenant's.")]
WaitingFor = Annotated[
    str | None,
    typer.Option(metavar="WHAT", help=f"Only those that wait for this: {', '.join(Waiting)}, or any of them."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say which it would be.")]


@app.command("list")
def list_runs(
    tenant: OfTenant = None,
    tool: Annotated[str | None, typer.Option(metavar="TOOL", help="Only this tool's.")] = None,
    outcome: Annotated[Outcome | None, typer.Option(help="Only those that ended like this.")] = None,
    waiting_for: WaitingFor = None,
    older_than: Annotated[str | None, typer.Option(metavar="SPAN", help="Only those that started before this.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List runs: open ones first, the last started first; then those that ended, the last ended first."""
    settings = load_settings()
    now = datetime.now(UTC)
    which = RunFilter(
        tenant=_tenant(tenant),
        tool=tool,
        outcomes=(outcome,) if outcome else (),
        **_waiting(waiting_for),
        started_before=now - parse_duration("--older-than", older_than) if older_than is not None else None,
    )
    asyncio.run(enter_selection(settings, "runs.list", which, look=True, limit=limit))
    spool = asyncio.run(spool_state(settings))
    try:
        runs, total = asyncio.run(_found(settings, which, limit))
    except CliError:
        print_spool(spool)
        raise
    more = max(0, total - len(runs))
    if as_json:
        print_json({"runs": [run_json(run) for run in runs], "more": more, "spool": spool_json(spool)})
        return
    for line in run_lines(runs, now):
        print(line)
    if more:
        print(f"… and {more} more: see them with --limit {total}, or narrow the list")
    if not runs:
        print("no such runs")
    print_spool(spool)


@app.command()
def show(run: RunId, as_json: AsJson = False) -> None:
    """Tell the story of a run: each step, why it waits and until when, how it ended, and how to go on."""
    settings = load_settings()
    asyncio.run(enter_named(settings, "runs.show", [run], look=True))
    story, link = asyncio.run(_story(settings, run))
    if as_json:
        print_json(story_json(story, link))
        return
    for line in story_lines(story, datetime.now(UTC), link):
        print(line)


@app.command()
def resume(
    runs: RunIds = None, tenant: OfTenant = None, waiting_for: WaitingFor = None, dry_run: DryRun = False
) -> None:
    """Have parked runs make their next attempt now: those named, or all of a tenant's at a bounded rate.

    Those that wait for privacy are left alone, unless they are named, or --waiting-for says so: each would write its
    note once more.
    """
    named = _named(runs, tenant)
    if tenant is None:
        if waiting_for is not None:
            raise CliError("--waiting-for: is for all of a tenant's runs; give --tenant as well")
        _named_ones("runs.resume", named, Runs.resume, "resumed", dry_run)
        return
    which = RunFilter(
        tenant=_tenant(tenant), **(_waiting(waiting_for) if waiting_for else {"waiting": True, "but_privacy": True})
    )
    _all_waiting("runs.resume", which, Runs.resume, "resumed", dry_run)


@app.command()
def cancel(
    runs: RunIds = None, tenant: OfTenant = None, waiting_for: WaitingFor = None, dry_run: DryRun = False
) -> None:
    """End runs with the outcome `cancelled`: those named, or those of a tenant that wait for something."""
    named = _named(runs, tenant)
    if tenant is None:
        if waiting_for is not None:
            raise CliError("--waiting-for: is for all of a tenant's runs; give --tenant as well")
        _named_ones("runs.cancel", named, Runs.cancel, "asked to end", dry_run)
        return
    if waiting_for is None:
        raise CliError(f"--waiting-for: is needed beside --tenant; --waiting-for {ANY} means every parked run")
    which = RunFilter(tenant=_tenant(tenant), **_waiting(waiting_for))
    _all_waiting("runs.cancel", which, Runs.cancel, "asked to end", dry_run)


@app.command()
def retry(
    run: RunId,
    not_there: Annotated[
        bool,
        typer.Option("--not-there", help="You looked: the note is not on the ticket. For tools that cannot be asked."),
    ] = False,
) -> None:
    """Start a run again that has ended, whatever its outcome: the same id, the same delivery, patience from now.

    A note that is on the ticket already is found and not written twice. Where the tool cannot be asked for it, and the
    run came as far as writing, nothing is written without --not-there.
    """
    settings = load_settings()
    keyring_of(settings, "payload_keys")
    asyncio.run(enter_named(settings, "runs.retry", [run], not_there=not_there))
    asyncio.run(_retry(settings, run, not_there))


@app.command()
def redrive(
    since: Annotated[
        str | None, typer.Option(metavar="SPAN", help="Runs as well: those that failed since then, such as 2h.")
    ] = None,
    tenant: OfTenant = None,
    outcome: Annotated[
        list[Outcome] | None, typer.Option(help=f"Only this outcome, {', '.join(REDRIVEN)}; may be repeated.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Let the spool's quarantine try again, and with --since start everything again that failed since then.

    A run that has run again since is left alone.
    """
    settings = load_settings()
    if since is None and outcome:
        raise CliError("--outcome: is about runs that failed; say how far back, such as --since 2h")
    for given in outcome or ():
        if given not in REDRIVEN:
            raise CliError(f"--outcome {given}: must be {', '.join(REDRIVEN)}; `deskhand runs retry` takes any run")
    keyring_of(settings, "payload_keys")
    of_tenant = _tenant(tenant)
    back = parse_duration("--since", since) if since is not None else None
    enter = audit_look if dry_run else audit
    asyncio.run(
        enter(settings, "runs.redrive", of_tenant, since=since, outcomes=list(map(str, outcome or ())), dry_run=dry_run)
    )
    so_far = Redriven()
    if back is not None:
        now = datetime.now(UTC)
        which = failed_since(now - back, now, of_tenant, tuple(outcome or ()))
        interruptible(
            _redrive(settings, which, so_far, dry_run),
            lambda: (
                f"{so_far.started} of {counted(so_far.total, 'run')} started again; those are left alone the next time"
            ),
        )
    if dry_run:
        print_spool(asyncio.run(spool_state(settings)))
    else:
        asyncio.run(redrive_spool(settings, tenant))
    if so_far.unopened:
        raise typer.Exit(1)


async def _found(settings: Settings, which: RunFilter, limit: int) -> tuple[list[RunFound], int]:
    async with temporal_client(settings) as client:
        runs = Runs(client)
        found = [run async for run in runs.find(which, limit)]
        return found, await runs.count(which) if len(found) == limit else len(found)


async def _story(settings: Settings, run: str) -> tuple[Story, str]:
    # For a person's eyes: Temporal itself adds a few payloads that are not sealed.
    converter = data_converter(keyring_of(settings, "payload_keys"), allow_plaintext=True)
    async with temporal_client(settings) as client:
        description = await Runs(client).describe(run)
        found = RunFound.of(description)
        events = client.get_workflow_handle(found.id, run_id=found.run_id).fetch_history_events(rpc_timeout=RPC_TIMEOUT)
        story = await read_story(found, events, description.raw_description, converter, datetime.now(UTC))
        return story, ui_link(settings.temporal_ui_url, client.namespace, found)


async def _retry(settings: Settings, run: str, not_there: bool) -> None:
    async with temporal_client(settings) as client:
        found = await Runs(client).look(run)
        if not found.open:
            print("\n".join(run_lines([found], datetime.now(UTC))))
        await Again(client, TemporalRuns(client, settings.task_queue)).retry(found, not_there=not_there)
        print(f"{found.id}: started again; see `deskhand runs show {found.id}`")


async def _redrive(settings: Settings, which: RunFilter, so_far: Redriven, dry_run: bool) -> None:
    async with temporal_client(settings) as client:
        again = Again(client, TemporalRuns(client, settings.task_queue))
        if dry_run:
            await print_all(again.failed(which), "started again")
            return
        so_far.total = await Runs(client).count(which)
        progress = Progress()
        try:
            await again.redrive(
                which, so_far, lambda now: progress.say(f"{now.seen} of {now.total} failed runs"), Pace()
            )
        except (RPCError, RunsUnavailableError):
            print(f"{counted(so_far.started, 'failed run')} started again so far: repeat it for the others")
            raise
        finally:
            progress.clear()
    left = f", {so_far.left} left alone (run again since, gone, or refused)" if so_far.left else ""
    print(f"{counted(so_far.started, 'failed run')} started again{left}")
    if so_far.unopened:
        print(f"{counted(so_far.unopened, 'run')} could not be opened:")
    for problem in so_far.problems:
        print(f"  {problem}")


def _named_ones(action: str, named: list[str], act: Act, done: str, dry_run: bool) -> None:
    settings = load_settings()
    asyncio.run(enter_named(settings, action, named, look=dry_run, dry_run=dry_run))
    if not asyncio.run(_act_on_named(settings, named, act, done, dry_run)):
        raise typer.Exit(1)


async def _act_on_named(settings: Settings, named: list[str], act: Act, done: str, dry_run: bool) -> bool:
    async with temporal_client(settings) as client:
        return await act_on_named(client, named, act, done, dry_run)


def _all_waiting(action: str, which: RunFilter, act: Act, done: str, dry_run: bool) -> None:
    settings = load_settings()
    asyncio.run(enter_selection(settings, action, which, look=dry_run, dry_run=dry_run))
    tally = Tally(0)
    interruptible(
        _act_on_waiting(settings, which, tally, act, done, dry_run),
        lambda: f"{tally.done} of {counted(tally.total, 'run')} {done}; the others are as they were",
    )


async def _act_on_waiting(
    settings: Settings, which: RunFilter, tally: Tally, act: Act, done: str, dry_run: bool
) -> None:
    async with temporal_client(settings) as client:
        if dry_run:
            await print_all(Runs(client).find(which), done)
        else:
            await act_on_all(client, which, tally, act, done)


def _named(runs: list[str] | None, tenant: str | None) -> list[str]:
    if bool(runs) is (tenant is not None):
        raise CliError("RUN…: name runs by their workflow ids, or give --tenant for all of a tenant's")
    return runs or []


def _tenant(given: str | None) -> str | None:
    return None if given is None else require_tenant_id("--tenant", given)


def _waiting(given: str | None) -> dict[str, Any]:
    if given is None:
        return {}
    if given == ANY:
        return {"waiting": True}
    if given not in set(Waiting):
        raise CliError(f"--waiting-for: must be {', '.join(Waiting)} or {ANY}")
    return {"waiting_for": Waiting(given)}
