"""`python -m starter` as an operator sees it."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

import httpx
import pytest
from pydantic import SecretStr
from temporalio.client import Client

from deskhand.crypto.keyring import Keyring
from deskhand.devstack.postgres import DatabaseUrls
from deskhand.devstack.state import free_ports
from deskhand.settings import Settings
from deskhand.tenants.admin import NewTenant, TenantAdmin
from deskhand.tenants.sealing import Connection
from plugins.tenants import WebhookSecret
from starter import __main__ as starter
from tests.support.signed_tool import sign

ROOT = Path(__file__).parents[3]


async def _start(**environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "starter",
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


USABLE = {
    "DESKHAND_PAYLOAD_KEYS": Keyring.generate_text(),
    "DESKHAND_DATABASE_URL": "postgresql://deskhand_app:hunter2@127.0.0.1:1/deskhand",
}


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({}, "DESKHAND_PAYLOAD_KEYS is not set"),
        ({"DESKHAND_PAYLOAD_KEYS": "hunter2"}, "DESKHAND_PAYLOAD_KEYS: keyring: entry 1"),
        ({"DESKHAND_PAYLOAD_KEYS": Keyring.generate_text()}, "DESKHAND_DATABASE_URL is not set"),
        ({"DESKHAND_STARTER_PORT": "hunter2"}, "DESKHAND_STARTER_PORT"),
        ({**USABLE, "DESKHAND_DATABASE_URL": "postgresql://a:hunter2/@127.0.0.1:1/b"}, "DESKHAND_DATABASE_URL: "),
        ({**USABLE, "TEMPORAL_ADDRESS": "127.0.0.1:hunter2"}, "TEMPORAL_ADDRESS: must read host:port"),
    ],
)
async def test_a_missing_or_unusable_setting_is_one_line_and_exit_code_1(
    environment: dict[str, str], says: str
) -> None:
    process = await _start(**environment)
    output, errors = await process.communicate()
    assert process.returncode == 1
    assert output == b""
    (line,) = errors.decode().splitlines()
    assert line.startswith("starter: ")
    assert says in line
    assert "hunter2" not in line


async def test_its_plugins_may_not_reach_our_own_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}

    def create(**options: object) -> NoReturn:
        given.update(options)
        raise InterruptedError

    monkeypatch.setattr(starter, "create_http_client", create)
    monkeypatch.setenv("TEMPORAL_ADDRESS", "10.0.0.6:7233")
    with pytest.raises(InterruptedError):
        await starter._serve(Settings(), Keyring.parse(Keyring.generate_text()), "postgresql://a:b@10.0.0.5/c")
    assert given["own_stores"] == {"10.0.0.5:5432", "10.0.0.6:7233"}


async def _url(process: asyncio.subprocess.Process) -> tuple[str, str]:
    """Where the process listens, and its log so far."""
    assert process.stderr is not None
    log = ""
    async for line in process.stderr:
        log += line.decode()
        if "running on" in log:
            break
    return json.loads(log.splitlines()[-1])["event"].split()[3], log


async def test_it_comes_up_while_everything_else_is_down_and_stops_when_told() -> None:
    (down,) = free_ports(1)
    keys, credential_keys = Keyring.generate_text(), Keyring.generate_text()
    process = await _start(
        DESKHAND_PAYLOAD_KEYS=keys,
        DESKHAND_CREDENTIAL_KEYS=credential_keys,
        DESKHAND_DATABASE_URL=f"postgresql://deskhand_app:hunter2@127.0.0.1:{down}/deskhand",
        DESKHAND_STARTER_PORT="0",
        TEMPORAL_ADDRESS=f"127.0.0.1:{down}",
    )
    url, log = await _url(process)
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        assert (await http.get("/healthz")).status_code == 200
        ready = await http.get("/readyz")
        assert ready.status_code == 503
        assert set(ready.json()) == {"tenants", "temporal", "spool"}
        assert set(ready.json().values()) == {"does not answer"}
        for tool in ("jira", "zendesk", "servicedesk_plus"):
            answer = await http.post(f"/webhooks/{tool}/acme", json={"ticket_id": "T-1", "secret": "hunter2"})
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "30"
            assert "server" not in answer.headers
    process.send_signal(signal.SIGTERM)
    output, errors = await process.communicate()
    log += errors.decode()
    assert process.returncode == -signal.SIGTERM
    assert output == b""
    events = [json.loads(line)["event"] for line in log.splitlines()]
    assert "credential_keys_present" in events
    assert events.count("delivery") == 3
    assert "hunter2" not in log
    assert keys.partition(":")[2] not in log
    assert credential_keys.partition(":")[2] not in log


async def test_a_delivery_goes_through_the_real_store_into_the_real_temporal(
    admin: TenantAdmin, database: DatabaseUrls, temporal: Client, payload_keys_text: str
) -> None:
    await admin.add(
        NewTenant("real", "jira", Connection({}, {}), (WebhookSecret(SecretStr("webhook secret of real")),))
    )
    process = await _start(
        DESKHAND_PAYLOAD_KEYS=payload_keys_text,
        DESKHAND_DATABASE_URL=database.app,
        DESKHAND_STARTER_PORT="0",
        TEMPORAL_ADDRESS=temporal.service_client.config.target_host,
    )
    url, log = await _url(process)
    raw = b'{"webhookEvent":"jira:issue_created","issue":{"id":"1","key":"IT-1","fields":{"summary":"Printer"}}}'
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        assert (await http.get("/readyz")).status_code == 200
        answers = [
            await http.post(
                "/webhooks/jira/real",
                content=raw,
                headers={"Content-Type": "application/json", "X-Hub-Signature": signature},
            )
            for signature in (sign("another", raw), sign("webhook secret of real", raw))
        ]
        assert (await http.post("/webhooks/jira/nobody", json={"a": 1})).status_code == 401
    process.send_signal(signal.SIGTERM)
    _, errors = await process.communicate()
    log += errors.decode()
    assert [answer.status_code for answer in answers] == [401, 202]
    run = await temporal.get_workflow_handle(answers[1].json()["run"]).describe()
    assert run.task_queue == "deskhand"
    assert "Printer" not in log
    assert "sha256=" not in log
