"""`deskhand plugins check` as an operator runs it: what works, and for each thing that does not, how to mend it."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.desk import EDITIONS, Desk


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """What it printed, without the line breaks of its layout."""
        return " ".join(self.out.split())


async def check(desk: Desk, tenant_id: str, *options: str, vendors: str = "") -> Done:
    """Run the command on the stack, with one more address that counts as a development vendor."""
    environment = dict(desk.stack.command_environment())
    if vendors:
        environment["DESKHAND_DEV_VENDORS"] += f",{vendors}"
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("deskhand")), "plugins", "check", "--tenant", tenant_id, *options),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    out, err = await process.communicate()
    return Done(process.returncode or 0, out.decode(), err.decode())


@pytest.mark.parametrize(("tool", "edition"), EDITIONS)
async def test_a_connection_that_works(desk: Desk, tool: str, edition: str) -> None:
    tenant = await desk.tenant(tool, edition=edition)
    done = await check(desk, tenant.id)
    assert (done.code, done.err) == (0, "")
    first, *_, last = done.out.splitlines()
    assert first == f"{tenant.id} ({tool})"
    assert last == "The connection works."
    assert "FAILED" not in done.out
    assert not any(secret in done.out for secret in tenant.credentials)


WRONG: dict[str, tuple[str, str, dict[str, Any], dict[str, Any], str]] = {
    # name: tool, edition, fields of the account, fields of the connection, what is said
    "zendesk, wrong token": ("zendesk", "api_token", {}, {"api_token": "wrong"}, "401.*api_token is active"),
    "zendesk, wrong client": ("zendesk", "oauth", {}, {"client_secret": "wrong"}, "invalid_client.*client_secret"),
    "zendesk, no agent": ("zendesk", "api_token", {"role": "end_user"}, {}, "Admin Center > People"),
    "jira, wrong token": ("jira", "classic", {}, {"api_token": "wrong"}, "401.*make a new API token"),
    "jira, scoped token at the site": ("jira", "scoped", {}, {"base_url": "{jira}"}, "gateway|/ex/jira/<cloud id>"),
    "jira, may not comment": ("jira", "classic", {"may_comment": False}, {}, "may not add comments.*Add comments"),
    "servicedesk, wrong key": ("servicedesk_plus", "on_premises", {}, {"api_key": "wrong"}, "4022.*another api_key"),
    "servicedesk, may not read": ("servicedesk_plus", "on_premises", {"may_read": False}, {}, "right to view requests"),
    "servicedesk, no portal": (
        *("servicedesk_plus", "on_premises_portal", {}),
        {"base_url": "{servicedesk_plus}/app/unknown"},
        "/app/unknown.*/app/<portal>",
    ),
    "servicedesk, wrong refresh token": (
        *("servicedesk_plus", "cloud", {}, {"refresh_token": "1000.wrong"}),
        "invalid_code.*refresh token",
    ),
    "freshservice, wrong key": ("freshservice", "default", {}, {"api_key": "wrong"}, "401.*give credentials"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_does_not_work_says_how_to_mend_it(desk: Desk, name: str) -> None:
    tool, edition, account, changed, said = WRONG[name]
    changed = {field: value.format(**desk.stack.addresses.tools) for field, value in changed.items()}
    tenant = await desk.tenant(tool, edition=edition, account=account, changed=changed)
    done = await check(desk, tenant.id)
    assert (done.code, done.err) == (1, "")
    failed = done.words[done.words.index("FAILED") :]
    assert re.search(said, failed), failed
    assert "→" in failed
    assert done.out.splitlines()[-1] == "The connection does not work."
    assert not any(secret in done.out for secret in tenant.credentials)


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(1024):
        pass
    writer.close()


async def _say_not_found(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1024)
    writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\n<h1>404</")
    await writer.drain()
    writer.close()


@pytest.fixture
async def places() -> AsyncIterator[Mapping[str, str]]:
    """`host:port` of a server that never answers, and of a web server that is no ticketing tool and knows no TLS."""
    silent = await asyncio.start_server(_say_nothing, "127.0.0.1", 0)
    web = await asyncio.start_server(_say_not_found, "127.0.0.1", 0)
    async with silent, web:
        yield {
            name: f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            for name, server in {"silent": silent, "web": web}.items()
        }


@pytest.mark.parametrize(
    ("tool", "address", "said"),
    [
        # What the tools share is shown once for each; `tests/integration/test_connection_problems.py` has the rest.
        ("zendesk", "https://{web}", "does not speak TLS.*→.*port"),
        ("jira", "http://{silent}", "no answer within 5 s.*→.*firewall"),
        ("servicedesk_plus", "https://10.11.12.13", "base_url: leads to a private address.*--allow-private-address"),
        ("zendesk", "https://169.254.169.254", "base_url: leads to an address that is never allowed"),
        ("jira", "http://helpdesk.acme.example", "base_url: must be https"),
        ("zendesk", "http://{web}", "404.*→.*base_url"),
        ("jira", "http://{web}", "base_url: answered 404, and not as Jira's API does"),
        ("servicedesk_plus", "http://{web}", "404.*→.*base_url"),
    ],
)
async def test_an_address_that_is_not_reached_says_why(
    desk: Desk, places: Mapping[str, str], tool: str, address: str, said: str
) -> None:
    tenant = await desk.tenant(tool, changed={"base_url": address.format(**places)})
    done = await check(desk, tenant.id, vendors=",".join(places.values()))
    assert (done.code, done.err) == (1, "")
    assert re.search(f"FAILED.*{said}", done.words), done.out


async def test_a_program_reads_the_findings(desk: Desk) -> None:
    tenant = await desk.tenant("zendesk", changed={"api_token": "wrong"})
    done = await check(desk, tenant.id, "--json")
    assert done.code == 1
    found = json.loads(done.out)
    assert (found["tenant"], found["tool"], found["ok"]) == (tenant.id, "zendesk", False)
    assert [finding["ok"] for finding in found["findings"]].count(False) == 1
    assert all(finding["what"] for finding in found["findings"])


async def test_a_tenant_that_is_not_there(desk: Desk) -> None:
    done = await check(desk, "nobody")
    assert (done.code, done.out) == (1, "")
    assert done.err == "deskhand: tenant nobody: does not exist; see `deskhand tenant list`\n"
