"""A trainer's run as it is at one moment, as a copy that any thread may save."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.runs.folder import DataDescription, Run
from vaeviewer.backend.training.history import History

if TYPE_CHECKING:  # the window knows of autosave before torch is loaded
    from vaeviewer.backend.training.trainer import Trainer


def copy_of_run(trainer: Trainer, folder: Path, *, in_training: bool = False) -> Run:
    """Everything that a save into ``folder`` needs. Call it on the trainer's thread, after ``finish_block``.

    Raises:
        NonFiniteError: A weight is infinite or NaN.
    """
    history = trainer.history
    return Run(
        folder=folder,
        settings=trainer.initial_settings,
        data=describe_data(trainer.dataset),
        checkpoint=trainer.checkpoint(),
        history=History.from_views(history.training.view(), history.held_out.view()),
        timeline=tuple(trainer.timeline),
        held_out=trainer.held_out,
        device=trainer.device.type,
        threads=trainer.threads,
        in_training=in_training,
        best=trainer.best,
    )


def describe_data(dataset: ImageDataset) -> DataDescription:
    """What a run folder notes of its data."""
    return DataDescription(
        source=dataset.source,
        name=dataset.name,
        class_names=dataset.class_names,
        image_shape=dataset.image_shape,
        train_count=len(dataset.train_images),
        held_out_count=len(dataset.held_out_images),
    )
