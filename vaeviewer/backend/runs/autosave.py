"""Keeps a run on disk while it trains: the training thread copies its state, a thread of its own writes the copy."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from vaeviewer.backend.runs import atomic_files
from vaeviewer.backend.runs.copying import copy_of_run
from vaeviewer.backend.runs.folder import Change, HeldOut, Run, read_manifest
from vaeviewer.backend.runs.lock import RunLock
from vaeviewer.backend.runs.log import RunLog
from vaeviewer.backend.runs.saving import mark_in_training, save_run
from vaeviewer.backend.training.affinity import any_core
from vaeviewer.errors import RunFolderError

if TYPE_CHECKING:
    from vaeviewer.backend.training.trainer import Trainer

log = logging.getLogger(__name__)

SAVE_SECONDS = 10.0
"""While training, a save starts at most this often …"""

SAVE_SHARE = 0.015
"""… and takes at most this share of the time: of training's for the copy and of a processor's for the writing."""

SIGN_OF_LIFE_SECONDS = 1.0
"""How often the log of a run in training shows that it is alive."""


_State = tuple[int, tuple[Change, ...], HeldOut | None]
"""What tells two states of one run apart: the step, the changes made, and what was found out since."""


class Autosave:
    """Saves one run into one folder, and holds the folder's lock until it is closed.

    All methods belong to the training thread. Saves are written one at a time on a thread that starts with the
    first one and calls back. A save that fails is told and tried again later.

    Args:
        folder: The run folder; made, or made again, by a save.
        on_saved: Called with the step that is on disk.
        on_failed: Called with a sentence that says why a save failed and what to do.
        interval_s: Seconds between the starts of two saves in training, at least.
    """

    def __init__(
        self,
        folder: Path,
        *,
        on_saved: Callable[[int], None],
        on_failed: Callable[[str], None],
        interval_s: float = SAVE_SECONDS,
    ) -> None:
        self.folder = folder
        self._on_saved = on_saved
        self._on_failed = on_failed
        self._interval_s = interval_s
        self._lock = RunLock(folder)
        self._log = RunLog(folder)
        self._changed = threading.Condition()
        self._waiting: Run | None = None
        self._not_before = 0.0
        self._writing = False
        self._leaving = False
        self._alive = False
        self._lines: deque[tuple[int, str]] = deque(maxlen=100)
        self._last_start = float("-inf")
        self._pause_s = interval_s
        self._copy_s = 0.0
        self._on_disk: tuple[_State, bool] | None = None
        self._thread: threading.Thread | None = None

    def claim(self) -> None:
        """Take the lock of a folder that holds a run, before it is opened.

        Raises:
            RunInUseError: Another window or command has it open.
            RunFolderError: It holds no run, or cannot be written.
        """
        read_manifest(self.folder)  # nothing is put into a folder that is no run's
        self._lock.acquire()

    def take(self) -> None:
        """Make the folder of a new run and take its lock, before anything is trained for it.

        Raises:
            RunInUseError: Another window or command trains a run there.
            RunFolderError: It cannot be made or written.
        """
        self._hold_folder()

    def adopt(self, trainer: Trainer) -> None:
        """The folder was claimed, and ``trainer`` opened from it: its state is on disk already.

        Also where the newest checkpoint is damaged and the one before was opened: before it is trained further,
        nothing there is replaced.
        """
        manifest = read_manifest(self.folder)
        if trainer.step_count in [checkpoint.step for checkpoint in manifest.checkpoints]:
            self._on_disk = (_state_of(trainer), manifest.in_training)

    def begin(self, trainer: Trainer) -> None:
        """Training begins: at once the run has its folder, which says that it is in training."""
        self.note(trainer.step_count, "started")
        self._offer(trainer, in_training=True)

    def after_block(self, trainer: Trainer) -> None:
        """Start a save if one is due. Call it where a checkpoint can be made; it costs next to nothing if none is."""
        due = time.perf_counter() - self._last_start >= self._pause_s
        if due and self._idle:
            self._offer(trainer, in_training=True)

    def rest(self, trainer: Trainer, *, soon: bool = False) -> None:
        """Training paused or ended: save its state as a clean end, now or ``soon``, where more steps may follow."""
        not_before = self._last_start + self._pause_s if soon else 0.0
        self._offer(trainer, in_training=False, not_before=not_before)

    def note(self, step: int, text: str) -> None:
        """Add a line to the run's log."""
        with self._changed:
            self._lines.append((step, text))
            self._changed.notify_all()

    def save_now(self, trainer: Trainer, *, in_training: bool) -> None:
        """Save and wait for it, without calling back.

        Raises:
            RunFolderError: It could not be saved; what was there before is untouched.
        """
        with self._changed:
            self._waiting = None
            self._changed.wait_for(lambda: not self._writing)
        self._write(copy_of_run(trainer, self.folder, in_training=in_training))
        self._alive = in_training

    def finish(self, trainer: Trainer) -> None:
        """Wait for the save under way, and save what is not on disk yet as a clean end, without calling back.

        Raises:
            RunFolderError: It could not be saved.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._writing)
        if self._on_disk != (_state_of(trainer), False):
            self.save_now(trainer, in_training=False)

    def close(self, trainer: Trainer | None) -> None:
        """Wait for the save under way, write what is not on disk yet as a clean end, and let go of the folder.

        Args:
            trainer: The run, or ``None`` to leave the folder as it is.

        Raises:
            RunFolderError: The last save failed; the folder is let go all the same.
        """
        with self._changed:
            self._leaving, self._alive = True, False
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        try:
            if trainer is not None and self._on_disk != (_state_of(trainer), False):
                self._write(copy_of_run(trainer, self.folder, in_training=False))
        finally:
            self._write_lines()
            self._lock.release()

    @property
    def _idle(self) -> bool:
        """Whether no copy is being written or waits to be."""
        return self._waiting is None and not self._writing

    def _offer(self, trainer: Trainer, *, in_training: bool, not_before: float = 0.0) -> None:
        """Copy the trainer's state for the writer, in place of a copy that still waits."""
        if self._idle and self._on_disk == (_state_of(trainer), in_training):
            return
        start = time.perf_counter()
        run = copy_of_run(trainer, self.folder, in_training=in_training)
        self._copy_s = time.perf_counter() - start
        with self._changed:
            self._waiting, self._not_before, self._alive = run, not_before, in_training
            self._changed.notify_all()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="autosave", daemon=True)
            self._thread.start()

    # On the writer's thread, and where the training thread waits for a save on its own

    def _work(self) -> None:
        any_core()
        while True:
            with self._changed:
                if self._leaving:
                    return
                wait = self._not_before - time.perf_counter()
                run = self._waiting if wait <= 0 else None
                if run is not None:
                    self._waiting, self._writing = None, True
                elif not self._lines:
                    limits = [SIGN_OF_LIFE_SECONDS] if self._alive else []
                    self._changed.wait(min([*limits, *([wait] if self._waiting else [])], default=None))
            if run is not None:
                self._try_to_write(run)
            self._write_lines()

    def _try_to_write(self, run: Run) -> None:
        try:
            self._write(run)
            self._on_saved(run.checkpoint.snapshot.step)
        except RunFolderError as error:
            self._tell_failure(run, str(error))
        except Exception as error:  # this thread lives as long as the run, whatever happens
            log.exception("a run could not be saved")
            self._tell_failure(run, f"{run.folder}: the run was not saved: {type(error).__name__}: {error}.")
        finally:
            with self._changed:
                self._writing = False
                self._changed.notify_all()

    def _tell_failure(self, run: Run, sentence: str) -> None:
        with self._changed:
            # At rest nothing newer may come; in training the next copy is the next try.
            if self._waiting is None and not run.in_training:
                self._waiting, self._not_before = run, self._last_start + self._pause_s
        self._on_failed(sentence)

    def _write(self, run: Run) -> None:
        start, before = time.perf_counter(), time.thread_time()
        self._last_start = start
        step = run.checkpoint.snapshot.step
        state = (step, run.timeline, run.held_out)
        try:
            self._hold_folder()
            if self._on_disk is None or self._on_disk[0] != state or not self._marked(run.in_training):
                save_run(run)
        except RunFolderError as error:
            self.note(step, f"not saved: {error}")
            raise
        finally:
            cost = self._copy_s + time.thread_time() - before
            self._pause_s = max(self._interval_s, cost / SAVE_SHARE)
        self._on_disk = (state, run.in_training)
        self.note(step, "saved" if run.in_training else "saved at rest")

    def _hold_folder(self) -> None:
        """The folder is there and ours, also after somebody removed it."""
        try:
            atomic_files.make_folder(self.folder)
        except FileExistsError:
            raise RunFolderError(
                f"{self.folder} is a file, not a folder; save the run in another folder."
            ) from None
        except (OSError, ValueError) as error:
            raise RunFolderError(
                f"{self.folder} cannot be made ({atomic_files.reason(error)}); save the run in another folder."
            ) from error
        self._lock.acquire()

    def _marked(self, in_training: bool) -> bool:
        """Whether it was enough to note in the manifest that training began or ended."""
        try:
            mark_in_training(self.folder, in_training)
        except RunFolderError:  # removed or damaged since: it is written anew
            return False
        return True

    def _write_lines(self) -> None:
        """Bring the log up to date, and its time of change, too, while the run is in training."""
        with self._changed:
            lines = list(self._lines)
            self._lines.clear()
        for step, text in lines:
            self._log.note(step, text)
        if self._alive and not lines:
            self._log.show_life()


def _state_of(trainer: Trainer) -> _State:
    return trainer.step_count, tuple(trainer.timeline), trainer.held_out
