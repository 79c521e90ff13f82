"""Trying a tenant's connection, stored or not yet, and showing what was found."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from deskhand.cli.layout import wrapped
from deskhand.cli.shared import plugin_class
from deskhand.http import create_http_client
from deskhand.runs.wording import one_line
from deskhand.settings import Settings
from deskhand.stores import own_stores
from deskhand.temporal import connect_config
from deskhand.tenants.changing import trial
from deskhand.tenants.sealing import Connection
from plugins.rendering.characters import printable
from plugins.tenants import TenantConfig
from plugins.types import ConnectionReport, Finding, TenantSettings

_MARKS = {True: "ok", None: "note", False: "FAILED"}


async def check_tenant(settings: Settings, config: TenantConfig) -> ConnectionReport:
    """What the tenant's plugin finds. Nothing is written at the tool.

    Raises:
        CliError: there is no plugin for the tenant's tool.
        SettingsError: a setting that this needs is not set.
    """
    plugin = plugin_class(f"tenant {config.id}:", config.tool)
    stores = own_stores(settings.secret("database_operator_url"), connect_config())
    async with create_http_client(dev_vendors=settings.dev_vendors, own_stores=stores) as http:
        return await plugin(_OneTenant(config), http).check_connection(config.id)


async def check_given(
    settings: Settings, tenant_id: str, tool: str, given: TenantSettings, connection: Connection
) -> ConnectionReport:
    """The same for a tenant that is not stored, or not as this."""
    return await check_tenant(settings, trial(tenant_id, tool, given, connection, datetime.now(UTC)))


def finding_lines(report: ConnectionReport, *, settled: str = "") -> Iterator[str]:
    """The findings for a terminal, without those that only asked for the setting which is `settled` by now."""
    for finding in report.findings:
        if not (settled and finding.setting == settled and finding.ok is None):
            yield from _lines(finding)


def findings_json(report: ConnectionReport, *, settled: str = "") -> list[dict[str, Any]]:
    """The same for a program."""
    shown = (f for f in report.findings if not (settled and f.setting == settled and f.ok is None))
    return [finding.model_dump(mode="json", include={"ok", "what", "mend"}) for finding in shown]


def first_failure(report: ConnectionReport) -> str:
    """On one line, what does not work and how to mend it."""
    failed = next(finding for finding in report.findings if finding.ok is False)
    return one_line(f"{failed.what} → {failed.mend}" if failed.mend else failed.what, 600)


def _lines(finding: Finding) -> Iterator[str]:
    """A finding for a terminal: what the vendor said is the vendor's, so nothing in it may steer the terminal."""
    yield from wrapped(printable(finding.what), f"  {_MARKS[finding.ok]:<8}", " " * 10)
    if finding.mend:
        yield from wrapped(printable(finding.mend), " " * 10 + "→ ", " " * 12)


class _OneTenant:
    """`plugins.tenants.TenantConfigs` of one tenant."""

    def __init__(self, config: TenantConfig) -> None:
        self._config = config

    async def get(self, tenant_id: str) -> TenantConfig | None:
        """The tenant, or `None` for any other."""
        return self._config if tenant_id == self._config.id else None
