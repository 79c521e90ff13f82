"""One run: tickets, kills and faults at their times, then an end in peace, then the judgement."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deskhand.devstack.stack import Stack
from tests.chaos.evidence import keep
from tests.chaos.healing import reconcile
from tests.chaos.judging import lost, violations
from tests.chaos.killing import Killer
from tests.chaos.plan import KILLED, Misbehaviour, Plan, Ticket
from tests.chaos.records import Records, gather
from tests.chaos.reporting import report
from tests.chaos.sending import Delivered, Sender
from tests.chaos.setting import Setting, setting_of
from tests.chaos.settling import Settled, drain, settle
from tests.support.desk import TOOLS, Tenant

SETTLE_SECONDS = 240.0
"""Twice what it takes at most: a run may be at the beginning of its waits."""

LATE_EVERY = 7
"""Of how many tickets that were admitted one has its webhook delivered again at the very end."""
LATE_COPY = 2
"""What that delivery is called; the others are 0 and 1."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to."""

    records: Records
    settled: Settled
    report: Sequence[str]
    violations: Sequence[str]
    """Empty if all holds."""


async def carry_out(
    stack: Stack,
    plan: Plan,
    progress: Callable[[str], None] = lambda _: None,
    *,
    settle_seconds: float = SETTLE_SECONDS,
    evidence: Path | None = None,
) -> Result:
    """Carry out a plan on a stack that runs and that nobody else uses.

    Args:
        settle_seconds: how long the spool, and then the runs, may take to end once everything behaves again.
        evidence: where to keep the histories and logs of what went wrong, if anything does.
    """
    async with setting_of(stack) as setting:
        by_tool = {tool: await setting.desk.tenant(tool) for tool in TOOLS}
        tenants = list(by_tool.values())
        killer = Killer(stack)
        progress(f"{len(plan.tickets)} tickets, {len(plan.kills)} kills, {len(plan.faults)} faults")
        deliveries = await _let_loose(setting, plan, by_tool, killer)
        await setting.desk.clear_faults()
        progress("faults off, everything up: waiting until all is settled")
        await drain(setting, killer, settle_seconds)
        losses = await lost(setting, deliveries)
        healed, complaints = await reconcile(stack, tenants)
        settled = await settle(setting, tenants, killer, settle_seconds)
        await _deliver_late(setting, plan, deliveries)
        settled.ends_as(await settle(setting, tenants, killer, settle_seconds))
        records = await gather(setting, tenants, deliveries)
        found = list(violations(records, settled, (*killer.accidents, *losses, *complaints)))
        if found and evidence is not None:
            await keep(setting, records, evidence)
        return Result(records, settled, list(report(plan, records, healed, settled, killer)), found)


async def _let_loose(setting: Setting, plan: Plan, tenants: Mapping[str, Tenant], killer: Killer) -> list[Delivered]:
    """The plan, until its last webhook is delivered or given up, and everything that was killed is up again."""
    sender = Sender(plan.seed)
    began = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        sending = [
            tasks.create_task(_send(setting, tenants[ticket.tool], sender, ticket, began)) for ticket in plan.tickets
        ]
        tasks.create_task(_misbehave(setting, plan.faults, began))
        for process in KILLED:
            tasks.create_task(killer.follow([kill for kill in plan.kills if kill.process == process], began))
    await sender.close()
    return [task.result() for task in sending]


async def _deliver_late(setting: Setting, plan: Plan, deliveries: Sequence[Delivered]) -> None:
    """Some webhooks once more, when their runs are long over: that must start nothing."""
    sender = Sender(plan.seed)
    for delivered in [delivered for delivered in deliveries if delivered.admitted][::LATE_EVERY]:
        signed = await setting.desk.signed(delivered.tenant, delivered.ticket_id)
        await sender.deliver(signed, delivered, LATE_COPY)
    await sender.close()


async def _send(setting: Setting, tenant: Tenant, sender: Sender, ticket: Ticket, began: float) -> Delivered:
    await asyncio.sleep(max(0.0, began + ticket.at - time.monotonic()))
    ticket_id = await tenant.vendor.ticket(subject=f"Ticket {ticket.number}: the printer on floor {ticket.number % 7}")
    delivered = Delivered(ticket, tenant, ticket_id, first_sent=time.time())

    async def deliver(copy: int, after: float) -> None:
        await asyncio.sleep(after)
        await sender.deliver(await setting.desk.signed(tenant, ticket_id), delivered, copy)

    await asyncio.gather(*(deliver(copy, after) for copy, after in enumerate((0.0, ticket.again)) if after is not None))
    return delivered


async def _misbehave(setting: Setting, faults: Sequence[Misbehaviour], began: float) -> None:
    for fault in faults:
        await asyncio.sleep(max(0.0, began + fault.at - time.monotonic()))
        vendor = setting.desk.vendor(fault.tool)
        await vendor.fault(fault.operation, fault.kind, fault.times, **fault.more)
