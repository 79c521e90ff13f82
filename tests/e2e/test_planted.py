"""What is planted is found nowhere that it must not be: in no store, log, trace, metric, error or argument.

Everything that Deskhand is told gets words of its own: its configuration, tickets, webhooks, what vendors answer. All
processes log at debug. Then everything that they leave behind is searched, in every encoding that is to be expected.
The same search finds tickets at once where payloads are not sealed.
"""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from deskhand.devstack.services import STARTER, WORKER
from deskhand.devstack.stack import TEMPORAL
from deskhand.devstack.temporal import NAMESPACE
from deskhand.devstack.waiting import came_true
from plugins.conformance.pretend.model import PretendNote, now
from plugins.types import TenantMode
from tests.support.desk import Desk, Tenant, opened
from tests.support.planted import Place, Plants, encodings, joined, leaks, lines_of, table
from tests.support.planted_stack import BLOB_LIMIT, Planted, PlantedVendor, planted_stack, replaced
from workflows.contracts import Outcome, Waiting
from workflows.search_attributes import OUTCOME, WAITING_FOR

pytestmark = pytest.mark.timeout(240)

CONNECTIONS = {
    # tool: the edition of its main tenant, and which fields of the account are secret or personal
    "jira": ("classic", ("api_token", "email")),
    "zendesk": ("oauth", ("client_secret",)),
    "servicedesk_plus": ("cloud", ("client_secret", "refresh_token")),
}
OTHERS = {
    "zendesk": ("api_token", ("api_token", "email")),
    "servicedesk_plus": ("on_premises", ("api_key",)),
}
"""A second tenant of some tools, connected the other way."""
DELIVERY_IDS = {"jira": "X-Atlassian-Webhook-Identifier", "zendesk": "X-Zendesk-Webhook-Invocation-Id"}


@dataclass
class Course:
    """A stack with what was planted, and what it answered."""

    planted: Planted
    desk: Desk
    answers: list[httpx.Response] = field(default_factory=list)
    """Of the door, the codec and the health endpoints."""
    spooled: list[bytes] = field(default_factory=list)
    """The spool's table while orders lay in it."""
    failed: dict[str, str] = field(default_factory=dict)
    """A run that failed with the vendor's words, by tool."""
    said: dict[str, bytes] = field(default_factory=dict)
    """What command lines printed, by command."""
    arguments: list[bytes] = field(default_factory=list)
    """Of all processes, at earlier moments."""

    @property
    def plants(self) -> Plants:
        """What is planted."""
        return self.planted.plants

    def vendor(self, tool: str) -> PlantedVendor:
        """One of the tools."""
        return self.planted.vendors[tool]

    async def tenant(
        self, tool: str, edition: str, secret: Iterable[str], mode: TenantMode = TenantMode.LIVE
    ) -> Tenant:
        """A tenant with planted credentials."""
        account = {name: self.plants.word(f"credential:{tool} {edition} {name}") for name in secret if name != "email"}
        if "email" in secret:
            account["email"] = f"{self.plants.word(f'account e-mail:{tool} {edition}')}@planted.example"
        tenant = await self.desk.tenant(tool, edition=edition, mode=mode, account=account)
        self.plants.literal(f"webhook secret:{tool} {edition} {mode}", tenant.webhook_secret)
        return tenant

    async def ticket(self, tenant: Tenant, purpose: str) -> str:
        """A ticket with words in all that a person writes, comments too."""
        word = self.plants.word
        ticket_id = await tenant.vendor.ticket(
            f"Scanner is broken {word(f'ticket:{purpose} subject')}",
            f"It says {word(f'ticket:{purpose} description')} since this morning, to each of us.",
            requester=f"Robin {word(f'ticket:{purpose} requester')}",
        )
        vendor = self.vendor(tenant.tool).vendor
        comment = f"<p>Did you try {word(f'ticket:{purpose} comment')}?</p>"
        if tenant.tool != "jira":  # where it would have to be an ADF document
            vendor.tickets[ticket_id].notes.append(
                PretendNote(str(vendor.next_number()), comment, False, tenant.account_id, now())
            )
        return ticket_id

    async def send(self, tenant: Tenant, ticket_id: str, purpose: str, **more: Any) -> httpx.Response:
        """The tool's webhook for it, with planted headers, query and fields; `more` are fields besides."""
        word = self.plants.word
        call = await self.desk.signed(tenant, ticket_id, more.pop("event", "created"))
        body = {
            **json.loads(call.raw),
            "contact_email": f"{word(f'webhook:{tenant.tool} e-mail')}@planted.example",
            "contact_phone": word(f"webhook:{tenant.tool} phone"),
            "custom": {"field": word(f"webhook:{tenant.tool} custom field")},
            **more,
        }
        call = call.again(tenant, json.dumps(body).encode())
        headers = {
            **call.headers,
            "Cookie": f"session={word(f'webhook:{tenant.tool} cookie')}",
            "X-Forwarded-User": word(f"webhook:{tenant.tool} header"),
            "baggage": f"user={word(f'webhook:{tenant.tool} baggage')}",
        }
        if tenant.tool in DELIVERY_IDS:
            headers[DELIVERY_IDS[tenant.tool]] = word(f"delivery id:{tenant.tool}") + purpose[:3]
        url = f"{call.url}?token={word(f'webhook:{tenant.tool} query')}"
        answer = await self.desk.http.post(url, headers=headers, content=call.raw)
        self.answers.append(answer)
        return answer

    async def started(self, tenant: Tenant, ticket_id: str, purpose: str, **more: Any) -> WorkflowHandle[Any, Any]:
        """The run of the webhook."""
        answer = await self.send(tenant, ticket_id, purpose, **more)
        assert answer.status_code == 202, answer.text
        return self.desk.handle(answer.json()["run"])

    async def ends(self, tenant: Tenant, purpose: str, outcome: Outcome) -> None:
        """A ticket's run ends so."""
        ticket_id = await self.ticket(tenant, purpose)
        await ended(await self.started(tenant, ticket_id, purpose), outcome)

    async def deskhand(self, *arguments: str) -> None:
        """Run a command on the stack, logging at debug; what it printed."""
        process = await asyncio.create_subprocess_exec(
            *(str(Path(sys.executable).with_name("deskhand")), *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**self.desk.stack.command_environment(), "DESKHAND_LOG_LEVEL": "debug"},
        )
        out, _ = await process.communicate()
        self.said[f"{' '.join(arguments)} → {process.returncode}"] = out


async def ended(handle: WorkflowHandle[Any, Any], outcome: Outcome) -> None:
    """Wait until a run has this outcome."""

    async def has() -> bool:
        try:
            return (await handle.describe()).typed_search_attributes.get(OUTCOME) == outcome
        except RPCError:  # it is still in the spool
            return False

    assert await came_true(has, seconds=60), f"{handle.id} is not {outcome}"


async def waits(handle: WorkflowHandle[Any, Any], reason: Waiting) -> None:
    """Wait until a run waits for this."""

    async def does() -> bool:
        return (await handle.describe()).typed_search_attributes.get(WAITING_FOR) == reason

    assert await came_true(does, seconds=60), f"{handle.id} does not wait for {reason}"


async def ways_to_end(course: Course, tool: str) -> WorkflowHandle[Any, Any]:
    """A run of each outcome, with one tool. The run that is returned will wait for the vendor before long."""
    word = course.plants.word
    edition, secret = CONNECTIONS[tool]
    tenant = await course.tenant(tool, edition, secret)
    vendor = course.vendor(tool)

    # The one fault that is not about a ticket of its own comes first.
    ticket_id = await course.ticket(tenant, f"{tool} public")
    await tenant.vendor.fault("post_note", "public")
    await waits(await course.started(tenant, ticket_id, "public"), Waiting.PRIVACY)

    # What solved one ticket stands in the note on the next.
    solved = await course.ticket(tenant, f"{tool} solved")
    await tenant.vendor.resolve(solved, f"Replaced the {word(f'ticket:{tool} solved resolution')} of the relay.")
    await ended(await course.started(tenant, solved, "solved", event="resolved"), Outcome.RECORDED)
    await course.ends(tenant, f"{tool} posted", Outcome.POSTED)

    async def answered(status: int, purpose: str) -> WorkflowHandle[Any, Any]:
        ticket_id = await course.ticket(tenant, f"{tool} {purpose}")
        vendor.answers[ticket_id] = status
        return await course.started(tenant, ticket_id, purpose)

    slow = await answered(503, "down")
    gone = await answered(404, "gone")
    bad = await answered(400, "bad")
    closed = await course.ticket(tenant, f"{tool} closed")
    await tenant.vendor.close(closed)
    refused = await course.started(tenant, closed, "closed")
    denied = await answered(401, "denied")
    await refusals_at_the_door(course, tenant)
    await ended(gone, Outcome.NOT_FOUND)
    await ended(bad, Outcome.FAILED)
    course.failed[tool] = bad.id
    await ended(refused, Outcome.REFUSED)
    await waits(denied, Waiting.CREDENTIALS)

    # From here on the tool's webhook is another tenant's.
    dry = await course.tenant(tool, edition, secret, TenantMode.DRY_RUN)
    await course.ends(dry, f"{tool} dry", Outcome.DRY_RUN)
    if tool in OTHERS:
        await course.ends(await course.tenant(tool, *OTHERS[tool]), f"{tool} other way", Outcome.POSTED)
    return slow


async def refusals_at_the_door(course: Course, tenant: Tenant) -> None:
    """Each kind of them."""
    word, tool = course.plants.word, tenant.tool
    ticket_id = await course.ticket(tenant, f"{tool} stranger")
    signed = await course.desk.signed(tenant, ticket_id)
    stranger = word(f"refused webhook:{tool}")
    wrong = {name: stranger if "ignature" in name or "ecret" in name else text for name, text in signed.headers.items()}
    plain = {"Content-Type": "text/plain", "Authorization": f"Bearer {stranger}"}
    authentic = signed.again(
        tenant, json.dumps(with_id(json.loads(signed.raw), ticket_id, f"no id {stranger}")).encode()
    )
    calls: list[tuple[int, Mapping[str, str], bytes]] = [
        (401, wrong, signed.raw),
        (400, signed.headers, f'{{"subject": "{stranger}", '.encode()),
        (400, signed.headers, f'{{"{stranger}": NaN}}'.encode()),
        (413, signed.headers, f'{{"subject": "{stranger * 80_000}"}}'.encode()),
        (415, plain, stranger.encode()),
        (401, {**wrong, "Content-Type": "application/json"}, json.dumps({"tenant_id": stranger}).encode()),
        (422, authentic.headers, authentic.raw),
    ]
    for status, headers, raw in calls:
        answer = await course.desk.http.post(f"{signed.url}?q={stranger}", headers=headers, content=raw)
        course.answers.append(answer)
        assert answer.status_code == status, (tool, status, answer.text)
    course.answers.append(await course.desk.http.get(f"{signed.url}?q={stranger}"))


def with_id(body: Any, ticket_id: str, other: str) -> Any:
    """The body with another id wherever it names the ticket."""
    if isinstance(body, dict):
        return {name: with_id(value, ticket_id, other) for name, value in body.items()}
    return other if str(body) == ticket_id else body


async def codec_and_health(course: Course) -> None:
    """What the codec refuses, and what they say of themselves."""
    http, stack = course.desk.http, course.planted.stack
    decode, stranger = f"{stack.addresses.codec}/decode", course.plants.word("refused codec call:body")
    right = {"Authorization": f"Bearer {course.planted.codec_token}", "Content-Type": "application/json"}
    sealed = {"metadata": {"encoding": base64.b64encode(b"binary/encrypted").decode()}, "data": "cGxhbnRlZA=="}
    for headers, body in (
        ({}, f'{{"payloads": ["{stranger}"]}}'),
        ({"Authorization": f"Bearer {stranger}", "Content-Type": "application/json"}, "{}"),
        (right, stranger),
        (right, json.dumps({"payloads": [{**sealed, "data": base64.b64encode(stranger.encode()).decode()}]})),
    ):
        answer = await http.post(f"{decode}?q={stranger}", headers=headers, content=body)
        assert answer.status_code >= 400
        course.answers.append(answer)
    for origin in (stack.addresses.starter, stack.addresses.codec, course.planted.worker_health):
        for path in ("/healthz", "/readyz", f"/{stranger}"):
            course.answers.append(await http.get(origin + path))


async def outage(course: Course) -> None:
    """Orders in the spool while Temporal is down, and one in quarantine that it does not take."""
    stack, plants = course.planted.stack, course.plants
    tenant = await course.tenant("jira", "classic", ("api_token", "email"))
    big = await course.ticket(tenant, "jira big")
    padding = plants.word("webhook:jira padding") + "y" * BLOB_LIMIT
    assert (await course.send(tenant, big, "big", padding=padding)).status_code == 202
    ticket_id = await course.ticket(tenant, "jira spooled")
    await stack.stop(TEMPORAL)
    try:
        assert (await course.send(tenant, ticket_id, "spooled")).status_code == 202
        course.answers.append(await course.desk.http.get(f"{stack.addresses.starter}/readyz"))
        tables = await rows(stack.database.superuser)
        course.spooled.append(tables["public.spool"])
        assert tables["public.spool"].count(b"\n") == 2, "the order, and the one in quarantine"
    finally:
        await stack.start(TEMPORAL)
    await ended(course.desk.handle(tenant.run(ticket_id)), Outcome.POSTED)


async def refusing_database(course: Course) -> None:
    """PostgreSQL refuses a row, and quotes it in its error."""
    tenant = await course.tenant("zendesk", "api_token", ("api_token", "email"))
    ticket_id = await course.ticket(tenant, "zendesk refused row")
    await tenant.vendor.resolve(ticket_id, f"Turned {course.plants.word('ticket:zendesk refused row resolution')} off.")
    subject = course.plants.word("ticket:zendesk refused row subject")
    connection = await asyncpg.connect(course.planted.stack.database.superuser)
    try:
        await connection.execute(
            f"ALTER TABLE ticket_history ADD CONSTRAINT no_row CHECK (subject NOT LIKE '%{subject}') NOT VALID"
        )
        handle = await course.started(tenant, ticket_id, "refused row", event="resolved")
        await waits(handle, Waiting.FAULT)
    finally:
        await connection.execute("ALTER TABLE ticket_history DROP CONSTRAINT no_row")
        await connection.close()


async def operators(course: Course, tenant: Tenant) -> None:
    """A session at the command line."""
    missed = await course.ticket(tenant, "jira missed")
    await course.deskhand("reconcile", "--tenant", tenant.id, "--since", "1h")
    await ended(course.desk.handle(tenant.run(missed)), Outcome.POSTED)
    for arguments in (
        ("tenant", "list"),
        ("tenant", "show", tenant.id),
        ("tenant", "show", tenant.id, "--json"),
        ("tenant", "add", tenant.id, "--tool", "jira", "--set", "base_url=nonsense"),
        ("plugins", "check", "--tenant", tenant.id),
        ("runs", "list", "--tenant", tenant.id),
        ("runs", "list", "--json"),
        ("runs", "resume", "--tenant", tenant.id),
        ("runs", "redrive", "--tenant", tenant.id),
        *(("runs", "show", run) for run in (tenant.run(missed), *course.failed.values())),
    ):
        await course.deskhand(*arguments)


async def crash(course: Course, tenant: Tenant) -> None:
    """A plugin that fails at the door and in a run, in a way that nobody foresaw."""
    course.arguments.append(arguments())  # of our own processes, before the crashing ones take their place
    words = f"exploded over {course.plants.word('exception:plugin')}"
    for role in (STARTER, WORKER):
        await replaced(course.planted.stack, f"crashing {role}", role, ODD_WORDS=words)
    ticket_id = await course.ticket(tenant, "jira crash")
    assert (await course.send(tenant, ticket_id, "crash", explode=True)).status_code == 500
    await waits(await course.started(tenant, ticket_id, "crash"), Waiting.FAULT)


async def rows(superuser: str) -> dict[str, bytes]:
    """Every row of every table, by table, as its owner's superuser sees it."""
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(superuser)
    try:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        return {
            table["name"]: b"".join(
                row["row"].encode() + b"\n"
                for row in await connection.fetch(f"SELECT t::text AS row FROM {table['name']} t")  # noqa: S608 - ours
            )
            for table in tables
        }
    finally:
        await connection.close()


async def runs(stack_address: str) -> tuple[bytes, bytes]:
    """Every history, and what is told of every run (memo, search attributes, summary): bytes as Temporal gives them."""
    client = await Client.connect(stack_address, namespace=NAMESPACE)
    histories, told = [], []
    async for run in client.list_workflows():
        handle = client.get_workflow_handle(run.id, run_id=run.run_id)
        histories += [event.SerializeToString() for event in (await handle.fetch_history()).events]
        told += [run.raw_info.SerializeToString(), (await handle.describe()).raw_description.SerializeToString()]
    return joined(histories), joined(told)


def store_files(folder: Path) -> bytes:
    """What Temporal keeps on disk."""
    return joined(path.read_bytes() for path in sorted((folder / "temporal").iterdir()) if path.is_file())


def arguments() -> bytes:
    """The arguments of every process here, as Linux shows them to everyone."""
    lines = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(place.read_bytes())
        except OSError:  # it has ended
            continue
    return joined(lines)


async def places(course: Course, tenant: Tenant) -> list[Place]:
    """Everything that is searched."""
    planted, stack, plants = course.planted, course.planted.stack, course.plants
    folder = stack.state.folder
    histories, told = await runs(stack.addresses.temporal)
    tables = await rows(stack.database.superuser)
    history = tables.pop("public.ticket_history")
    searched = frozenset(
        name for name in plants.words if name.startswith("ticket:") and name.endswith(("ject", "iption", "olution"))
    )
    ids = frozenset(name for name in plants.words if name.startswith("delivery id:"))
    quoted = ids | {name for name in plants.words if name.startswith("vendor error:")}
    metrics = {role: (await course.desk.http.get(url)).content for role, url in planted.metrics.items()}
    logs = {path.stem: path.read_bytes() for path in sorted((folder / "logs").iterdir())}
    answers = joined(
        joined((*lines_of(answer.headers.items()), answer.content)) for answer in course.answers if answer.content
    )
    shown = {name: said for name, said in course.said.items() if name.startswith("runs show")}
    return [
        Place("Temporal: histories", histories, ("EnhanceTicket", tenant.id, "AuthenticationError")),
        Place("Temporal: search attributes, memos, summaries", told, (tenant.id, "delivery_id", "DeskhandTool")),
        Place("Temporal: store files", store_files(folder), (tenant.id, "EnhanceTicket", "AuthenticationError")),
        *(
            Place(f"PostgreSQL: {name}", rows, TABLE_CONTROLS.get(name, ()))
            for name, rows in (*tables.items(), ("spool meanwhile", joined(course.spooled)))
        ),
        Place(
            "PostgreSQL: ticket_history",
            history,
            ("servicedesk_plus",),
            searched,
            "searched as plain text, under row security",
        ),
        Place(
            "log: postgres",
            (folder / "postgres" / "postgres.log").read_bytes(),
            ("database system is ready", "no_row"),
        ),
        *(
            Place(
                f"log: {name}",
                data,
                LOG_CONTROLS.get(name, ("level",)),
                ids if STARTER in name else frozenset(),
                "delivery ids tell which webhook it was",
            )
            for name, data in logs.items()
        ),
        Place("spans", joined(planted.collector.received), (*SPAN_CONTROLS, tenant.id)),
        Place("metrics: starter", metrics[STARTER], ("temporal_request",)),
        Place("metrics: worker", metrics[WORKER], ("temporal_activity_execution_failed", "EnhanceTicket")),
        Place("answers of door, codec, health", answers, ("application/problem+json", "content-length", "ready")),
        Place(
            "command line",
            joined(said for name, said in course.said.items() if name not in shown),
            (tenant.id, "The connection works"),
            frozenset(name for name in plants.words if name.startswith("account e-mail:")),
            "`tenant show` shows an operator what is no secret",
        ),
        Place(
            "command line: runs show",
            joined(shown.values()),
            (tenant.id, plants.stem),
            quoted,
            "shows an operator what was said",
        ),
        Place(
            "arguments of processes",
            joined((*course.arguments, arguments())),
            ("worker.py", "starter", "tests.support.odd_process", "postgres"),
        ),
    ]


TABLE_CONTROLS = {
    "public.tenant_configs": ("servicedesk_plus", "live"),
    "public.spool": ("INVALID_ARGUMENT",),
    "public.audit_log": ("tenant.add",),
    "spool meanwhile": ("INVALID_ARGUMENT",),
}
LOG_CONTROLS = {
    "starter": ("delivery", "422", "run.refused", "temporal.unavailable"),
    "worker": (
        "worker.ready",
        "PermanentAPIError",
        "jira answered 400",
        "CheckViolationError",
        "Initializing worker",
        "DEBUG",
    ),
    "codec": ("codec.refused",),
    "temporal": ("debug",),
    "crashing starter": ("delivery.failed", "LookupError"),
    "crashing worker": ("RuntimeError",),
}
SPAN_CONTROLS = ("deskhand-starter", "deskhand-worker", "RunActivity:get_ticket", "temporalRunID", "PermanentAPIError")


@pytest.fixture(scope="module")
async def course(module_state_folder: Path) -> AsyncIterator[Course]:
    """A stack with nothing in it yet."""
    async with planted_stack(module_state_folder, Plants()) as planted, opened(planted.stack) as desk:
        yield Course(planted, desk)


async def test_what_is_planted_is_found_nowhere(course: Course) -> None:
    slow = await asyncio.gather(*(ways_to_end(course, tool) for tool in CONNECTIONS))
    tenant = await course.tenant("jira", "classic", ("api_token", "email"))
    await asyncio.gather(refusing_database(course), operators(course, tenant), codec_and_health(course))
    await asyncio.gather(*(waits(run, Waiting.VENDOR) for run in slow))
    await outage(course)
    await crash(course, tenant)
    searched = await places(course, tenant)
    print("\n" + table(course.plants, searched))  # noqa: T201 - for whoever runs it with -s
    assert {place.name: place.missing_controls() for place in searched if place.missing_controls()} == {}
    assert not any(b"Fatal Python error" in place.data for place in searched), "each of our processes ended well"
    found = leaks(course.plants, searched)
    assert not found, json.dumps(found, indent=1)


async def test_without_the_codec_the_same_search_finds_the_tickets(course: Course) -> None:
    unsealed = Plants()
    course = Course(replace(course.planted, plants=unsealed), course.desk)
    stack = course.planted.stack
    for role in (STARTER, WORKER):
        if f"crashing {role}" in stack.pids:
            await stack.stop(f"crashing {role}")
        await replaced(stack, f"unsealed {role}", role, ODD_CODEC="off")
    plain = await Client.connect(stack.addresses.temporal, namespace=NAMESPACE)
    tenants = [await course.tenant(tool, *CONNECTIONS[tool]) for tool in CONNECTIONS]
    for tenant in tenants:
        ticket_id = await course.ticket(tenant, tenant.tool)
        handle = await course.started(tenant, ticket_id, "unsealed")
        await ended(plain.get_workflow_handle(handle.id), Outcome.POSTED)
    histories, _ = await runs(stack.addresses.temporal)
    for place in (histories, store_files(stack.state.folder)):
        found = unsealed.found(place)
        for tool in CONNECTIONS:
            seen = {encoding for name, encoding in found if name == f"ticket:{tool} subject"}
            assert "plain" in seen, "in the note's context"
            assert any(encoding.startswith("base64") for encoding in seen), "in the delivery's bytes"
        secret = {name for name, _ in found if name.startswith(("credential", "webhook secret", "access token"))}
        assert not secret, "these are in no payload at all"


@pytest.mark.parametrize("encoding", encodings("x"))
def test_every_encoding_is_found(encoding: str) -> None:
    plants = Plants()
    word = plants.word("ticket:subject")
    hidden = b"before" + encodings(word)[encoding] + b"after"
    assert {name for name, _ in plants.found(hidden)} == {"ticket:subject"}
    assert plants.found(b"before" + encodings(Plants().word("another"))[encoding]) == {}


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_base64_is_found_at_every_place(before: str) -> None:
    plants = Plants()
    text = base64.b64encode(f'{before}"{plants.word("ticket:subject")}", and more'.encode())
    assert {name for name, _ in plants.found(text)} == {"ticket:subject"}


def test_a_word_that_was_cut_is_found() -> None:
    plants = Plants()
    plants.word("ticket:subject")
    assert {name for name, _ in plants.found(f"{plants.stem}0…".encode())} == {"a part of a word"}


def test_a_place_without_its_controls_shows_nothing() -> None:
    assert Place("log", b"", ("delivery",)).missing_controls() == ["delivery"]
