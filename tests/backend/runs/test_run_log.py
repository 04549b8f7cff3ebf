"""A run's log: lines with time and step, bounded, never in the way."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vaeviewer.backend.runs.log import LOG, RunLog, last_sign_of_life
from vaeviewer.limits import MAX_LOG_BYTES


def test_a_line_has_time_step_and_one_line_of_text(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    log.note(7, "failed:\nno space")
    log.note(8, "saved")
    lines = (tmp_path / LOG).read_text().splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d step 7: failed: no space", lines[0])
    assert lines[1].endswith("step 8: saved")


def test_it_stays_small_and_keeps_what_is_newest(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    for step in range(1200):
        log.note(step, "x" * 490)
    data = (tmp_path / LOG).read_text()
    assert MAX_LOG_BYTES / 3 < len(data) <= MAX_LOG_BYTES
    assert f"step 1199: {'x' * 490}\n" in data
    assert all(re.match(r"\d{4}-", line) for line in data.splitlines()), "only whole lines are kept"


@pytest.mark.skipif(os.name == "nt", reason="links and pipes are made otherwise there")
def test_nothing_is_written_through_links_and_pipes(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine")
    os.utime(other, (1, 1))
    (tmp_path / LOG).symlink_to(other)
    log = RunLog(tmp_path)
    log.note(1, "saved")
    log.show_life()
    assert other.read_text() == "mine"
    assert other.stat().st_mtime == 1
    (tmp_path / LOG).unlink()
    os.mkfifo(tmp_path / LOG)
    log.note(1, "saved")  # does not wait for a reader


def test_nothing_is_written_into_a_file_with_another_name(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine\n")
    os.utime(other, (1, 1))
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / LOG).hardlink_to(other)
    log = RunLog(folder)
    log.show_life()
    assert other.stat().st_mtime == 1
    log.note(1, "saved")
    log.note(2, "saved")
    assert (other.read_text(), other.stat().st_mtime) == ("mine\n", 1)
    first, *lines = (folder / LOG).read_text().splitlines()
    assert first == "mine", "what was noted before is kept"
    assert [line.split(" ", 2)[2] for line in lines] == ["step 1: saved", "step 2: saved"]
    log.show_life()
    assert (folder / LOG).stat().st_mtime > 1


def test_where_there_is_no_folder_nothing_happens(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "gone")
    log.note(1, "saved")
    log.show_life()
    assert last_sign_of_life(tmp_path / "gone") is None


def test_life_is_shown_by_the_time_of_change(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    log.note(1, "saved")
    os.utime(tmp_path / LOG, (0, 0))
    assert last_sign_of_life(tmp_path) == datetime(1970, 1, 1, tzinfo=UTC)
    log.show_life()
    alive = last_sign_of_life(tmp_path)
    assert alive is not None
    assert abs((datetime.now(UTC) - alive).total_seconds()) < 5
