"""Connections that take their time: bounded, before there is a request that anything else could bound.

uvicorn closes a connection that says nothing after an answer, and no other: one that never finishes a request's head,
or that keeps sending a body that has its answer already, it would hold for ever. (Its `limit_concurrency` counts idle
connections as requests and answers in plain text, health probes too: the application bounds deliveries itself.)
"""

import asyncio
from http import HTTPStatus

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from deskhand.serving.problems import problem

CONNECTIONS_PER_REQUEST = 4
"""Connections that may be open for each request that may be in flight: most of a vendor's are kept open and idle."""


def timed_protocol(seconds: float, max_in_flight: int) -> type[H11Protocol]:
    """A protocol for `uvicorn.Config(http=…)`.

    A request's head must arrive within `seconds`, and so must the rest of a body whose request is answered already;
    the body of one that is not is the application's to time. Connections past `CONNECTIONS_PER_REQUEST` times
    `max_in_flight` are closed at once.
    """
    max_connections = CONNECTIONS_PER_REQUEST * max_in_flight

    class TimedProtocol(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > max_connections:
                transport.abort()
                return
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.conn.their_state is h11.SEND_BODY:
                self._watch()

        def send_400_response(self, msg: str) -> None:
            """What comes is not HTTP. uvicorn would answer in plain text, and fail where there is an answer already."""
            del msg
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                self.transport.write(_answer(400, "This is not HTTP/1.1."))
            if self.cycle is not None:
                self.cycle.disconnected = True  # the application has nobody to answer any more
                self.cycle.message_event.set()
            self.transport.close()

        def _should_upgrade(self) -> bool:
            return False  # nor a warning about it: it is for the server to ignore what it does not speak (RFC 9110)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_watch()
            super().connection_lost(exc)

        def _watch(self) -> None:
            """Start the clock unless it runs; stop it when what it waits for is there."""
            head = self.conn.their_state is h11.IDLE
            leftover = self.conn.their_state is h11.SEND_BODY and self.conn.our_state is h11.DONE
            if not (head or leftover):
                self._stop_watch()
            elif self._deadline is None:
                self._deadline = self.loop.call_later(seconds, self._too_slow)

        def _stop_watch(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _too_slow(self) -> None:
            if self.transport.is_closing():
                return
            if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
                self.transport.write(_answer(408, f"A request's head must arrive within {seconds:g} s."))
            self.transport.close()

    return TimedProtocol


def _answer(status: int, detail: str) -> bytes:
    """The last on a connection whose request never came to the application."""
    response = problem(status, detail)
    response.headers["Connection"] = "close"
    head = b"".join(b"%b: %b\r\n" % header for header in response.raw_headers)
    return b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (status, HTTPStatus(status).phrase.encode(), head, bytes(response.body))
