"""The starter's HTTP surface: two webhook routes and two for whoever runs it."""

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deskhand.runs.order import RunStarter, RunsUnavailableError
from deskhand.serving.body import read_body
from deskhand.serving.problems import ProblemError, problem, try_later
from deskhand.settings import Settings
from deskhand.tenants.store import PROBE
from plugins.base import TicketingToolPlugin
from plugins.tenants import TenantConfigs
from starter.admission import Arrival, Door
from starter.floor import FLOOR_SECONDS, Floor
from starter.tenants import LOOKUP_SECONDS, reason

MAX_DELIVERY_ID = 200

_DELIVERY_ID_HEADERS = ("x-atlassian-webhook-identifier", "x-zendesk-webhook-invocation-id")

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]
Check = Callable[[], Awaitable[None]]
"""Raises `RunsUnavailableError` unless an order could be taken now."""

log = structlog.get_logger(__name__)


def create_app(
    plugins: Mapping[str, TicketingToolPlugin],
    tenants: TenantConfigs,
    runs: RunStarter,
    settings: Settings,
    *,
    takers: Mapping[str, Check] | None = None,
    remembers: Callable[[], bool] = lambda: False,
    answers: Callable[[], Awaitable[object]] | None = None,
    refusal_seconds: float = FLOOR_SECONDS,
    lifespan: Lifespan | None = None,
) -> Starlette:
    """The webhook service over these parts.

    Args:
        plugins: by tool type, bound to the same `tenants`.
        takers: what `runs` has to put an order into, by the names that `/readyz` gives them; one that can is enough.
            Temporal alone unless said otherwise.
        remembers: whether `tenants` can serve some from memory while its database is down.
        answers: raises unless the database of `tenants` answers now; by default it is asked for a tenant.
        refusal_seconds: how long after its last byte a refused authentication is answered, or a multiple of it. Only
            benches and tests that are about something else choose another time.
    """
    webhooks = _Webhooks(Door(plugins, tenants, runs), settings, Floor(refusal_seconds))
    readiness = _Readiness(answers or (lambda: tenants.get(PROBE)), takers or {"temporal": runs.check}, remembers)
    app = Starlette(
        routes=[
            Route("/webhooks/{tool_type}/{tenant_id}", webhooks.answer, methods=["POST"]),
            Route("/webhooks/{tool_type}", webhooks.answer, methods=["POST"]),
            Route("/healthz", _healthz, methods=["GET"]),
            Route("/readyz", readiness.answer, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _http_problem},
        lifespan=lifespan,
    )
    # A redirect would go to whatever host the sender names, and no vendor follows one.
    app.router.redirect_slashes = False
    return app


@dataclass(slots=True)
class _Exchange:
    """One request and what is to be answered."""

    request: Request
    received_at: datetime
    complete_at: float = 0.0
    """When the last byte of its body came, of `time.monotonic`."""

    @property
    def tool(self) -> str:
        """What the path says."""
        tool: str = self.request.path_params["tool_type"]
        return tool

    @property
    def tenant_id(self) -> str | None:
        """What the path says; `None` on the route that leaves it to the body."""
        return self.request.path_params.get("tenant_id")


class _Webhooks:
    """Both webhook routes. Every answer is one log line `delivery`, which counts it."""

    def __init__(self, door: Door, settings: Settings, floor: Floor) -> None:
        self._door = door
        self._floor = floor
        self._max_body_bytes = settings.max_body_bytes
        self._receive_seconds = settings.receive_seconds
        self._max_in_flight = settings.max_in_flight
        self._in_flight = 0

    async def answer(self, request: Request) -> Response:
        """Admit the delivery, or refuse it."""
        exchange = _Exchange(request, datetime.now(UTC))
        delivery_id = _delivery_id(request.headers)
        with structlog.contextvars.bound_contextvars(delivery_id=delivery_id):
            self._in_flight += 1
            try:
                response = await self._admitted(exchange, delivery_id)
            finally:
                self._in_flight -= 1
        if response.status_code == 401:
            # The body is gone and its place is given back: a refusal that waits holds its connection and no more, and
            # of connections there is a bound already (`deskhand.serving.connections`).
            await self._floor.reached(exchange.complete_at)
        return response

    async def _admitted(self, exchange: _Exchange, delivery_id: str) -> Response:
        tool, tenant_id = exchange.tool, exchange.tenant_id
        try:
            self._door.plugin(tool)
            raw = await self._body(exchange.request)
            exchange.complete_at = time.monotonic()
            answer = await self._door.admit(
                Arrival(
                    tool=tool,
                    tenant_id=tenant_id,
                    headers=dict(exchange.request.headers),
                    raw=raw,
                    received_at=exchange.received_at,
                    delivery_id=delivery_id,
                )
            )
        except ProblemError as refusal:
            log.info("delivery", answer="refused", status=refusal.status, tool=tool, tenant=tenant_id, why=refusal.why)
            return problem(refusal.status, refusal.detail)
        except ClientDisconnect:
            log.info("delivery", answer="left", tool=tool, tenant=tenant_id)
            return Response(status_code=400)
        except Exception as error:
            log.info("delivery", answer="failed", status=500, tool=tool, tenant=tenant_id)
            return _broken(error)
        log.info(
            "delivery",
            answer=answer.name,
            status=answer.status,
            tool=tool,
            tenant=tenant_id,
            run=answer.body.get("run"),
        )
        return JSONResponse(answer.body, answer.status)

    async def _body(self, request: Request) -> bytes:
        if self._in_flight > self._max_in_flight:  # before the body is read: each may hold a megabyte
            raise try_later("Too many deliveries are being taken at once.")
        return await read_body(request, self._max_body_bytes, self._receive_seconds)


class _Readiness:
    """`GET /readyz`: 200 when a delivery could be admitted now, else 503; either way it names what does not answer."""

    def __init__(
        self, answers: Callable[[], Awaitable[object]], takers: Mapping[str, Check], remembers: Callable[[], bool]
    ) -> None:
        self._answers = answers
        self._takers = takers
        self._remembers = remembers

    async def answer(self, request: Request) -> Response:
        del request
        tenants, *can_take = await asyncio.gather(
            self._tenants_answer(), *(_passes(part, check) for part, check in self._takers.items())
        )
        remembered = not tenants and self._remembers()
        state = {"tenants": "from memory" if remembered else _word(ok=tenants)}
        state.update((part, _word(ok=ok)) for part, ok in zip(self._takers, can_take, strict=True))
        return JSONResponse(state, 200 if (tenants or remembered) and any(can_take) else 503)

    async def _tenants_answer(self) -> bool:
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                await self._answers()
        except Exception as error:
            log.warning("not_ready", part="tenants", reason=reason(error))
            return False
        return True


async def _passes(part: str, check: Check) -> bool:
    try:
        await check()
    except RunsUnavailableError as error:
        log.warning("not_ready", part=part, reason=str(error))
        return False
    return True


def _broken(error: Exception) -> Response:
    """The plugin's fault or ours. Its text may hold the payload, so that only type and place are told."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}"
    log.error("delivery.failed", error=type(error).__name__, where=where)
    return problem(500, "Something went wrong here.")


def _word(*, ok: bool) -> str:
    return "ok" if ok else "does not answer"


async def _healthz(request: Request) -> Response:
    del request
    return JSONResponse({"status": "ok"})


async def _http_problem(request: Request, error: Exception) -> Response:
    del request
    status = error.status_code if isinstance(error, HTTPException) else 500
    response = problem(status, "There is nothing here." if status == 404 else "This path does not take that method.")
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)
    return response


def _delivery_id(headers: Mapping[str, str]) -> str:
    for name in _DELIVERY_ID_HEADERS:
        if headers.get(name):
            return "".join(c for c in headers[name][:MAX_DELIVERY_ID] if c.isprintable())
    return ""
