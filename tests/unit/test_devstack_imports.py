"""What our packages may import from outside, as allow-lists. import-linter holds our own packages apart."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deskhand.devstack import names

ROOT = Path(__file__).parents[2]
STANDARD = frozenset(sys.stdlib_module_names)


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            yield node.module


def _foreign(folder: Path, allowed: set[str], *, but: str | None = None) -> set[tuple[str, str]]:
    """Imports of files in the folder that are neither the standard library's nor allowed (a package allows its own)."""
    found = set()
    for path in folder.rglob("*.py"):
        if but is not None and path.is_relative_to(folder / but):
            continue
        for module in _imports(path):
            prefixes = {".".join(module.split(".")[: i + 1]) for i in range(module.count(".") + 1)}
            if prefixes.isdisjoint(allowed) and module.partition(".")[0] not in STANDARD:
                found.add((str(path.relative_to(ROOT)), module))
    return found


def test_plugins_import_http_models_and_rendering_only() -> None:
    allowed = {"plugins", "httpx", "pydantic", "markdown_it", "nh3"}
    assert _foreign(ROOT / "plugins", allowed, but="conformance") == set()


def test_pretend_tools_need_a_server_and_no_test_tools() -> None:
    allowed = {"plugins", "httpx", "nh3", "pydantic", "starlette", "uvicorn"}
    assert _foreign(ROOT / "plugins" / "conformance" / "pretend", allowed) == set()


def test_the_conformance_suite_imports_what_its_extra_names() -> None:
    allowed = {"plugins", "httpx", "hypothesis", "pydantic", "pytest"}
    assert _foreign(ROOT / "plugins" / "conformance", allowed, but="pretend") == set()


def test_workflows_import_temporal_models_and_value_types_only() -> None:
    assert _foreign(ROOT / "workflows", {"workflows", "temporalio", "pydantic", "plugins.types"}) == set()


@pytest.mark.parametrize("name", names.NAMES)
def test_each_top_level_name_is_ours(name: str) -> None:
    assert name not in names.foreign_names()


def test_a_name_that_another_package_took_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "starter.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "starter", raising=False)
    assert names.foreign_names() == {"starter": f"is {tmp_path / 'starter.py'}"}
