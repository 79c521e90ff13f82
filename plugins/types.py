"""Values that cross between plugins, activities and workflows: plain frozen models, safe in the workflow sandbox."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

Payload = dict[str, Any]
Signature = str
TenantID = str
TicketID = str
Content = str

Priority = Literal["high", "medium", "low"]


class Value(BaseModel):
    """A frozen model. Unknown fields are ignored, and errors never quote the input: it may be ticket content."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class EventKind(StrEnum):
    """What a delivery asks of us."""

    CREATED = "created"
    """A new ticket: write a note."""
    RESOLVED = "resolved"
    """A ticket was resolved: learn from it."""
    OWN = "own"
    """We caused this event ourselves. Never answered with work: that would loop."""
    OTHER = "other"
    """Anything else a busy tool tells."""


class TenantMode(StrEnum):
    """How far a tenant's runs may go."""

    LIVE = "live"
    DRY_RUN = "dry_run"
    """Everything but the write; the note is in the run."""
    PAUSE = "pause"
    """Deliveries are accepted and held."""


def _frozen(value: Mapping[str, Priority]) -> Mapping[str, Priority]:
    return MappingProxyType({name.casefold(): priority for name, priority in value.items()})


class TenantSettings(Value):
    """A tenant's plain settings: nothing secret, readable by every process, part of what a run records."""

    priorities: Annotated[
        Mapping[str, Priority],
        AfterValidator(_frozen),
        PlainSerializer(dict, return_type=dict[str, Priority]),
    ] = Field(default_factory=lambda: MappingProxyType({}))
    """The tool's own priority names to ours, without regard to case. Comes before the plugin's map."""
    own_account_id: str | None = None
    """The vendor's id of the account that we write with: events it caused are our own."""
    signature_scheme: str | None = None
    """How webhooks are authenticated, where a plugin knows several ways. `None`: the plugin's default."""
    signature_window_seconds: int = Field(default=300, ge=1)
    """How far a signed timestamp may lie from our clock, in seconds, where the vendor signs one."""
    allow_private_address: bool = False
    """Whether the tool may be at a private network address, as an on-premises one is."""
    language: str = "english"
    """PostgreSQL text-search configuration for this tenant's tickets."""
    retention_days: int | None = Field(default=None, ge=1, le=3650)
    """How long what is known of this tenant's tickets is kept, in days. `None`: the history for as long as there is the
    tenant, runs for as long as Temporal's namespace keeps them."""


# What JSON, PostgreSQL or a terminal would choke on. Vendors that cut an emoji in two send half a surrogate pair.
_UNSTORABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def _text(limit: int) -> Any:
    """Text that is cut to `limit` bytes as UTF-8 in JSON: a ticket must never outgrow a Temporal payload."""

    def cut(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        text = _UNSTORABLE.sub("", value[: 2 * limit])
        if len(value) <= 2 * limit and len(json.dumps(text, ensure_ascii=False).encode()) <= limit + 2:
            return text
        size = len("…".encode())
        for index, character in enumerate(text):
            size += 2 if character in '"\\\n\t' else len(character.encode())
            if size > limit:
                return text[:index] + "…"
        return text

    return BeforeValidator(cut)


Line = Annotated[str, _text(400)]
"""One line: a subject, a name."""
Passage = Annotated[str, _text(1_200)]
"""A comment."""
Excerpt = Annotated[str, _text(1_500)]
"""The beginning of a description, to search with."""
Solution = Annotated[str, _text(4_000)]
Description = Annotated[str, _text(8_000)]

MAX_COMMENTS = 10


def _newest(comments: Any) -> Any:
    return tuple(comments)[-MAX_COMMENTS:] if isinstance(comments, list | tuple) else comments


class Comment(Value):
    """One comment on a ticket, as text."""

    text: Passage
    author: Line = ""
    created_at: datetime | None = None
    private: bool = False


class TicketContext(Value):
    """What we know of a ticket: text only, every field bounded, 32 KB at most as JSON in whatever script."""

    ticket_id: Annotated[str, Field(max_length=100)]
    subject: Line = ""
    description: Description = ""
    """Plain text, whatever the vendor stores (HTML, wiki markup, ADF)."""
    status: Line = ""
    priority: Priority = "medium"
    category: Line = ""
    created_at: datetime | None = None
    url: Annotated[str, Field(max_length=500)] = ""
    """Where a technician opens the ticket. Empty if the plugin cannot tell."""
    comments: Annotated[tuple[Comment, ...], BeforeValidator(_newest)] = ()
    """The last ten, oldest first."""
    resolution: Solution = ""
    """What solved the ticket, as text; empty while it is open or where the vendor has no such field."""


class PostedNote(Value):
    """The vendor's reply to a note that was written."""

    private: bool | None
    """What the reply itself says about privacy; `None` if it does not say. Only `True` is taken as private."""
    note_id: str | None = None
    """The vendor's id, by which the note could be retracted."""


class Finding(Value):
    """One thing that a check of a connection found."""

    ok: bool | None
    """`None`: it could not be told, or works and could be better."""
    what: str
    """One sentence: what was tried, what came back."""
    mend: str = ""
    """One sentence: what to do. Empty where there is nothing to do."""
    setting: str = ""
    """The field of `TenantSettings` that `mend` would set: whoever sets it meanwhile need not show the finding."""


class ConnectionReport(Value):
    """What a check of a tenant's connection found, in plain words."""

    account: str = ""
    """Who the vendor says we are."""
    account_id: str | None = None
    """The vendor's id of that account, as `own_account_id` takes it. `None`: the vendor does not say."""
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was found that does not work."""
        return all(finding.ok is not False for finding in self.findings)
