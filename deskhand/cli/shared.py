"""What several commands do alike."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from deskhand.cli.errors import CliError
from deskhand.crypto.keyring import keyring_of
from deskhand.db.pool import create_pool
from deskhand.settings import Settings
from deskhand.tenants.admin import TenantAdmin
from plugins.base import TicketingToolPlugin
from plugins.registry import load_plugins

T = TypeVar("T")


def with_tenants(settings: Settings, work: Callable[[TenantAdmin], Awaitable[T]]) -> T:
    """What `work` returns, given the tenants as the operator's role sees them.

    Raises:
        SettingsError: a setting that this needs is not set.
    """
    url = settings.secret("database_operator_url")
    payload_keys = keyring_of(settings, "payload_keys")
    credential_keys = keyring_of(settings, "credential_keys")

    async def run() -> T:
        pool = await create_pool(url, settings)
        try:
            return await work(TenantAdmin(pool, payload_keys, credential_keys))
        finally:
            await pool.close()

    return asyncio.run(run())


def plugin_class(given_as: str, tool: str) -> type[TicketingToolPlugin]:
    """The plugin of a tool, which was given as an option or argument of this name.

    Raises:
        CliError: there is none.
    """
    plugins = load_plugins()
    if tool in plugins.classes:
        return plugins.classes[tool]
    failed = "".join(f"; {name} did not load: {reason}" for name, reason in plugins.failures.items())
    raise CliError(f"{given_as} {tool}: no such plugin; there are {', '.join(plugins.classes) or 'none'}{failed}")


def print_json(value: Any) -> None:
    """Print it for a program to read. ASCII: what a vendor said may hold what steers a terminal."""
    print(json.dumps(value, indent=2))
