"""A note is written on the ticket that was looked at, or not at all."""

import asyncio

import httpx
import pytest

from deskhand.pretend.zendesk import PretendZendesk
from plugins.exceptions import APIError, TicketRefusedError
from plugins.zendesk import ZendeskPlugin
from tests.support.pretend import MemoryTenants, PretendFactory
from tests.support.zendesk import NOTE, Zendesk, answering


@pytest.fixture
async def zendesk(pretend: PretendFactory, tenants: MemoryTenants, http: httpx.AsyncClient) -> Zendesk:
    return Zendesk(await pretend(PretendZendesk), tenants, http)


async def test_a_note_that_lands_between_look_and_write_is_not_doubled(zendesk: Zendesk) -> None:
    ticket = zendesk.ticket()
    assert await zendesk.has_note(ticket) is False
    # What an earlier attempt had sent, from another process, and Zendesk commits only now.
    await ZendeskPlugin(zendesk.tenants, zendesk.http).update_ticket("acme", ticket.id, NOTE)
    with pytest.raises(APIError, match="answered 409: UpdateConflict: Safe Update") as refused:
        await zendesk.update(ticket)
    assert type(refused.value) is APIError, "the policy tries again, and at once"
    assert len(ticket.notes) == 1
    assert await zendesk.has_note(ticket) is True


async def test_another_update_only_costs_another_attempt(zendesk: Zendesk) -> None:
    ticket = zendesk.ticket()
    assert await zendesk.has_note(ticket) is False
    zendesk.vendor.resolve(ticket, "Unplugged it.")
    with pytest.raises(APIError, match="409"):
        await zendesk.update(ticket)
    assert await zendesk.has_note(ticket) is False
    assert await zendesk.update(ticket) is True
    assert len(ticket.notes) == 1


async def test_the_ticket_is_read_before_the_look(zendesk: Zendesk) -> None:
    """Read after it, its state would cover up a note that landed in between."""
    ticket = zendesk.ticket()
    assert await zendesk.has_note(ticket) is False
    assert await zendesk.update(ticket) is True
    assert zendesk.asked() == ["get_ticket", "list_notes", "post_note"]


async def test_a_look_counts_for_one_write(zendesk: Zendesk) -> None:
    ticket = zendesk.ticket()
    await zendesk.has_note(ticket)
    await zendesk.update(ticket)
    zendesk.asked()
    assert await zendesk.update(ticket) is True
    assert zendesk.asked() == ["get_ticket", "post_note"]


async def test_a_write_without_a_look_is_guarded_too(zendesk: Zendesk, http: httpx.AsyncClient) -> None:
    ticket = zendesk.ticket()
    assert await zendesk.update(ticket) is True
    assert zendesk.asked() == ["get_ticket", "post_note"]
    # A task of its own, as `asyncio.wait_for` made one before Python 3.12.
    assert await asyncio.create_task(zendesk.has_note(ticket)) is True
    assert await zendesk.update(ticket) is True


async def test_a_look_at_another_ticket_or_for_another_tenant_does_not_count(zendesk: Zendesk) -> None:
    one, other = zendesk.ticket(), zendesk.ticket()
    zendesk.tenants.add("globex", "zendesk", connection=zendesk.account.connection)
    await zendesk.has_note(one)
    zendesk.asked()
    assert await zendesk.update(other) is True
    assert await zendesk.plugin.update_ticket("globex", one.id, NOTE) is True
    assert zendesk.asked() == ["get_ticket", "post_note"] * 2


async def test_many_tickets_at_once_do_not_get_in_each_others_way(zendesk: Zendesk) -> None:
    tickets = [zendesk.ticket() for _ in range(20)]
    looked = asyncio.Barrier(len(tickets))

    async def handle(number: int) -> bool:
        assert await zendesk.has_note(tickets[number]) is False
        await looked.wait()
        return await zendesk.update(tickets[number])

    assert all(await asyncio.gather(*(handle(number) for number in range(len(tickets)))))
    assert sorted(zendesk.asked()) == ["get_ticket"] * 20 + ["list_notes"] * 20 + ["post_note"] * 20
    assert [len(ticket.notes) for ticket in tickets] == [1] * 20


async def test_a_look_is_used_up_by_whichever_task_writes_first(zendesk: Zendesk) -> None:
    ticket = zendesk.ticket()
    await zendesk.has_note(ticket)
    assert await asyncio.create_task(zendesk.update(ticket)) is True
    assert await zendesk.update(ticket) is True


async def test_a_ticket_that_goes_away_between_look_and_write(zendesk: Zendesk) -> None:
    ticket = zendesk.ticket()
    assert await zendesk.has_note(ticket) is False
    del zendesk.vendor.tickets[ticket.id]
    assert await zendesk.update(ticket) is False


async def test_a_ticket_that_is_closed_between_look_and_write(zendesk: Zendesk) -> None:
    ticket = zendesk.ticket()
    assert await zendesk.has_note(ticket) is False
    zendesk.vendor.close(ticket)
    with pytest.raises(TicketRefusedError, match="Status: closed prevents ticket update"):
        await zendesk.update(ticket)


async def test_nothing_is_written_unguarded(tenants: MemoryTenants) -> None:
    plugin = answering(tenants, httpx.Response(200, json={"ticket": {"id": 7}}))
    for call in (plugin.has_note("acme", "7", "dh-1"), plugin.update_ticket("acme", "7", NOTE)):
        with pytest.raises(APIError, match="without the ticket's updated_at"):
            await call
