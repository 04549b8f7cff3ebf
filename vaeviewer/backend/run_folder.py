"""Save and load runs: immutable ``step-N`` files, then one manifest with checksums, replaced atomically.

    RUN/manifest.json                         settings, data, timeline, newest checkpoint and the one before
    RUN/step-00000703.weights.safetensors     the Snapshot's weights
    RUN/step-00000703.training.safetensors    optimizer and generator states
    RUN/step-00000703.metrics.safetensors     the history up to that step
    RUN/log.txt                               what happened and when, in words
    RUN/.lock                                 locked by whoever trains the run

A save that raises has changed nothing: the manifest and every file it names are as they were. A file that a
manifest names is never written again; a second save of one step takes other names (``step-00000703-2…``).
"""

from __future__ import annotations

import errno
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaeviewer import __version__
from vaeviewer.backend import atomic_files
from vaeviewer.backend.config import Settings
from vaeviewer.backend.history import COLUMNS, History, MetricsView
from vaeviewer.backend.models.shapes import expected_weights
from vaeviewer.backend.run_lock import LOCK
from vaeviewer.backend.run_log import LOG
from vaeviewer.backend.run_manifest import (
    FILE_NAME,
    FORMAT,
    Change,
    CheckpointEntry,
    DataDescription,
    FileEntry,
    HeldOut,
    Manifest,
    NewerFormatError,
    manifest_bytes,
    parse_manifest,
)
from vaeviewer.backend.snapshot import Checkpoint, Snapshot, TrainingState
from vaeviewer.backend.tensor_files import check_arrays, pack, unpack
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
    "load_run",
    "mark_in_training",
    "prepare_folder",
    "read_manifest",
    "save_run",
]

MANIFEST = "manifest.json"
TABLES = ("training", "held_out")

_OURS = re.compile(FILE_NAME)
_OUR_TEMPORARY = re.compile(rf"^\.({FILE_NAME.strip('^$')}|{re.escape(MANIFEST)}|{re.escape(LOG)})\.tmp$")

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


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


def save_run(run: Run) -> None:
    """Save a run into its folder, new or as an update. Keeps the newest whole checkpoint saved before; others go.

    Raises:
        RunFolderError: It could not be saved; what the folder held is untouched.
    """
    try:
        _save(run)
    except (OSError, MemoryError, ValueError) as error:
        raise RunFolderError(
            f"{run.folder}: the run was not saved: {atomic_files.reason(error)}; {_remedy(error)}."
        ) from error


def mark_in_training(folder: Path, in_training: bool) -> None:
    """Note in the manifest whether the run is being trained now, and change nothing else.

    Raises:
        RunFolderError: The folder holds no run, or cannot be written.
    """
    manifest = read_manifest(folder)
    if manifest.in_training == in_training:
        return
    changed = manifest.model_copy(update={"format": FORMAT, "in_training": in_training})
    try:
        atomic_files.write_whole(folder / MANIFEST, manifest_bytes(changed.model_dump(mode="json")))
        atomic_files.sync_folder(folder)
    except (OSError, MemoryError, ValueError) as error:
        raise RunFolderError(
            f"{folder}: the run was not saved: {atomic_files.reason(error)}; {_remedy(error)}."
        ) from error


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
    except (OSError, MemoryError, ValueError) as error:
        raise RunFolderError(f"{folder / MANIFEST} cannot be read: {atomic_files.reason(error)}.") from error


def load_run(path: Path | str) -> Run:
    """Read a run; where its newest checkpoint is damaged, the one before, saying so in ``notes``.

    Raises:
        RunFolderError: The folder holds no run, or none of its checkpoints is whole.
    """
    folder = Path(path).absolute()
    manifest = read_manifest(folder)
    first_problem = ""
    for entry in manifest.checkpoints:
        try:
            return _run(folder, manifest, entry, first_problem)
        except RunFolderError as error:
            first_problem = first_problem or str(error)  # not the error: it would hold what was read
    raise RunFolderError(first_problem)


def _run(folder: Path, manifest: Manifest, entry: CheckpointEntry, newer_problem: str) -> Run:
    settings, image_shape, files = manifest.settings, manifest.data.image_shape, entry.files
    shapes = expected_weights(settings.model, image_shape)
    weights_limit = 4 * sum(map(prod, shapes.values())) + MAX_TENSOR_HEADER_BYTES + 8
    with _naming(folder, files.weights):
        weights = _read(folder, files.weights, weights_limit)
        check_arrays(weights, shapes)
        snapshot = Snapshot(
            entry.step,
            entry.epoch,
            settings.model,
            image_shape,
            {name: weights[name] for name in shapes},
            protocol=settings.train.protocol,
        )
        _check_computes(snapshot)
    with _naming(folder, files.metrics):
        history = _unpacked_history(_read(folder, files.metrics, MAX_METRICS_FILE_BYTES), entry.step)
    with _naming(folder, files.training):
        training = _read(folder, files.training, MAX_TENSOR_FILE_BYTES)
    return Run(
        folder=folder,
        settings=settings,
        data=manifest.data,
        checkpoint=Checkpoint(snapshot, TrainingState(training, entry.training_values)),
        history=history,
        # Of the checkpoint before, only what had happened by then.
        timeline=tuple(change for change in manifest.timeline if change.step <= entry.step),
        held_out=entry.held_out,
        device=manifest.device,
        threads=manifest.threads,
        notes=(f"{newer_problem} Step {entry.step:,}, saved before, was opened.",) if newer_problem else (),
        saved=manifest.saved,
        in_training=manifest.in_training,
    )


def _check_computes(snapshot: Snapshot) -> None:
    """Refuse weights that are finite but so large that what they compute is not.

    Raises:
        ValueError: An image at the origin, at (1, 1, …), or the posterior of a black or a white image is not finite.
    """
    two = np.array([0.0, 1.0])
    with np.errstate(all="ignore"):
        images = snapshot.decode(np.outer(two, np.ones(snapshot.model.latent_dim)))
        posterior = snapshot.encode(np.outer(two, np.ones(images[0].size)))
    if not all(np.isfinite(array).all() for array in (images, *posterior)):
        raise ValueError("its weights are too large to compute with")


@contextmanager
def _naming(folder: Path, file: FileEntry) -> Iterator[None]:
    """Turn whatever is wrong with a file into one sentence that names it."""
    path = folder / file.name
    try:
        yield
    except FileNotFoundError:
        raise RunFolderError(f"{path} is missing.") from None
    except (OSError, MemoryError, ValueError) as error:
        raise RunFolderError(f"{path} cannot be used: {atomic_files.reason(error)}.") from None


def _read(folder: Path, file: FileEntry, limit: int) -> dict[str, NDArray[Any]]:
    """The arrays of a file, after its length and checksum were found as the manifest declares them."""
    if file.size > limit:
        raise ValueError(f"the manifest declares {file.size:,} bytes, more than the {limit:,} it may hold")
    return unpack(_as_declared(folder, file))


def _as_declared(folder: Path, file: FileEntry) -> bytes:
    data = atomic_files.read(folder / file.name, file.size)
    if len(data) != file.size:
        raise ValueError(f"it holds {len(data):,} bytes, but the manifest declares {file.size:,}")
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise ValueError("its checksum is not the one in the manifest")
    return data


def _save(run: Run) -> None:
    folder, snapshot = run.folder, run.checkpoint.snapshot
    contents = _packed(run)
    atomic_files.make_folder(folder)
    there = set(atomic_files.listing(folder))
    old = _manifest_before(folder) if MANIFEST in there else None
    if old and (old.settings.model, old.data.image_shape) != (run.settings.model, run.data.image_shape):
        raise ValueError("the folder holds a run of another model")

    stem = _unused_stem(snapshot.step, there)
    files = {kind: _file_entry(f"{stem}.{kind}.safetensors", data) for kind, data in contents.items()}
    previous = _newest_whole(folder, old.checkpoints) if old else ()
    now = datetime.now(UTC)
    manifest = manifest_bytes(
        {
            "format": FORMAT,
            "program": f"vaeviewer {__version__}",
            "created": (old.created if old else now).isoformat(timespec="seconds"),
            "saved": now.isoformat(timespec="milliseconds"),
            "in_training": run.in_training,
            "settings": run.settings,
            "data": run.data,
            "device": run.device,
            "threads": run.threads,
            "timeline": [change for change in run.timeline if change.step <= snapshot.step],
            "checkpoints": [
                {
                    "step": snapshot.step,
                    "epoch": snapshot.epoch,
                    "held_out": run.held_out,
                    "training_values": dict(run.checkpoint.training.values),
                    "files": files,
                },
                *previous,
            ],
        }
    )
    try:
        for kind, data in contents.items():
            atomic_files.write_whole(folder / files[kind].name, data)
        atomic_files.sync_folder(folder)  # before the manifest names them
        atomic_files.write_whole(folder / MANIFEST, manifest)
    except BaseException:
        _withdraw(folder, manifest, [file.name for file in files.values()])
        raise
    try:
        atomic_files.sync_folder(folder)
    except OSError:
        return  # the manifest before may come back after a power cut: the files it names stay
    if old:  # what no manifest ever named is not ours to judge
        _tidy(folder, there, {file.name for file in files.values()}.union(*(p.files.names for p in previous)))


def _remedy(error: OSError | MemoryError | ValueError) -> str:
    """What the user can do about a save that failed."""
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return "free some space on that disk, or save it in another folder"
    return "save it in another folder"


def _packed(run: Run) -> dict[str, bytes]:
    """The bytes of a checkpoint's files by kind, refused here if they could not be read again."""
    settings, snapshot, training = run.settings, run.checkpoint.snapshot, run.checkpoint.training
    if (snapshot.model, snapshot.image_shape) != (settings.model, run.data.image_shape):
        raise ValueError("the checkpoint is of another model than the settings")
    check_arrays(snapshot.weights, expected_weights(snapshot.model, snapshot.image_shape))
    metrics: dict[str, NDArray[Any]] = {}
    for table in TABLES:
        view: MetricsView = getattr(run.history, table).view().until(snapshot.step)
        metrics |= {f"{table}.{column}": getattr(view, column) for column in COLUMNS}
    _unpacked_history(metrics, snapshot.step)
    contents = {
        "weights": pack(snapshot.weights),
        "training": pack(training.tensors),
        "metrics": pack(metrics),
    }
    for kind, data in contents.items():
        limit = MAX_METRICS_FILE_BYTES if kind == "metrics" else MAX_TENSOR_FILE_BYTES
        if len(data) > limit:
            raise ValueError(f"its {kind} take {len(data):,} bytes, more than the {limit:,} a file may hold")
    return contents


def _unpacked_history(columns: Mapping[str, NDArray[Any]], step: int) -> History:
    expected = {
        f"{table}.{name}": "int32" if name == "step" else "float32" for table in TABLES for name in COLUMNS
    }
    if {name: column.dtype.name for name, column in columns.items()} != expected:
        raise ValueError("it does not hold the columns of a history")
    views = [MetricsView(*(columns[f"{table}.{name}"] for name in COLUMNS)) for table in TABLES]
    history = History.from_views(*views)
    if any(len(view.until(step)) < len(view) for view in views):
        raise ValueError("its history goes on after the checkpoint's step")
    return history


def _manifest_before(folder: Path) -> Manifest | None:
    """The manifest to be replaced, or ``None`` where it is damaged and so names nothing to keep."""
    try:
        return parse_manifest(atomic_files.read(folder / MANIFEST, MAX_MANIFEST_BYTES))
    except NewerFormatError:
        raise ValueError("the folder holds a run of a newer vaeviewer") from None
    except ValueError:
        return None


def _newest_whole(folder: Path, entries: tuple[CheckpointEntry, ...]) -> tuple[CheckpointEntry, ...]:
    """The newest checkpoint whose files are as the manifest declares them; the newest of all where none is."""
    for entry in entries:
        files = entry.files
        if all(_is_whole(folder, file) for file in (files.weights, files.training, files.metrics)):
            return (entry,)
    return entries[:1]


def _is_whole(folder: Path, file: FileEntry) -> bool:
    """Whether a file is as declared, as far as anybody knows: one that cannot be read just now may be."""
    try:
        _as_declared(folder, file)
    except (FileNotFoundError, ValueError):
        return False
    except OSError as error:
        return error.errno is not None  # without a number it is our own: a link, or longer than declared
    except MemoryError:
        return True
    return True


def _unused_stem(step: int, names: Iterable[str]) -> str:
    stem = f"step-{step:08d}"
    taken = {name.lstrip(".").partition(".")[0] for name in names}
    number = 1
    while (numbered := stem if number == 1 else f"{stem}-{number}") in taken:
        number += 1
    return numbered


def _file_entry(name: str, data: bytes) -> FileEntry:
    return FileEntry(name=name, size=len(data), sha256=hashlib.sha256(data).hexdigest())


def _withdraw(folder: Path, manifest: bytes, names: Iterable[str]) -> None:
    """Remove a failed save's files, unless its manifest got its name before the failure."""
    try:
        if atomic_files.read(folder / MANIFEST, MAX_MANIFEST_BYTES) == manifest:
            return
    except FileNotFoundError:
        pass
    except (OSError, MemoryError):
        return  # nobody knows: the files stay
    for name in names:
        with suppress(OSError):
            atomic_files.remove(folder / name)


def _tidy(folder: Path, there: Iterable[str], named: set[str]) -> None:
    """Remove older checkpoints' files and what crashed saves left; what cannot go waits for the next save."""
    for name in there:
        if (_OURS.match(name) and name not in named) or _OUR_TEMPORARY.match(name):
            with suppress(OSError):
                atomic_files.remove(folder / name)
