"""The starter's own process under hostile traffic: any body, header, path, method and stream of bytes.

`make test` draws the same cases every time. With `FUZZ_EXAMPLES=20000` in the environment each test draws that many new
ones, and keeps in `.hypothesis/` what it finds.
"""

import asyncio
import json
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from temporalio.client import Client

from deskhand.crypto.keyring import Keyring
from deskhand.db.pool import create_pool
from deskhand.devstack.postgres import DatabaseUrls
from deskhand.devstack.waiting import came_true
from deskhand.settings import Settings
from deskhand.tenants.admin import NewTenant, TenantAdmin
from deskhand.tenants.sealing import Connection
from plugins.tenants import WebhookSecret
from plugins.types import TenantSettings
from tests.support.any_body import MARKER, SAMPLES, bites, parsed, raw_bodies
from tests.support.any_delivery import (
    BROKEN,
    CHANGING,
    Sender,
    any_headers,
    forged,
    odd_calls,
    streams,
)
from tests.support.raw_http import JSON_TYPE, Answer, Call, Headers, answers_in
from workflows.search_attributes import TENANT

ROOT = Path(__file__).parents[3]
DEEP = int(os.environ.get("FUZZ_EXAMPLES", "0"))
ANSWER_SECONDS = 60.0
"""More than the starter may take for anything, on a machine that does much else."""

MIB = 1024 * 1024
MAX_HEAD = 60_000
"""Bytes after which a refusal may be lost to a sender that is still sending."""

pytestmark = pytest.mark.timeout(0 if DEEP else 120)


def fuzz(examples: int) -> settings:
    """So many cases, the same every time; in a deep run, other ones each time. A process answers when it can."""
    return settings(max_examples=DEEP or examples, derandomize=not DEEP, deadline=None)


def _sender(tool: str, scheme: str | None = None) -> Sender:
    name = "-".join(part for part in ("fuzz", tool.replace("_", "-"), scheme) if part)
    return Sender(tool, name, scheme, f"webhook secret of {name}")


SENDERS = (
    *(_sender("jira"), _sender("jira", "header"), _sender("zendesk")),
    *(_sender("servicedesk_plus"), _sender("servicedesk_plus", "basic"), _sender("servicedesk_plus", "hmac")),
)
SECRETLESS = "fuzz-secretless"

UNHURRIED = """
import functools, sys
import starter.__main__, starter.app
starter.__main__.create_app = functools.partial(starter.app.create_app, refusal_seconds=0.0)
sys.exit(starter.__main__.main())
"""
"""`python -m starter`, but that it answers refused authentications at once: thousands come here one after another."""

REFUSALS = frozenset({400, 401, 404, 405, 413, 415, 422})
"""The documented refusals of a starter whose stores answer and whose senders are quick."""
NOT_HTTP = "Invalid HTTP request received."
"""The one warning that strangers can cause."""
UNAUTHORIZED = {
    "type": "about:blank",
    "title": "Unauthorized",
    "status": 401,
    "detail": "The delivery could not be authenticated.",
}


def _judge(answer: Answer, *, head: bool = False) -> None:
    """Hold an answer to what is documented: never a 500, and a refusal quotes nothing."""
    headers = {name.lower(): value for name, value in answer.headers}
    assert answer.status in {200, 202} | REFUSALS
    assert MARKER not in str(headers)
    if answer.status in REFUSALS:
        assert headers["content-type"] == "application/problem+json"
        assert MARKER.encode() not in answer.body
        if not head:
            assert set(answer.json) == {"type", "title", "status", "detail"}
            assert answer.json["status"] == answer.status
    if answer.status == 401 and not head:
        assert answer.json == UNAUTHORIZED


@dataclass
class Starter:
    """The process, and what it took."""

    place: tuple[str, int]
    pid: int
    log: Path
    temporal: Client
    taken: set[str] = field(default_factory=set)
    """The runs that it said it had started."""
    deliveries: int = 0
    logged: int = 0
    """How much of its log was there before this test."""

    def connect(self) -> socket.socket:
        """A new connection."""
        return socket.create_connection(self.place, timeout=ANSWER_SECONDS)

    def answer(self, call: Call) -> Answer:
        """Make one call on a connection of its own."""
        with self.connect() as connection:
            connection.sendall(call.wire)
            with HTTPResponse(connection, method=call.method.decode()) as response:
                answer = Answer.of(response)
        _judge(answer, head=call.method == b"HEAD")
        if answer.status == 202:
            self.taken.add(answer.json["run"])
        return answer

    def stream(self, raw: bytes) -> list[Answer]:
        """Send bytes and say no more; every answer until it closes. One that refuses early may be lost."""
        received = b""
        with self.connect() as connection:
            with suppress(ConnectionError):
                connection.sendall(raw)
            with suppress(OSError):  # "not connected", after a reset
                connection.shutdown(socket.SHUT_WR)
            with suppress(ConnectionError):
                while more := connection.recv(65_536):
                    received += more
        answers = list(answers_in(received))
        for answer in answers:
            _judge(answer, head=not answer.body)
        return answers

    def send(self, sender: Sender, raw: bytes) -> Answer:
        """Bring a delivery, signed."""
        return self.answer(Call(sender.target, JSON_TYPE + sender.signed(raw), raw))

    async def is_well(self) -> None:
        """It still takes a good delivery, only what was taken has a run, and nothing of all this is in its log."""
        self.deliveries += 1
        sender = SENDERS[0]
        last = self.send(sender, json.dumps({"ticket_id": f"WELL-{self.deliveries}"}).encode())
        assert last.status == 202

        async def all_there() -> bool:
            return await self._runs() >= self.taken

        assert await came_true(all_there, seconds=ANSWER_SECONDS)
        assert await self._runs() == self.taken
        log = self.log.read_bytes()[self.logged :].decode()
        assert MARKER not in log
        lines = [json.loads(line) for line in log.splitlines()]
        assert [line for line in lines if line["level"] != "info" and line["event"] != NOT_HTTP] == []
        assert not any("exception" in line for line in lines)

    async def _runs(self) -> set[str]:
        tenants = ", ".join(f"'{sender.tenant_id}'" for sender in SENDERS)
        return {run.id async for run in self.temporal.list_workflows(f"{TENANT.name} IN ({tenants})")}

    def resident(self) -> int:
        """Its resident memory, in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        (kilobytes,) = re.findall(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
        return 1024 * int(kilobytes)


async def _add_tenants(database: DatabaseUrls, payload_keys: Keyring, credential_keys: Keyring) -> None:
    owner: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(database.superuser)
    await owner.execute("TRUNCATE tenant_configs, ticket_history, spool, audit_log RESTART IDENTITY")
    await owner.close()
    pool = await create_pool(database.operator, Settings(database_pool_size=2))
    admin = TenantAdmin(pool, payload_keys, credential_keys, actor="tests")
    for sender in SENDERS:
        configured = TenantSettings(signature_scheme=sender.scheme, own_account_id="own", priorities={"high": "low"})
        secrets = (WebhookSecret(SecretStr(sender.secret)),)
        await admin.add(NewTenant(sender.tenant_id, sender.tool, Connection({}, {}), secrets, settings=configured))
    await admin.add(NewTenant(SECRETLESS, "jira", Connection({}, {})))
    await pool.close()


@pytest.fixture(scope="module")
async def process(
    database: DatabaseUrls,
    temporal: Client,
    payload_keys_text: str,
    payload_keys: Keyring,
    credential_keys: Keyring,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Starter]:
    """`python -m starter` with the three plugins over both stores, which knows `SENDERS`. No worker runs."""
    await _add_tenants(database, payload_keys, credential_keys)
    log = tmp_path_factory.mktemp("fuzz") / "starter.log"
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", UNHURRIED),
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "DESKHAND_PAYLOAD_KEYS": payload_keys_text,
                "DESKHAND_DATABASE_URL": database.app,
                "DESKHAND_STARTER_PORT": "0",
                "TEMPORAL_ADDRESS": temporal.service_client.config.target_host,
                # glibc gives large blocks back when they are freed, so that what is resident is what is held.
                "MALLOC_MMAP_THRESHOLD_": "131072",
                "MALLOC_TRIM_THRESHOLD_": "131072",
            },
            stderr=stderr,
        )
    try:

        async def listens() -> bool:
            return "running on" in log.read_text() or process.returncode is not None

        assert await came_true(listens, seconds=ANSWER_SECONDS)
        found = re.search(r"running on http://([0-9.]+):(\d+)", log.read_text())
        assert found, log.read_text()
        yield Starter((found[1], int(found[2])), process.pid, log, temporal)
        assert process.returncode is None, "it must have lived through all this"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@pytest.fixture
def starter(process: Starter) -> Starter:
    """The process, for one test."""
    process.logged = process.log.stat().st_size
    return process


any_sender = st.sampled_from(SENDERS)


async def test_samples_are_taken_as_they_are(starter: Starter) -> None:
    for sender in SENDERS:
        for sample in SAMPLES[sender.tool]:
            assert starter.send(sender, json.dumps(sample).encode()).status in (200, 202)
    await starter.is_well()


async def test_an_authentic_body_of_any_kind_is_taken_or_refused_with_a_reason(starter: Starter) -> None:
    @fuzz(250)
    @given(any_sender.flatmap(lambda sender: st.tuples(st.just(sender), raw_bodies(sender.tool))))
    def each(delivery: tuple[Sender, bytes]) -> None:
        sender, raw = delivery
        answer = starter.send(sender, raw)
        body = parsed(raw)
        if body is None or bites(raw):
            assert answer.status == 400
        elif body.get("tenant_id") not in (None, sender.tenant_id):
            assert answer.status == 401
        else:
            assert answer.status in (200, 202, 422)
        if answer.status == 422:
            assert re.fullmatch(r"[a-z_.]+: [ -~]+", answer.json["detail"]), "it names the field"

    each()
    await starter.is_well()


async def test_no_other_body_or_signature_is_authentic(starter: Starter) -> None:
    known = set(starter.taken)

    @fuzz(300)
    @given(forged(SENDERS), st.none() | st.sampled_from((SECRETLESS, "fuzz-nobody", "fuzz_", "a" * 65)))
    def each(forgery: tuple[Sender, bytes, Headers], another: str | None) -> None:
        sender, raw, headers = forgery
        target = sender.target if another is None else f"/webhooks/{sender.tool}/{another}".encode()
        answer = starter.answer(Call(target, JSON_TYPE + headers, raw))
        assert answer.status == (400 if parsed(raw) is None or bites(raw) else 401)

    each()
    assert starter.taken == known
    await starter.is_well()


async def test_an_authentic_delivery_is_taken_or_refused_whatever_its_headers_and_framing(starter: Starter) -> None:
    @fuzz(150)
    @given(any_sender, any_headers, st.booleans(), st.none() | st.integers(1, 400))
    def each(sender: Sender, headers: Headers, first: bool, chunk: int | None) -> None:
        raw = json.dumps(SAMPLES[sender.tool][0]).encode()
        signed = JSON_TYPE + sender.signed(raw)
        answer = starter.answer(Call(sender.target, headers + signed if first else signed + headers, raw, chunk=chunk))
        assert answer.status in (200, 202, 400, 401, 415)
        encodings = [value.lower() for name, value in headers if name == b"Content-Encoding"]
        if encodings and encodings[0] != b"identity":
            assert answer.status in (400, 415)
        if CHANGING.isdisjoint(name.lower() for name, _ in headers):
            assert answer.status in (200, 202)

    each()
    await starter.is_well()


async def test_any_method_path_header_and_framing_has_a_documented_answer(starter: Starter) -> None:
    known = set(starter.taken)

    @fuzz(300)
    @given(odd_calls())
    def each(call: Call) -> None:
        answer = starter.answer(call)
        if answer.status == 200:
            assert call.target.partition(b"?")[0] in (b"/healthz", b"/readyz")
            assert call.method in (b"GET", b"HEAD")

    each()
    assert starter.taken == known
    await starter.is_well()


async def test_a_path_with_a_slash_too_many_is_no_redirect_to_wherever_the_sender_says(starter: Starter) -> None:
    for target in (SENDERS[0].target + b"/", b"/healthz/", b"/webhooks/jira/"):
        assert starter.answer(Call(target, (*JSON_TYPE, (b"Host", b"evil.example")), b"{}")).status == 404


async def test_a_protocol_that_it_does_not_speak_is_ignored(starter: Starter) -> None:
    for name in (b"websocket", b"h2c"):
        upgrade = ((b"Connection", b"Upgrade"), (b"Upgrade", name))
        assert starter.answer(Call(SENDERS[0].target, JSON_TYPE + upgrade, b"{}")).status == 401
    await starter.is_well()


async def test_what_is_not_http_is_refused(starter: Starter) -> None:
    for name, raw in BROKEN.items():
        statuses = [answer.status for answer in starter.stream(raw)]
        assert statuses == [400] or (statuses == [] and len(raw) > MAX_HEAD), name
    await starter.is_well()


async def test_what_stops_being_http_after_its_answer_is_closed(starter: Starter) -> None:
    with starter.connect() as connection:
        call = Call(b"/webhooks/telex/acme", JSON_TYPE, b"x" * 100, chunk=10)
        connection.sendall(call.wire[:-50])
        assert Answer.of(HTTPResponse(connection)).status == 404
        connection.sendall(b"no size of a chunk\r\n")
        with suppress(ConnectionError):
            assert connection.recv(1) == b""
    await starter.is_well()


async def test_pipelined_deliveries_are_answered_in_order(starter: Starter) -> None:
    raw = b'{"ticket_id": "PIPE-1"}'
    good, forgery = (JSON_TYPE + SENDERS[n].signed(raw) for n in (0, 1))
    calls = [Call(SENDERS[0].target, headers, raw) for headers in (good, forgery, good, forgery)]
    with starter.connect() as connection:
        connection.sendall(b"".join(call.wire for call in calls) + b"GET / HTTP/1.1\r\n\r\n")
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    answers = list(answers_in(received))
    assert [answer.status for answer in answers] == [202, 401, 200, 401, 400]
    starter.taken.add(answers[0].json["run"])
    await starter.is_well()


async def test_any_stream_of_bytes_is_answered_or_closed(starter: Starter) -> None:
    @fuzz(250)
    @given(streams())
    def each(stream: bytes) -> None:
        assert 202 not in [answer.status for answer in starter.stream(stream)]

    each()
    await starter.is_well()


def _all_unauthorized(starter: Starter, calls: list[Call]) -> None:
    """Twenty at a time: such a refusal waits for its moment."""
    with ExitStack() as stack:
        connections = [stack.enter_context(starter.connect()) for _ in range(20)]
        for first in range(0, len(calls), len(connections)):
            sent = list(zip(connections, calls[first : first + len(connections)], strict=False))
            for connection, call in sent:
                connection.sendall(call.wire)
            for connection, _ in sent:
                assert Answer.of(HTTPResponse(connection)).status == 401


def _hostile_round(starter: Starter, number: int) -> None:
    """Seven hundred hostile requests, unlike those of other rounds but for the tenants that they name."""
    jira = SENDERS[0]
    unknown = (Call(b"/webhooks/jira/%032d%032d" % (number % 2, n), JSON_TYPE, b"{}") for n in range(550))
    bodies = (b'{"ticket_id": "%d-%d", "text": "%b"}' % (number, n, b"x" * 5_000) for n in range(50))
    forged_ones = (
        Call(jira.target, (*JSON_TYPE, (b"X-Hub-Signature", b"sha256=%064d" % n)), body)
        for n, body in enumerate(bodies)
    )
    _all_unauthorized(starter, [*unknown, *forged_ones])
    with starter.connect() as connection:

        def refused(call: Call, status: int) -> None:
            connection.sendall(call.wire)
            assert Answer.of(HTTPResponse(connection)).status == status

        for n in range(50):
            refused(Call(jira.target, JSON_TYPE, b'{"d":' + b"[" * (1_000 + n)), 400)
        for n in range(4):
            refused(Call(jira.target, JSON_TYPE, b"x" * (MIB + 1 + n)), 413)
            refused(Call(jira.target, JSON_TYPE, b"x" * (MIB + 1 + n), chunk=100_000), 413)
            refused(Call(jira.target, JSON_TYPE, b'"' * (MIB - n)), 400)
    wrong, left = b"POST / HTTP/1.1\r\n: x\r\n\r\n", Call(jira.target, JSON_TYPE, b"x" * 10_000).wire
    for raw in (wrong, left[:30], left[:5_000]) * 13:
        with starter.connect() as connection:  # it leaves in the middle of a head, or of a body
            connection.sendall(raw)


async def test_memory_stays_flat(starter: Starter) -> None:
    """Measured: the 7,000 requests add 0 to 0.3 MB, once it has let go of the last. 1 KB for each would be 7 MB.

    The first two rounds name all the unknown tenants that there are in it: how many are remembered is bounded, but more
    than a few thousand (`deskhand.tenants.cache.Limits`).
    """
    for number in range(2):
        _hostile_round(starter, number)
    await starter.is_well()
    before = starter.resident()
    for number in range(2, 12):
        _hostile_round(starter, number)
    await starter.is_well()

    async def is_flat() -> bool:
        return starter.resident() - before < MIB

    assert await came_true(is_flat, seconds=10)
