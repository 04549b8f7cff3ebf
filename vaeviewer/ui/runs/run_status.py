"""What the window says of its run: the status bar, the title, and messages about saving."""

from __future__ import annotations

import time
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QMainWindow

from vaeviewer import paths
from vaeviewer.counts import counted
from vaeviewer.session.messages import Opened, Saved
from vaeviewer.session.session import Session
from vaeviewer.session.states import State
from vaeviewer.ui.images.decoded_image_view import tabular
from vaeviewer.ui.widgets.labels import LiveLabel, tint
from vaeviewer.ui.widgets.plain_text import plain_tip, shortened
from vaeviewer.ui.widgets.theme import theme_of
from vaeviewer.ui.window.message_bar import MessageBar
from vaeviewer.ui.window.messages import Kind

TIPS = {
    "device": "Where training computes, with how many processor threads, and in which way.",
    "data": "The images: those trained on and those held out.",
    "step": "Gradient steps taken.",
    "speed": "Training images per second.",
    "left": "Progress through the planned epochs.",
    "saved": "Whether the run is on disk. While it trains, it is saved by itself.",
}

MODE_WORDS = {
    "fused": "fast mode",
    "waiting for the compiler": "preparing fast mode (only once)",
}
"""What the status bar calls a way to compute steps, where not as the training thread does."""

MODE_TIPS = {
    "fused": "Fast mode: compiled code takes each step in few passes over the data. The step is the same, only faster.",
    "waiting for the compiler": "Fast mode is being compiled for this computer, once. Training then goes on.",
}

KEY = "run"
"""Of what is said about the run's folder."""

NOTE_MS = 6000
"""How long a passing note stays in the status bar."""


class RunStatus(QObject):
    """Keeps a window's status bar and title true to its session.

    Args:
        window: Whose status bar and title.
        session: What they tell of.
        message: Where it is said, once, that saving fails, or that a run is read-only.

    Signals:
        elsewhere_wanted(): The user wants to save the run in another folder.
    """

    elsewhere_wanted = Signal()

    def __init__(self, window: QMainWindow, session: Session, message: MessageBar) -> None:
        super().__init__(window)
        self._window = window
        self._session = session
        self._message = message
        self._device, self._threads, self._mode, self._mode_note = "", 1, "", ""
        self._saved_at: float | None = None
        self._read_only = False
        self._said = False
        self._warning: str | None = None
        self._labels = {name: self._add_label(name, tip) for name, tip in TIPS.items()}
        window.statusBar().setSizeGripEnabled(True)
        session.opened.connect(self._on_opened)
        session.changed.connect(self._on_changed)
        session.saved.connect(self._on_saved)
        session.save_failed.connect(self._on_save_failed)
        self._show_title()

    def update(self) -> None:
        """Show the step, the speed and what is saved. Called once per frame: what has not changed costs little."""
        session = self._session
        progress, running = session.progress, session.state is State.RUNNING
        if progress is None:
            for name in ("step", "speed", "left", "saved"):
                self._labels[name].clear()
            return
        step = session.snapshot.step if session.snapshot is not None and not running else progress.step
        solved = session.state is State.SOLVED
        self._labels["step"].setText("" if solved else f"step {step:,}")
        rate = progress.images_per_s
        if (progress.mode, progress.mode_note) != (self._mode, self._mode_note):
            self._mode, self._mode_note = progress.mode, progress.mode_note
            self._show_device()
        self._labels["speed"].setText(f"{rate:,.0f} images/s" if rate and running else "")
        done = min(1.0, progress.epoch / progress.epochs)
        self._labels["left"].setText(
            "" if solved else f"{100 * done:.0f} % of {counted(progress.epochs, 'epoch')}"
        )
        self._labels["saved"].setText(self._saved_text(step))
        self._warn(bool(session.save_problem))
        unsaved = step > 0 and session.saved_step != step
        if unsaved != self._window.isWindowModified():
            self._window.setWindowModified(unsaved)

    def _add_label(self, name: str, tip: str) -> LiveLabel:
        label = LiveLabel(padding=8, shrinks=name in ("data", "saved"))
        label.setFont(tabular(self._window.font()))
        label.setObjectName(f"{name}Status")
        label.setToolTip(tip)
        self._window.statusBar().addWidget(label)
        return label

    # What the session says

    def _on_opened(self, opened: Opened) -> None:
        dataset = opened.dataset
        self._device, self._threads = opened.device, opened.threads
        self._mode = self._mode_note = ""
        self._saved_at = None
        self._show_device()
        count = f"{len(dataset.train_images):,} train, {len(dataset.held_out_images):,} held out"
        self._labels["data"].setText(f"{shortened(dataset.name)}: {count}")
        self._labels["data"].setToolTip(plain_tip(f"{dataset.name}\n{TIPS['data']}"))
        self._take_back()
        self._read_only = bool(opened.read_only)
        if opened.read_only and opened.folder is not None:
            self._say(
                f"“{opened.folder.name}” is read-only here: {cause(opened.read_only, opened.folder)}. Trained "
                "further, it goes on as a new run in your runs folder; Save (Ctrl+S) asks for another place."
            )
        self._show_title()
        self._show_tip()

    def _on_changed(self, field: str) -> None:
        if field == "device":
            self._device = self._session.settings.compute.device
            self._show_device()

    def _on_saved(self, saved: Saved) -> None:
        self._saved_at = time.monotonic()
        self._take_back()
        if not saved.automatic:
            self._note(f"Saved step {saved.step:,} in {saved.folder}")
        elif self._read_only:
            self._note(f"The run goes on as a new run, {saved.folder.name}")
        self._read_only = False
        self._show_title()
        self._show_tip()
        self.update()

    def _on_save_failed(self, sentence: str) -> None:
        if not self._said:
            # True as long as it is shown, also when training comes to rest meanwhile.
            self._say(f"{sentence} Saving is tried again; training is not held up.", elsewhere=True)
        self._show_tip()
        self.update()

    # What is shown

    def _show_device(self) -> None:
        on_cpu = self._device == "cpu"
        threads = f", {counted(self._threads, 'thread')}" if on_cpu else ""
        # The number format is for those who ask: "bfloat16 products, fused".
        ways = self._mode.split(", ")[1:]
        self._labels["device"].setText(
            ", ".join([f"{self._device.upper()}{threads}", *(MODE_WORDS.get(way, way) for way in ways)])
        )
        tips = [
            TIPS["device"],
            self._mode,
            *(MODE_TIPS[way] for way in ways if way in MODE_TIPS),
            self._mode_note,
        ]
        self._labels["device"].setToolTip(plain_tip("\n".join(filter(None, tips))))

    def _saved_text(self, step: int) -> str:
        session = self._session
        if session.save_problem:
            return f"not saved: {cause(session.save_problem, session.folder)}"
        if session.read_only:
            return "read-only"
        if step == 0:
            return ""
        if session.saved_step is None:
            return "not saved yet"
        # First, as a step later it will be true, and the bar is laid out anew for a text so much shorter.
        if session.state is State.RUNNING and self._saved_at is not None:
            return f"saved {duration(time.monotonic() - self._saved_at)} ago"
        if session.saved_step == step:
            return "saved"
        return f"saved at step {session.saved_step:,}"

    def _show_tip(self) -> None:
        session = self._session
        where = f"\n{session.folder}" if session.folder is not None else ""
        if session.read_only:
            where += (
                f"\nNothing is written there. Trained further, it becomes a new run in {paths.runs_dir()}."
            )
        self._labels["saved"].setToolTip(plain_tip(session.save_problem or TIPS["saved"] + where))

    def _warn(self, warns: bool) -> None:
        """Write what is saved in the colour of warnings, or as all else; follows the scheme."""
        color = theme_of(self._window.palette()).warning if warns else None
        if color != self._warning:
            self._warning = color
            if color is None:
                self._labels["saved"].setPalette(QPalette())
            else:
                tint(self._labels["saved"], color)

    def _show_title(self) -> None:
        folder, dataset = self._session.folder, self._session.dataset
        parts = ["vaeviewer"]
        if dataset is not None:
            parts.insert(0, dataset.name)
        if folder is not None:
            parts.insert(0, folder.name + (" (read-only)" if self._session.read_only else ""))
        first, *rest = (part.replace("[*]", "[*][*]") for part in parts)  # twice, Qt's mark is plain text
        self._window.setWindowTitle(" · ".join([f"{first}[*]", *rest]))

    def _note(self, sentence: str) -> None:
        self._window.statusBar().showMessage(sentence, NOTE_MS)

    def _say(self, sentence: str, *, elsewhere: bool = False) -> None:
        self._said = True
        answers = [("Save &elsewhere…", self.elsewhere_wanted.emit)] if elsewhere else []
        kind = Kind.PROBLEM if elsewhere else Kind.NOTE
        self._message.show_message(sentence, answers, key=KEY, kind=kind)

    def _take_back(self) -> None:
        """What was said last holds no longer."""
        self._message.take_back(KEY)
        self._said = False


def cause(sentence: str, folder: Path | None) -> str:
    """The reason in a sentence of why a folder cannot be written, without its path and what to do about it."""
    if folder is not None:
        sentence = sentence.replace(str(folder), "the folder")
    # A run that never was on disk has no folder yet as far as is known here.
    return sentence.rpartition("the run was not saved: ")[2].partition(";")[0].rstrip(".")


def duration(seconds: float) -> str:
    """A time in whole units, such as ``"4 s"`` or ``"3 min"``."""
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds // 60:.0f} min"
