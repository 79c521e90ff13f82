"""What `make histories` does with histories that are stored already: none is overwritten unless that is asked for."""

from pathlib import Path

from tests.replay.record import keep
from tests.replay.stored import Told, stored

STORED = stored()
NAME = "EnhanceTicket/posted"
POSTED, FOUND_OUT, PARKED = (
    Told.read(STORED[f"EnhanceTicket/{course}"]) for course in ("posted", "posted-after-doubt", "cancelled-parked")
)


def test_what_is_not_there_is_new(tmp_path: Path) -> None:
    assert dict(keep({NAME: POSTED}, replace=False, folder=tmp_path)) == {NAME: "new"}
    assert Told.read(stored(tmp_path)[NAME]) == POSTED


def test_a_run_that_goes_the_same_way_changes_no_file(tmp_path: Path) -> None:
    list(keep({NAME: POSTED}, replace=False, folder=tmp_path))
    file = stored(tmp_path)[NAME]
    file.write_text(file.read_text() + "\n")
    before = file.read_text()
    assert dict(keep({NAME: POSTED}, replace=False, folder=tmp_path)) == {NAME: "kept"}
    assert file.read_text() == before


def test_one_that_goes_another_way_is_stored_beside_the_older(tmp_path: Path) -> None:
    for told in (POSTED, FOUND_OUT, PARKED):
        list(keep({NAME: told}, replace=False, folder=tmp_path))
    assert dict(keep({NAME: FOUND_OUT}, replace=False, folder=tmp_path)) == {NAME: "kept"}
    kept = stored(tmp_path)
    assert [Told.read(kept[name]) for name in (NAME, f"{NAME}.2", f"{NAME}.3")] == [POSTED, FOUND_OUT, PARKED]


def test_replacing_keeps_only_the_way_of_today_and_says_what_goes(tmp_path: Path) -> None:
    list(keep({NAME: POSTED, "EnhanceTicket/gone": PARKED}, replace=False, folder=tmp_path))
    list(keep({NAME: FOUND_OUT}, replace=False, folder=tmp_path))
    said = list(keep({NAME: FOUND_OUT}, replace=True, folder=tmp_path))
    assert said == [(NAME, "removed"), (NAME, "kept"), ("EnhanceTicket/gone", "removed")]
    assert [Told.read(path) for path in stored(tmp_path).values()] == [FOUND_OUT]


def test_replacing_what_is_as_it_was_changes_nothing(tmp_path: Path) -> None:
    list(keep({NAME: POSTED}, replace=True, folder=tmp_path))
    assert dict(keep({NAME: POSTED}, replace=True, folder=tmp_path)) == {NAME: "kept"}
