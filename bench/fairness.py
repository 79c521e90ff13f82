"""`python -m bench.fairness`: how soon a tenant's urgent ticket has its note while another tenant's fill the queues.

Three stacks, each fresh: an idle one; one whose queues another tenant fills; and the same on a Temporal server that
knows no fairness or priority (`matching.useNewMatcher=false`), which hands tasks out in the order in which they came.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Mapping
from types import MappingProxyType

import httpx

from bench import machine, tickets
from bench.frame import BenchError
from bench.ours import client_of, connect
from bench.sending import Sender
from bench.sides import TOOL, Call, called
from deskhand.devstack.errors import DevStackError
from deskhand.devstack.interrupt import StoppedBySignal, run
from deskhand.devstack.services import WORKER
from deskhand.devstack.stack import Stack
from deskhand.devstack.state import State
from deskhand.devstack.temporary import temporary_state
from deskhand.devstack.waiting import came_true
from plugins.conformance.pretend.controlling import Control
from workflows.contracts import Outcome, RunResult
from workflows.search_attributes import TENANT

SENT_AT_ONCE = 20
UNDER_WAY = 20
"""How many of the flood's notes are there when the first urgent ticket comes."""
UNDER_WAY_SECONDS = 120
FIRST_IN_FIRST_OUT = MappingProxyType({"matching.useNewMatcher": "false", "matching.enableFairness": "false"})


async def measure(queued: int, probes: int, temporal_config: Mapping[str, str] = MappingProxyType({})) -> list[float]:
    """Seconds from webhook to note of up to `probes` urgent tickets, one after another, while `queued` tickets of
    another tenant wait; no more are made once those are through.
    """
    with temporary_state("deskhand-bench-") as folder:
        async with (
            Stack(State.open(folder), temporal_config=temporal_config) as stack,
            httpx.AsyncClient(trust_env=False, timeout=30) as http,
        ):
            vendor = Control(http, stack.addresses.tools[TOOL])
            sender = Sender(stack.addresses.starter)
            flood_tenant = await connect(stack, vendor, TOOL)
            flood = [await _call(vendor, number, "normal") for number in range(queued)]
            urgent_tenant = await connect(stack, vendor, TOOL)
            urgent = [await _call(vendor, number, "urgent") for number in range(probes)]
            client = await client_of(stack)

            async def send(tenant: str, call: Call) -> str:
                status, said = await sender.post(f"/webhooks/{TOOL}/{tenant}", call.headers, call.body)
                if status != 202:
                    raise BenchError(f"the starter answered {status} to a webhook")
                return str(json.loads(said)["run"])

            async def left() -> int:
                return (
                    await client.count_workflows(f"{TENANT.name}='{flood_tenant}' AND ExecutionStatus='Running'")
                ).count

            async def under_way() -> bool:
                return await left() <= queued - UNDER_WAY

            await stack.stop(WORKER)
            gate = asyncio.Semaphore(SENT_AT_ONCE)

            async def one(call: Call) -> None:
                async with gate:
                    await send(flood_tenant, call)

            await asyncio.gather(*map(one, flood))
            await stack.start(WORKER)
            if queued and not await came_true(under_way, UNDER_WAY_SECONDS):
                raise BenchError(f"not {UNDER_WAY} notes in {UNDER_WAY_SECONDS} s")

            took = []
            for call in urgent:
                if queued and not await left():
                    break
                began = time.monotonic()
                handle = client.get_workflow_handle(await send(urgent_tenant, call), result_type=RunResult)
                if (await handle.result()).outcome is not Outcome.POSTED:
                    raise BenchError(f"the run on ticket {call.ticket_id} ended without a note")
                took.append(time.monotonic() - began)
            await sender.close()
            return took


async def _call(vendor: Control, number: int, priority: str) -> Call:
    ticket_id = await vendor.ticket(tickets.subject(number), tickets.description(number), priority=priority)
    return await called(vendor, ticket_id)


async def compare(queued: int, probes: int) -> None:
    """Print the three."""
    idle = await measure(0, probes)
    with_keys = await measure(queued, probes)
    without = await measure(queued, 1, FIRST_IN_FIRST_OUT)
    base = statistics.median(idle)
    print(f"an urgent ticket's note while {queued} tickets of another tenant are queued, in seconds\n")
    print("| | tickets | median | lowest | highest | times the idle median |\n|---|---|---|---|---|---|")
    for name, took in (("idle", idle), ("with the keys", with_keys), ("first in, first out", without)):
        median = statistics.median(took)
        print(f"| {name} | {len(took)} | {median:.2f} | {min(took):.2f} | {max(took):.2f} | {median / base:.1f} |")
    print("\n" + "\n".join(f"{what}: {said}" for what, said in machine.describe().items()))


def main() -> int:
    """Measure and print; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.fairness", description=__doc__)
    parser.add_argument("--queued", type=int, default=1_000, help="tickets of the other tenant (default 1000)")
    parser.add_argument("--probes", type=int, default=20, help="urgent tickets at most (default 20)")
    given = parser.parse_args()
    try:
        run(compare(given.queued, given.probes))
    except StoppedBySignal as stopped:
        return stopped.exit_code
    except (BenchError, DevStackError) as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
