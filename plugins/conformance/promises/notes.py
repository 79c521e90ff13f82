"""Notes as they are written: private, once, readable, and with their reference."""

from typing import Any

import pytest

from plugins.conformance import shapes
from plugins.conformance.harness import NOTE_WORD, TENANT, Harness, Outcome, new_ref, note
from plugins.conformance.pretend.model import PretendNote, PretendTicket
from plugins.conformance.promising import nothing_to_show, presume, promise, require
from plugins.exceptions import OutcomeUnknownError, PrivacyError, TicketRefusedError
from plugins.http import HttpPlugin

MARKDOWN = f"""\
## What this looks like

A **{NOTE_WORD}** filament, *probably*.

1. Look at the `filament`.
2. Read [how it was solved](https://desk.example/tickets/7).

- one
- two

```
reset --now
```
"""

HOSTILE = f"""\
{NOTE_WORD} <script>alert(1)</script> <img src=x onerror=alert(1)> <b onclick="alert(1)">b</b>
<iframe src="https://odd.example"></iframe> [a](javascript:alert(1)) [b](data:text/html;base64,x) ![c](https://odd.example/c)

<style>p {{display: none}}</style>

<form action="https://odd.example"><input name="password"></form>
"""

LONG = {
    "words": "filament " * 12_000,
    "one word": "f" * 100_000,
    "blocks": "A filament.\n\n" * 8_000,
    "a list": "- a filament\n" * 8_000,
    "a code block": "```\n" + "reset --now\n" * 9_000 + "```",
    "braces": "{{" * 50_000,
    "angles": "<" * 100_000,
    "ampersands": "&amp;" * 20_000,
    "quotes": "> " * 300 + '"' * 50_000,
    "emoji": "\U0001f9ef" * 25_000,
    "umlauts": "ä" * 50_000,
}
"""About 100 kB each, of what grows when it is written as HTML or JSON."""

SHORT = {
    "nothing": "",
    "a space": " ",
    "line ends": "\n\n\n",
    "an empty heading": "#",
    "a rule": "---",
    "markup alone": "<p></p>",
    "control characters": "\x00\x07\u202e\ufeff",
    "an open fence": "```",
}


class NotePromises:
    """`update_ticket`."""

    @promise("A note is private, or it is not posted.")
    async def test_private_note(self, harness: Harness) -> None:
        ticket = harness.ticket()
        done = await harness.call("update_ticket", ticket.id)
        require(done.value is True, str(done))
        require(len(ticket.notes) == 1, f"{len(ticket.notes)} notes on the ticket after one call")
        require(ticket.notes[0].private, "a note that the requester can read")

    @promise("A note says what was to be said, with its reference, under the tenant's own account.")
    async def test_note_content(self, harness: Harness) -> None:
        ticket, ref = harness.ticket(), new_ref()
        written = await _written(harness, ticket, note(ref))
        require(NOTE_WORD in written.text, "a note without its words")
        require(ref in written.text, "a note without its reference")
        require(written.author == harness.account.id, "a note by another account")

    @promise("Markdown is turned into the tool's own markup.")
    async def test_markdown(self, harness: Harness) -> None:
        ticket, ref = harness.ticket(), new_ref()
        text = (await _written(harness, ticket, note(ref, MARKDOWN))).text
        for word in (NOTE_WORD, "probably", "filament", "how it was solved", "one", "reset --now", ref):
            require(word in text, f"a note without {word!r}")
        raw = [mark for mark in ("**", "##", "```", "](") if mark in text]
        require(not raw, f"Markdown as it is: {' '.join(raw)}")

    @promise("Nothing in a note does anything: no scripts, no images, no forms, no links but to the web.")
    async def test_inert(self, harness: Harness) -> None:
        ticket, ref = harness.ticket(), new_ref()
        written = await _written(harness, ticket, note(ref, HOSTILE))
        require(ref in written.text, "a note without its reference")
        if isinstance(written.body, str):
            # As it was sent, too: a pretend tool may clean it up, and the real one might not.
            sent = [text for each in harness.transport.sent for text in shapes.strings(each.body) if ref in text]
            require(sent, "the pretend tool has a note that was not seen on its way")
            found = [odd for html in (*sent, written.body) for odd in shapes.active_markup(html)]
        else:
            found = _active_nodes(written.body)
        require(not found, f"in the note: {', '.join(sorted(set(found)))}")

    @promise(
        "However long a note is, it is posted, with its beginning, and its reference is kept whole.", each_edition=False
    )
    @pytest.mark.parametrize("of", LONG)
    async def test_long_note(self, harness: Harness, of: str) -> None:
        ticket, ref = harness.ticket(), new_ref()
        text = (await _written(harness, ticket, note(ref, f"Begin {NOTE_WORD}.\n\n{LONG[of]}"))).text
        require(NOTE_WORD in text, f"a note without its beginning, after 100 kB of {of}")
        require(ref in text, f"a note without its reference, after 100 kB of {of}")

    @promise("A note of next to nothing is posted or refused, and nothing worse.", each_edition=False)
    @pytest.mark.parametrize("of", SHORT)
    async def test_short_note(self, harness: Harness, of: str) -> None:
        ticket, ref = harness.ticket(), new_ref()
        done = await harness.outcome(harness.plugin.update_ticket(TENANT, ticket.id, SHORT[of]))
        require(done.error is not None or isinstance(done.value, bool), str(done))
        require(all(written.private for written in ticket.notes), "a note that the requester can read")
        text = (await _written(harness, harness.ticket(), note(ref, SHORT[of]))).text
        require(ref in text, "a note without its reference")

    @promise("A ticket that is not there takes no note: False, or a TicketRefusedError.")
    async def test_note_on_no_ticket(self, harness: Harness) -> None:
        require(_refused(done := await harness.call("update_ticket", harness.id_of_no_ticket())), str(done))

    @promise("A closed ticket takes no note: False, or a TicketRefusedError with the vendor's words.")
    async def test_note_on_closed_ticket(self, harness: Harness) -> None:
        ticket = harness.ticket()
        harness.vendor.close(ticket)
        done = await harness.call("update_ticket", ticket.id)
        if done.value is True and len(ticket.notes) == 1 and ticket.notes[0].private:
            nothing_to_show("the tool takes notes on closed tickets")
        require(_refused(done), str(done))
        harness.check_message(done.error)
        require(not ticket.notes, "a note on the closed ticket")

    @promise("A note that comes out public is a PrivacyError, and is not tried again.")
    async def test_public_note(self, harness: Harness) -> None:
        ticket = harness.ticket()
        harness.fault("post_note", "public")
        done = await harness.call("update_ticket", ticket.id)
        require(isinstance(done.error, PrivacyError), str(done))
        writes = harness.log("post_note")
        require(len(writes) == 1, f"{len(writes)} notes were posted")
        harness.check_message(done.error)

    @promise("A note that comes out public is taken back, where the tool has a way.")
    async def test_public_note_taken_back(self, harness: Harness) -> None:
        ticket = harness.ticket()
        harness.fault("post_note", "public")
        done = await harness.call("update_ticket", ticket.id)
        public = [written for written in ticket.notes if not written.private]
        require(not public or not _takes_back(harness), f"a note that the requester can still read, after {done}")
        if public:
            require("was taken back" not in str(done.error), "a note said to be taken back that the requester can read")

    @promise("Where taking back a public note fails too, it is still a PrivacyError.")
    @pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
    async def test_public_note_not_taken_back(self, harness: Harness, status: int) -> None:
        ticket = harness.ticket()
        harness.fault("post_note", "public")
        harness.fault("retract_note", "status", status=status)
        done = await harness.call("update_ticket", ticket.id)
        require(isinstance(done.error, PrivacyError), str(done))
        public = any(not written.private for written in ticket.notes)
        # What is not there (404) has nobody to read it, as far as a plugin can know.
        untrue = public and status != 404 and "was taken back" in str(done.error)
        require(not untrue, "a note said to be taken back that the requester can read")
        repeated = harness.repeated()
        require(not repeated, f"sent more than once: {', '.join(repeated)}")

    @promise("A note whose reply was lost is an OutcomeUnknownError, and was sent once.")
    async def test_note_with_lost_reply(self, harness: Harness) -> None:
        ticket = harness.ticket()
        harness.fault("post_note", "drop")
        done = await harness.call("update_ticket", ticket.id)
        require(isinstance(done.error, OutcomeUnknownError), str(done))
        require(len(harness.log("post_note")) == 1, f"{len(harness.log('post_note'))} times sent")
        require(len(ticket.notes) == 1, f"{len(ticket.notes)} notes on the ticket")


async def _written(harness: Harness, ticket: PretendTicket, content: str) -> PretendNote:
    """The one note that comes of writing this."""
    done = await harness.outcome(harness.plugin.update_ticket(TENANT, ticket.id, content))
    presume(not isinstance(done.error, PrivacyError), "notes come out public")
    require(done.value is True, str(done))
    require(len(ticket.notes) == 1, f"{len(ticket.notes)} notes on the ticket")
    presume(ticket.notes[0].private, "notes come out public")
    return ticket.notes[0]


def _refused(done: Outcome) -> bool:
    return done == Outcome(False) or isinstance(done.error, TicketRefusedError)


def _takes_back(harness: Harness) -> bool:
    """Whether the plugin says that it can."""
    ways = ("remove_note", "retract_note")
    return issubclass(harness.plugin_class, HttpPlugin) and any(
        getattr(harness.plugin_class, way) is not getattr(HttpPlugin, way) for way in ways
    )


def _active_nodes(node: Any) -> list[str]:
    """What in an ADF document loads something or links elsewhere than to the web."""
    found = []
    if isinstance(node, dict):
        kind = str(node.get("type"))
        if kind.startswith("media") or kind in ("inlineCard", "blockCard", "embedCard", "extension", "bodiedExtension"):
            found.append(kind)
        href = str(node.get("attrs", {}).get("href", "https:"))
        if href.partition(":")[0].lower() not in ("http", "https", "mailto"):
            found.append("a link to something else than the web")
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        found += _active_nodes(inner)
    return found
