"""When the demo calls a ticket's notes right, and what it says when they are not."""

from dataclasses import replace

import pytest

from deskhand.devstack.demo import Outcome, StoredNote
from deskhand.devstack.scenario import STORIES

NOTE = StoredNote("Try this. ref dh-0123456789ab", private=True)
GOOD = Outcome(
    story=STORIES[0],
    ticket_id="HELP-1",
    ticket_url="http://127.0.0.1:1/browse/HELP-1",
    run="jira:demo:HELP-1:created",
    run_url="http://127.0.0.1:2/",
    ref="dh-0123456789ab",
    notes=(NOTE,),
    state="completed",
)


def test_one_private_note_with_its_ref_is_right() -> None:
    assert GOOD.problem is None


@pytest.mark.parametrize(
    ("outcome", "problem"),
    [
        (replace(GOOD, notes=()), "the note is missing (the run is completed)"),
        (replace(GOOD, notes=(), state="still waiting"), "the note is missing (the run is still waiting)"),
        (replace(GOOD, notes=(NOTE, NOTE)), "there are 2 notes, not one"),
        (replace(GOOD, notes=(replace(NOTE, private=False),)), "a note is public"),
        (replace(GOOD, notes=(NOTE, replace(NOTE, private=False))), "a note is public"),
        (replace(GOOD, notes=(replace(NOTE, text="Try this."),)), "the note does not carry dh-0123456789ab"),
        (replace(GOOD, state="failed"), "the run is failed"),
    ],
)
def test_anything_else_is_told(outcome: Outcome, problem: str) -> None:
    assert outcome.problem == problem
