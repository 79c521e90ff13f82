"""HTTP by hand, for what clients would not send, and would mend in what they get."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any

from tests.support.any_body import Raw

Headers = tuple[tuple[bytes, bytes], ...]

JSON_TYPE: Headers = ((b"Content-Type", b"application/json"),)


@dataclass(frozen=True, slots=True, repr=False)
class Call:
    """One HTTP request."""

    target: bytes
    headers: Headers
    body: bytes
    method: bytes = b"POST"
    chunk: int | None = None
    """The size of the chunks that the body is sent in; `None`: its length is declared."""

    @property
    def wire(self) -> Raw:
        """Its bytes."""
        return Raw(self._wire())

    def __repr__(self) -> str:
        """What an error shows of it."""
        return f"<Call {self.wire!r}>"

    def _wire(self) -> bytes:
        lines = [b"%b %b HTTP/1.1" % (self.method, self.target)]
        names = {name.lower() for name, _ in self.headers}
        if b"host" not in names:
            lines.append(b"Host: starter.example")
        lines.extend(b"%b: %b" % header for header in self.headers)
        if self.chunk is None:
            return b"\r\n".join((*lines, b"Content-Length: %d" % len(self.body), b"", self.body))
        parts = [self.body[at : at + self.chunk] for at in range(0, len(self.body), self.chunk)]
        chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts]
        return b"\r\n".join((*lines, b"Transfer-Encoding: chunked", b"", b"".join(chunks) + b"0\r\n\r\n"))


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @classmethod
    def of(cls, response: HTTPResponse) -> "Answer":
        """The one that is next on a connection."""
        response.begin()
        return cls(response.status, tuple(response.getheaders()), response.read())

    @property
    def json(self) -> dict[str, Any]:
        """Its body."""
        body: dict[str, Any] = json.loads(self.body)
        return body


def answers_in(received: bytes) -> Iterator[Answer]:
    """Every answer in what was received on a connection."""
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = tuple((name, value) for name, _, value in (line.partition(": ") for line in lines))
        length = int({name.lower(): value for name, value in headers}.get("content-length", len(rest)))
        if rest.startswith(b"HTTP/1.1 "):  # this one was for HEAD
            length = 0
        version, number, _ = status.split(" ", 2)
        assert version == "HTTP/1.1"
        if number != "100":
            yield Answer(int(number), headers, rest[:length])
        received = rest[length:]
