"""What the audit log says of a keyring: when a key was made, put in front, and everything sealed with it.

`keys.rotate` stands for the steps of a rotation (`add`, `reseal`, and `done`, when nothing that opens is left under
another key), `keys.promote` for the moment before which the key sealed nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deskhand.db.pool import Pool, transaction
from deskhand.keys.rings import RingKind

ROTATE, PROMOTE, REMOVE, STATUS = "keys.rotate", "keys.promote", "keys.remove", "keys.status"
ADD, RESEAL, DONE = "add", "reseal", "done"

_LAST = """
SELECT at, detail->>'key' AS key FROM audit_log WHERE action = $1 AND detail @> $2::jsonb ORDER BY id DESC LIMIT 1
"""
_FIRST = """
SELECT at, detail->>'key' AS key FROM audit_log
WHERE action = $1 AND detail @> $2::jsonb AND ($3::timestamptz IS NULL OR at > $3) ORDER BY id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """What was done to a key, and when (UTC, by the database's clock)."""

    key: str
    at: datetime


class KeyLog:
    """The entries about one keyring, over a pool of the role `deskhand_operator`.

    Every method raises `DatabaseUnavailableError` where the database cannot be asked.
    """

    def __init__(self, pool: Pool, kind: RingKind) -> None:
        self._pool = pool
        self._kind = kind

    async def made(self, key: str | None = None) -> KeyEntry | None:
        """The last key that a rotation made, or when it made this one."""
        return await self._last(ROTATE, step=ADD, key=key)

    async def promoted(self, key: str) -> KeyEntry | None:
        """When this key was last put in front, or first found there."""
        return await self._last(PROMOTE, key=key)

    async def succeeded(self, key: str) -> KeyEntry | None:
        """The key that was last put in front in this one's stead."""
        return await self._last(PROMOTE, instead_of=key)

    async def finished(self, key: str) -> KeyEntry | None:
        """When everything that opens was found to be sealed with this key, the primary one."""
        return await self._last(ROTATE, step=DONE, key=key)

    async def waits(self, key: str) -> bool:
        """Whether a rotation made this key, and nobody has put it in front yet: nothing can be sealed with it."""
        return await self.made(key) is not None and await self.promoted(key) is None

    async def out_of_use(self, key: str, primary: str) -> datetime | None:
        """From when on nothing that was begun can be sealed with this key; `None` where the log does not tell."""
        promoted = await self.promoted(key)
        successor = await self.succeeded(key)
        for next_key in (*([successor.key] if successor else []), primary):
            # The first time: sealing anew once more does not make it younger.
            finished = await self._first(ROTATE, promoted.at if promoted else None, step=DONE, key=next_key)
            if finished is not None:
                return finished.at
        return None

    async def _last(self, action: str, **detail: Any) -> KeyEntry | None:
        return await self._entry(_LAST, action, detail)

    async def _first(self, action: str, after: datetime | None, **detail: Any) -> KeyEntry | None:
        return await self._entry(_FIRST, action, detail, after)

    async def _entry(self, query: str, action: str, detail: Mapping[str, Any], *more: Any) -> KeyEntry | None:
        wanted = {"ring": str(self._kind), **{name: value for name, value in detail.items() if value is not None}}
        async with transaction(self._pool) as connection:
            row = await connection.fetchrow(query, action, json.dumps(wanted), *more)
        return None if row is None else KeyEntry(row["key"], row["at"])
