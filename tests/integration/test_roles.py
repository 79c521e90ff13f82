"""Who may see and do what, asked of PostgreSQL itself as each role."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from deskhand.db.errors import DatabaseUnavailableError
from deskhand.db.pool import Pool, create_pool, tenant_transaction, transaction
from deskhand.devstack.postgres import DatabaseUrls
from deskhand.settings import Settings

TENANT_TABLES = ("tenant_configs", "ticket_history", "audit_log")
READABLE_BY_APP = ("tenant_configs", "ticket_history")


@pytest.fixture
async def rows(superuser: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Tenants `a` and `b`, each with a row in every tenant table."""
    for tenant in ("a", "b"):
        await superuser.execute(
            "INSERT INTO tenant_configs (tenant_id, tool, mode, settings, webhook_secrets, connection)"
            " VALUES ($1, 'jira', 'live', '{}', '', '')",
            tenant,
        )
        await superuser.execute(_HISTORY, tenant, "T-1")
        await superuser.execute(_AUDIT, tenant)


_HISTORY = (
    "INSERT INTO ticket_history"
    " (tenant_id, tool, ticket_id, version, resolved_at, subject, description, resolution, url, language)"
    " VALUES ($1, 'jira', $2, '1', now(), 'Printer jams', 'paper', 'cleaned', '', 'english')"
)
_AUDIT = "INSERT INTO audit_log (actor, action, tenant_id) VALUES ('deskhand_app', 'tenant.add', $1)"


@pytest.fixture
async def owner(database: DatabaseUrls) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(database.owner)
    yield connection
    await connection.close()


async def test_every_table_with_tenants_is_under_forced_row_level_security(
    superuser: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    found = await superuser.fetch(
        "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AS forced FROM pg_class c"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'"
        " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
    )
    assert {row["relname"]: row["forced"] for row in found} == dict.fromkeys(TENANT_TABLES, True)


async def test_no_role_of_ours_is_above_row_level_security(superuser: "asyncpg.Connection[asyncpg.Record]") -> None:
    roles = await superuser.fetch(
        "SELECT rolname, rolsuper OR rolbypassrls AS above, rolcanlogin FROM pg_roles WHERE rolname LIKE 'deskhand%'"
    )
    assert {row["rolname"]: (row["above"], row["rolcanlogin"]) for row in roles} == {
        "deskhand_owner": (False, True),
        "deskhand_app": (False, True),
        "deskhand_operator": (False, True),
        "deskhand_search": (False, False),
    }


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("table", READABLE_BY_APP)
async def test_the_app_sees_nothing_without_a_tenant_and_one_tenant_with_it(app_pool: Pool, table: str) -> None:
    async with transaction(app_pool) as connection:
        assert await connection.fetch(f"SELECT tenant_id FROM {table}") == []  # noqa: S608 - a constant of this file
    for tenant in ("a", "b"):
        async with tenant_transaction(app_pool, tenant) as connection:
            seen = await connection.fetch(f"SELECT tenant_id FROM {table}")  # noqa: S608 - a constant of this file
            assert [row["tenant_id"] for row in seen] == [tenant]


@pytest.mark.usefixtures("rows")
async def test_the_tenant_of_one_transaction_is_gone_in_the_next_on_the_same_connection(database: DatabaseUrls) -> None:
    async def leave_as_it_is(connection: object) -> None:
        """What a pooler between us and PostgreSQL does; asyncpg's own pool resets a connection that comes back."""

    pool = await asyncpg.create_pool(database.app, min_size=0, max_size=1, reset=leave_as_it_is)
    async with tenant_transaction(pool, "a") as connection:
        assert await connection.fetchval("SELECT count(*) FROM ticket_history") == 1
    async with transaction(pool) as connection:
        assert await connection.fetchval("SELECT count(*) FROM ticket_history") == 0
    await pool.close()


@pytest.mark.parametrize(
    "statement", [_HISTORY.replace("$1", "'a'").replace("$2", "'T-9'"), _AUDIT.replace("$1", "'a'")]
)
async def test_the_app_writes_nothing_without_a_tenant_or_for_another(app_pool: Pool, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with transaction(app_pool) as connection:
            await connection.execute(statement)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with tenant_transaction(app_pool, "b") as connection:
            await connection.execute(statement)
    async with tenant_transaction(app_pool, "a") as connection:
        assert await connection.execute(statement) == "INSERT 0 1"


@pytest.mark.usefixtures("rows")
async def test_the_app_changes_nothing_of_another_tenant(app_pool: Pool) -> None:
    async with tenant_transaction(app_pool, "a") as connection:
        assert await connection.execute("UPDATE ticket_history SET subject = 'x' WHERE tenant_id = 'b'") == "UPDATE 0"
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with tenant_transaction(app_pool, "a") as connection:
            await connection.execute("UPDATE ticket_history SET tenant_id = 'b', ticket_id = 'T-2'")
    async with transaction(app_pool) as connection:
        assert await connection.execute("UPDATE ticket_history SET subject = 'x'") == "UPDATE 0"


async def test_a_transaction_without_a_tenant_id_is_refused(app_pool: Pool) -> None:
    with pytest.raises(ValueError, match="tenant_id"):
        async with tenant_transaction(app_pool, ""):
            pass


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("tenant", ["", "a"])
@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_row_level_security_holds_for_the_owner_too(
    owner: "asyncpg.Connection[asyncpg.Record]", table: str, tenant: str
) -> None:
    async with owner.transaction():
        await owner.execute("SELECT set_config('deskhand.tenant_id', $1, true)", tenant)
        assert await owner.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608 - a constant of this file
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            async with owner.transaction():
                await owner.execute(_AUDIT, "a")


async def test_the_owner_cannot_become_the_role_that_sees_every_ticket(
    owner: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await owner.execute("SET ROLE deskhand_search")


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tenant_configs SET mode = 'pause'",
        "DELETE FROM tenant_configs",
        "INSERT INTO tenant_configs VALUES ('a2', 'jira', now(), NULL, 'live', '{}', '', '')",
        "DELETE FROM ticket_history",
        "SELECT * FROM audit_log",
        "UPDATE audit_log SET actor = 'nobody'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "INSERT INTO audit_log (at, actor, action, tenant_id) VALUES ('2020-01-01', 'x', 'y', 'a')",
        "UPDATE spool SET sealed = ''",
        "SELECT * FROM schema_migrations",
        "CREATE TABLE mine (x int)",
        "CREATE TEMP TABLE ticket_history (tenant_id text)",
        "CREATE SCHEMA mine",
        "SET ROLE deskhand_operator",
        "SET ROLE deskhand_search",
    ],
)
async def test_the_app_may_not(app_pool: Pool, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with tenant_transaction(app_pool, "a") as connection:
            await connection.execute(statement)


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET actor = 'nobody'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "INSERT INTO audit_log (at, actor, action, tenant_id) VALUES ('2020-01-01', 'x', 'y', 'a')",
        "INSERT INTO audit_log (id, actor, action, tenant_id) OVERRIDING SYSTEM VALUE VALUES (1, 'x', 'y', 'a')",
        "ALTER TABLE audit_log DISABLE ROW LEVEL SECURITY",
        "DROP TABLE audit_log",
        "UPDATE ticket_history SET subject = 'x'",
        "INSERT INTO ticket_history (tenant_id) VALUES ('a')",
        "SELECT search_ticket_history('jira', 'x', 'english', 'printer', '', 5)",
        "CREATE TABLE mine (x int)",
    ],
)
async def test_the_operator_may_not(operator_pool: Pool, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(operator_pool) as connection:
            await connection.execute(statement)


@pytest.mark.parametrize("tenant_id", ["b", None])
async def test_the_app_enters_nothing_in_the_audit_log_but_for_the_tenant_of_its_transaction(
    app_pool: Pool, superuser: "asyncpg.Connection[asyncpg.Record]", tenant_id: str | None
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with tenant_transaction(app_pool, "a") as connection:
            await connection.execute(_AUDIT, tenant_id)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with transaction(app_pool) as connection:
            await connection.execute(_AUDIT, tenant_id)
    assert await superuser.fetchval("SELECT count(*) FROM audit_log") == 0


async def test_the_app_enters_nothing_in_another_name(app_pool: Pool) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with tenant_transaction(app_pool, "a") as connection:
            await connection.execute(_AUDIT.replace("'deskhand_app'", "'an operator'"), "a")


async def test_an_entry_of_the_audit_log_has_the_time_of_the_database(
    operator_pool: Pool, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    before = await superuser.fetchval("SELECT clock_timestamp()")
    async with transaction(operator_pool) as connection:
        await connection.execute(_AUDIT, None)
    at = await superuser.fetchval("SELECT at FROM audit_log")
    assert before <= at <= await superuser.fetchval("SELECT clock_timestamp()")


@pytest.mark.usefixtures("rows")
async def test_the_operator_crosses_tenants(operator_pool: Pool) -> None:
    async with transaction(operator_pool) as connection:
        for table in TENANT_TABLES:
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 2  # noqa: S608 - a constant


async def test_spooled_deliveries_can_be_put_in_and_taken_out(app_pool: Pool) -> None:
    async with transaction(app_pool) as connection:
        await connection.execute(
            "INSERT INTO spool (tenant_hash, ticket_hash, run_hash, sealed) VALUES ('a', 'b', 'c', 'd')"
        )
        assert await connection.execute("DELETE FROM spool") == "DELETE 1"


async def test_a_database_that_is_not_there_is_said_to_be_unavailable_without_the_password(
    database: DatabaseUrls,
) -> None:
    planted = "planted-password-5512"
    refused = f"postgresql://deskhand_app:{planted}@127.0.0.1:1/deskhand"
    wrong = database.app.replace(database.app.split(":")[2].split("@")[0], planted)
    unusable = f"postgresql://deskhand_app:{planted}@127.0.0.1:port/deskhand"
    for url in (refused, wrong, unusable, planted):
        pool = await create_pool(url, Settings())
        with pytest.raises(DatabaseUnavailableError) as caught:
            async with transaction(pool):
                pass
        assert planted not in str(caught.value)
        await pool.close()


async def test_a_session_that_is_cut_off_is_said_to_be_unavailable_and_the_next_works(
    app_pool: Pool, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async def cut_off() -> None:
        async with transaction(app_pool) as connection:
            await superuser.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
            await connection.execute("SELECT 1")

    with pytest.raises(DatabaseUnavailableError):
        await cut_off()
    async with transaction(app_pool) as connection:
        assert await connection.fetchval("SELECT 1") == 1
