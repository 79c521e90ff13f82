"""Each module of `workflows` loads inside the default sandbox, where a warning is an error as in every test."""

import importlib
import pkgutil
from pathlib import Path

import pytest

import workflows
from tests.replay.replaying import replay_failures

MODULES = [f"workflows.{module.name}" for module in pkgutil.iter_modules(workflows.__path__)]

# The workflow's module, and what it imports without passing it through, is what the sandbox loads as a worker begins.
SOURCE = """
from temporalio import workflow
import {module}

@workflow.defn
class Nothing:
    @workflow.run
    async def run(self) -> None:
        pass
"""


@pytest.mark.parametrize("module", MODULES)
async def test_it_loads(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"loads_{module.replace('.', '_')}"
    (tmp_path / f"{name}.py").write_text(SOURCE.format(module=module))
    monkeypatch.syspath_prepend(tmp_path)
    assert await replay_failures([importlib.import_module(name).Nothing], {}) == {}
