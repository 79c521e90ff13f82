"""Serving pretend tools in this process."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from plugins.conformance.pretend.vendor import PretendVendor

AppT = TypeVar("AppT", bound=ASGIApp)

GRACE = 2
"""Seconds that requests still running get when a server stops."""


class Host:
    """A server whose vendor can be exchanged: a fresh one for each test, without starting servers again."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.vendor: PretendVendor | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI)."""
        if self.vendor is None:
            raise RuntimeError("no vendor yet")
        await self.vendor(scope, receive, send)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the process's: several servers may live in it."""
        yield


@contextlib.asynccontextmanager
async def serve(make: Callable[[str], AppT], host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[AppT]:
    """Serve what `make` makes of its own address (`http://host:port`) until the block ends; port 0 takes a free one.

    Raises:
        OSError: the port is taken.
    """
    listener = _listen(host, port)
    app = make(f"http://{host}:{listener.getsockname()[1]}")
    config = uvicorn.Config(
        app, lifespan="off", log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE, server_header=False
    )
    server = _Server(config)
    # The socket listens already: a client that comes before the server accepts is not refused.
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield app
    finally:
        server.should_exit = True
        await task


def _listen(host: str, port: int) -> socket.socket:
    # asyncio sets TCP_NODELAY only on sockets that name their protocol, as those of `socket.create_server` do not.
    # Without it every answer waits 40 ms for the client's acknowledgement of its head.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener
