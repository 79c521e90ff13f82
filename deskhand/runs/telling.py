"""Runs and their stories as lines for a terminal, and as JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any
from urllib.parse import quote

from deskhand.runs.story import Pause, Step, Story
from deskhand.runs.visibility import RunFound, ended
from deskhand.runs.wording import counted, moment, one_line, span
from plugins.rendering.characters import printable
from workflows.contracts import Outcome, Waiting


def run_lines(runs: list[RunFound], now: datetime) -> list[str]:
    """One line per run: its workflow id, its state, and how long ago it started or ended."""
    rows = [(printable(run.id), run.state, _age(run, now)) for run in runs]
    wide = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    return [f"{run:<{wide[0]}}  {state:<{wide[1]}}  {age}" for run, state, age in rows]


def run_json(run: RunFound) -> dict[str, Any]:
    """A run for a program."""
    return {
        "run": run.id,
        "run_id": run.run_id,
        "tool": run.tool,
        "tenant": run.tenant,
        "ticket": run.ticket,
        "status": "running" if run.open else ended(run.status),
        "outcome": run.outcome,
        "waiting_for": run.waiting_for,
        "started": _iso(run.started),
        "closed": _iso(run.closed),
    }


def story_lines(story: Story, now: datetime, link: str) -> Iterator[str]:
    """The story of a run in about ten lines. `link` is its page in the Temporal UI, or empty."""
    run = story.run
    yield f"{printable(run.id)}: {run.state}"
    ref = f", ref {story.ref}" if story.ref else ""
    yield f"{story.workflow} for ticket {one_line(run.ticket)} of tenant {run.tenant} ({run.tool}){ref}"
    yield _began(story)
    width = max((len(step.activity) for step in story.steps), default=0)
    for step in story.steps:
        said = f": {step.said}" if step.said else ""
        yield f"  {step.activity:<{width}}  {step.state:<7}  {_effort(step, now)}{said}"
    if story.trouble:
        yield f"Stuck: {story.trouble}"
    if story.sleeps is not None:
        summary, until = story.sleeps
        yield f"Sleeps until {moment(until)}" + (f": {summary}" if summary else "")
    if story.waits is not None:
        yield from _wait(story, story.waits, now)
    if run.closed is not None:
        yield f"Ended {moment(run.closed)}, after {span(run.closed - run.started)}: {story.ended or run.state}"
    yield f"To go on: {_way_on(story)}"
    if link:
        yield link


def story_json(story: Story, link: str) -> dict[str, Any]:
    """The story of a run for a program."""
    told = asdict(story)
    del told["run"]
    told["temporal_ui"] = link or None
    return {**run_json(story.run), **_plain(told)}


def ui_link(ui_url: str | None, namespace: str, run: RunFound) -> str:
    """The run's page in the Temporal UI; empty where no UI is known."""
    if not ui_url:
        return ""
    page = f"{quote(run.id, safe='')}/{run.run_id}"
    return f"{ui_url.rstrip('/')}/namespaces/{quote(namespace, safe='')}/workflows/{page}/history"


def _age(run: RunFound, now: datetime) -> str:
    if run.closed is not None:
        return f"ended {span(now - run.closed)} ago"
    return f"started {span(now - run.started)} ago"


def _began(story: Story) -> str:
    started = f"started {moment(story.run.started)}"
    if story.received is None:
        return started[0].upper() + started[1:]
    delivery = f" ({story.delivery_id})" if story.delivery_id else ""
    late = story.run.started - story.received
    return f"Received {moment(story.received)} by {story.origin}{delivery}, started {span(late)} later"


def _effort(step: Step, now: datetime) -> str:
    attempts = counted(step.attempts, "attempt") if step.attempts else "first attempt"
    wakes = f", {step.wakes} of them after a wait" if step.wakes else ""
    if step.next_attempt is not None:
        return f"{attempts}{wakes} failed, the next in {span(step.next_attempt - now)}"
    ended = now if step.state == "at work" else step.ended
    took = f", {span(ended - step.began)}" if ended is not None else ""
    return f"{attempts}{wakes}{took}"


def _wait(story: Story, pause: Pause, now: datetime) -> Iterator[str]:
    since = f"Waits ({pause.reason}) since {moment(pause.since)} ({span(now - pause.since)})"
    told = f"; told to resume {counted(story.resumed, 'time')}" if story.resumed else ""
    if pause.until is None:
        yield f"{since}; an attempt is under way{told}"
    elif not pause.by_itself:
        yield f"{since}; does not wake by itself{told}"
    elif pause.until <= now:
        yield f"{since}; was to wake by itself {moment(pause.until)}{told}"
    else:
        yield f"{since}; wakes by itself {moment(pause.until)} (in {span(pause.until - now)}){told}"
    if story.deadline is not None:
        yield f"Gives up {moment(story.deadline)} (in {span(story.deadline - now)})"


def _way_on(story: Story) -> str:
    run = story.run
    if story.cancelling:
        return "nothing: it was asked to end, and will as soon as a worker has its turn"
    if story.trouble:
        return "start a worker of the version that can: it goes on by itself"
    resume = f"`deskhand runs resume {run.id}`"
    match run.waiting_for:
        case None if run.open:
            return "nothing: it is at work"
        case Waiting.PAUSED:
            return f"`deskhand tenant unpause {run.tenant}`"
        case Waiting.CREDENTIALS:
            return f"`deskhand plugins check --tenant {run.tenant}`, mend what it names, then {resume}"
        case Waiting.CONFIGURATION | Waiting.PRIVACY:
            return f"mend what is named above, then {resume}"
        case str():
            return f"nothing, or at once with {resume}"
    if run.outcome in ("posted", "dry_run", "recorded", "ignored"):
        return "nothing: it is done"
    retry = f"`deskhand runs retry {run.id}`"
    if run.outcome == Outcome.UNCONFIRMED:
        return f"look at the ticket; only if the note is not there, {retry} with --not-there"
    return f"{retry} starts it again"


def _iso(when: datetime | None) -> str | None:
    return when.isoformat() if when else None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return _iso(value) if isinstance(value, datetime) else value
