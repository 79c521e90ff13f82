"""What a posted run leaves in Temporal: how many events, how often the large things, and how many bytes."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.client import Client

from bench import tickets
from bench.frame import BenchError, Figure, Progress
from bench.ours import Ours, connect
from bench.tools import our_tools
from deskhand.crypto.codec import ENCODING
from plugins.conformance.pretend.controlling import Control
from workflows.contracts import Note, RunInput, RunResult, TicketAnswer
from workflows.identity import workflow_id

KEYS = frozenset({"history-events", "history-delivery", "history-ticket", "history-note", "history-size"})

OVERHEAD_BYTES = 15 * 1024
COPIES = 2.5

_SIZES = {"short ticket": 1, "long ticket": 20}
"""How often the description of half a kilobyte is repeated."""


@dataclass(frozen=True, slots=True)
class _Run:
    events: int
    total_bytes: int
    distinct_bytes: int
    copies: dict[str, int]
    """How many payloads hold the whole delivery, ticket or note."""

    def values(self) -> dict[str, float]:
        """One value for each of `KEYS`."""
        allowed = COPIES * self.distinct_bytes + OVERHEAD_BYTES
        return {
            "history-events": self.events,
            **{f"history-{what}": count for what, count in self.copies.items()},
            "history-size": self.total_bytes / allowed,
        }


async def measure(side: Ours, wanted: frozenset[str], progress: Progress) -> list[Figure]:
    """The wanted ones of `KEYS`: the worst of a short and a long ticket at each tool."""
    if not wanted & KEYS:
        return []
    runs: dict[str, _Run] = {}
    for tool in our_tools():
        progress(f"history, {tool}")
        vendor = Control(side.vendor.http, side.stack.addresses.tools[tool])
        tenant_id = await connect(side.stack, vendor, tool)
        for size, repeated in _SIZES.items():
            created = await vendor.create(
                subject=tickets.subject(0), description="\n".join(map(tickets.description, range(repeated)))
            )
            run = workflow_id(tool, tenant_id, created.ticket_id, "created")
            runs[f"{tool}, {size}"] = await _read(side.client, run)
    figures = []
    for key in sorted(wanted & KEYS):
        values = {name: run.values()[key] for name, run in runs.items()}
        behind = {name: (value,) for name, value in values.items()}
        if key == "history-size":
            behind |= {f"{name}, bytes": (float(run.total_bytes),) for name, run in runs.items()}
            behind |= {f"{name}, distinct bytes": (float(run.distinct_bytes),) for name, run in runs.items()}
        figures.append(Figure(key, (max(values.values()),), behind if len(set(values.values())) > 1 else {}))
    return figures


async def _read(client: Client, run: str) -> _Run:
    handle = client.get_workflow_handle(run, result_type=RunResult)
    if (await handle.result()).outcome != "posted":
        raise BenchError(f"the run {run} posted no note")
    described = (await handle.describe()).raw_description.workflow_execution_info
    history = await handle.fetch_history()
    codec = client.data_converter.payload_codec
    if codec is None:
        raise BenchError("the history is not encrypted")
    texts = [payload.data for payload in await codec.decode(list(_sealed(history.to_json_dict())))]
    held = [json.loads(text) for text in texts]
    given = RunInput.model_validate_json(texts[0])
    # In the order of the events: the answers to get_ticket and write_note are the first of their shapes.
    ticket = next(value["ticket"] for value in held if isinstance(value, dict) and "refused" in value)
    note = next(value["markdown"] for value in held if isinstance(value, dict) and "markdown" in value)
    answer = TicketAnswer.model_validate({"ticket": ticket})
    if answer.ticket is None:
        raise BenchError(f"the run {run} found no ticket")
    return _Run(
        events=described.history_length,
        total_bytes=described.history_size_bytes,
        distinct_bytes=len(given.delivery.raw)
        + len(answer.ticket.model_dump_json().encode())
        + len(Note(markdown=note, writer="").markdown.encode()),
        copies={
            "delivery": _holding(held, held[0]["delivery"]["raw"]),
            "ticket": _holding(held, ticket),
            "note": _holding(held, note),
        },
    )


def _holding(values: list[Any], wanted: object) -> int:
    return sum(any(part == wanted for part in _parts(value)) for value in values)


def _parts(value: Any) -> Iterator[Any]:
    yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _parts(part)


def _sealed(tree: Any) -> Iterator[Payload]:
    """Every sealed payload in a history as JSON, in order. Those of search attributes are plain by design."""
    if isinstance(tree, dict) and "data" in tree and "metadata" in tree:
        encoding = base64.b64decode(tree["metadata"].get("encoding", ""))
        if encoding == ENCODING:
            yield Payload(metadata={"encoding": encoding}, data=base64.b64decode(tree["data"]))
        return
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _sealed(part)
