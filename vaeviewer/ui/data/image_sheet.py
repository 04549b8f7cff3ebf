"""The sheet on which images are looked at before a model trains on them. It stops nothing."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QStyle,
    QVBoxLayout,
    QWidget,
)

from vaeviewer.backend.data.reading import Reading
from vaeviewer.session.data_loader import DataLoader, Fetched
from vaeviewer.ui.data.contact_sheet import ContactSheet
from vaeviewer.ui.data.reading_form import ReadingForm
from vaeviewer.ui.data.report_text import facts
from vaeviewer.ui.data.samples import Preview, preview_of
from vaeviewer.ui.data.skipped_list import SkippedList
from vaeviewer.ui.widgets.labels import ElidedLabel, tint
from vaeviewer.ui.widgets.plain_text import breakable, shortened
from vaeviewer.ui.widgets.theme import theme_of
from vaeviewer.ui.window.text_size import text_scale
from vaeviewer.ui.window.work_row import fetching_text, show_progress


class ImageSheet(QDialog):
    """Shows what is in a folder or file, and lets the user choose how it is read. Deletes itself when closed.

    Args:
        parent: The window it belongs to.
        loader: Reads, on a thread of its own; what it did before is given up.
        path: The folder or file.

    Signals:
        chosen(ImageDataset): These images are to be used; the sheet closes.
    """

    chosen = Signal(object)

    def __init__(self, parent: QWidget, loader: DataLoader, path: Path) -> None:
        super().__init__(parent)
        self.setObjectName("imageSheet")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Look at the images")
        self.setModal(False)
        self._loader = loader
        self._path = path
        self._shown: Preview | None = None
        self._shown_reading = Reading()

        self.form = ReadingForm()
        self.form.changed.connect(self._read)
        self.images = ContactSheet()
        self.skipped = SkippedList()
        self._say = _words("sheetSentence")
        self._say.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._facts, self._notes = _words("sheetFacts"), _words("sheetNotes")
        self._use = _button("&Use these images", "Go over to these images", self._on_use)
        self._stop = _button(
            "S&top reading", "Keep what is shown, and the choices it was read with", self._on_stop
        )
        self._bar = QProgressBar()
        self._bar.setAccessibleName("How much is read")
        self._bar.setTextVisible(False)  # the words beside it say so
        self._doing = QLabel()
        self._doing.setTextFormat(Qt.TextFormat.PlainText)
        self._lay_out()
        self._cancel.setFocus()
        self._tint()
        loader.loaded.connect(self._on_read)
        loader.failed.connect(self._on_failed)
        loader.progress.connect(self._on_progress)
        self._read(self.form.reading)

    # What the user does

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter presses the button that has the focus, and otherwise only takes what was typed; Escape closes."""
        if event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            super().keyPressEvent(event)
            return
        focus = self.focusWidget()
        if isinstance(focus, QPushButton):
            focus.click()

    def done(self, result: int) -> None:
        """Give up what is being read."""
        for signal, slot in (
            (self._loader.loaded, self._on_read),
            (self._loader.failed, self._on_failed),
            (self._loader.progress, self._on_progress),
        ):
            signal.disconnect(slot)
        self._loader.cancel()
        super().done(result)

    def _on_use(self) -> None:
        assert self._shown is not None, "the button is there once something is"
        dataset = self._shown.dataset
        self.accept()
        self.chosen.emit(dataset)

    def _on_stop(self) -> None:
        self._loader.cancel()
        self.form.set_reading(self._shown_reading)
        self._rest()

    # Reading

    def _read(self, reading: Reading) -> None:
        """Read anew; what is shown stays until that is done."""
        name = shortened(self._path.name or str(self._path))
        self._doing.setText(f"Reading {name}…")
        if self._shown is None:
            self._show_sentence("")
        show_progress(self._bar, 0, 0)
        self._progress.setVisible(True)
        self._stop.setVisible(self._shown is not None)
        self._use.setEnabled(False)
        self._loader.start(partial(_previewed, self._path, reading))

    def _on_progress(self, fetched: Fetched) -> None:
        self._doing.setText(fetching_text(shortened(self._path.name or str(self._path)), fetched))
        show_progress(self._bar, fetched.done, fetched.total)

    def _on_read(self, preview: Preview) -> None:
        self._shown, self._shown_reading = preview, self.form.reading
        self.images.set_classes(preview.classes)
        self._stack.setCurrentWidget(self.images)
        report = preview.dataset.report
        if report is not None:
            self.form.set_found(report)
            self._facts.setText(facts(report))
            self._notes.setText(breakable("\n".join(report.notes)))
            self.skipped.set_report(report)
        self._rest()
        if self.focusWidget() in (self._cancel, self._stop):  # to no choice: perhaps none is needed
            self._use.setFocus()

    def _on_failed(self, sentence: str) -> None:
        """Other choices may help, so it stays open."""
        self._shown = None
        self._facts.clear()
        self._notes.clear()
        self.skipped.hide()
        self._show_sentence(sentence)
        self._rest()

    def _show_sentence(self, sentence: str) -> None:
        self._say.setText(breakable(sentence[:1].upper() + sentence[1:]))
        self._stack.setCurrentWidget(self._say)

    def _rest(self) -> None:
        self._progress.setVisible(False)
        self._use.setEnabled(self._shown is not None)

    # Being a window

    def _lay_out(self) -> None:
        self._stack = QStackedWidget()
        self._stack.addWidget(self._say)
        self._stack.addWidget(self.images)
        column = QWidget()
        right = QVBoxLayout(column)
        right.setContentsMargins(0, 0, 6, 0)
        right.setSpacing(10)
        right.addWidget(self.form)
        right.addWidget(self.skipped, 1)
        right.addStretch(0)
        scrolled = QScrollArea()
        scrolled.setWidgetResizable(True)
        scrolled.setFrameShape(QFrame.Shape.NoFrame)
        scrolled.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scrolled.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scrolled.setWidget(column)
        bar = self.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent)
        scrolled.setMinimumWidth(max(round(320 * text_scale()), column.minimumSizeHint().width() + bar))
        left = QVBoxLayout()
        left.addWidget(self._stack, 1)
        left.addWidget(self._facts)
        left.addWidget(self._notes)
        middle = QHBoxLayout()
        middle.setSpacing(12)
        middle.addLayout(left, 5)
        middle.addWidget(scrolled, 2)

        self._progress = QWidget()
        kept = self._progress.sizePolicy()
        kept.setRetainSizeWhenHidden(True)
        self._progress.setSizePolicy(kept)
        row = QHBoxLayout(self._progress)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._doing, 1)
        row.addWidget(self._bar, 1)
        row.addWidget(self._stop)

        self._cancel = _button("&Cancel", "Close this and change nothing (Escape)", self.reject)
        bottom = QHBoxLayout()
        bottom.addWidget(self._progress, 1)
        bottom.addWidget(self._use)
        bottom.addWidget(self._cancel)

        title = ElidedLabel(str(self._path))
        title.setObjectName("sheetTitle")
        layout = QVBoxLayout(self)
        layout.addWidget(title)
        layout.addLayout(middle, 1)
        layout.addLayout(bottom)
        room = self.screen().availableSize() * 0.9
        self.resize((QSize(1020, 640) * text_scale()).boundedTo(room))

    def changeEvent(self, event: QEvent) -> None:
        """Take over the colours of a new scheme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._tint()

    def _tint(self) -> None:
        tint(self._notes, theme_of(self.palette()).muted)


def _previewed(path: Path, reading: Reading, report: object, cancelled: object) -> Preview:
    """On the loader's thread."""
    from vaeviewer.backend.data.opening import open_images

    return preview_of(open_images(path, reading, progress=report, cancelled=cancelled))  # type: ignore[arg-type]


def _words(name: str) -> QLabel:
    label = QLabel()
    label.setObjectName(name)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
    return label


def _button(text: str, tip: str, action: object) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setAutoDefault(False)
    button.clicked.connect(action)
    return button
