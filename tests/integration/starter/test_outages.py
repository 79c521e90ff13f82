"""Deliveries while Temporal or PostgreSQL is away, hangs or refuses, over HTTP and with real servers of both."""

import asyncio
import itertools
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import structlog
from google.protobuf.duration_pb2 import Duration
from pydantic import SecretStr
from starlette.applications import Starlette
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from deskhand.crypto.codec import data_converter
from deskhand.crypto.keyring import Keyring
from deskhand.db.pool import Pool, create_pool
from deskhand.devstack.postgres import DatabaseUrls, PostgresCluster
from deskhand.devstack.process import ChildProcess
from deskhand.devstack.state import free_ports
from deskhand.devstack.temporal import NAMESPACE, temporal_spec
from deskhand.devstack.waiting import came_true, until
from deskhand.runs.spool import Spool
from deskhand.runs.starting import TemporalRuns
from deskhand.settings import Settings
from deskhand.tenants.admin import NewTenant, TenantAdmin
from deskhand.tenants.cache import STALE_SECONDS
from deskhand.tenants.sealing import Connection
from deskhand.tenants.store import TenantStore
from plugins.conformance.pretend.serving import serve
from plugins.tenants import TenantConfigs, WebhookSecret
from starter.app import create_app
from starter.spool import Drainer, Outage, SpoolingRuns
from starter.tenants import TenantLookup
from tests.support.signed_tool import TOOL, Bench, FailingTenants, SignedTool, sign
from tests.support.starter_process import StarterProcess, starter_process
from workflows import search_attributes
from workflows.contracts import RunInput

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ChildProcess]:
    """A Temporal server that may be stopped, with its data in a file."""
    folder = tmp_path_factory.mktemp("temporal")
    port, ui_port = free_ports(2)
    process = ChildProcess(
        temporal_spec(folder, folder / "log", port=port, ui_port=ui_port, codec_url=f"http://127.0.0.1:{port}")
    )
    await process.start()
    yield process
    await process.stop()


@pytest.fixture
async def up(server: ChildProcess) -> AsyncIterator[ChildProcess]:
    """The same, running before and after."""
    yield server
    if not server.running:
        await server.start()


def address(server: ChildProcess) -> str:
    return f"127.0.0.1:{server.spec.argv[server.spec.argv.index('--port') + 1]}"


@contextmanager
def hanging(process: ChildProcess) -> Iterator[None]:
    """While it and what it started take connections and answer nothing."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    pids = [process.pid, *map(int, children)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@dataclass(frozen=True, slots=True)
class Scene(Bench):
    """A starter with its spool and drainer."""

    spool: Spool
    drainer: Drainer

    @asynccontextmanager
    async def draining(self) -> AsyncIterator[None]:
        """While the drainer runs."""
        task = asyncio.create_task(self.drainer.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def drained(self) -> None:
        """Run the drainer until nothing waits."""

        async def nothing_waits() -> bool:
            return not await self.spool.waits()

        async with self.draining():
            assert await came_true(nothing_waits, seconds=60)


@asynccontextmanager
async def starter(
    pool: Pool,
    keys: Keyring,
    server: ChildProcess,
    *,
    namespace: str = NAMESPACE,
    max_per_tenant: int = 100,
    tenant_id: str = "",
    tenants: TenantConfigs | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[Scene]:
    """A starter over HTTP with a tenant of its own, and one named `calm`."""
    tenant_id = tenant_id or f"acme-{next(_numbers)}"
    client = await Client.connect(
        address(server), namespace=namespace, lazy=True, data_converter=data_converter(keys, allow_plaintext=False)
    )
    memory = FailingTenants()
    memory.add(tenant_id, TOOL, secrets=("secret",))
    memory.add("calm", TOOL, secrets=("secret",))
    lookup = TenantLookup(tenants or memory, clock)
    temporal, spool, outage = TemporalRuns(client, "none"), Spool(pool, keys, max_per_tenant), Outage()
    async with httpx.AsyncClient() as unused, httpx.AsyncClient(trust_env=False, timeout=20) as http:
        app = create_app(
            {TOOL: SignedTool(lookup, unused)},
            lookup,
            SpoolingRuns(temporal, spool, outage),
            Settings(),
            takers={"temporal": temporal.check, "spool": spool.check},
            remembers=lookup.remembers,
        )

        def make(origin: str) -> Starlette:
            http.base_url = httpx.URL(origin)
            return app

        async with serve(make):
            drainer = Drainer(spool, temporal, outage, poll_seconds=0.2)
            yield Scene(http, client, memory, tenant_id, "secret", spool, drainer)


@pytest.fixture
async def scene(app_pool: Pool, payload_keys: Keyring, up: ChildProcess) -> AsyncIterator[Scene]:
    async with starter(app_pool, payload_keys, up) as scene:
        yield scene


def assert_try_later(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "30"
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    return body


async def test_a_delivery_while_temporal_is_down_becomes_its_run_when_it_is_back(
    scene: Scene, up: ChildProcess, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await up.stop()
    body = {"ticket_id": "T-4711", "description": "printer on fire"}
    with structlog.testing.capture_logs() as logs:
        answers = [await scene.send(body), await scene.send(body)]
    assert [answer.status_code for answer in answers] == [202, 202]
    run = f"{TOOL}:{scene.tenant_id}:T-4711:created"
    assert [answer.json()["run"] for answer in answers] == [run, run]
    assert answers[0].json()["ref"].startswith("dh-")
    assert [line["answer"] for line in logs if line["event"] == "delivery"] == ["spooled", "spooled"]
    (row,) = await superuser.fetch("SELECT * FROM spool")
    shown = b"\n".join(value if isinstance(value, bytes) else str(value).encode() for value in row.values())
    for plain in (b"printer", b"acme", b"4711", TOOL.encode(), b"sha256="):
        assert plain not in shown
    ready = await scene.http.get("/readyz")
    assert (ready.status_code, ready.json()) == (
        200,
        {"tenants": "ok", "temporal": "does not answer", "spool": "ok"},
    )

    await up.start()
    await scene.drained()
    assert await superuser.fetchval("SELECT count(*) FROM spool") == 0
    (found,) = await scene.runs(at_least=1)
    assert found.id == run
    history = await scene.temporal.get_workflow_handle(run).fetch_history()
    given = history.events[0].workflow_execution_started_event_attributes.input.payloads
    (opened,) = await scene.temporal.data_converter.decode(given, [RunInput])
    assert b"printer on fire" in opened.delivery.raw
    assert opened.delivery.signature.startswith("sha256=")
    again = await scene.send(body)
    assert (again.status_code, again.json()["run"]) == (200, run), "deliveries go to Temporal again"


async def test_a_temporal_that_hangs_and_starts_late_makes_one_run(
    scene: Scene, up: ChildProcess, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    assert (await scene.send({"ticket_id": "T-1"})).status_code == 202, "connected"
    with hanging(up):
        answers = await asyncio.gather(*(scene.send({"ticket_id": f"T-{number}"}) for number in (2, 3)))
        assert [answer.status_code for answer in answers] == [202, 202]
        assert await superuser.fetchval("SELECT count(*) FROM spool") == 2
    await scene.drained()
    runs = await scene.runs(at_least=3)
    assert sorted(run.id for run in runs) == [f"{TOOL}:{scene.tenant_id}:T-{number}:created" for number in (1, 2, 3)]
    assert await superuser.fetchval("SELECT count(*) FROM spool") == 0


async def test_with_both_away_the_sender_is_told_to_come_again_and_nothing_taken_is_lost(
    scene: Scene, up: ChildProcess, cluster: PostgresCluster
) -> None:
    await up.stop()
    assert (await scene.send({"ticket_id": "T-taken"})).status_code == 202
    await cluster.stop()
    try:
        with structlog.testing.capture_logs() as logs:
            async with scene.draining():
                assert await until(lambda: any(line["event"].startswith("drainer.") for line in logs), seconds=30)
        assert {line["event"] for line in logs} == {"drainer.no_database"}
        async with scene.draining():
            problem = assert_try_later(await scene.send({"ticket_id": "T-not-taken"}))
            assert "T-not-taken" not in repr(problem)
            ready = await scene.http.get("/readyz")
            assert (ready.status_code, ready.json()) == (
                503,
                {"tenants": "ok", "temporal": "does not answer", "spool": "does not answer"},
            )
            await up.start()
            assert (await scene.send({"ticket_id": "T-direct"})).status_code == 202, "the spool is not needed"
    finally:
        await cluster.start()
    await scene.drained()
    assert {run.id.split(":")[2] for run in await scene.runs(at_least=2)} == {"T-taken", "T-direct"}


async def test_a_database_that_hangs_as_well_keeps_no_sender_waiting(
    scene: Scene, up: ChildProcess, cluster: PostgresCluster
) -> None:
    await up.stop()
    assert (await scene.send({"ticket_id": "T-1"})).status_code == 202, "connected"
    assert cluster.process is not None
    scene.http.timeout = httpx.Timeout(10)  # as long as the most impatient vendor waits
    with hanging(cluster.process):
        answer, ready = await asyncio.gather(scene.send({"ticket_id": "T-2"}), scene.http.get("/readyz"))
        assert_try_later(answer)
        assert (ready.status_code, ready.json()["spool"]) == (503, "does not answer")
    assert (await scene.send({"ticket_id": "T-3"})).status_code == 202


async def test_a_tenant_that_floods_the_spool_is_bounded_and_another_is_served(
    app_pool: Pool, payload_keys: Keyring, up: ChildProcess
) -> None:
    await up.stop()
    async with starter(app_pool, payload_keys, up, max_per_tenant=2) as scene:
        flood = [await scene.send({"ticket_id": f"T-flood-{number}"}) for number in range(4)]
        assert [answer.status_code for answer in flood] == [202, 202, 503, 503]
        assert_try_later(flood[-1])
        assert (await scene.send({"ticket_id": "T-1"}, path=f"/webhooks/{TOOL}/calm")).status_code == 202


async def test_what_temporal_refuses_is_taken_set_aside_and_started_once_it_is_mended(
    app_pool: Pool, operator_pool: Pool, payload_keys: Keyring, up: ChildProcess
) -> None:
    async with starter(app_pool, payload_keys, up, namespace="mended") as scene:
        with structlog.testing.capture_logs() as logs:
            answer = await scene.send({"ticket_id": "T-refused"})
        assert answer.status_code == 202
        (refused,) = [line for line in logs if line["event"] == "run.refused"]
        assert (refused["log_level"], refused["run"]) == ("error", answer.json()["run"])
        operators = Spool(operator_pool, payload_keys)
        state = await operators.state()
        assert (state.waiting, state.refused) == (0, 1)
        assert "NOT_FOUND" in state.reasons[0].reason

        await mend(scene.temporal)

        async def started() -> bool:
            await operators.redrive()
            await scene.drained()
            return (await operators.state()).refused == 0

        assert await came_true(started, seconds=60), "a server takes seconds to see a new namespace"
        assert (await scene.temporal.get_workflow_handle(answer.json()["run"]).describe()).id == answer.json()["run"]


async def mend(client: Client) -> None:
    """Give it the namespace and the search attributes that it lacks."""
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(
            namespace=client.namespace,
            workflow_execution_retention_period=Duration(seconds=int(timedelta(days=1).total_seconds())),
        )
    )

    async def added() -> bool:
        try:
            await client.operator_service.add_search_attributes(
                AddSearchAttributesRequest(
                    namespace=client.namespace,
                    search_attributes={
                        key.name: IndexedValueType.ValueType(int(key.indexed_value_type))
                        for key in search_attributes.ALL
                    },
                )
            )
        except RPCError:
            return False
        return True

    assert await came_true(added, seconds=60)


async def test_a_known_tenant_is_served_while_the_database_is_down_for_a_quarter_of_an_hour(
    admin: TenantAdmin,
    app_pool: Pool,
    payload_keys: Keyring,
    cluster: PostgresCluster,
    up: ChildProcess,
    database: DatabaseUrls,
) -> None:
    await admin.add(NewTenant("stale", TOOL, Connection({}, {}), (WebhookSecret(SecretStr("secret")),)))
    await admin.add(NewTenant("calm", TOOL, Connection({}, {}), (WebhookSecret(SecretStr("secret")),)))
    now = 0.0
    pool = await create_pool(database.app, Settings(database_pool_size=2))
    store = TenantStore(pool, payload_keys, clock=lambda: now)
    async with starter(app_pool, payload_keys, up, tenant_id="stale", tenants=store, clock=lambda: now) as scene:
        assert (await scene.send({"ticket_id": "T-before"})).status_code == 202
        await cluster.stop()
        try:
            now = STALE_SECONDS - 1
            ready = await scene.http.get("/readyz")
            assert (ready.status_code, ready.json()) == (
                200,
                {"tenants": "from memory", "temporal": "ok", "spool": "does not answer"},
            )
            assert (await scene.send({"ticket_id": "T-stale"})).status_code == 202
            assert (await scene.temporal.get_workflow_handle(f"{TOOL}:stale:T-stale:created").describe()).id
            assert_try_later(await scene.send({"ticket_id": "T-1"}, path=f"/webhooks/{TOOL}/calm"))
            now = STALE_SECONDS
            assert_try_later(await scene.send({"ticket_id": "T-too-late"}))
            now = 2 * STALE_SECONDS
            assert (await scene.http.get("/readyz")).status_code == 503
        finally:
            await cluster.start()
        assert (await scene.send({"ticket_id": "T-after"})).status_code == 202
    await pool.close()


@pytest.fixture
async def settings(
    admin: TenantAdmin, payload_keys_text: str, database: DatabaseUrls, up: ChildProcess
) -> dict[str, str]:
    """Of a starter process whose tenant is `processes`."""
    secret = WebhookSecret(SecretStr("secret"))
    await admin.add(NewTenant("processes", "jira", Connection({}, {}), (secret,)))
    return {
        "DESKHAND_PAYLOAD_KEYS": payload_keys_text,
        "DESKHAND_DATABASE_URL": database.app,
        "TEMPORAL_ADDRESS": address(up),
        "TEMPORAL_NAMESPACE": NAMESPACE,
    }


async def send(http: httpx.AsyncClient, starter: StarterProcess, number: int) -> int:
    """A new Jira ticket; the status of the answer."""
    fields = {"id": str(number), "key": f"IT-{number}", "fields": {"summary": "Printer"}}
    raw = json.dumps({"webhookEvent": "jira:issue_created", "issue": fields}).encode()
    headers = {"Content-Type": "application/json", "X-Hub-Signature": sign("secret", raw)}
    return (await http.post(f"{starter.url}/webhooks/jira/processes", content=raw, headers=headers)).status_code


async def hold_orders(superuser: "asyncpg.Connection[asyncpg.Record]", drainers: int) -> bool:
    """Whether that many drainers are in the middle of a start, each with an order that it holds."""

    async def they_do() -> bool:
        holding: int = await superuser.fetchval(
            "SELECT count(DISTINCT pid) FROM pg_locks"
            " WHERE relation = 'spool'::regclass AND mode = 'RowShareLock' AND granted"
        )
        return holding >= drainers

    return await came_true(they_do, seconds=30)


async def test_a_starter_that_is_told_to_stop_in_the_middle_of_a_start_stops_and_leaves_the_order(
    settings: dict[str, str], superuser: "asyncpg.Connection[asyncpg.Record]", up: ChildProcess
) -> None:
    async with starter_process(**settings) as starter, httpx.AsyncClient(trust_env=False, timeout=30) as http:
        with hanging(up):
            assert await send(http, starter, 1) == 202
            assert await hold_orders(superuser, 1)
            starter.process.terminate()
            assert await starter.process.wait() == -signal.SIGTERM, "as the server leaves when it has shut down"
        assert await superuser.fetchval("SELECT count(*) FROM spool") == 1


async def test_of_two_starters_one_is_killed_in_the_middle_of_its_starts_and_nothing_is_lost_or_twice(
    settings: dict[str, str],
    app_pool: Pool,
    payload_keys: Keyring,
    superuser: "asyncpg.Connection[asyncpg.Record]",
    up: ChildProcess,
) -> None:
    client = await Client.connect(address(up), namespace=NAMESPACE)
    numbers = range(1, 25)
    async with (
        starter_process(**settings) as one,
        starter_process(**settings) as other,
        httpx.AsyncClient(trust_env=False, timeout=30) as http,
    ):
        with hanging(up):
            answers = await asyncio.gather(*(send(http, (one, other)[n % 2], n) for n in numbers))
            assert set(answers) == {202}
            assert await superuser.fetchval("SELECT count(*) FROM spool") == len(numbers)
            assert await hold_orders(superuser, 2)
            one.process.kill()
            await one.process.wait()
        spool = Spool(app_pool, payload_keys)

        async def nothing_waits() -> bool:
            return not await spool.waits()

        assert await came_true(nothing_waits, seconds=60)
        assert (await spool.state()).refused == 0

    async def ids() -> list[str]:
        query = f"{search_attributes.TENANT.name} = 'processes'"
        return sorted([run.id async for run in client.list_workflows(query)])

    wanted = sorted(f"jira:processes:IT-{number}:created" for number in numbers)

    async def all_there() -> bool:
        return await ids() == wanted

    assert await came_true(all_there, seconds=60)
