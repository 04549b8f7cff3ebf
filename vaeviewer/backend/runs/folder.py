"""What a run folder holds, and reading it.

    RUN/manifest.json                         settings, data, timeline; newest checkpoint, the one before, the best
    RUN/step-00000703.weights.safetensors     the Snapshot's weights
    RUN/step-00000703.training.safetensors    optimizer and generator states
    RUN/step-00000703.metrics.safetensors     the history up to that step
    RUN/log.txt                               what happened and when, in words
    RUN/.lock                                 locked by whoever trains the run

``saving.py`` writes it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.config import Settings
from vaeviewer.backend.models.interface import Metrics
from vaeviewer.backend.runs import atomic_files
from vaeviewer.backend.runs.formats import upgraded_optimizer
from vaeviewer.backend.runs.lock import LOCK
from vaeviewer.backend.runs.log import LOG
from vaeviewer.backend.runs.manifest import (
    BestEntry,
    CheckpointEntry,
    DataDescription,
    FileEntry,
    Manifest,
    NewerFormatError,
    parse_manifest,
)
from vaeviewer.backend.runs.tensor_files import check_arrays, unpack
from vaeviewer.backend.snapshot import Checkpoint, Snapshot, TrainingState, snapshot_of
from vaeviewer.backend.training.history import History, MetricsView, check_views
from vaeviewer.backend.training.kept import Kept
from vaeviewer.backend.training.records import Change, HeldOut
from vaeviewer.errors import RunFolderError
from vaeviewer.limits import (
    MAX_MANIFEST_BYTES,
    MAX_METRICS_FILE_BYTES,
    MAX_TENSOR_FILE_BYTES,
    MAX_TENSOR_HEADER_BYTES,
)

__all__ = [
    "Change",
    "DataDescription",
    "HeldOut",
    "Run",
    "is_run",
    "load_run",
    "prepare_folder",
    "read_manifest",
]

MANIFEST = "manifest.json"
TABLES = ("training", "held_out")

_TRIES = 4
_NONE_WHOLE = "Nothing else of the run is whole; put the file back from a copy, or train anew."


class _DamagedError(RunFolderError):
    """A file is not what was saved."""


@dataclass(frozen=True)
class Run:
    """All that a run folder holds.

    Attributes:
        folder: Where it is.
        settings: The settings it began with.
        data: What it was trained on.
        checkpoint: Where training was. Its posterior table is not stored: ``None`` after loading.
        history: Metrics; a save keeps the rows up to the checkpoint's step.
        timeline: Settings changed on the way, oldest first.
        held_out: Figures of the newest evaluation, or ``None``.
        device: What it was computed on, in words.
        threads: Processor threads that training used.
        notes: Sentences for the user about how loading went; not stored.
        saved: When it was saved, UTC; ``None`` before. Not read by a save.
        in_training: Whether it was being trained when it was saved.
        best: The state with the best held-out figures so far, where one is kept.
    """

    folder: Path
    settings: Settings
    data: DataDescription
    checkpoint: Checkpoint
    history: History
    timeline: tuple[Change, ...] = ()
    held_out: HeldOut | None = None
    device: str = ""
    threads: int = 0
    notes: tuple[str, ...] = ()
    saved: datetime | None = None
    in_training: bool = False
    best: Kept | None = None


def prepare_folder(path: Path | str) -> Path:
    """Make an empty folder for a new run, with its parents, or accept one that is there and empty.

    A lock and a log alone, left by a run that ended before its first save, count as empty.

    Returns:
        Its absolute path.

    Raises:
        RunFolderError: It is not empty, a file is in its way, or nothing can be written there.
    """
    folder = Path(path).absolute()
    try:
        atomic_files.make_folder(folder)
        if set(atomic_files.listing(folder)) - {LOCK, LOG}:
            raise RunFolderError(f"{folder} is not empty; choose another folder.")
        probe = folder / ".vaeviewer.tmp"
        atomic_files.close(atomic_files.create(probe))
        atomic_files.remove(probe)
    except FileExistsError:
        raise RunFolderError(f"{folder} is a file, not a folder; choose another folder.") from None
    except (OSError, ValueError) as error:
        raise RunFolderError(
            f"{folder} cannot be written ({atomic_files.reason(error)}); choose another folder."
        ) from error
    return folder


def is_run(path: Path) -> bool:
    """Whether a folder was written as a run, be it damaged since; others call a file ``manifest.json``, too."""
    # Path's own is_file raises where a name is too long.
    there = os.path.isfile(path / MANIFEST)  # noqa: PTH113
    return there and next(path.glob("step-*.safetensors"), None) is not None


def read_manifest(folder: Path) -> Manifest:
    """What a run folder says of itself, without the files that its manifest names.

    Raises:
        RunFolderError: The folder holds no manifest, or one that cannot be used.
    """
    try:
        return parse_manifest(atomic_files.read(folder / MANIFEST, MAX_MANIFEST_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        raise RunFolderError(
            f"{folder} is not a run folder: it has no {MANIFEST}; choose one that vaeviewer saved."
        ) from None
    except NewerFormatError:
        raise RunFolderError(
            f"{folder / MANIFEST} was written by a newer vaeviewer; open it with that one."
        ) from None
    except (OSError, MemoryError, ValueError) as error:
        reason = atomic_files.reason(error)
        remedy = (
            "put it back from a copy, or choose another run"
            if _is_damage(error)
            else "check it and its permissions"
        )
        raise RunFolderError(f"{folder / MANIFEST} cannot be read: {reason}; {remedy}.") from error


def load_run(path: Path | str, *, training: bool = True) -> Run:
    """Read a run; where its newest checkpoint is damaged, the one before, saying so in ``notes``.

    Args:
        path: Its folder.
        training: Whether to read what training needs to go on: the optimizers' state and that of the best epoch,
            several times the weights.

    Raises:
        RunFolderError: The folder holds no run, or none of its checkpoints is whole.
    """
    folder = Path(path).absolute()
    for _ in range(_TRIES):
        manifest = read_manifest(folder)
        found = _newest(folder, manifest, training=training)
        if (isinstance(found, Run) and not found.notes) or read_manifest(folder) == manifest:
            break
        # It was saved anew meanwhile, which takes older files away.
    if isinstance(found, str):
        raise RunFolderError(found)
    return found


def _newest(folder: Path, manifest: Manifest, *, training: bool) -> Run | str:
    """The newest checkpoint that is whole, or what is wrong with the newest where none is."""
    first_problem, remedy = "", ""
    for entry in manifest.checkpoints:
        try:
            return _run(folder, manifest, entry, first_problem, training=training)
        except RunFolderError as error:
            if not first_problem:
                first_problem = str(error)  # not the error: it would hold what was read
                remedy = f" {_NONE_WHOLE}" if isinstance(error, _DamagedError) else ""
    return first_problem + remedy


def _run(
    folder: Path, manifest: Manifest, entry: CheckpointEntry, newer_problem: str, *, training: bool
) -> Run:
    settings, beside = manifest.settings, entry.files.training if training else None
    checkpoint = _checkpoint(folder, manifest, entry, entry.files.weights, beside)
    with _naming(folder, entry.files.metrics):
        columns = _read(folder, entry.files.metrics, MAX_METRICS_FILE_BYTES)
        history = unpacked_history(columns, entry.step, settings.family.metrics)
    notes = [f"{newer_problem} Step {entry.step:,}, saved before, was opened."] if newer_problem else []
    best = None
    if training and manifest.best is not None and manifest.best.step <= entry.step:
        try:
            best = _best(folder, manifest, manifest.best, checkpoint)
        except RunFolderError as error:
            notes.append(f"{error} The best epoch, at step {manifest.best.step:,}, cannot be gone back to.")
    return Run(
        folder=folder,
        settings=settings,
        data=manifest.data,
        checkpoint=checkpoint,
        history=history,
        # Of the checkpoint before, only what had happened by then.
        timeline=tuple(change for change in manifest.timeline if change.step <= entry.step),
        held_out=entry.held_out,
        device=manifest.device,
        threads=manifest.threads,
        notes=tuple(notes),
        saved=manifest.saved,
        in_training=manifest.in_training,
        best=best,
    )


def _checkpoint(
    folder: Path,
    manifest: Manifest,
    entry: CheckpointEntry | BestEntry,
    file: FileEntry,
    beside: FileEntry | None,
) -> Checkpoint:
    """What an entry's two files hold, the weights and the training state, or the first alone."""
    from vaeviewer.backend.models.latent_model import state_shapes

    settings, data = manifest.settings, manifest.data
    expected, parameters = state_shapes(settings.model, data.spec)
    numbers = sum(prod(shape) for _, shape in expected.values())
    with _naming(folder, file):
        weights = _read(folder, file, 8 * numbers + MAX_TENSOR_HEADER_BYTES + 8)
        check_arrays(weights, expected)
        snapshot = snapshot_of(
            settings.model,
            data.spec,
            {name: weights[name] for name in expected},
            step=entry.step,
            epoch=entry.epoch,
            protocol=settings.train.protocol,
        )
        _check_computes(snapshot)
    training: dict[str, NDArray[Any]] = {}
    if beside is not None:
        with _naming(folder, beside):
            training = upgraded_optimizer(_read(folder, beside, MAX_TENSOR_FILE_BYTES), parameters)
    return Checkpoint(snapshot, TrainingState(training, entry.training_values))


def _best(folder: Path, manifest: Manifest, entry: BestEntry, opened: Checkpoint) -> Kept:
    """The best state, which may be the checkpoint that was opened."""
    checkpoint = opened
    if (entry.step, entry.training_values) != (opened.snapshot.step, dict(opened.training.values)):
        checkpoint = _checkpoint(folder, manifest, entry, entry.weights, entry.training)
    return Kept(checkpoint, entry.held_out, entry.step)


def _check_computes(snapshot: Snapshot) -> None:
    """Refuse weights that are finite but so large that what they compute is not.

    Raises:
        ValueError: An image at the origin, at (1, 1, …), or the posterior of a black or a white image is not finite.
    """
    two = np.array([0.0, 1.0], np.float32)
    with np.errstate(all="ignore"):
        images = snapshot.decode(np.outer(two, np.ones(snapshot.model.latent_dim, np.float32)), y=0)
        posterior = snapshot.encode(np.outer(two, np.ones(images[0].size, np.float32)), y=0) or ()
    if not all(np.isfinite(array).all() for array in (images, *posterior) if array is not None):
        raise ValueError("its weights are too large to compute with")


def _is_damage(error: OSError | MemoryError | ValueError) -> bool:
    """Whether a file is not what was saved; an error of memory or the system's own says nothing about that."""
    return isinstance(error, ValueError) or (isinstance(error, OSError) and error.errno is None)


@contextmanager
def _naming(folder: Path, file: FileEntry) -> Iterator[None]:
    """Turn whatever is wrong with a file into one sentence that names it."""
    path = folder / file.name
    try:
        yield
    except FileNotFoundError:
        raise _DamagedError(f"{path} is missing.") from None
    except (OSError, MemoryError, ValueError) as error:
        kind = _DamagedError if _is_damage(error) else RunFolderError
        raise kind(f"{path} cannot be used: {atomic_files.reason(error)}.") from None


def _read(folder: Path, file: FileEntry, limit: int) -> dict[str, NDArray[Any]]:
    """The arrays of a file, after its length and checksum were found as the manifest declares them."""
    if file.size > limit:
        raise ValueError(f"the manifest declares {file.size:,} bytes, more than the {limit:,} it may hold")
    return unpack(as_declared(folder, file))


def as_declared(folder: Path, file: FileEntry) -> bytes:
    """The bytes of a file whose length and checksum are as the manifest declares them.

    Raises:
        ValueError: They are not.
        OSError: It is missing, no plain file, or cannot be read.
        MemoryError: There is not memory enough for it.
    """
    data = atomic_files.read(folder / file.name, file.size)
    _compare(file, len(data), hashlib.sha256(data).hexdigest())
    return data


def check_declared(folder: Path, file: FileEntry) -> None:
    """Refuse a file that :func:`as_declared` would, and hold none of it in memory; raises the same."""
    _compare(file, *atomic_files.checksum(folder / file.name, file.size))


def _compare(file: FileEntry, size: int, sha256: str) -> None:
    if size != file.size:
        raise ValueError(f"it holds {size:,} bytes, but the manifest declares {file.size:,}")
    if sha256 != file.sha256:
        raise ValueError("its checksum is not the one in the manifest")


def unpacked_history(columns: Mapping[str, NDArray[Any]], step: int, metrics: Metrics) -> History:
    """The history that a metrics file's columns hold, of a checkpoint at ``step``.

    Raises:
        ValueError: As :func:`metrics_views`.
    """
    return History.from_views(*metrics_views(columns, step, metrics))


def metrics_views(
    columns: Mapping[str, NDArray[Any]], step: int, metrics: Metrics
) -> tuple[MetricsView, MetricsView]:
    """The columns of a metrics file, of a checkpoint at ``step``, as the two tables of a history.

    Raises:
        ValueError: They are not the columns of a history, or it goes on after the step.
    """
    names = ("step", "epoch", *metrics.stored)
    expected = {
        f"{table}.{name}": "int32" if name == "step" else "float32" for table in TABLES for name in names
    }
    if {name: column.dtype.name for name, column in columns.items()} != expected:
        raise ValueError("it does not hold the columns of a history")
    training, held_out = (
        MetricsView(
            columns[f"{table}.step"],
            columns[f"{table}.epoch"],
            {name: columns[f"{table}.{name}"] for name in metrics.stored},
            metrics,
        )
        for table in TABLES
    )
    check_views(training, held_out)
    if any(len(view.until(step)) < len(view) for view in (training, held_out)):
        raise ValueError("its history goes on after the checkpoint's step")
    return training, held_out
