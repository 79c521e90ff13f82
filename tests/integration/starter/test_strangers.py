"""What strangers can cost: questions to PostgreSQL, counted on the wire, and places in flight."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import structlog
from pydantic import SecretStr
from starlette.applications import Starlette

import starter.tenants
from deskhand.crypto.keyring import Keyring
from deskhand.db.pool import create_pool
from deskhand.devstack.postgres import DatabaseUrls
from deskhand.devstack.waiting import until
from deskhand.runs.order import Order, Taken
from deskhand.settings import Settings
from deskhand.tenants.admin import NewTenant, TenantAdmin
from deskhand.tenants.cache import ABSENT_SECONDS, Limits
from deskhand.tenants.sealing import Connection
from deskhand.tenants.store import TenantStore
from plugins.conformance.pretend.serving import serve
from plugins.tenants import WebhookSecret
from starter.app import create_app
from starter.floor import FLOOR_SECONDS, Floor
from starter.tenants import TenantLookup
from tests.support.signed_tool import TOOL, SignedTool, sign
from tests.support.tap import Line, Tap

SECRET = "webhook secret"
ALONE = httpx.Limits(max_connections=60, max_keepalive_connections=0)
"""A kept connection may be closed by the server just when it is used again."""
JSON = {"Content-Type": "application/json"}
RAW = b'{"ticket_id": "T-1"}'


class CountingTap(Tap):
    """Counts the transactions on a line to PostgreSQL, and the names that are asked for in them."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.transactions = 0
        self.most_at_once = 0
        self.names: Counter[bytes] = Counter()
        """How often each was sent: twice for each question, with the setting and with the query."""
        self.hangs = False
        """Whether nothing gets through, either way."""
        self._open: set[Line] = set()

    def going_up(self, line: Line, data: bytes) -> bytes:
        """Everything, counted."""
        if b"BEGIN;" in data:
            self.transactions += 1
            self._open.add(line)
            self.most_at_once = max(self.most_at_once, len(self._open))
        if b"COMMIT;" in data or b"ROLLBACK;" in data:
            self._open.discard(line)
        self.names.update(re.findall(rb"stranger-\d+", data))
        return b"" if self.hangs else data

    def coming_down(self, line: Line, data: bytes) -> bytes:
        """Everything, unless it hangs."""
        return b"" if self.hangs else data


class Runs:
    """Takes every order."""

    async def start(self, order: Order) -> Taken:
        """Take it."""
        return Taken.STARTED

    async def check(self) -> None:
        """It could."""


@dataclass
class Scene:
    """A starter over the real store."""

    http: httpx.AsyncClient
    tap: CountingTap
    now: float = 1_000.0

    async def send(self, tenant_id: str, signature: str = "") -> int:
        """A delivery; the status of the answer."""
        headers = {"Content-Type": "application/json", "X-Signature": signature}
        answer = await self.http.post(f"/webhooks/{TOOL}/{tenant_id}", content=RAW, headers=headers)
        if answer.status_code == 503:
            assert answer.headers["retry-after"] == "30"
        return answer.status_code

    async def deliver(self, tenant_id: str) -> int:
        """A good one."""
        return await self.send(tenant_id, sign(SECRET, RAW))


@asynccontextmanager
async def a_starter(
    database: DatabaseUrls,
    keys: Keyring,
    *,
    limits: Limits,
    refusal_seconds: float = 0.0,
    max_in_flight: int = 200,
) -> AsyncIterator[Scene]:
    url = urlsplit(database.app)
    assert url.port is not None
    async with (
        CountingTap(url.port) as tap,
        httpx.AsyncClient() as unused,
        httpx.AsyncClient(trust_env=False, timeout=60, limits=ALONE) as http,
    ):
        pool = await create_pool(database.app.replace(f"127.0.0.1:{url.port}", tap.address), Settings())
        scene = Scene(http, tap)
        store = TenantStore(pool, keys, limits=limits, clock=lambda: scene.now)
        lookup = TenantLookup(store)
        app = create_app(
            {TOOL: SignedTool(lookup, unused)},
            lookup,
            Runs(),
            Settings(max_in_flight=max_in_flight),
            answers=store.check,
            refusal_seconds=refusal_seconds,
        )

        def make(origin: str) -> Starlette:
            http.base_url = httpx.URL(origin)
            return app

        async with serve(make):
            yield scene
        await pool.close()


@pytest.fixture
async def tenants(admin: TenantAdmin) -> None:
    """`warm` and `cold`."""
    for name in ("warm", "cold"):
        await admin.add(NewTenant(name, TOOL, Connection({}, {}), (WebhookSecret(SecretStr(SECRET)),)))


@pytest.mark.usefixtures("tenants")
async def test_a_flood_asks_postgresql_once_for_each_name_and_few_at_once(
    database: DatabaseUrls, payload_keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starter.tenants, "LOOKUP_SECONDS", 60.0)  # a busy machine is no reason for another answer
    async with a_starter(database, payload_keys, limits=Limits(waiting=1_000), max_in_flight=1_000) as scene:
        assert await scene.deliver("warm") == 202
        before = scene.tap.transactions
        names = [f"stranger-{number % 100}" for number in range(500)]
        answers = await asyncio.gather(*map(scene.send, names), *(scene.deliver("warm") for _ in range(20)))
        assert Counter(answers) == {401: 500, 202: 20}
        assert scene.tap.transactions - before == 100
        assert scene.tap.most_at_once <= Limits().at_once
        assert set(scene.tap.names.values()) == {2}, "one question, which names it twice"
        assert len(scene.tap.names) == 100

        scene.now += ABSENT_SECONDS - 1
        assert set(await asyncio.gather(*map(scene.send, names))) == {401}
        assert set(scene.tap.names.values()) == {2}
        scene.now += 1
        assert await scene.send("stranger-1") == 401
        assert scene.tap.names[b"stranger-1"] == 4, "asked for again"


@pytest.mark.usefixtures("tenants")
async def test_when_no_more_absent_names_fit_a_cold_tenant_is_not_denied_and_a_warm_one_not_affected(
    database: DatabaseUrls, payload_keys: Keyring
) -> None:
    async with a_starter(database, payload_keys, limits=Limits(absent=50)) as scene:
        assert await scene.deliver("warm") == 202
        for number in range(50):
            assert await scene.send(f"stranger-{number}") == 401
        asked = scene.tap.transactions
        assert [await scene.send("stranger-51"), await scene.deliver("cold")] == [503, 503]
        assert [await scene.send("stranger-7"), await scene.deliver("warm")] == [401, 202]
        assert scene.tap.transactions == asked
        ready = await scene.http.get("/readyz")
        assert (ready.status_code, ready.json()["tenants"]) == (200, "ok"), "it is of use to the tenants that it knows"
        scene.now += ABSENT_SECONDS
        assert await scene.deliver("cold") == 202


@pytest.mark.usefixtures("tenants")
async def test_a_database_that_hangs_under_a_flood_leaves_places_to_the_tenants_in_memory(
    database: DatabaseUrls, payload_keys: Keyring
) -> None:
    async with a_starter(database, payload_keys, limits=Limits.within(10), max_in_flight=10) as scene:
        assert await scene.deliver("warm") == 202
        scene.tap.hangs = True
        strangers = [asyncio.create_task(scene.send(f"stranger-{number}")) for number in range(30)]
        # Those over one bound or the other; with the rest, the places would be full.
        assert await until(lambda: sum(task.done() for task in strangers) >= 20, seconds=30)
        assert await scene.deliver("warm") == 202
        scene.tap.refuses = True
        scene.tap.cut()
        assert set(await asyncio.gather(*strangers)) == {503}


async def test_refusals_that_wait_for_their_moment_hold_no_place(
    database: DatabaseUrls, payload_keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = asyncio.Event()

    async def reached(floor: Floor, since: float) -> None:
        await moment.wait()

    monkeypatch.setattr(Floor, "reached", reached)
    async with a_starter(database, payload_keys, limits=Limits(), max_in_flight=2) as scene:
        with structlog.testing.capture_logs() as logs:
            refusals = [asyncio.create_task(scene.send(f"stranger-{number}")) for number in range(2)]
            assert await until(lambda: _refused(logs) == 2, seconds=30)
            refusals += [asyncio.create_task(scene.send(f"stranger-{number}")) for number in range(2)]
            assert await until(lambda: _refused(logs) == 4, seconds=30)
            malformed = await scene.http.post(f"/webhooks/{TOOL}/warm", content=b"{", headers=JSON)
        assert malformed.status_code == 400, "only a refused authentication waits"
        assert not any(task.done() for task in refusals)
        moment.set()
        assert await asyncio.gather(*refusals) == [401] * 4


def _refused(logs: list[MutableMapping[str, Any]]) -> int:
    return sum(line.get("status") == 401 for line in logs)


def test_a_refusal_waits_long_enough_for_a_question_to_the_database_and_not_long_for_a_person() -> None:
    assert 0.1 <= FLOOR_SECONDS <= 1
