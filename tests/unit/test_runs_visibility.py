"""Which runs a filter means, in Temporal's own words, and what a run in a list says of itself."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from deskhand.runs.again import failed_since
from deskhand.runs.pacing import Pace
from deskhand.runs.telling import run_lines
from deskhand.runs.visibility import RunFilter, RunFound, quoted
from workflows.contracts import Outcome, Waiting

RUNS = "WorkflowType IN ('EnhanceTicket', 'RecordResolution')"
MOMENT = datetime(2026, 11, 25, 8, 0, 0, 5, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("which", "query"),
    [
        (RunFilter(), ""),
        (RunFilter(tenant="acme", tool="jira"), " AND DeskhandTenant = 'acme' AND DeskhandTool = 'jira'"),
        (RunFilter(outcomes=(Outcome.POSTED,)), " AND DeskhandOutcome IN ('posted')"),
        (RunFilter(waiting=True), " AND DeskhandWaitingFor IS NOT NULL AND ExecutionStatus IN ('Running')"),
        (
            RunFilter(waiting=True, but_privacy=True),
            (
                " AND DeskhandWaitingFor IS NOT NULL AND DeskhandWaitingFor != 'privacy'"
                " AND ExecutionStatus IN ('Running')"
            ),
        ),
        (
            RunFilter(waiting_for=Waiting.RATE_LIMIT),
            " AND DeskhandWaitingFor = 'rate_limit' AND ExecutionStatus IN ('Running')",
        ),
        (RunFilter(started_before=MOMENT), " AND StartTime < '2026-11-25T07:00:00.000005Z'"),
        (
            failed_since(MOMENT, MOMENT + timedelta(hours=1), "acme", (Outcome.FAILED, Outcome.EXPIRED)),
            (
                " AND DeskhandTenant = 'acme' AND DeskhandOutcome IN ('failed', 'expired')"
                " AND ExecutionStatus IN ('Failed', 'TimedOut')"
                " AND CloseTime >= '2026-11-25T07:00:00.000005Z' AND CloseTime <= '2026-11-25T08:00:00.000005Z'"
            ),
        ),
    ],
)
def test_a_filter_in_temporals_words(which: RunFilter, query: str) -> None:
    assert which.query() == RUNS + query


@pytest.mark.parametrize(
    ("value", "text"), [("a", "'a'"), ("a' OR 'b", "'a'' OR ''b'"), ("a\\", "'a\\\\'"), ("a\\'", "'a\\\\'''")]
)
def test_a_value_stays_a_value(value: str, text: str) -> None:
    assert quoted(value) == text


def run(**more: Any) -> RunFound:
    fields: dict[str, Any] = {
        "id": "jira:acme:1:created",
        "run_id": "0",
        "tool": "jira",
        "tenant": "acme",
        "ticket": "1",
        "status": WorkflowExecutionStatus.RUNNING,
        "outcome": None,
        "waiting_for": None,
        "started": datetime(2026, 11, 25, 7, 0, tzinfo=UTC),
        "closed": None,
    }
    return RunFound(**{**fields, **more})


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({}, "at work"),
        ({"waiting_for": "vendor"}, "waiting: vendor"),
        ({"status": WorkflowExecutionStatus.COMPLETED, "outcome": "posted"}, "posted"),
        ({"status": WorkflowExecutionStatus.TERMINATED}, "terminated"),
        ({"status": WorkflowExecutionStatus.TIMED_OUT}, "timed out"),
        ({"status": WorkflowExecutionStatus.CANCELED}, "cancelled"),
    ],
)
def test_the_state_of_a_run_in_a_word_or_two(more: dict[str, Any], state: str) -> None:
    assert run(**more).state == state


def test_a_list_stands_in_columns() -> None:
    now = datetime(2026, 11, 25, 9, 5, tzinfo=UTC)
    ended = run(
        id="jira:a:1:created",
        status=WorkflowExecutionStatus.COMPLETED,
        outcome="posted",
        closed=now - timedelta(hours=1),
    )
    assert run_lines([run(waiting_for="credentials"), ended], now) == [
        "jira:acme:1:created  waiting: credentials  started 2 h 5 min ago",
        "jira:a:1:created     posted                ended 1 h ago",
    ]
    assert run_lines([], now) == []


def test_callers_come_at_most_at_the_pace_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    times: list[float] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr("deskhand.runs.pacing.asyncio.sleep", sleep)

    async def turns() -> None:
        nonlocal now
        pace = Pace(5, lambda: now)
        for _ in range(3):
            await pace.turn()
            times.append(round(now, 3))
        now += 10  # one that was slow is not made up for by a burst
        for _ in range(2):
            await pace.turn()
            times.append(round(now, 3))

    asyncio.run(turns())
    assert times == [100, 100.2, 100.4, 110.4, 110.6]
