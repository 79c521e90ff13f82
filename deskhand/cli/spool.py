"""What waits in the spool, as the commands about runs say it. They work without the database, and say so."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any, TypeVar

import asyncpg

from deskhand.crypto.keyring import keyring_of
from deskhand.db.errors import DatabaseUnavailableError, first_line
from deskhand.db.pool import create_pool
from deskhand.runs.spool import Spool, SpoolState
from deskhand.runs.wording import counted, one_line, span
from deskhand.settings import Settings, SettingsError

T = TypeVar("T")


async def spool_state(settings: Settings) -> SpoolState | str:
    """What is in the spool, or why that cannot be said."""
    return await _asked(settings, Spool.state)


async def redrive_spool(settings: Settings, tenant: str | None) -> None:
    """Let what is in quarantine try again, and print of how many deliveries that is."""
    done = await _asked(settings, lambda spool: spool.redrive(tenant))
    if isinstance(done, str):
        print(f"spool: its quarantine was not redriven: {done}")
    elif done:
        print(f"{counted(done, 'delivery', 'deliveries')} let out of the spool's quarantine")
    else:
        print("nothing was in the spool's quarantine")


def print_spool(state: SpoolState | str) -> None:
    """One line about what waits there, and one about its quarantine; nothing where there is nothing."""
    if isinstance(state, str):
        print(f"spool: not looked at: {state}")
        return
    if state.waiting:
        oldest = span(timedelta(seconds=state.oldest_seconds or 0))
        print(
            f"spool: waiting for Temporal: {counted(state.waiting, 'delivery', 'deliveries')}, the oldest for {oldest}"
        )
    if state.refused:
        reasons = "; ".join(f"{one_line(found.reason, 120)}: {found.orders}" for found in state.reasons)
        print(f"spool: in quarantine: {state.refused} ({reasons}); `deskhand runs redrive` lets them try again")


def spool_json(state: SpoolState | str) -> dict[str, Any]:
    """The same for a program."""
    return {"not_looked_at": state} if isinstance(state, str) else asdict(state)


async def _asked(settings: Settings, ask: Callable[[Spool], Awaitable[T]]) -> T | str:
    try:
        url, keys = settings.secret("database_operator_url"), keyring_of(settings, "payload_keys")
    except SettingsError as error:
        return str(error)
    pool = await create_pool(url, settings)
    try:
        return await ask(Spool(pool, keys))
    except DatabaseUnavailableError as error:
        return one_line(str(error))
    except asyncpg.PostgresError as error:
        return f"the database refuses: {one_line(first_line(error))}"
    finally:
        await pool.close()
