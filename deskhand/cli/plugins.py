"""`deskhand plugins …`: which ticketing tools there are, what each needs, and whether a tenant's connection works."""

from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from deskhand.cli.checking import check_tenant, finding_lines
from deskhand.cli.layout import wrapped
from deskhand.cli.shared import plugin_class, print_json, with_tenants
from deskhand.settings import Settings, load_settings
from deskhand.tenants.admin import TenantAdmin
from plugins.base import TicketingToolPlugin
from plugins.fields import secret_fields
from plugins.registry import load_plugins
from plugins.rendering.characters import printable
from plugins.tenants import TenantConfig
from plugins.types import ConnectionReport

app = typer.Typer(help="List plugins, show what they need, check a connection.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_plugins(as_json: AsJson = False) -> None:
    """List the plugins that are installed, and those that do not load."""
    plugins = load_plugins()
    if as_json:
        rows = [
            {"tool": tool, "version": plugin.__version__, "package": plugins.origins[tool]}
            for tool, plugin in plugins.classes.items()
        ]
        print_json({"plugins": rows, "failures": dict(plugins.failures)})
        return
    width = max((len(tool) for tool in plugins.classes), default=0)
    for tool, plugin in plugins.classes.items():
        print(f"{tool:<{width}}  {plugin.__version__}  from {plugins.origins[tool]}")
    for name, reason in plugins.failures.items():
        print(f"{name} does not load: {printable(reason)}")
    if not plugins.classes and not plugins.failures:
        print("There are no plugins: install Deskhand itself into this environment.")


@app.command()
def show(tool: Annotated[str, typer.Argument(metavar="TOOL", help="A plugin's name.")]) -> None:
    """Show what a tenant of a tool must give, and how its webhooks are authenticated."""
    plugin = plugin_class("TOOL", tool)
    print(f"{tool} {plugin.__version__}")
    print("\n".join(wrapped(_first_paragraph(plugin))))
    print("\nIts connection:")
    secrets = secret_fields(plugin.connection_model)
    for name, field in plugin.connection_model.model_fields.items():
        print(f"  {name} ({_kind(field, name in secrets)})")
        if field.description:
            print("\n".join(wrapped(field.description, "    ")))
        if field.examples:
            print(f"    such as {' or '.join(map(str, field.examples))}")
    schemes = ", ".join(sorted(plugin.signature_schemes)) or "one way only"
    print(f"\nIts webhooks: authenticated by the header {plugin.signature_header}; schemes: {schemes}")


@app.command()
def check(
    tenant: Annotated[str, typer.Option(metavar="TENANT", help="The tenant whose connection is tried.")],
    as_json: AsJson = False,
) -> None:
    """Try a tenant's connection: who we are there, whether we may read, whether we may write a private note.

    Nothing is written at the tool. The exit code is 1 where something does not work.
    """
    settings = load_settings()
    config, report = with_tenants(settings, lambda admin: _check(admin, settings, tenant))
    if as_json:
        print_json({"tenant": config.id, "tool": config.tool, "ok": report.ok, **report.model_dump(mode="json")})
    else:
        print(f"{config.id} ({config.tool})")
        for line in finding_lines(report):
            print(line)
        print("The connection works." if report.ok else "The connection does not work.")
    if not report.ok:
        raise typer.Exit(1)


async def _check(admin: TenantAdmin, settings: Settings, tenant_id: str) -> tuple[TenantConfig, ConnectionReport]:
    config = await admin.open(tenant_id, "tenant.check")
    return config, await check_tenant(settings, config)


def _first_paragraph(plugin: type[TicketingToolPlugin]) -> str:
    return (plugin.__doc__ or "").strip().split("\n\n")[0]


def _kind(field: FieldInfo, secret: bool) -> str:
    default: Any = field.get_default()
    if field.is_required():
        said = "required"
    elif default is None or default is PydanticUndefined:
        said = "optional"
    else:
        said = f"{str(default).lower() if isinstance(default, bool) else default} unless given"
    return f"secret, {said}" if secret else said
