"""The stored histories replay: no change here breaks a run that is under way, or what is told of one that ended."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload

from deskhand.crypto.codec import ENCODING
from tests.replay.courses import COURSES, PASSES, TENANT, TICKET, TOOL, usual
from tests.replay.record import IDENTITY
from tests.replay.replaying import WORKFLOWS, advice, replay_failures
from tests.replay.stored import CONVERTER, Told, course_of, stored
from workflows.contracts import (
    ENHANCE_TICKET,
    EXTRACT_METADATA,
    GATHER_CONTEXT,
    LOOK_AGAIN,
    START_MISSING,
    Outcome,
    Waiting,
)

STORED = stored()
STEPS = frozenset(usual(ENHANCE_TICKET))
"""The activities at which a run can park: recording fails for one that it knows no answer of."""


@pytest.fixture(scope="module")
def told() -> Mapping[str, Told]:
    """Every stored history, by name."""
    return {name: Told.read(path) for name, path in STORED.items()}


@pytest.fixture(scope="module")
async def failures(told: Mapping[str, Told]) -> Mapping[str, Exception]:
    """Which of them do not replay."""
    return await replay_failures(WORKFLOWS.values(), told)


@pytest.mark.parametrize("name", STORED)
async def test_it_replays(name: str, told: Mapping[str, Told], failures: Mapping[str, Exception]) -> None:
    if name in failures:
        pytest.fail(advice(name, told[name], failures[name]), pytrace=False)


def test_every_course_has_its_history() -> None:
    missing = {course.full_name for course in COURSES} - set(map(course_of, STORED))
    assert not missing, f"no history of {sorted(missing)}: record with `make histories`"


def test_every_history_is_of_a_course() -> None:
    strange = set(map(course_of, STORED)) - {course.full_name for course in COURSES}
    assert not strange, f"no such course any more: {sorted(strange)}; `make histories REPLACE=1` removes its history"


def without_history(wanted: Iterable[str], had: Iterable[str]) -> str:
    """What is wanted and not had, in words; empty where all is had."""
    missing = sorted(set(wanted) - set(had))
    return f"no history of {', '.join(missing)}: add a course to tests/replay/courses.py" if missing else ""


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_every_workflow_has_histories_of_runs_that_ended_and_of_open_ones(
    workflow: str, told: Mapping[str, Told]
) -> None:
    states = {history.ended for name, history in told.items() if name.startswith(f"{workflow}/")}
    assert states == {True, False}, f"{workflow}: add courses to tests/replay/courses.py, then `make histories`"


def test_every_outcome_has_its_history(told: Mapping[str, Told]) -> None:
    had = (history.outcome for history in told.values() if history.ended)
    assert not without_history(Outcome, had)


def test_every_reason_to_wait_has_a_history_of_a_run_that_waits(told: Mapping[str, Told]) -> None:
    had = (history.waiting_for for history in told.values() if not history.ended)
    assert not without_history(Waiting, had)


def test_every_step_has_a_history_of_a_run_that_is_parked_there(told: Mapping[str, Told]) -> None:
    steps = (name for name in STEPS if name != GATHER_CONTEXT.name)  # without it the note is written all the same
    assert not without_history(steps, (history.step for history in told.values() if history.waiting_for))


def test_every_step_has_a_history_of_a_run_that_is_between_two_attempts_at_it(told: Mapping[str, Told]) -> None:
    remote = (name for name in STEPS if name != EXTRACT_METADATA.name)  # goes the way of `validate_webhook`
    assert not without_history(
        (*remote, START_MISSING.name), (told[name].step for name in STORED if "/retrying-" in name)
    )


def test_a_new_outcome_or_reason_without_a_history_is_named() -> None:
    assert "no history of sent: add a course" in without_history([*Outcome, "sent"], Outcome)


@pytest.mark.parametrize("name", STORED)
def test_a_history_is_what_its_name_says(name: str, told: Mapping[str, Told]) -> None:
    workflow, _, course = course_of(name).partition("/")
    history = told[name]
    assert history.events[0].workflow_execution_started_event_attributes.workflow_type.name == workflow
    kind, *about = course.split("-")
    match kind:
        case "parked":
            assert not history.ended
            assert history.waiting_for
            if about[0] not in ("after", "for"):
                assert history.step == about[0]
            if len(about) == 2:
                assert history.waiting_for == about[1] or about[0] == "after"
        case "waiting":
            assert not history.ended
        case "retrying" | "resumed":
            assert (history.ended, history.step) == (False, about[0])
        case "second":
            assert (history.ended, history.outcome, history.waiting_for) == (False, "", "")
            assert history.step == "update_ticket"
        case _ if workflow in PASSES:
            assert history.ended
        case _:
            assert history.ended
            assert history.outcome == ("posted" if kind == "found" else kind)
            assert not history.waiting_for, "what it waited for is over"


def test_the_second_look_is_in_a_history_that_ended(told: Mapping[str, Told]) -> None:
    assert any(history.ended and history.step == LOOK_AGAIN.name for history in told.values())


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parts(inner)


@pytest.mark.parametrize("name", STORED)
async def test_it_is_sealed_under_the_test_key_and_names_no_machine(name: str) -> None:
    events = json.loads(STORED[name].read_text())
    assert CONVERTER.payload_codec is not None
    plain = set()
    for part in parts(events):
        assert part.get("identity", IDENTITY) in (IDENTITY, "history-service")
        if "encoding" not in part.get("metadata", {}):
            continue
        if base64.b64decode(part["metadata"]["encoding"]) != ENCODING:
            plain.add(base64.b64decode(part.get("data", "")).decode())
            continue
        payload = Payload(metadata={"encoding": ENCODING}, data=base64.b64decode(part["data"]))
        (opened,) = await CONVERTER.payload_codec.decode([payload])
        assert b'File \\"' not in opened.data, "a stack trace, which holds the paths of a machine"
    # Search attributes, and what the SDK notes of local activities.
    attributes = {text.strip('"') for text in plain if '"activity_type"' not in text}
    assert {text for text in attributes if not text.startswith(TENANT)} <= {"", TOOL, TICKET, *Outcome, *Waiting}


def test_they_are_small() -> None:
    assert sum(path.stat().st_size for path in STORED.values()) < 1_500_000
