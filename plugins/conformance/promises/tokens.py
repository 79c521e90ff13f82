"""Access tokens, in the editions in which the vendor gives them out (OAuth)."""

import asyncio

import pytest

from plugins.conformance.harness import Harness
from plugins.conformance.promising import nothing_to_show, promise, require
from plugins.exceptions import APIError, AuthenticationError, ConfigurationError, OutcomeUnknownError, RateLimitError

AT_ONCE = 10


class TokenPromises:
    """How tokens are asked for, kept and renewed."""

    @promise("A token is kept between calls.")
    async def test_token_kept(self, harness: Harness) -> None:
        await _gives_tokens(harness)
        ticket = harness.ticket()
        for call in ("get_ticket", "update_ticket", "get_ticket"):
            done = await harness.call(call, ticket.id)
            require(done.error is None, f"{done} from {call}")
        require(harness.vendor.tokens.issued == 1, f"{harness.vendor.tokens.issued} tokens for three calls")

    @promise("Calls at once ask for one token.")
    async def test_tokens_at_once(self, harness: Harness) -> None:
        await _gives_tokens(harness)
        ticket = harness.ticket()
        done = await asyncio.gather(*(harness.call("get_ticket", ticket.id) for _ in range(AT_ONCE)))
        require(all(each.error is None for each in done), "; ".join({str(each) for each in done if each.error}))
        require(harness.vendor.tokens.issued == 1, f"{harness.vendor.tokens.issued} tokens for {AT_ONCE} calls at once")

    @promise("A token that does not count any more is renewed once, and the request sent once more with the new one.")
    @pytest.mark.parametrize("call", ["get_ticket", "update_ticket"])
    async def test_token_renewed(self, harness: Harness, call: str) -> None:
        await _gives_tokens(harness)
        ticket = harness.ticket()
        await harness.call("get_ticket", ticket.id)
        harness.vendor.tokens.expire()
        harness.calm()
        done = await harness.call(call, ticket.id)
        require(done.error is None, f"{done} from {call}")
        require(harness.vendor.tokens.issued == 2, f"{harness.vendor.tokens.issued - 1} new tokens")
        require(not harness.repeated(), f"sent more than once: {', '.join(harness.repeated())}")
        refused = [entry for entry in harness.log() if entry.account is None]
        require(len(refused) == 1, f"{len(refused)} requests with the token that does not count")

    @promise("A new token that is refused as well ends the call: nothing is tried a third time.")
    async def test_new_token_refused(self, harness: Harness) -> None:
        await _gives_tokens(harness)
        ticket = harness.ticket()
        harness.fault("get_ticket", "status", status=401)
        done = await harness.call("get_ticket", ticket.id)
        require(isinstance(done.error, AuthenticationError), str(done))
        require(len(harness.log("get_ticket")) <= 2, f"{len(harness.log('get_ticket'))} requests")
        require(harness.vendor.tokens.issued <= 2, f"{harness.vendor.tokens.issued} tokens")

    @promise("Credentials refused at the token's address are an AuthenticationError, and are not tried again at once.")
    async def test_token_refused(self, harness: Harness) -> None:
        await _gives_tokens(harness)
        ticket = harness.ticket()
        harness.connect(connection=harness.refused_connection())
        for call in ("get_ticket", "update_ticket", "get_ticket"):
            done = await harness.call(call, ticket.id)
            require(isinstance(done.error, AuthenticationError), f"{done} from {call}")
            harness.check_message(done.error)
        require(len(harness.log("token")) == 1, f"{len(harness.log('token'))} requests for a token")

    @promise("A token that could not be had leaves no outcome unknown: nothing was written.")
    @pytest.mark.parametrize("fault", ["drop", "garbage", "500", "502", "429", "slow"])
    async def test_no_token(self, harness: Harness, fault: str) -> None:
        await _gives_tokens(harness)
        ticket = harness.ticket()
        if fault.isdigit():
            harness.fault("token", "status", status=int(fault))
        else:
            harness.fault("token", fault, seconds=60)
        done = await harness.call("update_ticket", ticket.id)
        error = done.error
        unknown = isinstance(error, OutcomeUnknownError)
        fine = isinstance(error, APIError | RateLimitError | ConfigurationError) and not unknown
        require(fine, f"{done}, with {fault} when asked for a token")
        require(not ticket.notes, "a note on the ticket")
        require(not harness.repeated(), f"sent more than once: {', '.join(harness.repeated())}")
        harness.check_message(error)


async def _gives_tokens(harness: Harness) -> None:
    """Go on, as a process that has just begun, if this edition is one with access tokens."""
    ticket = harness.ticket()
    await harness.call("get_ticket", ticket.id)
    if not harness.vendor.tokens.issued:
        nothing_to_show("this edition gives out no access tokens")
    harness.plugin = harness.new_plugin()
    harness.vendor.tokens.expire()
    harness.vendor.tokens.issued = 0
    harness.calm()
