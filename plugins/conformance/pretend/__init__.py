"""The base of pretend ticketing tools: real HTTP, a vendor's rules and refusals, state in memory, a page to look at.

A plugin author writes one subclass of `PretendVendor` for the conformance suite; put under the entry-point group
`deskhand.pretend`, the development stack serves it too. For tests and development only.
"""

from plugins.conformance.pretend.faults import Fault
from plugins.conformance.pretend.model import Delivery, Event, PretendNote, PretendTicket, Webhook, now
from plugins.conformance.pretend.vendor import Account, Call, NewTicket, Operation, PretendVendor

__all__ = [
    "Account",
    "Call",
    "Delivery",
    "Event",
    "Fault",
    "NewTicket",
    "Operation",
    "PretendNote",
    "PretendTicket",
    "PretendVendor",
    "Webhook",
    "now",
]
