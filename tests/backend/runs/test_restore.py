"""Going on from a run folder gives bit for bit what an uninterrupted run gives, metrics included."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import run_folders
from conftest import same_arrays

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.runs import restore
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.history import History, MetricsTable
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.errors import DataError

CHANGED_AT = 8
STOPPED_AT = 17  # in the middle of the second epoch of twelve steps


def train_to(trainer: Trainer, step: int) -> None:
    """Train, giving the learning rate and β other values on the way."""

    def go_on() -> bool:
        if trainer.step_count == CHANGED_AT and not trainer.timeline:
            trainer.change("learning_rate", 1e-3)
            trainer.change("beta", 2.0)
        return trainer.step_count < step

    loop.train(trainer, go_on=go_on, after_block=lambda: None)


def assert_same(a: Trainer, b: Trainer) -> None:
    first, second = a.checkpoint(), b.checkpoint()
    assert same_arrays(first.snapshot.weights, second.snapshot.weights)
    assert same_arrays(first.training.tensors, second.training.tensors)
    assert first.training.values == second.training.values
    for table in ("training", "held_out"):
        ours, theirs = getattr(a.history, table).view(), getattr(b.history, table).view()
        for name, column in ours.columns().items():
            np.testing.assert_array_equal(column, theirs.columns()[name], err_msg=table)
    assert (a.timeline, a.held_out, a.settings) == (b.timeline, b.held_out, b.settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "float32"},
        {"precision": "bfloat16"},
        {"precision": "float32", "samples": 3, "protocol": "dynamic"},
        {"precision": "bfloat16", "optimizer": "adagrad"},
    ],
    ids=str,
)
def test_a_run_interrupted_within_an_epoch_goes_on_bit_for_bit(
    digits: ImageDataset,
    small: Settings,
    tmp_path: Path,
    changes: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(restore, "load_source", lambda *_: digits)
    settings = updated(small, epochs=3, **changes)
    straight = Trainer(digits, settings)
    train_to(straight, 36)

    first = Trainer(digits, settings)
    train_to(first, STOPPED_AT)
    first.evaluate(record=False)  # as the report of an interrupted command does
    run_folders.save(first, tmp_path)
    resumed = restore.open_run(tmp_path)
    assert resumed.step_count == STOPPED_AT
    train_to(resumed, 36)
    assert resumed.finished
    assert_same(straight, resumed)


def test_a_history_is_thinned_alike_whatever_the_blocks_were(
    digits: ImageDataset, small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "load_source", lambda *_: digits)
    monkeypatch.setattr("vaeviewer.backend.training.history.TRAINING_CAPACITY", 8)
    monkeypatch.setattr(
        History, "empty", lambda metrics: History(MetricsTable(metrics, 8), MetricsTable(metrics, 8))
    )
    straight = Trainer(digits, small)
    train_to(straight, 24)
    monkeypatch.setattr(loop, "BLOCK_SECONDS", 0.0)  # every step a block
    first = Trainer(digits, small)
    train_to(first, STOPPED_AT)
    run_folders.save(first, tmp_path)
    resumed = restore.open_run(tmp_path)
    train_to(resumed, 24)
    assert len(resumed.history.training) <= 8
    assert_same(straight, resumed)


@pytest.mark.parametrize("act", [Trainer.evaluate, lambda t: t.evaluate(record=False)])
def test_held_out_figures_come_back(
    digits: ImageDataset,
    small: Settings,
    tmp_path: Path,
    act: Callable[[Trainer], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(restore, "load_source", lambda *_: digits)
    trainer = Trainer(digits, small)
    train_to(trainer, 5)
    act(trainer)
    assert trainer.held_out_is_current
    run_folders.save(trainer, tmp_path)
    assert restore.open_run(tmp_path).held_out == trainer.held_out


def test_other_images_than_it_was_trained_on_are_refused(
    digits: ImageDataset, small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = replace(digits, train_images=digits.train_images[:70], train_labels=digits.train_labels[:70])
    run_folders.save(Trainer(digits, small), tmp_path)
    monkeypatch.setattr(restore, "load_source", lambda *_: fewer)
    with pytest.raises(DataError, match="70 images"):
        restore.open_run(tmp_path)


def test_what_is_to_be_said_of_a_run_is_told(
    digits: ImageDataset, small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "load_source", lambda *_: digits)
    trainer = Trainer(digits, small)
    for steps in (2, 4):
        train_to(trainer, steps)
        run_folders.save(trainer, tmp_path)
    told: list[str] = []
    assert restore.open_run(tmp_path, tell=told.append).step_count == 4
    assert not told
    next(tmp_path.glob("step-00000004.weights*")).write_bytes(b"")
    assert restore.open_run(tmp_path, tell=told.append).step_count == 2
    (note,) = told
    assert "step-00000004.weights" in note
    assert "Step 2, saved before, was opened" in note
