"""What a checkpoint says of training, signed and whole, yet nothing that training could go on from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import run_folders
from small_images import write_idx_folder

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.runs import restore
from vaeviewer.backend.runs.copying import copy_of_run
from vaeviewer.backend.runs.folder import Change, Run, load_run
from vaeviewer.backend.runs.saving import save_run
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.errors import RunFolderError

Edit = Callable[[Run], Run]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    return write_idx_folder(tmp_path_factory.mktemp("images") / "data", train=50)


@pytest.fixture(scope="module")
def run(dataset: ImageDataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Three steps of training, read from disk."""
    trainer = Trainer(dataset, updated(Settings(), hidden=(4,), batch_size=20, threads=1, device="cpu"))
    for _ in range(3):
        trainer.step()
    trainer.finish_block()
    folder = tmp_path_factory.mktemp("run")
    run_folders.save(trainer, folder)
    return load_run(folder)


def values(**changes: Any) -> Edit:
    def edit(run: Run) -> Run:
        state = run.checkpoint.training
        changed = replace(state, values={**state.values, **changes})
        return replace(run, checkpoint=replace(run.checkpoint, training=changed))

    return edit


def tensors(name: str, change: Callable[[np.ndarray], np.ndarray | None]) -> Edit:
    def edit(run: Run) -> Run:
        state = run.checkpoint.training
        changed = {**state.tensors, name: change(state.tensors[name].copy())}
        changed = replace(state, tensors={n: a for n, a in changed.items() if a is not None})
        return replace(run, checkpoint=replace(run.checkpoint, training=changed))

    return edit


def timeline(*changes: Change) -> Edit:
    return lambda run: replace(run, timeline=changes)


def weights(scale: float) -> Edit:
    def edit(run: Run) -> Run:
        snapshot = run.checkpoint.snapshot
        large = {name: np.full_like(array, scale) for name, array in snapshot.weights.items()}
        return replace(run, checkpoint=replace(run.checkpoint, snapshot=replace(snapshot, weights=large)))

    return edit


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (values(step="three"), "step must be a whole number"),
        (values(step={}), "step must be a whole number"),
        (values(step=4), "its step is 4, but the weights' is 3"),
        (values(epoch=-1), "epoch must be at least 0"),
        (values(image=2**63), "image must be at most"),
        (values(image=True), "image must be a whole number"),
        (values(batch_size=0), "batch_size must be at least 1"),
        (values(planned_epochs=1.5), "planned_epochs must be a whole number"),
        (values(device="abacus"), "device must be one of"),
        (values(more=1), "more is not known"),
        (tensors("optimizer.model.encoder.0.weight.exp_avg", lambda _: None), "exp_avg is missing"),
        (tensors("optimizer.model.encoder.0.weight.exp_avg", lambda a: a[:-1]), "exp_avg is float32"),
        (
            tensors("optimizer.model.encoder.0.weight.exp_avg", lambda a: a.astype(np.float64)),
            "exp_avg is float64",
        ),
        (tensors("optimizer.model.encoder.0.weight.exp_avg_sq", lambda a: a - 1), "exp_avg_sq is negative"),
        (tensors("optimizer.model.encoder.0.weight.step", lambda a: a[None]), "weight.step is float32 (1,)"),
        (tensors("generator.noise", lambda _: None), "generator.noise is missing"),
        (tensors("generator.noise", lambda a: a[:-1]), "generators' states"),
        (tensors("generator.noise", lambda a: a * 0), "generators' states"),
        (tensors("generator.pixels", lambda a: a.astype(np.int64)), "no generator's state"),
        (timeline(Change(1, "latent_dim", 5)), "no setting named latent_dim that could have changed"),
        (timeline(Change(1, "x\ny", 5)), "no setting named 'x\\ny'"),
        (timeline(Change(1, "beta", -1.0)), "beta must be at least 0"),
        (timeline(Change(1, "beta", "much")), "beta must be a number"),
        (weights(1e30), "weights too large to compute with"),
    ],
)
def test_it_is_refused_in_one_sentence(edit: Edit, problem: str, run: Run, dataset: ImageDataset) -> None:
    with pytest.raises(RunFolderError) as caught:
        restore.trainer_of(edit(run), dataset)
    text = str(caught.value)
    assert problem in text
    assert str(run.folder) in text
    assert text.endswith(".")
    assert "\n" not in text


def test_what_training_leads_to_is_accepted(run: Run, dataset: ImageDataset) -> None:
    trainer = restore.trainer_of(run, dataset)
    trainer.step()
    trainer.finish_block()
    assert trainer.step_count == 4


def test_with_fewer_images_than_before_the_next_epoch_begins(run: Run, dataset: ImageDataset) -> None:
    fewer = replace(dataset, train_images=dataset.train_images[:15], train_labels=dataset.train_labels[:15])
    trainer = restore.trainer_of(values(image=20)(run), fewer)
    trainer.step()
    trainer.finish_block()
    assert trainer.step_count == 4
    assert trainer.batch_size == 15


def test_a_file_with_such_weights_does_not_open(dataset: ImageDataset, tmp_path: Path) -> None:
    trainer = Trainer(dataset, updated(Settings(), hidden=(4,), batch_size=20, threads=1, device="cpu"))
    save_run(weights(1e30)(copy_of_run(trainer, tmp_path)))
    with pytest.raises(
        RunFolderError, match=r"weights\.safetensors cannot be used: its weights are too large"
    ):
        load_run(tmp_path)
