"""Broken in whom they believe."""

import json
from collections.abc import Mapping
from typing import Any

from plugins.payload import received_at, settings_of, signed_bytes
from plugins.signatures import STATIC_PREFIX, matches_any, static_digest
from plugins.types import TenantSettings
from tests.plugins.conformance.acme import AcmePlugin, signed
from tests.plugins.conformance.broken.registry import breaks


@breaks("A true delivery is accepted.")
class NewTicketsOnly(AcmePlugin):
    async def validate_webhook(self, payload: dict[str, Any], signature: str) -> bool:
        return payload.get("event") == "created" and await super().validate_webhook(payload, signature)


@breaks("A signature is judged over the raw bytes, never over JSON that was written again.")
class WrittenAgain(AcmePlugin):
    """As the interface reference's example has it."""

    def what_is_signed(self, payload: dict[str, Any]) -> bytes:
        return json.dumps(payload, separators=(",", ":")).encode()


@breaks("A body that was changed is refused.")
class Tidies(AcmePlugin):
    def what_is_signed(self, payload: dict[str, Any]) -> bytes:
        return signed_bytes(payload).strip()


@breaks("A wrong signature is refused with False, never with an exception.")
class StumblesOverSignatures(AcmePlugin):
    async def validate_webhook(self, payload: dict[str, Any], signature: str) -> bool:
        signature.encode("ascii")
        return await super().validate_webhook(payload, signature)


@breaks("A delivery without its headers, or with odd ones, is refused.")
class NoHeaderNoText(AcmePlugin):
    def signature_from(self, headers: Mapping[str, str], settings: TenantSettings) -> str:
        return headers["x-signature"] if settings.signature_scheme != "header" else headers["x-secret"]


@breaks("A secret that is itself sent never becomes the signature argument.")
class SecretAsSignature(AcmePlugin):
    def signature_from(self, headers: Mapping[str, str], settings: TenantSettings) -> str:
        header = settings.signature_scheme == "header"
        return headers.get("x-secret", "") if header else super().signature_from(headers, settings)

    async def static_secret_matches(self, payload: dict[str, Any], signature: str) -> bool:
        return matches_any(await self.webhook_secrets(payload), lambda secret: secret, signature)


@breaks("Another secret than the tenant's is refused.")
class BeginningWillDo(AcmePlugin):
    async def webhook_secrets(self, payload: dict[str, Any]) -> tuple[str, ...]:
        whole = await super().webhook_secrets(payload)
        return whole + tuple(secret[:-1] for secret in whole)


@breaks("Where no secret is set, every delivery is refused.")
class MissingSecretAccepted(AcmePlugin):
    async def validate_webhook(self, payload: dict[str, Any], signature: str) -> bool:
        config = await self.tenants.get(str(payload.get("tenant_id")))
        if config is not None and not config.webhook_secrets:
            return True
        return await super().validate_webhook(payload, signature)


@breaks("Where no secret is set, every delivery is refused.")
class EmptySecretForNone(AcmePlugin):
    async def webhook_secrets(self, payload: dict[str, Any]) -> tuple[str, ...]:
        return await super().webhook_secrets(payload) or ("",)


@breaks("One tenant's secret is never another's.")
class AnybodysSecret(AcmePlugin):
    async def webhook_secrets(self, payload: dict[str, Any]) -> tuple[str, ...]:
        own = await super().webhook_secrets(payload)
        theirs = await super().webhook_secrets(payload | {"tenant_id": "globex"})
        return own and own + theirs


@breaks("A delivery for a tenant that is unknown, or another tool's, is refused.")
class AnyTool(AcmePlugin):
    async def webhook_secrets(self, payload: dict[str, Any]) -> tuple[str, ...]:
        config = await self.tenants.get(str(payload.get("tenant_id")))
        moment = received_at(payload)
        return config.secrets_at(moment) if config and config.active_at(moment) else ()


@breaks("A tenant's deliveries are accepted while it is active, as of when they were received.")
class AlwaysActive(AcmePlugin):
    async def webhook_secrets(self, payload: dict[str, Any]) -> tuple[str, ...]:
        config = await self.tenants.get(str(payload.get("tenant_id")))
        return config.secrets_at(received_at(payload)) if config and config.tool == self.tool_type else ()


@breaks("While secrets are changed both count, each as of when a delivery was received.")
class SecretsAsOfNow(AcmePlugin):
    async def webhook_secrets(self, payload: dict[str, Any]) -> tuple[str, ...]:
        return await super().webhook_secrets(dict(payload))


@breaks("A payload that has lost its bytes, or makes no sense, is judged and nothing else.")
class NeedsTheBytes(AcmePlugin):
    def what_is_signed(self, payload: dict[str, Any]) -> bytes:
        return payload.raw  # type: ignore[attr-defined,no-any-return]


@breaks("A signature scheme that the plugin does not have is refused.")
class UnknownSchemeIsHmac(AcmePlugin):
    async def validate_webhook(self, payload: dict[str, Any], signature: str) -> bool:
        if settings_of(payload).signature_scheme == "header":
            return await super().validate_webhook(payload, signature)
        body = signed_bytes(payload)
        return matches_any(await self.webhook_secrets(payload), lambda secret: signed(secret, body), signature)


@breaks("Of several signature schemes only the one that is set is accepted.")
class AnyScheme(AcmePlugin):
    def signature_from(self, headers: Mapping[str, str], settings: TenantSettings) -> str:
        return headers.get("x-signature") or static_digest(headers.get("x-secret", ""))

    async def validate_webhook(self, payload: dict[str, Any], signature: str) -> bool:
        if signature.startswith(STATIC_PREFIX):
            return await self.static_secret_matches(payload, signature)
        body = signed_bytes(payload)
        return matches_any(await self.webhook_secrets(payload), lambda secret: signed(secret, body), signature)
