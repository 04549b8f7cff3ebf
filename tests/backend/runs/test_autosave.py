"""Autosave: a run in training is on disk, whole, and a save that fails costs nothing but the save."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import run_folders

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.runs import atomic_files, restore
from vaeviewer.backend.runs.autosave import Autosave
from vaeviewer.backend.runs.folder import load_run
from vaeviewer.backend.runs.listing import summary_of
from vaeviewer.backend.runs.lock import in_use
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.errors import RunFolderError, RunInUseError

QUICKLY = 0.1


class Told:
    """What an Autosave called back with."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.sentences: list[str] = []
        self.changed = threading.Condition()

    def saved(self, step: int) -> None:
        with self.changed:
            self.steps.append(step)
            self.changed.notify_all()

    def failed(self, sentence: str) -> None:
        with self.changed:
            self.sentences.append(sentence)
            self.changed.notify_all()

    def wait(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, timeout=20)


Make = Callable[..., Autosave]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def make(told: Told) -> Iterator[Make]:
    made: list[Autosave] = []

    def build(folder: Path, interval_s: float = QUICKLY) -> Autosave:
        autosave = Autosave(folder, on_saved=told.saved, on_failed=told.failed, interval_s=interval_s)
        made.append(autosave)
        return autosave

    yield build
    for autosave in made:
        autosave.close(None)


@pytest.fixture
def trainer(digits: ImageDataset, small: Settings) -> Trainer:
    return Trainer(digits, updated(small, epochs=100_000))


def train_until(trainer: Trainer, autosave: Autosave, done: Callable[[], bool]) -> None:
    end = time.perf_counter() + 20
    loop.train(
        trainer,
        go_on=lambda: not done() and time.perf_counter() < end,
        after_block=lambda: autosave.after_block(trainer),
    )
    assert done()


def test_the_folder_is_there_when_training_begins(
    tmp_path: Path, make: Make, told: Told, trainer: Trainer
) -> None:
    autosave = make(tmp_path / "runs" / "run")
    autosave.begin(trainer)
    told.wait(lambda: told.steps == [0])
    assert load_run(autosave.folder).checkpoint.snapshot.step == 0
    assert summary_of(autosave.folder).in_training
    assert in_use(autosave.folder)
    autosave.close(trainer)
    assert not in_use(autosave.folder)
    assert not summary_of(autosave.folder).in_training


@pytest.mark.slow
def test_saves_while_training_hold_one_moment(
    tmp_path: Path, make: Make, told: Told, trainer: Trainer
) -> None:
    autosave = make(tmp_path)
    autosave.begin(trainer)
    train_until(trainer, autosave, lambda: len(told.steps) >= 4)
    assert told.steps == sorted(told.steps)
    run = load_run(tmp_path)
    assert run.in_training
    step = run.checkpoint.snapshot.step
    assert run.history.training.view().step[-1] == step
    assert run.checkpoint.training.values["step"] == step
    autosave.rest(trainer)
    told.wait(lambda: told.steps[-1] == trainer.step_count)
    autosave.close(trainer)
    assert load_run(tmp_path).checkpoint.snapshot.step == trainer.step_count
    log = (tmp_path / "log.txt").read_text()
    assert "step 0: started" in log
    assert f"step {trainer.step_count}: saved at rest" in log


@pytest.mark.slow
def test_saves_start_no_more_often_than_asked(
    tmp_path: Path, make: Make, told: Told, trainer: Trainer
) -> None:
    autosave = make(tmp_path, interval_s=1000)
    autosave.begin(trainer)
    train_until(trainer, autosave, lambda: trainer.step_count > 150)
    autosave.rest(trainer, soon=True)
    told.wait(lambda: told.steps == [0])
    autosave.close(trainer)
    assert load_run(tmp_path).checkpoint.snapshot.step == trainer.step_count
    assert told.steps == [0], "a single step waits its turn, and closing needs no call back"


def test_opened_at_the_checkpoint_before_nothing_is_replaced_until_it_is_trained(
    tmp_path: Path, make: Make, told: Told, trainer: Trainer
) -> None:
    for steps in (2, 4):
        while trainer.step_count < steps:
            trainer.step()
        run_folders.save(trainer, tmp_path)
    next(tmp_path.glob("step-00000004.weights*")).write_bytes(b"")
    before = {path: path.read_bytes() for path in tmp_path.glob("step-*")}
    again = restore.trainer_of(load_run(tmp_path), trainer.dataset)
    assert again.step_count == 2
    autosave = make(tmp_path)
    autosave.claim()
    autosave.adopt(again)
    autosave.rest(again)
    autosave.close(again)
    assert {path: path.read_bytes() for path in tmp_path.glob("step-*")} == before


def test_a_begin_and_an_end_without_a_step_write_the_manifest_alone(
    tmp_path: Path, make: Make, told: Told, trainer: Trainer
) -> None:
    run_folders.save(trainer, tmp_path)
    files = {path.name for path in tmp_path.glob("step-*")}
    autosave = make(tmp_path)
    autosave.claim()
    autosave.adopt(trainer)
    autosave.begin(trainer)
    told.wait(lambda: bool(told.steps))
    assert summary_of(tmp_path).in_training
    autosave.close(trainer)
    assert not summary_of(tmp_path).in_training
    assert {path.name for path in tmp_path.glob("step-*")} == files


def test_only_run_folders_that_are_free_are_claimed(tmp_path: Path, make: Make, trainer: Trainer) -> None:
    with pytest.raises(RunFolderError, match="not a run folder"):
        make(tmp_path).claim()
    assert not list(tmp_path.iterdir())
    run_folders.save(trainer, tmp_path / "run")
    make(tmp_path / "run").claim()
    with pytest.raises(RunInUseError):
        make(tmp_path / "run").claim()


def test_a_failed_save_is_told_and_tried_again_at_rest(
    tmp_path: Path, make: Make, told: Told, trainer: Trainer
) -> None:
    (tmp_path / "file").write_text("")
    autosave = make(tmp_path / "file" / "run")
    autosave.begin(trainer)
    autosave.rest(trainer)
    told.wait(lambda: len(told.sentences) >= 3)
    assert str(autosave.folder) in told.sentences[-1]
    assert "another folder" in told.sentences[-1]
    (tmp_path / "file").unlink()
    told.wait(lambda: bool(told.steps))
    assert load_run(autosave.folder).checkpoint.snapshot.step == 0


@pytest.mark.slow
def test_a_full_disk_stops_no_training(
    tmp_path: Path, make: Make, told: Told, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    autosave = make(tmp_path)
    autosave.begin(trainer)
    told.wait(lambda: bool(told.steps))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(atomic_files, "sync", full)
        train_until(trainer, autosave, lambda: len(told.sentences) >= 2)
        assert "no space left on device; free some space" in told.sentences[-1]
        assert told.steps == [0]
        assert load_run(tmp_path).checkpoint.snapshot.step == 0
    train_until(trainer, autosave, lambda: len(told.steps) >= 2)
    autosave.close(trainer)
    assert "not saved" in (tmp_path / "log.txt").read_text()


@pytest.mark.slow
def test_a_folder_removed_under_it_is_made_again(
    tmp_path: Path, make: Make, told: Told, trainer: Trainer
) -> None:
    folder = tmp_path / "run"
    autosave = make(folder)
    autosave.begin(trainer)
    told.wait(lambda: bool(told.steps))
    folder.rename(
        tmp_path / "gone"
    )  # at once: a file that is written meanwhile would keep it from being removed
    train_until(trainer, autosave, lambda: len(told.steps) >= 3)
    assert load_run(folder).checkpoint.snapshot.step > 0
    assert in_use(folder), "and locked again"


@pytest.mark.slow
def test_a_paused_run_shows_no_life(tmp_path: Path, make: Make, told: Told, trainer: Trainer) -> None:
    autosave = make(tmp_path)
    autosave.begin(trainer)
    told.wait(lambda: bool(told.steps))
    log = tmp_path / "log.txt"
    end = time.perf_counter() + 20
    while not log.exists() and time.perf_counter() < end:  # its lines are written after the save
        time.sleep(0.05)
    first = log.stat().st_mtime_ns
    while log.stat().st_mtime_ns == first and time.perf_counter() < end:
        time.sleep(0.05)
    assert log.stat().st_mtime_ns > first, "in training it does, without a step or a save"
    autosave.rest(trainer)
    autosave.close(trainer)
    assert not [thread for thread in threading.enumerate() if thread.name == "autosave"]
