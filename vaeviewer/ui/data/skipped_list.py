"""The list of files that were skipped, each with the reason, to copy and to save."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QStringListModel, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListView,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from vaeviewer.backend.data.report import LoadReport
from vaeviewer.backend.runs import atomic_files
from vaeviewer.ui.data.report_text import skipped_lines, skipped_title
from vaeviewer.ui.widgets.plain_text import plain_tip


class SkippedList(QWidget):
    """Hidden while nothing was skipped."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("skipped")
        self._lines: list[str] = []
        self._title = QLabel()
        self._model = _Model(self)
        self._list = _Lines()
        self._list.setModel(self._model)
        self._title.setBuddy(self._list)
        self._said = QLabel()
        self._said.setObjectName("skippedSaid")
        self._said.setWordWrap(True)
        self._said.hide()
        copy, save = QPushButton("Co&py"), QPushButton("&Save…")
        copy.setToolTip("Copy the whole list")
        copy.clicked.connect(self._copy)
        save.setToolTip("Write the list to a text file")
        save.clicked.connect(self._save)
        buttons = QHBoxLayout()
        buttons.addWidget(self._title, 1)
        for button in (copy, save):
            button.setAutoDefault(False)
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(buttons)
        layout.addWidget(self._list, 1)
        layout.addWidget(self._said)
        self.hide()

    @property
    def text(self) -> str:
        """The whole list, a line for each file."""
        return "".join(f"{line}\n" for line in self._lines)

    def set_report(self, report: LoadReport) -> None:
        """Show what was skipped."""
        self._lines = skipped_lines(report)
        self._title.setText(skipped_title(len(self._lines)))
        self._model.setStringList(self._lines)
        self._said.hide()
        self.setVisible(bool(self._lines))

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text)

    def _save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save the list", "skipped.txt", "Text (*.txt)")
        if not name:
            return
        file = Path(name)
        try:
            atomic_files.write_whole(file, self.text.encode("utf-8", "replace"))
        except (OSError, ValueError) as error:
            said = f"{file} could not be written ({atomic_files.reason(error)}); choose another place."
        else:
            said = f"Saved as {file.name}"
        self._said.setText(said)
        self._said.show()


class _Model(QStringListModel):
    """Lines that can be read in full where there is no room for them."""

    def data(
        self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """A line, also for its tooltip."""
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(str(super().data(index, Qt.ItemDataRole.DisplayRole)))
        return super().data(index, role)


class _Lines(QListView):
    """Lines that can be selected and copied; as fast with a hundred thousand of them."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("skippedFiles")
        self.setAccessibleName("Files that were skipped")
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setMinimumHeight(90)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy all lines that are selected, not the last one alone."""
        if event.matches(QKeySequence.StandardKey.Copy):
            rows = sorted(index.row() for index in self.selectedIndexes())
            lines = [str(self.model().index(row, 0).data()) for row in rows]
            QGuiApplication.clipboard().setText("\n".join(lines))
        else:
            super().keyPressEvent(event)
