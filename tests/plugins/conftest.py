"""What plugin tests share: pretend vendors on free ports, a client, and tenants in a dictionary."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import httpx
import pytest

from plugins.conformance.pretend.controlling import Control
from plugins.conformance.pretend.serving import Host, serve
from plugins.conformance.pretend.vendor import PretendVendor
from tests.support.pretend import MemoryTenants, PretendFactory, VendorT


@pytest.fixture(scope="session")
async def pretend() -> AsyncIterator[PretendFactory]:
    """`vendor = await pretend(PretendJira)`: a fresh pretend vendor, served at `vendor.origin`."""
    hosts: dict[type[PretendVendor], Host] = {}
    async with AsyncExitStack() as stack:

        async def fresh(kind: type[VendorT]) -> VendorT:
            if kind not in hosts:
                hosts[kind] = await stack.enter_async_context(serve(Host))
            vendor = kind(hosts[kind].origin)
            hosts[kind].vendor = vendor
            return vendor

        yield fresh


@pytest.fixture(scope="session")
def tls() -> ssl.SSLContext:
    """Making one takes longer than most tests."""
    return httpx.create_ssl_context(trust_env=False)


@pytest.fixture
async def http(tls: ssl.SSLContext) -> AsyncIterator[httpx.AsyncClient]:
    """A plain client, for plugins."""
    async with httpx.AsyncClient(trust_env=False, timeout=10, verify=tls) as client:
        yield client


@pytest.fixture(scope="session")
async def control(tls: ssl.SSLContext) -> AsyncIterator[Callable[[PretendVendor], Control]]:
    """`control(vendor)`: the control API of a pretend vendor, through a client that no plugin shares."""
    async with httpx.AsyncClient(trust_env=False, timeout=10, verify=tls) as client:
        yield lambda vendor: Control(client, vendor.origin)


@pytest.fixture
def tenants() -> MemoryTenants:
    """No tenants yet."""
    return MemoryTenants()
