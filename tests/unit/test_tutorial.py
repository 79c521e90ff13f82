"""The tutorial's code is the example's: each block is held to the file that it names."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "freshservice"
TUTORIAL = (ROOT / "docs" / "write-a-plugin.md").read_text()
BLOCKS = re.findall(r"^```\w+ file=(\S+)\n(.*?)^```$", TUTORIAL, re.MULTILINE | re.DOTALL)


def code(text: str) -> list[str]:
    """The lines that are not blank."""
    return [line for line in text.splitlines() if line.strip()]


def blocks_of(file: str) -> str:
    """All that the tutorial shows of a file, in its order."""
    return "".join(block for name, block in BLOCKS if name == file)


@pytest.mark.parametrize("file", ["deskhand_freshservice/plugin.py", "deskhand_freshservice/full.py", "pyproject.toml"])
def test_the_tutorial_shows_the_whole_file(file: str) -> None:
    assert code(blocks_of(file)) == code((EXAMPLE / file).read_text())


def test_what_it_shows_of_the_pretend_tool_is_in_it() -> None:
    shown = [block for name, block in BLOCKS if name == "deskhand_freshservice/pretend.py"]
    assert shown
    source = (EXAMPLE / "deskhand_freshservice" / "pretend.py").read_text()
    assert all(block in source for block in shown)


def test_the_tests_that_it_shows_are_run() -> None:
    (shown,) = (block for name, block in BLOCKS if name == "tests")
    exec(shown, {})  # noqa: S102  # our own tutorial: its imports hold
    run = (ROOT / "tests" / "plugins" / "conformance" / "test_freshservice.py").read_text()
    assert shown[shown.index("class ") :] in run


def test_no_other_code_is_shown() -> None:
    assert len(re.findall(r"^```(python|toml|sh)", TUTORIAL, re.MULTILINE)) == len(BLOCKS)


@pytest.mark.parametrize("command", [("list",), ("show", "freshservice")], ids=" ".join)
def test_the_commands_that_it_shows_know_the_plugin(command: tuple[str, ...]) -> None:
    assert f"deskhand plugins {' '.join(command)}\n" in TUTORIAL
    done = subprocess.run(
        [sys.executable, "-m", "deskhand.cli", "plugins", *command], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "freshservice" in done.stdout
