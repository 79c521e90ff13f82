"""Planted secrets are in no store, and the process that strangers reach cannot open an API credential."""

from pathlib import Path

import asyncpg
import pytest

from deskhand.crypto.keyring import Keyring
from deskhand.crypto.sealing import SealError
from deskhand.tenants.sealing import open_connection
from tests.support.desk import TOOLS, Desk, Tenant
from workflows.contracts import Outcome

WORDS = "Farnsworth's scanner in Nauheim"


async def tenants_with_notes(desk: Desk) -> list[Tenant]:
    """A tenant per tool whose ticket has its note."""
    tenants = []
    for tool in TOOLS:
        tenant = await desk.tenant(tool)
        ticket_id = await tenant.vendor.ticket(WORDS, WORDS, announce=True)
        assert (await desk.handle(tenant.run(ticket_id)).result()).outcome is Outcome.POSTED
        tenants.append(tenant)
    return tenants


async def everything_in(database_url: str) -> str:
    """Every row of every table of ours, as its owner's superuser sees it."""
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(database_url)
    try:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        rows = [
            row["row"]
            for table in tables
            for row in await connection.fetch(f"SELECT t::text AS row FROM {table['name']} t")  # noqa: S608 - our names
        ]
    finally:
        await connection.close()
    return "\n".join(rows)


async def test_planted_secrets_are_in_neither_store(desk: Desk) -> None:
    tenants = await tenants_with_notes(desk)
    rows = await everything_in(desk.stack.database.superuser)
    folder = desk.stack.state.folder / "temporal"
    temporal = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    logs = b"".join(path.read_bytes() for path in (desk.stack.state.folder / "logs").iterdir())
    for tenant in tenants:
        assert tenant.id in rows
        assert tenant.id.encode() in temporal, "the search would find what is there in plain text"
        for secret in (*tenant.credentials, tenant.webhook_secret):
            assert secret not in rows
            # Hexadecimal, as PostgreSQL writes out binary columns.
            assert secret.encode().hex() not in rows
            assert secret.encode() not in temporal
            assert secret.encode() not in logs
    assert WORDS.encode() not in temporal
    assert WORDS.encode() not in logs


async def test_the_starter_cannot_open_a_credential_with_what_it_has(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    environment = starter_environment(desk.stack.pids["starter"])
    assert "DESKHAND_CREDENTIAL_KEYS" not in environment
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(desk.stack.database.superuser)
    sealed = await connection.fetchval("SELECT connection FROM tenant_configs WHERE tenant_id = $1", tenant.id)
    await connection.close()
    with pytest.raises(SealError):
        open_connection(Keyring.parse(environment["DESKHAND_PAYLOAD_KEYS"]), tenant.id, sealed)
    opened = open_connection(Keyring.parse(desk.stack.state.credential_keys), tenant.id, sealed)
    assert opened.secret["api_token"] in tenant.credentials, "the right keys open it"


async def test_no_secret_stands_in_the_arguments_of_a_process(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    secrets = (*tenant.credentials, tenant.webhook_secret, desk.stack.state.payload_keys, desk.stack.database.app)
    shown = "".join(arguments(pid) for pid in desk.stack.pids.values())
    assert "starter" in shown
    for secret in secrets:
        assert secret not in shown


def arguments(pid: int) -> str:
    """The arguments of a running process, as Linux shows them to everyone."""
    return Path(f"/proc/{pid}/cmdline").read_text()


def starter_environment(pid: int) -> dict[str, str]:
    """The environment of a running process, as Linux shows it to its owner."""
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)
