"""What activities make of a plugin that has only the four methods, or that refuses."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.ticketing import GetTicket, LookAgain, UpdateTicket
from plugins.base import TicketingToolPlugin, TicketMetadata
from plugins.exceptions import APIError, OutcomeUnknownError, TicketRefusedError
from plugins.types import TenantMode
from tests.support.pretend import MemoryTenants
from workflows.contracts import GetTicketInput, LookInput, Metadata, UpdateResult, UpdateTicketInput

NOW = datetime(2026, 1, 1, tzinfo=UTC)
METADATA = Metadata(tenant_id="acme", ticket_id="1", description="It drops.", priority="low", created_at=NOW)
NOTE = UpdateTicketInput(tool="four", tenant_id="acme", ticket_id="1", ref="dh-0123456789ab", note="Hello")


class FourMethods(TicketingToolPlugin):
    """A plugin without a hook, which says what it is told to say."""

    __tool_type__ = "four"

    def __init__(self, *, get: object = None, update: object = True, found: object = None) -> None:
        super().__init__(MemoryTenants(), httpx.AsyncClient())
        self.on(TenantMode.LIVE)
        self._get, self._update, self._found = get, update, found
        self.written: list[str] = []

    def on(self, mode: TenantMode) -> "FourMethods":
        """Put the tenant on a mode."""
        assert isinstance(self.tenants, MemoryTenants)
        self.tenants.add("acme", "four", mode=mode)
        return self

    def say(self, *, update: object, found: object = None) -> None:
        """Answer otherwise from now on."""
        self._update, self._found = update, self._found if found is None else found

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
        if self._found is None:
            return await super().has_note(tenant_id, ticket_id, ref)
        return said(self._found)  # type: ignore[no-any-return]


def said(answer: object) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer


async def update(plugin: FourMethods) -> tuple[str, str]:
    result = await Attempts(plugin).one_more()
    return result.result, result.detail


class Attempts:
    """One activity's attempts, one after another, as Temporal makes them: each is told what the last one's heartbeat
    said."""

    def __init__(self, plugin: FourMethods, note: UpdateTicketInput = NOTE) -> None:
        self._run = UpdateTicket({"four": plugin}).run
        self._note = note
        self._said: tuple[Any, ...] = ()
        self.made = 0

    async def one_more(self) -> UpdateResult:
        """Make one."""
        self.made += 1
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(environment.info, attempt=self.made, heartbeat_details=self._said)
        environment.on_heartbeat = self._heard
        return await environment.run(self._run, self._note)

    async def failed(self) -> ApplicationError:
        """Make one that fails."""
        with pytest.raises(ApplicationError) as caught:
            await self.one_more()
        return caught.value

    def killed(self) -> None:
        """Make one whose worker is killed: nothing is heard of it."""
        self.made += 1

    def _heard(self, *details: Any) -> None:
        self._said = details


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


async def test_where_nobody_can_look_an_attempt_of_which_nothing_was_heard_is_not_repeated() -> None:
    attempts = Attempts(plugin := FourMethods())
    attempts.killed()
    assert (await attempts.one_more()).result == "unconfirmed"
    assert plugin.written == []


async def test_where_nobody_can_look_definite_failures_are_repeated_until_the_note_is_there() -> None:
    attempts = Attempts(plugin := FourMethods(update=APIError("503")))
    assert [(await attempts.failed()).type for _ in range(3)] == ["APIError"] * 3
    plugin.say(update=True)
    assert await attempts.one_more() == UpdateResult(result="posted")
    assert len(plugin.written) == 4


async def test_doubt_outlives_a_definite_failure_after_it() -> None:
    attempts = Attempts(plugin := FourMethods(update=APIError("503"), found=False))
    attempts.killed()
    error = await attempts.failed()
    assert error.details[0]["may_have_landed"] is True
    plugin.say(update=True)
    assert await attempts.one_more() == UpdateResult(result="posted", look_again=True)


async def test_what_only_looked_left_nothing() -> None:
    attempts = Attempts(plugin := FourMethods(update=True, found=OutcomeUnknownError("no answer")))
    error = await attempts.failed()
    assert (error.details[0]["may_have_landed"], error.next_retry_delay) == (False, None)
    plugin.say(update=True, found=False)
    assert await attempts.one_more() == UpdateResult(result="posted")


async def test_an_error_that_nobody_foresaw_during_the_write_leaves_doubt() -> None:
    attempts = Attempts(plugin := FourMethods(update=KeyError("note"), found=False))
    error = await attempts.failed()
    assert (error.type, error.details[0]["may_have_landed"]) == ("KeyError", True)
    plugin.say(update=True)
    assert (await attempts.one_more()).look_again


async def test_doubt_of_an_earlier_policy_counts_at_the_first_attempt() -> None:
    attempts = Attempts(plugin := FourMethods(), NOTE.model_copy(update={"may_have_landed": True}))
    assert (await attempts.one_more()).result == "unconfirmed"
    assert plugin.written == []


async def test_nothing_is_written_for_a_tenant_that_has_been_put_on_pause() -> None:
    attempts = Attempts(plugin := FourMethods(found=False).on(TenantMode.PAUSE))
    error = await attempts.failed()
    assert (error.type, error.non_retryable, plugin.written) == ("TenantPausedError", True, [])
    plugin.on(TenantMode.LIVE)
    assert await attempts.one_more() == UpdateResult(result="posted")


async def test_nothing_is_asked_of_the_tool_for_a_tenant_that_has_been_put_on_pause() -> None:
    asked = AssertionError("the tool was asked")
    plugin = FourMethods(get=asked, found=asked).on(TenantMode.PAUSE)
    look = LookInput(tool="four", tenant_id="acme", ticket_id="1", ref=NOTE.ref)
    for activity in (
        ActivityEnvironment().run(GetTicket({"four": plugin}).run, GetTicketInput(tool="four", metadata=METADATA)),
        ActivityEnvironment().run(LookAgain({"four": plugin}).run, look),
    ):
        with pytest.raises(ApplicationError) as caught:
            await activity
        assert (caught.value.type, caught.value.non_retryable) == ("TenantPausedError", True)


async def test_nothing_is_written_for_a_tenant_that_has_been_put_on_dry_run() -> None:
    attempts = Attempts(plugin := FourMethods(found=False).on(TenantMode.DRY_RUN))
    assert (await attempts.one_more()).result == "dry_run"
    assert plugin.written == []


async def test_a_tool_without_a_plugin_is_a_matter_of_configuration() -> None:
    with pytest.raises(ApplicationError, match="no such plugin") as caught:
        await ActivityEnvironment().run(UpdateTicket({}).run, NOTE)
    assert caught.value.non_retryable
