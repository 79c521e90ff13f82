"""`deskhand demo` as a person sees it: three private notes, or a failure that says what is wrong."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deskhand.devstack.state import FOLDER_VARIABLE, State, busy_ports

DESKHAND = str(Path(sys.executable).with_name("deskhand"))


def _demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [DESKHAND, "demo", *arguments],
        env={**os.environ, FOLDER_VARIABLE: str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_it_shows_a_private_note_per_tool(module_state_folder: Path) -> None:
    done = _demo(module_state_folder)
    assert (done.returncode, done.stderr) == (0, "")
    ui = f"http://127.0.0.1:{State.open(module_state_folder).ports.temporal_ui}"
    for title, run in (
        ("Jira", r"jira:demo-jira-\w+:HELP-\d+:created"),
        ("Zendesk", r"zendesk:demo-zendesk-\w+:\d+:created"),
        ("ServiceDesk Plus", r"servicedesk_plus:demo-servicedesk-plus-\w+:\d+:created"),
    ):
        assert f"Private note, as {title} stored it" in done.stdout
        assert re.search(run, done.stdout)
    assert done.stdout.count(f"{ui}/namespaces/deskhand/workflows/") == 3
    assert len(set(re.findall(r"dh-[0-9a-f]{12}", done.stdout))) == 3
    assert done.stdout.count("As it should be: one note, private.") == 3
    assert "PUBLIC" not in done.stdout
    assert "make dev" in done.stdout
    assert busy_ports(State.open(module_state_folder).ports) == {}


@pytest.mark.parametrize(
    ("fault", "tool", "verdict"),
    [
        ("public", "jira", "Wrong: a note is public."),
        ("double", "zendesk", "Wrong: there are 2 notes, not one."),
        ("lose", "servicedesk_plus", "Wrong: the note is missing (the run is completed)."),
    ],
)
def test_it_fails_on_a_note_that_is_wrong(module_state_folder: Path, fault: str, tool: str, verdict: str) -> None:
    # The same state as above: a demo does not mind what the ones before it left.
    done = _demo(module_state_folder, "--fault", fault, "--tool", tool)
    assert done.returncode == 1
    assert verdict in done.stdout
    assert done.stdout.count("Wrong:") == 1
    assert done.stdout.count("As it should be: one note, private.") == 2
