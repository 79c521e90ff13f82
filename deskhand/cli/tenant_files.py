"""`deskhand tenant export` and `import`: tenants as JSON, without their secrets, to keep, to compare and to move."""

import sys
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, SecretStr

from deskhand.cli.auditing import audit, audit_look
from deskhand.cli.connection import connection_problems, require_field
from deskhand.cli.errors import CliError
from deskhand.cli.shared import plugin_class, print_json, with_tenants
from deskhand.cli.tenant_words import AsJson, require_scheme
from deskhand.runs.wording import counted
from deskhand.settings import Settings, load_settings
from deskhand.tenants.admin import NewTenant, TenantAdmin
from deskhand.tenants.errors import TenantError
from deskhand.tenants.files import FORMAT, WEBHOOK_SECRET, Export, ExportedTenant, parse_export, parse_secrets
from deskhand.tenants.importing import Planned, plan
from plugins.fields import secret_fields
from plugins.tenants import WebhookSecret

KEEP_OLD = timedelta(hours=24)
"""How long an old webhook secret counts where an import brings another."""


def export(
    tenants: Annotated[list[str] | None, typer.Argument(metavar="[TENANT]...", help="Which; all, if none.")] = None,
) -> None:
    """Print tenants as JSON: everything but their secrets. `deskhand tenant import` takes it."""
    settings = load_settings()
    exported = with_tenants(settings, lambda admin: _export(admin, settings, tenants or []))
    print_json({"deskhand": FORMAT, "tenants": [tenant.model_dump(mode="json") for tenant in exported]})


async def _export(admin: TenantAdmin, settings: Settings, named: list[str]) -> list[ExportedTenant]:
    wanted = list(dict.fromkeys(named)) or [tenant.id for tenant in await admin.list()]
    exported = [ExportedTenant.of(await admin.show(tenant)) for tenant in wanted]
    await audit_look(settings, "tenant.export", tenants=wanted)
    return exported


def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="What `export` printed; - is standard input.")],
    secrets: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Their secrets, as JSON: tenant, field, text; - is standard input."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add or change tenants as a file has them. Connections are not tried: `deskhand tenant test` does that.

    A tenant to be added whose secrets are not given is added and not activated, and the output says how to complete it.
    Tenants that the file does not name stay as they are.
    """
    if file == "-" and secrets == "-":
        raise CliError("--secrets -: standard input is the tenants' file already")
    given = parse_export(_text("FILE", file))
    known = parse_secrets(_text("--secrets", secrets)) if secrets is not None else {}
    strangers = sorted(known.keys() - {tenant.tenant for tenant in given.tenants})
    if strangers:
        raise CliError(f"--secrets: {', '.join(strangers)}: the file of tenants does not name it")
    settings = load_settings()
    plans = with_tenants(settings, lambda admin: _import(admin, settings, given, known, dry_run=dry_run))
    if as_json:
        print_json({"dry_run": dry_run, "tenants": [_json(planned) for planned in plans]})
        return
    for planned in plans:
        for line in _lines(planned, dry_run=dry_run):
            print(line)


async def _import(
    admin: TenantAdmin, settings: Settings, given: Export, known: Mapping[str, Mapping[str, str]], *, dry_run: bool
) -> list[Planned]:
    """Everything is planned before anything is done: a file that cannot be taken whole changes nothing."""
    stored = {tenant.id for tenant in await admin.list()}
    plans = []
    for tenant in given.tenants:
        secrets = known.get(tenant.tenant, {})
        plugin = plugin_class(f"tenant {tenant.tenant}: tool", tenant.tool)
        require_scheme(
            tenant.tool,
            plugin,
            tenant.plain_settings.signature_scheme,
            given_as=f"tenant {tenant.tenant}: settings signature_scheme",
        )
        _require_fields(plugin.connection_model, tenant, [name for name in secrets if name != WEBHOOK_SECRET])
        await admin.require_language(tenant.tenant, tenant.plain_settings.language)
        old = await admin.read(tenant.tenant) if tenant.tenant in stored else None
        plans.append(plan(tenant, secrets, old, partial(connection_problems, plugin.connection_model)))
    named = [tenant.tenant for tenant in given.tenants]
    await (audit_look if dry_run else audit)(settings, "tenant.import", dry_run=dry_run, tenants=named)
    if dry_run:
        return plans
    for done, planned in enumerate(plans):
        try:
            await _carry_out(admin, planned)
        except TenantError as error:
            so_far = f"{done} of {counted(len(plans), 'tenant')} of the file had been dealt with"
            raise CliError(f"{error}; {so_far}: import it again") from None
    return plans


def _require_fields(model: type[BaseModel], tenant: ExportedTenant, hidden: list[str]) -> None:
    """Refuse fields that the model does not have, secrets in the file, and what is no secret among them."""
    secrets = secret_fields(model)
    for name in tenant.connection:
        require_field(model, f"tenant {tenant.tenant}: connection", name)
        if name in secrets:
            raise CliError(f"tenant {tenant.tenant}: connection {name}: is a secret; give it in the file of --secrets")
    for name in (*tenant.secret_fields, *hidden):
        require_field(model, f"tenant {tenant.tenant}: secret", name)
        if name not in secrets:
            raise CliError(f"tenant {tenant.tenant}: secret {name}: is not one; it belongs into connection")


async def _carry_out(admin: TenantAdmin, planned: Planned) -> None:
    given, secret = planned.given, planned.webhook_secret
    if planned.old is None:
        await admin.add(
            NewTenant(
                id=given.tenant,
                tool=given.tool,
                connection=planned.connection,
                webhook_secrets=(WebhookSecret(SecretStr(secret)),) if secret else (),
                mode=given.mode,
                settings=given.plain_settings,
                active=planned.active,
            )
        )
        return
    await admin.change(planned.old, planned.new)
    if secret is not None:
        await admin.rotate_secret(given.tenant, SecretStr(secret), KEEP_OLD)
    if "active" in planned.changes:
        await (admin.activate(given.tenant) if given.active else admin.deactivate(given.tenant))


def _lines(planned: Planned, *, dry_run: bool) -> list[str]:
    given = planned.given
    if planned.old is not None:
        if not planned.changes:
            return [f"tenant {given.tenant}: no change"]
        verb = "would change" if dry_run else "changed"
        return [f"tenant {given.tenant}: {verb}: {', '.join(planned.changes)}"]
    verb = "would be added" if dry_run else "added"
    lines = [f"tenant {given.tenant}: {verb} ({given.tool}, {given.mode}{'' if planned.active else ', not active'})"]
    if planned.missing:
        lines.append(f"  It lacks {', '.join(planned.missing)}. To complete it:")
        lines += [f"    {command}" for command in _completing(planned)]
    return lines


def _completing(planned: Planned) -> list[str]:
    """The commands that give a tenant what it lacks, and then activate it."""
    tenant = planned.given.tenant
    fields = [name for name in planned.missing if name != WEBHOOK_SECRET]
    commands = []
    if fields:
        commands.append(f"deskhand tenant update {tenant} {' '.join(f'--ask-secret {name}' for name in fields)}")
    if WEBHOOK_SECRET in planned.missing:
        commands.append(f"deskhand tenant rotate-secret {tenant}")
    if planned.given.active:
        commands.append(f"deskhand tenant activate {tenant}")
    return commands


def _json(planned: Planned) -> dict[str, Any]:
    return {
        "tenant": planned.given.tenant,
        "added": planned.old is None,
        "active": planned.active,
        "changes": list(planned.changes),
        "missing": list(planned.missing),
        "to_complete": _completing(planned) if planned.missing else [],
    }


def _text(given_as: str, name: str) -> str:
    """What is in a file, or on standard input.

    Raises:
        CliError: it cannot be read.
    """
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text()
    except UnicodeDecodeError:
        raise CliError(f"{given_as}: is not text") from None
    except OSError as error:
        raise CliError(f"{given_as}: cannot be read: {error.strerror}") from None
