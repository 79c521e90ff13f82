"""What is noticed of a plugin while it works: the requests that it sends, and whether it waits."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import httpx

from plugins.conformance.pretend.faults import Fault, Faults, OperationName

_watched: ContextVar[list[str] | None] = ContextVar("watched", default=None)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it left the plugin."""

    method: str
    address: str
    """Path and query as they went over the wire."""
    headers: httpx.Headers = field(repr=False)
    body: bytes = field(repr=False)


class WatchedFaults(Faults):
    """Faults that tell when a request is being held up."""

    def __init__(self) -> None:
        super().__init__()
        self.holding = asyncio.Event()

    def take(self, operation: OperationName) -> Fault | None:
        """The oldest fault about this operation; see `Faults.take`."""
        fault = super().take(operation)
        if fault and fault.kind in ("slow", "late"):
            self.holding.set()
        return fault


class WatchedTransport(httpx.AsyncBaseTransport):
    """Sends for real, keeps what was sent, and gives up on an answer once the pretend tool holds it back.

    So a read time-out comes at once and for certain, however slow the machine is.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, faults: WatchedFaults) -> None:
        self._inner = inner
        self._faults = faults
        self.sent: list[Sent] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        body = await request.aread()
        self.sent.append(Sent(request.method, request.url.raw_path.decode(), request.headers, body))
        answer = asyncio.ensure_future(self._inner.handle_async_request(request))
        holding = asyncio.ensure_future(self._faults.holding.wait())
        try:
            await asyncio.wait({answer, holding}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            self._faults.holding.clear()
            raise httpx.ReadTimeout("", request=request)
        finally:
            for task in (answer, holding):
                task.cancel()
            await asyncio.gather(answer, holding, return_exceptions=True)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


@contextlib.contextmanager
def watched_for_waits(waits: list[str]) -> Iterator[None]:
    """Put down in `waits` where what runs in the block would wait by the clock, and have it not wait."""
    real_sleep, real_block = asyncio.sleep, time.sleep

    async def sleep(delay: float, result: Any = None) -> Any:
        noticed = _watched.get()
        if noticed is None or delay <= 0:
            return await real_sleep(delay, result)
        noticed.append(f"asyncio.sleep({delay:g})")
        return await real_sleep(0, result)

    def block(seconds: float) -> None:
        noticed = _watched.get()
        if noticed is None:
            real_block(seconds)
        else:
            noticed.append(f"time.sleep({seconds:g})")

    # What is not part of the block has another context: the server that runs on the same loop may wait.
    token = _watched.set(waits)
    asyncio.sleep, time.sleep = sleep, block  # type: ignore[assignment]  # for as long as the block runs
    try:
        yield
    finally:
        asyncio.sleep, time.sleep = real_sleep, real_block
        _watched.reset(token)
