"""`deskhand tenant add`: ask for what is missing, try the connection, store the tenant, tell what to do in the tool."""

import asyncio
import sys
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from pydantic import SecretStr

from deskhand.cli.asking import ask_connection, ask_scheme
from deskhand.cli.auditing import audit
from deskhand.cli.checking import check_given, finding_lines, findings_json, first_failure
from deskhand.cli.connection import (
    GivenSecrets,
    SecretEnv,
    SecretsStdin,
    build_connection,
    generate_webhook_secret,
    given_secrets,
    parse_assignments,
)
from deskhand.cli.errors import CliError
from deskhand.cli.layout import wrapped
from deskhand.cli.shared import plugin_class, print_json, with_tenants
from deskhand.cli.tenant_words import (
    MODES,
    AsJson,
    Priorities,
    TenantId,
    Unchecked,
    require_scheme,
    step_lines,
    tenant_settings,
    webhook_address,
)
from deskhand.settings import load_settings
from deskhand.tenants.admin import NewTenant
from plugins.base import TicketingToolPlugin
from plugins.rendering.characters import printable
from plugins.tenants import WebhookSecret
from plugins.types import ConnectionReport, TenantMode

_OWN_ACCOUNT = "own_account_id"


def add(
    tenant: TenantId,
    tool: Annotated[str, typer.Option(help="The ticketing tool: a plugin's name.")],
    fields: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="A field of the connection, no secret.")
    ] = None,
    secrets_stdin: SecretsStdin = False,
    secret_env: SecretEnv = None,
    webhook_secret: Annotated[
        bool | None,
        typer.Option(
            "--webhook-secret/--no-webhook-secret",
            help="Make a webhook secret where none is given. Without one, every delivery is refused.",
            show_default=False,
        ),
    ] = None,
    own_account_id: Annotated[
        str | None, typer.Option(help="The vendor's id of the account that writes our notes.")
    ] = None,
    signature_scheme: Annotated[
        str | None, typer.Option(help="How webhooks are authenticated, if not by the plugin's default.")
    ] = None,
    allow_private_address: Annotated[
        bool, typer.Option("--allow-private-address", help="The tool may be at an address of a private network.")
    ] = False,
    mode: Annotated[TenantMode, typer.Option(help=MODES)] = TenantMode.LIVE,
    priority: Priorities = None,
    language: Annotated[str, typer.Option(help="The language of the tickets, for the search.")] = "english",
    retention_days: Annotated[
        int | None, typer.Option(help="How long what is known of tickets is kept, in days.")
    ] = None,
    unchecked: Unchecked = False,
    as_json: AsJson = False,
) -> None:
    """Add a tenant whose connection works, and print what to do in its tool.

    On a terminal, what is not given is asked for. Elsewhere secrets come from standard input (--secrets-stdin) or from
    the environment (--secret-env), webhook_secret among them. A webhook secret that is not given is made, and shown
    this once; where the tool makes it itself, it is given later with `deskhand tenant rotate-secret`.
    """
    settings = load_settings()
    plugin = plugin_class("--tool", tool)
    require_scheme(tool, plugin, signature_scheme)
    plain = parse_assignments("--set", fields or ())
    given_settings = tenant_settings(
        own_account_id=own_account_id,
        signature_scheme=signature_scheme,
        priorities=parse_assignments("--priority", priority or ()),
        language=language,
        allow_private_address=allow_private_address,
        retention_days=retention_days,
    )
    secrets = given_secrets(from_stdin=secrets_stdin, from_env=secret_env or ())
    if secrets.webhook_secret and webhook_secret is False:
        raise CliError("--no-webhook-secret: and yet webhook_secret was given")
    with_tenants(settings, lambda admin: admin.require_addable(tenant, language))
    asking = sys.stdin.isatty() and not secrets_stdin
    if asking:
        connection = ask_connection(plugin.connection_model, plain, secrets.fields)
        if signature_scheme is None and len(plugin.signature_schemes) > 1:
            given_settings = given_settings.model_copy(update={"signature_scheme": ask_scheme(plugin)})
    else:
        connection = build_connection(plugin.connection_model, plain, secrets.fields)
    report = None
    if not unchecked:
        asyncio.run(audit(settings, "tenant.check", tenant))
        report = asyncio.run(check_given(settings, tenant, tool, given_settings, connection))
        # The vendor's word: it is stored, and shown on terminals.
        account = printable(report.account_id or "") or None
        settled = _OWN_ACCOUNT if account and own_account_id is None else ""
        if settled:
            given_settings = given_settings.model_copy(update={_OWN_ACCOUNT: account})
        if not as_json:
            print(f"\n{tenant} ({tool})" if asking else f"{tenant} ({tool})")
            for line in finding_lines(report, settled=settled):
                print(line)
        _require_works(tenant, report, shown=not as_json)
    made = _made(plugin, secrets, wanted=webhook_secret, asking=asking)
    value = secrets.webhook_secret or made
    new = NewTenant(
        id=tenant,
        tool=tool,
        connection=connection,
        webhook_secrets=(WebhookSecret(SecretStr(value)),) if value else (),
        mode=mode,
        settings=given_settings,
    )
    address = webhook_address(settings, tool, tenant)
    # Before it is stored: a plugin that fails here must not take a secret with it that was just made.
    steps = plugin.webhook_steps(address, tenant, given_settings)
    with_tenants(settings, lambda admin: admin.add(new))
    added = _Added(new, address, steps, plugin, made, report, learned=own_account_id is None)
    if as_json:
        print_json(added.json())
    else:
        added.print()


def _require_works(tenant: str, report: ConnectionReport, *, shown: bool) -> None:
    """Refuse a connection that does not work; what does not was shown, or else stands in the one line."""
    if report.ok:
        return
    why = "" if shown else f": {first_failure(report)}"
    raise CliError(
        f"tenant {tenant}: nothing was stored: the connection does not work{why}. "
        "Mend it, or add the tenant nonetheless with --unchecked"
    )


def _made(plugin: type[TicketingToolPlugin], secrets: GivenSecrets, *, wanted: bool | None, asking: bool) -> str | None:
    """A new webhook secret, where one is to be made."""
    if secrets.webhook_secret or wanted is False:
        return None
    if wanted is None and asking and plugin.vendor_makes_secret:
        return None
    return generate_webhook_secret()


@dataclass(frozen=True, slots=True)
class _Added:
    """A tenant that was just added, to be told of."""

    new: NewTenant
    address: str
    steps: tuple[str, ...]
    """What to do in the tool."""
    plugin: type[TicketingToolPlugin]
    made: str | None
    report: ConnectionReport | None
    learned: bool
    """Whether the account's id was taken from the check."""

    @property
    def account(self) -> str | None:
        """The account's id, where it was taken from the check."""
        return self.new.settings.own_account_id if self.report and self.learned else None

    def json(self) -> dict[str, Any]:
        settled = _OWN_ACCOUNT if self.account else ""
        return {
            "tenant": self.new.id,
            "tool": self.new.tool,
            "mode": self.new.mode,
            "webhook_url": self.address,
            "webhook_secret": self.made,
            "own_account_id": self.new.settings.own_account_id,
            "findings": findings_json(self.report, settled=settled) if self.report else None,
            "steps": list(self.steps),
        }

    def print(self) -> None:
        new = self.new
        if self.account:
            said = f"events that our own notes cause are recognised by that account: own_account_id is {self.account}"
            print("\n".join(wrapped(said, f"  {'ok':<8}", " " * 10)))
        print(f"\ntenant {new.id} added ({new.tool}, {new.mode})" if self.report else _headline(new))
        print(f"webhook address: {self.address}")
        if self.made and self.plugin.vendor_makes_secret:
            print(f"webhook secret:  {self.made}")
            print(f"It is shown this once, and stands in until you give the one that {new.tool} makes.")
        elif self.made:
            print(f"webhook secret:  {self.made}")
            print("The secret is shown this once: keep it until it is entered in the tool.")
        elif not new.webhook_secrets and self.plugin.vendor_makes_secret:
            print(f"It has no webhook secret yet: {new.tool} makes it, and until you give it deliveries are refused.")
        elif not new.webhook_secrets:
            print("It has no webhook secret: its deliveries are all refused.")
        print()
        for line in step_lines(self.steps):
            print(line)
        print(f"\nThen create a ticket: its run shows in `deskhand runs list --tenant {new.id}`.")


def _headline(new: NewTenant) -> str:
    return f"tenant {new.id} added ({new.tool}, {new.mode}); its connection was not tried"
