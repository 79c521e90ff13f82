"""What several commands do alike."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from temporalio.client import Client
from temporalio.envconfig import ClientConnectConfig
from temporalio.service import RPCError, RPCStatusCode

from deskhand.cli.errors import CliError
from deskhand.crypto.codec import data_converter
from deskhand.crypto.keyring import has_keys, keyring_of
from deskhand.crypto.sealing import SealError
from deskhand.db.pool import create_pool
from deskhand.runs.handling import RunError, is_unknown_namespace
from deskhand.runs.order import RunsRefusedError, RunsUnavailableError
from deskhand.runs.wording import one_line
from deskhand.settings import Settings
from deskhand.temporal import connect_config
from deskhand.tenants.admin import TenantAdmin
from plugins.base import MAX_TENANT_ID, TENANT_ID, TicketingToolPlugin
from plugins.registry import load_plugins

T = TypeVar("T")

CONNECT_SECONDS = 10.0
"""How long Temporal may take to answer the first call."""

_SYSTEM_SAID = re.compile(r'message: "([^"]+)"')
_AWAY = frozenset({RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED})
_STRANGER = frozenset({RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.PERMISSION_DENIED})


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


@asynccontextmanager
async def temporal_client(settings: Settings) -> AsyncIterator[Client]:
    """A client of Temporal that is connected. What goes wrong with Temporal inside is one readable line.

    Where the payload keys are set, what it sends is sealed with them, and only sealed payloads are opened by it.

    Raises:
        SettingsError: a setting is unusable.
        CliError: Temporal cannot be reached, refuses us or what we ask, or a payload does not open; or a `RunError`.
    """
    config = connect_config()
    options: dict[str, Any] = {}
    if has_keys(settings, "payload_keys"):
        options["data_converter"] = data_converter(keyring_of(settings, "payload_keys"), allow_plaintext=False)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            client = await Client.connect(**config, **options)
    except TimeoutError:
        raise CliError(_unreachable(config, f"not within {CONNECT_SECONDS:g} s")) from None
    except RuntimeError as error:  # what the SDK raises where it cannot connect
        raise CliError(_unreachable(config, str(error))) from None
    try:
        yield client
    except RPCError as error:
        raise CliError(_refusal(config, error)) from None
    except RunError as error:
        raise CliError(str(error)) from None
    except RunsUnavailableError as error:
        raise CliError(_unreachable(config, str(error))) from None
    except RunsRefusedError as error:
        raise CliError(f"Temporal refuses the run: {one_line(str(error))}") from None
    except SealError as error:
        raise CliError(f"what Temporal holds does not open with DESKHAND_PAYLOAD_KEYS: {error}") from None


def _unreachable(config: ClientConnectConfig, why: str) -> str:
    # The SDK's words for a broken connection are its insides; what the system said stands in quotes among them.
    said = _SYSTEM_SAID.search(why)
    reason = f" ({one_line(said[1] if said else why)})" if why else ""
    return f"Temporal at {config['target_host']} does not answer{reason}: check TEMPORAL_ADDRESS, and whether it runs"


def _refusal(config: ClientConnectConfig, error: RPCError) -> str:
    if is_unknown_namespace(error):
        namespace = config.get("namespace", "default")
        return f"Temporal at {config['target_host']} has no namespace {namespace}: check TEMPORAL_NAMESPACE"
    if error.status in _AWAY:
        return _unreachable(config, error.message)
    if error.status in _STRANGER:
        return f"Temporal at {config['target_host']} refuses us: check TEMPORAL_API_KEY and TEMPORAL_TLS_…"
    return f"Temporal refuses: {one_line(error.message)}"


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


def require_tenant_id(given_as: str, tenant_id: str) -> str:
    """The tenant's id, which was given as an option or argument of this name, if it can be one.

    Raises:
        CliError: it cannot.
    """
    if len(tenant_id) > MAX_TENANT_ID or not TENANT_ID.fullmatch(tenant_id):
        raise CliError(f"{given_as}: must be 1 to {MAX_TENANT_ID} letters, digits and hyphens")
    return tenant_id


def print_json(value: Any) -> None:
    """Print it for a program to read. ASCII: what a vendor said may hold what steers a terminal."""
    print(json.dumps(value, indent=2))
