"""`deskhand tenant remove`: a tenant with all that it owned. What it was stays in the audit log alone."""

import asyncio
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from deskhand.cli.auditing import audit
from deskhand.cli.errors import CliError
from deskhand.cli.progress import Progress
from deskhand.cli.shared import print_json, temporal_client
from deskhand.cli.tenant_words import AsJson, TenantId
from deskhand.cli.waking import SEEN_SECONDS
from deskhand.crypto.keyring import keyring_of
from deskhand.db.pool import create_pool
from deskhand.forgetting.removed import Removed
from deskhand.forgetting.tenant import forget_tenant
from deskhand.runs.wording import counted
from deskhand.settings import Settings, load_settings
from deskhand.tenants.admin import TenantAdmin, TenantSummary


def remove(
    tenant: TenantId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    even_if_active: Annotated[
        bool, typer.Option("--even-if-active", help="Deactivate it first, where that was not done.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a tenant and everything it owned: history, spooled deliveries, runs, its schedule. It cannot be undone.

    On a terminal the tenant's name is asked for. Its runs that are under way end without a note. The audit log keeps
    what was done to the tenant.
    """
    settings = load_settings()
    if not yes and not sys.stdin.isatty():
        raise CliError("--yes: is needed where nobody can be asked")
    removed = asyncio.run(_remove(settings, tenant, yes=yes, even_if_active=even_if_active))
    if as_json:
        print_json(
            {
                "tenant": tenant,
                "history": removed.history,
                "spooled": removed.spooled,
                "runs": removed.runs,
                "unreadable": removed.unreadable,
                "schedule": removed.schedule,
            }
        )
        return
    print(f"tenant {tenant} removed, and with it {_counts(removed)}")
    print("Its notes and its webhook at the tool are still there: remove the webhook, or its deliveries are refused.")


async def _remove(settings: Settings, tenant_id: str, *, yes: bool, even_if_active: bool) -> Removed:
    payload_keys = keyring_of(settings, "payload_keys")
    pool = await create_pool(settings.secret("database_operator_url"), settings)
    try:
        admin = TenantAdmin(pool, payload_keys, keyring_of(settings, "credential_keys"))
        found = (await admin.summary(tenant_id)).active_until
        if found is None and not even_if_active:
            raise CliError(
                f"tenant {tenant_id}: is active: `deskhand tenant deactivate {tenant_id}` first, "
                "or give --even-if-active"
            )
        async with temporal_client(settings) as client:
            if not yes:
                _confirm(tenant_id, await forget_tenant(pool, client, payload_keys, tenant_id, dry_run=True))
            await audit(settings, "tenant.remove_begin", tenant_id)
            if found is None:
                await admin.deactivate(tenant_id)
            await _until_seen(await admin.summary(tenant_id))
            progress = Progress()
            try:
                removed = await forget_tenant(pool, client, payload_keys, tenant_id, progress=progress.say)
            finally:
                progress.clear()
        if removed.problems:
            for problem in removed.problems:
                print(f"deskhand: {problem}", file=sys.stderr)
            raise CliError(f"tenant {tenant_id}: is not removed: something of it is still there; run the same again")
        if removed.unreadable:
            # No reason to stop: with a key that is lost it would be one for good.
            print(
                f"deskhand: the spool: {counted(removed.unreadable, 'order')} sealed with keys that are not in "
                "DESKHAND_PAYLOAD_KEYS stay there: some may be this tenant's",
                file=sys.stderr,
            )
        await admin.remove(tenant_id, history=removed.history, spooled=removed.spooled, runs=removed.runs)
    finally:
        await pool.close()
    return removed


def _confirm(tenant_id: str, would_be: Removed) -> None:
    print(f"This removes tenant {tenant_id} and with it {_counts(would_be)}. It cannot be undone.", file=sys.stderr)
    if typer.prompt("The tenant's name, to go on", default="", show_default=False, err=True) != tenant_id:
        raise CliError(f"tenant {tenant_id}: nothing was removed: another name was typed")


async def _until_seen(tenant: TenantSummary) -> None:
    """Wait until every service knows that the tenant is not active: none lets in another delivery afterwards."""
    if tenant.active_until is None:
        return
    left = SEEN_SECONDS - (datetime.now(UTC) - tenant.active_until).total_seconds()
    progress = Progress()
    try:
        for seconds in range(round(max(0.0, left)), 0, -1):
            progress.say(f"{seconds} s until every service has seen that it is not active")
            await asyncio.sleep(1)
    finally:
        progress.clear()


def _counts(removed: Removed) -> str:
    parts = [
        counted(removed.runs, "run"),
        counted(removed.history, "ticket of its history", "tickets of its history"),
        counted(removed.spooled, "spooled delivery", "spooled deliveries"),
    ]
    return ", ".join(parts) + (", and its reconcile schedule" if removed.schedule else "")
