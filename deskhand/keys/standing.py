"""How each key of a ring stands: what is sealed with it, and whether it can be removed."""

from dataclasses import dataclass, field

from temporalio.client import Client

from deskhand.db.pool import Pool
from deskhand.keys.holding import SLACK, closed_runs, open_runs_held, rows_held, schedules_held
from deskhand.keys.log import KeyLog
from deskhand.keys.rings import Ring, RingKind
from deskhand.runs.wording import counted

PRIMARY, OLDER, NEW, MISSING = "primary", "older", "new", "missing"
"""It seals; it only opens; it waits to be put in front; something is sealed with it, but it is not in the ring."""


@dataclass(frozen=True, slots=True)
class Held:
    """Something that a key is needed for. A count of `None` is unknown."""

    one: str
    many: str
    count: int | None
    may: bool = False
    """Whether the count is an upper bound: these may be sealed with the key, and nothing else can be said."""

    def __str__(self) -> str:
        if self.count is None:
            return f"{self.many} (not known how many)"
        return f"{'up to ' if self.may and self.count else ''}{counted(self.count, self.one, self.many)}"


@dataclass(frozen=True, slots=True)
class KeyStanding:
    """One key of a ring."""

    key: str
    state: str
    tenants: Held
    spooled: Held | None = None
    open_runs: Held | None = None
    schedules: Held | None = None
    closed_runs: Held | None = None
    """Those that are still kept. They are only counted for keys that are not the primary one."""

    @property
    def held(self) -> tuple[Held, ...]:
        """Everything that was looked for."""
        looked_for = (self.tenants, self.spooled, self.open_runs, self.schedules, self.closed_runs)
        return tuple(held for held in looked_for if held is not None)

    def needed_by(self) -> tuple[Held, ...]:
        """What could not go on without the key, or may not."""
        return tuple(held for held in self.held if held is not self.closed_runs and held.count != 0)

    def why_kept(self) -> str:
        """Why it cannot be removed as it is; empty if it can."""
        if self.state == PRIMARY:
            return "it seals: rotate first"
        if self.state == MISSING:
            return "it is not there"
        needed = [str(held) for held in self.needed_by()]
        if needed:
            return f"it is needed by {', '.join(needed)}"
        if self.closed_runs is not None and self.closed_runs.count != 0:
            return f"{self.closed_runs} may become unreadable"
        return ""


@dataclass(frozen=True, slots=True)
class RingStanding:
    """A ring and its keys, the primary one first, those that are missing last."""

    ring: Ring
    keys: tuple[KeyStanding, ...]
    not_looked_at: str = field(default="")
    """Why nothing is known of what Temporal holds."""

    @property
    def missing(self) -> tuple[KeyStanding, ...]:
        """Keys that are needed and not there."""
        return tuple(key for key in self.keys if key.state == MISSING)


async def standing_of(pool: Pool, ring: Ring, client: Client | None, not_looked_at: str = "") -> RingStanding:
    """How a ring's keys stand now.

    Args:
        pool: of the role `deskhand_operator`.
        client: `None` where Temporal is not to be had, for the reason `not_looked_at`; the credential keys need none.

    Raises:
        DatabaseUnavailableError, RPCError: a store does not answer.
    """
    log = KeyLog(pool, ring.kind)
    held = await rows_held(pool, ring.kind)
    if client is not None and ring.kind is RingKind.PAYLOAD:
        held.open_runs, held.schedules = await open_runs_held(client), await schedules_held(client)
    of_runs = ring.kind is RingKind.PAYLOAD
    known = client is not None
    keys = []
    for key in (*ring.keyring.ids, *sorted(held.keys - set(ring.keyring.ids))):
        state = await _state(ring, key, log)
        keys.append(
            KeyStanding(
                key=key,
                state=state,
                tenants=Held("tenant", "tenants", held.tenants[key]),
                spooled=Held("spooled order", "spooled orders", held.spooled[key]) if of_runs else None,
                open_runs=Held("open run", "open runs", held.open_runs[key] if known else None) if of_runs else None,
                schedules=Held("schedule", "schedules", held.schedules[key] if known else None) if of_runs else None,
                closed_runs=await _closed(ring, key, state, log, client) if of_runs else None,
            )
        )
    return RingStanding(ring, tuple(keys), not_looked_at if of_runs else "")


async def _state(ring: Ring, key: str, log: KeyLog) -> str:
    if key not in ring.keyring.keys:
        return MISSING
    if key == ring.keyring.primary_id:
        return PRIMARY
    return NEW if await log.waits(key) else OLDER


async def _closed(ring: Ring, key: str, state: str, log: KeyLog, client: Client | None) -> Held | None:
    if state in (PRIMARY, MISSING):
        return None
    if state == NEW:
        return Held("closed run", "closed runs", 0)
    until = await log.out_of_use(key, ring.keyring.primary_id)
    count = await closed_runs(client, until + SLACK) if client is not None and until is not None else None
    return Held("closed run", "closed runs", count, may=True)
