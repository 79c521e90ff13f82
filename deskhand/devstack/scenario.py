"""The stories of the demo: per tool, tickets that were solved earlier and a new one like them. People are invented."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SolvedTicket:
    """A ticket of an earlier day, and what solved it."""

    subject: str
    description: str
    resolution: str


@dataclass(frozen=True, slots=True)
class Story:
    """What happens in one tool."""

    tool: str
    """The plugin's tool type."""
    title: str
    account: Mapping[str, str]
    """Fields of the pretend tool's account that writes the notes; it makes up the rest."""
    solved: tuple[SolvedTicket, ...]
    ticket: Mapping[str, str]


STORIES = (
    Story(
        tool="jira",
        title="Jira",
        account={"email": "deskhand@northwind.example"},
        solved=(
            SolvedTicket(
                "VPN disconnects every few minutes on hotel Wi-Fi",
                "Since yesterday the VPN client drops the connection about every five minutes. Teams calls freeze.",
                "The client used UDP, which the hotel throttles. Switched the VPN profile to TCP 443: stable since.",
            ),
            SolvedTicket(
                "VPN connects but no internal site opens",
                "The VPN client says connected, yet the intranet and the file shares time out.",
                "Split-tunnel DNS was missing after the client update. Reinstalled VPN client 5.1 with the DNS policy.",
            ),
        ),
        ticket={
            "subject": "VPN drops every few minutes when working from a hotel",
            "description": "I am travelling and the VPN client disconnects about every five minutes. Calls freeze and "
            "file shares time out. It worked in the office last week.",
            "priority": "High",
            "requester": "Mira Lindqvist",
        },
    ),
    Story(
        tool="zendesk",
        title="Zendesk",
        account={"email": "deskhand@brightwater.example"},
        solved=(
            SolvedTicket(
                "Outlook keeps asking for my password",
                "Outlook asks for the password again and again after I changed it on Monday. Webmail works.",
                "Old password in Windows Credential Manager. Removed the MicrosoftOffice16 entries, restarted Outlook.",
            ),
            SolvedTicket(
                "Shared mailbox missing in Outlook",
                "The mailbox of the accounts team vanished from the folder list this morning.",
                "Auto-mapping was lost with the licence change. Granted full access again with auto-mapping on.",
            ),
        ),
        ticket={
            "subject": "Outlook asks for my password over and over",
            "description": "After the password change this morning Outlook asks for the password every minute. "
            "Webmail accepts the new password without trouble.",
            "priority": "urgent",
            "requester": "Tomasz Okafor",
        },
    ),
    Story(
        tool="servicedesk_plus",
        title="ServiceDesk Plus",
        account={},
        solved=(
            SolvedTicket(
                "Printer on floor 3 prints blank pages",
                "The HP printer beside the kitchen on floor 3 prints blank pages from every computer.",
                "The print server had fallen back to a generic driver. Assigned the HP PCL 6 driver again.",
            ),
            SolvedTicket(
                "Print jobs stay in the queue",
                "Nothing comes out of the floor 2 printer, jobs stay in the queue as 'printing'.",
                "The spooler hung on a damaged job. Stopped the spooler, emptied its folder, started it.",
            ),
        ),
        ticket={
            "subject": "Printer on floor 3 prints only blank pages",
            "description": "Since the server update at the weekend the HP printer on floor 3 gives blank pages only. "
            "The test page from the printer itself is fine.",
            "priority": "High",
            "requester": "Ana Beltrán",
        },
    ),
)
