"""What a call means that did not go well: the error table, and what holds for every failure."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import MappingProxyType
from typing import Final

import pytest

from plugins.conformance.harness import CALLS, CONTENT_WORDS, Harness, Outcome
from plugins.conformance.promising import nothing_to_show, presume, promise, require
from plugins.conformance.trials import FAULTS, MAIN, trials
from plugins.exceptions import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    OutcomeUnknownError,
    PermanentAPIError,
    PluginError,
    RateLimitError,
    TicketRefusedError,
)

Meaning = Callable[[PluginError, bool], bool]
"""Whether an error is what a failed request means; the second argument says whether the request was a write."""


def _may_heal(error: PluginError) -> bool:
    """An `APIError` that is tried again by policy."""
    return isinstance(error, APIError) and not isinstance(error, PermanentAPIError)


def _api_error(error: PluginError, writes: bool) -> bool:
    # Of a write an author may know that the tool does part of the work before it answers so.
    return _may_heal(error) and (writes or not isinstance(error, OutcomeUnknownError))


def _unknown_after_a_write(error: PluginError, writes: bool) -> bool:
    return isinstance(error, OutcomeUnknownError) if writes else _may_heal(error)


MEANINGS: Final[Mapping[str, tuple[str, Meaning]]] = MappingProxyType(
    {
        **dict.fromkeys(("401", "403"), ("AuthenticationError", lambda e, _: isinstance(e, AuthenticationError))),
        "429": ("RateLimitError", lambda e, _: isinstance(e, RateLimitError)),
        **dict.fromkeys(
            ("400", "422"),
            (
                "PermanentAPIError, or TicketRefusedError or ConfigurationError",
                lambda e, _: isinstance(e, PermanentAPIError | TicketRefusedError | ConfigurationError),
            ),
        ),
        **dict.fromkeys(("500", "503"), ("APIError", _api_error)),
        **dict.fromkeys(
            ("502", "504", "an HTML page", "no reply", "a read time-out"),
            ("OutcomeUnknownError for a write, APIError otherwise", _unknown_after_a_write),
        ),
        "a redirect": ("ConfigurationError", lambda e, _: isinstance(e, ConfigurationError)),
    }
)


every_call = pytest.mark.parametrize("call", CALLS)


class FailurePromises:
    """The error table, each row for each call that asks the vendor something."""

    async def _holds(self, harness: Harness, call: str, faults: tuple[str, ...]) -> None:
        for fault in faults:
            words, meaning = MEANINGS[fault]
            for trial in await trials(harness, call, fault):
                error = trial.done.error
                if error is None and not trial.main and trial.done.value is not False:
                    continue  # done without what is only an addition
                fine = error is not None and meaning(error, trial.writes)
                require(fine, f"{trial.done} from {trial}; it means {words}")

    @every_call
    @promise("401 and 403 are an AuthenticationError.")
    async def test_401_and_403(self, harness: Harness, call: str) -> None:
        await self._holds(harness, call, ("401", "403"))

    @every_call
    @promise("429 is a RateLimitError.")
    async def test_429(self, harness: Harness, call: str) -> None:
        await self._holds(harness, call, ("429",))

    @every_call
    @promise("Another 4xx is an error for good: PermanentAPIError, TicketRefusedError or ConfigurationError.")
    async def test_other_4xx(self, harness: Harness, call: str) -> None:
        await self._holds(harness, call, ("400", "422"))

    @every_call
    @promise("500 and 503 are an APIError, which is tried again.")
    async def test_500_and_503(self, harness: Harness, call: str) -> None:
        await self._holds(harness, call, ("500", "503"))

    @every_call
    @promise("After a gateway's 502 or 504 a write's outcome is unknown; for anything else they are an APIError.")
    async def test_502_and_504(self, harness: Harness, call: str) -> None:
        await self._holds(harness, call, ("502", "504"))

    @every_call
    @promise("An answer that is not the tool's leaves a write's outcome unknown; for anything else it is an APIError.")
    async def test_garbage(self, harness: Harness, call: str) -> None:
        await self._holds(harness, call, ("an HTML page",))

    @every_call
    @promise("A reply that does not come leaves a write's outcome unknown; for anything else it is an APIError.")
    async def test_no_reply(self, harness: Harness, call: str) -> None:
        await self._holds(harness, call, ("no reply", "a read time-out"))

    @promise("An outcome is unknown only once a write had left.")
    async def test_reads_of_a_write(self, harness: Harness) -> None:
        for fault in FAULTS:
            for trial in await trials(harness, "update_ticket", fault):
                unknown = isinstance(trial.done.error, OutcomeUnknownError)
                require(trial.writes or not unknown, f"{trial.done} from {trial}")

    @every_call
    @promise("A redirect is a ConfigurationError, and is not followed.")
    async def test_redirect(self, harness: Harness, call: str) -> None:
        await self._holds(harness, call, ("a redirect",))
        for trial in await trials(harness, call, "a redirect"):
            require(not trial.elsewhere, f"a request for {', '.join(trial.elsewhere)} from {trial}")

    @every_call
    @promise("A connection that is refused is an APIError, and nothing was done.")
    async def test_no_connection(self, harness: Harness, call: str) -> None:
        ticket = harness.ticket()
        await _asks(harness, call, ticket.id)
        with harness.connected_to_nothing():
            harness.plugin = harness.new_plugin()
            done = await harness.call(call, ticket.id)
        error = done.error
        require(error is not None and _api_error(error, writes=False), str(done))
        harness.check_message(error)

    @every_call
    @promise("Credentials that the vendor does not know are an AuthenticationError.")
    async def test_wrong_credentials(self, harness: Harness, call: str) -> None:
        ticket = harness.ticket()
        await _asks(harness, call, ticket.id)
        harness.plugin = harness.new_plugin()
        harness.connect(connection=harness.refused_connection())
        done = await harness.call(call, ticket.id)
        require(isinstance(done.error, AuthenticationError), str(done))
        harness.check_message(done.error)

    @promise("retry_after is what Retry-After says, seconds or a date, and None where nothing is said.")
    async def test_retry_after(self, harness: Harness) -> None:
        unsaid = "retry-after" not in harness.vendor.refusal(429).headers
        soon = format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)
        past = format_datetime(datetime.now(UTC) - timedelta(seconds=600), usegmt=True)
        wanted: list[tuple[str | None, range]] = [
            ("7", range(7, 8)),
            ("0", range(2)),
            (soon, range(500, 602)),
            (past, range(2)),
            ("whenever", range(0)),
            *([(None, range(0))] if unsaid else []),
        ]
        for call in CALLS:
            ticket = harness.ticket()
            if not await _can(harness, call, ticket.id):
                continue
            for header, seconds in wanted:
                harness.calm()
                more = {"Retry-After": header} if header is not None else {}
                harness.fault(MAIN[call], "status", status=429, headers=more)
                done = await harness.call(call, ticket.id)
                harness.calm()
                require(isinstance(done.error, RateLimitError), f"{done} from {call}")
                told = getattr(done.error, "retry_after", None)
                right = told in seconds if seconds else told is None or (isinstance(told, int) and told > 0)
                require(right, f"retry_after={told} from {call}, with Retry-After: {header or 'not there'}")

    @every_call
    @promise("The same request is never sent again within a call.")
    async def test_never_again(self, harness: Harness, call: str) -> None:
        done = await harness.call(call, harness.ticket().id)
        presume(done.error is None, f"{call} fails with nothing wrong")
        require(not harness.repeated(), f"sent more than once: {', '.join(harness.repeated())}, with nothing wrong")
        for fault in FAULTS:
            for trial in await trials(harness, call, fault):
                require(not trial.repeated, f"sent more than once: {', '.join(trial.repeated)}, in {trial}")

    @every_call
    @promise("A plugin never waits: time is Temporal's.")
    async def test_never_waits(self, harness: Harness, call: str) -> None:
        for fault in FAULTS:
            for trial in await trials(harness, call, fault):
                require(not trial.waits, f"{', '.join(trial.waits)} in {trial}")

    @promise("Whatever goes wrong, there is no second note.")
    async def test_one_note(self, harness: Harness) -> None:
        for fault in FAULTS:
            for trial in await trials(harness, "update_ticket", fault):
                require(trial.notes <= 1, f"{trial.notes} notes on the ticket after {trial}")

    @every_call
    @promise("A failure's message says what happened in 500 characters, without credentials and ticket content.")
    async def test_messages(self, harness: Harness, call: str) -> None:
        for fault in FAULTS:
            for trial in await trials(harness, call, fault):
                require(not trial.message_fault, f"{trial.message_fault}, from {trial}")

    @every_call
    @promise("retry_count stays 0: only Temporal counts attempts.")
    async def test_retry_count(self, harness: Harness, call: str) -> None:
        for fault in FAULTS:
            for trial in await trials(harness, call, fault):
                count = getattr(trial.done.error, "retry_count", 0)
                require(count == 0, f"retry_count={count} from {trial}")

    @promise("Nothing that a plugin logs holds credentials or ticket content.")
    async def test_logging(self, harness: Harness, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("WARNING", "markdown_it")  # it tells its every step
        caplog.set_level("DEBUG")
        caplog.clear()
        for call in CALLS:
            for fault in ("401", "500", "an HTML page"):
                ticket = harness.ticket()
                await harness.call(call, ticket.id)
                harness.fault("any", **FAULTS[fault])
                await harness.call(call, ticket.id)
                harness.faults.clear()
        mine = [record.getMessage() for record in caplog.records if record.name.partition(".")[0] not in _LIBRARIES]
        for message in mine:
            told = any(credential in message for credential in harness.credentials())
            require(not told, "a log line that holds a credential")
            require(not any(word in message for word in CONTENT_WORDS), "a log line that holds ticket content")


_LIBRARIES = frozenset({"asyncio", "httpcore", "httpx", "hypothesis", "uvicorn"})


async def _can(harness: Harness, call: str, ticket_id: str) -> bool:
    return call != "has_note" or await harness.call(call, ticket_id) != Outcome(None)


async def _asks(harness: Harness, call: str, ticket_id: str) -> None:
    if not await _can(harness, call, ticket_id):
        nothing_to_show(f"the plugin's {call} asks the vendor nothing")
