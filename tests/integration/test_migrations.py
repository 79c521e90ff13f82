"""The runner, on databases of each test's own."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from deskhand.db.errors import DatabaseUnavailableError, MigrationError, NotMigratedError
from deskhand.db.migrate import migrate, read_migrations
from deskhand.db.pool import create_pool, tenant_transaction
from deskhand.devstack.postgres import DatabaseUrls, PostgresCluster
from deskhand.settings import Settings


@pytest.fixture
async def empty(database: DatabaseUrls, superuser: "asyncpg.Connection[asyncpg.Record]") -> AsyncIterator[DatabaseUrls]:
    """Addresses of a database with nothing in it, on a server that has the roles already."""
    await superuser.execute("CREATE DATABASE scratch OWNER deskhand_owner")
    urls = (database.superuser, database.owner, database.app, database.operator)
    yield DatabaseUrls(*(urlsplit(url)._replace(path="/scratch").geturl() for url in urls))
    await superuser.execute("DROP DATABASE scratch WITH (FORCE)")


async def _tables(urls: DatabaseUrls) -> set[str]:
    connection = await asyncpg.connect(urls.superuser)
    try:
        rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await connection.close()
    return {row["tablename"] for row in rows}


async def test_it_applies_each_once_and_both_roles_can_log_in(empty: DatabaseUrls) -> None:
    names = tuple(migration.name for migration in read_migrations())
    assert await migrate(empty.owner, empty.app, empty.operator) == names
    assert await migrate(empty.owner, empty.app, empty.operator) == ()
    for url, role in ((empty.app, "deskhand_app"), (empty.operator, "deskhand_operator")):
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT current_user") == role
        await connection.close()


async def test_several_at_once_apply_each_once(empty: DatabaseUrls) -> None:
    applied = await asyncio.gather(*(migrate(empty.owner, empty.app, empty.operator) for _ in range(4)))
    assert sorted(len(names) for names in applied) == [0, 0, 0, len(read_migrations())]


async def test_a_file_that_changed_after_it_was_applied_is_an_error(empty: DatabaseUrls) -> None:
    await migrate(empty.owner, empty.app, empty.operator)
    first, *others = read_migrations()
    changed = [replace(first, sql=first.sql + "\n"), *others]
    with pytest.raises(MigrationError, match=r"0001_roles: its file was changed after it was applied"):
        await migrate(empty.owner, empty.app, empty.operator, changed)


async def test_a_database_that_is_newer_is_an_error(empty: DatabaseUrls) -> None:
    await migrate(empty.owner, empty.app, empty.operator)
    with pytest.raises(MigrationError, match=r"0003_history_search, which this version does not know"):
        await migrate(empty.owner, empty.app, empty.operator, read_migrations()[:2])


async def test_all_is_applied_or_nothing(empty: DatabaseUrls) -> None:
    good, other, third, *_ = read_migrations()
    broken = replace(third, sql="CREATE TABLE half (x int); SELECT no_such_function()")
    with pytest.raises(MigrationError, match=r"0003_history_search: PostgreSQL refuses: function no_such_function"):
        await migrate(empty.owner, empty.app, empty.operator, [good, other, broken])
    assert await _tables(empty) == set()


async def test_no_password_stands_in_the_server_log(
    empty: DatabaseUrls, cluster: PostgresCluster, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await superuser.execute("ALTER DATABASE scratch SET log_statement = 'all'")
    await migrate(empty.owner, empty.app, empty.operator)
    log = (cluster.folder / "postgres.log").read_text()
    assert "ALTER ROLE deskhand_app LOGIN PASSWORD 'SCRAM-SHA-256$4096:" in log
    for url in (empty.app, empty.operator):
        password = urlsplit(url).password
        assert password
        assert password not in log


async def test_an_address_of_another_role_is_refused_by_its_setting(empty: DatabaseUrls) -> None:
    with pytest.raises(MigrationError, match=r"^DESKHAND_DATABASE_URL: its user must be deskhand_app$"):
        await migrate(empty.owner, empty.owner, empty.operator)
    with pytest.raises(MigrationError, match=r"^DESKHAND_DATABASE_OPERATOR_URL: its password must be printable"):
        await migrate(empty.owner, empty.app, "postgresql://deskhand_operator@127.0.0.1/deskhand")


async def test_an_owner_that_cannot_log_in_is_one_readable_error(empty: DatabaseUrls) -> None:
    wrong = urlsplit(empty.owner)._replace(netloc=f"deskhand_owner:planted@127.0.0.1:{urlsplit(empty.owner).port}")
    with pytest.raises(DatabaseUnavailableError, match="password authentication failed for user"):
        await migrate(wrong.geturl(), empty.app, empty.operator)


async def test_a_database_without_its_tables_says_what_to_do(
    empty: DatabaseUrls, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    pool = await create_pool(empty.app, Settings())
    with pytest.raises(NotMigratedError, match="run `deskhand migrate`"):
        async with tenant_transaction(pool, "acme") as connection:
            await connection.fetch("SELECT * FROM ticket_history")
    await pool.close()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["0001_a.sql", "0003_b.sql"], "without gap or repeat"),
        (["0001_a.sql", "0001_b.sql"], "without gap or repeat"),
        (["0002_a.sql"], "without gap or repeat"),
        (["first.sql"], "first.sql: a migration is named"),
    ],
)
def test_misnumbered_files_are_refused(tmp_path: Path, names: list[str], message: str) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(MigrationError, match=message):
        read_migrations(tmp_path)
