"""The requirements files: pins with hashes, no addresses, and what `pyproject.toml` asks for."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from requirements.pins import FOLDER, Pin, PinsError, pins

FILES = sorted(file.name for file in FOLDER.glob("*.txt"))
PROJECT = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text())


def pinned(file: str) -> dict[str, Pin]:
    return {pin.name: pin for pin in pins(file)}


def test_there_are_these_files() -> None:
    assert FILES == ["dev.txt", "runtime.txt", "uv.txt"]


@pytest.mark.parametrize("file", FILES)
def test_each_line_is_a_pin_with_hashes_and_no_package_stands_twice(file: str) -> None:
    found = pins(file)
    assert found
    assert len({pin.name for pin in found}) == len(found)
    assert all(pin.hashes for pin in found)


@pytest.mark.parametrize("file", FILES)
def test_no_file_says_where_packages_come_from(file: str) -> None:
    text = (FOLDER / file).read_text()
    assert "://" not in text
    assert "index" not in text
    assert " @ " not in text


def test_what_runs_in_production_is_what_was_tested() -> None:
    runtime, dev = pinned("runtime.txt"), pinned("dev.txt")
    assert {name: dev.get(name) for name in runtime} == runtime


@pytest.mark.parametrize(
    ("file", "asked_for"),
    [
        ("runtime.txt", PROJECT["project"]["dependencies"]),
        ("dev.txt", PROJECT["dependency-groups"]["dev"]),
        ("dev.txt", PROJECT["project"]["optional-dependencies"]["devstack"]),
    ],
)
def test_each_direct_dependency_is_pinned_within_its_range(file: str, asked_for: list[str]) -> None:
    found = pinned(file)
    for requirement in map(Requirement, asked_for):
        pin = found[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pin.version, prereleases=True), pin.name


@pytest.mark.parametrize(
    "line",
    [
        "httpx==0.28.1",
        "httpx>=0.28 --hash=sha256:" + "0" * 64,
        "httpx==0.28.1 --hash=sha256:" + "0" * 63,
        "httpx==0.28.1 --hash=md5:" + "0" * 32,
        "httpx @ https://example.org/httpx.whl --hash=sha256:" + "0" * 64,
        "--index-url https://example.org/simple",
        "-r other.txt",
    ],
)
def test_what_is_no_pin_is_refused(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some.txt").write_text(line + "\n")
    monkeypatch.setattr("requirements.pins.FOLDER", tmp_path)
    with pytest.raises(PinsError, match=r"requirements/some\.txt"):
        pins("some.txt")
