"""`deskhand …` in a process of its own, with the tool `acmedesk` and a broken plugin installed beside ours."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deskhand.crypto.keyring import Keyring
from deskhand.devstack.postgres import DatabaseUrls

PLUGIN = """
from pydantic import BaseModel, Field, SecretStr
from plugins.base import TicketingToolPlugin
from plugins.exceptions import AuthenticationError

class Connection(BaseModel):
    base_url: str = Field(pattern="^https://")
    api_key: SecretStr = Field(description="The key of the account.")
    second_key: SecretStr | None = None
    page_size: int = 50

class Plugin(TicketingToolPlugin):
    __tool_type__ = "acmedesk"
    connection_model = Connection
    signature_schemes = frozenset({"hmac", "header"})
    async def validate_webhook(self, payload, signature): return False
    async def get_ticket(self, tenant_id, ticket_id):
        connection = await self.connection(tenant_id, Connection)
        if "down" in connection.base_url or connection.api_key.get_secret_value().startswith("wrong"):
            raise AuthenticationError("acmedesk answered 401")
    async def check_connection(self, tenant_id):
        report = await super().check_connection(tenant_id)
        connection = await self.connection(tenant_id, Connection)
        hostile = "\\x1b]0;owned\\x07u-1\\u202e\\udc80"
        return report.model_copy(update={"account_id": hostile}) if "hostile" in connection.base_url else report
    @classmethod
    def webhook_steps(cls, address, tenant_id, settings):
        if tenant_id == "stepless":
            raise RuntimeError("no steps")
        return super().webhook_steps(address, tenant_id, settings)
    async def update_ticket(self, tenant_id, ticket_id, content): return False
    def extract_metadata(self, payload): raise NotImplementedError
"""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    def failed_with(self, message: str) -> bool:
        """Whether it failed with this in one readable line and nothing else."""
        lines = self.err.splitlines()
        return (self.code, self.out, len(lines)) == (1, "", 1) and message in lines[0]


Run = Callable[..., Awaitable[Done]]


def acmedesk_environment(database: DatabaseUrls, folder: Path) -> dict[str, str]:
    """What the command line needs. The plugins are put into the folder."""
    (folder / "acmedesk_plugin.py").write_text(PLUGIN)
    info = folder / "acmedesk-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acmedesk\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[deskhand.plugins]\nacmedesk = acmedesk_plugin:Plugin\nbroken = acmedesk_plugin:Missing\n"
    )
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(folder),
        "COLUMNS": "200",
        "DESKHAND_DATABASE_URL": database.app,
        "DESKHAND_DATABASE_OWNER_URL": database.owner,
        "DESKHAND_DATABASE_OPERATOR_URL": database.operator,
        "DESKHAND_PAYLOAD_KEYS": Keyring.generate_text(),
        "DESKHAND_CREDENTIAL_KEYS": Keyring.generate_text(),
        "DESKHAND_PUBLIC_URL": "https://hooks.example/",
    }


def runner(environment: Mapping[str, str]) -> Run:
    """Run `deskhand …` to its end. `given` goes to its standard input; a setting of `None` is left out."""

    async def run(*arguments: str, given: str = "", settings: Mapping[str, str | None] | None = None) -> Done:
        changed = {**environment, **(settings or {})}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deskhand.cli", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={name: value for name, value in changed.items() if value is not None},
        )
        out, err = await process.communicate(given.encode())
        return Done(process.returncode or 0, out.decode(), err.decode())

    return run
