"""Tickets as they are read: `get_ticket` and `describe`, and ids that are not what they seem."""

import json
import re
from typing import Any
from urllib.parse import quote, unquote

from plugins.conformance.harness import CALLS, CONTENT_WORDS, DESCRIPTION, Harness, Outcome
from plugins.conformance.promising import presume, promise, require
from plugins.exceptions import TicketRefusedError, ValidationError
from plugins.types import TicketContext

MAX_CONTEXT_BYTES = 32 * 1024
"""What a ticket's context may take as JSON: it becomes part of a run's history."""

ODD_IDS = (
    "",
    " ",
    ".",
    "..",
    "../users",
    "..%2fusers",
    "%2e%2e",
    "%2e%2e%2fusers",
    "{id}/../..",
    "{id}/x",
    "{id}?x=1",
    "{id}#x",
    "{id};x=1",
    "{id}%00",
    "{id}\r\nX-Odd: 1",
    "{id}\x00",
    "{id} or 1=1",
    "\\..\\",
    "\u0661\u0662",
    "\uff11\uff12",
    "*",
    "9" * 400,
    "@odd.example/",
    "//odd.example/",
)
"""Ids that would leave their place in an address; `{id}` is a ticket's true one."""


class TicketPromises:
    """`get_ticket` and `describe`."""

    @promise("A ticket is read as a dict that JSON can hold.")
    async def test_ticket(self, harness: Harness) -> None:
        done = await harness.call("get_ticket", harness.ticket().id)
        require(isinstance(done.value, dict), str(done))
        json.dumps(done.value, allow_nan=False)

    @promise("A ticket that is not there is None.")
    async def test_no_ticket(self, harness: Harness) -> None:
        harness.ticket()
        done = await harness.call("get_ticket", harness.id_of_no_ticket())
        require(done == Outcome(None), str(done))

    @promise("A ticket is described in text, with what its requester wrote.")
    async def test_describe(self, harness: Harness) -> None:
        ticket = harness.ticket()
        metadata = harness.plugin.extract_metadata(harness.take(harness.deliver("created", ticket)).payload)
        read = (await harness.call("get_ticket", ticket.id)).value
        context = harness.plugin.describe(read, metadata)
        require(isinstance(context, TicketContext), f"a {type(context).__name__}, not a TicketContext")
        require(context.ticket_id == ticket.id, f"the id {context.ticket_id!r}, where the ticket's is {ticket.id!r}")
        require(CONTENT_WORDS[1] in context.description, "a description without the words of the ticket's")
        seen = "a subject without the words of the ticket's"
        require(not context.subject or CONTENT_WORDS[0] in context.subject, seen)
        links = not context.url or re.match(r"https?://\S+$", context.url)
        require(links, f"a url that leads nowhere: {context.url!r}")

    @promise("However long a ticket is, its description in text stays within 32 KB.")
    async def test_long_ticket(self, harness: Harness) -> None:
        ticket = harness.ticket(description=DESCRIPTION + " " + "\u00fc<b>&\\" * 40_000)
        done = await harness.call("update_ticket", ticket.id)
        presume(done.value is True, "no note can be added")
        harness.chatter(ticket, ticket.notes[0], 150)
        metadata = harness.plugin.extract_metadata(harness.take(harness.deliver("created", ticket)).payload)
        read = (await harness.call("get_ticket", ticket.id)).value
        size = len(harness.plugin.describe(read, metadata).model_dump_json().encode())
        require(size <= MAX_CONTEXT_BYTES, f"{size} bytes")

    @promise("Whatever the vendor's JSON holds, describing it yields a TicketContext.")
    async def test_odd_ticket(self, harness: Harness) -> None:
        ticket = harness.ticket()
        metadata = harness.plugin.extract_metadata(harness.take(harness.deliver("created", ticket)).payload)
        read = (await harness.call("get_ticket", ticket.id)).value
        odd: tuple[Any, ...] = (None, True, -1, 1.5, "", "odd", [], [None, 5, "odd", {}], {}, {"odd": None})
        for name in read:
            for value in odd:
                context = harness.plugin.describe({**read, name: value}, metadata)
                require(isinstance(context, TicketContext), f"no TicketContext with {name} as {value!r}")
        require(isinstance(harness.plugin.describe({}, metadata), TicketContext), "no TicketContext of nothing")

    @promise("A ticket's id never leads to another address: it is refused, or stays in its place.")
    async def test_odd_ids(self, harness: Harness) -> None:
        ticket = harness.ticket()
        known: set[tuple[str, frozenset[str]]] = set()
        for call in CALLS:
            harness.calm()
            await harness.call(call, ticket.id)
            known |= {_place(sent.address, ticket.id) for sent in harness.transport.sent}
        ticket.notes.clear()
        for template in ODD_IDS:
            odd = template.replace("{id}", ticket.id)
            for call in CALLS:
                harness.calm()
                done = await harness.call(call, odd)
                refused = done.value in (None, False) if done.error is None else _refuses(done)
                require(refused, f"{done} from {call} for the id {odd[:40]!r}")
                for sent in harness.transport.sent:
                    seen = f"a request for {sent.address[:100]} by {call} for the id {odd[:40]!r}"
                    require(_in_place(sent.address, known), seen)
        require(not ticket.notes, "a note on the ticket")


def _refuses(done: Outcome) -> bool:
    return isinstance(done.error, ValidationError | TicketRefusedError)


def _place(address: str, ticket_id: str) -> tuple[str, frozenset[str]]:
    """An address as a pattern with a gap where the id is, and the names in its query."""
    path, _, query = address.partition("?")
    gap = re.escape(path).replace(re.escape(quote(ticket_id, safe="")), "([^/]*)")
    return gap, _names(query)


def _names(query: str) -> frozenset[str]:
    return frozenset(part.partition("=")[0] for part in query.split("&") if part)


def _in_place(address: str, known: Any) -> bool:
    """Whether an address is one that a true id leads to, but for the id: in one segment, and none that leads up."""
    path, _, query = address.partition("?")
    for pattern, names in known:
        match = re.fullmatch(pattern, path)
        if match and _names(query) == names:
            return all(part and unquote(part) not in (".", "..") for part in match.groups())
    return False
