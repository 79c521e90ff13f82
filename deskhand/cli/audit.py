"""`deskhand audit`: who did what, and to which tenant."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from deskhand.audit import Entry, entries
from deskhand.cli.auditing import audit_look
from deskhand.cli.errors import CliError
from deskhand.cli.shared import print_json, require_tenant_id
from deskhand.db.pool import create_pool
from deskhand.runs.wording import moment, one_line
from deskhand.settings import Settings, load_settings

LONGEST_VALUE = 200
"""Characters of one detail that are shown; `--json` shows all."""


def audit(
    tenant: Annotated[str | None, typer.Option(metavar="TENANT", help="Only what concerns this tenant.")] = None,
    area: Annotated[
        str | None, typer.Option(metavar="AREA", help="Only actions of this area, such as runs, tenant or keys.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the audit log: when, who, what, which tenant; the newest first.

    Times are the database's, in UTC; who is the account that ran the command. Looking is entered in the log, too.
    """
    if tenant is not None:
        require_tenant_id("--tenant", tenant)
    if area is not None and not area.isidentifier():
        raise CliError("--area: must be the part of an action before its dot, such as runs, tenant or keys")
    settings = load_settings()
    found = asyncio.run(_looked_up(settings, tenant, area, limit))
    if as_json:
        print_json([_json(entry) for entry in found])
        return
    for line in _lines(found):
        print(line)
    if not found:
        print("no such entries")


async def _looked_up(settings: Settings, tenant: str | None, area: str | None, limit: int) -> tuple[Entry, ...]:
    pool = await create_pool(settings.secret("database_operator_url"), settings)
    try:
        found = await entries(pool, tenant_id=tenant, area=area, limit=limit)
    finally:
        await pool.close()
    # Before anything of it is shown; but what it shows is the log without this look.
    await audit_look(settings, "audit.show", tenant, area=area, limit=limit)
    return found


def _lines(found: tuple[Entry, ...]) -> list[str]:
    rows = [(moment(e.at), one_line(e.actor, 40), e.action, e.tenant_id or "-", _said(e.detail)) for e in found]
    widths = [max((len(row[place]) for row in rows), default=0) for place in range(4)]
    return [
        "  ".join((*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[4])).rstrip()
        for row in rows
    ]


def _said(detail: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={one_line(_plain(value), LONGEST_VALUE)}" for name, value in detail.items())


def _plain(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _json(entry: Entry) -> dict[str, Any]:
    return {
        "at": entry.at.isoformat(),
        "actor": entry.actor,
        "action": entry.action,
        "tenant": entry.tenant_id,
        "detail": dict(entry.detail),
    }
