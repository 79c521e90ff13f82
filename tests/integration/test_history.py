"""The ticket history: what is found, what is kept, and that no tenant sees another's."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from deskhand.db.pool import Pool, tenant_transaction, transaction
from deskhand.note.history import TicketHistory
from deskhand.tenants.admin import NewTenant, TenantAdmin
from deskhand.tenants.sealing import Connection
from plugins.types import TenantSettings, TicketContext
from workflows.contracts import ContextQuery, RecordInput

DAY = datetime(2025, 11, 5, 10, 0, tzinfo=UTC)


@pytest.fixture
def history(app_pool: Pool) -> TicketHistory:
    return TicketHistory(app_pool)


def resolved(ticket_id: str, subject: str, *, tenant: str = "acme", hours: int = 0, **said: Any) -> RecordInput:
    said = {"description": "", "resolution": "Solved.", **said}
    return RecordInput(
        tool="jira",
        tenant_id=tenant,
        version=said.pop("version", "1"),
        ticket=TicketContext(ticket_id=ticket_id, subject=subject, **said),
        resolved_at=DAY + timedelta(hours=hours),
    )


def query(subject: str, text: str = "", *, tenant: str = "acme", ticket_id: str = "NEW-1", **more: Any) -> ContextQuery:
    return ContextQuery(tool="jira", tenant_id=tenant, ticket_id=ticket_id, subject=subject, text=text, **more)


async def found(history: TicketHistory, asked: ContextQuery) -> list[str]:
    return [ticket.ticket_id for ticket in (await history.search(asked)).similar]


async def test_a_like_ticket_comes_back_with_how_it_was_solved(history: TicketHistory) -> None:
    await history.record(
        resolved(
            "IT-7",
            "Outlook keeps asking for the password",
            description="Since the update the mail client asks for credentials at every start.",
            resolution="Removed the old entry from the Windows credential manager.",
            url="https://acme.example/browse/IT-7",
        )
    )
    await history.record(resolved("IT-8", "Projector in room 4 shows no picture"))
    context = await history.search(query("Mail", "Outlook asked me for my passwords again after updating."))
    assert context.searched == 2
    assert context.missing == ()
    (ticket,) = context.similar
    assert (ticket.ticket_id, ticket.subject) == ("IT-7", "Outlook keeps asking for the password")
    assert ticket.resolution == "Removed the old entry from the Windows credential manager."
    assert (ticket.url, ticket.resolved_at) == ("https://acme.example/browse/IT-7", DAY)
    assert ticket.score > 0


async def test_a_misspelt_subject_is_found_by_its_likeness(history: TicketHistory) -> None:
    await history.record(resolved("IT-1", "Teamviewer license expired"))
    assert await found(history, query("Teamveiwer licence expierd")) == ["IT-1"]


async def test_nearer_tickets_come_first_and_no_more_than_asked_for(history: TicketHistory) -> None:
    await history.record(resolved("FAR", "Printer needs toner", description="The printer on floor 2 is out of toner."))
    await history.record(resolved("NEAR", "Printer jams on floor 3", description="Paper jams at every second page."))
    for number in range(5):
        await history.record(resolved(f"OTHER-{number}", f"Badge {number} does not open the door"))
    asked = query("Printer on floor 3 jams again", "paper jams, printer says page stuck")
    assert await found(history, asked) == ["NEAR", "FAR"]
    assert [ticket.ticket_id for ticket in (await history.search(asked, limit=1)).similar] == ["NEAR"]
    scores = [ticket.score for ticket in (await history.search(asked)).similar]
    assert scores == sorted(scores, reverse=True)


async def test_of_two_equals_the_one_that_says_how_it_was_solved_comes_first(history: TicketHistory) -> None:
    await history.record(resolved("SILENT", "VPN drops every hour", resolution="", hours=5))
    await history.record(resolved("TELLS", "VPN drops every hour", resolution="Raised the idle time-out."))
    assert await found(history, query("VPN drops every hour")) == ["TELLS", "SILENT"]


async def test_one_shared_word_is_no_likeness(history: TicketHistory) -> None:
    await history.record(resolved("IT-1", "Keyboard replaced", description="Coffee was spilt; user got a new one."))
    assert await found(history, query("Badge lost", "A new user cannot open the door of the parking garage")) == [
        "IT-1"
    ]
    assert await found(history, query("Badge lost", "Nobody but this user cannot open the parking garage")) == []


async def test_the_ticket_itself_is_never_its_own_like(history: TicketHistory) -> None:
    await history.record(resolved("IT-1", "Scanner sends empty mails"))
    assert await found(history, query("Scanner sends empty mails", ticket_id="IT-1")) == []


async def test_the_history_may_be_empty_and_the_query_too(history: TicketHistory) -> None:
    context = await history.search(query("Anything"))
    assert (context.similar, context.searched) == ((), 0)
    await history.record(resolved("IT-1", "Scanner sends empty mails"))
    assert await found(history, query("")) == []


@pytest.mark.parametrize(
    "text",
    [
        "' | a & ! (b) :* \\ <-> '' \\' %",
        "C:\\Users\\o'brien\\Desktop\\a'b.docx https://x.example/a?b='c'&d=\\",
        "nul \x00 and \u202e and 💥 and İ",
        "x" * 1_000,
        "'" * 1_000,
    ],
)
async def test_text_that_would_bite_is_searched_and_kept(history: TicketHistory, text: str) -> None:
    assert await history.record(resolved("IT-1", text[:200], description=text, resolution=text))
    await history.search(query(text[:200], text))


async def test_tickets_are_searched_in_the_tenants_language(history: TicketHistory, admin: TenantAdmin) -> None:
    await admin.add(NewTenant("acme", "jira", Connection(), settings=TenantSettings(language="german")))
    await history.record(resolved("IT-1", "Drucker", description="Die Häuser am Hafen hatten keine Verbindungen."))
    assert await found(history, query("Netz", "Haus am Hafen ohne Verbindung", language="german")) == ["IT-1"]
    assert await found(history, query("Netz", "Haus am Hafen ohne Verbindung", language="english")) == []


async def _held(history: TicketHistory) -> list[str]:
    return [ticket.subject for ticket in (await history.search(query("Laptop battery swollen"))).similar]


async def test_a_later_version_replaces_an_earlier_one_whichever_comes_first(history: TicketHistory) -> None:
    earlier = resolved("IT-1", "Laptop battery swollen, first", version="2025-11-05T10:00Z")
    later = resolved("IT-1", "Laptop battery swollen, second", version="2025-11-06T10:00Z", hours=24)
    assert await history.record(earlier) is True
    assert await history.record(earlier) is False
    assert await history.record(later) is True
    assert await history.record(earlier) is False
    assert await _held(history) == ["Laptop battery swollen, second"]


async def test_two_versions_of_one_moment_end_the_same_in_any_order(
    history: TicketHistory, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    one = resolved("IT-1", "Laptop battery swollen, one", version="3f00")
    two = resolved("IT-1", "Laptop battery swollen, two", version="a100")
    ends = []
    for order in ((one, two), (two, one)):
        await superuser.execute("TRUNCATE ticket_history")
        for ticket in order:
            await history.record(ticket)
        ends.append(await _held(history))
    assert ends[0] == ends[1] == ["Laptop battery swollen, two"]


async def test_the_same_version_again_changes_nothing_however_late_it_comes(history: TicketHistory) -> None:
    assert await history.record(resolved("IT-1", "Laptop battery swollen", version="ab12")) is True
    assert await history.record(resolved("IT-1", "Laptop battery swollen!", version="ab12", hours=1)) is False


async def test_what_is_past_its_tenants_retention_is_not_found_whether_or_not_it_was_swept(
    history: TicketHistory, admin: TenantAdmin
) -> None:
    await admin.add(NewTenant("acme", "jira", Connection(), settings=TenantSettings(retention_days=30)))
    await admin.add(NewTenant("globex", "jira", Connection(), settings=TenantSettings(retention_days=60)))
    old = round((datetime.now(UTC) - timedelta(days=40) - DAY) / timedelta(hours=1))
    for tenant in ("acme", "globex", "endless"):
        # The search by words finds the one, that by likeness of the subject the other.
        await history.record(resolved("OLD-1", "Teamviewer license expired", tenant=tenant, hours=old))
        await history.record(resolved("OLD-2", "X", description="Badge reader blinks", tenant=tenant, hours=old))
        await history.record(resolved("NEW", "Teamviewer license expired", tenant=tenant, hours=old + 15 * 24))
    for asked in (("Teamveiwer licence expierd", ""), ("Badge reader blinks", "")):
        acme = await history.search(query(*asked, tenant="acme"))
        assert not {ticket.ticket_id for ticket in acme.similar} & {"OLD-1", "OLD-2"}
        assert acme.searched == 1
    assert await found(history, query("Teamviewer license expired", tenant="acme")) == ["NEW"]
    for tenant in ("globex", "endless"):
        assert (await history.search(query("Anything", tenant=tenant))).searched == 3
        assert await found(history, query("Teamviewer license expired", tenant=tenant)) == ["NEW", "OLD-1"]
        assert await found(history, query("Badge reader blinks", tenant=tenant)) == ["OLD-2"]


async def test_the_search_is_no_way_to_the_settings_of_a_tenant(
    superuser: "asyncpg.Connection[asyncpg.Record]", admin: TenantAdmin
) -> None:
    for tenant in ("acme", "globex"):
        await admin.add(NewTenant(tenant, "jira", Connection(), settings=TenantSettings(retention_days=7)))
    async with superuser.transaction():
        await superuser.execute("SELECT set_config('deskhand.tenant_id', 'acme', true)")
        await superuser.execute("SET LOCAL ROLE deskhand_search")
        assert [row["tenant_id"] for row in await superuser.fetch("SELECT tenant_id FROM tenant_configs")] == ["acme"]
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with superuser.transaction():
                await superuser.fetch("SELECT webhook_secrets FROM tenant_configs")


async def test_a_tenant_finds_and_counts_its_own_tickets_only(history: TicketHistory) -> None:
    await history.record(resolved("IT-1", "Salary file will not open", tenant="acme"))
    await history.record(resolved("IT-1", "Salary file will not open, Globex", tenant="globex"))
    await history.record(resolved("IT-2", "Salary file will not open, Globex again", tenant="globex"))
    context = await history.search(query("Salary file will not open", tenant="acme"))
    assert [ticket.subject for ticket in context.similar] == ["Salary file will not open"]
    assert context.searched == 1
    assert (await history.search(query("Salary file will not open", tenant="nobody"))).similar == ()


async def test_the_search_function_cannot_be_made_to_read_another_tenant(
    history: TicketHistory, app_pool: Pool
) -> None:
    await history.record(resolved("IT-1", "Salary file will not open", tenant="globex"))
    call = "SELECT * FROM search_ticket_history($1, $2, $3, $4, $5, $6)"
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=r"deskhand\.tenant_id is not set"):
        async with transaction(app_pool) as connection:
            await connection.fetch(call, "jira", "x", "english", "Salary file will not open", "", 5)
    bites = ("globex", "' OR tenant = 'globex", "'); SET deskhand.tenant_id = 'globex'; --")
    for bite in bites:
        async with tenant_transaction(app_pool, "acme") as connection:
            arguments = (bite, bite, "english", f"Salary file will not open {bite}", bite, 1_000)
            assert await connection.fetch(call, *arguments) == []
    with pytest.raises(asyncpg.PostgresError):
        async with tenant_transaction(app_pool, "acme") as connection:
            await connection.fetch(call, "jira", "x", bites[1], "Salary file will not open", "", 5)


async def test_the_search_ignores_the_callers_search_path(history: TicketHistory, app_pool: Pool) -> None:
    await history.record(resolved("IT-1", "Salary file will not open"))
    async with tenant_transaction(app_pool, "acme") as connection:
        await connection.execute("SET LOCAL search_path = pg_temp")
        rows = await connection.fetch(
            "SELECT * FROM public.search_ticket_history('jira', 'x', 'english', 'Salary file will not open', '', 5)"
        )
    assert [row["ticket_id"] for row in rows] == ["IT-1"]


async def test_the_text_search_uses_its_index(superuser: "asyncpg.Connection[asyncpg.Record]", app_pool: Pool) -> None:
    await superuser.execute(
        "INSERT INTO ticket_history"
        " (tenant_id, tool, ticket_id, version, resolved_at, subject, description, resolution, url, language)"
        " SELECT 'acme', 'jira', i::text, '1', now(), md5(i::text), repeat(md5((i + 1)::text) || ' ', 20), '', '',"
        " 'english' FROM generate_series(1, 5000) AS i"
    )
    await superuser.execute("ANALYZE ticket_history")
    scans = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'ticket_history_search'"
    before = await superuser.fetchval(scans)
    async with tenant_transaction(app_pool, "acme") as connection:
        await connection.fetch(
            "SELECT * FROM search_ticket_history('jira', 'x', 'english', md5('77'), md5('1234') || ' printer', 5)"
        )
        await connection.execute("SELECT pg_stat_force_next_flush()")
    assert await superuser.fetchval(scans) == before + 1
