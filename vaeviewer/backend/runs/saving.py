"""Saves runs into their folders: immutable files first, then one manifest with checksums, replaced atomically.

A save that raises has changed nothing: the manifest and every file it names are as they were. A file that a
manifest names is never written again; a second save of one step takes other names (``step-00000703-2…``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from vaeviewer import __version__
from vaeviewer.backend.runs import atomic_files
from vaeviewer.backend.runs.folder import (
    MANIFEST,
    TABLES,
    Run,
    check_declared,
    metrics_views,
    read_manifest,
)
from vaeviewer.backend.runs.formats import FORMAT
from vaeviewer.backend.runs.log import LOG
from vaeviewer.backend.runs.manifest import (
    FILE_NAME,
    BestEntry,
    CheckpointEntry,
    FileEntry,
    Manifest,
    NewerFormatError,
    manifest_bytes,
    parse_manifest,
)
from vaeviewer.backend.runs.tensor_files import Packed, check_arrays, pack
from vaeviewer.backend.training.history import MetricsView
from vaeviewer.errors import RunFolderError
from vaeviewer.limits import MAX_MANIFEST_BYTES, MAX_METRICS_FILE_BYTES, MAX_TENSOR_FILE_BYTES

_OURS = re.compile(FILE_NAME)
_OUR_TEMPORARY = re.compile(rf"^\.({FILE_NAME.strip('^$')}|{re.escape(MANIFEST)}|{re.escape(LOG)})\.tmp$")


def save_run(run: Run) -> None:
    """Save a run into its folder, new or as an update. Keeps the newest whole checkpoint saved before; others go.

    On a full disk others go first, and it is tried once more: where two checkpoints fit, but not three.

    Raises:
        RunFolderError: It could not be saved; the newest whole checkpoint saved before is still there, and unless the
            disk was full all else that the folder held.
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


def _save(run: Run) -> None:
    folder, snapshot = run.folder, run.checkpoint.snapshot
    contents = _packed(run)
    atomic_files.make_folder(folder)
    there = set(atomic_files.listing(folder))
    old = _manifest_before(folder) if MANIFEST in there else None
    if old and (old.settings.model, old.data.image) != (run.settings.model, run.data.image):
        raise ValueError("the folder holds a run of another model")

    stem = _unused_stem(snapshot.step, there)
    files = {kind: _file_entry(f"{stem}.{kind}.safetensors", parts) for kind, parts in contents.items()}
    previous = _newest_whole(folder, old.checkpoints) if old else ()
    best, best_files = _best(run, files, old, there)
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
            "best": best,
        }
    )
    named = {files[kind].name: parts for kind, parts in contents.items()} | best_files
    try:
        _write(folder, named, manifest)
    except OSError as error:
        if error.errno not in atomic_files.NO_ROOM or old is None or not _make_room(folder, old, previous):
            raise
        _write(folder, named, manifest)
    try:
        atomic_files.sync_folder(folder)
    except OSError:
        return  # the manifest before may come back after a power cut: the files it names stay
    if old:  # what no manifest ever named is not ours to judge
        _tidy(folder, there, parse_manifest(manifest).names)


def _write(folder: Path, files: Mapping[str, Packed], manifest: bytes) -> None:
    """Write new files and then the manifest that names them; where that fails, take them away again.

    Raises:
        OSError: A call failed.
    """
    try:
        for name, parts in files.items():
            atomic_files.write_whole(folder / name, *parts)
        atomic_files.sync_folder(folder)  # before the manifest names them
        atomic_files.write_whole(folder / MANIFEST, manifest)
    except BaseException:
        _withdraw(folder, manifest, files)
        raise


def _make_room(folder: Path, old: Manifest, kept: tuple[CheckpointEntry, ...]) -> bool:
    """Remove all checkpoints but one on a full disk; returns whether there is more room now.

    Safe at every moment: the one that stays was read just now and is whole, and no other file goes before a manifest
    that names it alone is on the disk.
    """
    if not kept:
        return False
    files = kept[0].files
    try:
        if read_manifest(folder) != old:
            return False  # it was the manifest's own replacement that failed, after it took effect
        for file in (files.weights, files.training, files.metrics):
            check_declared(folder, file)
        there = set(atomic_files.listing(folder))
        alone = old.model_copy(update={"format": FORMAT, "checkpoints": kept})
        if not any(_is_left_over(name, alone.names) for name in there):
            return False
        if old.checkpoints != kept:
            atomic_files.write_whole(folder / MANIFEST, manifest_bytes(alone.model_dump(mode="json")))
            atomic_files.sync_folder(folder)
    except (RunFolderError, OSError, MemoryError, ValueError):
        return False
    _tidy(folder, there, alone.names)
    return True


def _remedy(error: OSError | MemoryError | ValueError) -> str:
    """What the user can do about a save that failed."""
    if isinstance(error, OSError) and error.errno in atomic_files.NO_ROOM:
        return "free some space on that disk, or save it in another folder"
    return "save it in another folder"


def _packed(run: Run) -> dict[str, Packed]:
    """The bytes of a checkpoint's files by kind, refused here if they could not be read again."""
    settings, snapshot, training = run.settings, run.checkpoint.snapshot, run.checkpoint.training
    if (snapshot.model.family, snapshot.image) != (settings.model.family, run.data.image):
        raise ValueError("the checkpoint is of another model than the settings")
    from vaeviewer.backend.models.latent_model import state_shapes

    check_arrays(snapshot.weights, state_shapes(settings.model, snapshot.data)[0])
    metrics: dict[str, NDArray[Any]] = {}
    for table in TABLES:
        view: MetricsView = getattr(run.history, table).view().until(snapshot.step)
        metrics |= {f"{table}.{name}": column for name, column in view.columns().items()}
    metrics_views(metrics, snapshot.step, settings.family.metrics)
    contents = {
        "weights": pack(snapshot.weights),
        "training": pack(training.tensors),
        "metrics": pack(metrics),
    }
    for kind, parts in contents.items():
        limit = MAX_METRICS_FILE_BYTES if kind == "metrics" else MAX_TENSOR_FILE_BYTES
        if _size(parts) > limit:
            raise ValueError(
                f"its {kind} take {_size(parts):,} bytes, more than the {limit:,} a file may hold"
            )
    return contents


def _best(
    run: Run, newest: Mapping[str, FileEntry], old: Manifest | None, there: Collection[str]
) -> tuple[BestEntry | None, dict[str, Packed]]:
    """What a manifest says of the best state, and its files where it needs some of its own."""
    if run.best is None or run.best.held_out is None:
        return None, {}
    kept, held_out, state = run.best, run.best.held_out, run.best.checkpoint.training
    # Held-out figures that agree to the last bit are of the same weights.
    saved, contents = old.best if old else None, dict[str, Packed]()
    if (kept.step, held_out) == (run.checkpoint.snapshot.step, run.held_out):
        files, state = dict(newest), run.checkpoint.training
    elif saved and (saved.step, saved.held_out) == (kept.step, held_out) and saved.names <= set(there):
        return saved, {}
    else:
        stem = _unused_stem(kept.step, [*there, *(file.name for file in newest.values())])
        packed = {"weights": pack(kept.checkpoint.snapshot.weights), "training": pack(state.tensors)}
        files = {kind: _file_entry(f"{stem}.{kind}.safetensors", parts) for kind, parts in packed.items()}
        contents = {files[kind].name: parts for kind, parts in packed.items()}
    entry = BestEntry(
        step=kept.step,
        epoch=kept.checkpoint.snapshot.epoch,
        held_out=held_out,
        training_values=dict(state.values),
        weights=files["weights"],
        training=files["training"],
    )
    return entry, contents


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
        check_declared(folder, file)
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


def _file_entry(name: str, parts: Packed) -> FileEntry:
    checksum = hashlib.sha256()
    for part in parts:
        checksum.update(part)
    return FileEntry(name=name, size=_size(parts), sha256=checksum.hexdigest())


def _size(parts: Packed) -> int:
    return sum(map(len, parts))


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


def _is_left_over(name: str, named: Collection[str]) -> bool:
    return bool((_OURS.match(name) and name not in named) or _OUR_TEMPORARY.match(name))


def _tidy(folder: Path, there: Iterable[str], named: Collection[str]) -> None:
    """Remove older checkpoints' files and what crashed saves left; what cannot go waits for the next save."""
    for name in there:
        if _is_left_over(name, named):
            with suppress(OSError):
                atomic_files.remove(folder / name)
