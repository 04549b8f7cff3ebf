"""Keeps the window's run on disk: which folder it has, and whether that may be written."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from vaeviewer import paths
from vaeviewer.backend.runs.autosave import Autosave
from vaeviewer.backend.runs.lock import make_new_folder
from vaeviewer.errors import RunFolderError
from vaeviewer.session import messages

if TYPE_CHECKING:
    from vaeviewer.backend.training.trainer import Trainer


class RunKeeper:
    """One run at a time, on the training thread: without a folder at first, then saved in one until it is left.

    Args:
        notify: Called with :class:`Saved` and :class:`SaveFailed`, on any thread.
        save_seconds: While training, the run is saved this often at most.

    Attributes:
        keeps_run: Whether what is trained goes into a run folder.
        folder: The run's folder, or ``None`` before training began.
        read_only: Why nothing is written to the folder, or empty. Trained further, the run gets another folder.
    """

    def __init__(self, notify: Callable[[messages.Event], None], save_seconds: float) -> None:
        self.keeps_run = True
        self.folder: Path | None = None
        self.read_only = ""
        self._notify = notify
        self._save_seconds = save_seconds
        self._autosave: Autosave | None = None

    def begin(self, trainer: Trainer) -> None:
        """Training begins: the run is saved from here on, in a new folder where it has none."""
        autosave = self._own()
        if autosave is not None:
            autosave.begin(trainer)

    def after_block(self, trainer: Trainer) -> None:
        """Start a save if one is due."""
        if self._autosave is not None:
            self._autosave.after_block(trainer)

    def rest(self, trainer: Trainer) -> None:
        """Training came to rest: what is not on disk yet is saved in the background."""
        if self._autosave is not None:
            self._autosave.rest(trainer)

    def rest_after_step(self, trainer: Trainer) -> None:
        """A single step was taken: it is saved soon, as more may follow."""
        autosave = self._own()
        if autosave is not None:
            autosave.rest(trainer, soon=True)

    def note(self, trainer: Trainer | None, text: str) -> None:
        """Add a line to the run's log, if it has one."""
        if self._autosave is not None and trainer is not None:
            self._autosave.note(trainer.step_count, text)

    def save(self, trainer: Trainer, folder: Path, *, in_training: bool) -> None:
        """Save now, and from here on into ``folder``.

        Raises:
            RunFolderError: It could not be saved there; the run keeps the folder it had.
        """
        if self._autosave is not None and folder == self.folder:
            self._autosave.save_now(trainer, in_training=in_training)
        else:
            autosave = self._autosave_in(folder)
            try:
                autosave.save_now(trainer, in_training=in_training)
            except BaseException:
                autosave.close(None)
                raise
            with suppress(RunFolderError):  # perhaps the very reason for another folder
                self.leave(trainer)
            self._autosave, self.folder = autosave, folder
        self._notify(messages.Saved(folder, trainer.step_count))

    def open(
        self, folder: Path, current: Trainer | None, tell: Callable[[str], object], data: Path | None = None
    ) -> Trainer:
        """Open the run in ``folder`` and leave the current one; read-only where its folder is not to be had.

        ``tell`` is called with what the user should know of how it was opened; ``data`` is where its images are
        now, if they moved.

        Raises:
            UserError: It cannot be opened, or the current run cannot be saved; that one stays as it is.
        """
        from vaeviewer.backend.runs.restore import open_run

        if folder == self.folder:
            self.leave(current)  # it is read again as it is now, and its lock is free
        autosave, read_only = self._autosave_in(folder), ""
        try:
            autosave.claim()
        except RunFolderError as error:
            read_only = str(error)
        try:
            trainer = open_run(folder, data=data, tell=tell)
            if not read_only and data is None:  # else it is saved again, with where its images are
                autosave.adopt(trainer)
            self.leave(current)
        except BaseException:
            autosave.close(None)
            raise
        self._autosave = None if read_only else autosave
        self.folder, self.read_only = folder, read_only
        return trainer

    def finish(self, trainer: Trainer | None) -> None:
        """Have the newest state of the run on disk as a clean end, and keep the folder.

        Raises:
            RunFolderError: It could not be saved.
        """
        if self._autosave is not None and trainer is not None:
            _settle(trainer)
            self._autosave.finish(trainer)

    def leave(self, trainer: Trainer | None) -> None:
        """Let go of the run's folder, with the newest state of its trainer in it as a clean end.

        Raises:
            RunFolderError: That state could not be saved. The folder is let go all the same.
        """
        autosave, self._autosave = self._autosave, None
        self.folder, self.read_only = None, ""
        if autosave is None:
            return
        whole = None
        try:
            if trainer is not None:
                _settle(trainer)
                whole = trainer
        finally:
            autosave.close(whole)

    def _own(self) -> Autosave | None:
        """What saves the run, or ``None`` if nothing is to be kept."""
        if self._autosave is None and self.keeps_run:
            self.folder, self.read_only = make_new_folder(paths.new_run_folder), ""
            self._autosave = self._autosave_in(self.folder)
        return self._autosave

    def _autosave_in(self, folder: Path) -> Autosave:
        return Autosave(
            folder,
            on_saved=lambda step: self._notify(messages.Saved(folder, step, automatic=True)),
            on_failed=lambda sentence: self._notify(messages.SaveFailed(folder, sentence)),
            interval_s=self._save_seconds,
        )


def _settle(trainer: Trainer) -> None:
    """Bring the trainer to a state that can be saved: where its last steps went wrong, the good one before them."""
    from vaeviewer.backend.training.health import NonFiniteError

    try:
        trainer.finish_block()
    except NonFiniteError:
        trainer.restore_good_state()
