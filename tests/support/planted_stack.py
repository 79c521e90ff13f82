"""A development stack for test_planted.py: everything tells as much as it can, and what it is given is planted."""

import asyncio
import gzip
import json
import os
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from deskhand.devstack.process import ChildProcess, ProcessSpec
from deskhand.devstack.services import CODEC, PRETEND, STARTER, WORKER
from deskhand.devstack.stack import TEMPORAL, Stack
from deskhand.devstack.state import State, free_ports, write_private
from deskhand.pretend.tools import load_tools
from plugins.conformance.pretend.serving import serve
from plugins.conformance.pretend.tokens import Tokens
from plugins.conformance.pretend.vendor import PretendVendor
from tests.support.planted import Plants, json_or_none, planted_json

BLOB_LIMIT = 300_000
"""Bytes of a payload that this Temporal takes: deliveries may be larger, and are refused by it then."""


class PlantedStack(Stack):
    """A stack whose processes log at debug and have these settings besides; its tools are the test's own."""

    def __init__(self, state: State, changed: Mapping[str, Mapping[str, str]]) -> None:
        limits = {"limit.blobSize.error": str(BLOB_LIMIT), "limit.blobSize.warn": str(BLOB_LIMIT)}
        super().__init__(state, temporal_config=limits)
        self._changed = changed

    async def _start_process(self, process: ChildProcess) -> None:
        spec = process.spec
        if spec.name == PRETEND:
            return
        if spec.name == TEMPORAL:
            spec = replace(spec, argv=tuple("debug" if part == "warn" else part for part in spec.argv))
        else:
            spec = replace(spec, env={**spec.env, **self._changed.get(spec.name, {})})
        await super()._start_process(ChildProcess(spec))


class PlantedTokens(Tokens):
    """Access tokens that begin with a planted word."""

    def __init__(self, word: str) -> None:
        super().__init__()
        self._word = word

    def issue(self, credential: str) -> str:
        """See the base class."""
        made = super().issue(credential)
        token = self._word + made
        self._credentials[token] = self._credentials.pop(made)
        return token


class PlantedVendor:
    """A pretend tool that plants words into whatever its API answers, and refuses what it is told to."""

    def __init__(self, vendor: PretendVendor, plants: Plants) -> None:
        self.vendor = vendor
        self.answers: dict[str, int] = {}
        """Status of the answers about tickets, by ticket id."""
        tool = vendor.tool_type
        vendor.tokens = PlantedTokens(plants.word(f"access token:{tool}"))
        self._plants = plants
        self._said = plants.all(f"vendor error:{tool}")
        self._header = plants.word(f"vendor reply:{tool} header")
        self._more = {
            "x_email": f"{plants.word(f'vendor reply:{tool} e-mail')}@planted.example",
            "x_phone": plants.word(f"vendor reply:{tool} phone"),
            "x_custom": plants.word(f"vendor reply:{tool} custom field"),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI)."""
        if scope["type"] != "http" or scope["path"].startswith("/_pretend"):
            await self.vendor(scope, receive, send)
            return
        begun: list[Message] = []
        body = bytearray()

        async def planted(message: Message) -> None:
            if message["type"] == "http.response.start":
                begun.append(message)
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body"):
                await self._answer(begun[0], bytes(body), send)

        status = self._status(scope["path"])
        if status is not None:
            await self.vendor.refusal(status)(scope, receive, planted)
        else:
            await self.vendor(scope, receive, planted)

    def _status(self, path: str) -> int | None:
        for ticket_id, status in self.answers.items():
            if re.search(rf"/{re.escape(ticket_id)}(?:[/.]|$)", path):
                return status
        return None

    async def _answer(self, start: Message, raw: bytes, send: Send) -> None:
        body: Any = json_or_none(raw)
        if body is not None:
            if start["status"] >= 400 or "error" in body:
                body = planted_json(body, self._said)
            else:
                for name in ("fields", "ticket", "request"):
                    if isinstance(body.get(name), dict):
                        body[name].update(self._more)
                body.update(self._more)
            raw = json.dumps(body).encode()
        kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        kept += [(b"content-length", str(len(raw)).encode()), (b"x-vendor-trace", self._header.encode())]
        await send({**start, "headers": kept})
        await send({"type": "http.response.body", "body": raw})


@dataclass
class Collector:
    """Takes traces over OTLP/HTTP."""

    origin: str
    received: list[bytes] = field(default_factory=list)
    """Each request's body, unpacked."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI)."""
        await Starlette(routes=[Route("/v1/traces", self._take, methods=["POST"])])(scope, receive, send)

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        packed = request.headers.get("content-encoding") == "gzip"
        self.received.append(gzip.decompress(body) if packed else body)
        return Response(media_type="application/x-protobuf")


@dataclass
class Planted:
    """A stack that runs, and what belongs to it."""

    stack: PlantedStack
    plants: Plants
    vendors: Mapping[str, PlantedVendor]
    collector: Collector
    metrics: Mapping[str, str]
    """Addresses of the metrics pages, by process."""
    worker_health: str
    codec_token: str


@asynccontextmanager
async def planted_stack(folder: Path, plants: Plants) -> AsyncIterator[Planted]:
    """Everything runs, its keys, passwords and tokens planted, and tells all it can to logs, traces and metrics."""
    state = State.open(folder)
    write_private(state.payload_keys_file, plants.key("key:payload") + "\n")
    write_private(state.credential_keys_file, plants.key("key:credential") + "\n")
    _plant_passwords(folder / "postgres", plants)
    starter, worker, health = free_ports(3)
    token = plants.word("codec token") + secrets.token_hex(8)
    async with AsyncExitStack() as exits:
        collector = await exits.enter_async_context(serve(Collector))
        telling = {
            "DESKHAND_LOG_LEVEL": "debug",
            "DESKHAND_LOG_FORMAT": "json",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.origin,
            "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={plants.word('telemetry key')}",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "TEMPORAL_API_KEY": plants.word("Temporal API key"),
            "TEMPORAL_TLS": "false",
        }
        changed = {
            STARTER: {**telling, "DESKHAND_METRICS_ADDRESS": f"127.0.0.1:{starter}"},
            WORKER: {
                **telling,
                "DESKHAND_METRICS_ADDRESS": f"127.0.0.1:{worker}",
                "DESKHAND_WORKER_PORT": str(health),
            },
            CODEC: {**telling, "DESKHAND_CODEC_TOKEN": token},
        }
        stack = await exits.enter_async_context(PlantedStack(state, changed))
        await _tell_all(stack.database.superuser)
        vendors = {}
        for tool, kind in load_tools().items():
            if tool in state.ports.tools:
                make = _planting(kind, plants)
                vendors[tool] = await exits.enter_async_context(serve(make, port=state.ports.tools[tool]))
        yield Planted(
            stack=stack,
            plants=plants,
            vendors=vendors,
            collector=collector,
            metrics={STARTER: f"http://127.0.0.1:{starter}/metrics", WORKER: f"http://127.0.0.1:{worker}/metrics"},
            worker_health=f"http://127.0.0.1:{health}",
            codec_token=token,
        )


def _planting(kind: type[PretendVendor], plants: Plants) -> Any:
    return lambda origin: PlantedVendor(kind(origin), plants)


def _plant_passwords(folder: Path, plants: Plants) -> None:
    folder.mkdir()
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)  # as PostgresCluster makes it
    roles = ("postgres", "deskhand_owner", "deskhand_app", "deskhand_operator")
    passwords = {role: plants.word(f"database password:{role}") + secrets.token_hex(8) for role in roles}
    write_private(folder / "passwords.json", json.dumps(passwords))


async def _tell_all(superuser: str) -> None:
    """Have PostgreSQL log what it does. Rows that it refuses are under row security: it quotes none."""
    connection = await asyncpg.connect(superuser)
    try:
        await connection.execute("ALTER SYSTEM SET log_min_messages = 'debug2'")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


async def replaced(stack: Stack, name: str, role: str, **changed: str) -> None:
    """Stop one of our processes, and run `tests.support.odd_process` in its place, as `name`, until the stack ends."""
    spec = stack.spec(role)
    if role in stack.pids:
        await stack.stop(role)
    odd = ProcessSpec(
        name=name,
        argv=(spec.argv[0], "-m", "tests.support.odd_process", role),
        env={**spec.env, **changed},
        log=stack.state.log(name),
        folder=spec.folder,
        ready=spec.ready,
        stop_seconds=spec.stop_seconds,
    )
    await asyncio.shield(stack.add(odd))
