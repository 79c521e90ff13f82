"""Faults that can be switched on, and what they do to a request."""

import asyncio
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.requests import Request

OperationName = Literal["get_ticket", "list_tickets", "post_note", "list_notes", "retract_note", "token", "other"]
"""What a request to the vendor's API is for. `token` gives an access token out."""

NOTE_KINDS = frozenset({"public", "double", "lose"})
"""Faults in how a note is stored: they wait for a `post_note`."""


class Fault(BaseModel):
    """One fault, as `POST /_pretend/faults` takes it.

    | kind | what happens |
    |---|---|
    | `status` | refused with that status, the vendor's error body and these headers; the work is not done |
    | `slow` | waits before the work; if the client hangs up meanwhile, the work is not done |
    | `late` | the work is done after the wait, whether or not the client is still there |
    | `drop` | the work is done, then the connection is closed without an answer |
    | `public` | the note is stored as public, and the reply says so |
    | `double` | the note is stored twice |
    | `lose` | success is answered, nothing is stored |
    | `garbage` | 200 with an HTML login page; the work is not done |
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    operation: OperationName | Literal["any"]
    kind: Literal["status", "slow", "late", "drop", "public", "double", "lose", "garbage"]
    times: int | None = Field(default=None, ge=1)
    """How many requests it hits; `None` until cleared."""
    status: int | None = Field(default=None, ge=300, le=599)
    headers: dict[str, str] = Field(default_factory=dict)
    seconds: float = Field(default=0, ge=0, le=600)
    dropped: bool = False
    """Whether the connection is then closed without the answer, as after `drop`."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind == "status" and self.status is None:
            raise ValueError("status: a fault of kind status needs one")
        if self.kind in ("slow", "late") and self.seconds == 0:
            raise ValueError(f"seconds: a fault of kind {self.kind} needs them")
        if self.kind in NOTE_KINDS and self.operation not in ("post_note", "any"):
            raise ValueError(f"operation: a fault of kind {self.kind} is about post_note")
        return self

    def hits(self, operation: OperationName) -> bool:
        """Whether it is about this operation."""
        if self.kind in NOTE_KINDS:
            return operation == "post_note"
        return self.operation in (operation, "any")


class Faults:
    """The faults that are on, in the order in which they were switched on."""

    def __init__(self) -> None:
        self._on: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Switch one on."""
        self._on.append(fault)

    def clear(self) -> None:
        """Switch all off."""
        self._on.clear()

    def take(self, operation: OperationName) -> Fault | None:
        """The oldest fault about this operation, used up by one request."""
        for fault in self._on:
            if fault.hits(operation):
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times == 0:
                        self._on.remove(fault)
                return fault
        return None


async def hung_up_within(request: Request, seconds: float) -> bool:
    """Wait, and say whether the client hung up meanwhile. The request's body must have been read."""
    hang_up = asyncio.create_task(_hang_up(request))
    try:
        done, _ = await asyncio.wait({hang_up}, timeout=seconds)
        return bool(done)
    finally:
        hang_up.cancel()


async def close_unanswered(request: Request) -> None:
    """Close the connection under the request. ASGI knows no such thing, so this reaches for uvicorn's transport."""
    request.scope["deskhand.send"].__self__.transport.close()
    await _hang_up(request)


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
