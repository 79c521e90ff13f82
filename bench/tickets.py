"""The tickets that are measured with. People and firms are invented."""

from datetime import UTC, datetime, timedelta

from plugins.types import TicketContext
from workflows.contracts import RecordInput

_PARTS = ("VPN client", "shared mailbox", "label printer", "payroll portal", "meeting room screen", "badge reader")
_TROUBLES = ("drops every few minutes", "asks for the password again", "shows a blank page", "answers with error 812")
_PLACES = ("in the Nauheim office", "on hotel Wi-Fi", "after the update", "for new starters", "since Monday")

_DETAIL = (
    "It worked last week. Two colleagues at the next desks see the same, one on the older laptop does not. "
    "Restarting helps for about ten minutes, then it begins again. I have a call with a customer at three, so a way "
    "around it would help for now. The message, where there is one, says that the session could not be kept, and asks "
    "to contact the administrator. I am in until five and can be reached by phone."
)


def subject(number: int) -> str:
    """The subject of a ticket: one of 120."""
    trouble = _TROUBLES[number // len(_PARTS) % len(_TROUBLES)]
    place = _PLACES[number // (len(_PARTS) * len(_TROUBLES)) % len(_PLACES)]
    return f"{_PARTS[number % len(_PARTS)]} {trouble} {place}"


def description(number: int) -> str:
    """What its requester writes: half a kilobyte."""
    return f"The {subject(number)}. {_DETAIL}"


def solved(tool: str, tenant_id: str, number: int) -> RecordInput:
    """An earlier ticket for the tenant's history, and what solved it."""
    moment = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(hours=number)
    return RecordInput(
        tool=tool,
        tenant_id=tenant_id,
        version=moment.isoformat(),
        resolved_at=moment,
        ticket=TicketContext(
            ticket_id=str(number + 1),
            subject=subject(number),
            description=description(number),
            url=f"https://desk.example/tickets/{number + 1}",
            resolution="The profile that the update brought names the old gateway. Assigned the profile of the site "
            "again, signed out and in once, and watched it for an hour: stable since.",
        ),
    )
