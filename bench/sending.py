"""Sending webhooks at next to no cost: what the sender spends would otherwise count against the starter."""

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.frame import BenchError

IDLE_SECONDS = 2.0
"""How long a connection may have been idle that is used again. The starter's server closes it after 5 s."""


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used_at: float = 0.0


class Sender:
    """HTTP/1.1 to one plain-http origin, over as many kept connections as there are calls at once."""

    def __init__(self, origin: str) -> None:
        parts = urlsplit(origin)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._idle: deque[_Connection] = deque()

    async def post(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Send, and return status and body of the answer, which must declare its length.

        Raises:
            BenchError: there is no such answer.
        """
        connection = await self._connection()
        fields = {**headers, "Host": f"{self._host}:{self._port}", "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        connection.writer.write(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)
        try:
            lines = (await connection.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            answer = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
            said = await connection.reader.readexactly(int(answer["content-length"]))
        except (OSError, EOFError, LookupError, ValueError) as error:
            raise BenchError(f"no whole answer to POST {path}: {type(error).__name__}") from error
        connection.used_at = time.monotonic()
        self._idle.append(connection)
        return int(lines[0].split(" ")[1]), said

    async def close(self) -> None:
        """Close what is open."""
        while self._idle:
            self._idle.pop().writer.close()

    async def _connection(self) -> _Connection:
        while self._idle and time.monotonic() - self._idle[0].used_at > IDLE_SECONDS:
            self._idle.popleft().writer.close()
        if self._idle:
            return self._idle.pop()
        return _Connection(*await asyncio.open_connection(self._host, self._port))
