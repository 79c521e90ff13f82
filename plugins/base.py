"""The plugin contract: four abstract methods, and hooks that have defaults.

Names, order, signatures and defaults of `TicketingToolPlugin` and `TicketMetadata` are the interface reference's. The
budgets (NFR001) are one attempt's time-out, kept by Temporal: a plugin never retries, waits or counts.
"""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar, cast

import httpx
import pydantic
from pydantic import BaseModel, SecretStr

from plugins.checking import Check
from plugins.exceptions import ConfigurationError, PluginError, ValidationError
from plugins.payload import received_at, signed_bytes
from plugins.signatures import STATIC_PREFIX, matches_any, static_digest
from plugins.tenants import TenantConfig, TenantConfigs
from plugins.types import ConnectionReport, EventKind, Priority, TenantSettings, TicketContext

TENANT_ID = re.compile(r"[a-zA-Z0-9\-]+")
MAX_TENANT_ID = 64
MAX_TICKET_ID = 100
MAX_VERSION = 64

ConnectionT = TypeVar("ConnectionT", bound=BaseModel)


@dataclass
class TicketMetadata:
    """Standardized ticket metadata for enhancement workflow.

    Raises:
        ValidationError: on construction, naming the first field that breaks the interface reference's table.
    """

    tenant_id: str
    ticket_id: str
    description: str
    priority: str  # Must be: "high", "medium", or "low"
    created_at: datetime  # Must be UTC timezone-aware

    def __post_init__(self) -> None:
        for name in ("tenant_id", "ticket_id", "description", "priority"):
            if not isinstance(getattr(self, name), str):
                raise ValidationError(f"{name}: must be text")
        if not TENANT_ID.fullmatch(self.tenant_id):
            raise ValidationError("tenant_id: must be letters, digits and hyphens")
        if len(self.tenant_id) > MAX_TENANT_ID:
            raise ValidationError(f"tenant_id: longer than {MAX_TENANT_ID} characters")
        if not self.ticket_id.strip():
            raise ValidationError("ticket_id: is missing")
        if not self.ticket_id.isprintable():
            raise ValidationError("ticket_id: holds control characters")
        if len(self.ticket_id) > MAX_TICKET_ID:
            raise ValidationError(f"ticket_id: longer than {MAX_TICKET_ID} characters")
        if self.priority not in ("high", "medium", "low"):
            raise ValidationError("priority: must be high, medium or low")
        if not isinstance(self.created_at, datetime):
            raise ValidationError("created_at: must be a datetime")
        if self.created_at.utcoffset() != timedelta(0):
            raise ValidationError("created_at: must be timezone-aware UTC")


class DefaultConnection(BaseModel):
    """The connection of a plugin that asks for nothing special."""

    base_url: str
    api_key: SecretStr


class TicketingToolPlugin(ABC):
    """
    Abstract base class for ticketing tool integrations.

    All plugins must implement 4 abstract methods:
    - validate_webhook() - Authenticate incoming webhooks
    - get_ticket() - Fetch ticket details from tool API
    - update_ticket() - Post AI content back to ticket
    - extract_metadata() - Normalize payloads to TicketMetadata

    Everything else has a default.
    """

    __tool_type__: ClassVar[str] = ""
    """The name in webhook paths and tenant rows. Empty: the name of the entry point."""
    __version__: ClassVar[str] = "0"

    connection_model: ClassVar[type[BaseModel]] = DefaultConnection
    """What an operator must give to connect a tenant. Secret fields are `SecretStr`."""
    signature_header: ClassVar[str] = "X-Signature"
    """The request header that `signature_from` reads."""
    signature_is_secret: ClassVar[bool] = False
    """Whether that header holds the secret itself, as with tools that cannot sign. The `signature` argument is then a
    digest of it, for `static_secret_matches`: the secret would otherwise stand in every run's input."""
    signature_schemes: ClassVar[frozenset[str]] = frozenset()
    """What the setting `signature_scheme` may be. Empty: the plugin has only one way."""
    default_scheme: ClassVar[str | None] = None
    """Which of the schemes is in force where the setting names none."""
    vendor_makes_secret: ClassVar[bool] = False
    """Whether the tool makes the secret of a webhook itself and takes none of ours: a tenant is then added first, and
    given that secret once the webhook is there."""

    def __init__(self, tenants: TenantConfigs, http: httpx.AsyncClient) -> None:
        self.tenants = tenants
        self.http = http

    @abstractmethod
    async def validate_webhook(
        self,
        payload: dict[str, Any],
        signature: str,
    ) -> bool:
        """Validate webhook request authenticity. Budget: 100 ms (NFR001)."""
        ...

    @abstractmethod
    async def get_ticket(
        self,
        tenant_id: str,
        ticket_id: str,
    ) -> dict[str, Any] | None:
        """Retrieve ticket details from API: the vendor's JSON, or `None` if not found. Budget: 2 s (NFR001)."""
        ...

    @abstractmethod
    async def update_ticket(
        self,
        tenant_id: str,
        ticket_id: str,
        content: str,
    ) -> bool:
        """Post enhancement content (Markdown) to ticket as a private note. Budget: 5 s (NFR001).

        `False` means that the ticket will not take it, for good.
        """
        ...

    @abstractmethod
    def extract_metadata(
        self,
        payload: dict[str, Any],
    ) -> TicketMetadata:
        """Extract standardized metadata from payload. Budget: 10 ms, no I/O (NFR001)."""
        ...

    # Hooks. Each has a default that is safe for a plugin that knows nothing of it.

    def signature_from(self, headers: Mapping[str, str], settings: TenantSettings) -> str:
        """The `signature` argument for `validate_webhook`, out of request headers (lower-case names).

        Default: the header named by `signature_header`, empty if absent; a digest of it with `signature_is_secret`.
        """
        del settings
        given = headers.get(self.signature_header.lower(), "")
        return static_digest(given) if given and self.signature_is_secret else given

    def event_kind(self, payload: dict[str, Any]) -> EventKind:
        """What the delivery asks for. Default: every delivery is a new ticket."""
        del payload
        return EventKind.CREATED

    def resolved_version(self, payload: dict[str, Any]) -> str | None:
        """Tells one resolution of a ticket from the next: its resolved or updated time in the signed body.

        Default: `None`, and the body's hash is taken.
        """
        del payload
        return None

    def resolution_version(self, payload: dict[str, Any]) -> str:
        """`resolved_version`, if it has no more than 64 characters, since it stands in histories and rows; else 16 hex
        digits of the signed bytes' SHA-256.
        """
        version = self.resolved_version(payload)
        if version and len(version) <= MAX_VERSION:
            return version
        return hashlib.sha256(signed_bytes(payload)).hexdigest()[:16]

    def describe(self, ticket: dict[str, Any], metadata: TicketMetadata) -> TicketContext:
        """The vendor's JSON as bounded text. Default: only what the metadata says."""
        del ticket
        return TicketContext(
            ticket_id=metadata.ticket_id,
            description=metadata.description,
            priority=cast(Priority, metadata.priority),
            created_at=metadata.created_at,
        )

    async def has_note(self, tenant_id: str, ticket_id: str, ref: str) -> bool | None:
        """Whether the ticket has our note with this `ref`. Default: `None`, cannot tell."""
        del tenant_id, ticket_id, ref
        return None

    def recent_tickets(self, tenant_id: str, since: datetime) -> AsyncIterator[dict[str, Any]]:
        """Payloads of tickets created since then, as a webhook would have brought them. Default: not supported."""
        del tenant_id, since
        raise ConfigurationError(f"{self.tool_type}: recent_tickets is not supported by this plugin")

    async def check_connection(self, tenant_id: str) -> ConnectionReport:
        """Whether the tenant's credentials work. Default: ask for a ticket that cannot exist."""
        check = Check()
        try:
            await self.get_ticket(tenant_id, "0")
        except ValidationError:
            check.open("nothing was tried: this plugin takes no made-up ticket id, and has no check of its own")
        except PluginError as error:
            check.failed(error)
        else:
            check.good("the tool answered a request for a ticket")
        return check.report()

    @classmethod
    def webhook_steps(cls, address: str, tenant_id: str, settings: TenantSettings) -> tuple[str, ...]:
        """What an administrator of the tool does to have it call `address` for this tenant, one step each.

        Plain text for somebody who has never done it. A step that wants the secret says "the webhook secret", which is
        shown once beside the steps and never in them. Default: one step, out of method, media type and header.
        """
        del tenant_id, settings
        secret = (
            f"with the webhook secret itself in the header {cls.signature_header}"
            if cls.signature_is_secret
            else f"signed with the webhook secret, the signature in the header {cls.signature_header}"
        )
        return (f"Have the tool send each new ticket as a POST of application/json to {address}, {secret}.",)

    # Help for implementations.

    @property
    def tool_type(self) -> str:
        """The name in webhook paths and tenant rows."""
        return self.__tool_type__ or type(self).__name__

    async def tenant(self, tenant_id: str) -> TenantConfig:
        """The tenant, which must be one of this tool.

        Raises:
            ConfigurationError: no such tenant, or it belongs to another tool.
        """
        config = await self.tenants.get(tenant_id)
        if config is None:
            raise ConfigurationError(f"tenant {tenant_id}: does not exist; add it with `deskhand tenant add`")
        if config.tool != self.tool_type:
            raise ConfigurationError(f"tenant {tenant_id}: is a tenant of {config.tool}, not of {self.tool_type}")
        return config

    async def connection(self, tenant_id: str, model: type[ConnectionT]) -> ConnectionT:
        """The tenant's opened connection as `model`.

        Raises:
            ConfigurationError: naming the field that is missing or unusable.
        """
        fields = await (await self.tenant(tenant_id)).connection()
        try:
            return model.model_validate(fields)
        except pydantic.ValidationError as error:
            first = error.errors(include_input=False, include_url=False, include_context=False)[0]
            # What is wrong with several fields together names them itself.
            parts = (*first["loc"], first["msg"].removeprefix("Value error, "))
            raise ConfigurationError(f"tenant {tenant_id}: {': '.join(map(str, parts))}") from None

    async def webhook_secrets(self, payload: dict[str, Any]) -> tuple[str, ...]:
        """The secrets that this payload may be signed with: those of its tenant that counted when it was received.

        Empty for a tenant that is unknown, of another tool or not active: then no signature is right.
        """
        tenant_id = payload.get("tenant_id")
        if not isinstance(tenant_id, str) or not TENANT_ID.fullmatch(tenant_id) or len(tenant_id) > MAX_TENANT_ID:
            return ()
        config = await self.tenants.get(tenant_id)
        moment = received_at(payload)
        if config is None or config.tool != self.tool_type or not config.active_at(moment):
            return ()
        return config.secrets_at(moment)

    async def static_secret_matches(self, payload: dict[str, Any], signature: str) -> bool:
        """Validate a `static-sha256=` signature, where the header was the secret itself."""
        accepted = await self.webhook_secrets(payload)
        return matches_any(accepted, static_digest, signature) and signature.startswith(STATIC_PREFIX)
