"""`docs/tenants.md` is kept true: its commands are run on the stack against the pretend tools, typed answers included.

To renew the page after a change of the output: `DESKHAND_REWRITE_DOCS=1 pytest tests/e2e/test_tenant_add.py`, and read
what it says now.
"""

import json
import os
import re
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from plugins.conformance.pretend.controlling import Control
from tests.support.desk import Desk
from tests.support.transcripts import Console, hold

PAGE = Path(__file__).parents[2] / "docs" / "tenants.md"
PUBLIC = "https://deskhand.example"
ADDRESSES = {
    "jira": "https://acme.atlassian.net",
    "zendesk": "https://acme.zendesk.com",
    "servicedesk_plus": "https://helpdesk.acme.example:8080",
}
ACCOUNTS = {"jira": "557058:f58131cb-b67d-43c7-b30d-6b58d40bd077", "zendesk": "10044", "servicedesk_plus": "10017"}
NAMES = {"jira": "acme-jira", "zendesk": "acme-zendesk", "servicedesk_plus": "acme-servicedesk"}
SECRETS = ("api_token", "client_secret", "api_key")


@dataclass(frozen=True)
class Setting:
    """A pretend tool with an account, and a console whose commands add a tenant of it."""

    desk: Desk
    tool: str
    tenant: str
    vendor: Control
    account_id: str
    console: Console

    async def takes(self, secret: str) -> None:
        """Have the tool call the webhook of the tenant, and see that the run gets its note."""
        url = f"{self.desk.stack.addresses.starter}/webhooks/{self.tool}/{self.tenant}"
        await self.vendor.webhook(url, secret)
        created = await self.vendor.create(subject="The printer is on fire", description="Smoke.")
        assert created.announced == 202
        result = await self.desk.handle(f"{self.tool}:{self.tenant}:{created.ticket_id}:created").result()
        assert result.outcome == "posted"

    async def stored(self) -> Any:
        """The tenant's row."""
        return await self.desk.operator.fetchrow("SELECT * FROM tenant_configs WHERE tenant_id = $1", self.tenant)


async def setting(
    desk: Desk, tool: str, folder: Path, edition: str, *, environment: Mapping[str, str] = MappingProxyType({})
) -> Setting:
    """`environment` names variables that hold a secret field of the connection."""
    vendor = desk.vendor(tool)
    account = await vendor.account(**(await vendor.editions())[edition])
    tenant = f"acme-{secrets.token_hex(4)}"
    env = {
        **desk.stack.command_environment(),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DESKHAND_PUBLIC_URL": PUBLIC,
        **{variable: str(account.connection[field]) for variable, field in environment.items()},
    }
    hidden = {str(account.connection[name]): f"<{name}>" for name in SECRETS if name in account.connection}
    names = {str(account.connection[name]): "deskhand_notes" for name in ("client_id",) if name in account.connection}
    shown = {account.id: ACCOUNTS[tool], vendor.origin: ADDRESSES[tool], tenant: NAMES[tool], **hidden, **names}
    return Setting(desk, tool, tenant, vendor, account.id, Console(env, folder, shown))


def made_secret(printed: str) -> str:
    """The webhook secret that was shown once."""
    (secret,) = re.findall(r"^webhook secret: +(\S+)$", printed, re.MULTILINE)
    assert printed.count(secret) == 1
    return str(secret)


def planted(at: Setting) -> list[str]:
    """The credentials, which nothing may show."""
    return [actual for actual, shown in at.console.shown.items() if shown.startswith("<")]


async def test_jira_on_a_terminal(desk: Desk, tmp_path: Path) -> None:
    at = await setting(desk, "jira", tmp_path, "classic")
    transcript, printed = await at.console.talk(
        "deskhand tenant add acme-jira --tool jira",
        [
            ("base_url: ", "acme.atlassian.net"),
            ("acme.example\nbase_url: ", "https://acme.atlassian.net"),
            ("site_url (optional): ", ""),
            ("email (optional): ", "deskhand@acme.example"),
            ("api_token (not shown): ", "<api_token>"),
            ("visibility_role (optional): ", ""),
            ("allow_project_visible [no]: ", ""),
            ("signature_scheme [hmac]: ", ""),
        ],
    )
    hold(PAGE, "jira-asked", transcript)
    assert not any(secret in printed for secret in planted(at))
    assert json.loads((await at.stored())["settings"])["own_account_id"] == at.account_id
    await at.takes(made_secret(printed))


async def test_jira_from_a_script(desk: Desk, tmp_path: Path) -> None:
    at = await setting(desk, "jira", tmp_path, "classic", environment={"ACME_JIRA_TOKEN": "api_token"})
    command = (
        "deskhand tenant add acme-jira --tool jira --set base_url=https://acme.atlassian.net \\\n"
        "    --set email=deskhand@acme.example --secret-env api_token=ACME_JIRA_TOKEN"
    )
    at.console.env["ACME_JIRA_TOKEN"], right = "wrong", at.console.env["ACME_JIRA_TOKEN"]
    refused, printed = await at.console.run(command, code=1)
    hold(PAGE, "jira-refused", refused)
    assert "wrong" not in printed.replace("what is wrong", "")
    assert await at.stored() is None

    at.console.env["ACME_JIRA_TOKEN"] = right
    transcript, printed = await at.console.run(command)
    hold(PAGE, "jira-given", transcript)
    assert not any(secret in printed for secret in planted(at))
    await at.takes(made_secret(printed))

    ready, _ = await at.console.run("deskhand tenant test acme-jira")
    hold(PAGE, "jira-test", ready)
    rotated, printed = await at.console.run("deskhand tenant rotate-secret acme-jira")
    hold(PAGE, "jira-rotate", rotated)
    assert made_secret(printed)

    exported, _ = await at.console.run("deskhand tenant export acme-jira")
    hold(PAGE, "jira-export", exported)
    changed, _ = await at.console.run("deskhand tenant update acme-jira --retention-days 90 --priority Blocker=high")
    hold(PAGE, "jira-update", changed)


async def test_zendesk_on_a_terminal(desk: Desk, tmp_path: Path) -> None:
    at = await setting(desk, "zendesk", tmp_path, "oauth")
    transcript, printed = await at.console.talk(
        "deskhand tenant add acme-zendesk --tool zendesk",
        [
            ("base_url: ", "https://acme.zendesk.com"),
            ("client_id (optional): ", "deskhand_notes"),
            ("client_secret (not shown, optional): ", "<client_secret>"),
            ("scope [read write]: ", ""),
        ],
    )
    hold(PAGE, "zendesk-asked", transcript)
    assert not any(secret in printed for secret in planted(at))
    made_by_zendesk = f"made-by-zendesk-{secrets.token_hex(8)}"
    transcript, printed = await at.console.talk(
        "deskhand tenant rotate-secret acme-zendesk --ask --keep-old 0",
        [("webhook_secret (not shown): ", made_by_zendesk)],
    )
    hold(PAGE, "zendesk-secret", transcript)
    assert made_by_zendesk not in printed
    await at.takes(made_by_zendesk)


async def test_zendesk_from_a_script(desk: Desk, tmp_path: Path) -> None:
    at = await setting(desk, "zendesk", tmp_path, "oauth", environment={"ACME_ZENDESK_SECRET": "client_secret"})
    transcript, printed = await at.console.run(
        "deskhand tenant add acme-zendesk --tool zendesk --set base_url=https://acme.zendesk.com \\\n"
        "    --set client_id=deskhand_notes --secret-env client_secret=ACME_ZENDESK_SECRET --no-webhook-secret"
    )
    hold(PAGE, "zendesk-given", transcript)
    assert not any(secret in printed for secret in planted(at))


async def test_servicedesk_plus_on_a_terminal(desk: Desk, tmp_path: Path) -> None:
    at = await setting(desk, "servicedesk_plus", tmp_path, "on_premises")
    transcript, printed = await at.console.talk(
        "deskhand tenant add acme-servicedesk --tool servicedesk_plus",
        [
            ("base_url: ", "https://helpdesk.acme.example:8080"),
            ("api_key (not shown, optional): ", "<api_key>"),
            ("resource_path [requests]: ", ""),
            ("note_root (optional): ", ""),
            ("signature_scheme [header]: ", ""),
        ],
    )
    hold(PAGE, "servicedesk-asked", transcript)
    assert not any(secret in printed for secret in planted(at))
    await at.takes(made_secret(printed))


async def test_servicedesk_plus_from_a_script(desk: Desk, tmp_path: Path) -> None:
    at = await setting(desk, "servicedesk_plus", tmp_path, "on_premises")
    (tmp_path / "acme.json").write_text(json.dumps({"api_key": at.console.real("<api_key>")}))
    transcript, printed = await at.console.run(
        "deskhand tenant add acme-servicedesk --tool servicedesk_plus --json --secrets-stdin \\\n"
        "    --set base_url=https://helpdesk.acme.example:8080 < acme.json"
    )
    hold(PAGE, "servicedesk-given", transcript)
    assert not any(secret in printed for secret in planted(at))
    await at.takes(json.loads(printed)["webhook_secret"])
