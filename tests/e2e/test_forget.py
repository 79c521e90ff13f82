"""`deskhand forget` and `deskhand retention` on a stack: what is forgotten is in no store, all else is still there."""

import asyncio
import base64
import json
import os
import re
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from google.protobuf.json_format import MessageToDict
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowExecution, WorkflowExecutionStatus

from deskhand.crypto.codec import EncryptionCodec
from deskhand.crypto.keyring import Keyring
from deskhand.db.pool import Pool, create_pool
from deskhand.devstack.waiting import came_true
from deskhand.forgetting.removed import Removed
from deskhand.forgetting.retention import Limit, sweep_runs
from deskhand.forgetting.runs import REPLACED, TenantRuns
from deskhand.forgetting.sought import Ticket
from deskhand.forgetting.tenant import forget_tenant
from deskhand.note.history import TicketHistory
from deskhand.runs.order import Order
from deskhand.runs.pacing import Pace
from deskhand.runs.regular import RegularPasses
from deskhand.runs.spool import Spool, open_order
from deskhand.settings import Settings
from plugins.conformance.pretend.model import Event
from plugins.types import TicketContext
from tests.support import command_line
from tests.support.command_line import Done
from tests.support.desk import Desk, Tenant, note_text
from workflows.contracts import ENHANCE_TICKET, TASK_QUEUE, Delivery, Outcome, Patience, RecordInput
from workflows.search_attributes import TENANT, WAITING_FOR

TOOL = "zendesk"
"""A tool whose tickets name their requester, and that can be asked for its notes."""
NEVER = Patience(first=(10**8,), hourly=10**8, hourly_until=0, later=10**8, deadline=10**9)
"""Of a run that wakes only when it is told to."""


@dataclass(frozen=True)
class Person:
    """A requester, made up for one test."""

    name: str
    email: str

    @classmethod
    def planted(cls, first: str = "Renée") -> "Person":
        mark = secrets.token_hex(4)
        return cls(f"{first} Q{mark}", f"q{mark}@example.org")

    @property
    def spellings(self) -> tuple[str, ...]:
        return (self.name, self.email)


def problems(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith("deskhand:")]


async def deskhand(desk: Desk, *arguments: str, lines: Iterable[str] = (), **settings: str) -> Done:
    """Run it to its end, with these lines on standard input."""
    return await command_line.deskhand(desk, *arguments, given="".join(f"{line}\n" for line in lines), **settings)


@pytest.fixture
async def app(desk: Desk) -> AsyncIterator[Pool]:
    """The database as starter and worker see it."""
    pool = await create_pool(desk.stack.database.app, Settings(database_pool_size=2))
    yield pool
    await pool.close()


def keys(desk: Desk) -> Keyring:
    return Keyring.parse(desk.stack.state.payload_keys)


# What there is, told without the code under test.


async def executions(desk: Desk, tenant: Tenant) -> list[WorkflowExecution]:
    return [found async for found in desk.client.list_workflows(f"{TENANT.name} = '{tenant.id}'")]


async def ids(desk: Desk, tenant: Tenant) -> set[str]:
    return {execution.id for execution in await executions(desk, tenant)}


async def all_that_temporal_says(desk: Desk, tenant: Tenant) -> str:
    """Every history of the tenant and what is known of its executions, each payload opened, raw bytes too."""
    codec = EncryptionCodec(keys(desk), allow_plaintext=True)
    said: list[str] = []

    async def walk(value: Any) -> None:
        if isinstance(value, dict) and "data" in value and "metadata" in value:
            sealed = Payload(
                metadata={name: base64.b64decode(text) for name, text in value["metadata"].items()},
                data=base64.b64decode(value["data"]),
            )
            (opened,) = await codec.decode([sealed])
            text = opened.data.decode(errors="replace")
            said.append(text)
            said.extend(
                base64.urlsafe_b64decode(raw[: len(raw) // 4 * 4].replace("+", "-").replace("/", "_")).decode(
                    errors="replace"
                )
                for raw in re.findall(r"[A-Za-z0-9+/_-]{16,}={0,2}", text)
            )
        elif isinstance(value, dict):
            for part in value.values():
                await walk(part)
        elif isinstance(value, list):
            for part in value:
                await walk(part)
        else:
            said.append(str(value))

    for execution in await executions(desk, tenant):
        handle = desk.client.get_workflow_handle(execution.id, run_id=execution.run_id)
        async for event in handle.fetch_history_events():
            await walk(MessageToDict(event))
        await walk(MessageToDict((await handle.describe()).raw_description))
    # What JSON escapes, undone once more than it was done.
    return (
        "\n".join(said) + "\n" + "\n".join(re.sub(r"\\u([0-9a-f]{4})", lambda m: chr(int(m[1], 16)), t) for t in said)
    )


async def rows(desk: Desk) -> list[str]:
    """Every row of every table of ours as text, binary columns in hexadecimal, and the spool's orders opened."""
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(desk.stack.database.superuser)
    try:
        tables = await connection.fetch("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
        said = [
            row["row"]
            for table in tables
            for row in await connection.fetch(f"SELECT t::text AS row FROM {table['name']} t")  # noqa: S608 - our names
        ]
        for row in await connection.fetch("SELECT * FROM spool"):
            order = open_order(keys(desk), row)
            said.append(f"{order.delivery.tenant_id} {order.delivery.raw.decode()} {order.model_dump_json()}")
    finally:
        await connection.close()
    return said


def logs(desk: Desk) -> str:
    return "".join(path.read_text(errors="replace") for path in (desk.stack.state.folder / "logs").iterdir())


def holds(text: str, person: Person) -> bool:
    folded = text.casefold()
    return any(
        spelling.casefold() in folded or spelling.encode().hex() in folded or json.dumps(spelling)[1:-1] in text
        for spelling in person.spellings
    )


# What is planted.


async def learned(app: Pool, tenant: Tenant, ticket_id: str, subject: str, resolution: str, **more: Any) -> None:
    """A ticket of the history."""
    ticket = TicketContext(ticket_id=ticket_id, subject=subject, resolution=resolution)
    given = {"version": "1", "resolved_at": datetime.now(UTC), **more}
    await TicketHistory(app).record(RecordInput(tool=tenant.tool, tenant_id=tenant.id, ticket=ticket, **given))


async def spooled(desk: Desk, app: Pool, tenant: Tenant, ticket_id: str) -> None:
    """A delivery in the spool's quarantine, where no drainer takes it."""
    signed = await desk.signed(tenant, ticket_id)
    delivery = Delivery(tool=tenant.tool, tenant_id=tenant.id, raw=signed.raw, received_at=datetime.now(UTC))
    order = Order(
        workflow=ENHANCE_TICKET, run=tenant.run(ticket_id), ticket_id=ticket_id, delivery=delivery, delivery_id="d-1"
    )
    await Spool(app, keys(desk)).put(order, refused="for this test")


async def told(desk: Desk, tenant: Tenant, ticket_id: str, event: Event = "created") -> str:
    """Have the tool call our webhook; the run."""
    # The pretend tool signs with the secret of whichever tenant said so last.
    await tenant.vendor.webhook(tenant.webhook_url, tenant.webhook_secret)
    answer = await desk.send(await desk.signed(tenant, ticket_id, event))
    assert answer.status_code == 202
    run: str = answer.json()["run"]
    return run


async def posted(desk: Desk, tenant: Tenant, subject: str, person: Person, text: str = "It happens daily.") -> str:
    ticket_id = await tenant.vendor.ticket(subject, text, requester=person.email)
    await told(desk, tenant, ticket_id)
    assert (await desk.handle(tenant.run(ticket_id)).result()).outcome is Outcome.POSTED
    return ticket_id


async def parked(desk: Desk, tenant: Tenant, subject: str, person: Person, text: str = "It happens daily.") -> str:
    """A ticket whose run waits with its note written: the tool refuses our credentials."""
    await tenant.vendor.fault("post_note", "status", times=None, status=401)
    await tenant.vendor.webhook(tenant.webhook_url, tenant.webhook_secret)
    ticket_id, handle = await desk.new_run_in_real_time(
        tenant, patience=NEVER, subject=subject, description=text, requester=person.email
    )

    async def waits() -> bool:
        return (await handle.describe()).typed_search_attributes.get(WAITING_FOR) == "credentials"

    assert await came_true(waits, seconds=60)
    await desk.clear_faults()
    return ticket_id


async def failed(desk: Desk, tenant: Tenant, subject: str, person: Person) -> str:
    await tenant.vendor.fault("get_ticket", "status", status=400)
    ticket_id = await tenant.vendor.ticket(subject, f"Yours, {person.name}", requester=person.email)
    await told(desk, tenant, ticket_id)

    async def ended() -> bool:
        return (await desk.handle(tenant.run(ticket_id)).describe()).status is WorkflowExecutionStatus.FAILED

    assert await came_true(ended, seconds=60)
    return ticket_id


async def resolved(desk: Desk, tenant: Tenant, ticket_id: str, resolution: str) -> str:
    """A ticket that is resolved and learned from; its run."""
    await tenant.vendor.resolve(ticket_id, resolution)
    run = await told(desk, tenant, ticket_id, "resolved")
    assert (await desk.handle(run).result()).outcome is Outcome.RECORDED
    return run


async def actions(desk: Desk, tenant: Tenant, action: str) -> list[dict[str, Any]]:
    found = await desk.operator.fetch(
        "SELECT detail FROM audit_log WHERE tenant_id = $1 AND action = $2 ORDER BY id", tenant.id, action
    )
    return [json.loads(row["detail"]) for row in found]


@pytest.mark.timeout(400)
async def test_nothing_is_left_of_a_requester_and_everything_of_the_others(desk: Desk, app: Pool) -> None:
    tenant, neighbour = await desk.tenant(TOOL), await desk.tenant(TOOL)
    person, other = Person.planted(), Person.planted("Günther")
    subject = f"Scanner {secrets.token_hex(3)} sends empty mails"

    # In every place that there is: posted, recorded and learned from, failed, parked, spooled.
    own = [await posted(desk, tenant, f"{subject} to {person.name}", person)]
    recorded = await resolved(desk, tenant, own[0], f"Raised the limit for {person.email.upper()}.")
    own += [await failed(desk, tenant, "Badge lost", person)]
    own += [await parked(desk, tenant, "Keyboard", person, f"Yours, {person.name}")]
    in_spool = await tenant.vendor.ticket(f"Monitor of {person.name}", requester=person.email)
    await spooled(desk, app, tenant, in_spool)

    # Quoted in the notes of others: one is on its ticket, one waits to be.
    quoting = await posted(desk, tenant, subject, other)
    waiting = await parked(desk, tenant, subject, other)
    assert holds(note_text((await tenant.vendor.notes(quoting))[0]), person)

    # And what has nothing to do with it.
    others = [await posted(desk, tenant, f"Projector of {other.name}", other, "Since Monday.")]
    others += [await parked(desk, tenant, f"Cable of {other.name}", other, "Since Monday.")]
    await learned(app, tenant, "OLD-1", f"Mouse of {other.name}", "A new battery.")
    kept_in_spool = await tenant.vendor.ticket(f"Chair of {other.name}", requester=other.email)
    await spooled(desk, app, tenant, kept_in_spool)
    elsewhere = await posted(desk, neighbour, f"{subject} to {person.name}", person)
    await resolved(desk, neighbour, elsewhere, f"Called {person.name}.")

    before = await all_that_temporal_says(desk, tenant)
    assert holds(before, person), "the search would find it"
    assert holds(before, other)
    assert sum(holds(row, person) and tenant.id in row for row in await rows(desk)) >= 2

    looked = await deskhand(
        desk, "forget", "--tenant", tenant.id, "--requesters-stdin", "--dry-run", "--json", lines=person.spellings
    )
    found = json.loads(looked.out)
    assert (looked.code, found["history"], found["spooled"]) == (0, 1, 1)
    assert set(found["runs"]) == {recorded, *map(tenant.run, own)}
    assert {each["run"]: each["starts_again"] for each in found["runs_that_quote"]} == {
        tenant.run(quoting): False,
        tenant.run(waiting): True,
    }
    assert await ids(desk, tenant) == {recorded, *map(tenant.run, (*own, quoting, waiting, *others))}

    done = await deskhand(desk, "forget", "--tenant", tenant.id, "--requesters-stdin", "--yes", lines=person.spellings)
    assert (done.code, problems(done.err)) == (0, []), done
    assert done.out.splitlines()[:2] == [
        f"tenant {tenant.id}: removed 1 ticket of the history, 1 spooled delivery, 6 runs, 2 of them still open",
        f"  {tenant.run(waiting)}: started again without it",
    ]

    after = await all_that_temporal_says(desk, tenant)
    assert await ids(desk, tenant) == set(map(tenant.run, (waiting, *others)))
    assert not holds(after, person)
    assert holds(after, other)
    left = await rows(desk)
    assert not [row for row in left if holds(row, person) and neighbour.id not in row]
    assert len([row for row in left if holds(row, person) and neighbour.id in row]) == 1
    assert any(f"Mouse of {other.name}" in row for row in left)
    assert any(f"Chair of {other.name}" in row for row in left)
    assert not holds(logs(desk) + looked.out + done.out + done.err, person)
    assert await desk.handle(neighbour.run(elsewhere)).result(), "another tenant's run is still there"

    entries = await actions(desk, tenant, "forget.requester")
    assert [entry["stage"] for entry in entries] == ["dry run", "begun", "done"]
    assert len({entry["terms"] for entry in entries}) == 1
    assert (entries[-1]["history"], entries[-1]["spooled"], entries[-1]["runs"]) == (1, 1, 6)

    # The ticket that only quoted it gets its note; the parked one of another goes on.
    for ticket_id in (waiting, others[1]):
        handle = desk.handle(tenant.run(ticket_id))
        if (await handle.describe()).status is WorkflowExecutionStatus.RUNNING:
            await handle.signal("resume")
        assert (await handle.result()).outcome is Outcome.POSTED
        (note,) = await tenant.vendor.notes(ticket_id)
        assert not holds(note_text(note), person)

    again = await deskhand(
        desk, "forget", "--tenant", tenant.id, "--requesters-stdin", "--yes", "--json", lines=person.spellings
    )
    nothing = json.loads(again.out)
    assert (again.code, nothing["history"], nothing["spooled"], nothing["runs"]) == (0, 0, 0, 0)


async def test_a_ticket_is_forgotten_and_what_quotes_it_too(desk: Desk, app: Pool) -> None:
    tenant, other = await desk.tenant(TOOL), Person.planted()
    subject = f"Scanner {secrets.token_hex(3)} sends empty mails"
    ticket_id = await posted(desk, tenant, subject, other)
    await resolved(desk, tenant, ticket_id, "Raised the attachment limit of the relay.")
    quoting = await posted(desk, tenant, subject, other)
    alone = await posted(desk, tenant, "Badge lost", other, "Since Monday.")
    await spooled(desk, app, tenant, ticket_id)
    await spooled(desk, app, tenant, alone)

    done = await deskhand(desk, "forget", "--tenant", tenant.id, "--ticket", ticket_id, "--yes", "--json")
    assert done.code == 0, done
    counts = {"history": 1, "spooled": 1, "runs": 3, "ended": 0, "started_again": [], "problems": []}
    assert json.loads(done.out) == {"tenant": tenant.id, "dry_run": False, **counts}
    assert await ids(desk, tenant) == {tenant.run(alone)}
    left = [row for row in await rows(desk) if tenant.id in row and ticket_id in row]
    assert [row for row in left if "forget.ticket" not in row] == [], "its id stands in the audit log only"
    assert quoting != ticket_id
    assert any(tenant.id in row and f"{tenant.run(alone)}" in row for row in await rows(desk)), "the spool's other"


async def test_a_run_that_was_ended_and_not_started_again_is_started_by_the_next_attempt(desk: Desk, app: Pool) -> None:
    tenant, other = await desk.tenant(TOOL), Person.planted()
    subject = f"Scanner {secrets.token_hex(3)} sends empty mails"
    await learned(app, tenant, "OLD-7", subject, "Raised the limit.")
    waiting = await parked(desk, tenant, subject, other)
    # As a command leaves it that was killed in between.
    await desk.handle(tenant.run(waiting)).terminate(reason=REPLACED)

    done = await deskhand(desk, "forget", "--tenant", tenant.id, "--ticket", "OLD-7", "--yes")
    assert done.code == 0, done
    assert f"  {tenant.run(waiting)}: started again without it" in done.out
    assert (await desk.handle(tenant.run(waiting)).result()).outcome is Outcome.POSTED
    (note,) = await tenant.vendor.notes(waiting)
    assert "OLD-7" not in note_text(note)
    assert len(await executions(desk, tenant)) == 1


@asynccontextmanager
async def blocked(desk: Desk, tenant: Tenant) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
    """No row of the tenant's history can be deleted inside; whether somebody waits to."""
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(desk.stack.database.superuser)

    async def waits() -> bool:
        found = await desk.operator.fetchval(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_blocking_pids(pid) @> ARRAY[$1::int]",
            connection.get_server_pid(),
        )
        return bool(found)

    async with connection.transaction():
        await connection.execute("SELECT FROM ticket_history WHERE tenant_id = $1 FOR UPDATE", tenant.id)
        yield waits
    await connection.close()


@pytest.mark.timeout(300)
async def test_temporal_going_away_in_the_middle_is_one_line_and_the_next_attempt_finishes(
    desk: Desk, app: Pool
) -> None:
    tenant, person = await desk.tenant(TOOL), Person.planted()
    await learned(app, tenant, "OLD-1", f"Scanner of {person.name}", "Raised the limit.")
    for _ in range(3):
        await posted(desk, tenant, f"Badge of {person.name}", person)
    async with blocked(desk, tenant) as waits:
        process = await command_line.started(desk, "forget", "--tenant", tenant.id, "--requesters-stdin", "--yes")
        talking = asyncio.create_task(process.communicate("".join(f"{s}\n" for s in person.spellings).encode()))
        assert await came_true(waits, seconds=60)
        desk.stack.kill("temporal")
    try:
        _, err = await talking
    finally:
        await desk.stack.start("temporal")
    assert await old_rows(desk, tenant) == 0, "the history was gone by then"
    assert process.returncode == 1
    (said,) = problems(err.decode())
    assert "does not answer" in said
    assert [entry["stage"] for entry in await actions(desk, tenant, "forget.requester")] == ["begun", "broken off"]

    done = await deskhand(desk, "forget", "--tenant", tenant.id, "--requesters-stdin", "--yes", lines=person.spellings)
    assert (done.code, problems(done.err)) == (0, []), done
    assert await executions(desk, tenant) == []
    assert not [row for row in await rows(desk) if holds(row, person)]


async def test_what_does_not_open_is_named_with_the_way_out_and_makes_it_fail(desk: Desk, app: Pool) -> None:
    tenant, person = await desk.tenant(TOOL), Person.planted()
    ticket_id = await posted(desk, tenant, f"Badge of {person.name}", person)
    await learned(app, tenant, "OLD-1", f"Mouse of {person.name}", "A new battery.")
    in_spool = await tenant.vendor.ticket(f"Chair of {person.name}")
    await spooled(desk, app, tenant, in_spool)
    run = tenant.run(ticket_id)
    wrong = {"DESKHAND_PAYLOAD_KEYS": Keyring.generate_text("wrong"), "DESKHAND_PAYLOAD_KEYS_FILE": ""}
    forget = ("forget", "--tenant", tenant.id, "--requesters-stdin")
    for more in (("--dry-run",), ("--yes",)):
        done = await deskhand(desk, *forget, *more, lines=person.spellings, **wrong)
        assert (done.code, len(problems(done.err))) == (1, 2), done
        assert f"{run}: not looked at: its history does not open" in problems(done.err)[0]
        assert "sealed with keys that are not in DESKHAND_PAYLOAD_KEYS" in problems(done.err)[1]
    assert await ids(desk, tenant) == {run}
    assert await old_rows(desk, tenant) == 0, "what could be looked at is gone"
    assert (await actions(desk, tenant, "forget.requester"))[-1]["stage"] == "left some"

    done = await deskhand(desk, *forget, "--yes", lines=person.spellings)
    assert (done.code, problems(done.err), await ids(desk, tenant)) == (0, [], set())
    assert not [row for row in await rows(desk) if holds(row, person)]


async def test_on_a_terminal_it_asks_who_and_whether(desk: Desk, app: Pool) -> None:
    tenant, person = await desk.tenant(TOOL), Person.planted()
    await learned(app, tenant, "OLD-1", f"Mouse of {person.name}", "A new battery.")
    for answer, code, left in (("n", 1, 1), ("y", 0, 0)):
        ours, theirs = os.openpty()
        process = await asyncio.create_subprocess_exec(
            *(str(Path(sys.executable).with_name("deskhand")), "forget", "--tenant", tenant.id, "--requester"),
            stdin=theirs,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=desk.stack.command_environment(),
        )
        os.close(theirs)
        os.write(ours, f"{person.email}\n{person.name}\n\n{answer}\n".encode())
        out, err = await process.communicate()
        os.close(ours)
        assert process.returncode == code, (out, err)
        assert f"tenant {tenant.id}: found 1 ticket of the history, 0 spooled deliveries, 0 runs" in out.decode()
        assert await old_rows(desk, tenant) == left


@pytest.mark.parametrize(
    ("arguments", "lines", "why"),
    [
        ((), (), "--ticket: give one of --ticket ID, --requester, --requesters-stdin"),
        (("--ticket", "1", "--requesters-stdin"), (), "--ticket: give one of"),
        (("--ticket", "1"), (), "--yes: is needed where nobody can be asked"),
        (("--requesters-stdin",), ("Somebody",), "--yes: is needed"),
        (("--requester", "--dry-run"), (), "--requester: asks on a terminal"),
        (("--requesters-stdin", "--yes"), (), "no spelling was given"),
        (("--requesters-stdin", "--yes"), ("Planted Name", "Al"), "spelling 2: must have 3 characters"),
    ],
)
async def test_what_is_asked_wrongly_is_one_line_that_quotes_nobody(
    desk: Desk, arguments: tuple[str, ...], lines: tuple[str, ...], why: str
) -> None:
    tenant = await desk.tenant(TOOL)
    done = await deskhand(desk, "forget", "--tenant", tenant.id, *arguments, lines=lines)
    assert (done.code, done.out, len(done.err.splitlines())) == (1, "", 1), done
    assert why in done.err
    assert "Planted" not in done.err
    unknown = await deskhand(desk, "forget", "--tenant", "nobody", "--ticket", "1", "--yes")
    assert (unknown.code, "tenant nobody: does not exist" in unknown.err) == (1, True)


async def test_a_tenant_goes_with_all_it_owned_and_no_other(desk: Desk, app: Pool) -> None:
    tenant, neighbour, person = await desk.tenant(TOOL), await desk.tenant(TOOL), Person.planted()
    for each in (tenant, neighbour):
        await posted(desk, each, f"Badge of {person.name}", person)
        await parked(desk, each, f"Scanner of {person.name}", person)
        await learned(app, each, "OLD-1", "Mouse", "A new battery.")
        await spooled(desk, app, each, await each.vendor.ticket("Chair"))
        await RegularPasses(desk.client, TASK_QUEUE).switch_on(each.tool, each.id, timedelta(hours=36))
    counts = {"history": 1, "spooled": 1, "runs": 2, "ended": 1, "schedule": True, "problems": []}
    for dry_run in (True, False):
        removed = await forget_tenant(desk.operator, desk.client, keys(desk), tenant.id, dry_run=dry_run)
        assert {name: getattr(removed, name) for name in counts} == counts
    assert await executions(desk, tenant) == []
    left = [row for row in await rows(desk) if tenant.id in row]
    assert all("tenant.add" in row or '"own_account_id"' in row for row in left), left
    passes = RegularPasses(desk.client, TASK_QUEUE)
    assert (await passes.show(tenant.id), await passes.show(neighbour.id) is None) == (None, False)
    assert len(await executions(desk, neighbour)) == 2
    again = await forget_tenant(desk.operator, desk.client, keys(desk), tenant.id)
    assert again == Removed()
    await passes.switch_off(neighbour.id)


async def test_an_execution_is_gone_when_neither_store_of_temporal_knows_it(desk: Desk) -> None:
    tenant, person = await desk.tenant(TOOL), Person.planted()
    await posted(desk, tenant, "Badge", person)
    runs = TenantRuns(desk.client, tenant.id)

    async def listed() -> bool:
        return len(await executions(desk, tenant)) == 1

    assert await came_true(listed, seconds=30)
    (run,) = [run async for run in runs.all()]
    assert await runs.gone([run], seconds=0) == [run]
    assert await runs.delete(run)
    assert await runs.gone([run]) == []
    assert await executions(desk, tenant) == []
    assert not await runs.delete(run)
    assert await runs.mention(run, Ticket(TOOL, run.ticket), EncryptionCodec(keys(desk), allow_plaintext=True)) is None


# Retention.


async def test_runs_that_ended_before_the_limit_go_and_open_ones_stay(desk: Desk) -> None:
    tenant, neighbour, person = await desk.tenant(TOOL), await desk.tenant(TOOL), Person.planted()
    await posted(desk, tenant, "Badge", person)
    await posted(desk, neighbour, "Badge", person)
    waiting = await parked(desk, tenant, "Scanner", person)
    early = Limit(tenant.id, 1, datetime.now(UTC) - timedelta(days=1))
    now = Limit(tenant.id, 1, datetime.now(UTC) + timedelta(minutes=1))
    for limit, dry_run, expected in ((early, False, 0), (now, True, 1), (now, False, 1)):
        removed = Removed()
        await sweep_runs(desk.client, limit, removed, Pace(), dry_run=dry_run)
        assert removed.runs == expected

    async def swept() -> bool:
        return await ids(desk, tenant) == {tenant.run(waiting)}

    assert await came_true(swept, seconds=90)
    assert len(await executions(desk, neighbour)) == 1


async def keep_for(desk: Desk, tenant: Tenant, days: int) -> None:
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(desk.stack.database.operator)
    await connection.execute(
        "UPDATE tenant_configs SET settings = settings || jsonb_build_object('retention_days', $2::int)"
        " WHERE tenant_id = $1",
        *(tenant.id, days),
    )
    await connection.close()


async def old_rows(desk: Desk, tenant: Tenant) -> int:
    count: int = await desk.operator.fetchval("SELECT count(*) FROM ticket_history WHERE tenant_id = $1", tenant.id)
    return count


async def test_the_command_sweeps_once_and_says_what(desk: Desk, app: Pool) -> None:
    tenant = await desk.tenant(TOOL)
    await keep_for(desk, tenant, 30)
    for age in (10, 40):
        when = datetime.now(UTC) - timedelta(days=age)
        await learned(app, tenant, f"OLD-{age}", "Mouse", "A new battery.", resolved_at=when)
    said = f"tenant {tenant.id} (kept for 30 days): 1 ticket of the history, 0 deliveries in quarantine, 0 runs"
    looked = await deskhand(desk, "retention", "--dry-run")
    assert (looked.code, f"{said} would be removed" in looked.out, await old_rows(desk, tenant)) == (0, True, 2)
    away = await deskhand(desk, "retention", TEMPORAL_ADDRESS="127.0.0.1:1")
    assert (away.code, await old_rows(desk, tenant)) == (1, 1), "the database needs no Temporal"
    assert f"{said} removed" in away.out
    assert len(away.err.splitlines()) == 1
    done = json.loads((await deskhand(desk, "retention", "--json")).out)
    mine = next(each for each in done["tenants"] if each["tenant"] == tenant.id)
    assert (mine["days"], mine["history"]) == (30, 0)
    assert await actions(desk, tenant, "retention.swept") == [{"history": 1, "spooled": 0, "runs": 0}]
    await keep_for(desk, tenant, 3650)


async def test_as_a_process_it_outlives_an_outage_and_ends_when_told(desk: Desk, app: Pool) -> None:
    tenant = await desk.tenant(TOOL)
    await keep_for(desk, tenant, 30)
    await learned(app, tenant, "OLD-1", "Mouse", "New.", resolved_at=datetime.now(UTC) - timedelta(days=40))
    process = await command_line.started(desk, "retention", "--every", "1m", TEMPORAL_ADDRESS="127.0.0.1:1")
    assert process.stderr is not None
    said: list[str] = []
    async for line in process.stderr:
        said.append(line.decode())
        if "retention.unfinished" in said[-1]:
            break
    assert await old_rows(desk, tenant) == 0
    os.kill(process.pid, signal.SIGTERM)
    _, rest = await process.communicate()
    assert (process.returncode, "retention.stopped" in rest.decode()) == (0, True), (said, rest)
    await keep_for(desk, tenant, 3650)
