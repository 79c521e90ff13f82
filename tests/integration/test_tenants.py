"""Tenants as the operator adds them and as starter and worker read them."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from pydantic import SecretStr

from deskhand.crypto.keyring import Keyring
from deskhand.crypto.sealing import SealError
from deskhand.db.errors import DatabaseUnavailableError
from deskhand.db.pool import Pool, create_pool
from deskhand.devstack.postgres import DatabaseUrls
from deskhand.settings import Settings
from deskhand.tenants.admin import NewTenant, TenantAdmin
from deskhand.tenants.errors import CredentialsSealedError, TenantError, TenantStoreError
from deskhand.tenants.sealing import Connection
from deskhand.tenants.store import TenantStore
from plugins.exceptions import ConfigurationError
from plugins.tenants import TenantConfig, WebhookSecret
from plugins.types import TenantMode, TenantSettings

API_KEY = "planted-api-key-8812"
WEBHOOK_SECRET = "planted-webhook-secret-4471"
NOON = datetime(2025, 11, 5, 12, 0, tzinfo=UTC)


def acme(tenant_id: str = "acme") -> NewTenant:
    return NewTenant(
        id=tenant_id,
        tool="jira",
        connection=Connection({"base_url": f"https://{tenant_id}.example"}, {"api_key": API_KEY}),
        webhook_secrets=(
            WebhookSecret(SecretStr(WEBHOOK_SECRET)),
            WebhookSecret(SecretStr("old"), not_after=NOON),
        ),
        mode=TenantMode.DRY_RUN,
        settings=TenantSettings.model_validate({"priorities": {"P1": "high"}, "own_account_id": "42"}),
    )


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(app_pool: Pool, payload_keys: Keyring, credential_keys: Keyring, clock: Clock) -> TenantStore:
    """The worker's."""
    return TenantStore(app_pool, payload_keys, credential_keys, clock=clock)


@pytest.fixture
def starters_store(app_pool: Pool, payload_keys: Keyring, clock: Clock) -> TenantStore:
    return TenantStore(app_pool, payload_keys, None, clock=clock)


async def known(store: TenantStore, tenant_id: str = "acme") -> TenantConfig:
    config = await store.get(tenant_id)
    assert config is not None
    return config


async def test_what_was_added_is_what_the_worker_reads(admin: TenantAdmin, store: TenantStore) -> None:
    await admin.add(acme())
    config = await known(store)
    assert (config.id, config.tool, config.mode) == ("acme", "jira", TenantMode.DRY_RUN)
    assert config.settings == acme().settings
    assert config.secrets_at(NOON - timedelta(seconds=1)) == (WEBHOOK_SECRET, "old")
    assert config.secrets_at(NOON) == (WEBHOOK_SECRET,)
    assert config.active_at(datetime.now(UTC))
    assert await config.connection() == {"base_url": "https://acme.example", "api_key": API_KEY}
    assert API_KEY not in repr(config)
    assert WEBHOOK_SECRET not in repr(config)


async def test_the_starter_reads_all_but_the_credentials(admin: TenantAdmin, starters_store: TenantStore) -> None:
    await admin.add(acme())
    config = await known(starters_store)
    assert config.secrets_at(NOON) == (WEBHOOK_SECRET,)
    with pytest.raises(CredentialsSealedError, match="has no credential keys"):
        await config.connection()


async def test_the_starter_does_not_even_select_the_connection(
    admin: TenantAdmin, store: TenantStore, starters_store: TenantStore, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await admin.add(acme())
    await superuser.execute("REVOKE SELECT ON tenant_configs FROM deskhand_app")
    await superuser.execute(
        "GRANT SELECT (tenant_id, tool, active_from, active_until, mode, settings, webhook_secrets)"
        " ON tenant_configs TO deskhand_app"
    )
    try:
        assert await starters_store.get("acme") is not None
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await store.get("acme")
    finally:
        # Revoking from the whole table takes what was granted by column with it.
        await superuser.execute("REVOKE SELECT ON tenant_configs FROM deskhand_app")
        await superuser.execute("GRANT SELECT ON tenant_configs TO deskhand_app")


@pytest.mark.parametrize("tenant_id", ["nobody", "", "a" * 65, "acme\x00", "acme ", "äcme", "ACME", "acme'--"])
async def test_there_is_no_such_tenant(admin: TenantAdmin, store: TenantStore, tenant_id: str) -> None:
    await admin.add(acme())
    assert await store.get(tenant_id) is None


async def test_a_change_is_seen_within_ten_seconds(admin: TenantAdmin, store: TenantStore, clock: Clock) -> None:
    await admin.add(acme())
    assert (await known(store)).mode is TenantMode.DRY_RUN
    await admin.set_mode("acme", TenantMode.PAUSE)
    await admin.deactivate("acme")
    clock.now += 10
    config = await known(store)
    assert config.mode is TenantMode.PAUSE
    assert not config.active_at(datetime.now(UTC) + timedelta(minutes=1))
    assert config.active_at(config.active_from)


async def test_sealed_parts_open_in_their_own_row_only(
    admin: TenantAdmin, store: TenantStore, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await admin.add(acme("acme"))
    await admin.add(acme("globex"))
    await superuser.execute(
        "UPDATE tenant_configs SET connection = (SELECT connection FROM tenant_configs WHERE tenant_id = 'acme')"
        " WHERE tenant_id = 'globex'"
    )
    with pytest.raises(ConfigurationError, match="tenant globex: connection does not open with DESKHAND_CREDENTIAL"):
        await (await known(store, "globex")).connection()
    await superuser.execute("UPDATE tenant_configs SET webhook_secrets = connection WHERE tenant_id = 'acme'")
    with pytest.raises(TenantStoreError, match="tenant acme: webhook secrets do not open with DESKHAND_PAYLOAD_KEYS"):
        await store.get("acme")


async def test_other_keys_open_nothing(
    admin: TenantAdmin, app_pool: Pool, operator_pool: Pool, payload_keys: Keyring, credential_keys: Keyring
) -> None:
    await admin.add(acme())
    other = Keyring.parse(Keyring.generate_text())
    # The payload keys, which the starter holds, do not open a connection even where they are tried.
    config = await known(TenantStore(app_pool, payload_keys, payload_keys))
    with pytest.raises(ConfigurationError):
        await config.connection()
    with pytest.raises(TenantStoreError):
        await TenantStore(app_pool, other, credential_keys).get("acme")
    with pytest.raises(SealError):
        await TenantAdmin(operator_pool, payload_keys, other).show("acme")


async def test_a_secret_stands_nowhere_in_the_database(
    admin: TenantAdmin, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await admin.add(acme())
    tables = await superuser.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    assert len(tables) >= 5
    dump = ""
    for table in tables:
        rows = await superuser.fetch(f"SELECT t::text AS line FROM {table['name']} AS t")  # noqa: S608 - from the catalog
        dump += "\n".join(row["line"] for row in rows)
    assert "acme" in dump
    assert "DRY_RUN".lower() in dump
    for secret in (API_KEY, WEBHOOK_SECRET):
        assert secret not in dump
        assert secret.encode().hex() not in dump


async def test_every_change_is_audited_without_secrets(
    admin: TenantAdmin, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await admin.add(acme())
    await admin.set_mode("acme", TenantMode.LIVE)
    await admin.deactivate("acme")
    entries = await superuser.fetch("SELECT actor, action, tenant_id, detail FROM audit_log ORDER BY id")
    assert [(e["actor"], e["action"], e["tenant_id"], json.loads(e["detail"])) for e in entries] == [
        ("tester", "tenant.add", "acme", {"tool": "jira", "mode": "dry_run"}),
        ("tester", "tenant.mode", "acme", {"mode": "live", "was": "dry_run"}),
        ("tester", "tenant.deactivate", "acme", {}),
    ]


async def test_a_change_that_cannot_be_audited_does_not_happen(
    admin: TenantAdmin, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await admin.add(acme())
    await superuser.execute("ALTER TABLE audit_log ADD CONSTRAINT broken CHECK (action <> 'tenant.mode')")
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await admin.set_mode("acme", TenantMode.PAUSE)
    finally:
        await superuser.execute("ALTER TABLE audit_log DROP CONSTRAINT broken")
    assert (await admin.list())[0].mode is TenantMode.DRY_RUN


async def test_the_operator_is_told_what_is_wrong(admin: TenantAdmin) -> None:
    await admin.add(acme())
    with pytest.raises(TenantError, match="tenant acme: exists already"):
        await admin.add(acme())
    with pytest.raises(TenantError, match="tenant id: must be 1 to 64 letters, digits and hyphens"):
        await admin.add(acme("acme/../x"))
    with pytest.raises(TenantError, match="language: klingon is not one that PostgreSQL can search in; it knows"):
        await admin.add(NewTenant("globex", "jira", Connection(), settings=TenantSettings(language="klingon")))
    for call in (admin.show("nobody"), admin.set_mode("nobody", TenantMode.LIVE), admin.deactivate("nobody")):
        with pytest.raises(TenantError, match="tenant nobody: does not exist"):
            await call
    await admin.deactivate("acme")
    with pytest.raises(TenantError, match="tenant acme: is not active since"):
        await admin.deactivate("acme")


async def test_nobody_can_say_while_the_database_is_down(payload_keys: Keyring, database: DatabaseUrls) -> None:
    pool = await create_pool("postgresql://deskhand_app:x@127.0.0.1:1/deskhand", Settings())
    with pytest.raises(DatabaseUnavailableError, match="cannot be reached"):
        await TenantStore(pool, payload_keys, None).get("acme")
    await pool.close()
