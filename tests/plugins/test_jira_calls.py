"""The Jira plugin against a pretend Jira: what is asked, what stands at the vendor afterwards, what refusals mean."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import httpx
import pytest
from pydantic import SecretStr
from pydantic import ValidationError as ModelError

from deskhand.pretend.jira import PROJECT_TYPES, PretendJira
from plugins.base import TicketMetadata
from plugins.conformance.pretend.controlling import Control
from plugins.conformance.pretend.model import PretendNote, now
from plugins.conformance.pretend.vendor import PretendVendor
from plugins.exceptions import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    OutcomeUnknownError,
    PermanentAPIError,
    PluginError,
    PrivacyError,
    RateLimitError,
    TicketRefusedError,
    ValidationError,
)
from plugins.jira import JiraConnection, JiraPlugin
from plugins.jira.values import rich_text
from plugins.rendering import adf_to_text
from plugins.types import TenantSettings
from tests.support.pretend import MemoryTenants, PretendFactory

TOKEN = "api-token-of-a-test"
NOTE = "### What this looks like\n\nA **broken** cable.\n\n*ref dh-0123456789ab*"
REF = "dh-0123456789ab"


@dataclass
class Jira:
    """A connected tenant `acme`, and the pretend site it is connected to."""

    plugin: JiraPlugin
    tenants: MemoryTenants
    vendor: PretendJira
    site: Control
    account_id: str

    def connect(self, settings: TenantSettings | None = None, **changes: Any) -> None:
        """Change the tenant's connection."""
        fields = {"base_url": self.site.origin, "email": "deskhand@example.com", "api_token": TOKEN, **changes}
        self.tenants.add("acme", "jira", connection=fields, settings=settings)

    async def update(self, key: str, content: str = NOTE) -> bool:
        return await self.plugin.update_ticket("acme", key, content)


@pytest.fixture
async def jira(
    pretend: PretendFactory,
    control: Callable[[PretendVendor], Control],
    tenants: MemoryTenants,
    http: httpx.AsyncClient,
) -> Jira:
    vendor = await pretend(PretendJira)
    site = control(vendor)
    account_id = (await site.account(email="deskhand@example.com", api_token=TOKEN)).id
    connected = Jira(JiraPlugin(tenants, http), tenants, vendor, site, account_id)
    connected.connect()
    return connected


def metadata(key: str, description: str = "", priority: str = "medium") -> TicketMetadata:
    return TicketMetadata("acme", key, description, priority, datetime(2026, 11, 24, tzinfo=UTC))


# Reading


async def test_an_issue_is_described_as_a_technician_would_read_it(jira: Jira) -> None:
    key = await jira.site.ticket("VPN drops", "Every ten minutes.\nSince Monday.", priority="Highest")
    await jira.update(key)
    await jira.site.resolve(key, "Replaced the access point.")
    issue = await jira.plugin.get_ticket("acme", key)
    assert issue is not None
    context = jira.plugin.describe(issue, metadata(key))
    assert context.subject == "VPN drops"
    assert [line for line in context.description.splitlines() if line] == ["Every ten minutes.", "Since Monday."]
    assert (context.status, context.priority, context.url) == ("Done", "high", f"{jira.site.origin}/browse/{key}")
    assert context.created_at is not None
    assert [comment.private for comment in context.comments] == [True, False]
    assert [comment.author for comment in context.comments] == ["Deskhand", "Sam Agent"]
    assert context.resolution == "Replaced the access point."


async def test_an_open_issue_has_no_resolution(jira: Jira) -> None:
    key = await jira.site.ticket()
    await jira.update(key)
    issue = await jira.plugin.get_ticket("acme", key)
    assert issue is not None
    assert jira.plugin.describe(issue, metadata(key)).resolution == ""


async def test_what_the_reporter_or_we_said_last_is_not_the_resolution(jira: Jira) -> None:
    def comment(author: str, text: str, minute: int) -> dict[str, Any]:
        body = {
            "type": "doc",
            "version": 1,
            "content": [{"type": "paragraph", "content": [{"type": "text", "text": text}]}],
        }
        created = f"2026-11-24T10:{minute:02d}:00.000+0000"
        return {"author": {"accountId": author}, "body": body, "created": created, "jsdPublic": True}

    fields = {
        "resolution": {"name": "Done"},
        "reporter": {"accountId": "user"},
        "comment": {
            "comments": [
                comment("user", "Thank you!", 4),
                comment("agent", "New cable.", 2),
                comment("us", f"ref {REF}", 3),
                comment("user", "Help!", 1),
            ]
        },
    }
    assert jira.plugin.describe({"fields": fields}, metadata("HELP-1")).resolution.strip() == "New cable."
    fields["comment"] = {"comments": []}
    assert jira.plugin.describe({"fields": fields}, metadata("HELP-1")).resolution == "Done"


@pytest.mark.parametrize(
    "issue",
    [
        {},
        {"fields": None},
        {"fields": {"comment": {"comments": [None, 3]}, "status": "x", "labels": 5, "created": 1e3}},
    ],
)
def test_an_issue_of_any_shape_is_described(jira: Jira, issue: dict[str, Any]) -> None:
    context = jira.plugin.describe(issue, metadata("HELP-1", description="as the webhook had it", priority="low"))
    assert (context.ticket_id, context.description, context.priority) == ("HELP-1", "as the webhook had it", "low")
    assert context.url == ""


def test_the_gateways_links_do_not_name_the_site(jira: Jira) -> None:
    issue = {"self": "https://api.atlassian.com/ex/jira/11111111-2222/rest/api/3/issue/10001"}
    assert jira.plugin.describe(issue, metadata("HELP-1")).url == ""


async def test_the_priority_of_an_issue_follows_the_tenants_own_map(jira: Jira) -> None:
    jira.connect(TenantSettings(priorities={"High": "medium"}))
    key = await jira.site.ticket(priority="High")
    issue = await jira.plugin.get_ticket("acme", key)
    assert issue is not None
    assert jira.plugin.describe(issue, metadata(key, priority="low")).priority == "medium"


async def test_a_hidden_priority_stays_as_the_webhook_had_it(jira: Jira) -> None:
    key = await jira.site.ticket(priority=None)
    issue = await jira.plugin.get_ticket("acme", key)
    assert issue is not None
    assert jira.plugin.describe(issue, metadata(key, priority="high")).priority == "high"


async def test_an_unknown_issue_is_none(jira: Jira) -> None:
    assert await jira.plugin.get_ticket("acme", "HELP-404") is None
    assert await jira.update("HELP-404") is False
    assert await jira.plugin.has_note("acme", "HELP-404", REF) is False


@pytest.mark.parametrize(
    "key", ["", "7", "HELP", "HELP-1/comment", "HELP-1?x=1", "../HELP-1", "HELP-1\n", "HÉLP-1", "HELP-\u0661"]
)
async def test_what_is_no_issue_key_never_reaches_a_url(jira: Jira, key: str) -> None:
    with pytest.raises(ValidationError, match="ticket_id"):
        await jira.plugin.get_ticket("acme", key)
    with pytest.raises(ValidationError, match="ticket_id"):
        await jira.update(key)
    assert await jira.site.log() == []


# Credentials


async def test_without_an_email_address_the_token_is_a_bearer_token(jira: Jira) -> None:
    await jira.site.account(email=None, api_token="another-token")
    key = await jira.site.ticket()
    jira.connect(email=None, api_token="another-token")
    assert await jira.plugin.get_ticket("acme", key) is not None
    jira.connect(email="deskhand@example.com", api_token="another-token")
    with pytest.raises(AuthenticationError):
        await jira.plugin.get_ticket("acme", key)


async def test_a_slash_at_the_end_of_the_address_does_no_harm(jira: Jira) -> None:
    jira.connect(base_url=jira.site.origin + "/")
    assert await jira.plugin.get_ticket("acme", await jira.site.ticket()) is not None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"base_url": "example.atlassian.net"}, "base_url"),
        ({"base_url": "ftp://example.atlassian.net"}, "base_url"),
        ({"base_url": "https://user:secretive@example.atlassian.net"}, "base_url"),
        ({"base_url": "https://example.atlassian.net/?token=secretive"}, "base_url"),
        ({"api_token": "secretive\nX-Injected: 1"}, "api_token"),
        ({"api_token": "secretivé"}, "api_token"),
        ({"api_token": ""}, "api_token"),
        ({"email": "secretive:colon@example.com"}, "email"),
        ({"visibility_role": ""}, "visibility_role"),
        ({"visibility": "secretive"}, "visibility"),
    ],
)
async def test_an_unusable_connection_is_refused_by_field_and_never_quoted(
    jira: Jira, changes: dict[str, Any], field: str
) -> None:
    jira.connect(**changes)
    with pytest.raises(ConfigurationError, match=f"acme: {field}:") as refused:
        await jira.plugin.get_ticket("acme", "HELP-1")
    assert "secretive" not in str(refused.value)
    assert await jira.site.log() == []


def test_the_token_is_never_shown() -> None:
    connection = JiraConnection(base_url="https://example.atlassian.net", api_token=SecretStr(TOKEN))
    assert TOKEN not in f"{connection!r} {connection} {connection.model_dump_json()}"
    with pytest.raises(ModelError) as refused:
        JiraConnection(base_url="x", api_token=SecretStr(TOKEN))
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize("case", ["unknown", "other tool"])
async def test_a_tenant_of_another_tool_or_none_cannot_be_used(jira: Jira, case: str) -> None:
    if case == "other tool":
        jira.tenants.add("acme", "zendesk")
    with pytest.raises(ConfigurationError, match="tenant"):
        await jira.plugin.get_ticket("acme" if case == "other tool" else "nobody", "HELP-1")


async def test_a_check_says_who_we_are_and_what_to_set(jira: Jira) -> None:
    report = await jira.plugin.check_connection("acme")
    assert report.ok
    assert report.account == jira.account_id
    assert any(finding.mend == f"set own_account_id to {jira.account_id}" for finding in report.findings)
    jira.connect(TenantSettings(own_account_id=jira.account_id))
    assert not any(
        "own_account_id" in finding.mend for finding in (await jira.plugin.check_connection("acme")).findings
    )


async def test_a_check_with_a_wrong_token_says_what_to_do(jira: Jira) -> None:
    jira.connect(api_token="wrong")
    report = await jira.plugin.check_connection("acme")
    assert not report.ok
    assert "expired" in report.findings[0].what
    assert "api.atlassian.com/ex/jira" in report.findings[0].what
    assert "wrong" not in report.findings[0].what


# Writing: private or not posted


async def test_a_note_in_a_service_project_is_an_internal_comment(jira: Jira) -> None:
    key = await jira.site.ticket()
    assert await jira.update(key) is True
    [note] = await jira.site.notes(key)
    assert note["private"] is True
    assert note["author"] == jira.account_id
    text = adf_to_text(note["body"])
    assert "A broken cable." in text
    assert f"ref {REF}" in text


async def test_a_role_for_other_projects_does_not_open_or_break_service_projects(jira: Jira) -> None:
    jira.connect(visibility_role="No such role", allow_project_visible=True)
    key = await jira.site.ticket()
    assert await jira.update(key) is True
    [note] = await jira.site.notes(key)
    assert note["private"] is True


async def test_a_note_that_came_out_public_is_taken_back(jira: Jira) -> None:
    key = await jira.site.ticket()
    await jira.site.fault("post_note", "public")
    with pytest.raises(PrivacyError, match="public; it was taken back"):
        await jira.update(key)
    assert await jira.site.notes(key) == []


async def test_a_public_note_that_cannot_be_taken_back_is_told(jira: Jira) -> None:
    key = await jira.site.ticket()
    await jira.site.fault("post_note", "public")
    await jira.site.fault("retract_note", "status", status=403)
    with pytest.raises(PrivacyError, match="taking it back failed: jira answered 403"):
        await jira.update(key)
    [note] = await jira.site.notes(key)
    assert note["private"] is False


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


async def test_a_role_that_jira_does_not_take_is_named(jira: Jira) -> None:
    jira.connect(visibility_role="Wizards")
    key = await jira.site.ticket(project="SW")
    with pytest.raises(ConfigurationError, match=r"visibility_role.*not a member of the project role"):
        await jira.update(key)
    assert await jira.site.notes(key) == []


async def test_the_operator_may_accept_that_the_project_sees_notes(jira: Jira) -> None:
    jira.connect(allow_project_visible=True)
    key = await jira.site.ticket(project="SW")
    assert await jira.update(key) is True
    [note] = await jira.site.notes(key)
    assert note["private"] is False


async def test_a_long_note_is_cut_to_what_jira_takes_and_keeps_its_reference(jira: Jira) -> None:
    key = await jira.site.ticket()
    long = "\n\n".join(f"Paragraph {number}: " + '"\\ü" ' * 200 for number in range(200)) + f"\n\nref {REF}"
    assert await jira.update(key, long) is True
    [note] = await jira.site.notes(key)
    assert f"ref {REF}" in adf_to_text(note["body"])
    assert await jira.plugin.has_note("acme", key, REF) is True


# What refusals mean: DESIGN's table


ERRORS: list[tuple[int, dict[str, str], type[PluginError]]] = [
    (401, {}, AuthenticationError),
    (403, {}, AuthenticationError),
    (400, {}, PermanentAPIError),
    (409, {}, PermanentAPIError),
    (422, {}, PermanentAPIError),
    (429, {}, RateLimitError),
    (500, {}, APIError),
    (503, {"Retry-After": "5"}, APIError),
    (302, {"Location": "https://id.atlassian.com/login"}, ConfigurationError),
]


@pytest.mark.parametrize("operation", ["get_ticket", "post_note", "list_notes", "retract_note"])
@pytest.mark.parametrize(("status", "headers", "raised"), ERRORS)
async def test_what_a_refusal_means(
    jira: Jira, operation: str, status: int, headers: dict[str, str], raised: type[PluginError]
) -> None:
    key = await jira.site.ticket()
    posted = await jira.plugin.post_note("acme", key, NOTE)
    assert posted is not None
    await jira.site.fault(operation, "status", status=status, headers=headers)
    calls: dict[str, Callable[[], Any]] = {
        "get_ticket": lambda: jira.plugin.get_ticket("acme", key),
        "post_note": lambda: jira.update(key),
        "list_notes": lambda: jira.plugin.has_note("acme", key, REF),
        "retract_note": lambda: jira.plugin.retract_note("acme", key, posted),
    }
    with pytest.raises(raised, match=f"jira answered {status}") as refused:
        await calls[operation]()
    assert type(refused.value) is raised
    assert TOKEN not in str(refused.value)
    assert len(await jira.site.notes(key)) == 1


@pytest.mark.parametrize("given", ["20", "0"])
async def test_a_rate_limit_says_how_long_to_wait(jira: Jira, given: str) -> None:
    key = await jira.site.ticket()
    await jira.site.fault("post_note", "status", status=429, headers={"Retry-After": given})
    with pytest.raises(RateLimitError) as limited:
        await jira.update(key)
    assert limited.value.retry_after == max(1, int(given))


async def test_jiras_own_words_are_told(jira: Jira) -> None:
    key = await jira.site.ticket()
    await jira.site.fault("post_note", "status", status=400)
    with pytest.raises(PermanentAPIError, match="Jira refuses with 400"):
        await jira.update(key)


async def test_a_closed_issue_refuses_for_good(jira: Jira) -> None:
    key = await jira.site.ticket()
    await jira.site.close(key)
    with pytest.raises(TicketRefusedError, match="permission to comment on this issue"):
        await jira.update(key)


async def test_an_issue_that_is_full_of_comments_refuses_for_good(jira: Jira) -> None:
    key = await jira.site.ticket()
    await jira.site.fault("post_note", "status", status=413)
    with pytest.raises(TicketRefusedError, match="reached the limit of comments"):
        await jira.update(key)


async def test_an_account_that_may_not_comment_is_a_matter_of_credentials(jira: Jira) -> None:
    """Jira says the same words as of a closed issue; the issue is open."""
    key = await jira.site.ticket()
    await jira.site.close(key)
    jira.vendor.tickets[key].status = "Open"
    with pytest.raises(AuthenticationError, match="permission to comment on this issue"):
        await jira.update(key)


async def test_an_issue_that_goes_before_the_note_is_written_is_not_found(jira: Jira) -> None:
    key = await jira.site.ticket()
    await jira.site.fault("post_note", "status", status=404)
    assert await jira.update(key) is False


@pytest.mark.parametrize("operation", ["get_ticket", "post_note", "list_notes"])
async def test_a_login_page_is_no_answer(jira: Jira, operation: str) -> None:
    key = await jira.site.ticket()
    await jira.site.fault(operation, "garbage")
    with pytest.raises(APIError, match="answered 200 with text/html, not JSON") as failed:
        await (jira.plugin.has_note("acme", key, REF) if operation == "list_notes" else jira.update(key))
    assert isinstance(failed.value, OutcomeUnknownError) is (operation == "post_note")


async def test_nobody_listening_means_nothing_was_sent(jira: Jira) -> None:
    jira.connect(base_url="http://127.0.0.1:1")
    with pytest.raises(APIError, match="could not connect") as failed:
        await jira.update("HELP-1")
    assert not isinstance(failed.value, OutcomeUnknownError)


async def test_a_dropped_reply_leaves_the_outcome_unknown_and_the_note_findable(jira: Jira) -> None:
    key = await jira.site.ticket()
    await jira.site.fault("post_note", "drop")
    with pytest.raises(OutcomeUnknownError, match="no answer to POST"):
        await jira.update(key)
    assert await jira.plugin.has_note("acme", key, REF) is True
    assert len(await jira.site.notes(key)) == 1


@pytest.mark.parametrize(("kind", "notes"), [("slow", 0), ("late", 1)])
async def test_a_time_out_leaves_the_outcome_unknown(jira: Jira, kind: str, notes: int) -> None:
    key = await jira.site.ticket()
    await jira.site.fault("post_note", kind, seconds=2)
    jira.plugin.http.timeout = httpx.Timeout(1)
    with pytest.raises(OutcomeUnknownError, match="no answer to POST"):
        await jira.update(key)
    await jira.vendor.until(lambda: jira.vendor.running == 0)
    assert len(await jira.site.notes(key)) == notes
    assert await jira.plugin.has_note("acme", key, REF) is (notes == 1)


async def test_a_call_that_is_closed_from_outside_hangs_up(jira: Jira) -> None:
    key = await jira.site.ticket()
    await jira.site.fault("get_ticket", "slow", seconds=60)
    call = asyncio.create_task(jira.plugin.get_ticket("acme", key))
    await jira.vendor.until(lambda: jira.vendor.running == 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await jira.vendor.until(lambda: jira.vendor.running == 0)
    [entry] = await jira.site.log()
    assert entry["client_gone"] is True
    assert entry["status"] is None


@pytest.mark.parametrize("status", [429, 500])
async def test_no_request_is_ever_repeated(jira: Jira, status: int) -> None:
    key = await jira.site.ticket()
    await jira.site.fault("post_note", "status", times=None, status=status)
    with pytest.raises(PluginError):
        await jira.update(key)
    assert [entry["operation"] for entry in await jira.site.log()] == ["get_ticket", "post_note"]


# Finding our note


async def test_our_note_is_found_by_its_reference(jira: Jira) -> None:
    key = await jira.site.ticket()
    assert await jira.plugin.has_note("acme", key, REF) is False
    await jira.update(key)
    assert await jira.plugin.has_note("acme", key, REF) is True
    assert await jira.plugin.has_note("acme", key, "dh-ffffffffffff") is False


async def test_a_note_that_was_lost_is_not_there(jira: Jira) -> None:
    key = await jira.site.ticket()
    await jira.site.fault("post_note", "lose")
    assert await jira.update(key) is True
    assert await jira.plugin.has_note("acme", key, REF) is False


async def test_our_note_is_found_behind_pages_of_others(jira: Jira) -> None:
    key = await jira.site.ticket()
    await jira.update(key)
    for number in range(205):
        await jira.plugin.post_note("acme", key, f"Comment {number}")
    before = len(await jira.site.log())
    assert await jira.plugin.has_note("acme", key, REF) is True
    assert len(await jira.site.log()) - before == 3
    assert await jira.plugin.has_note("acme", key, "dh-ffffffffffff") is False


async def test_the_newest_comments_are_looked_at_first(jira: Jira) -> None:
    key = await jira.site.ticket()
    for number in range(120):
        await jira.plugin.post_note("acme", key, f"Comment {number}")
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


def quote(jira: Jira, key: str, author: str, *, private: bool = False) -> None:
    """Somebody writes a comment that quotes our note."""
    text = {"type": "paragraph", "content": [{"type": "text", "text": f"As ref {REF} says"}]}
    body = {"type": "doc", "version": 1, "content": [text]}
    note = PretendNote(str(jira.vendor.next_number()), body, private, author, now())
    jira.vendor.tickets[key].notes.append(note)


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
        quote(jira, key, "")
    else:
        quote(jira, key, jira.account_id)
    with pytest.raises(PrivacyError, match=r"public; it was left alone.*by hand"):
        await jira.plugin.has_note("acme", key, REF)
    assert len(await jira.site.notes(key)) == 1
    assert "retract_note" not in [entry["operation"] for entry in await jira.site.log()]


async def test_a_quote_of_our_note_is_neither_ours_nor_taken_back(jira: Jira) -> None:
    jira.connect(TenantSettings(own_account_id=jira.account_id))
    key = await jira.site.ticket()
    quote(jira, key, "557058:agent")
    assert await jira.plugin.has_note("acme", key, REF) is False
    await jira.update(key)
    quote(jira, key, "557058:agent")
    assert await jira.plugin.has_note("acme", key, REF) is True
    assert len(await jira.site.notes(key)) == 3


@pytest.mark.parametrize("project", ["HELP", "SW"])
async def test_a_private_note_counts_whoever_the_vendor_says_wrote_it(jira: Jira, project: str) -> None:
    """The tenant's `own_account_id` may be wrong, and that must not double its notes."""
    jira.connect(TenantSettings(own_account_id="557058:somebody-else"), visibility_role="Developers")
    key = await jira.site.ticket(project=project)
    await jira.update(key)
    assert await jira.plugin.has_note("acme", key, REF) is True


async def test_a_private_note_counts_before_a_newer_public_quote(jira: Jira) -> None:
    key = await jira.site.ticket()
    await jira.update(key)
    for _ in range(120):
        quote(jira, key, "557058:agent")
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
    quote(jira, key, jira.account_id)
    monkeypatch.setitem(cast(dict[str, object], PROJECT_TYPES), "HELP", kind)
    for call in (jira.update(key), jira.plugin.has_note("acme", key, REF)):
        with pytest.raises(APIError, match="projectTypeKey"):
            await call
    assert len(await jira.site.notes(key)) == 1


@pytest.mark.parametrize("status", [502, 504])
async def test_a_gateways_answer_to_a_note_leaves_the_outcome_unknown(jira: Jira, status: int) -> None:
    key = await jira.site.ticket()
    await jira.site.fault("post_note", "status", status=status)
    with pytest.raises(OutcomeUnknownError, match=f"answered {status}"):
        await jira.update(key)


async def test_an_issue_is_asked_for_by_its_key_in_upper_case(jira: Jira) -> None:
    key = await jira.site.ticket()
    await jira.plugin.get_ticket("acme", key.lower())
    [entry] = await jira.site.log()
    assert entry["path"] == f"/rest/api/3/issue/{key}"


# An issue of any size


def paragraphs(count: int, text: str) -> dict[str, Any]:
    content = [{"type": "paragraph", "content": [{"type": "text", "text": f"{text} {n}"}]} for n in range(count)]
    return {"type": "doc", "version": 1, "content": content}


def test_of_a_huge_issue_only_the_beginning_of_each_text_is_read(jira: Jira, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def counted(value: object, limit: int) -> str:
        text = rich_text(value, limit)
        read.append(len(text))
        assert len(text) <= limit
        return text

    monkeypatch.setattr("plugins.jira.issues.rich_text", counted)
    ours = paragraphs(3_000, "long")
    ours["content"].append({"type": "paragraph", "content": [{"type": "text", "text": f"ref {REF}"}]})
    comments = [
        {"author": {"accountId": author}, "body": body, "created": f"2026-11-24T10:{n // 60:02d}:{n % 60:02d}.000+0000"}
        for n, (author, body) in enumerate(
            [*[("user", paragraphs(1, "question"))] * 1_000, ("agent", paragraphs(3_000, "fix")), *[("us", ours)] * 12]
        )
    ]
    fields = {
        "description": paragraphs(30_000, "line"),
        "resolution": {"name": "Done"},
        "reporter": {"accountId": "user"},
        "comment": {"comments": comments},
    }
    context = jira.plugin.describe({"fields": fields}, metadata("HELP-1"))
    assert context.description.startswith("line 0\n\nline 1")
    assert context.resolution.startswith("fix 0\n\nfix 1"), "the reference at the end of a long note is seen"
    assert len(context.comments) == 10
    assert len(read) == 12, "the description, ten comments and the resolution: each once"


def test_the_resolution_is_looked_for_among_the_last_comments(jira: Jira) -> None:
    said = [("agent", "long ago"), *[("user", "thanks")] * 20]
    comments = [{"author": {"accountId": author}, "body": text} for author, text in said]
    fields = {
        "resolution": {"name": "Done"},
        "reporter": {"accountId": "user"},
        "comment": {"comments": comments[1:]},
    }
    assert jira.plugin.describe({"fields": fields}, metadata("HELP-1")).resolution == "Done"
    fields["comment"] = {"comments": comments[:20]}
    assert jira.plugin.describe({"fields": fields}, metadata("HELP-1")).resolution == "long ago"
    fields["comment"] = {"comments": comments}
    assert jira.plugin.describe({"fields": fields}, metadata("HELP-1")).resolution == "Done"


@pytest.mark.parametrize("header", ["Bearer secretive\nX-Injected: 1", "Bearer secretivé"])
async def test_a_credential_that_no_header_may_hold_is_never_quoted(jira: Jira, header: str) -> None:
    with pytest.raises(ConfigurationError, match="printable ASCII") as refused:
        await jira.plugin.send("acme", "GET", jira.site.origin, headers={"Authorization": header})
    assert "secretiv" not in str(refused.value)
    assert refused.value.__cause__ is None
