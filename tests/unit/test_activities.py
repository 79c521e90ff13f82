"""What activities make of a plugin that has only the four methods, or that refuses."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.ticketing import GetTicket, UpdateTicket
from plugins.base import TicketingToolPlugin, TicketMetadata
from plugins.exceptions import APIError, OutcomeUnknownError, TicketRefusedError
from tests.support.pretend import MemoryTenants
from workflows.contracts import GetTicketInput, Metadata, UpdateTicketInput

NOW = datetime(2026, 1, 1, tzinfo=UTC)
METADATA = Metadata(tenant_id="acme", ticket_id="1", description="It drops.", priority="low", created_at=NOW)
NOTE = UpdateTicketInput(tool="four", tenant_id="acme", ticket_id="1", ref="dh-0123456789ab", note="Hello")


class FourMethods(TicketingToolPlugin):
    """A plugin without a hook, which says what it is told to say."""

    def __init__(self, *, get: object = None, update: object = True, found: bool | None = None) -> None:
        super().__init__(MemoryTenants(), httpx.AsyncClient())
        self._get, self._update, self._found = get, update, found
        self.written: list[str] = []

    async def validate_webhook(self, payload: dict[str, Any], signature: str) -> bool:
        return False

    async def get_ticket(self, tenant_id: str, ticket_id: str) -> dict[str, Any] | None:
        return said(self._get)  # type: ignore[no-any-return]

    async def update_ticket(self, tenant_id: str, ticket_id: str, content: str) -> bool:
        self.written.append(content)
        return said(self._update)  # type: ignore[no-any-return]

    def extract_metadata(self, payload: dict[str, Any]) -> TicketMetadata:
        raise NotImplementedError

    async def has_note(self, tenant_id: str, ticket_id: str, ref: str) -> bool | None:
        return self._found if self._found is not None else await super().has_note(tenant_id, ticket_id, ref)


def said(answer: object) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer


async def update(plugin: FourMethods) -> tuple[str, str]:
    result = await ActivityEnvironment().run(UpdateTicket({"four": plugin}).run, NOTE)
    return result.result, result.detail


async def test_a_ticket_is_described_by_its_metadata_alone() -> None:
    get = GetTicket({"four": FourMethods(get={"id": 1})})
    answer = await ActivityEnvironment().run(get.run, GetTicketInput(tool="four", metadata=METADATA))
    assert answer.ticket is not None
    assert (answer.ticket.ticket_id, answer.ticket.description, answer.ticket.priority) == ("1", "It drops.", "low")


async def test_a_ticket_that_is_refused_for_good_is_an_answer() -> None:
    get = GetTicket({"four": FourMethods(get=TicketRefusedError("it is gone"))})
    answer = await ActivityEnvironment().run(get.run, GetTicketInput(tool="four", metadata=METADATA))
    assert (answer.ticket, answer.refused) == (None, "it is gone")


async def test_a_note_that_is_taken_is_posted() -> None:
    assert await update(plugin := FourMethods()) == ("posted", "")
    assert plugin.written == ["Hello"]


async def test_a_note_that_is_there_is_not_written_again() -> None:
    result, _ = await update(plugin := FourMethods(found=True))
    assert (result, plugin.written) == ("found", [])


@pytest.mark.parametrize("answer", [False, TicketRefusedError("it is closed")])
async def test_no_for_good_is_refused(answer: object) -> None:
    result, detail = await update(FourMethods(update=answer))
    assert result == "refused"
    assert detail


async def test_where_nobody_can_look_an_unknown_outcome_is_not_repeated() -> None:
    result, _ = await update(FourMethods(update=OutcomeUnknownError("no answer")))
    assert result == "unconfirmed"


async def test_where_one_can_look_it_is() -> None:
    with pytest.raises(ApplicationError) as caught:
        await update(FourMethods(update=OutcomeUnknownError("no answer"), found=False))
    assert caught.value.type == "OutcomeUnknownError"
    assert not caught.value.non_retryable


async def test_a_definite_failure_is_repeated_even_where_nobody_can_look() -> None:
    with pytest.raises(ApplicationError) as caught:
        await update(FourMethods(update=APIError("503")))
    assert (caught.value.type, caught.value.non_retryable) == ("APIError", False)


async def test_a_tool_without_a_plugin_is_a_matter_of_configuration() -> None:
    with pytest.raises(ApplicationError, match="no such plugin") as caught:
        await ActivityEnvironment().run(UpdateTicket({}).run, NOTE)
    assert caught.value.non_retryable
