"""Temporal's remote codec: opens payloads for the Temporal UI and command line. Decode only, a process of its own.

It answers whoever may call it with the content of tickets. So it listens on loopback, or else asks for a token; it
admits one browser origin, and on loopback only requests that name loopback (a page whose name is pointed at 127.0.0.1
is refused).
"""

import contextlib
import ipaddress
import secrets

import structlog
import uvicorn
from google.protobuf import json_format
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from temporalio.api.common.v1 import Payloads

from deskhand.crypto.codec import EncryptionCodec
from deskhand.crypto.keyring import Keyring, keyring_of
from deskhand.crypto.sealing import SealError
from deskhand.settings import Settings, SettingsError

MAX_BODY_BYTES = 16 * 1024 * 1024
"""A history's largest payloads (4 MB of gRPC message) in base64, several at once."""

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

log = structlog.get_logger(__name__)


def create_codec_app(keyring: Keyring, settings: Settings) -> Starlette:
    """The codec endpoint: `POST /decode` in Temporal's remote codec protocol, and `GET /healthz`.

    Raises:
        SettingsError: the settings would let anyone read what is sealed.
    """
    _refuse_open_door(settings)
    endpoint = _Decode(EncryptionCodec(keyring, allow_plaintext=True), settings)
    origins = [settings.codec_origin] if settings.codec_origin else []
    return Starlette(
        routes=[
            Route("/decode", endpoint.answer, methods=["POST"]),
            Route("/healthz", _healthz, methods=["GET"]),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=origins,
                allow_methods=["POST"],
                allow_headers=["Authorization", "Content-Type", "X-Namespace"],
            )
        ],
    )


def serve_codec(settings: Settings) -> None:
    """Run the codec endpoint on `codec_host:codec_port` until the process is told to end.

    Raises:
        SettingsError: a setting is missing or unsafe.
    """
    keyring = keyring_of(settings, "payload_keys")
    config = uvicorn.Config(
        create_codec_app(keyring, settings),
        host=settings.codec_host,
        port=settings.codec_port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run()


def _refuse_open_door(settings: Settings) -> None:
    if settings.codec_token is not None:
        return
    if settings.environment == "production":
        raise SettingsError("DESKHAND_CODEC_TOKEN is not set: in production every caller of the codec must present it")
    if not _is_loopback(settings.codec_host):
        raise SettingsError("DESKHAND_CODEC_TOKEN is not set: without it DESKHAND_CODEC_HOST must be loopback")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _healthz(request: Request) -> Response:
    del request
    return JSONResponse({"status": "ok"})


class _Decode:
    """`POST /decode`. Refusals are plain text: the Temporal command line prints them as they are."""

    def __init__(self, codec: EncryptionCodec, settings: Settings) -> None:
        self._codec = codec
        self._origin = settings.codec_origin
        self._token = settings.codec_token
        self._loopback = _is_loopback(settings.codec_host)

    async def answer(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            log.warning("codec.refused", status=refusal.status_code)
            return refusal
        try:
            body = await _bounded_body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return PlainTextResponse(f"more than {MAX_BODY_BYTES} bytes", 413)
        try:
            given = json_format.Parse(body, Payloads(), ignore_unknown_fields=True)
        except (json_format.ParseError, UnicodeDecodeError, RecursionError):
            return PlainTextResponse("the body is not Temporal payloads in JSON", 400)
        try:
            opened = await self._codec.decode(given.payloads)
        except SealError as error:
            return PlainTextResponse(str(error), 400)
        log.info("codec.decoded", payloads=len(opened), namespace=request.headers.get("x-namespace", ""))
        return Response(json_format.MessageToJson(Payloads(payloads=opened)), media_type="application/json")

    def _refusal(self, request: Request) -> Response | None:
        """Who asks comes first: a stranger learns nothing from what else is wrong."""
        headers = request.headers
        if self._loopback and _without_port(headers.get("host", "")) not in _LOOPBACK_NAMES:
            return PlainTextResponse("the Host header must name this machine's loopback", 400)
        if "origin" in headers and headers["origin"] != self._origin:
            return PlainTextResponse("this origin may not call the codec", 403)
        if not self._token_fits(headers.get("authorization", "")):
            return PlainTextResponse("a bearer token is needed", 401, {"WWW-Authenticate": "Bearer"})
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return PlainTextResponse("the media type must be application/json", 415)
        return None

    def _token_fits(self, authorization: str) -> bool:
        if self._token is None:
            return True
        scheme, _, given = authorization.partition(" ")
        wanted = self._token.get_secret_value()
        return secrets.compare_digest(given.strip().encode(), wanted.encode()) and scheme.lower() == "bearer"


def _without_port(host: str) -> str:
    name, _, port = host.rpartition(":")
    return (name if port.isdigit() else host).lower()


async def _bounded_body(request: Request) -> bytes | None:
    """The body, or `None` as soon as it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)
