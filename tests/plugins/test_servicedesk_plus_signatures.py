"""How a ServiceDesk Plus webhook shows that it is authentic, where the vendor itself signs nothing."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import httpx
import pytest

from plugins.exceptions import ConfigurationError
from plugins.payload import WebhookPayload
from plugins.servicedesk_plus import ServiceDeskPlusPlugin
from plugins.types import TenantSettings
from tests.support.pretend import MemoryTenants

SECRET = "a marked test secret"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
BODY = '{"ticket_id": "7", "description": "Drück mich"}'.encode()

HEADER = {"x-deskhand-secret": SECRET}
BASIC = {"authorization": "Basic " + base64.b64encode(f"sdp:{SECRET}".encode()).decode()}
HMAC = {"x-servicedesk-signature": "sha256=" + hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()}


@pytest.fixture
def plugin(tenants: MemoryTenants, http: httpx.AsyncClient) -> ServiceDeskPlusPlugin:
    tenants.add("acme", "servicedesk_plus", secrets=(SECRET,))
    return ServiceDeskPlusPlugin(tenants, http)


async def accepted(
    plugin: ServiceDeskPlusPlugin,
    headers: dict[str, str],
    scheme: str | None = None,
) -> bool:
    settings = TenantSettings(signature_scheme=scheme)
    payload = WebhookPayload({"tenant_id": "acme"}, raw=BODY, received_at=NOW, settings=settings)
    return await plugin.validate_webhook(payload, plugin.signature_from(headers, settings))


@pytest.mark.parametrize(
    ("scheme", "right"), [(None, HEADER), ("header", HEADER), ("basic", BASIC), ("hmac", HMAC)], ids=str
)
async def test_only_the_scheme_in_force_counts(
    plugin: ServiceDeskPlusPlugin, scheme: str | None, right: dict[str, str]
) -> None:
    for headers in (HEADER, BASIC, HMAC, {}):
        assert await accepted(plugin, headers, scheme) is (headers is right)


async def test_a_signature_of_another_scheme_does_not_pass_at_any_stage(plugin: ServiceDeskPlusPlugin) -> None:
    """The run gets the signature ready-made: its form alone must not choose the scheme."""
    digest = "static-sha256=" + hashlib.sha256(SECRET.encode()).hexdigest()
    for scheme, signature, right in (
        ("header", digest, True),
        ("header", HMAC["x-servicedesk-signature"], False),
        ("hmac", HMAC["x-servicedesk-signature"], True),
        ("hmac", digest, False),
    ):
        payload = WebhookPayload(
            {"tenant_id": "acme"}, raw=BODY, received_at=NOW, settings=TenantSettings(signature_scheme=scheme)
        )
        assert await plugin.validate_webhook(payload, signature) is right, (scheme, signature)


async def test_the_interface_references_example(plugin: ServiceDeskPlusPlugin) -> None:
    """A plain dict, signed over compact JSON."""
    payload = {"tenant_id": "acme", "ticket_id": "7"}
    raw = json.dumps(payload, separators=(",", ":")).encode()
    signature = "sha256=" + hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
    assert await plugin.validate_webhook(payload, signature)
    assert not await plugin.validate_webhook({**payload, "ticket_id": "8"}, signature)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-deskhand-secret": "wrong"},
        {"x-deskhand-secret": ""},
        {"authorization": "Bearer " + SECRET},
        {"authorization": "Basic !"},
        {"authorization": "Basic " + base64.b64encode(SECRET.encode()).decode()},
        {"authorization": "Basic " + base64.b64encode(f"{SECRET}:".encode()).decode()},
        {"authorization": "Basic " + base64.b64encode(b"\xff:\xff").decode()},
        {"x-servicedesk-signature": HMAC["x-servicedesk-signature"].removeprefix("sha256=")},
        {"x-servicedesk-signature": HMAC["x-servicedesk-signature"].replace("sha256=", "sha1=")},
        {"x-servicedesk-signature": "static-sha256=" + hashlib.sha256(SECRET.encode()).hexdigest()},
    ],
)
@pytest.mark.parametrize("scheme", ["header", "basic", "hmac"])
async def test_what_is_not_quite_the_secret_is_refused(
    plugin: ServiceDeskPlusPlugin, headers: dict[str, str], scheme: str
) -> None:
    assert not await accepted(plugin, headers, scheme)


def test_a_scheme_that_there_is_not_is_the_operators_to_mend(plugin: ServiceDeskPlusPlugin) -> None:
    with pytest.raises(ConfigurationError, match="signature_scheme: must be one of header, basic, hmac"):
        plugin.signature_from(HEADER, TenantSettings(signature_scheme="jwt"))
