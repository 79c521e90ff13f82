"""The steps of a rotation, and removing a key.

Each step is entered in the audit log before it is done, and told afterwards. Whatever ends the process, the next one
finds in the file and in the log where to go on.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from enum import Enum, auto

from temporalio.client import Client

from deskhand.cli.auditing import audit, audit_look
from deskhand.cli.errors import CliError
from deskhand.cli.key_status import print_standing, standing
from deskhand.cli.progress import Progress
from deskhand.cli.shared import temporal_client
from deskhand.crypto.keyring import Keyring
from deskhand.db.pool import Pool, create_pool
from deskhand.keys.log import ADD, DONE, PROMOTE, REMOVE, RESEAL, ROTATE, STATUS, KeyLog
from deskhand.keys.resealing import Resealed, reseal_rows, reseal_schedules
from deskhand.keys.rings import Ring, RingFile, RingKind, ring_of
from deskhand.keys.standing import OLDER
from deskhand.runs.wording import counted
from deskhand.settings import Settings

BETWEEN_PASSES = 0.5
"""Seconds. What a pass had to leave is held for two at most: so long may a drainer's start take."""


class Step(Enum):
    """What may be done alone."""

    ADD = auto()
    PROMOTE = auto()
    RESEAL = auto()


async def rotate_ring(settings: Settings, kind: RingKind, settle: float, only: Step | None) -> bool:
    """Rotate a keyring, or do one step of that. Whether nothing is left that cannot be opened.

    Raises:
        CliError, SettingsError, DatabaseUnavailableError: the step that was due cannot be done; what was done is done.
    """
    ring = _required(settings, kind)
    pool = await create_pool(settings.secret("database_operator_url"), settings)
    try:
        return await _Rotation(settings, ring, pool, settle).run(only)
    finally:
        await pool.close()


async def remove_key(settings: Settings, kind: RingKind, key: str, settle: float, closed_too: bool) -> None:
    """Take a key out of a keyring, unless something needs it.

    Raises:
        CliError: something does, or it cannot be found out.
    """
    ring = _required(settings, kind)
    if key not in ring.keyring.keys:
        raise CliError(f"{key}: is not among the {kind} keys; see `deskhand keys status`")
    if key == ring.keyring.primary_id:
        raise CliError(
            f"{key}: is the primary one of the {kind} keys; `deskhand keys rotate --ring {kind}` replaces it"
        )
    pool = await create_pool(settings.secret("database_operator_url"), settings)
    try:
        await _refuse_unsettled(KeyLog(pool, kind), ring, settle)
        found = await standing(settings, pool, ring)
    finally:
        await pool.close()
    if found.not_looked_at:
        raise CliError(f"{key}: stays: nobody knows what runs need it: {found.not_looked_at}")
    (asked,) = (one for one in found.keys if one.key == key)
    why = asked.why_kept()
    if why and (asked.needed_by() or not closed_too):
        way_out = "" if asked.needed_by() else "; --closed-runs-become-unreadable removes it all the same"
        raise CliError(f"{key}: stays: {why}{way_out}")
    if ring.file is None:
        await audit_look(settings, STATUS, rings=[str(kind)])
        print(f"{key}: nothing needs it. Take it out of {kind.variable} everywhere, and start every process again.")
        return
    await audit(settings, REMOVE, ring=str(kind), key=key)
    RingFile(kind, ring.file).remove(key)
    print(f"{key}: is removed from {ring.place}. Processes see that within seconds.")


async def _refuse_unsettled(log: KeyLog, ring: Ring, settle: float) -> None:
    """Somebody who does not know yet which key is in front may still seal with the old one."""
    primary = ring.keyring.primary_id
    for done, what in (
        (await log.promoted(primary), "was put in front"),
        # Workers have rows in memory for seconds, as they were sealed before.
        (await log.finished(primary), "had everything sealed anew with it"),
    ):
        passed = max(datetime.now(UTC) - done.at, timedelta(0)) if done is not None else timedelta.max
        if passed < timedelta(seconds=settle):
            raise CliError(
                f"{primary}: {what} {passed.total_seconds():.0f} s ago: wait until every process has surely seen that "
                f"({settle:g} s, see --settle)"
            )


def _required(settings: Settings, kind: RingKind) -> Ring:
    ring = ring_of(settings, kind)
    if ring is None:
        raise CliError(f"{kind.variable}: is not set, nor {kind.variable}_FILE")
    return ring


class _Rotation:
    """A rotation of one ring, from wherever it is to its end."""

    def __init__(self, settings: Settings, ring: Ring, pool: Pool, settle: float) -> None:
        self._settings = settings
        self._ring = ring
        self._kind = ring.kind
        self._pool = pool
        self._settle = settle
        self._log = KeyLog(pool, ring.kind)

    async def run(self, only: Step | None) -> bool:
        if self._ring.file is None:
            if only in (Step.ADD, Step.PROMOTE):
                raise CliError(
                    f"--add-only, --promote: the {self._kind} keys are in the variable {self._kind.variable}: change "
                    "that by hand, and run this without them afterwards"
                )
            well = await self._reseal(self._ring.keyring)
            self._tell_by_hand()
            return well
        file = RingFile(self._kind, self._ring.file)
        if only is Step.RESEAL:
            return await self._reseal(file.read())
        key, due = await self._where(file.read())
        if only is Step.PROMOTE and due is Step.ADD:
            raise CliError("--promote: no key waits to be put in front; --add-only makes one")
        if only is Step.ADD and due is Step.RESEAL:
            raise CliError(f"--add-only: the rotation to {key} is not finished: run this without it")
        if due is Step.ADD:
            key = await self._add(file)
        if only is Step.ADD:
            print(
                f"Have every process read the file with {key}, then: deskhand keys rotate --ring {self._kind} --promote"
            )
            return True
        if due is not Step.RESEAL:
            if only is None:
                await self._wait()
            await self._promote(file, key)
        if only is Step.PROMOTE:
            print(f"Have every process read the file as it is now, then: deskhand keys rotate --ring {self._kind}")
            return True
        await self._wait()
        return await self._reseal(file.read())

    async def _where(self, keyring: Keyring) -> tuple[str, Step]:
        """Which key the rotation is about, and the step that is due; told, if it was begun before."""
        made = await self._log.made()
        if made is None or made.key not in keyring.keys or await self._log.finished(made.key) is not None:
            return "", Step.ADD
        due = Step.RESEAL
        if made.key != keyring.primary_id:
            last = await self._log.succeeded(keyring.primary_id)
            if not await self._log.waits(made.key) and (last is None or last.key != made.key):
                return "", Step.ADD  # somebody has put another one in front by hand
            due = Step.PROMOTE
        self._say(f"going on with the rotation to {made.key}, begun {made.at:%Y-%m-%d %H:%M:%S} UTC")
        return made.key, due

    async def _add(self, file: RingFile) -> str:
        key = file.new_id()
        await audit(self._settings, ROTATE, ring=str(self._kind), key=key, step=ADD)
        file.add(key)
        self._say(f"{key}: made, behind {file.read().primary_id}")
        return key

    async def _promote(self, file: RingFile, key: str) -> None:
        await audit(self._settings, PROMOTE, ring=str(self._kind), key=key, instead_of=file.read().primary_id)
        file.promote(key)
        self._say(f"{key}: in front, it seals from now on")

    async def _wait(self) -> None:
        self._say(f"waiting {self._settle:g} s, until every process has surely seen that")
        await asyncio.sleep(self._settle)

    async def _reseal(self, keyring: Keyring) -> bool:
        primary = keyring.primary_id
        if await self._log.promoted(primary) is None:
            # Nobody has entered when it was put in front; from now on it is known that it was.
            await audit(self._settings, PROMOTE, ring=str(self._kind), key=primary, found=True)
        await audit(self._settings, ROTATE, ring=str(self._kind), key=primary, step=RESEAL)
        so_far = Resealed()
        progress = Progress()
        try:
            while await reseal_rows(
                self._pool, self._kind, keyring, so_far, lambda now: progress.say(f"{now.done} sealed anew")
            ):
                progress.say(f"{so_far.done} sealed anew, {so_far.held} in use")
                await asyncio.sleep(BETWEEN_PASSES)
            if self._kind is RingKind.PAYLOAD:
                async with temporal_client(self._settings) as client:
                    await self._reseal_schedules(client, keyring, so_far)
        finally:
            progress.clear()
            self._say(f"sealed anew with {primary}: {_done(self._kind, so_far)}")
        for problem in so_far.problems:
            print(f"  cannot be opened: {problem}")
        # What does not open is sealed with none of these keys: waiting for it would keep a stolen one in front.
        await audit(self._settings, ROTATE, ring=str(self._kind), key=primary, step=DONE)
        await self._tell_what_is_left(keyring)
        return not so_far.problems

    @staticmethod
    async def _reseal_schedules(client: Client, keyring: Keyring, so_far: Resealed) -> None:
        another = await reseal_schedules(client, keyring, so_far)
        while another:
            await asyncio.sleep(BETWEEN_PASSES)  # Temporal takes an update over a moment after it has answered
            another = await reseal_schedules(client, keyring, so_far)

    async def _tell_what_is_left(self, keyring: Keyring) -> None:
        found = await standing(self._settings, self._pool, Ring(self._kind, keyring, self._ring.file))
        print_standing(found)
        for key in found.keys:
            if key.state == OLDER and key.why_kept():
                print(f"Once nothing needs {key.key}: deskhand keys remove --ring {self._kind} {key.key}")

    def _tell_by_hand(self) -> None:
        variable, rotate = self._kind.variable, f"deskhand keys rotate --ring {self._kind}"
        if len(self._ring.keyring.ids) == 1:
            print(
                f"{variable} is changed by hand. Put a new key behind this one, wherever it is set, and start every "
                f"process again; then put it in front, everywhere, and start them again; then: {rotate}"
            )

    @staticmethod
    def _say(text: str) -> None:
        print(text, flush=True)


def _done(kind: RingKind, so_far: Resealed) -> str:
    tenants = counted(so_far.tenants, "tenant")
    if kind is RingKind.CREDENTIAL:
        return tenants
    return f"{tenants}, {counted(so_far.spooled, 'spooled order')}, {counted(so_far.schedules, 'schedule')}"
