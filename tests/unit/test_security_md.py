"""SECURITY.md names only what there is: files, commands and their options, settings, make targets, its own sections."""

import re
from functools import cache
from pathlib import Path

import pytest
import typer

from deskhand.cli import COMMANDS, _load
from deskhand.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "SECURITY.md").read_text()
NAMED = sorted(set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL))))

ADDRESSES = ("/webhooks/", "/healthz", "/readyz")
"""Of the starter: no paths here."""
OTHERS_SETTINGS = ("TEMPORAL_API_KEY", "TEMPORAL_TLS_CLIENT_KEY_PATH", "OTEL_EXPORTER_OTLP_HEADERS")
"""Of Temporal's and OpenTelemetry's own documentation."""

PATHS = [name for name in NAMED if re.fullmatch(r"[\w.-]+/[\w./-]*", name)]
NAMED_COMMANDS = [name for name in NAMED if name.startswith("deskhand ")]
OPTIONS = sorted({word for name in NAMED if not name.startswith("make ") for word in name.split() if word[:2] == "--"})
SETTINGS = sorted(set(re.findall(r"\b(?:DESKHAND|TEMPORAL|OTEL)_[A-Z_]*[A-Z]\b", TEXT)) - set(OTHERS_SETTINGS))
TARGETS = [name.removeprefix("make ") for name in NAMED if name.startswith("make ")]
ANCHORS = sorted(set(re.findall(r"\]\(#([^)]+)\)", TEXT)))


@cache
def command(name: str) -> typer.core.TyperGroup | typer.core.TyperCommand:
    loaded = _load(name)
    assert isinstance(loaded, typer.core.TyperGroup | typer.core.TyperCommand)
    return loaded


def options(words: list[str]) -> set[str]:
    """The options of the command that these words name."""
    found = command(words[0])
    for word in words[1:]:
        assert isinstance(found, typer.core.TyperGroup)
        found = found.commands[word]  # type: ignore[assignment]
    return {option for parameter in found.params for option in parameter.opts}


def test_the_page_names_some_of_each() -> None:
    """Or the patterns above find nothing, and nothing is checked."""
    assert all((PATHS, NAMED_COMMANDS, OPTIONS, SETTINGS, TARGETS, ANCHORS))
    assert {"starter/admission.py", "plugins/rendering/"} <= set(PATHS)


def test_no_name_is_broken_over_two_lines() -> None:
    """Or the patterns would not see it."""
    assert [line for line in TEXT.splitlines() if line.removeprefix("```").count("`") % 2] == []


@pytest.mark.parametrize("path", PATHS)
def test_each_path_is_there(path: str) -> None:
    found = ROOT / path
    assert found.is_dir() if path.endswith("/") else found.is_file()


@pytest.mark.parametrize("named", NAMED_COMMANDS)
def test_each_command_is_there_with_its_options(named: str) -> None:
    words = named.removeprefix("deskhand ").split()
    path = words[: next((place for place, word in enumerate(words) if word[:2] == "--"), len(words))]
    assert path[0] in COMMANDS
    assert {word for word in words if word[:2] == "--"} <= options(path)


@pytest.mark.parametrize("option", OPTIONS)
def test_each_option_is_some_commands(option: str) -> None:
    groups = {name: command(name) for name in COMMANDS}
    everywhere = [
        *([name] for name, found in groups.items() if not isinstance(found, typer.core.TyperGroup)),
        *(
            [name, under]
            for name, found in groups.items()
            if isinstance(found, typer.core.TyperGroup)
            for under in found.commands
        ),
    ]
    assert any(option in options(words) for words in everywhere)


@pytest.mark.parametrize("setting", SETTINGS)
def test_each_setting_is_there(setting: str) -> None:
    assert setting.removeprefix(PREFIX).lower() in Settings.model_fields


def test_the_settings_of_others_are_named() -> None:
    assert all(name in TEXT for name in OTHERS_SETTINGS)


@pytest.mark.parametrize("target", TARGETS)
def test_each_make_target_is_there(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("anchor", ANCHORS)
def test_each_section_that_is_linked_is_there(anchor: str) -> None:
    headings = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    assert anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_secret_setting_has_its_row() -> None:
    """A new secret needs a word on what its loss means and how it is changed."""
    secret = {PREFIX + name.upper() for name, field in Settings.model_fields.items() if "SecretStr" in str(field)}
    secret |= {PREFIX + name.upper() for name in Settings.model_fields if name.endswith("_keys_file")}
    rows = TEXT.partition("## Every secret")[2].partition("\n## ")[0]
    assert {name for name in secret if f"`{name}`" not in rows} == set()
