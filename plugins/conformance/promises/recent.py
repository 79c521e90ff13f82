"""Tickets that no webhook told of: `recent_tickets`."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any

from plugins.conformance.harness import TENANT, Harness, Outcome
from plugins.conformance.pretend.model import LogEntry, PretendTicket, now
from plugins.conformance.promises.failures import MEANINGS
from plugins.conformance.promising import nothing_to_show, presume, promise, require
from plugins.conformance.trials import FAULTS
from plugins.exceptions import ConfigurationError, PluginError
from plugins.payload import WebhookPayload, rebuild
from plugins.types import EventKind

MANY = 230
"""Recent tickets: more than two pages of most vendors'."""
AN_HOUR = timedelta(hours=1)


class RecentPromises:
    """`recent_tickets`. A plugin that does not support it raises a ConfigurationError, and none of this is about it."""

    @promise("Recent tickets are payloads as a webhook would have brought them, or a ConfigurationError.")
    async def test_recent_tickets(self, harness: Harness) -> None:
        harness.own_account()
        _presume_readable(harness)
        tickets = [harness.ticket(), await harness.happen("resolved")]
        found = await _read(harness, tickets[0].created_at)
        if isinstance(found.error, ConfigurationError):
            harness.check_message(found.error)
            return
        require(found.error is None, str(found))
        announced = {
            ticket.id: harness.plugin.extract_metadata(harness.take(harness.deliver("created", ticket)).payload)
            for ticket in tickets
        }
        told = set()
        for payload in found.value:
            crossed = _crossed(harness, payload)
            metadata = harness.plugin.extract_metadata(crossed)
            require(metadata.ticket_id in announced, "the id of no ticket, or not as the webhook has it")
            same = metadata.tenant_id == announced[metadata.ticket_id].tenant_id
            require(same, "another tenant than the webhook's: the run would have another id")
            kind = harness.plugin.event_kind(crossed)
            require(kind is EventKind.CREATED, f"an event that is {kind!r}, not a new ticket")
            told.add(metadata.ticket_id)
        require(told == set(announced), "a ticket that was left out")

    @promise("Recent tickets are all that were created since then, that very moment included, and none from before.")
    async def test_recent_since(self, harness: Harness) -> None:
        await _supported(harness)
        since = now() - AN_HOUR
        before = [_created(harness, since - timedelta(hours=hours)) for hours in (1, 26, 24 * 40)]
        tickets = _many(harness, since)
        harness.calm()
        found = await _ids(harness, since)
        missing = [ticket for ticket in tickets if ticket.id not in found]
        first = ", the one of that very moment among them" if tickets[0] in missing else ""
        require(not missing, f"{len(missing)} of {MANY} tickets left out{first}")
        old = sum(ticket.id in found for ticket in before)
        require(not old, f"{old} tickets that had been created an hour and more before")
        require(not harness.repeated(), f"sent more than once: {', '.join(harness.repeated())}")

    @promise("Tickets that come and go while recent ones are read make no other be left out.")
    async def test_recent_while_tickets_come_and_go(self, harness: Harness) -> None:
        await _supported(harness)
        since = now() - AN_HOUR
        tickets = _many(harness, since)
        # Near either end: whichever way round they are told, some were told already.
        gone = {tickets[place].id for place in (1, 2, MANY - 3, MANY - 2)}

        def come_and_go() -> None:
            for ticket_id in gone:
                del harness.vendor.tickets[ticket_id]
            for _ in range(3):
                harness.ticket()

        found = await _ids(harness, since, after_first=come_and_go)
        missing = [ticket for ticket in tickets if ticket.id not in found and ticket.id not in gone]
        require(not missing, f"{len(missing)} of {MANY} tickets left out")

    @promise("Recent tickets are read page by page, as they are asked for.")
    async def test_recent_page_by_page(self, harness: Harness) -> None:
        await _supported(harness)
        since = now() - AN_HOUR
        _many(harness, since)
        harness.calm()
        by_then: list[int] = []
        await _ids(harness, since, after_first=lambda: by_then.append(len(_asked(harness))))
        requests = len(_asked(harness))
        if requests == 1:
            nothing_to_show(f"the plugin reads {MANY} tickets with one request")
        require(by_then[0] < requests, f"all of {requests} requests were sent before the first ticket was told")

    @promise("Recent tickets that cannot be read to their end are an error, whatever was read before.")
    async def test_recent_failures(self, harness: Harness) -> None:
        await _supported(harness)
        since = now() - AN_HOUR
        _many(harness, since)
        harness.calm()
        await _ids(harness, since)
        operations = {entry.operation for entry in _asked(harness)}
        pages = ("first", "second") if len(_asked(harness)) > 1 else ("first",)
        for fault in FAULTS:
            words, meaning = MEANINGS[fault]
            for page in pages:
                harness.calm()
                fail = _Failing(harness, operations, fault)
                if page == "first":
                    fail()
                found = await _read(harness, since, after_first=fail if page == "second" else None)
                seen = f"with {fault} to the {page} page"
                done = str(found) if found.error is not None else "no error, as if that were all,"
                fine = found.error is not None and meaning(found.error, False)
                require(fine, f"{done} {seen}; it means {words}")
                require(not harness.repeated(), f"sent more than once: {', '.join(harness.repeated())}, {seen}")
                require(not harness.waits, f"{', '.join(harness.waits)} {seen}")
                harness.check_message(found.error)


class _Failing:
    """Has every request of some operations fail from the call on."""

    def __init__(self, harness: Harness, operations: set[str], fault: str) -> None:
        self._harness, self._operations, self._fault = harness, operations, fault

    def __call__(self) -> None:
        for operation in self._operations:
            self._harness.fault(operation, **FAULTS[self._fault])


async def _read(harness: Harness, since: datetime, *, after_first: Callable[[], None] | None = None) -> Outcome:
    """All payloads, or the error that came in their place or after some of them."""
    payloads: list[dict[str, Any]] = []
    try:
        found = harness.plugin.recent_tickets(TENANT, since)
        require(isinstance(found, AsyncIterator), f"a {type(found).__name__}, not an async iterator")
        async with AsyncExitStack() as stack:
            if hasattr(found, "aclose"):
                stack.push_async_callback(found.aclose)
            async for payload in found:
                payloads.append(payload)
                if after_first is not None and len(payloads) == 1:
                    after_first()
    except PluginError as error:
        return Outcome(error=error)
    return Outcome(value=payloads)


async def _ids(harness: Harness, since: datetime, *, after_first: Callable[[], None] | None = None) -> set[str]:
    """The tickets that were told of."""
    found = await _read(harness, since, after_first=after_first)
    require(found.error is None, str(found))
    return {harness.plugin.extract_metadata(_crossed(harness, payload)).ticket_id for payload in found.value}


async def _supported(harness: Harness) -> None:
    """Go on if the plugin can tell recent tickets."""
    found = await _read(harness, now())
    if isinstance(found.error, ConfigurationError):
        nothing_to_show("the plugin tells no recent tickets (recent_tickets raises a ConfigurationError)")
    presume(found.error is None, "recent tickets cannot be read with nothing wrong")
    _presume_readable(harness)


def _presume_readable(harness: Harness) -> None:
    """Go on if a webhook of a new ticket can be read; that ticket is gone again."""
    ticket = harness.ticket()
    payload = harness.take(harness.deliver("created", ticket)).payload
    try:
        harness.plugin.extract_metadata(payload)
    except PluginError:
        presume(False, "a webhook of a new ticket cannot be read")
    del harness.vendor.tickets[ticket.id]


def _crossed(harness: Harness, payload: dict[str, Any]) -> WebhookPayload:
    """A payload as the run is given it: written as JSON, and read like any webhook's body."""
    try:
        raw = json.dumps(payload, allow_nan=False).encode()
    except (TypeError, ValueError):
        raw = b""
    require(raw, "a payload that JSON cannot hold")
    return rebuild(raw, TENANT, now(), harness.settings(own_account_id=harness.account.id))


def _created(harness: Harness, moment: datetime) -> PretendTicket:
    """A ticket that was created then."""
    ticket = harness.ticket()
    ticket.created_at = ticket.updated_at = moment
    return ticket


def _many(harness: Harness, since: datetime) -> list[PretendTicket]:
    """Tickets that were created from then on, seven at a time, as a storm of alarms makes them."""
    return [_created(harness, since + timedelta(seconds=place // 7 * 20)) for place in range(MANY)]


def _asked(harness: Harness) -> list[LogEntry]:
    """The requests since `calm`, but for those for access tokens."""
    return [entry for entry in harness.log() if entry.operation != "token"]
