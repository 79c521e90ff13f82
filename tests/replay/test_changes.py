"""What a change does to runs that are under way: the rows of the table in CONTRIBUTING.md."""

from collections.abc import Mapping

import pytest

from tests.replay import changes
from tests.replay.replaying import advice, replay_failures
from tests.replay.stored import Told, stored
from workflows.contracts import ENHANCE_TICKET
from workflows.enhance_ticket import EnhanceTicket


@pytest.fixture(scope="module")
async def told() -> Mapping[str, Told]:
    """Every stored history of the workflow, by its course."""
    histories = {
        name.partition("/")[2]: Told.read(path) for name, path in stored().items() if name.startswith(ENHANCE_TICKET)
    }
    if await replay_failures([EnhanceTicket], histories):
        pytest.skip("some do not replay with the workflow as it is: test_replay.py says which")
    return histories


@pytest.mark.parametrize(
    ("change", "stuck", "unharmed"),
    [
        (changes.AddedTimer, "retrying-gather_context", "parked-get_ticket-vendor"),
        (changes.AddedActivity, "retrying-update_ticket", "parked-write_note-storage"),
        (changes.OtherOrder, "retrying-gather_context", "parked-get_ticket-vendor"),
        (changes.RemovedUpsert, "parked-get_ticket-vendor", "retrying-update_ticket"),
    ],
)
async def test_a_change_of_the_commands_breaks_runs_that_have_come_that_far(
    told: Mapping[str, Told], change: type, stuck: str, unharmed: str
) -> None:
    failures = await replay_failures([change], told)
    assert not told[stuck].ended
    assert "Nondeterminism" in str(failures[stuck])
    assert unharmed not in failures


@pytest.mark.parametrize(
    "change",
    [
        changes.AddedTimerGuarded,
        changes.AddedActivityGuarded,
        changes.OtherOrderGuarded,
        changes.RemovedUpsertGuarded,
    ],
)
async def test_the_same_behind_a_patch_breaks_none(told: Mapping[str, Told], change: type) -> None:
    assert await replay_failures([change], told) == {}


async def test_other_numbers_break_none(told: Mapping[str, Told]) -> None:
    assert await replay_failures([changes.OtherNumbers], told) == {}


async def test_longer_waits_break_only_runs_that_would_have_come_to_their_deadline(told: Mapping[str, Told]) -> None:
    # A timer's length is no command, but whether a wait reaches the deadline decides what comes after it.
    assert set(await replay_failures([changes.LongerWaits], told)) == {
        "expired",
        "posted-unlooked-to-the-deadline",
    }


async def test_a_failure_says_which_runs_would_break_and_what_to_do(told: Mapping[str, Told]) -> None:
    name = "parked-get_ticket-credentials"
    failures = await replay_failures([changes.RemovedUpsert], {name: told[name]})
    said = advice(f"EnhanceTicket/{name}", told[name], failures[name])
    assert said.startswith(
        "EnhanceTicket/parked-get_ticket-credentials: A running run that is parked at get_ticket for credentials does"
    )
    assert "workflow.patched: CONTRIBUTING.md, “Changing a workflow”" in said
    assert "make histories REPLACE=1" in said
