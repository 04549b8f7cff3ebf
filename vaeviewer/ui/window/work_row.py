"""A row that shows what takes long: what it is, how far it has come, and a way to give it up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QWidget

from vaeviewer.session.data_loader import Fetched
from vaeviewer.ui.widgets.plain_text import breakable

SHOWN_AFTER_MS = 150
"""Work that takes less is not shown: a row that comes and goes moves the plane."""

BAR_STEPS = 1000
"""The bar counts in these, as bytes may be more than fit in its whole numbers."""


@dataclass
class _Work:
    sentence: str
    cancel: Callable[[], None] | None
    done: int = 0
    total: int = 0
    put_away: bool = False


class WorkRow(QWidget):
    """The newest of what is under way; what was put away does not come back.

    Signals:
        changed(): There is something to see, or no longer.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("workRow")
        self._works: dict[str, _Work] = {}
        self._due: set[str] = set()
        self._label = QLabel()
        self._label.setObjectName("workText")
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._label.setWordWrap(True)
        self._label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._bar = QProgressBar()
        self._bar.setMinimumWidth(60)  # the words need the room more
        self._bar.setMaximumWidth(160)
        self._bar.setAccessibleName("How much is done")
        self._cancel = QPushButton("&Cancel")
        self._cancel.setToolTip("Give this up")
        self._cancel.clicked.connect(self._give_up)
        self._hide = QPushButton("H&ide")
        self._hide.setToolTip("Go on, but do not show it (Escape)")
        self._hide.clicked.connect(self.put_away)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        layout.addWidget(self._label, 4)
        layout.addWidget(self._bar, 1)
        for button in (self._cancel, self._hide):
            button.setAutoDefault(False)
            layout.addWidget(button)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_time)
        self.hide()

    @property
    def active(self) -> bool:
        """Whether there is anything to see."""
        return self._current is not None

    @property
    def text(self) -> str:
        """What is said to be under way, or an empty text."""
        work = self._current
        return work.sentence if work is not None else ""

    def begin(self, key: str, sentence: str, cancel: Callable[[], None] | None = None) -> None:
        """Work begins, in place of the one with its key.

        Args:
            key: What :meth:`advance` and :meth:`end` call it.
            sentence: What is being done, plain text.
            cancel: Gives it up, where that is possible.
        """
        self._works.pop(key, None)
        self._works[key] = _Work(sentence, cancel)
        self._due.discard(key)
        if not self._timer.isActive():
            self._timer.start(SHOWN_AFTER_MS)
        self._show()

    def advance(self, key: str, sentence: str, done: int, total: int) -> None:
        """Work has come to ``done`` of ``total``, in any unit; without effect where it is not under way."""
        work = self._works.get(key)
        if work is not None:
            work.sentence, work.done, work.total = sentence, done, total
            self._show()

    def end(self, key: str) -> None:
        """Work is done, or was given up."""
        if self._works.pop(key, None) is not None:
            self._show()

    def put_away(self) -> None:
        """Show it no more; it goes on."""
        work = self._current
        if work is not None:
            work.put_away = True
            self._show()

    @property
    def _current(self) -> _Work | None:
        shown = [work for key, work in self._works.items() if key in self._due and not work.put_away]
        return shown[-1] if shown else None

    def _on_time(self) -> None:
        self._due = set(self._works)
        self._show()

    def _give_up(self) -> None:
        work = self._current
        if work is not None and work.cancel is not None:
            work.cancel()

    def _show(self) -> None:
        work = self._current
        if work is not None:
            self._label.setText(breakable(work.sentence))
            show_progress(self._bar, work.done, work.total)
            self._cancel.setVisible(work.cancel is not None)
        self.setVisible(work is not None)
        self.changed.emit()


def show_progress(bar: QProgressBar, done: int, total: int) -> None:
    """Let a bar show how much of how much is done; a total of 0 moves to and fro, as it is not known."""
    bar.setRange(0, BAR_STEPS if total > 0 else 0)
    bar.setValue(min(BAR_STEPS, max(0, done) * BAR_STEPS // total) if total > 0 else 0)


def fetching_text(title: str, fetched: Fetched) -> str:
    """What is fetched or read, how large it is, how much is there and how long the rest takes."""
    if fetched.unit == "images":
        left = "" if fetched.seconds_left is None else f", {time_text(fetched.seconds_left)} left"
        return f"Reading {title}… {100 * fetched.done // max(1, fetched.total)} %{left}"
    text = f"Fetching {title}, {size_text(fetched.total)}…"
    if fetched.done:
        text += f" {size_text(fetched.done)} are here"
        if fetched.seconds_left is not None:
            text += f", {time_text(fetched.seconds_left)} left"
    return text


def size_text(count: int) -> str:
    """A number of bytes, such as ``"31 MB"``."""
    megabytes = count / 1e6
    return f"{megabytes:.0f} MB" if megabytes >= 10 else f"{megabytes:.1f} MB"


def time_text(seconds: float) -> str:
    """A time that is to pass, such as ``"about 20 s"``."""
    return f"about {max(1, round(seconds))} s" if seconds < 90 else f"about {round(seconds / 60)} min"
