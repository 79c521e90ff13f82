"""The connection pool, and the only ways into it: a transaction, and a transaction that is one tenant's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from deskhand.db.errors import DatabaseUnavailableError, NotMigratedError, first_line
from deskhand.settings import Settings

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"

CONNECT_SECONDS = 2.0
"""How long one attempt to connect may take."""
ACQUIRE_SECONDS = 4.0
"""How long a caller waits for a free connection."""
COMMAND_SECONDS = 10.0
"""How long one statement may take."""

_LOST = (
    ConnectionError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)
_NOT_MIGRATED = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
)


async def connect(*args: Any, **options: Any) -> "asyncpg.Connection[asyncpg.Record]":
    """`asyncpg.connect`, with every failure as one kind of error.

    Raises:
        DatabaseUnavailableError: not reachable, or the login was refused. Never quotes the address: it has a password.
    """
    try:
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(*args, **options)
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        raise DatabaseUnavailableError(
            f"the database refuses us: {first_line(error)}; "
            "check the DESKHAND_DATABASE_… address, and whether `deskhand migrate` has run with it"
        ) from None
    except TimeoutError:
        raise DatabaseUnavailableError(f"the database does not answer within {CONNECT_SECONDS:g} s") from None
    except (OSError, asyncpg.PostgresError) as error:
        raise DatabaseUnavailableError(f"the database cannot be reached: {first_line(error)}") from None
    except (ValueError, asyncpg.InterfaceError):
        # These messages quote pieces of the address, the password among them.
        raise DatabaseUnavailableError(
            "the database address is unusable: it must read postgresql://user:password@host:port/database, "
            "with %-escapes for special characters in the password"
        ) from None
    return connection


async def create_pool(url: str, settings: Settings) -> Pool:
    """A pool over `url`. It connects on first use, so that a process can start while the database is down.

    Close it with `await pool.close()`.
    """
    return await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=settings.database_pool_size,
        connect=connect,
        timeout=CONNECT_SECONDS,
        command_timeout=COMMAND_SECONDS,
        statement_cache_size=settings.statement_cache_size,
        server_settings={"application_name": "deskhand"},
    )


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A transaction with no tenant: for the operator's role, and for tables that belong to no tenant.

    Raises:
        DatabaseUnavailableError: the database cannot be asked now.
        NotMigratedError: it lacks what this version needs.
    """
    try:
        async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection, connection.transaction():
            yield connection
    except _NOT_MIGRATED as error:
        raise NotMigratedError(
            f"the database is not migrated for this version ({first_line(error)}): run `deskhand migrate`"
        ) from None
    except _LOST as error:
        raise DatabaseUnavailableError(f"the database went away: {first_line(error)}") from error


@asynccontextmanager
async def tenant_transaction(pool: Pool, tenant_id: str) -> AsyncIterator[Connection]:
    """A transaction that sees and writes the rows of this tenant only: row-level security reads its setting.

    The only way to a tenant's rows. The setting ends with the transaction, so a pooled connection cannot carry it over.

    Raises:
        ValueError: no tenant is named.
        DatabaseUnavailableError: the database cannot be asked now.
    """
    if not tenant_id:
        raise ValueError("tenant_id: is empty")
    async with transaction(pool) as connection:
        await connection.execute("SELECT set_config('deskhand.tenant_id', $1, true)", tenant_id)
        yield connection
