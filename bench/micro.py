"""CPU time of single functions, in this process: what a delivery costs at the door and in the run, waiting aside."""

import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

from temporalio.api.common.v1 import Payload

from bench import tickets
from bench.frame import BenchError, Figure, Plan, Progress, percentile
from bench.tools import our_tools
from deskhand.crypto.codec import EncryptionCodec
from deskhand.crypto.keyring import Keyring
from plugins.base import TicketingToolPlugin
from plugins.conformance.pretend.model import Webhook
from plugins.conformance.tenants import MemoryTenants
from plugins.payload import WebhookPayload, rebuild
from plugins.types import TenantSettings

KEYS = frozenset({"validate", "extract", "codec"})

LARGE_BYTES = 10_000

_TENANT = "bench"
_SECRET = "bench-secret"  # noqa: S105 - marked, and opens nothing


@dataclass(frozen=True, slots=True)
class _Delivery:
    plugin: TicketingToolPlugin
    payload: WebhookPayload
    signature: str


async def measure(plan: Plan, wanted: frozenset[str], progress: Progress) -> list[Figure]:
    """The wanted ones of `KEYS`. Of several tools, or directions of the codec, the slowest is the figure."""
    if not wanted & KEYS:
        return []
    ordinary, large = _deliveries(tickets.description(0)), _deliveries("Every ten minutes. " * (LARGE_BYTES // 19))
    measured: dict[str, dict[str, Callable[[], object]]] = {
        "validate": {f"{tool}, µs": _validation(delivery) for tool, delivery in large.items()},
        "extract": {f"{tool}, µs": _extraction(delivery) for tool, delivery in ordinary.items()},
        "codec": _codec(),
    }
    aside: dict[str, dict[str, Callable[[], object]]] = {
        "extract": {f"{tool} on 10 KB, µs": _extraction(delivery) for tool, delivery in large.items()}
    }
    figures = []
    for key, calls in measured.items():
        if key in wanted:
            progress(f"{key}, {plan.rounds} rounds")
            rounds = _rounds(plan, calls)
            slowest = max(rounds.values(), key=median)
            figures.append(Figure(key, slowest, rounds | _rounds(plan, aside.get(key, {}))))
    return figures


def _rounds(plan: Plan, calls: Mapping[str, Callable[[], object]]) -> dict[str, tuple[float, ...]]:
    return {what: tuple(_p99(call, plan.calls) for _ in range(plan.rounds)) for what, call in calls.items()}


def _p99(call: Callable[[], object], count: int) -> float:
    """Microseconds of this thread's CPU time that 99 of 100 calls do not exceed."""
    for _ in range(count // 10):
        call()
    taken = []
    for _ in range(count):
        began = time.thread_time_ns()
        call()
        taken.append(time.thread_time_ns() - began)
    return percentile(taken, 0.99) / 1000


def _deliveries(description: str) -> dict[str, _Delivery]:
    """A delivery about a ticket with this description from each tool, by a scheme that looks at the body if it can."""
    made = {}
    for tool, (kind, pretend) in our_tools().items():
        vendor = pretend("https://desk.example")
        schemes = (None, *sorted(kind.signature_schemes))
        settings = TenantSettings(signature_scheme=next((one for one in schemes if vendor.covers_body(one)), None))
        vendor.webhook = Webhook("https://deskhand.example/", _SECRET, None, settings.signature_scheme)
        ticket = vendor.add_ticket({"subject": tickets.subject(0), "description": description, "priority": "High"})
        delivery = vendor.delivery_of(ticket.id, "created")
        tenants = MemoryTenants()
        tenants.add(_TENANT, tool, secrets=(_SECRET,), settings=settings)
        plugin = kind(tenants, None)  # type: ignore[arg-type]  # no call is made
        headers = {name.lower(): value for name, value in delivery.headers.items()}
        made[tool] = _Delivery(
            plugin=plugin,
            payload=rebuild(delivery.body, _TENANT, datetime.now(UTC), settings),
            signature=plugin.signature_from(headers, settings),
        )
    return made


def _validation(delivery: _Delivery) -> Callable[[], bool]:
    def call() -> bool:
        return _driven(delivery.plugin.validate_webhook(delivery.payload, delivery.signature)) is True

    if not call():
        raise BenchError(f"{delivery.plugin.tool_type}: the delivery is not authentic")
    return call


def _extraction(delivery: _Delivery) -> Callable[[], object]:
    return lambda: delivery.plugin.extract_metadata(delivery.payload)


def _codec() -> dict[str, Callable[[], object]]:
    codec = EncryptionCodec(Keyring.parse(Keyring.generate_text("p")), allow_plaintext=False)
    payload = Payload(metadata={"encoding": b"json/plain"}, data=b"x" * LARGE_BYTES)
    sealed = _driven(codec.encode([payload]))
    return {
        "encode, µs": lambda: _driven(codec.encode([payload])),
        "decode, µs": lambda: _driven(codec.decode(sealed)),
    }


def _driven(work: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine returns that never waits: an event loop's own cost is none of its."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise BenchError("the function waits for something: its CPU time cannot be told from the event loop's")
