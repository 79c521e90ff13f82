"""Reading Jira issues: what a technician would see of them, as bounded text."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from deskhand.pretend.jira import PretendJira
from plugins.base import TicketMetadata
from plugins.conformance.pretend.controlling import Control
from plugins.conformance.pretend.vendor import PretendVendor
from plugins.exceptions import ValidationError
from plugins.jira.values import rich_text
from plugins.types import TenantSettings, TicketContext
from tests.support.jira import REF, Jira, adf
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


def metadata(key: str, description: str = "", priority: str = "medium") -> TicketMetadata:
    return TicketMetadata("acme", key, description, priority, datetime(2026, 11, 24, tzinfo=UTC))


async def read(jira: Jira, key: str, **known: str) -> TicketContext:
    """The issue as it is described."""
    issue = await jira.plugin.get_ticket("acme", key)
    assert issue is not None
    return jira.plugin.describe(issue, metadata(key, **known))


async def test_an_issue_is_described_as_a_technician_would_read_it(jira: Jira) -> None:
    key = await jira.site.ticket("VPN drops", "Every ten minutes.\nSince Monday.", priority="Highest")
    await jira.update(key)
    await jira.site.resolve(key, "Replaced the access point.")
    context = await read(jira, key)
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
    assert (await read(jira, key)).resolution == ""


@pytest.mark.parametrize("category", [{"key": "done"}, {"id": 3}, {"id": "3"}], ids=str)
def test_where_a_project_sets_no_resolution_its_status_tells_that_it_is_done(
    jira: Jira, category: dict[str, Any]
) -> None:
    comments = [{"author": {"accountId": "agent"}, "body": adf("New cable.")}]
    fields: dict[str, Any] = {"resolution": None, "status": {"name": "Erledigt", "statusCategory": category}}
    assert jira.plugin.describe({"fields": fields}, metadata("HELP-1")).resolution == "Erledigt"
    fields["comment"] = {"comments": comments}
    assert jira.plugin.describe({"fields": fields}, metadata("HELP-1")).resolution == "New cable."


async def test_what_the_reporter_or_we_said_last_is_not_the_resolution(jira: Jira) -> None:
    def comment(author: str, text: str, minute: int) -> dict[str, Any]:
        created = f"2026-11-24T10:{minute:02d}:00.000+0000"
        return {"author": {"accountId": author}, "body": adf(text), "created": created, "jsdPublic": True}

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


@pytest.mark.parametrize("kind", ["classic", "scoped", "oauth"])
async def test_a_technician_opens_the_issue_at_the_site_however_we_get_there(jira: Jira, kind: str) -> None:
    await jira.be(kind=kind)
    key = await jira.site.ticket()
    url = (await read(jira, key)).url
    assert url == f"{jira.site.origin}/browse/{key}"
    assert (await jira.plugin.http.get(url)).status_code == 200


async def test_without_the_sites_address_the_gateway_gives_no_link(jira: Jira) -> None:
    await jira.be(kind="scoped")
    jira.connect(site_url=None)
    assert (await read(jira, await jira.site.ticket())).url == ""


def test_an_issue_that_we_did_not_fetch_has_the_link_that_it_brings(jira: Jira) -> None:
    site = {"self": "https://acme.atlassian.net/rest/api/3/issue/10001"}
    assert jira.plugin.describe(site, metadata("HELP-1")).url == "https://acme.atlassian.net/browse/HELP-1"
    for link in ("https://api.atlassian.com/ex/jira/1122/rest/api/3/issue/10001", "javascript:x/rest/api/", 5, None):
        assert jira.plugin.describe({"self": link}, metadata("HELP-1")).url == ""


async def test_the_priority_of_an_issue_follows_the_tenants_own_map(jira: Jira) -> None:
    jira.connect(TenantSettings(priorities={"High": "medium"}))
    key = await jira.site.ticket(priority="High")
    assert (await read(jira, key, priority="low")).priority == "medium"


async def test_a_hidden_priority_stays_as_the_webhook_had_it(jira: Jira) -> None:
    key = await jira.site.ticket(priority=None)
    assert (await read(jira, key, priority="high")).priority == "high"


@pytest.mark.parametrize(
    "key", ["", "7", "HELP", "HELP-1/comment", "HELP-1?x=1", "../HELP-1", "HELP-1\n", "HÉLP-1", "HELP-\u0661"]
)
async def test_what_is_no_issue_key_never_reaches_a_url(jira: Jira, key: str) -> None:
    with pytest.raises(ValidationError, match="ticket_id"):
        await jira.plugin.get_ticket("acme", key)
    with pytest.raises(ValidationError, match="ticket_id"):
        await jira.update(key)
    assert await jira.site.log() == []


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
