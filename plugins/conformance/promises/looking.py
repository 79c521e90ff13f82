"""Looking for a note that may be there already: `has_note`."""

from dataclasses import replace

from plugins.conformance.harness import TENANT, Harness, Outcome, new_ref, note
from plugins.conformance.pretend.model import PretendNote, PretendTicket
from plugins.conformance.promising import nothing_to_show, presume, promise, require
from plugins.exceptions import OutcomeUnknownError, PrivacyError

CHATTER = 230
"""Comments that come after our note: more than two pages of any vendor's."""


class LookingPromises:
    """`has_note`. A plugin that cannot look says `None` for every ticket, and none of this is about it."""

    @promise("A note is not found before it was written, is found afterwards, and is not taken for another.")
    async def test_note_found(self, harness: Harness) -> None:
        ticket, ref = harness.ticket(), new_ref()
        await _looks(harness, ticket)
        before = await harness.call("has_note", ticket.id, ref=ref)
        require(before == Outcome(False), f"{before} before it was written")
        await _write(harness, ticket, ref)
        after = await harness.call("has_note", ticket.id, ref=ref)
        require(after == Outcome(True), f"{after} after it was written")
        other = await harness.call("has_note", ticket.id, ref=new_ref())
        require(other == Outcome(False), f"{other} for another reference")
        elsewhere = await harness.call("has_note", harness.ticket().id, ref=ref)
        require(elsewhere == Outcome(False), f"{elsewhere} for another ticket")

    @promise("A note is found under hundreds of later comments.")
    async def test_note_found_under_many(self, harness: Harness) -> None:
        ticket, ref = harness.ticket(), new_ref()
        await _looks(harness, ticket)
        await _write(harness, ticket, ref)
        sample = await _sample(harness)
        harness.vendor.log.clear()
        harness.chatter(ticket, sample, CHATTER)
        done = await harness.call("has_note", ticket.id, ref=ref)
        require(done == Outcome(True), f"{done} with {CHATTER} comments after the note")
        require(not harness.repeated(), f"sent more than once: {', '.join(harness.repeated())}")

    @promise("That a note is not there is said only once all comments were looked at.")
    async def test_note_not_found_among_many(self, harness: Harness) -> None:
        ticket = harness.ticket()
        await _looks(harness, ticket)
        harness.chatter(ticket, await _sample(harness), CHATTER)
        ref = new_ref()
        done = await harness.call("has_note", ticket.id, ref=ref)
        require(done in (Outcome(False), Outcome(None)), f"{done} for a note that was not written")
        await _write(harness, ticket, ref)
        done = await harness.call("has_note", ticket.id, ref=ref)
        require(done == Outcome(True), f"{done} with {CHATTER} comments before the note")

    @promise("A note whose reply was lost is found.")
    async def test_lost_note_found(self, harness: Harness) -> None:
        ticket, ref = harness.ticket(), new_ref()
        await _looks(harness, ticket)
        harness.fault("post_note", "drop")
        lost = await harness.outcome(harness.plugin.update_ticket(TENANT, ticket.id, note(ref)))
        presume(isinstance(lost.error, OutcomeUnknownError), "a lost reply is not an OutcomeUnknownError")
        harness.calm()
        done = await harness.call("has_note", ticket.id, ref=ref)
        require(done == Outcome(True), str(done))

    @promise("A note that landed after we had given up on it is found.")
    async def test_late_note_found(self, harness: Harness) -> None:
        ticket, ref = harness.ticket(), new_ref()
        await _looks(harness, ticket)
        harness.fault("post_note", "late", seconds=0.01)
        lost = await harness.outcome(harness.plugin.update_ticket(TENANT, ticket.id, note(ref)))
        presume(isinstance(lost.error, OutcomeUnknownError), "a lost reply is not an OutcomeUnknownError")
        await harness.vendor.until(lambda: harness.vendor.running == 0)
        harness.calm()
        done = await harness.call("has_note", ticket.id, ref=ref)
        require(done == Outcome(True), str(done))

    @promise("Of two notes of ours one stays.")
    async def test_surplus_note(self, harness: Harness) -> None:
        harness.own_account()
        ticket, ref = harness.ticket(), new_ref()
        await _looks(harness, ticket)
        harness.fault("post_note", "double")
        await _write(harness, ticket, ref)
        harness.calm()
        for _ in range(2):
            done = await harness.call("has_note", ticket.id, ref=ref)
            require(done == Outcome(True), str(done))
            ours = [written for written in ticket.notes if written.private and ref in written.text]
            require(ours, "no note left on the ticket")

    @promise("What others wrote is left alone, even where it quotes our note.")
    async def test_quoted_note(self, harness: Harness) -> None:
        harness.own_account()
        ticket, ref = harness.ticket(), new_ref()
        await _looks(harness, ticket)
        await _write(harness, ticket, ref)
        harness.chatter(ticket, replace(ticket.notes[0], private=False), 1)
        quote = ticket.notes[1]
        done = await harness.call("has_note", ticket.id, ref=ref)
        require(done == Outcome(True), str(done))
        require(quote in ticket.notes and not quote.private, "another account's comment was taken away")
        require(ticket.notes[0].private and ref in ticket.notes[0].text, "our own note was taken away")

    @promise("An earlier note of ours that came out public is a PrivacyError, not a note.")
    async def test_earlier_public_note(self, harness: Harness) -> None:
        harness.own_account()
        ticket, ref = harness.ticket(), new_ref()
        await _looks(harness, ticket)
        harness.fault("post_note", "public", dropped=True)
        lost = await harness.outcome(harness.plugin.update_ticket(TENANT, ticket.id, note(ref)))
        presume(isinstance(lost.error, OutcomeUnknownError), "a lost reply is not an OutcomeUnknownError")
        harness.calm()
        done = await harness.call("has_note", ticket.id, ref=ref)
        require(isinstance(done.error, PrivacyError), str(done))

    @promise("On a ticket that is not there no note is found.")
    async def test_note_found_on_no_ticket(self, harness: Harness) -> None:
        await _looks(harness, harness.ticket())
        done = await harness.call("has_note", harness.id_of_no_ticket())
        require(done in (Outcome(False), Outcome(None)), str(done))


async def _looks(harness: Harness, ticket: PretendTicket) -> None:
    """Go on if the plugin can look for notes."""
    done = await harness.call("has_note", ticket.id)
    if done == Outcome(None):
        nothing_to_show("the plugin cannot look for notes (has_note says None)")


async def _write(harness: Harness, ticket: PretendTicket, ref: str) -> None:
    done = await harness.call("update_ticket", ticket.id, ref=ref)
    written = done.value is True and all(note.private for note in ticket.notes if ref in note.text)
    presume(written, "no private note can be added")


async def _sample(harness: Harness) -> PretendNote:
    """A comment in the tool's own markup, with another reference."""
    ticket = harness.ticket()
    await _write(harness, ticket, new_ref())
    return ticket.notes[0]
