"""docs/codec.md says what the code does."""

import mmap
import re
import shutil
import sys
from pathlib import Path

import pytest

from deskhand.codec import app, callers, issuer, safety, tokens
from deskhand.settings import PREFIX, Settings, SettingsError

DOC = (Path(__file__).parents[2] / "docs" / "codec.md").read_text()
FLAT = " ".join(DOC.split())


def test_every_setting_of_the_codec_is_told_with_its_default() -> None:
    table = DOC.partition("## Settings")[2].partition("## What")[0]
    rows = dict(re.findall(r"^\| (.+?) \| (.+?) \|", table, re.MULTILINE))
    told = {
        name: default.strip("`")
        for names, defaults in rows.items()
        for name, default in zip(re.findall(rf"`{PREFIX}(CODEC_\w+)`", names), defaults.split(", "), strict=False)
    }
    fields = {name.upper(): field for name, field in Settings.model_fields.items() if name.startswith("codec_")}
    assert told == {name: str(field.default) if field.default else "none" for name, field in fields.items()}


def test_every_setting_that_is_told_exists() -> None:
    names = set(re.findall(rf"{PREFIX}(\w+)", DOC))
    assert {name.lower() for name in names} <= set(Settings.model_fields)


def test_limits_and_algorithms_are_as_told() -> None:
    algorithms = re.search(r"JSON Web Token: (.+?), never `none`", FLAT)
    assert algorithms
    assert set(re.split(", | or ", algorithms[1])) == set(tokens._KEYS_FOR)
    told = {
        f"| a body | {app.MAX_BODY_BYTES // 1024**2} MiB |",
        f"| payloads in one request | {app.MAX_PAYLOADS:,} |",
        f"| bodies in memory at once | {app.BODIES_AT_ONCE} |",
        f"`Retry-After: {callers.RETRY_AFTER_SECONDS}`",
        f"{issuer.MAX_ANSWER_BYTES // 1024} KiB, {issuer.FETCH_SECONDS:g} seconds",
        f"kept for {issuer.FRESH_SECONDS / 60:g} minutes",
        f"at most every {issuer.AGAIN_SECONDS:g} seconds",
        f"up to {issuer.STALE_SECONDS / 3600:g} hours",
        f"{tokens.LEEWAY_SECONDS} seconds' leeway",
    }
    assert {part for part in told if part not in FLAT} == set()


def test_it_refuses_to_start_in_the_words_that_are_shown() -> None:
    with pytest.raises(SettingsError) as refused:
        safety.refuse_unsafe(Settings(environment="production"))
    assert f"$ deskhand codec\ndeskhand: {refused.value}\n" in DOC


def test_the_example_is_taken() -> None:
    example = re.findall(rf"^ +{PREFIX}(\w+)=(\S+)$", DOC, re.MULTILINE)
    assert len(example) == 5
    safety.refuse_unsafe(Settings.model_validate({name.lower(): value for name, value in example}))


def test_the_temporal_ui_sends_the_headers_that_are_admitted() -> None:
    """Looked up in the UI that the development server serves: its JavaScript lies in the binary as it is."""
    binary = shutil.which("temporal", path=Path(sys.executable).parent)
    assert binary
    with Path(binary).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        place = content.find(b"?preserveStorageRefs=true")
        assert place > 0, "the UI calls the codec in another way than docs/codec.md says"
        code = content[place - 1000 : place].decode()
    headers = code[code.index('={"Content-Type"') :]
    sent = {"-".join(part) for part in re.findall(r'"([A-Z][a-z]*)-([A-Z][a-z]+)"', headers)}
    sent.update(re.findall(r"\.(Authorization)=", headers))
    assert sent == set(app.REQUEST_HEADERS)
