"""The process that strangers reach cannot open an API credential, and no secret stands in an argument.

What is searched for everywhere is in test_planted.py.
"""

from pathlib import Path

import asyncpg
import pytest

from deskhand.crypto.keyfile import KeyFile
from deskhand.crypto.keyring import FileKeys, Keyring
from deskhand.crypto.sealing import SealError
from deskhand.tenants.sealing import open_connection
from tests.support.desk import Desk


async def test_the_starter_cannot_open_a_credential_with_what_it_has(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    environment = starter_environment(desk.stack.pids["starter"])
    assert not any(name.startswith("DESKHAND_CREDENTIAL_KEYS") for name in environment)
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(desk.stack.database.superuser)
    sealed = await connection.fetchval("SELECT connection FROM tenant_configs WHERE tenant_id = $1", tenant.id)
    await connection.close()
    with pytest.raises(SealError):
        open_connection(FileKeys(KeyFile(environment["DESKHAND_PAYLOAD_KEYS_FILE"]), "payload keys"), tenant.id, sealed)
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
