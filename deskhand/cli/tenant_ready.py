"""`deskhand tenant test`: would a ticket of this tenant get its note? The connection, and all that goes before it."""

from datetime import UTC, datetime

import typer

from deskhand.cli.checking import check_tenant, finding_lines, findings_json
from deskhand.cli.shared import print_json, with_tenants
from deskhand.cli.tenant_words import AsJson, TenantId
from deskhand.runs.wording import moment
from deskhand.settings import Settings, load_settings
from deskhand.tenants.admin import TenantAdmin
from plugins.checking import Check
from plugins.tenants import TenantConfig
from plugins.types import ConnectionReport, TenantMode


def ready(tenant: TenantId, as_json: AsJson = False) -> None:
    """See whether a tenant's tickets get notes: is it active, has it a webhook secret, is it live, does it connect?

    Nothing is written at the tool. The exit code is 1 where something does not work.
    """
    settings = load_settings()
    config, report = with_tenants(settings, lambda admin: _test(admin, settings, tenant))
    if as_json:
        print_json({"tenant": config.id, "tool": config.tool, "ok": report.ok, "findings": findings_json(report)})
    else:
        print(f"{config.id} ({config.tool})")
        for line in finding_lines(report):
            print(line)
        print(_verdict(config, report))
    if not report.ok:
        raise typer.Exit(1)


def _verdict(config: TenantConfig, report: ConnectionReport) -> str:
    if not report.ok:
        return "Something does not work."
    return "Its tickets get notes." if config.mode is TenantMode.LIVE else "It works, and its mode keeps notes back."


async def _test(admin: TenantAdmin, settings: Settings, tenant_id: str) -> tuple[TenantConfig, ConnectionReport]:
    config = await admin.open(tenant_id, "tenant.test")
    own = _own_findings(config, datetime.now(UTC))
    connection = await check_tenant(settings, config)
    return config, ConnectionReport(account=connection.account, findings=own.findings + connection.findings)


def _own_findings(config: TenantConfig, now: datetime) -> ConnectionReport:
    """What can be said without asking the tool."""
    check = Check()
    if config.active_at(now):
        check.good(f"the tenant is active since {moment(config.active_from)}")
    else:
        check.bad("the tenant is not active: its deliveries are refused", f"`deskhand tenant activate {config.id}`")
    counting = [secret for secret in config.webhook_secrets if secret.counts_at(now)]
    if not counting:
        check.bad(
            "no webhook secret counts now: its deliveries are refused", f"`deskhand tenant rotate-secret {config.id}`"
        )
    elif len(counting) == 1:
        check.good("it has a webhook secret")
    else:
        check.good(f"it has {len(counting)} webhook secrets that count now, since it was rotated")
    match config.mode:
        case TenantMode.LIVE:
            check.good("it is live: notes are written")
        case TenantMode.DRY_RUN:
            check.open("it is on dry_run: no note is written", f"`deskhand tenant update {config.id} --mode live`")
        case TenantMode.PAUSE:
            check.open("it is on pause: its runs wait", f"`deskhand tenant unpause {config.id}`")
    return check.report()
