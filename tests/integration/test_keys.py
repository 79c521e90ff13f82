"""Keys that change over a real PostgreSQL: what is sealed anew and under load, and `deskhand keys` without Temporal."""

import asyncio
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest
from pydantic import SecretStr

from deskhand.crypto.keyfile import create, write
from deskhand.crypto.keyring import Keyring
from deskhand.crypto.sealing import sealed_with
from deskhand.db.pool import Pool
from deskhand.devstack.postgres import DatabaseUrls
from deskhand.keys.holding import rows_held
from deskhand.keys.log import KeyLog
from deskhand.keys.resealing import Resealed, reseal_rows
from deskhand.keys.rings import RingFile, RingKind
from deskhand.runs.order import Order, Taken
from deskhand.runs.spool import Spool, SpoolFullError
from deskhand.settings import SettingsError
from deskhand.tenants.admin import NewTenant, TenantAdmin
from deskhand.tenants.sealing import Connection
from deskhand.tenants.store import TenantStore
from plugins.tenants import WebhookSecret
from workflows.contracts import ENHANCE_TICKET, Delivery
from workflows.identity import workflow_id

DOCUMENT = Path(__file__).parents[2] / "docs" / "keys.md"
PAYLOAD, CREDENTIAL = RingKind.PAYLOAD, RingKind.CREDENTIAL
Superuser: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


def order(tenant_id: str, ticket_id: str) -> Order:
    return Order(
        workflow=ENHANCE_TICKET,
        run=workflow_id("signed", tenant_id, ticket_id, "created"),
        ticket_id=ticket_id,
        delivery=Delivery(
            tool="signed", tenant_id=tenant_id, raw=b"{}", signature="sha256=c0ffee", received_at=datetime.now(UTC)
        ),
    )


def new_tenant(tenant_id: str) -> NewTenant:
    return NewTenant(
        id=tenant_id,
        tool="signed",
        connection=Connection({"base_url": "https://acme.example"}, {"api_key": f"planted of {tenant_id}"}),
        webhook_secrets=(WebhookSecret(SecretStr(f"secret of {tenant_id}")),),
    )


def rotated(ring: Keyring) -> Keyring:
    """The ring with a new key in front."""
    new = Keyring.parse(Keyring.generate_text("new"))
    return Keyring(new.primary_id, {**new.keys, **ring.keys})


def only_primary(ring: Keyring) -> Keyring:
    """The ring without its older keys."""
    return Keyring(ring.primary_id, {ring.primary_id: ring.keys[ring.primary_id]})


async def reseal_all(pool: Pool, kind: RingKind, ring: Keyring) -> Resealed:
    so_far = Resealed()
    while await reseal_rows(pool, kind, ring, so_far, lambda _: None):
        pass
    return so_far


async def take_all(spool: Spool) -> list[Order]:
    taken: list[Order] = []

    async def take(order: Order) -> Taken:
        taken.append(order)
        return Taken.STARTED

    while await spool.start_next(take):
        pass
    return taken


async def test_tenants_are_sealed_anew_and_read_without_the_old_keys(
    admin: TenantAdmin, operator_pool: Pool, app_pool: Pool, payload_keys: Keyring, credential_keys: Keyring
) -> None:
    for tenant_id in ("acme", "globex"):
        await admin.add(new_tenant(tenant_id))
    payload, credential = rotated(payload_keys), rotated(credential_keys)
    assert (await reseal_all(operator_pool, PAYLOAD, payload)).tenants == 2
    assert (await reseal_all(operator_pool, CREDENTIAL, credential)).tenants == 2
    assert (await reseal_all(operator_pool, PAYLOAD, payload)).done == 0, "nothing is left to do"
    config = await TenantStore(app_pool, only_primary(payload), only_primary(credential)).get("globex")
    assert config is not None
    assert config.secrets_at(config.active_from) == ("secret of globex",)
    assert (await config.connection())["api_key"] == "planted of globex"


async def test_spooled_orders_are_sealed_anew_with_their_hashes_and_quarantine(
    app_pool: Pool, operator_pool: Pool, payload_keys: Keyring, superuser: Superuser
) -> None:
    put = [order("acme", "T-1"), order("acme", "T-2"), order("globex", "T-1")]
    for one in put:
        await Spool(app_pool, payload_keys).put(one)
    refused = order("acme", "T-3")
    await Spool(app_pool, payload_keys).put(refused, refused="planted")
    before = await superuser.fetch("SELECT * FROM spool ORDER BY id")
    ring = rotated(payload_keys)
    assert (await reseal_all(operator_pool, PAYLOAD, ring)).spooled == 4
    after = await superuser.fetch("SELECT * FROM spool ORDER BY id")
    for old, new in zip(before, after, strict=True):
        assert sealed_with(new["sealed"]) == ring.primary_id
        assert [new[name] for name in ("id", "spooled_at", "reason")] == [
            old[name] for name in ("id", "spooled_at", "reason")
        ]
        assert all(old[name] != new[name] for name in ("tenant_hash", "ticket_hash", "run_hash"))
    alone = Spool(app_pool, only_primary(ring))
    assert await take_all(alone) in (put, [put[2], *put[:2]], [put[0], put[2], put[1]])
    assert await alone.redrive("acme") == 1
    assert await take_all(alone) == [refused]


async def test_an_order_that_a_drainer_holds_is_come_back_to(
    app_pool: Pool, operator_pool: Pool, payload_keys: Keyring
) -> None:
    spool, ring = Spool(app_pool, payload_keys), rotated(payload_keys)
    await spool.put(order("acme", "T-1"))
    began, let_go = asyncio.Event(), asyncio.Event()

    async def hold(_: Order) -> None:
        began.set()
        await let_go.wait()
        raise ConnectionError

    holding = asyncio.create_task(spool.start_next(hold))
    await began.wait()
    so_far = Resealed()
    try:
        assert await reseal_rows(operator_pool, PAYLOAD, ring, so_far, lambda _: None), "another pass is needed"
        assert (so_far.done, so_far.held) == (0, 1)
    finally:
        let_go.set()
        assert await holding
    assert (await reseal_all(operator_pool, PAYLOAD, ring)).spooled == 1


async def test_a_redelivery_under_the_new_key_is_no_second_row(
    app_pool: Pool, payload_keys: Keyring, superuser: Superuser
) -> None:
    old, new = Spool(app_pool, payload_keys, 2), Spool(app_pool, rotated(payload_keys), 2)
    await old.put(order("acme", "T-1"))
    await new.put(order("acme", "T-1"))
    assert await superuser.fetchval("SELECT count(*) FROM spool") == 1
    await old.put(order("acme", "T-2"), refused="planted")
    await new.put(order("acme", "T-2"), refused="planted again")
    assert (await new.state()).refused == 1, "what is refused again stays in quarantine"
    await new.put(order("acme", "T-2"))
    state = await new.state()
    assert (state.waiting, state.refused) == (2, 0), "one that came again gets another try"
    with pytest.raises(SpoolFullError):
        await new.put(order("acme", "T-3"))


@pytest.mark.parametrize("refused", ["old", "new", "neither"])
async def test_two_rows_of_one_run_become_one_that_waits(
    app_pool: Pool, operator_pool: Pool, payload_keys: Keyring, superuser: Superuser, refused: str
) -> None:
    """A process that does not know the new key yet, and one that seals with it, take the same delivery."""
    ring = rotated(payload_keys)
    knows_both_not = only_primary(ring)
    for name, keys in (("old", payload_keys), ("new", knows_both_not)):
        await Spool(app_pool, keys).put(order("acme", "T-1"), refused="planted" if name == refused else None)
    assert await superuser.fetchval("SELECT count(*) FROM spool") == 2
    await reseal_all(operator_pool, PAYLOAD, ring)
    assert len(await take_all(Spool(app_pool, knows_both_not))) == 1
    assert await superuser.fetchval("SELECT count(*) FROM spool") == 0


async def test_nothing_is_lost_where_orders_come_and_go_meanwhile(
    app_pool: Pool, operator_pool: Pool, payload_keys: Keyring, superuser: Superuser
) -> None:
    ring = rotated(payload_keys)
    old, new = Spool(app_pool, payload_keys), Spool(app_pool, ring)
    for number in range(60):
        await old.put(order(f"t-{number % 5}", f"T-{number}"))
    putting = [old.put(order("late", f"L-{number}")) for number in range(10)]
    putting += [new.put(order("new", f"N-{number}")) for number in range(10)]
    taking = asyncio.create_task(take_all(new))
    await asyncio.gather(taking, reseal_all(operator_pool, PAYLOAD, ring), *putting)
    taken = taking.result()
    await reseal_all(operator_pool, PAYLOAD, ring)
    taken += await take_all(Spool(app_pool, only_primary(ring)))
    assert await superuser.fetchval("SELECT count(*) FROM spool") == 0
    tickets = [one.ticket_id for one in taken]
    assert len(tickets) == len(set(tickets)) == 80


async def test_what_cannot_be_opened_is_named_and_left(
    admin: TenantAdmin, operator_pool: Pool, app_pool: Pool, payload_keys: Keyring
) -> None:
    await admin.add(new_tenant("acme"))
    await Spool(app_pool, payload_keys).put(order("acme", "T-1"))
    stranger = Keyring.parse(Keyring.generate_text("other"))
    so_far = await reseal_all(operator_pool, PAYLOAD, stranger)
    assert so_far.done == 0
    assert [problem.partition(":")[0] for problem in so_far.problems] == ["tenant acme", "spooled order 1"]
    held = await rows_held(operator_pool, PAYLOAD)
    assert (held.tenants, held.spooled) == ({payload_keys.primary_id: 1}, {payload_keys.primary_id: 1})


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    def failed_with(self, message: str) -> bool:
        """Whether it failed with this in one line and nothing else."""
        return self.code == 1 and self.err.count("\n") == 1 and message in self.err


Run = Callable[..., Awaitable[Done]]


@dataclass(frozen=True)
class Files:
    payload: Path
    credential: Path

    def keyring(self, kind: RingKind) -> Keyring:
        return RingFile(kind, self.payload if kind is PAYLOAD else self.credential).read()


@pytest.fixture
def files(tmp_path: Path, payload_keys: Keyring, credential_keys: Keyring) -> Files:
    files = Files(tmp_path / "payload.keys", tmp_path / "credential.keys")
    create(files.payload, payload_keys.entries())
    create(files.credential, credential_keys.entries())
    return files


@pytest.fixture
def deskhand(database: DatabaseUrls, files: Files) -> Run:
    """Run `deskhand keys …` with both rings in files, and no Temporal. A setting of `None` is left out."""
    environment = {
        "PATH": os.environ["PATH"],
        "DESKHAND_DATABASE_OPERATOR_URL": database.operator,
        "DESKHAND_PAYLOAD_KEYS_FILE": str(files.payload),
        "DESKHAND_CREDENTIAL_KEYS_FILE": str(files.credential),
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
    }

    async def run(*arguments: str, settings: Mapping[str, str | None] | None = None) -> Done:
        changed = {**environment, **(settings or {})}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deskhand.cli", "keys", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={name: value for name, value in changed.items() if value is not None},
        )
        out, err = await process.communicate()
        return Done(process.returncode or 0, out.decode(), err.decode())

    return run


async def actions(superuser: Superuser) -> list[str]:
    """What the audit log says, each with its step."""
    rows = await superuser.fetch("SELECT action, detail FROM audit_log WHERE action LIKE 'keys.%' ORDER BY id")
    return [" ".join(filter(None, (row["action"], json.loads(row["detail"]).get("step")))) for row in rows]


async def test_a_credential_key_from_making_it_to_removing_it(
    deskhand: Run, files: Files, admin: TenantAdmin, app_pool: Pool, payload_keys: Keyring, superuser: Superuser
) -> None:
    await admin.add(new_tenant("acme"))
    old = files.keyring(CREDENTIAL).primary_id
    ring = ("--ring", "credential", "--settle", "0")
    refused = await deskhand("remove", *ring, old)
    assert refused.failed_with(f"{old}: is the primary one of the credential keys"), refused

    done = await deskhand("rotate", *ring)
    new = files.keyring(CREDENTIAL).primary_id
    assert (done.code, done.err) == (0, ""), done
    assert done.out.splitlines() == [
        f"{new}: made, behind {old}",
        "waiting 0 s, until every process has surely seen that",
        f"{new}: in front, it seals from now on",
        "waiting 0 s, until every process has surely seen that",
        f"sealed anew with {new}: 1 tenant",
        f"credential keys, in file {files.credential}:",
        f"  {new}  primary: 1 tenant",
        f"  {old}  older: 0 tenants",
        f"    can be removed: `deskhand keys remove --ring credential {old}`",
    ]
    removed = await deskhand("remove", *ring, old)
    assert removed.out == f"{old}: is removed from file {files.credential}. Processes see that within seconds.\n"
    assert files.keyring(CREDENTIAL).ids == (new,)
    config = await TenantStore(app_pool, payload_keys, files.keyring(CREDENTIAL)).get("acme")
    assert config is not None
    assert (await config.connection())["api_key"] == "planted of acme"
    assert await actions(superuser) == [
        "keys.rotate add",
        "keys.promote",
        "keys.rotate reseal",
        "keys.rotate done",
        "keys.remove",
    ]


async def test_each_step_can_be_the_last_for_now(
    deskhand: Run, files: Files, admin: TenantAdmin, operator_pool: Pool
) -> None:
    await admin.add(new_tenant("acme"))
    old = files.keyring(CREDENTIAL).primary_id
    ring = ("--ring", "credential", "--settle", "0")
    nothing = await deskhand("rotate", *ring, "--promote")
    assert nothing.failed_with("--promote: no key waits to be put in front; --add-only makes one"), nothing

    assert (await deskhand("rotate", *ring, "--add-only")).code == 0
    assert files.keyring(CREDENTIAL).ids[0] == old
    (new,) = files.keyring(CREDENTIAL).ids[1:]
    assert (await deskhand("rotate", *ring, "--add-only")).code == 0
    assert files.keyring(CREDENTIAL).ids == (old, new), "the key that waits is not made twice"
    listed = json.loads((await deskhand("status", "--ring", "credential", "--json")).out)["rings"][0]["keys"]
    assert [(key["key"], key["state"], key["can_be_removed"]) for key in listed] == [
        (old, "primary", False),
        (new, "new", True),
    ]

    assert (await deskhand("rotate", *ring, "--promote")).code == 0
    assert files.keyring(CREDENTIAL).ids == (new, old)
    assert (await rows_held(operator_pool, CREDENTIAL)).tenants == {old: 1}, "nothing is sealed anew yet"
    unfinished = await deskhand("rotate", *ring, "--add-only")
    assert unfinished.failed_with(f"--add-only: the rotation to {new} is not finished"), unfinished
    kept = await deskhand("remove", *ring, old)
    assert kept.failed_with(f"{old}: stays: it is needed by 1 tenant"), kept

    done = await deskhand("rotate", *ring)
    assert f"going on with the rotation to {new}" in done.out
    assert files.keyring(CREDENTIAL).ids == (new, old)
    assert (await rows_held(operator_pool, CREDENTIAL)).tenants == {new: 1}
    again = await deskhand("rotate", *ring)
    assert again.code == 0
    assert files.keyring(CREDENTIAL).ids[1:] == (new, old), "a rotation that is finished is followed by another"


async def test_a_ring_in_a_variable_is_changed_by_hand_and_sealed_anew(
    deskhand: Run, admin: TenantAdmin, operator_pool: Pool, credential_keys: Keyring
) -> None:
    await admin.add(new_tenant("acme"))
    ring = rotated(credential_keys)
    settings: dict[str, str | None] = {
        "DESKHAND_CREDENTIAL_KEYS_FILE": None,
        "DESKHAND_CREDENTIAL_KEYS": ",".join(ring.entries()),
    }
    which = ("--ring", "credential", "--settle", "0")
    refused = await deskhand("rotate", *which, "--promote", settings=settings)
    assert refused.failed_with("--add-only, --promote: the credential keys are in the variable"), refused
    done = await deskhand("rotate", *which, settings=settings)
    assert (done.code, done.err) == (0, ""), done
    assert (await rows_held(operator_pool, CREDENTIAL)).tenants == {ring.primary_id: 1}
    assert await KeyLog(operator_pool, CREDENTIAL).promoted(ring.primary_id) is not None
    removed = await deskhand("remove", *which, credential_keys.primary_id, settings=settings)
    assert removed.out.startswith(f"{credential_keys.primary_id}: nothing needs it. Take it out of DESKHAND_CREDENTIAL")


async def test_while_temporal_is_away_rows_are_sealed_anew_and_nothing_is_removed(
    deskhand: Run, files: Files, admin: TenantAdmin, operator_pool: Pool
) -> None:
    await admin.add(new_tenant("acme"))
    old = files.keyring(PAYLOAD).primary_id
    ring = ("--ring", "payload", "--settle", "0")
    done = await deskhand("rotate", *ring)
    new = files.keyring(PAYLOAD).primary_id
    assert done.code == 1
    assert "Temporal at 127.0.0.1:1 does not answer" in done.err
    assert (await rows_held(operator_pool, PAYLOAD)).tenants == {new: 1}
    kept = await deskhand("remove", *ring, old, "--closed-runs-become-unreadable")
    assert kept.failed_with(f"{old}: stays: nobody knows what runs need it"), kept
    shown = await deskhand("status", "--ring", "payload")
    assert shown.code == 0
    assert f"  {old}  older: 0 tenants, 0 spooled orders, open runs (not known how many)" in shown.out
    again = await deskhand("rotate", *ring)
    assert f"going on with the rotation to {new}" in again.out, "it is not finished"
    assert files.keyring(PAYLOAD).ids == (new, old)


async def test_a_key_that_was_put_in_front_just_now_keeps_the_old_one_from_being_removed(
    deskhand: Run, files: Files
) -> None:
    old = files.keyring(CREDENTIAL).primary_id
    assert (await deskhand("rotate", "--ring", "credential", "--settle", "0")).code == 0
    kept = await deskhand("remove", "--ring", "credential", old, "--settle", "3600")
    assert kept.failed_with("wait until every process has surely seen that (3600 s, see --settle)"), kept
    assert old in files.keyring(CREDENTIAL).keys


async def test_what_was_sealed_anew_just_now_keeps_the_old_key_too(
    deskhand: Run, files: Files, superuser: Superuser
) -> None:
    old = files.keyring(CREDENTIAL).primary_id
    assert (await deskhand("rotate", "--ring", "credential", "--settle", "0")).code == 0
    await superuser.execute("UPDATE audit_log SET at = at - interval '1 hour' WHERE action = 'keys.promote'")
    kept = await deskhand("remove", "--ring", "credential", old, "--settle", "600")
    assert kept.failed_with("had everything sealed anew with it"), kept
    await superuser.execute("UPDATE audit_log SET at = at - interval '1 hour' WHERE action = 'keys.rotate'")
    assert (await deskhand("remove", "--ring", "credential", old, "--settle", "600")).code == 0


async def test_a_key_that_was_put_in_front_by_hand_stays_there(deskhand: Run, files: Files) -> None:
    ring = ("--ring", "credential", "--settle", "0")
    assert (await deskhand("rotate", *ring)).code == 0
    second = files.keyring(CREDENTIAL).primary_id
    by_hand = Keyring.generate_text("hand")
    write(files.credential, [by_hand, *files.keyring(CREDENTIAL).entries()])
    assert (await deskhand("rotate", *ring, "--reseal-only")).code == 0
    assert (await deskhand("rotate", *ring)).code == 0
    first, *others = files.keyring(CREDENTIAL).ids
    assert first not in (second, by_hand.partition(":")[0]), "a new one, and not the older one again"
    assert others[0] == by_hand.partition(":")[0]


async def test_what_does_not_open_keeps_no_key_in_front(
    deskhand: Run, files: Files, admin: TenantAdmin, superuser: Superuser
) -> None:
    await admin.add(new_tenant("acme"))
    await superuser.execute("UPDATE tenant_configs SET connection = '\\x00'")
    ring = ("--ring", "credential", "--settle", "0")
    fronts = []
    for _ in range(2):
        done = await deskhand("rotate", *ring)
        assert (done.code, "cannot be opened: tenant acme" in done.out) == (1, True), done
        fronts.append(files.keyring(CREDENTIAL).primary_id)
    assert fronts[0] != fronts[1]


async def test_closed_runs_are_told_by_the_first_time_that_everything_was_sealed_anew(
    deskhand: Run, files: Files, operator_pool: Pool
) -> None:
    old = files.keyring(CREDENTIAL).primary_id
    ring = ("--ring", "credential", "--settle", "0")
    assert (await deskhand("rotate", *ring)).code == 0
    log, new = KeyLog(operator_pool, CREDENTIAL), files.keyring(CREDENTIAL).primary_id
    since = await log.out_of_use(old, new)
    assert since is not None
    assert (await deskhand("rotate", *ring, "--reseal-only")).code == 0
    assert await log.out_of_use(old, new) == since


def test_a_key_that_somebody_else_took_away_meanwhile_is_one_line(files: Files) -> None:
    with pytest.raises(SettingsError, match="somebody else has changed it: gone is not there any more"):
        RingFile(CREDENTIAL, files.credential).promote("gone")


async def test_a_row_that_no_key_of_the_ring_opens_is_an_alarm(
    deskhand: Run, files: Files, admin: TenantAdmin, credential_keys: Keyring
) -> None:
    await admin.add(new_tenant("acme"))
    files.credential.write_text(Keyring.generate_text("lost"))
    done = await deskhand("status", "--ring", "credential")
    assert done.code == 1
    assert f"  {credential_keys.primary_id}  NOT IN THE RING: 1 tenant\n" in done.out
    rotating = await deskhand("rotate", "--ring", "credential", "--settle", "0")
    assert rotating.code == 1
    assert "  cannot be opened: tenant acme: sealed with a key that is not in this keyring" in rotating.out


def as_documented(command: str) -> list[str]:
    """What docs/keys.md says that a command prints."""
    _, found, after = DOCUMENT.read_text().partition(f"$ {command}\n")
    assert found, f"docs/keys.md does not show `{command}`"
    return after.partition("```")[0].splitlines()


async def test_the_page_about_keys_shows_what_the_commands_print(
    deskhand: Run, operator_pool: Pool, payload_keys: Keyring, tmp_path: Path
) -> None:
    path = tmp_path / "made" / "credential.keys"
    path.parent.mkdir()
    settings: dict[str, str | None] = {"DESKHAND_CREDENTIAL_KEYS_FILE": str(path)}
    into = await deskhand("generate", "--ring", "credential", "--to", str(path), settings=settings)
    assert into.out.replace(str(path), "credential.keys").splitlines() == as_documented(
        "deskhand keys generate --ring credential --to credential.keys"
    )
    old_key = RingFile(CREDENTIAL, path).read()
    await TenantAdmin(operator_pool, payload_keys, old_key).add(new_tenant("acme"))
    shown = as_documented("deskhand keys rotate --ring credential")
    done = await deskhand("rotate", "--ring", "credential", "--settle", "0", settings=settings)
    ring = RingFile(CREDENTIAL, path).read()
    names = dict(zip(ring.ids, re.findall(r"c[0-9a-f]{8}", shown[0]), strict=True))
    assert as_shown(done.out, path, names).replace("waiting 0 s", "waiting 15 s").splitlines() == shown
    old = names[old_key.primary_id]
    removed = await deskhand("remove", "--ring", "credential", "--settle", "0", old_key.primary_id, settings=settings)
    assert as_shown(removed.out, path, names).splitlines() == as_documented(
        f"deskhand keys remove --ring credential {old}"
    )


def as_shown(printed: str, path: Path, names: Mapping[str, str]) -> str:
    """What was printed, under the names that the page has."""
    for real, shown in {str(path): "credential.keys", **names}.items():
        printed = printed.replace(real, shown)
    return printed


WRONG: Mapping[str, tuple[tuple[str, ...], dict[str, str | None], str]] = {
    "no ring": (("rotate", "--ring", "payload"), {"DESKHAND_PAYLOAD_KEYS_FILE": None}, "DESKHAND_PAYLOAD_KEYS: is not"),
    "no rings": (
        ("status",),
        {"DESKHAND_PAYLOAD_KEYS_FILE": None, "DESKHAND_CREDENTIAL_KEYS_FILE": None},
        "DESKHAND_PAYLOAD_KEYS and DESKHAND_CREDENTIAL_KEYS: not set, nor as …_FILE",
    ),
    "no file": (("status",), {"DESKHAND_PAYLOAD_KEYS_FILE": "/nosuch"}, "DESKHAND_PAYLOAD_KEYS_FILE: cannot be read"),
    "no database": (("status",), {"DESKHAND_DATABASE_OPERATOR_URL": None}, "DESKHAND_DATABASE_OPERATOR_URL is not set"),
    "no such key": (("remove", "--ring", "payload", "nosuch"), {}, "nosuch: is not among the payload keys"),
    "two steps": (("rotate", "--ring", "payload", "--promote", "--add-only"), {}, "give one of them"),
    "not recorded": (
        ("rotate", "--ring", "credential", "--settle", "0"),
        {"DESKHAND_DATABASE_OPERATOR_URL": "postgresql://nobody:x@127.0.0.1:1/none"},
        "Connect",
    ),
}


@pytest.mark.parametrize("case", WRONG)
async def test_what_is_wrong_is_one_line_and_changes_nothing(deskhand: Run, files: Files, case: str) -> None:
    arguments, settings, message = WRONG[case]
    before = files.payload.read_text(), files.credential.read_text()
    done = await deskhand(*arguments, settings=settings)
    assert done.failed_with(message), done
    assert (files.payload.read_text(), files.credential.read_text()) == before


async def test_new_keyrings_are_printed_or_put_into_a_file(deskhand: Run, tmp_path: Path) -> None:
    nothing: dict[str, str | None] = {"DESKHAND_DATABASE_OPERATOR_URL": None, "DESKHAND_PAYLOAD_KEYS_FILE": None}
    both = await deskhand("generate", settings=nothing)
    made = dict(line.split("=", 1) for line in both.out.splitlines())
    assert list(made) == ["DESKHAND_PAYLOAD_KEYS", "DESKHAND_CREDENTIAL_KEYS"]
    assert len({key for text in made.values() for key in Keyring.parse(text).keys.values()}) == 2
    as_json: dict[str, Any] = json.loads((await deskhand("generate", "--json", settings=nothing)).out)
    assert [len(Keyring.parse(as_json[kind]).ids) for kind in RingKind] == [1, 1]
    assert Keyring.parse((await deskhand("generate", "--ring", "payload")).out.strip())

    path = tmp_path / "made.keys"
    into = ("generate", "--ring", "credential", "--to", str(path))
    assert (await deskhand(*into)).out == (
        f"{path}: a new keyring of one key; name the file in DESKHAND_CREDENTIAL_KEYS_FILE\n"
    )
    ring = RingFile(CREDENTIAL, path).read()
    assert (await deskhand(*into)).failed_with("exists already")
    assert RingFile(CREDENTIAL, path).read() == ring
    assert (await deskhand("generate", "--to", str(path))).failed_with("--to: holds one keyring")
