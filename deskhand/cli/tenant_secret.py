"""`deskhand tenant rotate-secret`: another webhook secret, while the old one counts for a while."""

import sys
from datetime import timedelta
from typing import Annotated

import typer
from pydantic import SecretStr

from deskhand.cli.asking import ask_webhook_secret
from deskhand.cli.connection import generate_webhook_secret, given_secrets
from deskhand.cli.durations import parse_duration
from deskhand.cli.errors import CliError
from deskhand.cli.layout import numbered
from deskhand.cli.shared import plugin_class, print_json, with_tenants
from deskhand.cli.tenant_words import AsJson, TenantId, iso, secret_steps, webhook_address
from deskhand.cli.waking import SEEN_SECONDS
from deskhand.runs.wording import moment
from deskhand.settings import load_settings
from deskhand.tenants.cache import FRESH_SECONDS
from deskhand.tenants.files import WEBHOOK_SECRET
from plugins.base import TicketingToolPlugin


def rotate_secret(
    tenant: TenantId,
    keep_old: Annotated[
        str,
        typer.Option(metavar="SPAN", help="How long old secrets count; 0: no longer, as for a leaked one."),
    ] = "24h",
    ask: Annotated[bool, typer.Option("--ask", help="Ask for the secret that the tool made, without echo.")] = False,
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Read the secret that the tool made from standard input.")
    ] = False,
    secret_env: Annotated[
        str | None,
        typer.Option("--secret-env", metavar="VARIABLE", help="Take it from the environment instead."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Give a tenant another webhook secret: a new one, shown this once, or the one that its tool made.

    Deliveries may be signed with an old secret for as long as --keep-old says. Runs that wait are judged by the secret
    that counted when their delivery came.
    """
    kept = timedelta() if keep_old.strip() in ("0", "0s") else parse_duration("--keep-old", keep_old)
    if sum((ask, secret_stdin, secret_env is not None)) > 1:
        raise CliError("--ask, --secret-stdin, --secret-env: give one of them at most")
    settings = load_settings()
    details = with_tenants(settings, lambda admin: admin.show(tenant))
    tool = details.summary.tool
    plugin = plugin_class(f"tenant {tenant}:", tool)
    given = _given(plugin, tool, ask=ask, from_stdin=secret_stdin, variable=secret_env)
    made = generate_webhook_secret() if given is None else None
    address = webhook_address(settings, tool, tenant)
    # Before it is stored: a plugin that fails here must not take the secret with it.
    steps = secret_steps(plugin.webhook_steps(address, tenant, details.settings)) if made else ()
    until = with_tenants(settings, lambda admin: admin.rotate_secret(tenant, SecretStr(given or made or ""), kept))
    if as_json:
        print_json(
            {"tenant": tenant, "webhook_secret": made, "old_secrets_count_until": iso(until), "steps": list(steps)}
        )
        return
    if made:
        print(f"webhook secret:  {made}")
        print("The secret is shown this once: keep it until it is entered in the tool.")
        print(f"Enter it there in {SEEN_SECONDS:g} s at the earliest, when every service knows it:")
        for line in numbered(steps):
            print(line)
    else:
        print(f"tenant {tenant} has the webhook secret that was given; services see it within {FRESH_SECONDS:g} s")
    if until is not None:
        print(f"Deliveries may be signed with an old secret until {moment(until)}.")
    elif details.webhook_secrets:
        print("No old secret counts any more.")


def _given(
    plugin: type[TicketingToolPlugin], tool: str, *, ask: bool, from_stdin: bool, variable: str | None
) -> str | None:
    """The secret that the tool made, if it did; `None`: one is to be made."""
    if variable is not None:
        return given_secrets(from_stdin=False, from_env=(f"{WEBHOOK_SECRET}={variable}",)).webhook_secret
    if from_stdin:
        return _read()
    if not (ask or plugin.vendor_makes_secret):
        return None
    if not sys.stdin.isatty():
        raise CliError(
            f"webhook secret: {tool} makes it; give it with --secret-stdin or --secret-env"
            if plugin.vendor_makes_secret
            else "--ask: standard input is no terminal; use --secret-stdin or --secret-env"
        )
    return ask_webhook_secret(tool)


def _read() -> str:
    secret = sys.stdin.read().strip()
    if not secret or not secret.isprintable():
        raise CliError("--secret-stdin: standard input must be the secret alone, on one line")
    return secret
