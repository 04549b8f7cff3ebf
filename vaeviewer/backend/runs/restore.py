"""Between a trainer and its run folder: save, open again, carry weights over to other data."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data import load_source
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.runs.folder import Run, load_run
from vaeviewer.backend.snapshot import Checkpoint, TrainingState
from vaeviewer.backend.training.health import NonFiniteError
from vaeviewer.backend.training.history import History
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.counts import counted
from vaeviewer.errors import DataError, RunFolderError, SettingsError

log = logging.getLogger(__name__)

_TIED = "{} has a place of its own for each image it was trained on and cannot go over to {}; train it anew there."


def find_data(run: Run, folder: Path | None = None) -> ImageDataset:
    """The data a run names, or those in ``folder``, checked to fit the run's model.

    Raises:
        DataError: The data are missing, or have images of another size.
    """
    dataset = load_source(run.data.source, folder)
    if dataset.image_shape != tuple(run.data.image_shape):
        raise DataError(
            f"{dataset.name} has images of {dataset.image}, but {run.folder} was trained on {run.data.image}."
        )
    return dataset


def open_run(
    folder: Path,
    *,
    data: Path | None = None,
    compute: Mapping[str, str] | None = None,
    tell: Callable[[str], object] = log.warning,
) -> Trainer:
    """A trainer that goes on where the run in ``folder`` was saved.

    Args:
        folder: The run folder.
        data: A folder that holds the data, where the run's own note of it no longer holds.
        compute: Settings of what computes, such as ``device``, in place of the run's own.
        tell: Called, once it is open, with each of the run's notes, and if the images are others than it was trained
            on: sentences for the user.

    Raises:
        RunFolderError: The folder holds no usable run.
        DataError: The data cannot be found again, or have another number of images.
        SettingsError: The device cannot be used.
    """
    run = load_run(folder)
    dataset = find_data(run, data)
    if len(dataset.train_images) != run.data.train_count:
        raise DataError(
            f"{dataset.name} has {counted(len(dataset.train_images), 'image')} to train on, but {run.folder} was "
            f"trained on {run.data.train_count:,}; name the folder of its own data."
        )
    trainer = trainer_of(run, dataset, compute)
    for note in run.notes:
        tell(note)
    if dataset.source.checksum != run.data.source.checksum:
        tell(f"{dataset.name} differs from the data of the run.")
    return trainer


def trainer_of(run: Run, dataset: ImageDataset, compute: Mapping[str, str] | None = None) -> Trainer:
    """A trainer in the run's state, on ``dataset``.

    Raises:
        RunFolderError: The run's training state is none that training could go on from.
        SettingsError: The device cannot be used.
        DataError: The images are of another number of classes, which the model sees, or are others than those for
            each of which it keeps something.
    """
    check_fits(run, dataset)
    settings = updated(run.settings, **compute) if compute else run.settings
    trainer = Trainer(dataset, settings)
    try:
        trainer.restore(run.checkpoint, run.history, list(run.timeline), run.held_out, run.best)
    except NonFiniteError:
        raise RunFolderError(f"{run.folder} holds weights too large to compute with.") from None
    except (ValueError, SettingsError) as error:
        reason = str(error).removesuffix(".")
        raise RunFolderError(f"{run.folder} holds a training state that cannot be used: {reason}.") from None
    return trainer


def check_fits(run: Run, dataset: ImageDataset) -> None:
    """Refuse images that a run's model cannot look at, or knows nothing of.

    Raises:
        DataError: As :func:`trainer_of`.
    """
    others = dataset.source.checksum != run.data.source.checksum
    if run.settings.family.capabilities.per_image and (others or dataset.spec != run.data.spec):
        raise DataError(_TIED.format(run.folder, dataset.name))
    check_classes(run.settings, dataset, len(run.data.class_names))


def check_classes(settings: Settings, dataset: ImageDataset, of_model: int) -> None:
    """Refuse images whose classes a model that sees them was not made for.

    Raises:
        DataError: There are more or fewer than ``of_model``.
    """
    found = len(dataset.class_names)
    if settings.family.sees_labels(settings.model) and found != of_model:
        noun = "class" if found == 1 else "classes"
        raise DataError(f"{dataset.name} has {found or 'no'} {noun}, but the model was made for {of_model}.")


def moved_to(trainer: Trainer, dataset: ImageDataset) -> Trainer:
    """A trainer with the same weights and optimizer on other data of the same image size.

    Raises:
        DataError: The images are of another size, or of another number of classes where the model sees these, or it
            keeps something for each of its own images.
    """
    if trainer.family.capabilities.per_image:
        raise DataError(_TIED.format("this model", dataset.name))
    if dataset.image_shape != trainer.dataset.image_shape:
        raise DataError(
            f"{dataset.name} has images of {dataset.image}, but the model draws {trainer.dataset.image}."
        )
    check_classes(trainer.settings, dataset, len(trainer.dataset.class_names))
    moved = Trainer(dataset, trainer.initial_settings)
    checkpoint = trainer.checkpoint()
    epoch = math.ceil(trainer.epoch)
    # A trained model has come to its end with the other images; one that was not trained has all before it.
    planned = epoch or trainer.planned_epochs
    values = {**checkpoint.training.values, "epoch": epoch, "image": 0, "planned_epochs": planned}
    batch_size = min(trainer.settings.train.batch_size, len(dataset.train_images))
    state = TrainingState(checkpoint.training.tensors, {**values, "batch_size": batch_size})
    # Figures of other images are not drawn against the new ones: the history starts anew.
    moved.restore(
        Checkpoint(checkpoint.snapshot, state), History.empty(trainer.family.metrics), list(trainer.timeline)
    )
    return moved


def moved_to_cpu(trainer: Trainer) -> Trainer:
    """A trainer on the CPU in the last good state of another, whose device may be lost: it is not touched."""
    trainer.drop_after_good_state()
    moved = Trainer(trainer.dataset, updated(trainer.initial_settings, device="cpu"))
    moved.restore(trainer.good.checkpoint, trainer.history, trainer.timeline, trainer.held_out, trainer.best)
    moved.planned_epochs = trainer.planned_epochs
    return moved
