"""The audit log: who did what to which tenant. Entries can be added and read, by no role of ours changed or removed."""

import json
import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deskhand.db.pool import Connection, Pool, transaction

_ENTRIES = """
SELECT at, actor, action, tenant_id, detail FROM audit_log
WHERE ($1::text IS NULL OR tenant_id = $1 OR detail->'tenants' ? $1) AND ($2::text IS NULL OR action LIKE $2)
ORDER BY id DESC LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log."""

    at: datetime
    """UTC, by the database's clock."""
    actor: str
    action: str
    """What was done, such as `tenant.add`."""
    tenant_id: str | None
    """`None`: it concerns no one tenant."""
    detail: Mapping[str, Any]


async def record(connection: Connection, actor: str, action: str, tenant_id: str | None = None, **detail: Any) -> None:
    """Add an entry, in the transaction of `connection` (role `deskhand_operator`).

    Args:
        detail: plain values for JSON. Nothing secret, and nothing of a ticket but its id.
    """
    await connection.execute(
        "INSERT INTO audit_log (actor, action, tenant_id, detail) VALUES ($1, $2, $3, $4)",
        *(actor, action, tenant_id, json.dumps(detail)),
    )


async def entries(
    pool: Pool, *, tenant_id: str | None = None, area: str | None = None, limit: int = 50
) -> tuple[Entry, ...]:
    """The latest entries, the newest first, over a pool of the role `deskhand_operator`.

    Args:
        area: the part of an action before its dot, such as `tenant`.

    Raises:
        DatabaseUnavailableError: the database cannot be asked now.
    """
    async with transaction(pool) as connection:
        rows = await connection.fetch(_ENTRIES, tenant_id, None if area is None else f"{area}.%", limit)
    return tuple(
        Entry(row["at"], row["actor"], row["action"], row["tenant_id"], json.loads(row["detail"])) for row in rows
    )


def operating_system_user() -> str:
    """The account that runs this process, as the operating system knows it."""
    # Not getpass.getuser: that believes the environment.
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # an account without a name, as in some containers
        return f"uid {os.getuid()}"
