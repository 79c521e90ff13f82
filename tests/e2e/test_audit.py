"""Every command of an operator leaves an entry in the audit log, which nobody of ours can change."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from deskhand.audit import operating_system_user
from deskhand.cli import COMMANDS, _load
from deskhand.crypto.keyring import Keyring
from deskhand.db.pool import transaction
from tests.support.command_line import deskhand
from tests.support.desk import Desk, Tenant

NEED_NONE: Mapping[str, str] = {
    "migrate": "it makes the log, as the database's owner, who is no operator; what it applied stands in a table",
    "dev": "it starts a stack on one's own machine, and is over when that is",
    "demo": "the same",
    "codec": "it serves the Temporal UI: who may ask, and that they asked, is its own log's and its issuer's",
    "plugins list": "it looks at what is installed",
    "plugins show": "the same",
    "keys generate": "it makes keys that nothing is sealed with yet, before there is a database",
}
"""Commands that leave no entry, and why."""


@dataclass(frozen=True)
class Use:
    """A command as an operator runs it."""

    action: str
    """What the log says of it."""
    arguments: tuple[str, ...] = ()
    """Words in capitals stand for what the test has."""
    given: str = ""
    """Standard input."""
    tenant: bool = True
    """Whether the entry names the tenant."""


USES: Mapping[str, Use] = {
    "tenant add": Use(
        "tenant.add",
        (*("TENANT-2", "--tool", "jira", "--secrets-stdin", "--unchecked"), "--set", "base_url=https://a.example"),
        '{"api_token": "planted-token"}',
        tenant=False,
    ),
    "tenant list": Use("tenant.list", tenant=False),
    "tenant show": Use("tenant.show", ("TENANT",)),
    "tenant test": Use("tenant.test", ("TENANT",)),
    "tenant update": Use("tenant.update", ("TENANT", "--language", "german", "--unchecked")),
    "tenant rotate-secret": Use("tenant.rotate_secret", ("TENANT", "--secret-stdin"), "planted-webhook-secret-2"),
    "tenant pause": Use("tenant.mode", ("TENANT",)),
    "tenant unpause": Use("runs.resume", ("TENANT",)),
    "tenant deactivate": Use("tenant.deactivate", ("TENANT",)),
    "tenant activate": Use("tenant.activate", ("TENANT",)),
    "tenant export": Use("tenant.export", ("TENANT",), tenant=False),
    "tenant import": Use("tenant.import", ("FILE", "--dry-run"), tenant=False),
    "plugins check": Use("tenant.check", ("--tenant", "TENANT")),
    "runs list": Use("runs.list", ("--tenant", "TENANT")),
    "runs show": Use("runs.show", ("RUN",)),
    "runs resume": Use("runs.resume", ("RUN",)),
    "runs cancel": Use("runs.cancel", ("--tenant", "TENANT", "--waiting-for", "any")),
    "runs retry": Use("runs.retry", ("RUN",)),
    "runs redrive": Use("runs.redrive", ("--tenant", "TENANT", "--since", "1h")),
    "reconcile": Use("reconcile.status", ("--tenant", "TENANT", "--status")),
    "forget": Use("forget.ticket", ("--tenant", "TENANT", "--ticket", "T-1", "--dry-run")),
    "retention": Use("retention.look", ("--dry-run",), tenant=False),
    "keys status": Use("keys.status", tenant=False),
    "keys rotate": Use("keys.rotate", ("--ring", "credential", "--settle", "0"), tenant=False),
    "keys remove": Use("keys.remove", ("--ring", "credential", "--settle", "0", "OLD-KEY"), tenant=False),
    "audit": Use("audit.show", ("--tenant", "TENANT")),
    "tenant remove": Use("tenant.remove", ("TENANT", "--yes", "--even-if-active")),
}
"""One use of every other command, in the order in which they are run."""


def command_tree() -> list[str]:
    """Every command that there is, as the command line itself has it."""
    found = []
    for name in COMMANDS:
        command = _load(name)
        below = getattr(command, "commands", None)
        found += [f"{name} {inner}" for inner in below] if below else [name]
    return found


def test_every_command_is_known_to_leave_an_entry_or_to_need_none() -> None:
    tree = set(command_tree())
    assert len(tree) > 20
    assert tree - set(USES) - set(NEED_NONE) == set(), "give each a line in USES, and an entry in the audit log"
    assert (set(USES) | set(NEED_NONE)) - tree == set(), "there are no such commands any more"
    assert not set(USES) & set(NEED_NONE)


@pytest.fixture(scope="module")
async def tenant(shared_desk: Desk) -> Tenant:
    """A tenant of Jira with a run that posted."""
    return await shared_desk.tenant("jira")


@pytest.fixture(scope="module")
async def run(shared_desk: Desk, tenant: Tenant) -> str:
    """Its run."""
    ticket_id, handle = await shared_desk.new_run(tenant)
    await handle.result()
    return tenant.run(ticket_id)


async def newest(desk: Desk) -> int:
    """The last entry's number."""
    async with transaction(desk.operator) as connection:
        return await connection.fetchval("SELECT COALESCE(max(id), 0) FROM audit_log") or 0


async def since(desk: Desk, number: int) -> list[dict[str, Any]]:
    """What was entered by command lines after an entry: the tests' own clients have another actor."""
    async with transaction(desk.operator) as connection:
        rows = await connection.fetch(
            "SELECT actor, action, tenant_id, detail::text AS detail FROM audit_log WHERE id > $1 ORDER BY id", number
        )
    return [dict(row) for row in rows if row["actor"] == operating_system_user()]


@pytest.mark.parametrize("command", USES)
async def test_a_command_leaves_an_entry(
    desk: Desk, tenant: Tenant, run: str, command: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    use = USES[command]
    file = tmp_path_factory.mktemp("audit") / "tenants.json"
    exported = await deskhand(desk, "tenant", "export", tenant.id) if "FILE" in use.arguments else None
    if exported is not None:
        file.write_text(exported.out)
    keys = Keyring.parse(desk.stack.state.credential_keys)
    (*_, old_key) = keys.keys  # behind the primary one, once they were rotated
    stands_for = {"OLD-KEY": old_key, "TENANT": tenant.id, "TENANT-2": f"{tenant.id}-2", "RUN": run, "FILE": str(file)}
    arguments = [stands_for.get(part, part) for part in use.arguments]
    before = await newest(desk)
    done = await deskhand(desk, *command.split(), *arguments, given=use.given)
    entered = [entry for entry in await since(desk, before) if entry["action"] == use.action]
    assert entered, f"{command} left no entry {use.action}: {done}"
    assert not use.tenant or {entry["tenant_id"] for entry in entered} == {tenant.id}
    assert "planted" not in repr(entered)
    assert "not entered in the audit log" not in done.err


CHANGES: Mapping[str, tuple[str, ...]] = {
    "runs resume": ("RUN",),
    "runs cancel": ("RUN",),
    "runs cancel, all": ("--tenant", "acme", "--waiting-for", "any"),
    "runs retry": ("RUN",),
    "runs redrive": (),
    "reconcile": ("--tenant", "acme", "--off"),
}


@pytest.mark.parametrize("command", CHANGES)
async def test_what_cannot_be_entered_is_not_done(desk: Desk, some_run: str, command: str) -> None:
    arguments = [some_run if part == "RUN" else part for part in CHANGES[command]]
    words = command.partition(",")[0].split()
    for url, why in (
        (None, "DESKHAND_DATABASE_OPERATOR_URL is not set"),
        (desk.stack.database.app, "the database refuses: "),
    ):
        done = await deskhand(desk, *words, *arguments, DESKHAND_DATABASE_OPERATOR_URL=url)
        assert done.failed_with(f"nothing was done: it cannot be entered in the audit log: {why}"), done
    assert (await desk.handle(some_run).describe()).run_id == await _first_run_id(desk, some_run)


async def _first_run_id(desk: Desk, run: str) -> str | None:
    return (await desk.handle(run).fetch_history()).run_id


@pytest.fixture(scope="module")
async def some_run(shared_desk: Desk) -> str:
    """A run of another tenant that posted."""
    tenant = await shared_desk.tenant("zendesk")
    ticket_id, handle = await shared_desk.new_run(tenant)
    await handle.result()
    return tenant.run(ticket_id)


async def test_a_look_goes_on_and_says_that_nobody_will_know(desk: Desk, some_run: str) -> None:
    done = await deskhand(desk, "runs", "show", some_run, DESKHAND_DATABASE_OPERATOR_URL=None)
    assert (done.code, done.lines[0]) == (0, f"{some_run}: posted")
    assert done.err == "deskhand: not entered in the audit log: DESKHAND_DATABASE_OPERATOR_URL is not set\n"


async def test_many_runs_are_one_entry_with_the_selection(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    before = await newest(desk)
    which = ("--tenant", tenant.id, "--waiting-for")
    assert (await deskhand(desk, "runs", "resume", *which, "vendor")).code == 0
    assert (await deskhand(desk, "runs", "cancel", *which, "any", "--dry-run")).code == 0
    entered = await since(desk, before)
    assert [(entry["action"], entry["tenant_id"], json.loads(entry["detail"])) for entry in entered] == [
        ("runs.resume", tenant.id, {"waiting_for": "vendor", "dry_run": False}),
        ("runs.cancel", tenant.id, {"waiting_for": "any", "dry_run": True}),
    ]


async def test_runs_that_are_named_are_entered_for_their_tenants(desk: Desk) -> None:
    before = await newest(desk)
    await deskhand(desk, "runs", "resume", "jira:a-1:T-1:created", "jira:a-2:T-2:created", "jira:a-1:T-3:created", "x")
    entered = await since(desk, before)
    assert [(entry["tenant_id"], json.loads(entry["detail"])["runs"]) for entry in entered] == [
        ("a-1", ["jira:a-1:T-1:created", "jira:a-1:T-3:created"]),
        ("a-2", ["jira:a-2:T-2:created"]),
        (None, ["x"]),
    ]


async def test_the_log_is_shown(desk: Desk, some_run: str) -> None:
    tenant_id = some_run.split(":")[1]
    await deskhand(desk, "runs", "show", some_run)
    shown = await deskhand(desk, "audit", "--tenant", tenant_id, "--area", "runs", "--limit", "1")
    assert (shown.code, shown.err, len(shown.lines)) == (0, "", 1)
    who = re.escape(operating_system_user())
    assert re.fullmatch(
        rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC  {who}  runs\.show  {tenant_id}  runs={re.escape(some_run)} count=1",
        shown.lines[0],
    )
    told = json.loads((await deskhand(desk, "audit", "--tenant", tenant_id, "--json")).out)
    assert [entry["action"] for entry in told if entry["action"] in ("tenant.add", "runs.show")][-1] == "tenant.add"
    assert {entry["tenant"] for entry in told} <= {tenant_id, None}, "None: several, this one among them"
    assert told[0]["action"] == "audit.show", "the look before is entered too"
    assert (await deskhand(desk, "audit", "--area", "nosuch")).lines == ["no such entries"]
    for arguments, message in (
        (("--tenant", "a'b"), "--tenant: must be 1 to 64 letters, digits and hyphens"),
        (("--area", "runs%"), "--area: must be the part of an action before its dot"),
    ):
        assert (await deskhand(desk, "audit", *arguments)).failed_with(message)


async def test_what_was_typed_cannot_steer_the_terminal_of_who_reads_it(desk: Desk) -> None:
    await deskhand(desk, "runs", "show", "jira:\x1b[31m:x")
    shown = await deskhand(desk, "audit", "--area", "runs", "--limit", "1")
    assert "jira:" in shown.out
    assert "\x1b" not in shown.out


async def test_commands_at_once_all_leave_theirs(desk: Desk, some_run: str) -> None:
    before = await newest(desk)
    await asyncio.gather(*(deskhand(desk, "runs", "show", some_run) for _ in range(3)))
    assert len(await since(desk, before)) == 3
