"""`python -m starter`: settings, parts, serve. Wiring only.

Temporal and PostgreSQL may be down when it starts. With Temporal down, deliveries go to the spool; with PostgreSQL
down, those of tenants that are not known from before are answered 503.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

import structlog
from starlette.applications import Starlette

from deskhand.crypto.keyring import Keys, has_keys, keyring_of
from deskhand.db.pool import Pool, create_pool
from deskhand.http import create_http_client
from deskhand.observability.logging import configure_logging
from deskhand.observability.telemetry import start_telemetry, traced
from deskhand.runs.spool import Spool
from deskhand.runs.starting import TemporalRuns, connect_lazily
from deskhand.serving.server import server
from deskhand.settings import Settings, SettingsError, load_settings
from deskhand.stores import own_stores
from deskhand.temporal import connect_config
from deskhand.tenants.cache import Limits
from deskhand.tenants.store import TenantStore
from plugins.registry import load_plugins
from starter.app import create_app
from starter.spool import LANES, Drainer, Outage, SpoolingRuns
from starter.tenants import TenantLookup

CLOSE_SECONDS = 3.0
"""How long the database may take to let go of its connections at the end."""

log = structlog.get_logger("starter")


def main() -> int:
    """Serve until told to end. Exit code 1 and one line on standard error where a setting is missing or unusable."""
    try:
        settings = load_settings()
        keyring = keyring_of(settings, "payload_keys")
        database_url = settings.secret("database_url")
        configure_logging(settings)
        start_telemetry(settings)
        if has_keys(settings, "credential_keys"):
            log.warning(
                "credential_keys_present",
                hint="take DESKHAND_CREDENTIAL_KEYS, or …_FILE, out of the starter's environment: it faces the "
                "internet and has no use for the keys to API credentials",
            )
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(settings, keyring, database_url))
    except SettingsError as error:
        sys.stderr.write(f"starter: {error}\n")
        return 1
    return 0


async def _serve(settings: Settings, keyring: Keys, database_url: str) -> None:
    config = connect_config()
    http = create_http_client(dev_vendors=settings.dev_vendors, own_stores=own_stores(database_url, config))
    client = traced(await connect_lazily(config, keyring), "deskhand-starter")
    pool = await create_pool(database_url, settings)
    store = TenantStore(pool, keyring, limits=Limits.within(settings.max_in_flight))
    tenants = TenantLookup(store)
    temporal = TemporalRuns(client, settings.task_queue)
    spool = Spool(pool, keyring, settings.spool_max_per_tenant)
    outage = Outage()
    # It must leave connections to the door.
    drainer = Drainer(spool, temporal, outage, lanes=max(1, min(LANES, settings.database_pool_size // 2)))
    registry = load_plugins()
    for name, reason in registry.failures.items():
        log.error("plugin.not_loaded", plugin=name, reason=reason)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        draining = asyncio.create_task(drainer.run())
        yield
        draining.cancel()
        await http.aclose()
        await _close(pool)
        await asyncio.gather(draining, return_exceptions=True)

    app = create_app(
        registry.bind(tenants, http),
        tenants,
        SpoolingRuns(temporal, spool, outage),
        settings,
        takers={"temporal": temporal.check, "spool": spool.check},
        remembers=tenants.remembers,
        answers=store.check,
        lifespan=lifespan,
    )
    await server(
        app,
        host=settings.starter_host,
        port=settings.starter_port,
        receive_seconds=settings.receive_seconds,
        max_in_flight=settings.max_in_flight,
    ).serve()


async def _close(pool: Pool) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await pool.close()
    except TimeoutError:  # a database that hangs does not keep us from ending
        pool.terminate()


if __name__ == "__main__":
    sys.exit(main())
