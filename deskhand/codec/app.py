"""The codec endpoint: `POST /decode` in Temporal's remote codec protocol, and `GET /healthz`."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator

import structlog
from google.protobuf import json_format
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from temporalio.api.common.v1 import Payloads

from deskhand.codec.callers import RETRY_AFTER_SECONDS, Callers, RefusedError
from deskhand.codec.issuer import IssuerKeys, create_issuer_client
from deskhand.codec.safety import plain_http_allowed, refuse_unsafe
from deskhand.codec.tokens import AccessTokens
from deskhand.crypto.codec import EncryptionCodec
from deskhand.crypto.keyring import Keys, keyring_of
from deskhand.crypto.sealing import SealError
from deskhand.serving.body import read_body
from deskhand.serving.problems import ProblemError
from deskhand.serving.server import server
from deskhand.settings import Settings

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Several of a history's largest payloads (2 MB each) in base64. Opening never makes more of them."""
MAX_PAYLOADS = 5000
"""In one request. The Temporal UI and command line send those of one field of one event, so mostly one."""
MAX_COMMAS = 16 * MAX_PAYLOADS
"""In a body: those of the payloads and of what few metadata each has. Base64 has none."""
BODIES_AT_ONCE = 8
"""Bodies that are in memory at once; other callers wait for their turn."""

REQUEST_HEADERS = ("Authorization", "Authorization-Extras", "Content-Type", "X-Namespace")
"""What the Temporal UI sends along (temporalio/ui, `src/lib/services/data-encoder.ts`): unless each is admitted, its
browser sends nothing. `Authorization-Extras`, its user's ID token, is not read."""

log = structlog.get_logger(__name__)


def create_codec_app(keyring: Keys, settings: Settings) -> Starlette:
    """The codec endpoint over these keys.

    Raises:
        SettingsError: the settings would let anyone read what is sealed.
    """
    refuse_unsafe(settings)
    http = create_issuer_client() if settings.codec_issuer else None
    keys = tokens = None
    if settings.codec_issuer and settings.codec_audience and http:
        keys = IssuerKeys(
            http,
            settings.codec_issuer,
            jwks_url=settings.codec_jwks_url,
            plain_http_allowed=functools.partial(plain_http_allowed, settings),
        )
        tokens = AccessTokens(
            keys,
            issuer=settings.codec_issuer,
            audience=settings.codec_audience,
            group=settings.codec_group,
            groups_claim=settings.codec_groups_claim,
        )
        if settings.codec_group is None:
            log.warning("codec.no_group", hint="everyone with a token for DESKHAND_CODEC_AUDIENCE may read tickets")

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        preparing = asyncio.create_task(keys.prepare()) if keys else None
        yield
        if preparing:
            preparing.cancel()
            await asyncio.gather(preparing, return_exceptions=True)
        if http:
            await http.aclose()

    endpoint = _Decode(EncryptionCodec(keyring, allow_plaintext=True), Callers(settings, tokens), settings)
    app = Starlette(
        routes=[
            Route("/decode", endpoint.answer, methods=["POST"]),
            Route("/healthz", _healthz, methods=["GET"]),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=[settings.codec_origin] if settings.codec_origin else [],
                allow_methods=["POST"],
                allow_headers=REQUEST_HEADERS,
            )
        ],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def serve_codec(settings: Settings) -> None:
    """Run the codec endpoint on `codec_host:codec_port` until the process is told to end.

    Raises:
        SettingsError: a setting is missing or unsafe.
    """
    keyring = keyring_of(settings, "payload_keys")
    with contextlib.suppress(KeyboardInterrupt):
        server(
            create_codec_app(keyring, settings),
            host=settings.codec_host,
            port=settings.codec_port,
            receive_seconds=settings.receive_seconds,
            max_in_flight=settings.codec_max_in_flight,
        ).run()


async def _healthz(request: Request) -> Response:
    del request
    return JSONResponse({"status": "ok"})


class _Decode:
    """`POST /decode`. Every answer is one log line. Refusals are plain text: the Temporal command line prints them."""

    def __init__(self, codec: EncryptionCodec, callers: Callers, settings: Settings) -> None:
        self._codec = codec
        self._callers = callers
        self._receive_seconds = settings.receive_seconds
        self._max_in_flight = settings.codec_max_in_flight
        self._in_flight = 0
        self._bodies = asyncio.Semaphore(BODIES_AT_ONCE)

    async def answer(self, request: Request) -> Response:
        who: dict[str, str | None] = {"namespace": request.headers.get("x-namespace", "")}
        try:
            caller = await self._callers.admit(request.headers)
            who = {"caller": caller.by, "sub": caller.sub, **who}
            opened = await self._in_turn(request)
        except RefusedError as refusal:
            log.warning("codec.refused", status=refusal.status, why=refusal.why, **{"sub": refusal.sub, **who})
            return PlainTextResponse(str(refusal), refusal.status, refusal.headers)
        except ClientDisconnect:
            log.info("codec.left", **who)
            return Response(status_code=400)
        log.info("codec.decoded", payloads=len(opened.payloads), **who)
        return Response(json_format.MessageToJson(opened, indent=None), media_type="application/json")

    async def _in_turn(self, request: Request) -> Payloads:
        if self._in_flight >= self._max_in_flight:
            raise RefusedError(
                503, "too many requests at once", "busy", headers={"Retry-After": str(RETRY_AFTER_SECONDS)}
            )
        self._in_flight += 1
        try:
            async with self._bodies:
                return await self._opened(request)
        finally:
            self._in_flight -= 1

    async def _opened(self, request: Request) -> Payloads:
        try:
            body = await read_body(request, MAX_BODY_BYTES, self._receive_seconds)
        except ProblemError as problem:
            closing = {"Connection": "close"} if problem.status == 408 else None
            raise RefusedError(problem.status, str(problem), "body", headers=closing) from None
        # Before it is parsed: sixteen megabytes of nothing but small things would then be gigabytes.
        if body.count(b",") > MAX_COMMAS:
            raise _too_many()
        try:
            given = json_format.Parse(body, Payloads(), ignore_unknown_fields=True)
        except (json_format.ParseError, UnicodeDecodeError, RecursionError):
            raise RefusedError(400, "the body is not Temporal payloads in JSON", "protocol") from None
        if len(given.payloads) > MAX_PAYLOADS:
            raise _too_many()
        try:
            return Payloads(payloads=await self._codec.decode(given.payloads))
        except SealError as error:
            raise RefusedError(400, str(error), str(error)) from None


def _too_many() -> RefusedError:
    return RefusedError(413, f"more than {MAX_PAYLOADS} payloads", "payloads")
