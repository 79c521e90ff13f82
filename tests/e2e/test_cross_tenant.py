"""Every way that we could think of from one tenant to another, tried on a running stack.

What was seen is the table of docs/isolation.md, word for word: `ISOLATION_TABLE=write` in the environment writes it.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from deskhand.crypto.codec import data_converter
from deskhand.crypto.keyring import Keyring
from deskhand.crypto.sealing import SealError
from deskhand.db.pool import Pool, create_pool, tenant_transaction, transaction
from deskhand.devstack.services import WORKER
from deskhand.devstack.temporal import polls
from deskhand.devstack.waiting import came_true
from deskhand.http import create_http_client
from deskhand.note.history import TicketHistory
from deskhand.runs.order import Order
from deskhand.runs.spool import Spool
from deskhand.settings import Settings
from deskhand.tenants.errors import TenantStoreError
from deskhand.tenants.sealing import open_connection
from deskhand.tenants.store import TenantStore
from plugins.exceptions import ConfigurationError
from plugins.http import PRIVATE_EXTENSION, TENANT_EXTENSION, ForbiddenAddressError
from plugins.types import TicketContext
from tests.support.command_line import deskhand
from tests.support.desk import Desk, Signed, Tenant, note_text
from tests.support.processes import named, running
from workflows.contracts import (
    ENHANCE_TICKET,
    TASK_QUEUE,
    ContextQuery,
    Delivery,
    Outcome,
    RecordInput,
    RunInput,
    RunResult,
)

DOCUMENT = Path(__file__).parents[2] / "docs/isolation.md"
BEGIN, END = "<!-- attempts -->\n", "<!-- end of attempts -->\n"

SUBJECT = "Quarterly payroll export stops at row 4711"
SOLUTION = "Planted resolution: rebuilt the ledger index."
ADDRESS = "https://vendor.example/"


@dataclass(frozen=True)
class World:
    """Two tenants of one tool at one host. `mine` is who tries; `theirs` is who must not be reached."""

    desk: Desk
    mine: Tenant
    theirs: Tenant
    pool: Pool
    """As starter and worker have it: the role `deskhand_app`."""
    superuser: "asyncpg.Connection[asyncpg.Record]"
    """Nobody of ours: it plants what an intruder with more rights might have left."""

    @property
    def payload_keys(self) -> Keyring:
        """What starter and worker open payloads with."""
        return Keyring.parse(self.desk.stack.state.payload_keys)

    @property
    def credential_keys(self) -> Keyring:
        """What only worker and command line have."""
        return Keyring.parse(self.desk.stack.state.credential_keys)

    async def refused(self, statement: str, *values: Any, tenant: str | None = None) -> str:
        """PostgreSQL's words to the role `deskhand_app`; fails if it does as it is told."""
        with pytest.raises(asyncpg.PostgresError) as caught:
            async with self.opened(tenant) as connection:
                await connection.fetch(statement, *values)
        return f"refused: {caught.value.args[0].replace(self.theirs.id, '…')}"

    async def rows(self, statement: str, *values: Any, tenant: str | None = None) -> list[str]:
        """Whose rows the role `deskhand_app` is given."""
        async with self.opened(tenant) as connection:
            return [row["tenant_id"] for row in await connection.fetch(statement, *values)]

    @asynccontextmanager
    async def opened(self, tenant: str | None) -> AsyncIterator[Any]:
        """A transaction of a tenant, or of none."""
        async with transaction(self.pool) if tenant is None else tenant_transaction(self.pool, tenant) as connection:
            yield connection

    async def answered(self, signed: Signed, url: str | None = None) -> str:
        """The status that a delivery gets, which must start no run of theirs."""
        before = await self.desk.runs_of(self.theirs)
        answer = await self.desk.http.post(url or signed.url, headers=signed.headers, content=signed.raw)
        assert await self.desk.runs_of(self.theirs) == before
        return str(answer.status_code)

    async def signed(self, **changed: Any) -> Signed:
        """A delivery of mine, with fields of its body changed and signed again."""
        signed = await self.desk.signed(self.mine, await self.mine.vendor.ticket(SUBJECT))
        return signed.again(self.mine, json.dumps({**json.loads(signed.raw), **changed}).encode())

    async def new_run(self, tenant: Tenant, **ticket: Any) -> tuple[str, WorkflowHandle[Any, RunResult]]:
        """A new ticket and its run. The tool has one webhook, which the tenants take in turn."""
        await tenant.vendor.webhook(tenant.webhook_url, tenant.webhook_secret)
        return await self.desk.new_run(tenant, **ticket)

    async def start(
        self, given: Any, run: str, client: Client | None = None, queue: str = TASK_QUEUE
    ) -> WorkflowHandle[Any, RunResult]:
        """Start a run past the door, as only who reaches Temporal can."""
        return await (client or self.desk.client).start_workflow(
            ENHANCE_TICKET, given, id=run, task_queue=queue, result_type=RunResult
        )

    async def client(self, keys: Keyring | None) -> Client:
        """A client of Temporal that seals with these keys, or not at all."""
        options: dict[str, Any] = {}
        if keys is not None:
            options["data_converter"] = data_converter(keys, allow_plaintext=False)
        return await Client.connect(self.desk.stack.addresses.temporal, namespace=self.desk.client.namespace, **options)

    async def events(self, handle: WorkflowHandle[Any, Any]) -> list[str]:
        """What a run's history holds."""
        history = await self.desk.client.get_workflow_handle(handle.id).fetch_history()
        return [event.WhichOneof("attributes") or "" for event in history.events]

    async def never_read(self, client: Client) -> str:
        """What becomes of a run whose input our worker cannot open."""
        ticket_id = await self.theirs.vendor.ticket(SUBJECT)
        calls = len(await self.theirs.vendor.log())
        delivery = Delivery(tool="zendesk", tenant_id=self.theirs.id, raw=b"{}", received_at=now(), origin="reconcile")
        given = RunInput(delivery=delivery)
        as_sent = given if client.data_converter.payload_codec else json.loads(given.model_dump_json())
        name = "worker-in-production"
        settings = {"DESKHAND_ENVIRONMENT": "production", "DESKHAND_DEV_VENDORS": "", "DESKHAND_TASK_QUEUE": name}
        temporal = self.desk.stack.addresses.temporal
        spec = replace(named(self.desk.stack, WORKER, name, settings), ready=lambda pid: polls(temporal, name, pid))
        async with running(self.desk.stack, spec):
            handle = await self.start(as_sent, self.theirs.run(ticket_id), client, queue=name)
            await self._stuck(handle)
        assert await self.theirs.vendor.notes(ticket_id) == []
        assert len(await self.theirs.vendor.log()) == calls
        return "its first task fails, no step is taken, and the run waits"

    async def _stuck(self, handle: WorkflowHandle[Any, Any]) -> None:
        async def failed() -> bool:
            return "workflow_task_failed_event_attributes" in await self.events(handle)

        assert await came_true(failed, seconds=30), await self.events(handle)
        assert not any(event.startswith(("activity", "marker")) for event in await self.events(handle))
        await handle.terminate("tried enough")


def now() -> datetime:
    """Now."""
    return datetime.now(UTC)


Try = Callable[[World], Awaitable[str]]


@dataclass(frozen=True)
class Attempt:
    """One way, and how it is tried; what it returns is the answer."""

    what: str
    how: str
    go: Try


ATTEMPTS: list[Attempt] = []


def attempt(what: str, how: str) -> Callable[[Try], Try]:
    """Add an attempt to the table."""

    def add(go: Try) -> Try:
        ATTEMPTS.append(Attempt(what, how, go))
        return go

    return add


# ---- The database, as the role of starter and worker


@attempt("read with no tenant set", "`SELECT` on both tables that the role may read, in a transaction of no tenant")
async def _(world: World) -> str:
    seen = [await world.rows(f"SELECT tenant_id FROM {table}") for table in ("tenant_configs", "ticket_history")]  # noqa: S608
    assert seen == [[], []]
    return "0 rows"


@attempt(
    "a forgotten `WHERE`", "`SELECT tenant_id FROM tenant_configs`, and of `ticket_history`, in a transaction of mine"
)
async def _(world: World) -> str:
    seen = await world.rows("SELECT tenant_id FROM tenant_configs", tenant=world.mine.id)
    seen += await world.rows("SELECT tenant_id FROM ticket_history", tenant=world.mine.id)
    assert set(seen) == {world.mine.id}
    return "my rows only"


@attempt("a wrong `WHERE`", "their id in the `WHERE`, in a transaction of mine")
async def _(world: World) -> str:
    theirs = "SELECT tenant_id FROM ticket_history WHERE tenant_id = $1"
    assert await world.rows(theirs, world.theirs.id, tenant=world.mine.id) == []
    return "0 rows"


@attempt("write into their history", "`INSERT` with their id, in a transaction of mine")
async def _(world: World) -> str:
    return await world.refused(
        "INSERT INTO ticket_history"
        " (tenant_id, tool, ticket_id, version, resolved_at, subject, description, resolution, url, language)"
        " VALUES ($1, 'zendesk', 'X', '1', now(), '', '', 'planted', '', 'english')",
        world.theirs.id,
        tenant=world.mine.id,
    )


@attempt("change their history", "`UPDATE ticket_history` with their id, in a transaction of mine")
async def _(world: World) -> str:
    async with tenant_transaction(world.pool, world.mine.id) as connection:
        done = await connection.execute(
            "UPDATE ticket_history SET resolution = 'planted' WHERE tenant_id = $1", world.theirs.id
        )
    assert done == "UPDATE 0"
    return "0 rows changed"


@attempt("give my rows to them", "`UPDATE ticket_history SET tenant_id = …` in a transaction of mine")
async def _(world: World) -> str:
    return await world.refused("UPDATE ticket_history SET tenant_id = $1", world.theirs.id, tenant=world.mine.id)


@attempt("become another role", "`SET ROLE deskhand_operator`, and `deskhand_search`, which see every tenant")
async def _(world: World) -> str:
    said = {await world.refused(f"SET ROLE {role}") for role in ("deskhand_operator", "deskhand_search")}
    assert said == {f'refused: permission denied to set role "{r}"' for r in ("deskhand_operator", "deskhand_search")}
    return "refused: permission denied to set role"


@attempt("call the search with no tenant set", "`search_ticket_history(…)` in a transaction of no tenant")
async def _(world: World) -> str:
    return await world.refused("SELECT * FROM search_ticket_history('zendesk', '', 'english', $1, '', 50)", SUBJECT)


@attempt(
    "have the search find theirs", "`search_ticket_history(…)` with the words of their ticket, in a transaction of mine"
)
async def _(world: World) -> str:
    search = "SELECT resolution FROM search_ticket_history('zendesk', '', 'english', $1, $1, 50)"
    async with tenant_transaction(world.pool, world.mine.id) as connection:
        mine = [row["resolution"] for row in await connection.fetch(search, SUBJECT)]
    async with tenant_transaction(world.pool, world.theirs.id) as connection:
        theirs = [row["resolution"] for row in await connection.fetch(search, SUBJECT)]
    assert mine == ["Mine."]
    assert theirs == [SOLUTION], "it is there to be found"
    return "my row only"


@attempt("have `TicketHistory.search` find theirs", "a query of mine with their ticket's id and words")
async def _(world: World) -> str:
    query = ContextQuery(tool="zendesk", tenant_id=world.mine.id, ticket_id="THEIR-1", subject=SUBJECT, text=SUBJECT)
    found = await TicketHistory(world.pool).search(query)
    assert [ticket.resolution for ticket in found.similar] == ["Mine."]
    assert found.searched == 1
    return "my row only, and only mine are counted"


@attempt("have `TicketHistory.record` overwrite theirs", "a ticket of mine with the tool and id of theirs")
async def _(world: World) -> str:
    await record(world, world.mine, "THEIR-1", "Overwritten.", version="9")
    kept = await world.superuser.fetchval(
        "SELECT resolution FROM ticket_history WHERE tenant_id = $1 AND ticket_id = 'THEIR-1'", world.theirs.id
    )
    await world.superuser.execute(
        "DELETE FROM ticket_history WHERE tenant_id = $1 AND ticket_id = 'THEIR-1'", world.mine.id
    )
    assert kept == SOLUTION
    return "a row of my own; theirs is as it was"


@attempt(
    "the setting of one transaction in the next", "one connection, not reset between its users, as behind a pooler"
)
async def _(world: World) -> str:
    async def leave(_: object) -> None:
        """What a pooler does."""

    pool = await asyncpg.create_pool(world.desk.stack.database.app, min_size=0, max_size=1, reset=leave)
    try:
        async with tenant_transaction(pool, world.theirs.id) as connection:
            assert await connection.fetchval("SELECT count(*) FROM ticket_history") == 1
        async with transaction(pool) as connection:
            assert await connection.fetchval("SELECT count(*) FROM ticket_history") == 0
    finally:
        await pool.close()
    return "gone: 0 rows"


@attempt(
    "**set their tenant myself**", "the app's password in hand: `set_config('deskhand.tenant_id', …)` with their id"
)
async def _(world: World) -> str:
    async with transaction(world.pool) as connection:
        await connection.execute("SELECT set_config('deskhand.tenant_id', $1, true)", world.mine.id)
        await connection.execute("SELECT set_config('deskhand.tenant_id', $1, true)", world.theirs.id)
        history = await connection.fetch("SELECT resolution FROM ticket_history")
        sealed = await connection.fetchval("SELECT connection FROM tenant_configs")
    assert [row["resolution"] for row in history] == [SOLUTION]
    with pytest.raises(SealError):
        open_connection(world.payload_keys, world.theirs.id, sealed)
    assert not any(credential.encode() in sealed for credential in world.theirs.credentials)
    return "**their ticket history is shown**; their connection stays sealed, with the starter's keys too"


# ---- What is sealed, moved


async def unsealed(world: World, move: str) -> str:
    """What a fresh store makes of their row after this; the row is put back."""
    kept = await world.superuser.fetchrow(
        "SELECT webhook_secrets, connection FROM tenant_configs WHERE tenant_id = $1", world.theirs.id
    )
    assert kept is not None
    await world.superuser.execute(move, world.theirs.id, world.mine.id)
    try:
        config = await TenantStore(world.pool, world.payload_keys, world.credential_keys).get(world.theirs.id)
        assert config is not None
        await config.connection()
    except (TenantStoreError, ConfigurationError) as error:
        return f"does not open: {str(error).rpartition(': ')[2]}"
    finally:
        await world.superuser.execute(
            "UPDATE tenant_configs SET webhook_secrets = $2, connection = $3 WHERE tenant_id = $1",
            *(world.theirs.id, kept["webhook_secrets"], kept["connection"]),
        )
    pytest.fail("it opened")


@attempt("my webhook secrets in their row", "the ciphertext copied by who may write the table")
async def _(world: World) -> str:
    return await unsealed(
        world,
        "UPDATE tenant_configs SET webhook_secrets ="
        " (SELECT webhook_secrets FROM tenant_configs WHERE tenant_id = $2) WHERE tenant_id = $1",
    )


@attempt("my connection in their row", "the same: their notes would go to my account")
async def _(world: World) -> str:
    return await unsealed(
        world,
        "UPDATE tenant_configs SET connection ="
        " (SELECT connection FROM tenant_configs WHERE tenant_id = $2) WHERE tenant_id = $1",
    )


@attempt("a ciphertext in another column", "their connection copied over their webhook secrets")
async def _(world: World) -> str:
    return await unsealed(
        world, "UPDATE tenant_configs SET webhook_secrets = connection WHERE tenant_id = $1 AND $2::text IS NOT NULL"
    )


@attempt("a ciphertext in another table", "a spooled order of theirs copied over their webhook secrets")
async def _(world: World) -> str:
    await spooled(world, world.theirs, "TABLE-1")
    try:
        return await unsealed(
            world,
            "UPDATE tenant_configs SET webhook_secrets = (SELECT sealed FROM spool WHERE reason = 'planted')"
            " WHERE tenant_id = $1 AND $2::text IS NOT NULL",
        )
    finally:
        await world.superuser.execute("DELETE FROM spool WHERE reason = 'planted'")


@attempt(
    "my spooled order in their row of the spool",
    "the ciphertexts of two rows exchanged; the starter's drainer takes them",
)
async def _(world: World) -> str:
    await spooled(world, world.mine, "SPOOL-1")
    await spooled(world, world.theirs, "SPOOL-2")
    await world.superuser.execute(
        "UPDATE spool AS one SET sealed = other.sealed, refused_at = NULL, reason = NULL FROM spool AS other"
        " WHERE one.reason = 'planted' AND other.reason = 'planted' AND one.id <> other.id"
    )

    async def set_aside() -> bool:
        count = "SELECT count(*) FROM spool WHERE reason LIKE 'cannot be opened%'"
        return bool(await world.superuser.fetchval(count) == 2)

    assert await came_true(set_aside, seconds=30)
    reason = await world.superuser.fetchval("SELECT max(reason) FROM spool WHERE reason LIKE 'cannot be opened%'")
    await world.superuser.execute("DELETE FROM spool WHERE reason LIKE 'cannot be opened%'")
    return f"quarantined: {reason}"


# ---- The door


@attempt("their webhook with my secret", "`POST /webhooks/zendesk/<theirs>`, signed with mine")
async def _(world: World) -> str:
    return await world.answered(await world.signed(), world.theirs.webhook_url)


@attempt("my webhook, a body that names them", "`tenant_id` of theirs in the body, signed with mine, to my address")
async def _(world: World) -> str:
    return await world.answered(await world.signed(tenant_id=world.theirs.id))


def by_body(world: World) -> str:
    """The address that leaves the tenant to the body."""
    return f"{world.desk.stack.addresses.starter}/webhooks/zendesk"


@attempt(
    "the address without a tenant, a body that names them",
    "`POST /webhooks/zendesk`, `tenant_id` of theirs, signed with mine",
)
async def _(world: World) -> str:
    return await world.answered(await world.signed(tenant_id=world.theirs.id), by_body(world))


async def doubled(world: World, second: str) -> str:
    """A body that names us both, in either order."""
    answers = set()
    for one, other in ((world.mine, world.theirs), (world.theirs, world.mine)):
        raw = f'{{"tenant_id": "{one.id}", "{second}": "{other.id}"}}'.encode()
        for url in (world.mine.webhook_url, by_body(world)):
            answers.add(await world.answered((await world.signed()).again(world.mine, raw), url))
    (answer,) = answers
    return answer


@attempt("a body with two `tenant_id`", "mine and theirs in either order, on both routes")
async def _(world: World) -> str:
    return await doubled(world, "tenant_id")


@attempt("the same, the second one in disguise", r"`\u0074enant_id`")
async def _(world: World) -> str:
    return await doubled(world, r"\u0074enant_id")


@attempt("a path that climbs", "`/webhooks/zendesk/<mine>/../<theirs>`, `%2e%2e%2f` and `%00`, signed with mine")
async def _(world: World) -> str:
    signed, answers = await world.signed(), set()
    for climb in (f"/../{world.theirs.id}", f"%2f%2e%2e%2f{world.theirs.id}", f"%00{world.theirs.id}"):
        answers.add(await world.answered(signed, world.mine.webhook_url + climb))
    assert answers <= {"401", "404"}
    return " or ".join(sorted(answers))


async def odd_ids(world: World, tenant: Tenant, put: Callable[[Any, str], None]) -> str:
    """What becomes of deliveries of a tenant about tickets with ids that end a workflow id early, or begin another."""
    answers = set()
    for odd in ("1:created", f"x:{world.theirs.id}:1", f"../{world.theirs.id}:1:created"):
        signed = await world.desk.signed(tenant, await tenant.vendor.ticket(SUBJECT))
        body = json.loads(signed.raw)
        put(body, odd)
        before = await world.desk.runs_of(world.theirs)
        answer = await world.desk.send(signed.again(tenant, json.dumps(body).encode()))
        assert await world.desk.runs_of(world.theirs) == before
        if answer.status_code == 202:
            run = answer.json()["run"]
            assert (run.split(":")[1], run.count(":"), "%3A" in run) == (tenant.id, 3, True)
        answers.add(answer.status_code)
    (status,) = answers
    return f"{status}: a run of mine, the odd characters escaped" if status == 202 else str(status)


@attempt(
    "a ticket id that makes their workflow id",
    "Zendesk: `<ticket>:created`, `x:<theirs>:1`, `../<theirs>:1:created` as the id, signed with mine",
)
async def _(world: World) -> str:
    return await odd_ids(world, world.mine, lambda body, odd: body["detail"].update(id=odd))


@attempt("the same where ids are free text", "Jira: the same as the issue's key, signed by a tenant of Jira")
async def _(world: World) -> str:
    tenant = await world.desk.tenant("jira")
    return await odd_ids(world, tenant, lambda body, odd: body["issue"].update(key=odd))


# ---- Runs, past the door


@attempt(
    "a run with plain input", "started at Temporal by who has no payload key; a worker outside the development stack"
)
async def _(world: World) -> str:
    return await world.never_read(await world.client(None))


@attempt("a run sealed with another key", "the same, sealed with a key of the stranger's own")
async def _(world: World) -> str:
    return await world.never_read(await world.client(Keyring.parse(Keyring.generate_text())))


async def rejected(handle: WorkflowHandle[Any, RunResult]) -> str:
    """Why a run ended."""
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert isinstance(caught.value.cause, ApplicationError)
    return f"{caught.value.cause.type}: {caught.value.cause.message}"


@attempt("a run of theirs with a delivery of mine", "sealed with the payload key, signed with my secret")
async def _(world: World) -> str:
    ticket_id = await world.mine.vendor.ticket(SUBJECT)
    signed = await world.desk.signed(world.mine, ticket_id)
    handle = await world.desk.start_past_the_door(world.theirs, signed.again(world.mine, signed.raw), ticket_id)
    assert await world.theirs.vendor.notes(ticket_id) == []
    return await rejected(handle)


@attempt("a run of mine whose body names them", "sealed with the payload key, vouched for")
async def _(world: World) -> str:
    raw = json.dumps({**json.loads((await world.signed()).raw), "tenant_id": world.theirs.id}).encode()
    delivery = Delivery(tool="zendesk", tenant_id=world.mine.id, raw=raw, received_at=now(), origin="reconcile")
    return await rejected(await world.start(RunInput(delivery=delivery), world.mine.run("NAMES-THEM")))


@attempt("my delivery under their workflow id", "started past the door, sealed with the payload key, vouched for")
async def _(world: World) -> str:
    ticket_id = await world.mine.vendor.ticket(SUBJECT)
    signed = await world.desk.signed(world.mine, ticket_id)
    delivery = Delivery(tool="zendesk", tenant_id=world.mine.id, raw=signed.raw, received_at=now(), origin="reconcile")
    taken = await world.theirs.vendor.ticket(SUBJECT)
    answer = await rejected(await world.start(RunInput(delivery=delivery), world.theirs.run(taken)))
    assert await world.mine.vendor.notes(ticket_id) == []
    started = await world.desk.send(await world.desk.signed(world.theirs, taken))
    assert started.status_code == 202, "what failed does not stand in the way"
    assert (await world.desk.handle(world.theirs.run(taken)).result()).outcome is Outcome.POSTED
    return f"{answer}; their own webhook starts that run all the same"


# ---- The command line


@attempt(
    "list or touch their runs while naming me",
    "`deskhand runs list --tenant <mine>`, and with `--tool` that closes the quote",
)
async def _(world: World) -> str:
    ticket_id, handle = await world.new_run(world.theirs)
    await handle.result()
    run = world.theirs.run(ticket_id)

    async def listed() -> bool:
        return run in (await deskhand(world.desk, "runs", "list", "--tenant", world.theirs.id)).out

    assert await came_true(listed, seconds=30)
    quote = f"zendesk' OR DeskhandTenant = '{world.theirs.id}"
    for options in ((), ("--tool", quote)):
        shown = await deskhand(world.desk, "runs", "list", "--tenant", world.mine.id, *options)
        assert (shown.code, world.theirs.id in shown.out) == (0, False)
    return "none of theirs"


@attempt("cancel a run of theirs as mine", "`deskhand runs cancel <their run> --tenant <mine>`")
async def _(world: World) -> str:
    done = await deskhand(world.desk, "runs", "cancel", world.theirs.run("1"), "--tenant", world.mine.id)
    assert done.failed_with("RUN…: name runs by their workflow ids, or give --tenant")
    return "refused: runs are named, or all of one tenant's are meant"


# ---- Where a tenant's tool may be


async def forbidden(url: str, *, private: bool = False, stores: tuple[str, ...] = ()) -> str:
    """Why the shared client does not go there."""
    extensions = {TENANT_EXTENSION: "a", PRIVATE_EXTENSION: private}
    async with create_http_client(own_stores=stores) as client:
        with pytest.raises(ForbiddenAddressError) as caught:
            await client.get(url, extensions=extensions)
    return f"refused: {caught.value}"


async def every_form(*hosts: str) -> str:
    """The one answer to all of these, with and without leave for private addresses."""
    (answer,) = {await forbidden(f"https://{host}/", private=private) for host in hosts for private in (False, True)}
    return answer


@attempt(
    "the cloud's metadata address",
    "`169.254.169.254`, `[::ffff:169.254.169.254]`, `[::ffff:a9fe:a9fe]`, `[64:ff9b::a9fe:a9fe]`",
)
async def _(world: World) -> str:
    del world
    hosts = ("169.254.169.254", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]")
    return await every_form(*hosts)


@attempt("the same in other numbers", "`2852039166`, `0251.0376.0251.0376`, `0xa9fea9fe`, `169.254.43518`")
async def _(world: World) -> str:
    del world
    with pytest.raises(httpx.InvalidURL):
        await forbidden("https://0251.0376.0251.0376/")
    return f"{await every_form('2852039166', '0xa9fea9fe', '169.254.43518')}; the octal one is no URL"


@attempt("the metadata address of IPv6", "`[fd00:ec2::254]`")
async def _(world: World) -> str:
    del world
    return await every_form("[fd00:ec2::254]")


@attempt(
    "this machine", "`127.0.0.1`, `[::1]`, `[::ffff:127.0.0.1]`, `0.0.0.0`, `2130706433`, `017700000001`, `localhost`"
)
async def _(world: World) -> str:
    del world
    hosts = ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "017700000001", "localhost")  # noqa: S104
    return await every_form(*hosts)


@attempt("a private address", "`10.0.0.5`, `192.168.1.5`, `[fd00::5]`, for a tenant that may have none")
async def _(world: World) -> str:
    del world
    (answer,) = {await forbidden(f"https://{host}/") for host in ("10.0.0.5", "192.168.1.5", "[fd00::5]")}
    return answer


@attempt("our own database and Temporal", "their addresses, for a tenant that may have private ones")
async def _(world: World) -> str:
    del world
    stores = ("10.0.0.5:5432", "10.0.0.6:7233")
    (answer,) = {await forbidden(f"https://{store}/", private=True, stores=stores) for store in stores}
    return answer


@attempt(
    "a name that turns private", "`vendor.example` is public when it is typed, and `169.254.169.254` when it is called"
)
async def _(world: World) -> str:
    del world
    loop, asked = asyncio.get_running_loop(), []

    async def turned(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(0, 0, 0, "", ("169.254.169.254", port))]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "getaddrinfo", turned)
        answer = await forbidden(ADDRESS, private=True)
    assert asked == ["vendor.example"], "asked once: no second answer can differ"
    return answer


@attempt("a redirect to it", "a vendor that answers 302, `Location: http://169.254.169.254/latest/meta-data/`")
async def _(world: World) -> str:
    del world

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/meta-data/\r\nContent-Length: 0\r\n\r\n"
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(redirect, "127.0.0.1", 0)
    host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, create_http_client(dev_vendors=frozenset({host})) as client:
        answer = await client.get(f"http://{host}/", extensions={TENANT_EXTENSION: "a"})
    assert (answer.status_code, answer.history) == (302, [])
    return "not followed: the plugin sees the 302"


@attempt("a tenant whose tool is said to be there", "`base_url=https://169.254.169.254`, then `deskhand plugins check`")
async def _(world: World) -> str:
    tenant = await world.desk.tenant("jira", changed={"base_url": "https://169.254.169.254"})
    done = await deskhand(world.desk, "plugins", "check", "--tenant", tenant.id)
    said = " ".join(done.out.split())
    assert done.code == 1
    assert "leads to an address that is never allowed" in said, done
    return "the check fails: leads to an address that is never allowed"


# ---- At the tool, and in the note


@attempt(
    "cookies of one tenant in the calls of another",
    "two tenants at one host, which sets a cookie with every answer; notes in turn",
)
async def _(world: World) -> str:
    before = len(await world.mine.vendor.log())
    for tenant in (world.mine, world.theirs, world.mine, world.theirs):
        _, handle = await world.new_run(tenant)
        assert (await handle.result()).outcome is Outcome.POSTED
    calls = (await world.mine.vendor.log())[before:]
    assert {call["account"] for call in calls} == {world.mine.account_id, world.theirs.account_id}
    assert [call["cookies"] for call in calls] == [{}] * len(calls)
    return "no call has a cookie"


@attempt("their history in my note", "tickets alike: theirs resolved, mine new")
async def _(world: World) -> str:
    mine, theirs = [
        (tenant, *(await world.new_run(tenant, subject=SUBJECT, description=SUBJECT)))
        for tenant in (world.mine, world.theirs)
    ]
    texts = []
    for tenant, ticket_id, handle in (mine, theirs):
        assert (await handle.result()).outcome is Outcome.POSTED
        (note,) = await tenant.vendor.notes(ticket_id)
        texts.append(note_text(note))
    assert "Planted resolution" not in texts[0]
    assert "Planted resolution" in texts[1], "their own note has it"
    return "nothing of theirs in mine; their own note has it"


@attempt(
    "a pass over my tickets that starts runs of theirs",
    "`deskhand reconcile --tenant <mine> --since 1h`; both at one host",
)
async def _(world: World) -> str:
    ticket_id = await world.theirs.vendor.ticket(SUBJECT)
    before = await world.desk.runs_of(world.theirs)
    done = await deskhand(world.desk, "reconcile", "--tenant", world.mine.id, "--since", "1h", "--dry-run", "--json")
    assert done.code == 0, done
    runs = json.loads(done.out)["runs"]
    assert all(run.startswith(f"zendesk:{world.mine.id}:") for run in runs)
    assert await world.desk.runs_of(world.theirs) == before
    assert await world.theirs.vendor.notes(ticket_id) == []
    return "runs of mine only, with my credentials"


# ---- The world, and the table


async def record(world: World, tenant: Tenant, ticket_id: str, resolution: str, version: str = "1") -> None:
    """Have the history of a tenant hold a ticket."""
    ticket = TicketContext(ticket_id=ticket_id, subject=SUBJECT, description=SUBJECT, resolution=resolution)
    await TicketHistory(world.pool).record(
        RecordInput(tool="zendesk", tenant_id=tenant.id, version=version, ticket=ticket, resolved_at=now())
    )


async def spooled(world: World, tenant: Tenant, ticket_id: str) -> None:
    """Have the spool hold an order of a tenant, in quarantine because it is `planted`."""
    delivery = Delivery(tool="zendesk", tenant_id=tenant.id, raw=b"{}", received_at=now(), origin="reconcile")
    order = Order(workflow=ENHANCE_TICKET, run=tenant.run(ticket_id), ticket_id=ticket_id, delivery=delivery)
    await Spool(world.pool, world.payload_keys).put(order, refused="planted")


@pytest.fixture(scope="module")
async def world(shared_desk: Desk) -> AsyncIterator[World]:
    """Both tenants, each with a resolved ticket in its history."""
    await shared_desk.clear_faults()
    pool = await create_pool(shared_desk.stack.database.app, Settings(database_pool_size=2))
    superuser: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(shared_desk.stack.database.superuser)
    mine, theirs = [await shared_desk.tenant("zendesk") for _ in range(2)]
    world = World(shared_desk, mine, theirs, pool, superuser)
    await record(world, mine, "MINE-1", "Mine.")
    await record(world, theirs, "THEIR-1", SOLUTION)
    yield world
    await superuser.close()
    await pool.close()


def in_the_document() -> dict[str, tuple[str, str]]:
    """How each attempt is made, and the answer to it, as the table says."""
    table = DOCUMENT.read_text().partition(BEGIN)[2].partition(END)[0]
    rows = [line.strip("|").split(" | ") for line in table.splitlines()[2:]]
    return {what.strip(): (how.strip(), answer.strip()) for what, how, answer in rows}


@pytest.fixture(scope="module")
def answers() -> Iterator[dict[str, str]]:
    """What was seen; written into the document at the end, where that is asked for."""
    seen: dict[str, str] = {}
    yield seen
    if os.environ.get("ISOLATION_TABLE") != "write":
        return
    rows = "".join(f"| {a.what} | {a.how} | {seen.get(a.what, 'not tried')} |\n" for a in ATTEMPTS)
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(f"{before}{BEGIN}| attempt | how | answer |\n|---|---|---|\n{rows}{END}{after}")


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.what)
async def test_the_answer_is_the_documented_one(world: World, answers: dict[str, str], attempt: Attempt) -> None:
    answers[attempt.what] = answer = await attempt.go(world)
    assert " | " not in answer
    assert os.environ.get("ISOLATION_TABLE") == "write" or in_the_document()[attempt.what] == (attempt.how, answer)


def test_the_table_has_every_attempt_and_no_other() -> None:
    assert os.environ.get("ISOLATION_TABLE") == "write" or list(in_the_document()) == [a.what for a in ATTEMPTS]
