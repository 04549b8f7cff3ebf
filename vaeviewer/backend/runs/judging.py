"""How good the model of a saved run is: what that takes, and nothing that training on would."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vaeviewer.backend.asked import Array
from vaeviewer.backend.config import Settings
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.data.pixels import as_tensor
from vaeviewer.backend.models.latent_model import LatentModel
from vaeviewer.backend.runs.folder import Run
from vaeviewer.backend.runs.restore import check_fits
from vaeviewer.backend.training.device import resolve_device, use_threads
from vaeviewer.backend.training.evaluation import HeldOutImages
from vaeviewer.backend.training.records import HeldOut
from vaeviewer.backend.training.rows import rows_of
from vaeviewer.backend.training.saved_state import settings_after
from vaeviewer.backend.training.trainer import refuse_unlabelled
from vaeviewer.errors import RunFolderError, SettingsError


@dataclass(frozen=True)
class Judged:
    """What was found.

    Attributes:
        settings: Those in force at the run's end.
        held_out: The held-out figures, or ``None`` where no images are held out.
        loc: Means of q(z|x) of the training images, ``(n, latent_dim)``; ``None`` where the model does not encode or
            the images have no labels.
    """

    settings: Settings
    held_out: HeldOut | None
    loc: Array | None


def judge(run: Run, dataset: ImageDataset) -> Judged:
    """Look at a run's model with the images of ``dataset``, on the fastest device there is.

    The figures are those that its trainer would give. The model computes with the run's own weights: of large networks
    there is one copy in memory, where training has many.

    Args:
        run: Its training state may be missing.
        dataset: Images of the model's size.

    Raises:
        RunFolderError: Its weights are too large to compute with, or it has changed settings that it cannot have.
        SettingsError: The model needs classes, and the images have none.
        DataError: As :func:`~vaeviewer.backend.runs.restore.check_fits`.
    """
    check_fits(run, dataset)
    refuse_unlabelled(run.settings, dataset)
    try:
        settings = settings_after(run.settings, run.timeline)
    except (ValueError, SettingsError) as error:
        reason = str(error).removesuffix(".")
        raise RunFolderError(f"{run.folder} cannot be evaluated: {reason}.") from None
    use_threads(settings.compute.threads)
    device = resolve_device("auto")
    model = _model(run).to(device)
    held_out = HeldOutImages(dataset, settings, device).evaluate(model, settings)
    loc = None
    if settings.family.capabilities.encodes and dataset.labelled:
        rows = rows_of(dataset, settings, device)
        rows.encode(model, settings)
        loc = rows.loc.cpu().numpy()
    figures = [*held_out.values.values()] if held_out is not None else []
    if not (np.isfinite(figures).all() and (loc is None or np.isfinite(loc).all())):
        raise RunFolderError(f"{run.folder} holds weights too large to compute with.")
    return Judged(settings, held_out, loc)


def _model(run: Run) -> LatentModel:
    """The module, whose weights and buffers are the Snapshot's own memory."""
    snapshot = run.checkpoint.snapshot
    model: LatentModel = snapshot.family.build(*snapshot.key)
    weights = {name: as_tensor(array) for name, array in snapshot.weights.items()}
    model.load_state_dict(weights, assign=True)
    return model
