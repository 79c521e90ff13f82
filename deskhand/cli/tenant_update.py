"""`deskhand tenant update`: change a tenant's connection, settings and mode; a new connection is tried first."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from deskhand.cli.asking import ask_secret
from deskhand.cli.auditing import audit
from deskhand.cli.checking import check_given, finding_lines, findings_json, first_failure
from deskhand.cli.connection import (
    SecretEnv,
    SecretsStdin,
    build_connection,
    given_secrets,
    parse_assignments,
    require_field,
    require_fields,
)
from deskhand.cli.errors import CliError
from deskhand.cli.shared import plugin_class, print_json, with_tenants
from deskhand.cli.tenant_words import (
    MODES,
    AsJson,
    Priorities,
    TenantId,
    Unchecked,
    mode_line,
    require_scheme,
    tenant_settings,
)
from deskhand.settings import Settings, load_settings
from deskhand.tenants.cache import FRESH_SECONDS
from deskhand.tenants.changing import StoredTenant
from deskhand.tenants.files import WEBHOOK_SECRET
from deskhand.tenants.sealing import Connection
from plugins.base import TicketingToolPlugin
from plugins.fields import secret_fields
from plugins.types import ConnectionReport, TenantMode, TenantSettings

_UNSETTABLE = frozenset({"own_account_id", "priorities", "retention_days", "signature_scheme"})
"""The settings that a tenant can be without."""


def update(
    tenant: TenantId,
    mode: Annotated[TenantMode | None, typer.Option(help=MODES)] = None,
    fields: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="A field of the connection, no secret.")
    ] = None,
    unset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD",
            help="Take out an optional field of the connection; or own_account_id, priorities, retention_days, "
            "signature_scheme.",
        ),
    ] = None,
    ask: Annotated[
        list[str] | None, typer.Option("--ask-secret", metavar="FIELD", help="Ask for a secret field, without echo.")
    ] = None,
    secrets_stdin: SecretsStdin = False,
    secret_env: SecretEnv = None,
    own_account_id: Annotated[
        str | None, typer.Option(help="The vendor's id of the account that writes our notes.")
    ] = None,
    signature_scheme: Annotated[str | None, typer.Option(help="How webhooks are authenticated.")] = None,
    allow_private_address: Annotated[
        bool | None,
        typer.Option(
            "--allow-private-address/--no-allow-private-address",
            help="Whether the tool may be at an address of a private network.",
            show_default=False,
        ),
    ] = None,
    priority: Priorities = None,
    language: Annotated[str | None, typer.Option(help="The language of the tickets, for the search.")] = None,
    retention_days: Annotated[
        int | None, typer.Option(help="How long what is known of tickets is kept, in days.")
    ] = None,
    unchecked: Unchecked = False,
    as_json: AsJson = False,
) -> None:
    """Change a tenant. What is not named stays; a new connection is tried first. Services see it within 10 seconds.

    The webhook secret is changed with `deskhand tenant rotate-secret`.
    """
    settings = load_settings()
    old = with_tenants(settings, lambda admin: admin.read(tenant))
    plugin = plugin_class(f"tenant {tenant}:", old.tool)
    require_scheme(old.tool, plugin, signature_scheme)
    given = {
        "own_account_id": own_account_id,
        "signature_scheme": signature_scheme,
        "language": language,
        "allow_private_address": allow_private_address,
        "retention_days": retention_days,
    }
    secrets = given_secrets(from_stdin=secrets_stdin, from_env=secret_env or ())
    if secrets.webhook_secret:
        raise CliError(f"{WEBHOOK_SECRET}: is changed with `deskhand tenant rotate-secret {tenant}`")
    plain = parse_assignments("--set", fields or ())
    require_fields(plugin.connection_model, plain, secrets.fields)
    gone = _unset(plugin, unset or (), {**plain, **secrets.fields})
    asked = _asked(plugin, ask or ())
    new = old.with_changes(
        mode=mode,
        settings=_settings(old.settings, given, parse_assignments("--priority", priority or ()), gone),
        connection=_connection(plugin, old.connection, plain, {**secrets.fields, **asked}, gone),
    )
    if new == old and mode is None:
        raise CliError(f"tenant {tenant}: nothing would change; see `deskhand tenant show {tenant}`")
    report = None if unchecked or not _connects_anew(old, new) else _checked(settings, new, as_json=as_json)
    changed = with_tenants(settings, lambda admin: admin.change(old, new))
    if as_json:
        print_json({"tenant": tenant, "changed": list(changed), "findings": findings_json(report) if report else None})
        return
    if others := [name for name in changed if name != "mode"]:
        print(f"tenant {tenant}: changed: {', '.join(others)}")
    if mode is not None:
        print(mode_line(tenant, new.mode))
    if old.mode is TenantMode.PAUSE and new.mode is not TenantMode.PAUSE:
        print(f"Its paused runs wake by themselves, or at once with `deskhand tenant unpause {tenant}`.")
    if others:
        print(f"Services see it within {FRESH_SECONDS:g} s.")
        if _connects_anew(old, new):
            print(f"Runs that wait for it go on by themselves, or with `deskhand runs resume --tenant {tenant}`.")


def _unset(plugin: type[TicketingToolPlugin], names: list[str] | tuple[()], given: Mapping[str, str]) -> frozenset[str]:
    for name in names:
        if name in given:
            raise CliError(f"--unset {name}: is given a value as well")
        if name not in _UNSETTABLE:
            require_field(plugin.connection_model, "--unset", name)
    return frozenset(names)


def _asked(plugin: type[TicketingToolPlugin], names: list[str] | tuple[()]) -> dict[str, str]:
    model = plugin.connection_model
    for name in names:
        require_field(model, "--ask-secret", name)
        if name not in secret_fields(model):
            raise CliError(f"--ask-secret {name}: is not a secret; give it with --set {name}=…")
    return {name: ask_secret(name, f"{name}: {model.model_fields[name].description or ''}") for name in names}


def _settings(
    old: TenantSettings, given: Mapping[str, Any], priorities: Mapping[str, str], gone: frozenset[str]
) -> TenantSettings:
    fields = {name: value for name, value in old.model_dump().items() if name not in gone}
    fields |= {name: value for name, value in given.items() if value is not None}
    if priorities:
        kept = {} if "priorities" in gone else dict(old.priorities)
        fields["priorities"] = kept | {name.casefold(): level for name, level in priorities.items()}
    return tenant_settings(**fields)


def _connection(
    plugin: type[TicketingToolPlugin],
    old: Connection,
    plain: Mapping[str, str],
    secret: Mapping[str, str],
    gone: frozenset[str],
) -> Connection:
    """The connection with the changes, if the model takes it. One that nothing changes need not be complete."""
    merged = Connection(
        {name: value for name, value in {**old.plain, **plain}.items() if name not in gone},
        {name: value for name, value in {**old.secret, **secret}.items() if name not in gone},
    )
    return old if merged == old else build_connection(plugin.connection_model, merged.plain, merged.secret)


def _connects_anew(old: StoredTenant, new: StoredTenant) -> bool:
    return new.connection != old.connection or new.settings.allow_private_address != old.settings.allow_private_address


def _checked(settings: Settings, new: StoredTenant, *, as_json: bool) -> ConnectionReport:
    """What trying the new connection found; nothing was stored yet.

    Raises:
        CliError: it does not work.
    """
    asyncio.run(audit(settings, "tenant.check", new.id))
    report = asyncio.run(check_given(settings, new.id, new.tool, new.settings, new.connection))
    if not as_json:
        print(f"{new.id} ({new.tool})")
        for line in finding_lines(report):
            print(line)
    if not report.ok:
        why = f": {first_failure(report)}" if as_json else ""
        raise CliError(
            f"tenant {new.id}: nothing was changed: the connection would not work{why}. "
            "Mend it, or change it nonetheless with --unchecked"
        )
    return report
