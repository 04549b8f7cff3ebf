"""The state of the best epoch is kept in memory and in the run folder, and can be gone back to from both."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import same_arrays

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.runs.copying import copy_of_run
from vaeviewer.backend.runs.folder import load_run, read_manifest
from vaeviewer.backend.runs.restore import trainer_of
from vaeviewer.backend.runs.saving import save_run
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.trainer import Trainer


def train_to(trainer: Trainer, epoch: int) -> None:
    loop.train(trainer, go_on=lambda: trainer.batches.until(epoch), after_block=lambda: None)


@pytest.fixture
def past_its_best(digits: ImageDataset, small: Settings) -> Trainer:
    """Six epochs that help, and one at a rate that undoes much of it."""
    trainer = Trainer(digits, updated(small, epochs=12, schedule="constant"))
    train_to(trainer, 6)
    trainer.change("learning_rate", 0.5)
    train_to(trainer, 7)
    elbo = trainer.history.held_out.view()["elbo"]
    assert elbo.argmax() == 5
    return trainer


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("step-*")}


@pytest.mark.slow
def test_a_run_that_is_opened_goes_back_to_it(
    past_its_best: Trainer, digits: ImageDataset, tmp_path: Path
) -> None:
    trainer = past_its_best
    best = trainer.best
    assert best is not None
    assert best.step == 72
    save_run(copy_of_run(trainer, tmp_path))
    train_to(trainer, 8)
    save_run(copy_of_run(trainer, tmp_path))
    train_to(trainer, 9)
    save_run(copy_of_run(trainer, tmp_path))
    assert names(tmp_path) == read_manifest(tmp_path).names
    assert {name.split(".")[0] for name in names(tmp_path)} == {
        "step-00000072",
        "step-00000096",
        "step-00000108",
    }

    run = load_run(tmp_path)
    assert not run.notes
    opened = trainer_of(run, digits)
    assert opened.best is not None
    assert same_arrays(opened.best.checkpoint.snapshot.weights, best.checkpoint.snapshot.weights)
    opened.good = opened.best
    assert opened.restore_good_state() == 72
    assert opened.evaluate(record=False) == best.held_out
    assert len(opened.history.held_out.view()) == 6
    train_to(opened, 7)
    assert opened.step_count == 84, "it goes on from there"


def test_while_it_gets_better_it_takes_no_room(digits: ImageDataset, small: Settings, tmp_path: Path) -> None:
    trainer = Trainer(digits, updated(small, epochs=8))
    train_to(trainer, 2)
    save_run(copy_of_run(trainer, tmp_path))
    manifest = read_manifest(tmp_path)
    assert manifest.best is not None
    assert manifest.best.names < manifest.checkpoints[0].files.names
    assert len(names(tmp_path)) == 3
    train_to(trainer, 3)
    save_run(copy_of_run(trainer, tmp_path))
    assert len(names(tmp_path)) == 6
    trainer.change("beta", 2.0)
    save_run(copy_of_run(trainer, tmp_path))  # the best step a second time
    manifest = read_manifest(tmp_path)
    assert manifest.best is not None
    assert manifest.best.names < manifest.checkpoints[0].files.names


@pytest.mark.slow
def test_where_its_files_are_damaged_the_run_opens_without_it(
    past_its_best: Trainer, digits: ImageDataset, tmp_path: Path
) -> None:
    save_run(copy_of_run(past_its_best, tmp_path))
    manifest = read_manifest(tmp_path)
    assert manifest.best is not None
    damaged = tmp_path / manifest.best.weights.name
    damaged.write_bytes(damaged.read_bytes()[:-8])
    run = load_run(tmp_path)
    (note,) = run.notes
    assert damaged.name in note
    assert note.endswith("The best epoch, at step 72, cannot be gone back to.")
    trainer = trainer_of(run, digits)
    assert trainer.best is None
    train_to(trainer, 8)
    save_run(copy_of_run(trainer, tmp_path))
    assert not load_run(tmp_path).notes


def test_going_back_before_it_gives_it_up(digits: ImageDataset, small: Settings) -> None:
    trainer = Trainer(digits, updated(small, epochs=4))
    train_to(trainer, 1)
    trainer.keep_good_state()
    before = trainer.good
    train_to(trainer, 2)
    assert trainer.best is not None
    assert trainer.best.step == 24
    trainer.good = before
    trainer.restore_good_state()
    assert trainer.best is None
    train_to(trainer, 2)
    assert trainer.best is not None


def test_a_game_has_no_best_epoch(digits: ImageDataset, small: Settings) -> None:
    trainer = Trainer(digits, updated(small, family="gan", epochs=1))
    train_to(trainer, 1)
    assert len(trainer.history.held_out.view()) == 1
    assert trainer.best is None
