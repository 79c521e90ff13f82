"""How the keys of a ring stand, looked up and printed."""

from collections.abc import Sequence
from typing import Any

from deskhand.cli.auditing import audit_look
from deskhand.cli.errors import CliError
from deskhand.cli.shared import temporal_client
from deskhand.db.pool import Pool, create_pool
from deskhand.keys.log import STATUS
from deskhand.keys.rings import Ring, RingKind, ring_of
from deskhand.keys.standing import MISSING, NEW, OLDER, PRIMARY, KeyStanding, RingStanding, standing_of
from deskhand.settings import Settings

_STATES = {PRIMARY: "primary", OLDER: "older", NEW: "new, seals nothing yet", MISSING: "NOT IN THE RING"}


async def look(settings: Settings, kinds: Sequence[RingKind]) -> list[RingStanding]:
    """The rings that are set, as they stand; entered in the audit log.

    Raises:
        CliError: none of them is set.
        SettingsError: one is unusable.
        DatabaseUnavailableError: the database cannot be asked.
    """
    rings = [ring for ring in (ring_of(settings, kind) for kind in kinds) if ring is not None]
    if not rings:
        raise CliError(f"{' and '.join(kind.variable for kind in kinds)}: not set, nor as …_FILE")
    url = settings.secret("database_operator_url")
    await audit_look(settings, STATUS, rings=[str(ring.kind) for ring in rings])
    pool = await create_pool(url, settings)
    try:
        return [await standing(settings, pool, ring) for ring in rings]
    finally:
        await pool.close()


async def standing(settings: Settings, pool: Pool, ring: Ring) -> RingStanding:
    """One ring as it stands, also where Temporal does not answer."""
    if ring.kind is RingKind.CREDENTIAL:
        return await standing_of(pool, ring, None)
    try:
        async with temporal_client(settings) as client:
            return await standing_of(pool, ring, client)
    except CliError as error:
        return await standing_of(pool, ring, None, str(error))


def print_standing(standing: RingStanding) -> None:
    """A line for the ring, and one or two for each key."""
    print(f"{standing.ring.kind} keys, in {standing.ring.place}:")
    for key in standing.keys:
        held = ", ".join(str(held) for held in key.held)
        print(f"  {key.key}  {_STATES[key.state]}: {held}")
        if key.state == MISSING:
            print("    what is sealed with it cannot be opened: put this key back, behind the primary one")
        elif key.state != PRIMARY:
            why = key.why_kept()
            print(
                f"    cannot be removed: {why}" if why else f"    can be removed: {_removal(standing.ring.kind, key)}"
            )
    if standing.not_looked_at:
        print(f"  runs and schedules: not looked at: {standing.not_looked_at}")


def _removal(kind: RingKind, key: KeyStanding) -> str:
    return f"`deskhand keys remove --ring {kind} {key.key}`"


def standing_json(standing: RingStanding) -> dict[str, Any]:
    """The same for a program. A count of `null` is not known."""
    file = standing.ring.file
    return {
        "ring": standing.ring.kind,
        "variable": None if file else standing.ring.kind.variable,
        "file": str(file) if file else None,
        "not_looked_at": standing.not_looked_at or None,
        "keys": [
            {
                "key": key.key,
                "state": key.state,
                **{
                    name: held.count
                    for name, held in (
                        ("tenants", key.tenants),
                        ("spooled", key.spooled),
                        ("open_runs", key.open_runs),
                        ("schedules", key.schedules),
                        ("closed_runs_at_most", key.closed_runs),
                    )
                    if held is not None
                },
                "can_be_removed": not key.why_kept(),
                "why_not": key.why_kept() or None,
            }
            for key in standing.keys
        ],
    }
