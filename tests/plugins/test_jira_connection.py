"""How a Jira tenant is connected: which token counts where, and what a connection may hold."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from pydantic import ValidationError as ModelError

from deskhand.pretend.jira import GATEWAY, PretendJira
from plugins.conformance.pretend.controlling import Control
from plugins.conformance.pretend.vendor import PretendVendor
from plugins.exceptions import AuthenticationError, ConfigurationError
from plugins.jira import JiraConnection
from tests.support.jira import TOKEN, Jira
from tests.support.pretend import MemoryTenants, PretendFactory

KINDS = ("classic", "scoped", "oauth")


@pytest.fixture
async def jira(
    pretend: PretendFactory,
    control: Callable[[PretendVendor], Control],
    tenants: MemoryTenants,
    http: httpx.AsyncClient,
) -> Jira:
    vendor = await pretend(PretendJira)
    return await Jira.connected(vendor, control(vendor), tenants, http)


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_of_token_counts_at_its_own_address_only(jira: Jira, kind: str) -> None:
    await jira.be(kind=kind)
    key = await jira.site.ticket()
    assert await jira.plugin.get_ticket("acme", key) is not None
    elsewhere = jira.site.origin + ("" if kind != "classic" else GATEWAY)
    jira.connect(base_url=elsewhere)
    with pytest.raises(AuthenticationError, match="answered 401"):
        await jira.plugin.get_ticket("acme", key)


async def test_with_an_email_address_the_token_is_basic_and_without_it_bearer(jira: Jira) -> None:
    key = await jira.site.ticket()
    await jira.be(kind="oauth")
    jira.connect(email="deskhand@acme.example")
    with pytest.raises(AuthenticationError):
        await jira.plugin.get_ticket("acme", key)
    await jira.be(kind="scoped")
    jira.connect(email=None)
    with pytest.raises(AuthenticationError):
        await jira.plugin.get_ticket("acme", key)


@pytest.mark.parametrize("behind", ["", "/"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_slash_at_the_end_of_the_address_does_no_harm(jira: Jira, kind: str, behind: str) -> None:
    await jira.be(kind=kind)
    jira.connect(base_url=f"{jira.site.origin}{'' if kind == 'classic' else GATEWAY}{behind}")
    assert await jira.plugin.get_ticket("acme", await jira.site.ticket()) is not None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"base_url": "acme.atlassian.net"}, "base_url"),
        ({"base_url": "ftp://acme.atlassian.net"}, "base_url"),
        ({"base_url": "https://user:secretive@acme.atlassian.net"}, "base_url"),
        ({"base_url": "https://acme.atlassian.net/?token=secretive"}, "base_url"),
        ({"base_url": "https://acme.atlassian.net/secretive"}, "base_url"),
        ({"base_url": "https://acme.atlassian.net/rest/api/3"}, "base_url"),
        ({"base_url": "https://api.atlassian.com"}, "base_url"),
        ({"base_url": "https://api.atlassian.com/ex/jira"}, "base_url"),
        ({"base_url": "https://api.atlassian.com/ex/confluence/1122"}, "base_url"),
        ({"base_url": "https://api.atlassian.com/ex/jira/1122/rest/api/3"}, "base_url"),
        ({"base_url": "https://api.atlassian.com/ex/jira/.."}, "base_url"),
        ({"base_url": "https://api.atlassian.com/ex/jira/%2e%2e"}, "base_url"),
        ({"site_url": "https://acme.atlassian.net/browse"}, "site_url"),
        ({"site_url": "javascript:secretive"}, "site_url"),
        ({"api_token": "secretive\nX-Injected: 1"}, "api_token"),
        ({"api_token": "secretivé"}, "api_token"),
        ({"api_token": ""}, "api_token"),
        ({"email": "secretive:colon@acme.example"}, "email"),
        ({"visibility_role": ""}, "visibility_role"),
        ({"visibility": "secretive"}, "visibility"),
    ],
    ids=str,
)
async def test_an_unusable_connection_is_refused_by_field_and_never_quoted(
    jira: Jira, changes: dict[str, Any], field: str
) -> None:
    jira.connect(**changes)
    with pytest.raises(ConfigurationError, match=f"acme: {field}:") as refused:
        await jira.plugin.get_ticket("acme", "HELP-1")
    assert "secretive" not in str(refused.value)
    assert await jira.site.log() == []


def test_the_gateways_address_needs_its_cloud_id_and_the_refusal_says_so() -> None:
    with pytest.raises(ModelError, match=r"https://api\.atlassian\.com/ex/jira/<cloud id> with nothing behind it"):
        JiraConnection(base_url="https://api.atlassian.com", api_token=SecretStr(TOKEN))


def test_every_field_says_what_it_is_for() -> None:
    for name, field in JiraConnection.model_fields.items():
        assert field.description, name
        assert field.examples or name in ("api_token", "allow_project_visible"), name
