"""Changing tenants underneath the command line: what happens together, what is refused, what the history sees."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from deskhand.tenants.admin import NewTenant, TenantAdmin
from deskhand.tenants.errors import TenantError
from deskhand.tenants.sealing import Connection
from plugins.tenants import WebhookSecret
from plugins.types import TenantMode, TenantSettings

SECRET = "planted-webhook-secret-9917"


def acme(tenant_id: str = "acme") -> NewTenant:
    return NewTenant(
        id=tenant_id,
        tool="jira",
        connection=Connection({"base_url": "https://acme.example"}, {"api_key": "planted-key-9918"}),
        webhook_secrets=(WebhookSecret(SecretStr(SECRET)),),
    )


async def history(superuser: Any, tenant_id: str, ticket_id: str) -> None:
    await superuser.execute(
        "INSERT INTO ticket_history"
        " (tenant_id, tool, ticket_id, version, resolved_at, subject, description, resolution, url, language)"
        " VALUES ($1, 'jira', $2, '1', now(), 'Der Drucker brennt', '', '', '', 'english')",
        *(tenant_id, ticket_id),
    )


async def audited(superuser: Any) -> list[tuple[str, Any]]:
    rows = await superuser.fetch("SELECT action, detail FROM audit_log ORDER BY id")
    return [(row["action"], json.loads(row["detail"])) for row in rows]


async def test_a_change_is_made_only_to_what_was_read(admin: TenantAdmin, superuser: Any) -> None:
    await admin.add(acme())
    mine, theirs = await admin.read("acme"), await admin.read("acme")
    await admin.change(theirs, theirs.with_changes(settings=TenantSettings(own_account_id="7")))
    with pytest.raises(TenantError, match="tenant acme: was changed meanwhile by somebody else"):
        await admin.change(mine, mine.with_changes(mode=TenantMode.PAUSE, settings=TenantSettings(own_account_id="8")))
    now = await admin.read("acme")
    assert (now.mode, now.settings.own_account_id) == (TenantMode.LIVE, "7")
    assert [action for action, _ in await audited(superuser)] == ["tenant.add", "tenant.update"]


async def test_nothing_to_change_is_no_change(admin: TenantAdmin, superuser: Any) -> None:
    await admin.add(acme())
    old = await admin.read("acme")
    assert await admin.change(old, old.with_changes(settings=TenantSettings())) == ()
    assert (await admin.read("acme")).version == old.version
    assert len(await audited(superuser)) == 1


async def test_mode_and_settings_change_together_and_are_audited_by_name(admin: TenantAdmin, superuser: Any) -> None:
    await admin.add(acme())
    old = await admin.read("acme")
    new = old.with_changes(
        mode=TenantMode.DRY_RUN, connection=Connection(old.connection.plain, {"api_key": "planted-key-9919"})
    )
    assert await admin.change(old, new) == ("mode", "api_key")
    assert (await audited(superuser))[1:] == [
        ("tenant.mode", {"mode": "dry_run", "was": "live"}),
        ("tenant.update", {"fields": ["api_key"]}),
    ]
    assert (await admin.read("acme")).connection == new.connection


async def test_the_language_changes_in_the_tenants_own_history_too(admin: TenantAdmin, superuser: Any) -> None:
    await admin.add(acme())
    await admin.add(acme("globex"))
    await history(superuser, "acme", "A-1")
    await history(superuser, "globex", "G-1")
    old = await admin.read("acme")
    await admin.change(old, old.with_changes(settings=TenantSettings(language="german")))
    rows = await superuser.fetch("SELECT tenant_id, language, search::text AS search FROM ticket_history ORDER BY 1")
    assert [(row["tenant_id"], row["language"]) for row in rows] == [("acme", "german"), ("globex", "english")]
    assert "'druck'" in rows[0]["search"]
    assert "'drucker'" in rows[1]["search"]
    new = await admin.read("acme")
    with pytest.raises(TenantError, match="language: klingon"):
        await admin.change(new, new.with_changes(settings=TenantSettings(language="klingon")))


async def test_a_rotation_counts_by_the_databases_clock_and_keeps_the_old_one(admin: TenantAdmin) -> None:
    await admin.add(acme())
    before = datetime.now(UTC)
    until = await admin.rotate_secret("acme", SecretStr("new"), timedelta(hours=1))
    assert until is not None
    assert timedelta() < until - before - timedelta(hours=1) < timedelta(minutes=1)
    assert (await admin.read("acme")).webhook_secrets == ("new", SECRET)
    assert await admin.rotate_secret("acme", SecretStr("newest"), timedelta()) is None
    assert (await admin.read("acme")).webhook_secrets == ("newest",)
    for unusable, why in (("newest", "is the one that it has already"), ("  ", "is empty")):
        with pytest.raises(TenantError, match=why):
            await admin.rotate_secret("acme", SecretStr(unusable), timedelta())
    with pytest.raises(TenantError, match="tenant nobody: does not exist"):
        await admin.rotate_secret("nobody", SecretStr("x"), timedelta())


async def test_rotations_at_once_lose_none(admin: TenantAdmin) -> None:
    await admin.add(acme())
    new = [f"new-{number}" for number in range(6)]
    await asyncio.gather(*(admin.rotate_secret("acme", SecretStr(value), timedelta(hours=1)) for value in new))
    assert set((await admin.read("acme")).webhook_secrets) == {*new, SECRET}


async def test_only_a_tenant_that_is_not_active_is_removed_and_its_audit_stays(
    admin: TenantAdmin, superuser: Any
) -> None:
    await admin.add(acme())
    with pytest.raises(TenantError, match="tenant acme: is active; deactivate it first"):
        await admin.remove("acme")
    await admin.deactivate("acme")
    await admin.remove("acme", runs=3)
    assert await admin.list() == ()
    assert [action for action, _ in await audited(superuser)] == ["tenant.add", "tenant.deactivate", "tenant.remove"]
    assert (await audited(superuser))[-1][1] == {"runs": 3}
    with pytest.raises(TenantError, match="tenant acme: does not exist"):
        await admin.remove("acme")
    await admin.add(acme())


async def test_one_that_is_added_without_being_active_is_activated_later(admin: TenantAdmin) -> None:
    new = acme()
    await admin.add(NewTenant(new.id, new.tool, new.connection, active=False))
    summary = await admin.summary("acme")
    assert summary.active_until == summary.active_from
    await admin.activate("acme")
    assert (await admin.summary("acme")).active_until is None
    with pytest.raises(TenantError, match="tenant acme: is active already"):
        await admin.activate("acme")
    for call in (admin.activate("nobody"), admin.summary("nobody"), admin.read("nobody")):
        with pytest.raises(TenantError, match="tenant nobody: does not exist"):
            await call


async def test_a_pause_ends_in_a_mode_of_this_tenant_and_not_of_an_earlier_one_of_its_id(admin: TenantAdmin) -> None:
    await admin.add(acme())
    for mode in (TenantMode.DRY_RUN, TenantMode.PAUSE):
        await admin.set_mode("acme", mode)
    await admin.deactivate("acme")
    await admin.remove("acme")
    await admin.add(replace(acme(), mode=TenantMode.PAUSE))
    assert await admin.unpause("acme") is TenantMode.LIVE
