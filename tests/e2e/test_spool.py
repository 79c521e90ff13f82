"""Temporal is down when the webhooks come: the notes are on the tickets once it is back."""

import asyncpg
import pytest

from deskhand.devstack.waiting import came_true
from tests.support.desk import TOOLS, Desk, note_text
from workflows.contracts import Outcome


async def in_the_spool(desk: Desk) -> int:
    connection = await asyncpg.connect(desk.stack.database.operator)
    try:
        kept: int = await connection.fetchval("SELECT count(*) FROM spool")
    finally:
        await connection.close()
    return kept


@pytest.mark.parametrize("hard", [False, True], ids=["stopped", "killed"])
async def test_tickets_that_come_while_temporal_is_down_get_their_one_note_afterwards(desk: Desk, hard: bool) -> None:
    tenants = [await desk.tenant(tool) for tool in TOOLS]
    tickets = [await tenant.vendor.ticket("Scanner sends empty mails", "Nothing arrives.") for tenant in tenants]
    calls = [await desk.signed(tenant, ticket) for tenant, ticket in zip(tenants, tickets, strict=True)]
    if hard:
        desk.stack.kill("temporal")
    else:
        await desk.stack.stop("temporal")
    try:
        answers = [await desk.send(call) for call in (*calls, *calls)]
        assert {answer.status_code for answer in answers} == {202}
        assert await in_the_spool(desk) == len(TOOLS)
    finally:
        await desk.stack.start("temporal")

    async def drained() -> bool:
        return await in_the_spool(desk) == 0

    assert await came_true(drained, seconds=60)
    for tenant, ticket in zip(tenants, tickets, strict=True):
        assert (await desk.handle(tenant.run(ticket)).result()).outcome is Outcome.POSTED
        (note,) = await tenant.vendor.notes(ticket)
        assert note["private"] is True
        assert tenant.ref(ticket) in note_text(note)
        assert await desk.runs_of(tenant) == 1
