"""The worker process: settings, then dependencies, then activities, then a Temporal worker. Wiring only."""

import asyncio
import os
import signal
import socket
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import structlog
from temporalio import activity
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.client import Client
from temporalio.envconfig import ClientConnectConfig
from temporalio.worker import Worker

from activities.note import GatherContext, RecordTicket, WriteNote
from activities.reconcile import StartMissing
from activities.ticketing import ExtractMetadata, GetTicket, LookAgain, Tenants, UpdateTicket, ValidateWebhook
from deskhand.crypto.codec import data_converter
from deskhand.crypto.keyring import Keys, keyring_of
from deskhand.db.pool import create_pool
from deskhand.http import create_http_client
from deskhand.note.extractive import ExtractiveWriter
from deskhand.note.history import TicketHistory
from deskhand.observability.logging import configure_logging
from deskhand.observability.readiness import Queue, Readiness, listen, served
from deskhand.observability.telemetry import start_telemetry, traced
from deskhand.runs.missing import MissingRuns
from deskhand.settings import Settings, SettingsError, load_settings
from deskhand.stores import own_stores
from deskhand.temporal import bound_resumed, connect_config
from deskhand.tenants.store import TenantStore
from plugins.base import TicketingToolPlugin
from plugins.registry import load_plugins
from workflows.contracts import TASK_QUEUE, reconcile_queue, resumed_queue
from workflows.enhance_ticket import EnhanceTicket
from workflows.reconcile import Reconcile, ReconcileRegularly
from workflows.record_resolution import RecordResolution

GRACE = timedelta(seconds=35)
"""How long a worker that is told to stop lets its activities finish: longer than the longest attempt (`write_note`)."""

ACTIVITIES = 50
"""How many activities run at once: mostly they wait for a vendor. What is more waits at Temporal, which hands tasks out
in fair order; what a worker has taken, it has taken."""
PASSES = 5
"""How many passes of reconciliation walk at once, for minutes each."""
WORKFLOW_TASKS = 20
"""How many workflow tasks and local activities run at once. They need the processor, so that more would only be slower,
and run into the milliseconds of their budgets."""
CACHED_RUNS = 1_000
"""How many runs are kept in memory between their tasks: more than are under way at any time but in a flood, when those
beyond are read anew from their histories. With a quarter of those under way kept, that cost 40 % of the throughput."""

NAMES = 64
"""How many names are looked up at once, each on a thread: one whose servers say nothing holds that for seconds."""

CONNECT_EVERY = 2.0
"""Seconds between tries to reach Temporal at start."""

log = structlog.get_logger("worker")


async def run(settings: Settings) -> None:
    """Serve the task queue until SIGTERM or SIGINT, then let running activities finish."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(NAMES, thread_name_prefix="names"))

    payload_keys = keyring_of(settings, "payload_keys")
    credential_keys = keyring_of(settings, "credential_keys")
    config = connect_config()
    database_url = settings.secret("database_url")
    stores = own_stores(database_url, config)
    registry = load_plugins()
    for name, why in registry.failures.items():
        log.error("plugin.not_loaded", plugin=name, reason=why)

    async with AsyncExitStack() as exits:
        readiness = await exits.enter_async_context(_health(settings))
        pool = await create_pool(database_url, settings)
        exits.push_async_callback(pool.close)
        http = create_http_client(dev_vendors=settings.dev_vendors, own_stores=stores)
        exits.push_async_callback(http.aclose)
        client = await _connect(config, payload_keys, settings, stopping)
        if client is None:
            return
        await bound_resumed(client, settings.task_queue)
        threads = exits.enter_context(ThreadPoolExecutor(ACTIVITIES, thread_name_prefix="extract"))
        tenants = TenantStore(pool, payload_keys, credential_keys)
        doing = activities(registry.bind(tenants, http), tenants, TicketHistory(pool), settings.task_queue)
        workers = _workers(client, settings.task_queue, doing, threads)
        for worker in workers:
            await exits.enter_async_context(worker)
        readiness.works(client, _queues(settings.task_queue))
        log.info("worker.ready", identity=client.identity, task_queue=settings.task_queue)
        await stopping.wait()
        readiness.drains()
        log.info("worker.draining")
        await asyncio.gather(*(worker.shutdown() for worker in workers))
    log.info("worker.stopped")


def _workers(
    client: Client, task_queue: str, doing: Sequence[Callable[..., Any]], threads: ThreadPoolExecutor
) -> tuple[Worker, ...]:
    """One for new work, one for the attempts of runs that were parked, and one for passes of reconciliation: these have
    queues of their own.
    """
    return (
        Worker(
            client,
            task_queue=task_queue,
            workflows=[EnhanceTicket, RecordResolution, Reconcile, ReconcileRegularly],
            activities=doing,
            activity_executor=threads,
            max_cached_workflows=CACHED_RUNS,
            max_concurrent_activities=ACTIVITIES,
            max_concurrent_workflow_tasks=WORKFLOW_TASKS,
            max_concurrent_local_activities=WORKFLOW_TASKS,
            graceful_shutdown_timeout=GRACE,
        ),
        Worker(
            client,
            task_queue=resumed_queue(task_queue),
            activities=doing,
            activity_executor=threads,
            max_concurrent_activities=ACTIVITIES,
            graceful_shutdown_timeout=GRACE,
        ),
        Worker(
            client,
            task_queue=reconcile_queue(task_queue),
            activities=doing,
            activity_executor=threads,
            max_concurrent_activities=PASSES,
            graceful_shutdown_timeout=GRACE,
        ),
    )


def _queues(task_queue: str) -> tuple[Queue, ...]:
    """What a worker polls."""
    return (
        (task_queue, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW),
        (task_queue, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY),
        (resumed_queue(task_queue), TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY),
        (reconcile_queue(task_queue), TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY),
    )


@asynccontextmanager
async def _health(settings: Settings) -> AsyncIterator[Readiness]:
    """Answer for this worker's health, if a port is set."""
    readiness = Readiness()
    if settings.worker_port is None:
        yield readiness
        return
    try:
        listener = listen(settings.worker_host, settings.worker_port)
    except OSError as error:
        raise SettingsError(f"DESKHAND_WORKER_PORT: cannot listen there: {os.strerror(error.errno or 0)}") from None
    async with served(readiness, listener):
        yield readiness


def activities(
    plugins: Mapping[str, TicketingToolPlugin],
    tenants: Tenants,
    history: TicketHistory,
    task_queue: str = TASK_QUEUE,
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
        StartMissing(plugins, lambda: MissingRuns(activity.client(), task_queue)).run,
    ]


async def _connect(
    config: ClientConnectConfig, keys: Keys, settings: Settings, stopping: asyncio.Event
) -> Client | None:
    """Connect to Temporal, however long that takes; `None` if told to stop first."""
    converter = data_converter(keys, allow_plaintext=settings.environment == "development")
    identity = f"deskhand-worker-{os.getpid()}@{socket.gethostname()}"
    while not stopping.is_set():
        try:
            client = await Client.connect(**config, data_converter=converter, identity=identity)
            return traced(client, "deskhand-worker")
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
        start_telemetry(settings)
        asyncio.run(run(settings))
    except SettingsError as error:
        sys.stderr.write(f"worker: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
