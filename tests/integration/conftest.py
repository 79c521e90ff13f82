"""A PostgreSQL of the tests' own, migrated once; every test that asks for a pool starts with empty tables."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from deskhand.crypto.keyring import Keyring
from deskhand.db.migrate import migrate
from deskhand.db.pool import Pool, create_pool
from deskhand.devstack.postgres import DatabaseUrls, PostgresCluster
from deskhand.devstack.state import free_ports
from deskhand.settings import Settings
from deskhand.tenants.admin import TenantAdmin


@pytest.fixture(scope="session")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PostgresCluster]:
    """The server; its log is `folder / "postgres.log"`."""
    (port,) = free_ports(1)
    cluster = PostgresCluster(tmp_path_factory.mktemp("postgres"), port)
    yield cluster
    await cluster.remove()


@pytest.fixture(scope="session")
async def database(cluster: PostgresCluster) -> DatabaseUrls:
    """Addresses of the migrated database, one per role."""
    urls = await cluster.start()
    await migrate(urls.owner, urls.app, urls.operator)
    return urls


@pytest.fixture
async def superuser(database: DatabaseUrls) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection that sees and may do everything, over tables that were emptied for this test."""
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(database.superuser)
    await connection.execute("TRUNCATE tenant_configs, ticket_history, spool, audit_log RESTART IDENTITY")
    yield connection
    await connection.close()


@pytest.fixture
async def app_pool(database: DatabaseUrls, superuser: "asyncpg.Connection[asyncpg.Record]") -> AsyncIterator[Pool]:
    """What starter and worker have."""
    pool = await create_pool(database.app, Settings(database_pool_size=4))
    yield pool
    await pool.close()


@pytest.fixture
async def operator_pool(database: DatabaseUrls, superuser: "asyncpg.Connection[asyncpg.Record]") -> AsyncIterator[Pool]:
    """What the command line has."""
    pool = await create_pool(database.operator, Settings(database_pool_size=2))
    yield pool
    await pool.close()


@pytest.fixture(scope="session")
def payload_keys() -> Keyring:
    """Opens webhook secrets."""
    return Keyring.parse(Keyring.generate_text("pay"))


@pytest.fixture(scope="session")
def credential_keys() -> Keyring:
    """Opens connections."""
    return Keyring.parse(Keyring.generate_text("cred"))


@pytest.fixture
def admin(operator_pool: Pool, payload_keys: Keyring, credential_keys: Keyring) -> TenantAdmin:
    """Adds and changes tenants, as `tester`."""
    return TenantAdmin(operator_pool, payload_keys, credential_keys, actor="tester")
