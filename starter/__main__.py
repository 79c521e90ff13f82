"""`python -m starter`: settings, parts, serve. Wiring only.

Temporal and PostgreSQL may be down when it starts: deliveries are answered 503 until they are back.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

import structlog
import uvicorn
from starlette.applications import Starlette

from deskhand.crypto.keyring import Keyring, keyring_of
from deskhand.db.pool import create_pool
from deskhand.http import create_http_client
from deskhand.observability.logging import configure_logging
from deskhand.runs.starting import TemporalRuns, connect_lazily
from deskhand.settings import Settings, SettingsError, load_settings
from deskhand.stores import own_stores
from deskhand.temporal import connect_config
from deskhand.tenants.store import TenantStore
from plugins.registry import load_plugins
from starter.app import create_app
from starter.tenants import TenantLookup

GRACE_SECONDS = 10

log = structlog.get_logger("starter")


def main() -> int:
    """Serve until told to end. Exit code 1 and one line on standard error where a setting is missing or unusable."""
    try:
        settings = load_settings()
        keyring = keyring_of(settings, "payload_keys")
        database_url = settings.secret("database_url")
        configure_logging(settings)
        if settings.credential_keys is not None:
            log.warning(
                "credential_keys_present",
                hint="take DESKHAND_CREDENTIAL_KEYS out of the starter's environment: it faces the internet "
                "and has no use for the keys to API credentials",
            )
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(settings, keyring, database_url))
    except SettingsError as error:
        sys.stderr.write(f"starter: {error}\n")
        return 1
    return 0


async def _serve(settings: Settings, keyring: Keyring, database_url: str) -> None:
    config = connect_config()
    http = create_http_client(dev_vendors=settings.dev_vendors, own_stores=own_stores(database_url, config))
    client = await connect_lazily(config, keyring)
    pool = await create_pool(database_url, settings)
    tenants = TenantLookup(TenantStore(pool, keyring))
    registry = load_plugins()
    for name, reason in registry.failures.items():
        log.error("plugin.not_loaded", plugin=name, reason=reason)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        yield
        await http.aclose()
        await pool.close()

    app = create_app(
        registry.bind(tenants, http), tenants, TemporalRuns(client, settings.task_queue), settings, lifespan=lifespan
    )
    await uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.starter_host,
            port=settings.starter_port,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    ).serve()


if __name__ == "__main__":
    sys.exit(main())
