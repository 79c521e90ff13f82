"""An error that nobody foresaw, in a plugin or in Deskhand: the run waits for the mend, and says what to report."""

import asyncpg

from tests.support.desk import Desk
from tests.workflows.odd import Odd
from tests.workflows.odd_plugins import FaultyPlugin, MistakenPlugin
from tests.workflows.seen import ONLY_WHEN_TOLD, attempts, details, ended, failure, parked, took, waited_for
from workflows.contracts import RECORD_RESOLUTION, RESUME, Outcome, Waiting


async def test_a_plugins_bug_is_waited_for_and_the_mended_plugin_goes_on(odd: Odd) -> None:
    tenant = await odd.tenant(FaultyPlugin)
    ticket_id, handle = await odd.new_run_in_real_time(tenant, patience=ONLY_WHEN_TOLD)
    await odd.desk.skipper.fast_forward(handle, 20)
    wait = await parked(odd.desk, handle, Waiting.FAULT)
    assert wait.summary == "Waiting for fault: `get_ticket: KeyError: 'by'`"
    assert "report what is quoted here" in await details(handle)
    assert await attempts(handle, "get_ticket") == 4

    await tenant.vendor.resolve(ticket_id, "Mended.")
    await handle.signal(RESUME)
    assert (await ended(handle)).outcome is Outcome.POSTED
    assert len(await tenant.vendor.notes(ticket_id)) == 1
    assert await waited_for(odd.desk, handle) == [Waiting.FAULT, ""]


async def test_a_bug_whose_exception_is_the_contracts_namesake_is_a_fault_too(odd: Odd) -> None:
    tenant = await odd.tenant(MistakenPlugin)
    ticket_id, handle = await odd.new_run_in_real_time(tenant, patience=ONLY_WHEN_TOLD)
    await odd.desk.skipper.fast_forward(handle, 20)
    await parked(odd.desk, handle, Waiting.FAULT)
    await tenant.vendor.resolve(ticket_id, "Mended.")
    await handle.signal(RESUME)
    assert (await ended(handle)).outcome is Outcome.POSTED


async def test_a_bug_that_nobody_mends_ends_the_run_after_seven_days(odd: Odd) -> None:
    tenant = await odd.tenant(FaultyPlugin)
    _, handle = await odd.new_run(tenant, patience=ONLY_WHEN_TOLD)
    error = await failure(handle)
    assert error.type == "expired"
    assert error.message.endswith("given up after 7 days of waiting (fault): get_ticket: KeyError: 'by'")
    assert await took(handle) >= 7 * 24 * 60 * 60


async def test_an_error_of_our_own_database_that_nobody_foresaw_is_a_fault_not_an_outage(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    ticket_id = await tenant.vendor.ticket()
    await tenant.vendor.resolve(ticket_id, "Turned it off and on again.")
    signed = await desk.signed(tenant, ticket_id, "resolved")
    database = await asyncpg.connect(desk.stack.database.owner)
    try:
        await database.execute(
            f"ALTER TABLE ticket_history ADD CONSTRAINT odd CHECK (tenant_id <> '{tenant.id}') NOT VALID"
        )
        try:
            with desk.skipper.with_time_skipping_disabled():
                handle = await desk.start_past_the_door(
                    tenant,
                    signed,
                    ticket_id,
                    workflow=RECORD_RESOLUTION,
                    kind="resolved:1",
                    patience=ONLY_WHEN_TOLD,
                )
            await desk.skipper.fast_forward(handle, 20)
            wait = await parked(desk, handle, Waiting.FAULT)
            assert wait.summary.startswith("Waiting for fault: `record_ticket: ")
        finally:
            await database.execute("ALTER TABLE ticket_history DROP CONSTRAINT odd")
    finally:
        await database.close()
    await handle.signal(RESUME)
    assert (await ended(handle)).outcome is Outcome.RECORDED
