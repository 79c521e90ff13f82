"""The short form of `make chaos`: every process is killed once while vendors misbehave; one private note per ticket."""

import os
from pathlib import Path

import pytest

from deskhand.devstack.stack import Stack
from deskhand.devstack.state import State
from tests.chaos.plan import KILLED, make_plan
from tests.chaos.running import carry_out

SEED = 1


@pytest.mark.timeout(300)  # alone it takes about 70 s, most of which is waiting as long as vendors are waited for
async def test_each_ticket_has_its_one_private_note_whatever_was_killed(
    state_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a stack of its own: what is killed would be missed by other tests."""
    for name in [name for name in os.environ if name.startswith("DESKHAND_DATABASE_")]:
        monkeypatch.delenv(name)  # nobody's own database is to be killed
    plan = make_plan(SEED, tickets=30, seconds=12, kills_each=1, faults_every=0.8)
    async with Stack(State.open(state_folder)) as stack:
        result = await carry_out(stack, plan, settle_seconds=90)
    assert not result.violations, "\n".join((*result.violations, *result.report))
    # It was no quiet day: otherwise nothing of this is shown.
    assert {kill.process for kill in plan.kills} == set(KILLED)
    assert any(result.records.faults.values())
    assert any(run.tries for run in result.records.runs)


def test_a_seed_repeats_its_plan() -> None:
    """And another one makes another."""
    assert make_plan(7, tickets=60, seconds=40) == make_plan(7, tickets=60, seconds=40)
    assert make_plan(7, tickets=60, seconds=40) != make_plan(8, tickets=60, seconds=40)
