"""`deskhand tenant remove` on the whole stack: everything of the tenant goes, nothing of another."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deskhand.crypto.keyring import Keyring
from deskhand.db.pool import create_pool
from deskhand.devstack.waiting import came_true
from deskhand.runs.order import Order
from deskhand.runs.spool import Spool
from deskhand.settings import Settings
from tests.support.command_line import deskhand
from tests.support.desk import Desk, Tenant
from tests.support.terminal import Terminal
from workflows.contracts import ENHANCE_TICKET, Delivery

_OWNED = "SELECT count(*) FROM {table} WHERE tenant_id = $1"


async def rows(desk: Desk, table: str, tenant: Tenant) -> int:
    """How many rows of a table are the tenant's."""
    return int(await desk.operator.fetchval(_OWNED.format(table=table), tenant.id))


async def busy(desk: Desk) -> Tenant:
    """A tenant with a run that posted, one that waits, a ticket in its history, and a schedule."""
    tenant = await desk.tenant("jira")
    posted = await tenant.vendor.ticket()
    assert (await desk.send(await desk.signed(tenant, posted))).status_code == 202
    await desk.handle(tenant.run(posted)).result()
    await tenant.vendor.resolve(posted, "Turned it off and on.")
    assert (await desk.send(await desk.signed(tenant, posted, "resolved"))).status_code == 202

    async def recorded() -> bool:
        return await rows(desk, "ticket_history", tenant) == 1

    assert await came_true(recorded, seconds=30)
    await tenant.vendor.fault("get_ticket", "status", status=401)
    waiting = await tenant.vendor.ticket()
    assert (await desk.send(await desk.signed(tenant, waiting))).status_code == 202

    async def all_listed() -> bool:
        return await desk.runs_of(tenant) >= 3

    assert await came_true(all_listed, seconds=30)
    assert (await deskhand(desk, "reconcile", "--tenant", tenant.id, "--every", "1h")).code == 0
    return tenant


async def nothing_left(desk: Desk, tenant: Tenant) -> None:
    assert await rows(desk, "tenant_configs", tenant) == 0
    assert await rows(desk, "ticket_history", tenant) == 0

    async def forgotten() -> bool:
        return await desk.runs_of(tenant) == 0

    assert await came_true(forgotten, seconds=30)
    status = await deskhand(desk, "reconcile", "--tenant", tenant.id, "--status", "--json")
    assert json.loads(status.out)["every_seconds"] is None
    # A delivery that comes all the same is refused.
    ticket_id = await tenant.vendor.ticket()
    assert (await desk.send(await desk.signed(tenant, ticket_id))).status_code == 401


async def actions(desk: Desk, tenant: Tenant) -> list[Any]:
    found = await desk.operator.fetch("SELECT action FROM audit_log WHERE tenant_id = $1 ORDER BY id", tenant.id)
    return [row["action"] for row in found]


async def test_everything_of_a_tenant_goes_and_nothing_of_another(desk: Desk) -> None:
    other, tenant = await busy(desk), await busy(desk)
    remove = ("tenant", "remove", tenant.id)
    assert (await deskhand(desk, *remove)).failed_with("--yes: is needed where nobody can be asked")
    assert (await deskhand(desk, *remove, "--yes")).failed_with("is active: `deskhand tenant deactivate")
    assert await rows(desk, "tenant_configs", tenant) == 1

    done = await deskhand(desk, *remove, "--yes", "--even-if-active", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert (told["history"], told["spooled"], told["schedule"]) == (1, 0, True)
    assert told["runs"] >= 3
    await nothing_left(desk, tenant)
    logged = await actions(desk, tenant)
    assert [action for action in logged if action.startswith("tenant.")][-3:] == [
        "tenant.remove_begin",
        "tenant.deactivate",
        "tenant.remove",
    ]

    assert await rows(desk, "tenant_configs", other) == 1
    assert await rows(desk, "ticket_history", other) == 1
    assert await desk.runs_of(other) >= 3
    assert (await deskhand(desk, *remove, "--yes")).failed_with(f"tenant {tenant.id}: does not exist")


async def test_on_a_terminal_its_name_has_to_be_typed(desk: Desk, tmp_path: Path) -> None:
    tenant = await busy(desk)
    assert (await deskhand(desk, "tenant", "deactivate", tenant.id)).code == 0
    command = (str(Path(sys.executable).with_name("deskhand")), "tenant", "remove", tenant.id)
    prompt = "The tenant's name, to go on: "

    terminal = await Terminal.run(command, desk.stack.command_environment(), tmp_path)
    await terminal.answer(prompt, "another")
    code, screen = await terminal.end()
    assert code == 1
    assert f"This removes tenant {tenant.id} and with it " in screen
    assert "1 ticket of its history" in screen
    assert "nothing was removed: another name was typed" in screen
    assert await rows(desk, "ticket_history", tenant) == 1

    terminal = await Terminal.run(command, desk.stack.command_environment(), tmp_path)
    await terminal.answer(prompt, tenant.id)
    code, screen = await terminal.end()
    assert code == 0, screen
    assert f"tenant {tenant.id} removed, and with it " in screen
    await nothing_left(desk, tenant)


async def test_orders_that_nobody_can_open_keep_no_tenant(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    delivery = Delivery(tool="jira", tenant_id="globex", raw=b"{}", received_at=datetime.now(UTC))
    order = Order(workflow=ENHANCE_TICKET, run="jira:globex:A-1:created", ticket_id="A-1", delivery=delivery)
    pool = await create_pool(desk.stack.database.app, Settings())
    await Spool(pool, Keyring.parse(Keyring.generate_text("lost"))).put(order, refused="no")
    await pool.close()
    done = await deskhand(desk, "tenant", "remove", tenant.id, "--yes", "--even-if-active")
    assert done.code == 0, done.err
    assert "1 order sealed with keys that are not in DESKHAND_PAYLOAD_KEYS" in done.err
    assert await rows(desk, "tenant_configs", tenant) == 0
