"""Listing runs: what the manifests say, whatever else lies there."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import run_folders

from vaeviewer.backend.config import Settings
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.runs import listing as run_list
from vaeviewer.backend.runs import restore
from vaeviewer.backend.runs.copying import copy_of_run
from vaeviewer.backend.runs.listing import list_runs, summary_of
from vaeviewer.backend.runs.lock import RunLock
from vaeviewer.backend.runs.log import RunLog
from vaeviewer.backend.runs.manifest import Manifest
from vaeviewer.backend.runs.saving import mark_in_training, save_run
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.errors import RunFolderError


@pytest.fixture
def trainer(digits: ImageDataset, small: Settings) -> Trainer:
    trainer = Trainer(digits, small)
    trainer.step()
    trainer.finish_block()
    return trainer


def test_a_summary_says_where_the_run_is(tmp_path: Path, trainer: Trainer) -> None:
    trainer.train_further()
    run_folders.save(trainer, tmp_path / "run")
    summary = summary_of(tmp_path / "run")
    assert (summary.name, summary.step, summary.planned_epochs) == ("run", 1, 3)
    assert summary.epoch == pytest.approx(1 / 12)
    assert summary.held_out is None
    assert (summary.in_training, summary.in_use, summary.interrupted) == (False, False, False)
    assert summary.lost_s == 0.0
    found = trainer.evaluate()
    run_folders.save(trainer, tmp_path / "run")
    assert summary_of(tmp_path / "run").held_out == found.values["elbo"]


def test_a_run_that_did_not_end_cleanly_says_what_is_lost(tmp_path: Path, trainer: Trainer) -> None:
    folder = tmp_path / "run"
    save_run(copy_of_run(trainer, folder, in_training=True))
    RunLog(folder).note(1, "saved")
    later = (summary_of(folder).saved + timedelta(seconds=7)).timestamp()
    os.utime(folder / "log.txt", (later, later))
    lock = RunLock(folder)
    lock.acquire()
    assert summary_of(folder).in_use
    assert not summary_of(folder).interrupted, "it is being trained"
    lock.release()
    summary = summary_of(folder)
    assert summary.interrupted
    assert summary.lost_s == pytest.approx(7, abs=0.01)
    files = {path: path.read_bytes() for path in folder.glob("step-*")}
    mark_in_training(folder, in_training=False)
    assert not summary_of(folder).interrupted
    assert {path: path.read_bytes() for path in folder.glob("step-*")} == files
    assert restore.load_run(folder).in_training is False


def test_of_an_old_run_trained_further_only_the_new_training_is_lost(
    tmp_path: Path, trainer: Trainer
) -> None:
    folder = tmp_path / "run"
    save_run(copy_of_run(trainer, folder))
    manifest = folder / "manifest.json"
    yesterday = datetime.now(UTC) - timedelta(days=1)
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "saved": yesterday.isoformat()}))
    mark_in_training(folder, in_training=True)
    began = manifest.stat().st_mtime
    RunLog(folder).note(1, "started")
    os.utime(folder / "log.txt", (began + 5, began + 5))
    assert summary_of(folder).lost_s == pytest.approx(5, abs=0.1)


def test_the_newest_come_first_and_rubbish_is_left_out(tmp_path: Path, trainer: Trainer) -> None:
    for age, name in enumerate(["newest", "older", "oldest"]):
        run_folders.save(trainer, tmp_path / name)
        manifest = tmp_path / name / "manifest.json"
        text = json.loads(manifest.read_text())
        when = datetime(2026, 1, 1, tzinfo=UTC) - timedelta(days=age)
        manifest.write_text(json.dumps({**text, "saved": when.isoformat()}))
        os.utime(manifest, (when.timestamp(), when.timestamp()))
    (tmp_path / "empty").mkdir()
    (tmp_path / "letter.txt").write_text("mine")
    for name, text in {"damaged": "{", "nothing": "", "other": '{"format": 99}'}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(text)
    (tmp_path / "folder" / "manifest.json").mkdir(parents=True)
    assert [run.name for run in list_runs(tmp_path)] == ["newest", "older", "oldest"]
    assert [path.name for path in (tmp_path / "empty").iterdir()] == [], "looking leaves nothing behind"
    assert not list_runs(tmp_path / "missing")
    assert not list_runs(tmp_path / "letter.txt")
    with pytest.raises(RunFolderError, match="not a run folder"):
        summary_of(tmp_path / "empty")


@pytest.mark.slow
def test_of_thousands_of_runs_the_newest_are_found(tmp_path: Path, trainer: Trainer) -> None:
    run_folders.save(trainer, tmp_path / "model")
    text = (tmp_path / "model" / "manifest.json").read_bytes()
    began = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(4500):
        folder = (
            tmp_path / f"{(number * 2731) % 4500:04d}"
        )  # neither names nor the order of making say which is new
        folder.mkdir()
        manifest = folder / "manifest.json"
        if number % 900 == 0:
            when = (began + timedelta(days=number)).isoformat().encode()
            manifest.write_bytes(re.sub(rb'"saved":\s*"[^"]*"', b'"saved": "' + when + b'"', text))
        else:
            manifest.write_bytes(b"{")
        os.utime(manifest, (1e9 + number, 1e9 + number))
    mark_in_training(tmp_path / f"{(3600 * 2731) % 4500:04d}", in_training=True)
    interrupted = tmp_path / f"{(3600 * 2731) % 4500:04d}" / "manifest.json"
    os.utime(interrupted, (1e9 + 4498.5, 1e9 + 4498.5))
    os.utime(tmp_path / "model" / "manifest.json", (1e8, 1e8))
    newest = tmp_path / f"{(2700 * 2731) % 4500:04d}"
    os.utime(newest / "manifest.json", (1e9 + 5000, 1e9 + 5000))
    found = list_runs(tmp_path, most=10)
    assert [run.folder for run in found] == [interrupted.parent, newest]
    assert found[0].interrupted


def test_the_work_is_bounded(tmp_path: Path, trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    really_read = run_list.read_manifest

    def counted(folder: Path) -> Manifest:
        read.append(folder)
        return really_read(folder)

    monkeypatch.setattr(run_list, "read_manifest", counted)
    for number in range(4):
        run_folders.save(trainer, tmp_path / str(number))
    assert len(list_runs(tmp_path, most=2)) == 2
    assert len(read) == 2
