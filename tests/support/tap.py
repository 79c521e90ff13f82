"""Taps on the lines between processes: all passes until a tap is told what to keep back. So a test halts a run exactly
where it wants to, whatever the machine's load: a request on its way, an answer not yet read, a report not yet made.
"""

import asyncio
import contextlib
import zlib
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Self

_CHUNK = 64 * 1024

PATIENCE = 9.0
"""Seconds that a test waits for something to be kept back: after ten, Temporal takes a workflow task for lost."""


class Line:
    """One connection through a tap: what the client sends goes up, what is answered comes down."""

    def __init__(self, up: asyncio.StreamWriter, down: asyncio.StreamWriter) -> None:
        self.up = up
        self.down = down
        self.kept = bytearray()
        """Requests that were kept back."""
        self.asked = b""
        """The request whose answer is kept back."""
        self.keeps_requests = False
        self.keeps_answers = False
        self.gone = False
        """Whether the client hung up."""

    def close(self) -> None:
        """Hang up on both sides, without what was kept."""
        self.up.close()
        self.down.close()


class Tap(ABC):
    """Listens on a port of 127.0.0.1 and connects each caller to another one. Enter it to have it listen."""

    def __init__(self, port: int) -> None:
        """`port` is where the real server listens."""
        self._target = port
        self._server: asyncio.Server | None = None
        self._lines: set[Line] = set()
        self._changed = asyncio.Condition()
        self.refuses = False
        """Whether it hangs up on callers at once."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    @property
    def address(self) -> str:
        """`host:port` to call instead of the server."""
        assert self._server is not None
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """Hang up on everybody. What was kept back is lost."""
        for line in tuple(self._lines):
            line.close()

    @abstractmethod
    def going_up(self, line: Line, data: bytes) -> bytes:
        """What of this is passed on to the server."""

    @abstractmethod
    def coming_down(self, line: Line, data: bytes) -> bytes:
        """What of this is passed on to the client."""

    async def wait(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Wait until the condition holds; it is looked at whenever something went through or was kept.

        Raises:
            TimeoutError: it does not.
        """
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(condition)

    async def _serve(self, client: asyncio.StreamReader, down: asyncio.StreamWriter) -> None:
        if self.refuses:
            down.close()
            return
        try:
            server, up = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            down.close()
            return
        line = Line(up, down)
        self._lines.add(line)
        try:
            await asyncio.gather(self._upwards(line, client), self._downwards(line, server))
        finally:
            line.close()
            self._lines.discard(line)

    async def _upwards(self, line: Line, client: asyncio.StreamReader) -> None:
        async for data in _chunks(client):
            await self._pass(line.up, self.going_up(line, data))
        line.gone = True
        line.up.close()
        await self._tell()

    async def _downwards(self, line: Line, server: asyncio.StreamReader) -> None:
        async for data in _chunks(server):
            await self._pass(line.down, self.coming_down(line, data))
        line.close()

    async def _pass(self, to: asyncio.StreamWriter, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            if data:
                to.write(data)
                await to.drain()
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class WordTap(Tap):
    """A tap on a line of requests and answers, such as HTTP/1.1 or PostgreSQL's. It is told by words in what is sent
    when to begin to keep back; from there on it keeps all of that connection.
    """

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._requests: set[bytes] = set()
        self._answers: set[bytes] = set()
        self._keeping: list[Line] = []

    def cut(self) -> None:
        """Hang up on everybody. What was kept back is lost."""
        self._keeping.clear()
        super().cut()

    def keep_requests(self, *words: bytes) -> None:
        """Keep requests back from the next one on that has one of the words."""
        self._requests |= set(words)

    def keep_answers(self, *words: bytes) -> None:
        """Let the next request through that has one of the words, and keep its answer back."""
        self._answers |= set(words)

    def keep_nothing(self) -> None:
        """Let the requests to come through. What was kept stays kept."""
        self._requests, self._answers = set(), set()

    async def kept(self, *words: bytes, seconds: float = PATIENCE) -> None:
        """Wait until something is kept back because of one of the words (any, if none is given).

        Raises:
            TimeoutError: nothing is.
        """
        await self.wait(lambda: any(self._keeps(line, words) for line in self._lines), seconds)

    async def deliver(self) -> None:
        """Have the requests land that were kept back, though whoever sent them is gone."""
        for line in self._keeping:
            answers, up = await asyncio.open_connection("127.0.0.1", self._target)
            up.write(line.kept)
            await answers.read(_CHUNK)
            up.close()
        self._keeping.clear()

    def going_up(self, line: Line, data: bytes) -> bytes:
        """Keeps requests back where it was told to."""
        line.keeps_requests = line.keeps_requests or any(word in data for word in self._requests)
        if any(word in data for word in self._answers):
            line.keeps_answers, line.asked = True, data
        if not line.keeps_requests:
            return data
        if not line.kept:
            self._keeping.append(line)
        line.kept += data
        return b""

    def coming_down(self, line: Line, data: bytes) -> bytes:
        """Throws answers away that are to be kept back: nobody will ever have them."""
        return b"" if line.keeps_answers or line.gone else data

    @staticmethod
    def _keeps(line: Line, words: tuple[bytes, ...]) -> bool:
        kept = bytes(line.kept) or (line.asked if line.keeps_answers else b"")
        return not line.gone and bool(kept) and (not words or any(word in kept for word in words))


_HEADER = 9
"""Bytes of an HTTP/2 frame's header (RFC 9113, section 4.1)."""
_DATA, _WINDOW_UPDATE = 0, 8
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@dataclass(slots=True)
class Halt:
    """What to keep back on a line to Temporal: messages with all of these words, from the `nth` one on."""

    words: tuple[bytes, ...]
    nth: int = 1
    answers: bool = False
    """Whether it is about what Temporal sends, and not about what it is sent."""
    seen: set[tuple[int, int]] = field(default_factory=set)
    """The messages so far that had the words: their connection's number and their stream's."""
    frames: list[tuple[Line, bytes]] = field(default_factory=list)
    """What was kept back, and on which line."""


class _Messages:
    """Cuts one direction of an HTTP/2 connection into frames, and reads the gRPC messages in them."""

    def __init__(self) -> None:
        self._rest = b""
        self._begun: dict[int, bytes] = {}
        self.halted: dict[int, Halt] = {}
        """Streams of which nothing more is passed on."""

    def frames(self, data: bytes) -> list[bytes]:
        """The frames that are whole by now."""
        self._rest += data
        whole: list[bytes] = []
        if self._rest.startswith(_PREFACE):
            whole.append(_PREFACE)
            self._rest = self._rest[len(_PREFACE) :]
        while len(self._rest) >= _HEADER:
            size = _HEADER + int.from_bytes(self._rest[:3])
            if len(self._rest) < size:
                break
            whole.append(self._rest[:size])
            self._rest = self._rest[size:]
        return whole

    def text(self, stream: int, frame: bytes) -> bytes:
        """What has come of the stream's message with this frame, unpacked."""
        self._begun[stream] = begun = self._begun.get(stream, b"") + frame[_HEADER:]
        compressed, body = begun[:1] == b"\x01", begun[5:]
        return zlib.decompressobj(wbits=31).decompress(body) if compressed and body else body


class TemporalTap(Tap):
    """A tap on a line to a Temporal server. It keeps single messages back and lets the others through: those of a
    workflow, by its id, and about an activity, by its name. What is sealed in them it cannot read, of course.
    """

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._halts: list[Halt] = []
        self._up: dict[Line, _Messages] = {}
        self._down: dict[Line, _Messages] = {}
        self._credit: defaultdict[Line, int] = defaultdict(int)

    def halt(self, *words: str, nth: int = 1, answers: bool = False) -> Halt:
        """Keep back from the `nth` message on that has all of the words."""
        halt = Halt(tuple(word.encode() for word in words), nth, answers)
        self._halts.append(halt)
        return halt

    async def kept(self, halt: Halt, seconds: float = PATIENCE) -> None:
        """Wait until something is kept back."""
        await self.wait(lambda: bool(halt.frames), seconds)

    async def release(self, halt: Halt) -> None:
        """Send on what was kept back, and keep no more."""
        self._halts.remove(halt)
        for messages in (*self._up.values(), *self._down.values()):
            messages.halted = {stream: other for stream, other in messages.halted.items() if other is not halt}
        for line, frame in halt.frames:
            if not halt.answers and frame[3] == _DATA:
                self._credit[line] += len(frame) - _HEADER
            await self._pass(line.down if halt.answers else line.up, frame)

    def forget(self) -> None:
        """Hang up on everybody, and keep nothing of what comes next."""
        self._halts.clear()
        self.cut()

    def going_up(self, line: Line, data: bytes) -> bytes:
        """Passes on all but what was asked for."""
        passed = bytearray()
        messages = self._up.setdefault(line, _Messages())
        for frame in messages.frames(data):
            halt = self._halted(messages, frame, answers=False)
            if halt is None:
                passed += frame
                continue
            halt.frames.append((line, frame))
            # The server would have done so: else the client soon thinks that it must not send any more.
            if frame[3] == _DATA and len(frame) > _HEADER:
                line.down.write(_window_update(len(frame) - _HEADER))
        return bytes(passed)

    def coming_down(self, line: Line, data: bytes) -> bytes:
        """Passes on all but what was asked for."""
        passed = bytearray()
        messages = self._down.setdefault(line, _Messages())
        for frame in messages.frames(data):
            halt = self._halted(messages, frame, answers=True)
            if halt is None:
                passed += self._less_credit(line, frame)
            else:
                halt.frames.append((line, frame))
        return bytes(passed)

    def _less_credit(self, line: Line, frame: bytes) -> bytes:
        """A frame without the room for what was kept, for which the client was given room already."""
        if frame[3] != _WINDOW_UPDATE or any(frame[5:_HEADER]):
            return frame
        room = int.from_bytes(frame[_HEADER:])
        given = min(room, self._credit[line])
        self._credit[line] -= given
        return _window_update(room - given) if room > given else b""

    def _halted(self, messages: _Messages, frame: bytes, *, answers: bool) -> Halt | None:
        if frame is _PREFACE:
            return None
        stream = int.from_bytes(frame[5:_HEADER])
        if stream in messages.halted:
            return messages.halted[stream]
        if frame[3] != _DATA:
            return None
        text = messages.text(stream, frame)
        for halt in self._halts:
            if halt.answers is answers and all(word in text for word in halt.words):
                halt.seen.add((id(messages), stream))
                if len(halt.seen) >= halt.nth:
                    messages.halted[stream] = halt
                    return halt
        return None


def _window_update(room: int) -> bytes:
    """The frame that lets the other side of a connection send so many bytes more (RFC 9113, section 6.9)."""
    return (4).to_bytes(3) + bytes([_WINDOW_UPDATE, 0]) + bytes(4) + room.to_bytes(4)


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            yield data
