"""An audit entry for every command of an operator.

A command that changes something is recorded before it does, and does nothing where it cannot be: what Temporal is told
cannot share a transaction with the entry. One that only looks goes on, and says that nobody will know.
"""

import sys
from typing import Any

import asyncpg

from deskhand.audit import operating_system_user, record
from deskhand.cli.errors import CliError
from deskhand.db.errors import DatabaseUnavailableError, first_line
from deskhand.db.pool import create_pool, transaction
from deskhand.runs.wording import one_line
from deskhand.settings import Settings, SettingsError


async def audit(settings: Settings, action: str, tenant_id: str | None = None, **detail: Any) -> None:
    """Record what is about to be done.

    Raises:
        CliError: it cannot be recorded, and so must not be done.
    """
    why = await _recorded(settings, action, tenant_id, detail)
    if why is not None:
        raise CliError(f"nothing was done: it cannot be entered in the audit log: {why}")


async def audit_look(settings: Settings, action: str, tenant_id: str | None = None, **detail: Any) -> None:
    """Record what is about to be looked at; where that fails, one line on standard error says so."""
    why = await _recorded(settings, action, tenant_id, detail)
    if why is not None:
        print(f"deskhand: not entered in the audit log: {why}", file=sys.stderr)


async def _recorded(settings: Settings, action: str, tenant_id: str | None, detail: dict[str, Any]) -> str | None:
    """Why it could not be recorded; `None`: it was."""
    try:
        pool = await create_pool(settings.secret("database_operator_url"), settings)
    except SettingsError as error:
        return str(error)
    try:
        async with transaction(pool) as connection:
            await record(connection, operating_system_user(), action, tenant_id, **detail)
    except DatabaseUnavailableError as error:
        return one_line(str(error))
    except asyncpg.PostgresError as error:
        return f"the database refuses: {one_line(first_line(error))}"
    finally:
        await pool.close()
    return None
