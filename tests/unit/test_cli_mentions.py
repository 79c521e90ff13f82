"""A way out that does not exist is none: every command that a message or a page names is there."""

import re
from pathlib import Path

import pytest
import typer

from deskhand.cli import COMMANDS, _load

ROOT = Path(__file__).parents[2]
PLACES = ("README.md", "SECURITY.md", "docs", "activities", "deskhand", "plugins", "starter", "worker.py", "workflows")
MENTION = re.compile(r"`(?:\.venv/bin/)?deskhand ([a-z]+)(?: ([a-z][a-z-]*))?")
TARGET = re.compile(r"`make ([a-z]+)`")


def texts() -> list[tuple[str, str]]:
    files = [path for place in PLACES for path in ([ROOT / place] if "." in place else (ROOT / place).rglob("*.*"))]
    return [(str(path.relative_to(ROOT)), path.read_text()) for path in files if path.suffix in (".py", ".md", ".sql")]


def mentions(pattern: re.Pattern[str]) -> list[tuple[str, ...]]:
    return sorted({(where, *match.groups("")) for where, text in texts() for match in pattern.finditer(text)})


@pytest.mark.parametrize(("where", "command", "under"), mentions(MENTION))
def test_a_command_that_is_named_is_there(where: str, command: str, under: str) -> None:
    assert command in COMMANDS, f"{where} names `deskhand {command}`"
    if under:
        loaded = _load(command)
        assert isinstance(loaded, typer.core.TyperGroup), f"{where} names `deskhand {command} {under}`"
        assert under in loaded.commands


@pytest.mark.parametrize(("where", "target"), mentions(TARGET))
def test_a_make_target_that_is_named_is_there(where: str, target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), f"{where} names `make {target}`"
