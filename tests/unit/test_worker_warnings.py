import warnings
from types import SimpleNamespace
from typing import cast

import pytest
from temporalio.bridge.proto.activity_task import Cancel
from temporalio.worker._activity import _ActivityWorker

import worker
from deskhand.settings import Settings, SettingsError


def test_the_sdks_one_spurious_warning_is_not_shown_and_all_others_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Settings:
        raise SettingsError("none")

    monkeypatch.setattr(worker, "load_settings", refuse)
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        worker.main()
        idle = cast(_ActivityWorker, SimpleNamespace(_running_activities={}))
        _ActivityWorker._handle_cancel_activity_task(idle, b"gone", Cancel())
        assert shown == []
        warnings.warn("Cannot find activity to cancel for token b'gone'", UserWarning, stacklevel=1)
        warnings.warn_explicit("another", UserWarning, "_activity.py", 1, "temporalio.worker._activity")
    assert len(shown) == 2
