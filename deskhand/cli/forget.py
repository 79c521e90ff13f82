"""`deskhand forget`: everything of one ticket or one requester of a tenant, removed from both stores."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer

from deskhand.cli.auditing import audit, audit_look
from deskhand.cli.bulk import interruptible
from deskhand.cli.errors import CliError
from deskhand.cli.progress import Progress
from deskhand.cli.shared import print_json, require_tenant_id, temporal_client, with_tenants
from deskhand.crypto.keyring import Keys, keyring_of
from deskhand.db.pool import create_pool
from deskhand.forgetting.forget import Forgetting, Found, problems
from deskhand.forgetting.removed import Removed
from deskhand.forgetting.sought import Requester, Sought, Ticket
from deskhand.forgetting.terms import Terms, TermsError
from deskhand.runs.wording import counted, one_line
from deskhand.settings import Settings, load_settings

SHOWN = 20
"""Runs that are named; more are counted."""
MAX_TICKET_ID = 255
FEW = 10
"""Runs that a person may be in, whatever share of the tenant's they are."""


def forget(
    tenant: Annotated[str, typer.Option(metavar="TENANT", help="The tenant that it is about.")],
    ticket: Annotated[str | None, typer.Option(metavar="ID", help="Forget this ticket, by its id at the tool.")] = None,
    requester: Annotated[
        bool, typer.Option("--requester", help="Forget a person: what they are known by is asked on the terminal.")
    ] = False,
    requesters_stdin: Annotated[
        bool,
        typer.Option("--requesters-stdin", help="The same, from standard input: one name, address or id a line."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    however_many: Annotated[
        bool, typer.Option("--however-many", help="Also where a person is found in most of the tenant's runs.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Remove everything of a ticket or a person: history, spool, and runs in Temporal with their whole histories.

    A person is never named in an argument, where others on the machine would see it. Runs of other tickets that only
    quote what is forgotten, and have not ended, are started again without. Delete the ticket at the tool first: as long
    as the tool has it, a webhook or `deskhand reconcile` brings it back.
    """
    require_tenant_id("--tenant", tenant)
    if sum((ticket is not None, requester, requesters_stdin)) != 1:
        raise CliError("--ticket: give one of --ticket ID, --requester, --requesters-stdin")
    if ticket is not None and not 0 < len(ticket) <= MAX_TICKET_ID:
        raise CliError(f"--ticket: must be 1 to {MAX_TICKET_ID} characters")
    if not (yes or dry_run) and (requesters_stdin or not sys.stdin.isatty()):
        raise CliError("--yes: is needed where nobody can be asked on a terminal; --dry-run only looks")
    settings = load_settings()
    keys = keyring_of(settings, "payload_keys")
    tool = _tool(settings, tenant)
    sought: Sought
    if ticket is not None:
        sought, action, about = Ticket(tool, ticket), "forget.ticket", {"ticket": ticket}
    else:
        terms = _terms(from_stdin=requesters_stdin)
        sought, action, about = Requester(terms), "forget.requester", {"terms": terms.fingerprint(keys, tenant)}
    command = _Command(settings, keys, tenant, sought, action, about, as_json=as_json)
    interruptible(
        command.look() if dry_run else command.forget(ask=not yes, however_many=however_many or ticket is not None),
        command.so_far,
    )
    if command.problems:
        raise typer.Exit(1)


class _Command:
    """One call of the command."""

    def __init__(
        self,
        settings: Settings,
        keys: Keys,
        tenant: str,
        sought: Sought,
        action: str,
        about: dict[str, Any],
        *,
        as_json: bool,
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._tenant = tenant
        self._sought = sought
        self._action = action
        self._about = about
        self._json = as_json
        self._progress = Progress()
        self._removed = Removed()
        self.problems: list[str] = []
        """What could not be looked at, or is still there."""

    async def look(self) -> None:
        """Print what would be removed."""
        await audit_look(self._settings, self._action, self._tenant, **self._about, stage="dry run")
        async with self._forgetting() as forgetting:
            found = await forgetting.find()
        self._progress.clear()
        if self._json:
            print_json(_found_json(self._tenant, found))
        else:
            for line in found_lines(self._tenant, found):
                print(line)
        self._tell(problems(found))

    async def forget(self, *, ask: bool, however_many: bool) -> None:
        """Remove it, and print what was removed."""
        await audit(self._settings, self._action, self._tenant, **self._about, stage="begun")
        try:
            async with self._forgetting() as forgetting:
                self._removed = forgetting.removed
                found = await forgetting.find()
                if not however_many:
                    _refuse_most(found)
                if ask:
                    self._ask(found)
                await forgetting.forget(found)
        except BaseException:
            await self._record("broken off")
            raise
        finally:
            self._progress.clear()
        await self._record("left some" if self._removed.problems else "done")
        if self._json:
            print_json(_removed_json(self._tenant, self._removed))
        else:
            for line in removed_lines(self._tenant, self._removed):
                print(line)
        self._tell(self._removed.problems)

    def so_far(self) -> str:
        """What an interrupted call has removed."""
        return f"{', '.join(_amounts(self._removed))} removed; run it again for the rest"

    def _ask(self, found: Found) -> None:
        self._progress.clear()
        for line in found_lines(self._tenant, found):
            print(line)
        if not found.nothing:
            typer.confirm("Remove it? It cannot be brought back", abort=True)

    def _tell(self, problems: list[str]) -> None:
        self.problems = problems
        for problem in problems:
            print(f"deskhand: {one_line(problem, 400)}", file=sys.stderr)

    async def _record(self, stage: str) -> None:
        counts = _counts(self._removed)
        await audit_look(self._settings, self._action, self._tenant, **self._about, stage=stage, **counts)

    @asynccontextmanager
    async def _forgetting(self) -> AsyncIterator[Forgetting]:
        pool = await create_pool(self._settings.secret("database_operator_url"), self._settings)
        try:
            async with temporal_client(self._settings) as client:
                yield Forgetting(
                    pool,
                    client,
                    self._keys,
                    self._settings.task_queue,
                    self._tenant,
                    self._sought,
                    self._progress.say,
                )
        finally:
            await pool.close()


def _tool(settings: Settings, tenant: str) -> str:
    """The tenant's tool. A tenant that is misspelt has nothing, and that must not look like success.

    Raises:
        CliError: there is no such tenant.
    """
    for known in with_tenants(settings, lambda admin: admin.list()):
        if known.id == tenant:
            return known.tool
    raise CliError(f"tenant {tenant}: does not exist; see `deskhand tenant list`")


def _terms(*, from_stdin: bool) -> Terms:
    """What the person is known by, from wherever it is not seen by others.

    Raises:
        CliError: it is unusable; nothing of it is quoted.
    """
    if from_stdin:
        spellings = sys.stdin.read().splitlines()
    elif sys.stdin.isatty():
        spellings = _asked()
    else:
        raise CliError("--requester: asks on a terminal; --requesters-stdin reads one spelling a line")
    try:
        return Terms(spellings)
    except TermsError as error:
        raise CliError(str(error)) from None


def _asked() -> list[str]:
    print(
        "What the person is known by: names, e-mail addresses, account ids, each as it may be written.", file=sys.stderr
    )
    spellings: list[str] = []
    while given := typer.prompt(f"{len(spellings) + 1} (empty: no more)", default="", show_default=False, err=True):
        spellings.append(given)
    return spellings


def _refuse_most(found: Found) -> None:
    """Refuse what is more likely a spelling that means too much: runs that are removed are removed for good.

    Raises:
        CliError: the person is in most of the tenant's runs.
    """
    many = len(found.own) + len(found.quoting)
    if many > max(FEW, found.seen // 2):
        raise CliError(
            f"nothing was removed: it is in {many} of the tenant's {counted(found.seen, 'run')}: see them with "
            "--dry-run, and give longer spellings, or --however-many"
        )


def found_lines(tenant: str, found: Found) -> list[str]:
    """What would be removed, for an operator to read."""
    lines = [f"  {run.id} ({run.state})" for run in found.own[:SHOWN]]
    lines += [
        f"  {run.id} ({run.state}), quotes it{'; starts again' if run.open else ''}" for run in found.quoting[:SHOWN]
    ]
    left = len(found.own) + len(found.quoting) - len(lines)
    if left:
        lines.append(f"  … and {counted(left, 'more run')}")
    spooled = counted(len(found.orders.ids), "spooled delivery", "spooled deliveries")
    runs = counted(len(found.own) + len(found.quoting), "run")
    rows = counted(len(found.rows), "ticket of the history", "tickets of the history")
    return [f"tenant {tenant}: found {rows}, {spooled}, {runs} ({counted(found.seen, 'run')} looked at)", *lines]


def removed_lines(tenant: str, removed: Removed) -> list[str]:
    """What was removed, and what that does not reach."""
    ended = f", {removed.ended} of them still open" if removed.ended else ""
    lines = [f"tenant {tenant}: removed {', '.join(_amounts(removed))}{ended}"]
    lines += [f"  {run}: started again without it" for run in removed.restarted[:SHOWN]]
    if len(removed.restarted) > SHOWN:
        lines.append(f"  … and {len(removed.restarted) - SHOWN} more")
    return [*lines, *OUT_OF_REACH]


OUT_OF_REACH = (
    "Not reached from here: tickets and notes at the tool, notes on other tickets that quote them, backups.",
    "PostgreSQL has deleted rows on its disk until `VACUUM ticket_history, spool` (as deskhand_owner) or its own.",
    "A webhook or a reconcile pass brings back what the tool still has: delete it there as well.",
)
"""What a caller must know who takes this for all."""


def _amounts(removed: Removed) -> tuple[str, str, str]:
    return (
        counted(removed.history, "ticket of the history", "tickets of the history"),
        counted(removed.spooled, "spooled delivery", "spooled deliveries"),
        counted(removed.runs, "run"),
    )


def _counts(removed: Removed) -> dict[str, int]:
    return {
        "history": removed.history,
        "spooled": removed.spooled,
        "runs": removed.runs,
        "ended": removed.ended,
        "started_again": len(removed.restarted),
        "problems": len(removed.problems),
    }


def _found_json(tenant: str, found: Found) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "dry_run": True,
        "history": len(found.rows),
        "spooled": len(found.orders.ids),
        "looked_at": found.seen,
        "runs": [run.id for run in found.own],
        "runs_that_quote": [{"run": run.id, "starts_again": run.open} for run in found.quoting],
        "problems": problems(found),
    }


def _removed_json(tenant: str, removed: Removed) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "dry_run": False,
        **_counts(removed),
        "started_again": removed.restarted,
        "problems": removed.problems,
    }
