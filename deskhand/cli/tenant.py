"""`deskhand tenant …`. No secret is ever an argument, and none is shown but the one that `add` has just made."""

import json
import sys
from datetime import datetime
from typing import Annotated, Any

import typer
from pydantic import SecretStr
from pydantic import ValidationError as PydanticValidationError

from deskhand.cli.connection import (
    GivenSecrets,
    ask_secrets,
    build_connection,
    generate_webhook_secret,
    parse_assignments,
    parse_secrets,
)
from deskhand.cli.errors import CliError
from deskhand.cli.shared import plugin_class, print_json, with_tenants
from deskhand.cli.waking import wake_paused
from deskhand.settings import load_settings
from deskhand.tenants.admin import NewTenant, TenantDetails, TenantSummary
from deskhand.tenants.cache import FRESH_SECONDS
from plugins.base import TicketingToolPlugin
from plugins.tenants import WebhookSecret
from plugins.types import TenantMode, TenantSettings

app = typer.Typer(help="Add, list, show and change tenants.", no_args_is_help=True, add_completion=False)

TenantId = Annotated[str, typer.Argument(metavar="TENANT", help="1 to 64 letters, digits and hyphens.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


Mode = Annotated[TenantMode, typer.Option(help="live, dry_run (writes no note) or pause (holds the runs).")]


@app.command()
def add(
    tenant: TenantId,
    tool: Annotated[str, typer.Option(help="The ticketing tool: a plugin's name.")],
    fields: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="A field of the connection, no secret.")
    ] = None,
    secrets_stdin: Annotated[
        bool, typer.Option(help="Read secret fields, and perhaps webhook_secret, as one JSON object.")
    ] = False,
    webhook_secret: Annotated[bool, typer.Option(help="Without a webhook secret, every delivery is refused.")] = True,
    own_account_id: Annotated[
        str | None, typer.Option(help="The vendor's id of the account that writes our notes.")
    ] = None,
    signature_scheme: Annotated[
        str | None, typer.Option(help="How webhooks are authenticated, if not by the plugin's default.")
    ] = None,
    allow_private_address: Annotated[
        bool, typer.Option("--allow-private-address", help="The tool may be at an address of a private network.")
    ] = False,
    mode: Mode = TenantMode.LIVE,
    priority: Annotated[
        list[str] | None, typer.Option(metavar="NAME=LEVEL", help="The tool's priority NAME as high, medium or low.")
    ] = None,
    language: Annotated[str, typer.Option(help="The language of the tickets, for the search.")] = "english",
    as_json: AsJson = False,
) -> None:
    """Add a tenant, and print the address for its webhooks.

    Secret fields are asked on the terminal, or read from standard input with --secrets-stdin. A webhook secret that is
    not given is made, and shown this once.
    """
    settings = load_settings()
    plugin = plugin_class("--tool", tool)
    _require_scheme(tool, plugin, signature_scheme)
    plain = parse_assignments("--set", fields or ())
    plain_settings = _tenant_settings(
        own_account_id=own_account_id,
        signature_scheme=signature_scheme,
        priorities=parse_assignments("--priority", priority or ()),
        language=language,
        allow_private_address=allow_private_address,
    )
    given = _given_secrets(plugin, secrets_stdin)
    if given.webhook_secret and not webhook_secret:
        raise CliError("--no-webhook-secret: and yet webhook_secret was given")
    connection = build_connection(plugin.connection_model, plain, given.fields)
    made = generate_webhook_secret() if webhook_secret and given.webhook_secret is None else None
    value = given.webhook_secret or made
    new = NewTenant(
        id=tenant,
        tool=tool,
        connection=connection,
        webhook_secrets=(WebhookSecret(SecretStr(value)),) if value else (),
        mode=mode,
        settings=plain_settings,
    )
    with_tenants(settings, lambda admin: admin.add(new))
    address = f"{settings.public_url.rstrip('/')}/webhooks/{tool}/{tenant}"
    if as_json:
        print_json({"tenant": tenant, "tool": tool, "mode": mode, "webhook_url": address, "webhook_secret": made})
        return
    print(f"tenant {tenant} added ({tool}, {mode})")
    print(f"webhook address: {address}")
    if made:
        print(f"webhook secret:  {made}")
        print("The secret is shown this once: enter it at the tool now.")
    elif not value:
        print("It has no webhook secret: its deliveries are all refused.")


@app.command("list")
def list_tenants(as_json: AsJson = False) -> None:
    """List every tenant."""
    tenants = with_tenants(load_settings(), lambda admin: admin.list())
    if as_json:
        print_json([_summary(tenant) for tenant in tenants])
        return
    for tenant in tenants:
        until = f", inactive since {_moment(tenant.active_until)}" if tenant.active_until else ""
        print(f"{tenant.id}  {tenant.tool}  {tenant.mode}{until}")
    if not tenants:
        print("no tenants; add one with `deskhand tenant add`")


@app.command()
def show(tenant: TenantId, as_json: AsJson = False) -> None:
    """Show a tenant: everything but its secrets, and which of those are set."""
    settings = load_settings()
    details = with_tenants(settings, lambda admin: admin.show(tenant))
    shown = _details(details, settings.public_url)
    if as_json:
        print_json(shown)
        return
    width = max(len(name) for name in shown)
    for name, value in shown.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        print(f"{name + ':':<{width + 1}} {text}")


@app.command()
def update(tenant: TenantId, mode: Mode) -> None:
    """Change how far a tenant's runs may go. Services see it within 10 seconds."""
    was = with_tenants(load_settings(), lambda admin: admin.set_mode(tenant, mode))
    print(f"tenant {tenant} is on {mode}")
    if was is TenantMode.PAUSE and mode is not TenantMode.PAUSE:
        print(f"Its paused runs wake by themselves, or at once with `deskhand tenant unpause {tenant}`.")


@app.command()
def pause(tenant: TenantId) -> None:
    """Hold a tenant's runs: deliveries are still taken, and nothing is asked of its tool or written there."""
    with_tenants(load_settings(), lambda admin: admin.set_mode(tenant, TenantMode.PAUSE))
    print(f"tenant {tenant} is on pause: its deliveries are taken, and its runs wait")
    print(f"Services see it within {FRESH_SECONDS:g} s. `deskhand tenant unpause {tenant}` lets its runs go on.")


@app.command()
def unpause(tenant: TenantId) -> None:
    """Let a tenant on pause go on, and wake the runs that wait for it, at a bounded rate."""
    settings = load_settings()
    mode = with_tenants(settings, lambda admin: admin.unpause(tenant))
    print(f"tenant {tenant} is on {mode}", flush=True)
    wake_paused(settings, tenant)


@app.command()
def deactivate(tenant: TenantId) -> None:
    """Take no more deliveries for a tenant. What was received before is still handled."""
    with_tenants(load_settings(), lambda admin: admin.deactivate(tenant))
    print(f"tenant {tenant} is not active any more")


def _require_scheme(tool: str, plugin: type[TicketingToolPlugin], scheme: str | None) -> None:
    """Refuse a scheme that the plugin does not know: the starter would refuse every delivery."""
    if scheme is None or scheme in plugin.signature_schemes:
        return
    if not plugin.signature_schemes:
        raise CliError(f"--signature-scheme {scheme}: {tool} has only one way to authenticate webhooks; leave it out")
    known = ", ".join(sorted(plugin.signature_schemes))
    raise CliError(f"--signature-scheme {scheme}: {tool} has no such scheme; it has {known}")


def _given_secrets(plugin: type[TicketingToolPlugin], from_stdin: bool) -> GivenSecrets:
    if from_stdin:
        return parse_secrets(sys.stdin.read())
    return ask_secrets(plugin.connection_model) if sys.stdin.isatty() else GivenSecrets()


def _tenant_settings(**given: Any) -> TenantSettings:
    try:
        return TenantSettings.model_validate(given)
    except PydanticValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name, *rest = (str(part) for part in first["loc"])
        option = "--priority" if name == "priorities" else f"--{name.replace('_', '-')}"
        raise CliError(f"{' '.join((option, *rest))}: {first['msg']}") from None


def _summary(tenant: TenantSummary) -> dict[str, Any]:
    return {
        "tenant": tenant.id,
        "tool": tenant.tool,
        "mode": tenant.mode,
        "active_from": _moment(tenant.active_from),
        "active_until": _moment(tenant.active_until),
    }


def _details(details: TenantDetails, public_url: str) -> dict[str, Any]:
    summary = details.summary
    return {
        **_summary(summary),
        "webhook_url": f"{public_url.rstrip('/')}/webhooks/{summary.tool}/{summary.id}",
        "webhook_secrets": [
            {"not_before": _moment(since), "not_after": _moment(until)} for since, until in details.webhook_secrets
        ],
        "connection": dict(details.connection),
        "secret_fields_set": list(details.secret_fields),
        "settings": details.settings.model_dump(mode="json"),
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
