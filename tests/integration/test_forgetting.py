"""What of a ticket or a person is found in PostgreSQL, what is removed there, and what is past its time."""

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import asyncpg
import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowHistory

from deskhand.cli.forget import found_lines, removed_lines
from deskhand.cli.retention import Swept, swept_lines
from deskhand.crypto.codec import EncryptionCodec
from deskhand.crypto.keyring import Keyring
from deskhand.db.pool import Pool
from deskhand.forgetting.forget import SETTLING, Forgetting, Found
from deskhand.forgetting.history import TenantHistory
from deskhand.forgetting.payloads import values_in
from deskhand.forgetting.removed import Removed
from deskhand.forgetting.retention import Limit, limits, sweep_database
from deskhand.forgetting.sought import Mention, Requester, Ticket
from deskhand.forgetting.spooled import TenantSpool
from deskhand.forgetting.tenant import forget_tenant
from deskhand.forgetting.terms import Terms, TermsError
from deskhand.note.history import TicketHistory
from deskhand.runs.order import Order
from deskhand.runs.spool import Spool
from deskhand.runs.visibility import RunFound
from deskhand.tenants.admin import NewTenant, TenantAdmin
from deskhand.tenants.sealing import Connection
from plugins.types import TenantSettings, TicketContext
from tests.replay.stored import FOLDER as HISTORIES
from tests.replay.stored import TEST_KEYS
from workflows.contracts import (
    ENHANCE_TICKET,
    Delivery,
    GatheredContext,
    Note,
    RecordInput,
    RunInput,
    SimilarTicket,
    WriteNoteInput,
)

Superuser: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

NOW = datetime.now(UTC)
PERSON = ("Renée Sørensen", "renee.soerensen@acme.example", "4711")


def person(*spellings: str) -> Requester:
    return Requester(Terms(spellings or PERSON))


def delivery(tenant: str, body: object, tool: str = "jira") -> Delivery:
    return Delivery(tool=tool, tenant_id=tenant, raw=json.dumps(body).encode(), received_at=NOW)


def order(tenant: str, ticket_id: str, body: object) -> Order:
    return Order(
        workflow=ENHANCE_TICKET,
        run=f"jira:{tenant}:{ticket_id}:created",
        ticket_id=ticket_id,
        delivery=delivery(tenant, body),
    )


async def record(history: TicketHistory, tenant: str, ticket_id: str, subject: str, **said: Any) -> None:
    resolved_at = said.pop("resolved_at", NOW)
    ticket = TicketContext(ticket_id=ticket_id, subject=subject, **said)
    await history.record(
        RecordInput(tool="jira", tenant_id=tenant, version="1", ticket=ticket, resolved_at=resolved_at)
    )


# What a person is known by, and where it is found.


@pytest.mark.parametrize(
    "text",
    [
        "Renée Sørensen",
        "caller: RENÉE  SØRENSEN, floor 3",
        "Rene\u0301e\nSørensen",
        "Ren\u00e9e\u00a0Sørensen",
        "Ren\u00ade\u0301e Sørensen",
        "\uff32enée Sørensen",
        "<p>Ren&eacute;e S&oslash;rensen</p>",
        "mailto:renee.soerensen%40acme.example",
        "<RENEE.SOERENSEN@ACME.EXAMPLE>",
        r"\u0052enée Sørensen",
        "account 4711.",
    ],
)
def test_a_person_is_found_however_it_is_written(text: str) -> None:
    assert Terms(PERSON).occur_in(text)


@pytest.mark.parametrize("text", ["René Sörensen", "soerensen@acme.example", "ticket 14711", "47110", "", "Renée"])
def test_another_is_not(text: str) -> None:
    assert not Terms(PERSON).occur_in(text)


@pytest.mark.parametrize(
    ("spellings", "why"),
    [
        ((), "no spelling"),
        (("", "  "), "no spelling"),
        (("Al",), "spelling 1"),
        (map(str, range(1000, 1051)), "too many"),
    ],
)
def test_spellings_that_mean_nothing_or_everything_are_refused_without_a_quotation(spellings: Any, why: str) -> None:
    with pytest.raises(TermsError, match=why) as caught:
        Terms(spellings)
    assert "Al" not in str(caught.value)


@pytest.mark.parametrize("name", ["Ted", "Ida", "Ali", "Han", "Val", "Eng", "Med", "Jira", "Ora", "requester"])
def test_a_spelling_that_is_in_every_run_is_refused(name: str) -> None:
    with pytest.raises(TermsError, match="spelling 2: stands in every run"):
        Terms([PERSON[0], name])


@pytest.mark.parametrize("name", ["Pat", "Mark", "Kim", "Lee", "Max", "Tom", "Maria", "Farnsworth"])
async def test_a_name_is_not_among_our_own_words(name: str) -> None:
    """Every kind of run, as it went once, without anybody in it."""
    codec = EncryptionCodec(TEST_KEYS, allow_plaintext=True)
    for file in sorted(HISTORIES.rglob("*.json")):
        for event in WorkflowHistory.from_json("x", file.read_text()).events:
            async for value in values_in(event, codec):
                assert person(name).mention_in(value) is Mention.NONE, (file.name, value)


@pytest.mark.parametrize("before", range(3))
@pytest.mark.parametrize("character", ["a", "?", "~", ">", "ß", "ü", "é", "日", "“"])
def test_a_delivery_is_read_whatever_its_bytes_are(character: str, before: int) -> None:
    body = " " * before + json.dumps({"q": character * 2, "who": PERSON[1]}, ensure_ascii=False)
    given = Delivery(tool="jira", tenant_id="acme", raw=body.encode(), received_at=NOW)
    kept = Order(workflow=ENHANCE_TICKET, run="r", ticket_id="1", delivery=given)
    for value in (RunInput(delivery=given), kept):
        assert person().mention_in(value.model_dump(mode="json")) is Mention.OWN
        assert person().mention_in(json.loads(value.model_dump_json())) is Mention.OWN


def test_the_audit_log_can_tell_the_same_person_and_nothing_else(payload_keys: Keyring) -> None:
    one = Terms(PERSON).fingerprint(payload_keys, "acme")
    assert one == Terms([PERSON[2], PERSON[0].upper(), PERSON[1]]).fingerprint(payload_keys, "acme")
    assert one != Terms(PERSON).fingerprint(payload_keys, "globex")
    assert one != Terms(PERSON[:2]).fingerprint(payload_keys, "acme")
    assert one != Terms(PERSON).fingerprint(Keyring.parse(Keyring.generate_text()), "acme")


def test_a_run_is_about_a_person_whom_its_delivery_or_its_ticket_names() -> None:
    sought = person()
    # Whatever the tool calls its fields: none of a delivery's is a quotation of ours.
    for body in ({"issue": {"reporter": {"displayName": "Renée Sørensen"}}}, {"note": "for Renée\nSørensen"}):
        assert sought.mention_in(RunInput(delivery=delivery("acme", body)).model_dump(mode="json")) is Mention.OWN
    by_number = RunInput(delivery=delivery("acme", {"requester_id": 4711}))
    assert sought.mention_in(by_number.model_dump(mode="json")) is Mention.OWN
    ticket = TicketContext(ticket_id="A-1", subject="Printer", description="Renée Sørensen cannot print")
    given = WriteNoteInput(tool="jira", ref="dh-1", ticket=ticket, context=GatheredContext())
    assert sought.mention_in(given.model_dump(mode="json")) is Mention.OWN
    assert sought.mention_in("jira answered 400: renee.soerensen@acme.example may not") is Mention.OWN


def test_a_run_only_quotes_whom_it_has_from_the_history() -> None:
    quoted = SimilarTicket(ticket_id="A-1", subject="Printer", resolution="Called Renée Sørensen.", score=1)
    context = GatheredContext(similar=(quoted,))
    ticket = TicketContext(ticket_id="B-2", subject="Printer")
    for value in (
        context,
        WriteNoteInput(tool="jira", ref="dh-1", ticket=ticket, context=context),
        Note(markdown="- A-1: Called Renée Sørensen.", writer="extractive"),
    ):
        assert person().mention_in(value.model_dump(mode="json")) is Mention.QUOTED
    assert Ticket("jira", "A-1").mention_in(context.model_dump(mode="json")) is Mention.QUOTED
    assert Ticket("jira", "A-11").mention_in(context.model_dump(mode="json")) is Mention.NONE
    assert person("Somebody Else").mention_in(context.model_dump(mode="json")) is Mention.NONE


def test_what_lies_deep_inside_is_found() -> None:
    inner: object = {"requester": "Renée Sørensen"}
    for _ in range(70):
        inner = [inner]
    assert person().mention_in(inner) is Mention.OWN
    twice = base64.b64encode(json.dumps({"raw": json.dumps({"who": "Ren\u00e9e S\u00f8rensen"})}).encode()).decode()
    assert person().mention_in({"delivery": {"raw": twice}}) is Mention.OWN


# The history.


@pytest.fixture
async def history(app_pool: Pool) -> TicketHistory:
    """The planted person in each column that can hold one, in a tenant of two."""
    history = TicketHistory(app_pool)
    await record(history, "acme", "A-1", "Printer of Renée Sørensen")
    await record(history, "acme", "A-2", "Printer", description="from: RENEE.SOERENSEN@acme.example")
    await record(history, "acme", "A-3", "Printer", resolution="Called Rene\u0301e Sørensen.")
    await record(history, "acme", "A-4", "Printer", url="https://acme.example/u/4711/A-4")
    await record(history, "acme", "A-5", "Printer of somebody else", description="id 47112")
    await record(history, "globex", "A-1", "Printer of Renée Sørensen")
    return history


async def kept(superuser: Superuser) -> set[tuple[str, str]]:
    rows = await superuser.fetch("SELECT tenant_id, ticket_id FROM ticket_history")
    return {(row["tenant_id"], row["ticket_id"]) for row in rows}


@pytest.mark.usefixtures("history")
async def test_a_person_s_rows_go_from_the_one_tenant(operator_pool: Pool, superuser: Superuser) -> None:
    acme = TenantHistory(operator_pool, "acme")
    rows = await acme.find(person())
    assert sorted(rows) == [("jira", f"A-{number}") for number in range(1, 5)]
    assert await kept(superuser) == {("acme", f"A-{number}") for number in range(1, 6)} | {("globex", "A-1")}
    assert await acme.delete(rows) == 4
    assert await kept(superuser) == {("acme", "A-5"), ("globex", "A-1")}
    assert await acme.find(person()) == []


@pytest.mark.usefixtures("history")
async def test_a_ticket_s_row_goes_from_the_one_tenant(operator_pool: Pool, superuser: Superuser) -> None:
    acme = TenantHistory(operator_pool, "acme")
    assert await acme.delete(await acme.find(Ticket("jira", "A-1"))) == 1
    assert await kept(superuser) == {("acme", f"A-{number}") for number in range(2, 6)} | {("globex", "A-1")}


async def test_every_page_of_a_long_history_is_read(
    operator_pool: Pool, superuser: Superuser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deskhand.forgetting.history.BATCH", 3)
    await superuser.execute(
        "INSERT INTO ticket_history"
        " (tenant_id, tool, ticket_id, version, resolved_at, subject, description, resolution, url, language)"
        " SELECT 'acme', 'jira', i::text, '1', now(), 'Sørensen ' || i % 2, '', '', '', 'english'"
        " FROM generate_series(1, 20) AS i"
    )
    acme = TenantHistory(operator_pool, "acme")
    assert await acme.delete(await acme.find(person("Sørensen 1"))) == 10
    assert len(await kept(superuser)) == 10


# The spool.


async def spooled(superuser: Superuser) -> int:
    return int(await superuser.fetchval("SELECT count(*) FROM spool"))


async def test_spooled_orders_are_found_under_every_key_and_in_one_tenant_only(
    app_pool: Pool, operator_pool: Pool, superuser: Superuser, payload_keys: Keyring
) -> None:
    new = Keyring.parse(Keyring.generate_text("new"))
    both = Keyring(new.primary_id, {**new.keys, **payload_keys.keys})
    before, after = Spool(app_pool, payload_keys), Spool(app_pool, both)
    await before.put(order("acme", "A-1", {"reporter": "Renée Sørensen"}))
    await after.put(order("acme", "A-2", {"reporter": {"id": 4711}}))
    await after.put(order("acme", "A-3", {"reporter": "Somebody Else"}))
    await after.put(order("acme", "A-4", {"reporter": "Renée Sørensen"}), refused="no")
    await before.put(order("globex", "A-1", {"reporter": "Renée Sørensen"}))
    acme = TenantSpool(operator_pool, both, "acme")
    assert len(await acme.all()) == 4
    by_ticket = await acme.find(Ticket("jira", "A-1"))
    by_person = await acme.find(person())
    assert (len(by_ticket.ids), by_ticket.unopened) == (1, 0)
    assert (len(by_person.ids), by_person.unopened) == (3, 0)
    assert set(by_ticket.ids) < set(by_person.ids)
    assert await acme.delete(by_person.ids) == 3
    assert await acme.delete(by_person.ids) == 0
    assert (len(await acme.all()), await spooled(superuser)) == (1, 2)


async def test_orders_that_nobody_can_read_are_counted(
    app_pool: Pool, operator_pool: Pool, superuser: Superuser, payload_keys: Keyring
) -> None:
    await Spool(app_pool, payload_keys).put(order("acme", "A-1", {"reporter": "Renée Sørensen"}))
    await Spool(app_pool, payload_keys).put(order("acme", "A-2", {}))
    acme = TenantSpool(operator_pool, payload_keys, "acme")
    assert await acme.foreign() == 0
    await superuser.execute("UPDATE spool SET sealed = sealed || '\\x00'")
    found = await acme.find(person())
    assert (found.ids, found.unopened) == ([], 2)
    assert len((await acme.find(Ticket("jira", "A-1"))).ids) == 1, "a ticket's is known by its hash"
    other = TenantSpool(operator_pool, Keyring.parse(Keyring.generate_text("other")), "acme")
    assert (await other.all(), await other.foreign()) == ([], 2)


# What is past its time.


async def test_a_sweep_removes_what_is_past_each_tenant_s_retention(
    app_pool: Pool,
    operator_pool: Pool,
    superuser: Superuser,
    admin: TenantAdmin,
    payload_keys: Keyring,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("deskhand.forgetting.history.BATCH", 2)
    monkeypatch.setattr("deskhand.forgetting.spooled.BATCH", 1)
    for tenant, days in (("month", 30), ("year", 365), ("endless", None)):
        await admin.add(NewTenant(tenant, "jira", Connection(), settings=TenantSettings(retention_days=days)))
        for age in (1, 29, 31, 364, 366):
            await record(TicketHistory(app_pool), tenant, f"A-{age}", "Printer", resolved_at=NOW - timedelta(days=age))
        spool = Spool(app_pool, payload_keys)
        for ticket_id in ("A-1", "A-2", "A-3"):
            await spool.put(order(tenant, ticket_id, {}), refused="no" if ticket_id != "A-3" else None)
    await superuser.execute("UPDATE spool SET spooled_at = now() - interval '40 days'")

    known = await limits(operator_pool)
    assert [(limit.tenant_id, limit.days) for limit in known] == [("month", 30), ("year", 365)]
    for limit, expected in zip(known, ((3, 2), (1, 0)), strict=True):
        looked, removed = Removed(), Removed()
        await sweep_database(operator_pool, payload_keys, limit, looked, dry_run=True)
        await sweep_database(operator_pool, payload_keys, limit, removed)
        assert (looked.history, looked.spooled) == (removed.history, removed.spooled) == expected
    assert await kept(superuser) == (
        {("month", f"A-{age}") for age in (1, 29)}
        | {("year", f"A-{age}") for age in (1, 29, 31, 364)}
        | {("endless", f"A-{age}") for age in (1, 29, 31, 364, 366)}
    )
    assert await spooled(superuser) == 7, "what waits stays, however old"


# What the page about it shows.


def test_the_page_shows_what_the_commands_print() -> None:
    page = (Path(__file__).parents[2] / "docs" / "privacy.md").read_text().splitlines()
    found = Found(
        rows=[("zendesk", "10007")],
        own=[
            run("zendesk:acme:10007:created", "posted"),
            run("zendesk:acme:10007:resolved:2026-11-25T08:14:03Z", "recorded"),
        ],
        quoting=[
            run("zendesk:acme:10031:created", None, waiting_for="credentials"),
            run("zendesk:acme:10012:created", "posted"),
        ],
        seen=212,
    )
    assert_shown(page, found_lines("acme", found))
    assert_shown(
        page, removed_lines("acme", Removed(history=1, runs=4, ended=1, restarted=["zendesk:acme:10031:created"]))
    )
    swept = Swept([(Limit("acme", 90, NOW), Removed(history=412, spooled=2))])
    for dry_run in (True, False):
        assert_shown(page, swept_lines(swept, dry_run=dry_run))


def assert_shown(page: list[str], lines: list[str]) -> None:
    at = page.index(lines[0])
    assert page[at : at + len(lines)] == lines


def run(workflow_id: str, outcome: str | None, waiting_for: str | None = None) -> RunFound:
    status = WorkflowExecutionStatus.COMPLETED if outcome else WorkflowExecutionStatus.RUNNING
    return RunFound(
        id=workflow_id,
        run_id="r",
        tool="zendesk",
        tenant="acme",
        ticket="",
        status=status,
        outcome=outcome,
        waiting_for=waiting_for,
        started=NOW,
        closed=NOW if outcome else None,
    )


# What is under way while it is done. The stores are real; Temporal's part says what its server would.


class Executions:
    """One open run of another ticket, in place of `TenantRuns`: it has read the history, and ends a little later."""

    def __init__(self, *_: object) -> None:
        self.reported = False
        self.deleted = False

    async def all(self) -> AsyncIterator[RunFound]:
        status = WorkflowExecutionStatus.COMPLETED if self.reported else WorkflowExecutionStatus.RUNNING
        if not self.deleted:
            yield RunFound("jira:acme:B-2:created", "r", "jira", "acme", "B-2", status, None, None, NOW, None)

    async def mention(self, *_: object) -> Mention:
        return Mention.QUOTED if self.reported else Mention.NONE

    async def was_ended_for(self, *_: object) -> bool:
        return False

    async def end(self, *_: object) -> bool:
        return True

    async def delete(self, *_: object) -> bool:
        self.deleted = True
        return True

    async def gone(self, _: object) -> list[RunFound]:
        return []


class NoPasses:
    """No schedule, in place of `RegularPasses`."""

    def __init__(self, *_: object) -> None:
        pass

    async def switch_off(self, _: str) -> bool:
        return False


def while_it_settles(monkeypatch: pytest.MonkeyPatch, module: str, meanwhile: Callable[[], Awaitable[None]]) -> None:
    """Have something happen in the time that is given to attempts under way."""

    async def sleep(seconds: float) -> None:
        assert seconds == SETTLING
        await meanwhile()

    monkeypatch.setattr(f"{module}.asyncio", SimpleNamespace(sleep=sleep))


@pytest.mark.usefixtures("history")
async def test_a_run_that_had_read_the_row_and_reports_it_afterwards_is_found(
    operator_pool: Pool, payload_keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    executions = Executions()
    monkeypatch.setattr("deskhand.forgetting.forget.TenantRuns", lambda *_: executions)

    async def reports() -> None:
        executions.reported = True

    while_it_settles(monkeypatch, "deskhand.forgetting.forget", reports)
    nobody: Any = None  # no call gets as far as Temporal
    forgetting = Forgetting(operator_pool, nobody, payload_keys, "queue", "acme", Ticket("jira", "A-1"))
    await forgetting.forget(await forgetting.find())
    assert (forgetting.removed.history, forgetting.removed.runs, forgetting.removed.problems) == (1, 1, [])


@pytest.mark.usefixtures("history")
async def test_what_an_attempt_under_way_still_writes_goes_with_its_tenant(
    app_pool: Pool, operator_pool: Pool, superuser: Superuser, payload_keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deskhand.forgetting.tenant.TenantRuns", Executions)
    monkeypatch.setattr("deskhand.forgetting.tenant.RegularPasses", NoPasses)
    late = []

    async def writes() -> None:
        late.append("A-9")
        await record(TicketHistory(app_pool), "acme", "A-9", "Badge of Renée Sørensen")

    while_it_settles(monkeypatch, "deskhand.forgetting.tenant", writes)
    nobody: Any = None
    removed = await forget_tenant(operator_pool, nobody, payload_keys, "acme")
    assert (late, removed.history, removed.problems) == (["A-9"], 6, [])
    assert await kept(superuser) == {("globex", "A-1")}
