"""What Jira's refusals mean, and its gateway's: where the status alone does not say it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from deskhand.pretend.jira import PretendJira
from plugins.conformance.pretend.controlling import Control
from plugins.conformance.pretend.vendor import PretendVendor
from plugins.exceptions import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    PermanentAPIError,
    PluginError,
    RateLimitError,
    TicketRefusedError,
)
from plugins.jira import refusals
from plugins.types import PostedNote
from tests.support.jira import NOTE, REF, TOKEN, Jira
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


def calls(jira: Jira, key: str, posted: PostedNote | None = None) -> dict[str, Callable[[], Any]]:
    """What makes the plugin ask for each operation."""
    return {
        "get_ticket": lambda: jira.plugin.get_ticket("acme", key),
        "post_note": lambda: jira.update(key),
        "list_notes": lambda: jira.plugin.has_note("acme", key, REF),
        "retract_note": lambda: jira.plugin.retract_note("acme", key, posted or PostedNote(private=False, note_id="1")),
    }


OPERATIONS = ("get_ticket", "post_note", "list_notes", "retract_note")


# Comments that are not taken


async def test_a_closed_issue_refuses_for_good(jira: Jira) -> None:
    key = await jira.site.ticket()
    await jira.site.close(key)
    with pytest.raises(TicketRefusedError, match="permission to comment on this issue"):
        await jira.update(key)


@pytest.mark.parametrize("language", ["en", "de"])
async def test_an_account_that_may_not_comment_is_told_from_a_closed_issue_in_any_language(
    jira: Jira, language: str
) -> None:
    """Jira says the same words of both, and in the account's own language unless the request forces another."""
    await jira.be(may_comment=False, language=language)
    key = await jira.site.ticket()
    with pytest.raises(AuthenticationError, match="project permission Add comments"):
        await jira.update(key)
    await jira.site.close(key)
    with pytest.raises(TicketRefusedError):
        await jira.update(key)


async def test_an_issue_that_is_full_of_comments_refuses_for_good(jira: Jira) -> None:
    key = await jira.site.ticket()
    await jira.site.fault("post_note", "status", status=413)
    with pytest.raises(TicketRefusedError, match="reached the limit of comments"):
        await jira.update(key)


def test_a_proxys_413_is_not_jiras() -> None:
    assert not refusals.is_jiras(httpx.Response(413, html="<h1>Request Entity Too Large</h1>"))
    assert refusals.is_jiras(httpx.Response(413, json={"errorMessages": [], "errors": {}}))


async def test_jiras_own_words_are_told(jira: Jira) -> None:
    key = await jira.site.ticket()
    await jira.site.fault("post_note", "status", status=400)
    with pytest.raises(PermanentAPIError, match="Jira refuses with 400"):
        await jira.update(key)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            {"errorMessages": ["One.", 5, "Two."], "errors": {"comment": "Three.", "x": None}},
            "One. Two. comment: Three.",
        ),
        ({"code": 401, "message": "Unauthorized; scope does not match"}, "Unauthorized; scope does not match"),
        ({"errorMessages": ["a\nb\x1b[31m\u202ec"]}, "a b[31mc"),
        ({"errorMessages": ["x" * 1000]}, "x" * 300),
        ({"errorMessages": "One.", "errors": ["Two."]}, ""),
        (["One."], ""),
        (None, ""),
    ],
    ids=str,
)
def test_words_are_one_bounded_line_out_of_either_form_of_body(body: object, words: str) -> None:
    assert refusals.words(httpx.Response(400, json=body)) == words


# Issues that are not there


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_jiras_own_404_is_an_issue_or_comment_that_is_not_there(jira: Jira, operation: str) -> None:
    key = await jira.site.ticket()
    await jira.site.fault(operation, "status", status=404)
    assert not await calls(jira, key)[operation]()


async def test_an_issue_that_the_account_must_not_see_is_not_there(jira: Jira) -> None:
    await jira.be(may_browse=False)
    key = await jira.site.ticket()
    assert await jira.plugin.get_ticket("acme", key) is None
    assert await jira.update(key) is False
    assert await jira.plugin.has_note("acme", key, REF) is False


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_404_of_the_gateway_is_a_wrong_cloud_id_and_no_missing_issue(jira: Jira, operation: str) -> None:
    """Otherwise every ticket of a tenant would be taken for one that is gone."""
    await jira.be(kind="scoped")
    key = await jira.site.ticket()
    jira.connect(base_url=f"{jira.site.origin}/ex/jira/00000000-0000-0000-0000-000000000000")
    with pytest.raises(ConfigurationError, match=r"acme: base_url: answered 404.*_edge/tenant_info"):
        await calls(jira, key)[operation]()


# Credentials


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("reason", ["AUTHENTICATED_FAILED", "OUT, AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED"])
async def test_who_is_taken_for_a_stranger_is_not_told_that_there_is_no_issue(
    jira: Jira, operation: str, reason: str
) -> None:
    """Jira answers what strangers may ask for, whatever the token is; for most issues that is a 404."""
    key = await jira.site.ticket()
    await jira.site.fault(operation, "status", status=404, headers={"X-Seraph-LoginReason": reason})
    with pytest.raises(AuthenticationError, match="as to a stranger"):
        await calls(jira, key)[operation]()


def test_a_login_that_worked_is_none_that_failed() -> None:
    assert not refusals.login_failed(httpx.Response(200, headers={"X-Seraph-LoginReason": "OUT, OK"}))
    assert not refusals.login_failed(httpx.Response(200))


@pytest.mark.parametrize("kind", ["classic", "scoped", "oauth"])
async def test_a_refused_token_says_what_may_be_wrong_with_it(jira: Jira, kind: str) -> None:
    await jira.be(kind=kind)
    jira.connect(api_token="wrong-one")
    with pytest.raises(AuthenticationError, match=r"expired or been revoked.*api\.atlassian\.com/ex/jira") as refused:
        await jira.plugin.get_ticket("acme", await jira.site.ticket())
    assert "wrong-one" not in str(refused.value)
    assert TOKEN not in str(refused.value)


async def test_a_token_that_lacks_a_scope_says_which_it_needs(jira: Jira) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(401, json={"code": 401, "message": "Unauthorized; scope does not match"})

    jira.plugin.http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    with pytest.raises(AuthenticationError, match=r"scope does not match \(the token needs the scopes read:jira-work"):
        await jira.plugin.get_ticket("acme", "HELP-1")


# Limits of requests


@pytest.mark.parametrize("reason", ["jira-burst-based", "jira-per-issue-on-write"])
async def test_a_rate_limit_says_which_it_is_and_how_long_to_wait(jira: Jira, reason: str) -> None:
    key = await jira.site.ticket()
    headers = {"Retry-After": "20", "RateLimit-Reason": reason}
    await jira.site.fault("post_note", "status", status=429, headers=headers)
    with pytest.raises(RateLimitError, match=f"answered 429: {reason}: Rate limit exceeded") as limited:
        await jira.update(key)
    assert limited.value.retry_after == 20


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"Retry-After": "7", "X-RateLimit-Reset": "2000-01-01T00:00Z"}, 7, 7),
        ({"Retry-After": "0"}, 1, 1),
        ({"X-RateLimit-Reset": "in two minutes"}, None, None),
        ({"X-RateLimit-Reset": "2000-01-01T00:00Z"}, 1, 1),
        ({"X-RateLimit-Reset": "1711843260"}, None, None),
        ({"RateLimit-Reason": "jira-quota-tenant-based"}, 3600, 3600),
        ({"RateLimit-Reason": "jira-quota-global-based", "Retry-After": "900"}, 900, 900),
        ({"RateLimit-Reason": "jira-burst-based"}, None, None),
        ({}, None, None),
    ],
    ids=str,
)
def test_the_pause_that_a_rate_limit_asks_for(headers: dict[str, str], least: int | None, most: int | None) -> None:
    assert refusals.pause_seconds(httpx.Response(429, headers=headers)) in {least, most}


@pytest.mark.parametrize("written", ["%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%f+00:00"])
def test_without_retry_after_the_time_counts_at_which_the_limit_is_lifted(written: str) -> None:
    reset = (datetime.now(UTC) + timedelta(minutes=10)).strftime(written)
    pause = refusals.pause_seconds(httpx.Response(429, headers={"X-RateLimit-Reset": reset}))
    assert pause is not None
    assert 8 * 60 < pause <= 10 * 60


async def test_a_jira_that_is_down_says_how_long(jira: Jira) -> None:
    key = await jira.site.ticket()
    await jira.site.fault("get_ticket", "status", status=503, headers={"Retry-After": "30"})
    with pytest.raises(APIError, match=r"answered 503: .* \(asks to wait 30 s\)") as failed:
        await jira.plugin.get_ticket("acme", key)
    assert not isinstance(failed.value, PermanentAPIError)


# Notes that are taken back


@pytest.mark.parametrize(
    ("status", "raised"), [(400, PermanentAPIError), (403, AuthenticationError), (429, RateLimitError), (500, APIError)]
)
async def test_a_note_that_may_not_be_deleted_stays_and_the_refusal_is_told(
    jira: Jira, status: int, raised: type[PluginError]
) -> None:
    key = await jira.site.ticket()
    posted = await jira.plugin.post_note("acme", key, NOTE)
    await jira.site.fault("retract_note", "status", status=status)
    with pytest.raises(raised, match=f"answered {status}"):
        await calls(jira, key, posted)["retract_note"]()
    assert len(await jira.site.notes(key)) == 1


async def test_without_the_permission_nothing_is_deleted(jira: Jira) -> None:
    await jira.be(may_delete=False)
    key = await jira.site.ticket()
    posted = await jira.plugin.post_note("acme", key, NOTE)
    with pytest.raises(PermanentAPIError, match="permission to delete"):
        await calls(jira, key, posted)["retract_note"]()
    assert len(await jira.site.notes(key)) == 1
