"""`deskhand tenant …`. No secret is ever an argument, and none is shown but a webhook secret that was just made."""

import asyncio
import json

import typer

from deskhand.cli.auditing import audit, audit_look
from deskhand.cli.connection import connection_problems
from deskhand.cli.errors import CliError
from deskhand.cli.shared import plugin_class, print_json, with_tenants
from deskhand.cli.tenant_add import add
from deskhand.cli.tenant_files import export, import_
from deskhand.cli.tenant_ready import ready
from deskhand.cli.tenant_remove import remove
from deskhand.cli.tenant_secret import rotate_secret
from deskhand.cli.tenant_update import update
from deskhand.cli.tenant_words import AsJson, TenantId, details_json, iso, mode_line, summary_json
from deskhand.cli.waking import wake_paused
from deskhand.settings import load_settings
from deskhand.tenants.cache import FRESH_SECONDS
from plugins.rendering.characters import printable
from plugins.types import TenantMode
from workflows.contracts import Waiting

app = typer.Typer(help="Add, change, test and remove tenants.", no_args_is_help=True, add_completion=False)

app.command()(add)


@app.command("list")
def list_tenants(as_json: AsJson = False) -> None:
    """List every tenant."""
    settings = load_settings()
    tenants = with_tenants(settings, lambda admin: admin.list())
    asyncio.run(audit_look(settings, "tenant.list"))
    if as_json:
        print_json([summary_json(tenant) for tenant in tenants])
        return
    for tenant in tenants:
        until = f", inactive since {iso(tenant.active_until)}" if tenant.active_until else ""
        print(f"{tenant.id}  {tenant.tool}  {tenant.mode}{until}")
    if not tenants:
        print("no tenants; add one with `deskhand tenant add`")


@app.command()
def show(tenant: TenantId, as_json: AsJson = False) -> None:
    """Show a tenant: everything but its secrets, and which of those are set."""
    settings = load_settings()
    details = with_tenants(settings, lambda admin: admin.show(tenant))
    asyncio.run(audit_look(settings, "tenant.show", tenant))
    shown = details_json(details, settings)
    if as_json:
        print_json(shown)
        return
    width = max(len(name) for name in shown)
    for name, value in shown.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        print(f"{name + ':':<{width + 1}} {printable(text)}")


app.command("test")(ready)
app.command()(update)
app.command()(rotate_secret)


@app.command()
def pause(tenant: TenantId) -> None:
    """Hold a tenant's runs: deliveries are still taken, and nothing is asked of its tool or written there."""
    with_tenants(load_settings(), lambda admin: admin.set_mode(tenant, TenantMode.PAUSE))
    print(f"{mode_line(tenant, TenantMode.PAUSE)}: its deliveries are taken, and its runs wait")
    print(f"Services see it within {FRESH_SECONDS:g} s. `deskhand tenant unpause {tenant}` lets its runs go on.")


@app.command()
def unpause(tenant: TenantId) -> None:
    """Let a tenant on pause go on, and wake the runs that wait for it, at a bounded rate."""
    settings = load_settings()
    mode = with_tenants(settings, lambda admin: admin.unpause(tenant))
    print(mode_line(tenant, mode), flush=True)
    asyncio.run(audit(settings, "runs.resume", tenant, waiting_for=Waiting.PAUSED))
    wake_paused(settings, tenant)


@app.command()
def activate(tenant: TenantId) -> None:
    """Take a tenant's deliveries, again or for the first time. Its connection has to be complete."""
    settings = load_settings()
    stored = with_tenants(settings, lambda admin: admin.read(tenant))
    plugin = plugin_class(f"tenant {tenant}:", stored.tool)
    problems = connection_problems(plugin.connection_model, stored.connection.fields())
    if problems:
        raise CliError(f"tenant {tenant}: {'; '.join(problems)}: see `deskhand tenant update --help`")
    with_tenants(settings, lambda admin: admin.activate(tenant))
    print(f"tenant {tenant} is active: its deliveries are taken within {FRESH_SECONDS:g} s")
    if not stored.webhook_secrets:
        print(f"It has no webhook secret: they are refused until `deskhand tenant rotate-secret {tenant}`.")


@app.command()
def deactivate(tenant: TenantId) -> None:
    """Take no more deliveries for a tenant. What was received before is still handled."""
    with_tenants(load_settings(), lambda admin: admin.deactivate(tenant))
    print(f"tenant {tenant} is not active any more")


app.command()(export)
app.command("import")(import_)
app.command()(remove)
