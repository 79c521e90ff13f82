"""A row of `tenant_configs` as what plugins may know of the tenant."""

from collections.abc import Mapping
from typing import Any

from deskhand.crypto.keyring import Keys
from deskhand.crypto.sealing import SealError
from deskhand.tenants.errors import CredentialsSealedError, TenantStoreError
from deskhand.tenants.sealing import open_connection, open_secrets
from plugins.exceptions import ConfigurationError
from plugins.tenants import TenantConfig
from plugins.types import TenantMode, TenantSettings


def tenant_config(
    tenant_id: str, row: Mapping[str, Any], payload_keys: Keys, credential_keys: Keys | None
) -> TenantConfig:
    """The tenant. Its `connection()` raises `CredentialsSealedError` without credential keys or without the column, and
    `ConfigurationError` where the keys do not open it.

    Raises:
        TenantStoreError: the payload keys do not open its webhook secrets.
    """
    try:
        secrets = open_secrets(payload_keys, tenant_id, row["webhook_secrets"])
    except SealError as error:
        raise TenantStoreError(
            f"tenant {tenant_id}: webhook secrets do not open with DESKHAND_PAYLOAD_KEYS: {error}"
        ) from None
    return TenantConfig(
        id=tenant_id,
        tool=row["tool"],
        active_from=row["active_from"],
        active_until=row["active_until"],
        mode=TenantMode(row["mode"]),
        settings=TenantSettings.model_validate_json(row["settings"]),
        webhook_secrets=secrets,
        open_connection=_Opener(tenant_id, credential_keys, row.get("connection")),
    )


class _Opener:
    """Opens one connection when it is asked for: opened credentials do not stay in memory."""

    def __init__(self, tenant_id: str, keys: Keys | None, sealed: bytes | None) -> None:
        self._tenant_id = tenant_id
        self._keys = keys
        self._sealed = sealed

    async def __call__(self) -> Mapping[str, Any]:
        if self._keys is None or self._sealed is None:
            raise CredentialsSealedError(
                f"tenant {self._tenant_id}: this process has no credential keys, it cannot open a connection"
            )
        try:
            return open_connection(self._keys, self._tenant_id, self._sealed).fields()
        except SealError as error:
            raise ConfigurationError(
                f"tenant {self._tenant_id}: connection does not open with DESKHAND_CREDENTIAL_KEYS: {error}"
            ) from None
