"""Broken in what they read out of a delivery."""

import time
from dataclasses import replace
from typing import Any

from plugins.base import TicketMetadata
from plugins.exceptions import ValidationError
from plugins.types import EventKind
from tests.plugins.conformance.acme import AcmePlugin
from tests.plugins.conformance.broken.registry import breaks


@breaks("A delivery yields the metadata of the ticket that it is about, within the contract's limits.")
class IdOfItsOwn(AcmePlugin):
    def extract_metadata(self, payload: dict[str, Any]) -> TicketMetadata:
        metadata = super().extract_metadata(payload)
        return replace(metadata, ticket_id=f"ACME-{metadata.ticket_id}")


@breaks("created_at is an aware time in UTC: the ticket's own, or when the delivery was received.")
class NaiveTime(AcmePlugin):
    def extract_metadata(self, payload: dict[str, Any]) -> TicketMetadata:
        metadata = super().extract_metadata(payload)
        return replace(metadata, created_at=metadata.created_at.replace(tzinfo=None))


@breaks("created_at is an aware time in UTC: the ticket's own, or when the delivery was received.")
class NaiveTimePastTheCheck(AcmePlugin):
    def extract_metadata(self, payload: dict[str, Any]) -> TicketMetadata:
        metadata = super().extract_metadata(payload)
        metadata.created_at = metadata.created_at.replace(tzinfo=None)
        return metadata


@breaks("The same delivery always yields the same, and is left as it is.")
class TakesApart(AcmePlugin):
    def extract_metadata(self, payload: dict[str, Any]) -> TicketMetadata:
        metadata = super().extract_metadata(payload)
        payload.pop("description", None)
        return metadata


@breaks("Reading a delivery asks nobody: no request is sent.")
class WaitsToRead(AcmePlugin):
    def extract_metadata(self, payload: dict[str, Any]) -> TicketMetadata:
        time.sleep(0.01)
        return super().extract_metadata(payload)


@breaks("A tenant's own names for priorities come before the plugin's; what is unknown is medium.")
class OwnPrioritiesIgnored(AcmePlugin):
    def extract_metadata(self, payload: dict[str, Any]) -> TicketMetadata:
        return super().extract_metadata(dict(payload))


@breaks("A delivery without a usable ticket id is a ValidationError that names the field.")
class KeyErrors(AcmePlugin):
    def extract_metadata(self, payload: dict[str, Any]) -> TicketMetadata:
        payload["ticket_id"]
        return super().extract_metadata(payload)


@breaks("A delivery whose tenant_id is no tenant's id is a ValidationError that names the field.")
class SomeTenant(AcmePlugin):
    def extract_metadata(self, payload: dict[str, Any]) -> TicketMetadata:
        return super().extract_metadata(payload | {"tenant_id": payload.get("tenant_id") or "acme"})


@breaks("Whatever a delivery holds, reading it yields metadata or a ValidationError that quotes nothing.")
class PayloadInMessage(AcmePlugin):
    def extract_metadata(self, payload: dict[str, Any]) -> TicketMetadata:
        if not isinstance(payload.get("description", ""), str):
            raise ValidationError(f"description: not text in {payload}")
        return super().extract_metadata(payload)


@breaks("Any JSON object at all yields metadata or a ValidationError.")
class ExpectsText(AcmePlugin):
    def event_kind(self, payload: dict[str, Any]) -> EventKind:
        return super().event_kind({"event": payload.get("event", "").lower()})


@breaks(
    "A new ticket is CREATED, a resolved one RESOLVED.",
    "What our own note causes asks for no work: it would never end.",
)
class EverythingIsNew(AcmePlugin):
    def event_kind(self, payload: dict[str, Any]) -> EventKind:
        return EventKind.CREATED


@breaks("Deliveries of one resolution have one version, those of another resolution another.")
class OneResolutionEver(AcmePlugin):
    def resolved_version(self, payload: dict[str, Any]) -> str | None:
        return "resolved"
