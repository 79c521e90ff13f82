"""Notes on Jira issues: private or not posted, found again, and no second one."""

import json
from collections.abc import Callable
from typing import cast

import httpx
import pytest

from deskhand.pretend import jira_bodies
from deskhand.pretend.jira import PretendJira
from plugins.conformance.pretend.controlling import Control
from plugins.conformance.pretend.vendor import PretendVendor
from plugins.exceptions import APIError, ConfigurationError, OutcomeUnknownError, PrivacyError
from plugins.types import TenantSettings
from tests.support.jira import NOTE, REF, Jira
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


# Writing: private or not posted


async def test_a_role_for_other_projects_does_not_open_or_break_service_projects(jira: Jira) -> None:
    jira.connect(visibility_role="No such role", allow_project_visible=True)
    key = await jira.site.ticket()
    assert await jira.update(key) is True
    [note] = await jira.site.notes(key)
    assert note["private"] is True


async def test_in_a_software_project_nothing_is_posted_without_a_way_to_hide_it(jira: Jira) -> None:
    key = await jira.site.ticket(project="SW")
    with pytest.raises(ConfigurationError, match=r"visibility_role.*allow_project_visible"):
        await jira.update(key)
    assert await jira.site.notes(key) == []
    assert [entry["operation"] for entry in await jira.site.log()] == ["get_ticket"]


async def test_in_a_software_project_a_note_is_hidden_behind_the_role(jira: Jira) -> None:
    jira.connect(visibility_role="Developers")
    key = await jira.site.ticket(project="SW")
    assert await jira.update(key) is True
    [note] = await jira.site.notes(key)
    assert note["private"] is True


async def test_in_a_software_project_a_note_whose_role_was_dropped_is_taken_back(jira: Jira) -> None:
    jira.connect(visibility_role="Developers", allow_project_visible=True)
    key = await jira.site.ticket(project="SW")
    await jira.site.fault("post_note", "public")
    with pytest.raises(PrivacyError, match="it was taken back"):
        await jira.update(key)
    assert await jira.site.notes(key) == []


async def test_the_operator_may_accept_that_the_project_sees_notes(jira: Jira) -> None:
    jira.connect(allow_project_visible=True)
    key = await jira.site.ticket(project="SW")
    assert await jira.update(key) is True
    [note] = await jira.site.notes(key)
    assert note["private"] is False


class Proxy(httpx.AsyncBaseTransport):
    """Stands between us and Jira, and leaves something out of what passes."""

    def __init__(self, *, of_comments: str = "", of_answers: str = "") -> None:
        self._through = httpx.AsyncHTTPTransport()
        self._of_comments = of_comments
        self._of_answers = of_answers

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method != "POST":
            return await self._through.handle_async_request(request)
        body = json.loads(request.content)
        body.pop(self._of_comments, None)
        headers = {name: value for name, value in request.headers.items() if name != "content-length"}
        answer = await self._through.handle_async_request(
            httpx.Request(request.method, request.url, headers=headers, json=body)
        )
        told = json.loads(await answer.aread())
        told.pop(self._of_answers, None)
        return httpx.Response(answer.status_code, json=told)


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        (Proxy(of_comments="properties"), "came out public; it was taken back"),
        (Proxy(of_answers="jsdPublic"), "without saying whether it is private; it was taken back"),
        (Proxy(of_answers="id"), None),
    ],
    ids=["properties dropped", "privacy not told", "id not told"],
)
async def test_only_jiras_own_word_makes_a_note_private(jira: Jira, proxy: Proxy, said: str | None) -> None:
    key = await jira.site.ticket()
    async with httpx.AsyncClient(transport=proxy) as jira.plugin.http:
        if said is None:
            assert await jira.update(key) is True
        else:
            with pytest.raises(PrivacyError, match=said):
                await jira.update(key)
    assert [note["private"] for note in await jira.site.notes(key)] == ([True] if said is None else [])


@pytest.mark.parametrize(("standing", "private"), [("agent", True), ("collaborator", True), ("customer", False)])
async def test_an_account_whose_comments_reach_customers_leaves_none(jira: Jira, standing: str, private: bool) -> None:
    await jira.be(standing=standing)
    key = await jira.site.ticket()
    if private:
        assert await jira.update(key) is True
    else:
        with pytest.raises(PrivacyError, match="it was taken back"):
            await jira.update(key)
    assert [note["private"] for note in await jira.site.notes(key)] == [True] * private
    assert (await jira.asked()).count("post_note") == 1


async def test_a_role_that_the_account_is_not_in_hides_nothing_and_nothing_is_posted(jira: Jira) -> None:
    await jira.be(visibility_role="Developers", roles=["Administrators"])
    key = await jira.site.ticket(project="SW")
    with pytest.raises(ConfigurationError, match="acme: visibility_role: jira refused it"):
        await jira.update(key)
    assert await jira.site.notes(key) == []


# A second note of ours, after a write whose outcome was unknown


async def test_a_second_note_of_ours_is_deleted_and_the_first_stays(jira: Jira) -> None:
    jira.connect(TenantSettings(own_account_id=jira.account_id))
    key = await jira.site.ticket()
    await jira.site.fault("post_note", "double", dropped=True)
    with pytest.raises(OutcomeUnknownError):
        await jira.update(key)
    first, second = [note["id"] for note in await jira.site.notes(key)]
    assert await jira.plugin.has_note("acme", key, REF) is True
    assert [note["id"] for note in await jira.site.notes(key)] == [first]
    assert second != first


@pytest.mark.parametrize("how", ["no permission", "403", "404"])
async def test_a_second_note_that_cannot_be_deleted_stays_and_the_note_is_there(jira: Jira, how: str) -> None:
    await jira.be(may_delete=how != "no permission")
    jira.connect(TenantSettings(own_account_id=jira.account_id))
    key = await jira.site.ticket()
    await jira.site.fault("post_note", "double")
    await jira.update(key)
    if how != "no permission":
        await jira.site.fault("retract_note", "status", status=int(how))
    assert await jira.plugin.has_note("acme", key, REF) is True
    assert len(await jira.site.notes(key)) == 2


# Finding our note


async def test_the_newest_comments_are_looked_at_first(jira: Jira) -> None:
    key = await jira.site.ticket()
    jira.say(key, "557058:agent", *["Still looking into it."] * 120)
    await jira.update(key)
    before = len(await jira.site.log())
    assert await jira.plugin.has_note("acme", key, REF) is True
    assert len(await jira.site.log()) - before == 1


async def test_a_note_that_jira_does_not_find_is_not_said_to_be_taken_back(jira: Jira) -> None:
    """A 404 may also mean that the account must not see it."""
    key = await jira.site.ticket()
    posted = await jira.plugin.post_note("acme", key, NOTE)
    assert posted is not None
    assert await jira.plugin.retract_note("acme", key, posted) is True
    assert await jira.site.notes(key) == []
    assert await jira.plugin.retract_note("acme", key, posted) is False
    await jira.site.fault("post_note", "public")
    await jira.site.fault("retract_note", "status", status=404)
    with pytest.raises(PrivacyError, match="remove it by hand"):
        await jira.update(key)


# A note that came out public while its answer was lost


@pytest.mark.parametrize("project", ["HELP", "SW"])
async def test_a_lost_public_note_is_taken_back_when_it_is_found(jira: Jira, project: str) -> None:
    jira.connect(TenantSettings(own_account_id=jira.account_id), visibility_role="Developers")
    key = await jira.site.ticket(project=project)
    await jira.site.fault("post_note", "public", dropped=True)
    with pytest.raises(OutcomeUnknownError):
        await jira.update(key)
    assert [note["private"] for note in await jira.site.notes(key)] == [False]
    with pytest.raises(PrivacyError, match="an earlier note is public; it was taken back"):
        await jira.plugin.has_note("acme", key, REF)
    assert await jira.site.notes(key) == []
    assert await jira.plugin.has_note("acme", key, REF) is False


@pytest.mark.parametrize("case", ["own account unknown", "no author given"])
async def test_a_public_note_that_may_not_be_ours_is_left_alone(jira: Jira, case: str) -> None:
    key = await jira.site.ticket()
    if case == "no author given":
        jira.connect(TenantSettings(own_account_id=jira.account_id))
        jira.quote(key, "")
    else:
        jira.quote(key, jira.account_id)
    with pytest.raises(PrivacyError, match=r"public; it was left alone.*by hand"):
        await jira.plugin.has_note("acme", key, REF)
    assert len(await jira.site.notes(key)) == 1
    assert "retract_note" not in [entry["operation"] for entry in await jira.site.log()]


@pytest.mark.parametrize("project", ["HELP", "SW"])
async def test_a_private_note_counts_whoever_the_vendor_says_wrote_it(jira: Jira, project: str) -> None:
    """The tenant's `own_account_id` may be wrong, and that must not double its notes."""
    jira.connect(TenantSettings(own_account_id="557058:somebody-else"), visibility_role="Developers")
    key = await jira.site.ticket(project=project)
    await jira.update(key)
    assert await jira.plugin.has_note("acme", key, REF) is True


@pytest.mark.parametrize(("project", "asked"), [("HELP", 0), ("SW", 1)])
async def test_the_project_is_asked_for_only_where_it_decides(jira: Jira, project: str, asked: int) -> None:
    jira.connect(visibility_role="Developers")
    key = await jira.site.ticket(project=project)
    assert await jira.plugin.has_note("acme", key, REF) is False
    await jira.update(key)
    jira.vendor.log.clear()
    assert await jira.plugin.has_note("acme", key, REF) is True
    operations = [entry["operation"] for entry in await jira.site.log()]
    assert operations == ["list_notes", *["get_ticket"] * asked]


@pytest.mark.parametrize("kind", [None, "", 5])
async def test_without_the_projects_type_nothing_is_posted(
    jira: Jira, kind: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jira then does not say what would hide a note, even where the operator accepts that projects see them."""
    jira.connect(allow_project_visible=True)
    key = await jira.site.ticket()
    jira.quote(key, jira.account_id)
    monkeypatch.setitem(cast(dict[str, object], jira_bodies.PROJECT_TYPES), "HELP", kind)
    for call in (jira.update(key), jira.plugin.has_note("acme", key, REF)):
        with pytest.raises(APIError, match="projectTypeKey"):
            await call
    assert len(await jira.site.notes(key)) == 1
