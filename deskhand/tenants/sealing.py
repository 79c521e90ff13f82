"""The two sealed parts of a tenant's row, each bound to its tenant, table and column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import SecretStr, TypeAdapter

from deskhand.crypto.keyring import Keys
from deskhand.crypto.sealing import Purpose, seal, unseal
from plugins.tenants import WebhookSecret

_TABLE = "tenant_configs"
_SECRETS = "webhook_secrets"
_CONNECTION = "connection"


@dataclass(frozen=True, slots=True)
class Connection:
    """The fields of a tenant's connection as the operator gave them; the plugin's `connection_model` reads them."""

    plain: Mapping[str, Any] = field(default_factory=dict)
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)

    def fields(self) -> Mapping[str, Any]:
        """All fields, the secret ones opened."""
        return {**self.plain, **self.secret}


@dataclass(frozen=True, slots=True)
class _StoredSecret:
    value: str = field(repr=False)
    not_before: datetime | None
    not_after: datetime | None


_stored_secrets = TypeAdapter(tuple[_StoredSecret, ...])
_stored_connection = TypeAdapter(Connection)


def seal_secrets(keys: Keys, tenant_id: str, secrets: Sequence[WebhookSecret]) -> bytes:
    """Seal webhook secrets with the payload keys."""
    stored = tuple(_StoredSecret(s.value.get_secret_value(), s.not_before, s.not_after) for s in secrets)
    return seal(keys, Purpose.WEBHOOK_SECRET, _stored_secrets.dump_json(stored), tenant_id, _TABLE, _SECRETS)


def open_secrets(keys: Keys, tenant_id: str, sealed: bytes) -> tuple[WebhookSecret, ...]:
    """Open webhook secrets.

    Raises:
        SealError: these keys do not open them, or they are another tenant's.
    """
    opened = unseal(keys, Purpose.WEBHOOK_SECRET, sealed, tenant_id, _TABLE, _SECRETS)
    return tuple(
        WebhookSecret(SecretStr(s.value), s.not_before, s.not_after) for s in _stored_secrets.validate_json(opened)
    )


def seal_connection(keys: Keys, tenant_id: str, connection: Connection) -> bytes:
    """Seal a connection with the credential keys."""
    return seal(keys, Purpose.CREDENTIAL, _stored_connection.dump_json(connection), tenant_id, _TABLE, _CONNECTION)


def open_connection(keys: Keys, tenant_id: str, sealed: bytes) -> Connection:
    """Open a connection.

    Raises:
        SealError: these keys do not open it, or it is another tenant's.
    """
    return _stored_connection.validate_json(unseal(keys, Purpose.CREDENTIAL, sealed, tenant_id, _TABLE, _CONNECTION))


def reseal_secrets(keys: Keys, tenant_id: str, sealed: bytes) -> bytes:
    """Seal webhook secrets anew, with the primary one of the payload keys.

    Raises:
        SealError: these keys do not open them, or they are another tenant's.
    """
    return _reseal(keys, Purpose.WEBHOOK_SECRET, sealed, tenant_id, _TABLE, _SECRETS)


def reseal_connection(keys: Keys, tenant_id: str, sealed: bytes) -> bytes:
    """Seal a connection anew, with the primary one of the credential keys.

    Raises:
        SealError: these keys do not open it, or it is another tenant's.
    """
    return _reseal(keys, Purpose.CREDENTIAL, sealed, tenant_id, _TABLE, _CONNECTION)


def _reseal(keys: Keys, purpose: Purpose, sealed: bytes, *binding: str) -> bytes:
    # Not through the models: what a newer version wrote stays whole.
    return seal(keys, purpose, unseal(keys, purpose, sealed, *binding), *binding)
