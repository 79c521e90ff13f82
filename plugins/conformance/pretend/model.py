"""What a pretend ticketing tool remembers. In memory only: a restart forgets it."""

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from plugins.rendering import adf_to_text, html_to_text

Event = Literal["created", "resolved", "noted"]
"""`noted`: a note was added to a ticket, as our own notes are."""


@dataclass(slots=True)
class PretendNote:
    """A note or comment as the vendor stores it."""

    id: str
    body: str | dict[str, Any]
    """HTML, or an ADF document."""
    private: bool
    """Hidden from the requester."""
    author: str
    """The vendor's id of the account that wrote it."""
    created_at: datetime
    extra: dict[str, Any] = field(default_factory=dict)
    """What else this vendor stores with a note."""

    @property
    def text(self) -> str:
        """What the note says."""
        return adf_to_text(self.body) if isinstance(self.body, dict) else html_to_text(self.body)

    def public_view(self) -> dict[str, Any]:
        """The note as the control API lists it."""
        return {
            "id": self.id,
            "body": self.body,
            "private": self.private,
            "author": self.author,
            "created_at": self.created_at.isoformat(),
        }


@dataclass(slots=True)
class PretendTicket:
    """A ticket. Times are UTC."""

    id: str
    subject: str
    description: str
    priority: str | None
    """The vendor's own name for it; `None` where the vendor leaves it out."""
    requester: str
    created_at: datetime
    updated_at: datetime
    status: str
    resolution: str = ""
    resolved_at: datetime | None = None
    closed: bool = False
    """Takes no more notes."""
    notes: list[PretendNote] = field(default_factory=list)
    noted: dict[str, datetime] = field(default_factory=dict)
    """When each note was stored, by its id; those that were removed since are still here."""

    def public_view(self) -> dict[str, Any]:
        """The ticket as the control API lists it."""
        return {
            "id": self.id,
            "subject": self.subject,
            "status": self.status,
            "notes": [note.public_view() for note in self.notes],
            "noted": {note: moment.isoformat() for note, moment in self.noted.items()},
        }


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where tickets are announced, and the secret that the announcements carry or are signed with."""

    url: str
    secret: str = field(repr=False)
    tenant_id: str | None = None
    """Part of the body only where this vendor's webhook body is free-form."""
    scheme: str | None = None
    """How the announcement shows that it is authentic, where the vendor knows several ways."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook call as the vendor makes it."""

    url: str
    headers: dict[str, str]
    body: bytes
    method: str = "POST"


@dataclass(slots=True)
class LogEntry:
    """One request to the vendor's API. Times are seconds of the monotonic clock."""

    number: int
    operation: str
    method: str
    path: str
    account: str | None
    cookies: dict[str, str]
    began: float
    ended: float | None = None
    status: int | None = None
    """What was answered; `None` while there is no answer and where none was given."""
    client_gone: bool = False
    fault: str = ""
    """The kind of the fault that hit it, if one did."""
    digest: str = ""
    """The same for two requests if and only if they are the same: method, address, query, credentials and body."""

    @property
    def writes(self) -> bool:
        """Whether the request could change something."""
        return self.method not in ("GET", "HEAD")

    def public_view(self) -> dict[str, Any]:
        """The entry as the control API lists it."""
        return asdict(self)


def now() -> datetime:
    """The current time in UTC, in whole milliseconds as vendors keep it."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
