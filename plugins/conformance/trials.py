"""Calls whose requests fail: each is tried once per class, and several promises look at what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from plugins.conformance.harness import Harness, Outcome
from plugins.conformance.promising import nothing_to_show, presume

FAULTS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        **{f"{status}": {"kind": "status", "status": status} for status in (400, 401, 403, 422, 429)},
        **{f"{status}": {"kind": "status", "status": status} for status in (500, 502, 503, 504)},
        "a redirect": {"kind": "status", "status": 302, "headers": {"Location": "/login"}},
        "an HTML page": {"kind": "garbage"},
        "no reply": {"kind": "drop"},
        "a read time-out": {"kind": "slow", "seconds": 60},
    }
)
"""What goes wrong with a request, as a fault of the pretend tool."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One call in which the requests of one operation failed, and what was seen of it."""

    call: str
    operation: str
    main: bool
    """Whether this is what the call is about; an author may do without what else it asks for."""
    writes: bool
    fault: str
    done: Outcome
    repeated: tuple[str, ...]
    notes: int
    waits: tuple[str, ...]
    elsewhere: tuple[str, ...]
    """Requests that the vendor's API does not know."""
    message_fault: str
    """What is wrong with the error's message; empty where it is as it should be."""

    def __str__(self) -> str:
        return f"{self.call}, with {self.fault} to its {self.operation} request"


MAIN: Final[Mapping[str, str]] = MappingProxyType(
    {"get_ticket": "get_ticket", "update_ticket": "post_note", "has_note": "list_notes"}
)
"""The operation that each call is about."""


async def trials(harness: Harness, call: str, fault: str) -> list[Trial]:
    """What came of the call while requests of one operation failed, for each operation that it needs."""
    operations = await _operations(harness, call)
    if not operations:
        nothing_to_show(f"the plugin's {call} asks the vendor nothing")
    main = MAIN[call] if MAIN[call] in operations else list(operations)[-1]
    return [
        await _trial(
            harness, call, operation, fault, main=operation == main, writes=writes, other="other" in operations
        )
        for operation, writes in operations.items()
    ]


async def _operations(harness: Harness, call: str) -> Mapping[str, bool]:
    """The operations that a call needs when all is well, and whether they write."""
    known = harness.stage.known
    key = ("operations", harness.edition, call)
    if key not in known:
        ticket = harness.ticket()
        harness.plugin = harness.new_plugin()
        harness.calm()
        done = await harness.call(call, ticket.id)
        presume(done.error is None, f"{call} fails with nothing wrong")
        known[key] = {entry.operation: entry.writes for entry in harness.log() if entry.operation != "token"}
    return known[key]  # type: ignore[no-any-return]


async def _trial(
    harness: Harness, call: str, operation: str, fault: str, *, main: bool, writes: bool, other: bool
) -> Trial:
    """Try it, once per class: several promises are about the same failure."""
    known = harness.stage.known
    key = ("trial", harness.edition, call, operation, fault)
    if key not in known:
        ticket = harness.ticket()
        harness.plugin = harness.new_plugin()
        harness.calm()
        harness.fault(operation, **FAULTS[fault])
        done = await harness.call(call, ticket.id)
        known[key] = Trial(
            call=call,
            operation=operation,
            main=main,
            writes=writes,
            fault=fault,
            done=done,
            repeated=tuple(harness.repeated()),
            notes=len(ticket.notes),
            waits=tuple(harness.waits),
            elsewhere=tuple(entry.path for entry in harness.log("other") if not other),
            message_fault=harness.message_fault(done.error) if done.error is not None else "",
        )
        harness.calm()
    return known[key]  # type: ignore[no-any-return]
