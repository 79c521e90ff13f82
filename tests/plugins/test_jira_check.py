"""What a check of a Jira connection finds, and whether following what it says mends it."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from deskhand.pretend.jira import CLOUD_ID, GATEWAY, PretendJira
from plugins.conformance.pretend.controlling import Control
from plugins.conformance.pretend.vendor import PretendVendor
from plugins.types import ConnectionReport, Finding, TenantSettings
from tests.support.jira import TOKEN, Jira
from tests.support.pretend import MemoryTenants, PretendFactory


@pytest.fixture
async def jira(
    pretend: PretendFactory,
    control: Callable[[PretendVendor], Control],
    tenants: MemoryTenants,
    http: httpx.AsyncClient,
) -> Jira:
    vendor = await pretend(PretendJira)
    return await Jira.connected(vendor, control(vendor), tenants, http)


async def check(jira: Jira) -> ConnectionReport:
    """The report, which names no token and changes nothing at the vendor."""
    report = await jira.plugin.check_connection("acme")
    assert TOKEN not in report.model_dump_json()
    assert {entry["method"] for entry in await jira.site.log()} <= {"GET"}
    return report


def found(report: ConnectionReport, words: str) -> Finding:
    """The one finding with these words."""
    [finding] = [finding for finding in report.findings if words in finding.what]
    return finding


def ok_of(report: ConnectionReport, words: str) -> bool | None:
    return found(report, words).ok


@pytest.mark.parametrize("kind", ["classic", "scoped", "oauth"])
async def test_a_good_connection_says_who_we_are_and_what_we_may(jira: Jira, kind: str) -> None:
    await jira.be(kind=kind)
    report = await check(jira)
    assert report.ok
    assert report.account == jira.account_id
    assert ok_of(report, f"signed in as Deskhand, account id {jira.account_id}") is True
    assert ok_of(report, "may read issues in at least one project") is True
    assert ok_of(report, "may add comments in at least one project") is True
    assert ok_of(report, "is an agent of a service project: its notes there are internal comments") is True
    assert found(report, "our own notes cause").mend == f"set own_account_id to {jira.account_id}"


async def test_what_is_set_is_not_asked_for_again(jira: Jira) -> None:
    jira.connect(TenantSettings(own_account_id=jira.account_id), visibility_role="Developers")
    report = await check(jira)
    assert not any("set " in finding.mend for finding in report.findings)
    assert "Developers" in found(report, "in other projects").what


async def test_that_no_note_is_posted_in_other_projects_is_told_and_how_to_have_one(jira: Jira) -> None:
    assert "visibility_role" in found(await check(jira), "no service projects no note is posted").mend
    jira.connect(allow_project_visible=True)
    assert "everyone who may see the project" in found(await check(jira), "in other projects").what


@pytest.mark.parametrize("kind", ["classic", "scoped"])
async def test_that_an_api_token_ends_is_told_where_it_cannot_be_asked_when(jira: Jira, kind: str) -> None:
    await jira.be(kind=kind)
    finding = found(await check(jira), "for a year at most")
    assert (finding.ok, "id.atlassian.com" in finding.mend) == (None, True)


# What an account may not


@pytest.mark.parametrize(
    ("account", "words", "ok"),
    [
        ({"may_browse": False}, "may not read issues in any project", False),
        ({"may_comment": False}, "may not add comments in any project", False),
        ({"may_delete": False}, "may not delete its own comments", None),
        ({"standing": "collaborator"}, "is an agent of no service project", None),
        ({"standing": "customer"}, "is an agent of no service project", None),
    ],
    ids=str,
)
async def test_a_missing_permission_is_named_with_what_to_grant(
    jira: Jira, account: dict[str, Any], words: str, ok: bool | None
) -> None:
    await jira.be(**account)
    report = await check(jira)
    assert report.ok is (ok is not False)
    finding = found(report, words)
    assert finding.ok is ok
    assert "Add comments" in finding.mend or "make the account an agent" in finding.mend


async def test_a_site_without_service_projects_does_not_know_what_an_agent_is(jira: Jira) -> None:
    """Jira refuses the whole request for a permission that it does not know."""
    jira.vendor.knows_agents = False
    report = await check(jira)
    assert report.ok
    assert ok_of(report, "may add comments") is True
    assert ok_of(report, "whether the account is an agent of a service project could not be told") is None


@pytest.mark.parametrize(
    "permissions",
    [{}, {"permissions": None}, {"permissions": []}, {"permissions": {"ADD_COMMENTS": {"havePermission": "yes"}}}],
    ids=str,
)
async def test_what_jira_leaves_out_of_its_answer_is_not_made_up(jira: Jira, permissions: dict[str, Any]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        who = {"accountId": jira.account_id, "displayName": "Deskhand"}
        return httpx.Response(200, json=who if request.url.path.endswith("/myself") else permissions)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as jira.plugin.http:
        report = await jira.plugin.check_connection("acme")
    assert report.ok
    assert ok_of(report, "whether the account may read issues could not be told") is None
    assert ok_of(report, "whether the account may add comments could not be told") is None


# Tokens and addresses that do not fit


async def test_a_wrong_token_is_told_with_where_to_make_another(jira: Jira) -> None:
    jira.connect(api_token="wrong-one")
    [finding] = (await check(jira)).findings
    assert finding.ok is False
    assert "answered 401" in finding.what
    assert "https://id.atlassian.com/manage-profile/security/api-tokens" in finding.mend
    assert "wrong-one" not in finding.what + finding.mend


@pytest.mark.parametrize("kind", ["scoped", "oauth"])
async def test_a_token_of_the_gateway_at_the_site_is_mended_by_what_the_check_says(jira: Jira, kind: str) -> None:
    await jira.be(kind=kind)
    jira.connect(base_url=jira.site.origin)
    [finding] = (await check(jira)).findings
    assert finding.ok is False
    assert "https://api.atlassian.com/ex/jira/<cloud id> as base_url" in finding.mend
    [page] = re.findall(rf"{jira.site.origin}[^\s;]+", finding.mend)
    cloud_id = (await jira.plugin.http.get(page)).json()["cloudId"]
    jira.connect(base_url=f"{jira.site.origin}/ex/jira/{cloud_id}")
    assert (await check(jira)).ok


async def test_an_account_that_must_not_use_the_site_is_told_where_to_look(jira: Jira) -> None:
    await jira.site.fault("other", "status", status=403)
    [finding] = (await check(jira)).findings
    assert "answered 403" in finding.what
    assert "the account may use Jira there" in finding.mend


async def test_an_api_token_without_its_email_address_says_that_it_is_missing(jira: Jira) -> None:
    jira.connect(email=None)
    [finding] = (await check(jira)).findings
    assert finding.mend.startswith("give email for an API token")


async def test_a_classic_token_at_the_gateway_says_which_address_it_needs(jira: Jira) -> None:
    jira.connect(base_url=jira.site.origin + GATEWAY)
    [finding] = (await check(jira)).findings
    assert finding.ok is False
    assert "a classic API token needs the site's address as base_url" in finding.mend
    assert "The token needs the scopes read:jira-work" in finding.mend


async def test_a_wrong_cloud_id_says_where_the_right_one_stands(jira: Jira) -> None:
    await jira.be(kind="scoped")
    jira.connect(base_url=f"{jira.site.origin}/ex/jira/{CLOUD_ID[:-1]}0")
    [finding] = (await check(jira)).findings
    assert finding.ok is False
    assert "base_url: answered 404" in finding.what
    assert "/_edge/tenant_info" in finding.what


@pytest.mark.parametrize(
    "page", [httpx.Response(404, html="<h1>Site unavailable</h1>"), httpx.Response(200, html="<h1>Log in</h1>")]
)
async def test_an_address_that_is_no_jira_site_is_told_as_such(jira: Jira, page: httpx.Response) -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _request: page)) as jira.plugin.http:
        [finding] = (await jira.plugin.check_connection("acme")).findings
    assert finding.ok is False
    assert "base_url: answered" in finding.what
    assert "give the address of the site" in finding.what


@pytest.mark.parametrize("body", [{}, {"accountId": 5}, []], ids=str)
async def test_json_of_something_else_is_no_jira(jira: Jira, body: object) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=body)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as jira.plugin.http:
        report = await jira.plugin.check_connection("acme")
    assert not report.ok
    assert report.account == ""


async def test_a_connection_that_cannot_be_used_is_told_by_field(jira: Jira) -> None:
    jira.connect(base_url="https://api.atlassian.com")
    [finding] = (await check(jira)).findings
    assert finding.ok is False
    assert "base_url" in finding.what


# Where issues are opened


async def test_behind_the_gateway_the_check_says_which_site_it_is(jira: Jira) -> None:
    await jira.be(kind="oauth")
    assert ok_of(await check(jira), f"the gateway leads to {jira.site.origin}") is True
    jira.connect(site_url=None)
    assert found(await check(jira), "links to issues cannot be made").mend == f"set site_url to {jira.site.origin}"
    jira.connect(site_url="https://globex.atlassian.net")
    assert "cloud id" in found(await check(jira), "site_url is another address").mend
