"""What a delivery is about: `extract_metadata`, `event_kind` and `resolution_version`, which do no I/O."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugins.base import MAX_TENANT_ID, MAX_TICKET_ID, TicketMetadata
from plugins.conformance import shapes
from plugins.conformance.harness import TENANT, Harness
from plugins.conformance.pretend.model import Event
from plugins.conformance.promising import nothing_to_show, promise, require
from plugins.exceptions import ValidationError
from plugins.payload import WebhookPayload, rebuild
from plugins.types import EventKind, TenantSettings

QUOTED = "wexplat"
"""A word that is put into bodies, and that no error may quote."""
STAND_INS: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    10**30,
    1.5,
    "",
    " ",
    QUOTED,
    f"{QUOTED} " * 5_000,
    f"{QUOTED}\x00\n",
    [],
    [QUOTED],
    [{}],
    {},
    {"value": QUOTED},
    {"id": QUOTED, "name": [QUOTED]},
)
"""What each value of a body is replaced with in turn."""
ODD_IDS: tuple[Any, ...] = (None, True, 1.5, "", " ", [], {}, ["1"], "a\nb", "1" * (MAX_TICKET_ID + 1))
"""What is no ticket's id with any vendor."""

ODD_TENANTS: tuple[Any, ...] = (
    None,
    5,
    "",
    " ",
    "a b",
    "a/b",
    "../acme",
    "acme\n",
    "\u00fcn\u00ef",
    "x" * (MAX_TENANT_ID + 1),
)

_NAMED = re.compile(r"[A-Za-z_][\w.\[\] -]*: ")
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


class MetadataPromises:
    """What is read out of a delivery."""

    priority: ClassVar[str] = "High"
    """A priority that the pretend tool knows by this name."""

    @promise("A delivery yields the metadata of the ticket that it is about, within the contract's limits.")
    async def test_metadata(self, harness: Harness, event: Event) -> None:
        ticket = await harness.happen(event)
        for payload in _payloads(harness, event, ticket):
            metadata = harness.plugin.extract_metadata(payload)
            _check_limits(metadata)
            require(metadata.tenant_id == TENANT, "another tenant's id")
            seen = f"the ticket id {metadata.ticket_id!r}, where the ticket's is {ticket.id!r}"
            require(metadata.ticket_id == ticket.id, seen)

    @promise("created_at is an aware time in UTC: the ticket's own, or when the delivery was received.")
    async def test_created_at(self, harness: Harness, event: Event) -> None:
        ticket = await harness.happen(event)
        received_at = datetime.now(UTC) + timedelta(seconds=20)
        for payload in _payloads(harness, event, ticket, received_at=received_at):
            moment = harness.plugin.extract_metadata(payload).created_at
            require(isinstance(moment, datetime) and moment.tzinfo is not None, "a time without a time zone")
            require(moment.utcoffset() == timedelta(0), "a time in another zone than UTC")
            own = abs(moment - ticket.created_at) < timedelta(seconds=1)
            require(own or moment == received_at, f"{moment}, where the ticket is of {ticket.created_at}")

    @promise("The same delivery always yields the same, and is left as it is.")
    async def test_twice(self, harness: Harness, event: Event) -> None:
        ticket = await harness.happen(event)
        for payload in _payloads(harness, event, ticket):
            before = json.dumps(payload)
            first, second = (harness.plugin.extract_metadata(payload) for _ in range(2))
            require(first == second, "other metadata at the second time")
            require(harness.plugin.event_kind(payload) == harness.plugin.event_kind(payload), "another kind of event")
            require(json.dumps(payload) == before, "the payload was changed")

    @promise("Reading a delivery asks nobody: no request is sent.")
    async def test_no_io(self, harness: Harness, event: Event) -> None:
        ticket = await harness.happen(event)
        harness.calm()
        for payload in _payloads(harness, event, ticket):
            harness.plugin.extract_metadata(payload)
            harness.plugin.event_kind(payload)
            harness.plugin.resolution_version(payload)
        require(not harness.transport.sent, f"{len(harness.transport.sent)} requests")
        require(not harness.waits, f"{', '.join(harness.waits)}")

    @promise("A tenant's own names for priorities come before the plugin's; what is unknown is medium.")
    async def test_priorities(self, harness: Harness) -> None:
        ticket = harness.ticket(priority=self.priority)
        for payload in _payloads(harness, "created", ticket):
            plain = harness.plugin.extract_metadata(payload).priority
            require(plain in ("high", "medium", "low"), f"the priority {plain!r}")
            if plain == "medium":
                continue  # A body need not tell: `get_ticket` completes it.
            for name in (self.priority, self.priority.upper(), self.priority.lower()):
                own = harness.settings(priorities={name: "low"})
                told = harness.plugin.extract_metadata(_reread(payload, dict(payload), own)).priority
                require(told == "low", f"{plain}, where the tenant's settings say that {name} is low")
        for payload in _payloads(harness, "created", harness.ticket(priority=None)):
            told = harness.plugin.extract_metadata(payload).priority
            require(told == "medium", f"{told} for a ticket without a priority")

    @promise("A delivery without a usable ticket id is a ValidationError that names the field.")
    async def test_ticket_id(self, harness: Harness) -> None:
        ticket = harness.ticket()
        for payload in _payloads(harness, "created", ticket):
            body = dict(payload)
            held = [path for path in shapes.paths(body) if _tells(shapes.value_at(body, path), ticket.id)]
            require(held, "the pretend tool's delivery does not hold the ticket's id")
            bare = body
            for path in held:
                bare = shapes.without(bare, path) if isinstance(path[-1], str) else shapes.with_value(bare, path, None)
            names = {str(path[-1]).casefold() for path in held} | {"ticket"}
            odd = {f"as {value!r:.30}": _with_id(body, held, value) for value in ODD_IDS}
            for how, changed in {"left out": bare, **odd}.items():
                _refused(harness, _reread(payload, changed), names, how)

    @promise("A delivery whose tenant_id is no tenant's id is a ValidationError that names the field.")
    async def test_tenant_id(self, harness: Harness) -> None:
        for payload in _payloads(harness, "created", harness.ticket()):
            for odd in ODD_TENANTS:
                changed = payload | {"tenant_id": odd}
                try:
                    harness.plugin.extract_metadata(changed)
                except ValidationError as error:
                    require("tenant" in str(error), f"an error that does not name the field, for {odd!r:.30}")
                else:
                    require(False, f"metadata for the tenant_id {odd!r:.30}")

    @promise("Whatever a delivery holds, reading it yields metadata or a ValidationError that quotes nothing.")
    async def test_any_value(self, harness: Harness, event: Event) -> None:
        ticket = await harness.happen(event)
        for payload in _payloads(harness, event, ticket):
            body = dict(payload)
            for path in shapes.paths(body):
                if path == ("tenant_id",):
                    continue
                where = ".".join(map(str, path))
                _read(harness, _reread(payload, shapes.without(body, path)), f"{where} left out")
                for value in STAND_INS:
                    changed = shapes.with_value(body, path, value)
                    _read(harness, _reread(payload, changed), f"{where} as {value!r:.40}")

    @promise("Any JSON object at all yields metadata or a ValidationError.", each_edition=False)
    async def test_any_body(self, harness: Harness) -> None:
        payload = next(iter(_payloads(harness, "created", harness.ticket())))
        names = st.sampled_from(sorted(payload)) | st.text(max_size=12)
        quick = settings(
            max_examples=60, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
        )

        @quick
        @given(st.dictionaries(names, _JSON, max_size=6))
        def reads(body: dict[str, Any]) -> None:
            _read(harness, _reread(payload, {**body, "tenant_id": TENANT}), f"a body of {len(body)} odd fields")

        reads()

    @promise("A new ticket is CREATED, a resolved one RESOLVED.")
    async def test_event_kind(self, harness: Harness) -> None:
        wanted: dict[Event, EventKind] = {"created": EventKind.CREATED, "resolved": EventKind.RESOLVED}
        for event, kind in wanted.items():
            if event not in harness.vendor.events:
                continue
            ticket = await harness.happen(event)
            for payload in _payloads(harness, event, ticket):
                told = harness.plugin.event_kind(payload)
                require(told is kind, f"{told!r} for a ticket that was {event}")

    @promise("What our own note causes asks for no work: it would never end.")
    async def test_own_event(self, harness: Harness) -> None:
        if "noted" not in harness.vendor.events:
            nothing_to_show("the pretend tool's webhooks do not tell of notes")
        ticket = await harness.happen("noted")
        for known in (False, True):
            own = harness.settings(own_account_id=harness.account.id) if known else harness.settings()
            for payload in _payloads(harness, "noted", ticket):
                told = harness.plugin.event_kind(_reread(payload, dict(payload), own))
                told_whose = f"own_account_id {'set' if known else 'not set'}"
                require(told in (EventKind.OWN, EventKind.OTHER), f"{told!r} for our own note, {told_whose}")

    @promise("Deliveries of one resolution have one version, those of another resolution another.")
    async def test_resolution_version(self, harness: Harness) -> None:
        if "resolved" not in harness.vendor.events:
            nothing_to_show("the pretend tool's webhooks do not tell of resolutions")
        ticket = await harness.happen("resolved")
        later = ticket.updated_at + timedelta(hours=1)
        again = replace(ticket, resolved_at=later, updated_at=later)
        versions = [
            [harness.plugin.resolution_version(payload) for payload in _payloads(harness, "resolved", which)]
            for which in (ticket, ticket, again)
        ]
        require(versions[0] == versions[1], "two versions for two deliveries of one resolution")
        for first, other in zip(versions[0], versions[2], strict=True):
            require(first != other, "one version for two resolutions, an hour apart")
        for version in versions[0]:
            usable = isinstance(version, str) and version.isprintable() and 0 < len(version) <= 64
            require(usable, "a version that is no short text")


def _payloads(harness: Harness, event: Event, ticket: Any, received_at: datetime | None = None) -> list[WebhookPayload]:
    """The event as the pretend tool tells it: with its own body, and with one that names the tenant."""
    deliveries = [harness.deliver(event, ticket, harness.webhook(names_tenant=names)) for names in (False, True)]
    return [harness.take(delivery, received_at=received_at).payload for delivery in deliveries]


def _reread(payload: WebhookPayload, body: dict[str, Any], own: TenantSettings | None = None) -> WebhookPayload:
    """The payload with another body, as if it had come so."""
    return rebuild(json.dumps(body).encode(), TENANT, payload.received_at, own or payload.settings)


def _check_limits(metadata: TicketMetadata) -> None:
    require(isinstance(metadata, TicketMetadata), f"a {type(metadata).__name__}, not a TicketMetadata")
    try:
        # Made again, since its own check is passed by once a field is set afterwards.
        replace(metadata)
    except ValidationError as error:
        require(False, f"metadata that break the contract: {error}")


def _read(harness: Harness, payload: WebhookPayload, how: str) -> None:
    """Read a payload as door and run do, and allow nothing but values and `ValidationError`."""
    for read in (harness.plugin.event_kind, harness.plugin.extract_metadata, harness.plugin.resolution_version):
        try:
            value = read(payload)
        except ValidationError as error:
            require(QUOTED not in str(error), f"an error that quotes the body, with {how}")
            require(_NAMED.match(str(error)), f"an error that names no field, with {how}")
        except Exception as error:
            raise type(error)(f"{error} (with {how})") from error
        else:
            if isinstance(value, TicketMetadata):
                _check_limits(value)


def _refused(harness: Harness, payload: WebhookPayload, names: set[str], how: str) -> None:
    try:
        metadata = harness.plugin.extract_metadata(payload)
    except ValidationError as error:
        said = str(error).casefold()
        require(any(name in said for name in names), f"an error that does not name the field, the id {how}: {error}")
        require(len(said) < 300, f"an error that quotes the id {how}")
        return
    require(False, f"the ticket id {metadata.ticket_id[:30]!r} out of a delivery with its id {how}")


def _tells(value: Any, ticket_id: str) -> bool:
    """Whether this value, no list and no object, holds the ticket's id."""
    return isinstance(value, str | int) and not isinstance(value, bool) and ticket_id in str(value)


def _with_id(body: dict[str, Any], held: list[shapes.Path], value: Any) -> dict[str, Any]:
    for path in held:
        body = shapes.with_value(body, path, value)
    return body
