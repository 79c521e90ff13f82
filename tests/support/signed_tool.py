"""What tests of the starter share: a small ticketing tool that signs, and the starter served over HTTP for it."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from temporalio.client import Client, WorkflowExecution

from plugins.base import TicketingToolPlugin, TicketMetadata
from plugins.exceptions import ValidationError
from plugins.payload import received_at, settings_of, signed_bytes
from plugins.signatures import hmac_sha256, matches_any
from plugins.tenants import TenantConfig
from plugins.types import EventKind
from tests.support.pretend import MemoryTenants
from workflows.search_attributes import TENANT

TOOL = "signed"


def sign(secret: str, raw: bytes) -> str:
    """The `X-Signature` that the tool puts on a body."""
    return "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


class SignedTool(TicketingToolPlugin):
    """A tool whose webhooks say `ticket_id`, `event`, `description` and `version`, signed with `X-Signature`."""

    __tool_type__ = TOOL
    signature_schemes = frozenset({"hmac"})

    async def validate_webhook(self, payload: dict[str, Any], signature: str) -> bool:
        """HMAC-SHA256 over the raw body, and no other scheme."""
        if settings_of(payload).signature_scheme not in (None, "hmac"):
            return False
        accepted = await self.webhook_secrets(payload)
        raw = signed_bytes(payload)
        return matches_any(accepted, lambda secret: "sha256=" + hmac_sha256(secret, raw).hex(), signature)

    async def get_ticket(self, tenant_id: str, ticket_id: str) -> dict[str, Any] | None:
        """There are none."""
        del tenant_id, ticket_id
        return None

    async def update_ticket(self, tenant_id: str, ticket_id: str, content: str) -> bool:
        """It takes none."""
        del tenant_id, ticket_id, content
        return False

    def extract_metadata(self, payload: dict[str, Any]) -> TicketMetadata:
        """The body's own fields; `ticket_id` must be there. `explode` is answered with an error of ours."""
        if "explode" in payload:
            raise KeyError(payload["explode"])
        if "ticket_id" not in payload:
            raise ValidationError("ticket_id: is missing")
        return TicketMetadata(
            tenant_id=payload["tenant_id"],
            ticket_id=payload["ticket_id"],
            description=payload.get("description", ""),
            priority="medium",
            created_at=received_at(payload),
        )

    def event_kind(self, payload: dict[str, Any]) -> EventKind:
        """`event`, or a new ticket."""
        return EventKind(payload.get("event", "created"))

    def resolved_version(self, payload: dict[str, Any]) -> str | None:
        """`version`, if the body has one."""
        version: str | None = payload.get("version")
        return version


class FailingTenants(MemoryTenants):
    """Tenants in memory that can be made to fail as a database does."""

    def __init__(self) -> None:
        super().__init__()
        self.answers_left: int | None = None
        """How many questions are answered before the store is down; `None`: all."""

    async def get(self, tenant_id: str) -> TenantConfig | None:
        """The tenant, or `None`."""
        if self.answers_left is not None:
            if self.answers_left == 0:
                raise ConnectionError("postgresql://deskhand:password@database is down")
            self.answers_left -= 1
        return await super().get(tenant_id)


@dataclass(frozen=True, slots=True)
class Bench:
    """A starter over HTTP, the Temporal server behind it, and a tenant `acme` whose webhooks `secret` signs."""

    http: httpx.AsyncClient
    temporal: Client
    tenants: FailingTenants
    tenant_id: str
    secret: str

    @property
    def path(self) -> str:
        """Where the tenant's webhooks go."""
        return f"/webhooks/{TOOL}/{self.tenant_id}"

    async def send(
        self,
        body: Mapping[str, Any] | bytes,
        *,
        path: str | None = None,
        signature: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """POST a body as the vendor does, signed with the right secret unless `signature` says otherwise."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.http.post(
            path or self.path,
            content=raw,
            headers={
                "Content-Type": "application/json",
                "X-Signature": sign(self.secret, raw) if signature is None else signature,
                **(headers or {}),
            },
        )

    async def runs(self, *, at_least: int) -> list[WorkflowExecution]:
        """The tenant's runs, once Temporal's index shows that many: it follows a moment later."""
        while True:
            found = [run async for run in self.temporal.list_workflows(f"{TENANT.name} = '{self.tenant_id}'")]
            if len(found) >= at_least:
                return found

    async def only_run_is(self, ticket_id: str) -> bool:
        """Whether a good delivery for this ticket, sent now, is the only one of the tenant's that made a run."""
        answer = await self.send({"ticket_id": ticket_id})
        runs = await self.runs(at_least=1)
        return answer.status_code == 202 and [run.id for run in runs] == [answer.json()["run"]]
