"""What the commands about tenants have in common: arguments, addresses, and how a tenant is described."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from pydantic import ValidationError as PydanticValidationError

from deskhand.cli.errors import CliError
from deskhand.cli.layout import numbered
from deskhand.settings import Settings
from deskhand.tenants.admin import TenantDetails, TenantSummary
from plugins.base import TicketingToolPlugin
from plugins.rendering.characters import printable
from plugins.types import TenantMode, TenantSettings

TenantId = Annotated[str, typer.Argument(metavar="TENANT", help="1 to 64 letters, digits and hyphens.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Unchecked = Annotated[bool, typer.Option("--unchecked", help="Do not try the connection first.")]
Priorities = Annotated[
    list[str] | None,
    typer.Option("--priority", metavar="NAME=LEVEL", help="The tool's priority NAME as high, medium or low."),
]

MODES = "live, dry_run (writes no note) or pause (holds the runs)."


def webhook_address(settings: Settings, tool: str, tenant: str) -> str:
    """Where the tool's webhooks go."""
    return f"{settings.public_url.rstrip('/')}/webhooks/{tool}/{tenant}"


def step_lines(steps: Sequence[str]) -> Iterator[str]:
    """What to do in the tool, for a terminal."""
    yield "In the tool:"
    yield from numbered(steps)


def secret_steps(steps: Sequence[str]) -> tuple[str, ...]:
    """Those of the steps that say where the webhook secret goes."""
    return tuple(step for step in steps if "webhook secret" in step)


def require_scheme(
    tool: str, plugin: type[TicketingToolPlugin], scheme: str | None, *, given_as: str = "--signature-scheme"
) -> None:
    """Refuse a scheme that the plugin does not know: the starter would refuse every delivery.

    Raises:
        CliError: naming those that it knows.
    """
    if scheme is None or scheme in plugin.signature_schemes:
        return
    if not plugin.signature_schemes:
        raise CliError(f"{given_as} {scheme}: {tool} has only one way to authenticate webhooks; leave it out")
    known = ", ".join(sorted(plugin.signature_schemes))
    raise CliError(f"{given_as} {scheme}: {tool} has no such scheme; it has {known}")


def tenant_settings(**given: Any) -> TenantSettings:
    """Plain settings as options gave them.

    Raises:
        CliError: naming the option.
    """
    account = given.get("own_account_id")
    if account is not None and (not account or account != printable(account)):
        raise CliError("--own-account-id: must be text that can be shown, without control characters")
    try:
        return TenantSettings.model_validate(given)
    except PydanticValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name, *rest = (str(part) for part in first["loc"])
        option = "--priority" if name == "priorities" else f"--{name.replace('_', '-')}"
        raise CliError(f"{' '.join((option, *rest))}: {first['msg']}") from None


def summary_json(tenant: TenantSummary) -> dict[str, Any]:
    """A tenant in the list, for a program."""
    return {
        "tenant": tenant.id,
        "tool": tenant.tool,
        "mode": tenant.mode,
        "active_from": iso(tenant.active_from),
        "active_until": iso(tenant.active_until),
    }


def details_json(details: TenantDetails, settings: Settings) -> dict[str, Any]:
    """All of a tenant but its secrets, for a program."""
    summary = details.summary
    return {
        **summary_json(summary),
        "webhook_url": webhook_address(settings, summary.tool, summary.id),
        "webhook_secrets": [
            {"not_before": iso(since), "not_after": iso(until)} for since, until in details.webhook_secrets
        ],
        "connection": dict(details.connection),
        "secret_fields_set": list(details.secret_fields),
        "settings": details.settings.model_dump(mode="json"),
    }


def iso(moment: datetime | None) -> str | None:
    """A moment for a program, to the second."""
    return moment.isoformat(timespec="seconds") if moment else None


def mode_line(tenant: str, mode: TenantMode) -> str:
    """How far the tenant's runs may go."""
    return f"tenant {tenant} is on {mode}"
