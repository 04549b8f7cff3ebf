"""The runs below a folder, newest first, from their manifests alone: for "Open recent" and for recovery."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import nlargest
from pathlib import Path

from vaeviewer.backend.config import DEFAULT_FAMILY
from vaeviewer.backend.models.interface import Metric
from vaeviewer.backend.runs.folder import MANIFEST, read_manifest
from vaeviewer.backend.runs.lock import in_use
from vaeviewer.backend.runs.log import last_sign_of_life
from vaeviewer.backend.runs.manifest import Manifest
from vaeviewer.errors import RunFolderError
from vaeviewer.limits import MAX_LISTED_FOLDERS, MAX_LISTED_RUNS

LONG_AFTER = timedelta(minutes=1)
"""A manifest this much newer than its checkpoint was not written with it."""


@dataclass(frozen=True)
class RunSummary:
    """What a run folder says of its newest checkpoint; its files were not read.

    Attributes:
        folder: Where the run is.
        data: What it was trained on, in words.
        saved: When it was saved.
        step: Gradient steps taken.
        epoch: Passes over the images, fractional.
        planned_epochs: Epochs it is to have.
        kind: The title of its kind of model; empty for that which the program begins with.
        latent_dim: Dimensions of its latent space.
        headline: The metric that says how good the model is.
        held_out: Its newest held-out value, or ``None`` before the first.
        in_training: Whether it was being trained when it was saved.
        in_use: Whether a window or a command has it open now.
        lost_s: Seconds of training after that save, or after training began again from it, that are lost, as far as
            the log shows; 0 for a clean end.
    """

    folder: Path
    data: str
    saved: datetime
    step: int
    epoch: float
    planned_epochs: int
    kind: str
    latent_dim: int
    headline: Metric
    held_out: float | None
    in_training: bool
    in_use: bool
    lost_s: float

    @property
    def name(self) -> str:
        """What a user calls it: the folder's name."""
        return self.folder.name

    @property
    def interrupted(self) -> bool:
        """Whether it did not end cleanly: whoever trained it is gone without having said so."""
        return self.in_training and not self.in_use


def list_runs(parent: Path, most: int = MAX_LISTED_RUNS) -> list[RunSummary]:
    """The runs in the folders directly below ``parent``, the newest first.

    What is no run folder, or a damaged one, is left out. Asks when the manifests of 20,000 folders were written, which
    takes a second or two on a slow disk, and reads the ``most`` newest of them.
    """
    summaries = []
    for _, folder in nlargest(most, _manifest_times(parent)):
        with suppress(RunFolderError):
            summaries.append(summary_of(folder))
    return sorted(summaries, key=lambda summary: summary.saved, reverse=True)


def summary_of(folder: Path) -> RunSummary:
    """What the run in ``folder`` says of itself.

    Raises:
        RunFolderError: The folder holds no run, or its manifest cannot be used.
    """
    manifest = read_manifest(folder)
    newest, family = manifest.checkpoints[0], manifest.settings.family
    headline = family.metrics.headline
    planned = newest.training_values.get("planned_epochs")
    alive = last_sign_of_life(folder)
    used = in_use(folder)
    lost = manifest.in_training and not used and alive is not None
    return RunSummary(
        folder=folder,
        data=manifest.data.name,
        saved=manifest.saved,
        step=newest.step,
        epoch=newest.epoch,
        planned_epochs=planned if isinstance(planned, int) else manifest.settings.train.epochs,
        kind="" if family.key == DEFAULT_FAMILY else family.title,
        latent_dim=manifest.settings.model.latent_dim,
        headline=headline,
        held_out=newest.held_out.values.get(headline.key) if newest.held_out else None,
        in_training=manifest.in_training,
        in_use=used,
        lost_s=max(0.0, (alive - _trained_since(folder, manifest)).total_seconds())
        if lost and alive
        else 0.0,
    )


def _trained_since(folder: Path, manifest: Manifest) -> datetime:
    """From when on training is not in the newest checkpoint.

    That is when it was saved, unless training began again from it much later, which writes the manifest anew.
    """
    try:
        written = datetime.fromtimestamp((folder / MANIFEST).stat().st_mtime, UTC)
    except (OSError, OverflowError, ValueError):
        return manifest.saved
    return written if written - manifest.saved > LONG_AFTER else manifest.saved


def _manifest_times(parent: Path) -> Iterator[tuple[int, Path]]:
    """When each folder's manifest was written, and the folder."""
    try:
        names = os.listdir(parent)  # noqa: PTH208  # a Path of every name takes longer than all else here
    except OSError:
        return
    # Runs are named by the time: where there are more than can be looked at, the newest are among these.
    for name in nlargest(MAX_LISTED_FOLDERS, names):
        with suppress(OSError, ValueError):
            written = os.stat(os.path.join(parent, name, MANIFEST), follow_symlinks=False)  # noqa: PTH116, PTH118
            yield written.st_mtime_ns, parent / name
