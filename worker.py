"""The worker process: settings, then dependencies, then activities, then a Temporal worker. Wiring only."""

import asyncio
import os
import signal
import socket
import sys
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import structlog
from temporalio.client import Client
from temporalio.envconfig import ClientConnectConfig
from temporalio.worker import Worker

from activities.note import GatherContext, RecordTicket, WriteNote
from activities.ticketing import ExtractMetadata, GetTicket, LookAgain, UpdateTicket, ValidateWebhook
from deskhand.crypto.codec import data_converter
from deskhand.crypto.keyring import Keyring, keyring_of
from deskhand.db.pool import create_pool
from deskhand.http import create_http_client
from deskhand.note.extractive import ExtractiveWriter
from deskhand.note.history import TicketHistory
from deskhand.observability.logging import configure_logging
from deskhand.settings import Settings, SettingsError, load_settings
from deskhand.stores import own_stores
from deskhand.temporal import bound_resumed, connect_config
from deskhand.tenants.store import TenantStore
from plugins.base import TicketingToolPlugin
from plugins.registry import load_plugins
from plugins.tenants import TenantConfigs
from workflows.contracts import resumed_queue
from workflows.enhance_ticket import EnhanceTicket
from workflows.record_resolution import RecordResolution

GRACE = timedelta(seconds=35)
"""How long a worker that is told to stop lets its activities finish: longer than the longest attempt (`write_note`)."""

CONNECT_EVERY = 2.0
"""Seconds between tries to reach Temporal at start."""

log = structlog.get_logger("worker")


async def run(settings: Settings) -> None:
    """Serve the task queue until SIGTERM or SIGINT, then let running activities finish."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)

    payload_keys = keyring_of(settings, "payload_keys")
    credential_keys = keyring_of(settings, "credential_keys")
    config = connect_config()
    database_url = settings.secret("database_url")
    stores = own_stores(database_url, config)
    registry = load_plugins()
    for name, why in registry.failures.items():
        log.error("plugin.not_loaded", plugin=name, reason=why)

    pool = await create_pool(database_url, settings)
    http = create_http_client(dev_vendors=settings.dev_vendors, own_stores=stores)
    tenants = TenantStore(pool, payload_keys, credential_keys)
    try:
        client = await _connect(config, payload_keys, settings, stopping)
        if client is None:
            return
        await bound_resumed(client, settings.task_queue)
        with ThreadPoolExecutor(thread_name_prefix="extract") as threads:
            doing = activities(registry.bind(tenants, http), tenants, TicketHistory(pool))
            worker = Worker(
                client,
                task_queue=settings.task_queue,
                workflows=[EnhanceTicket, RecordResolution],
                activities=doing,
                activity_executor=threads,
                graceful_shutdown_timeout=GRACE,
            )
            resumed = Worker(
                client,
                task_queue=resumed_queue(settings.task_queue),
                activities=doing,
                activity_executor=threads,
                graceful_shutdown_timeout=GRACE,
            )
            async with worker, resumed:
                log.info("worker.ready", identity=client.identity, task_queue=settings.task_queue)
                await stopping.wait()
                log.info("worker.draining")
        log.info("worker.stopped")
    finally:
        await http.aclose()
        await pool.close()


def activities(
    plugins: Mapping[str, TicketingToolPlugin], tenants: TenantConfigs, history: TicketHistory
) -> list[Callable[..., Any]]:
    """Every activity over its dependencies: the one place that knows them all."""
    return [
        ValidateWebhook(plugins, tenants).run,
        ExtractMetadata(plugins).run,
        GetTicket(plugins).run,
        GatherContext(history).run,
        WriteNote({"extractive": ExtractiveWriter()}).run,
        UpdateTicket(plugins).run,
        LookAgain(plugins).run,
        RecordTicket(history).run,
    ]


async def _connect(
    config: ClientConnectConfig, keys: Keyring, settings: Settings, stopping: asyncio.Event
) -> Client | None:
    """Connect to Temporal, however long that takes; `None` if told to stop first."""
    converter = data_converter(keys, allow_plaintext=settings.environment == "development")
    identity = f"deskhand-worker-{os.getpid()}@{socket.gethostname()}"
    while not stopping.is_set():
        try:
            return await Client.connect(**config, data_converter=converter, identity=identity)
        except RuntimeError as error:  # what the SDK raises for every failure to connect
            log.warning("worker.waiting_for_temporal", address=config["target_host"], why=str(error)[:200])
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), CONNECT_EVERY)
    return None


def main() -> int:
    """Run the worker; the exit status."""
    # The SDK says this where a local activity's end and its time-out cross, which harms nothing: Temporal takes only
    # one of the two. On a loaded machine it would fill the log.
    warnings.filterwarnings(
        "ignore", "Cannot find activity to cancel for token ", UserWarning, r"temporalio\.worker\._activity"
    )
    try:
        settings = load_settings()
        configure_logging(settings)
        asyncio.run(run(settings))
    except SettingsError as error:
        sys.stderr.write(f"worker: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
