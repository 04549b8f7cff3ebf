"""A window beside the main window that shows a text to read and copy. It stops nothing."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QFontDatabase, QGuiApplication, QTextCursor
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from vaeviewer.ui.widgets.plain_text import breakable


class TextDialog(QDialog):
    """Shows a text from its end, in a fixed-width font. Deletes itself when closed.

    Args:
        parent: The window it belongs to.
        title: Its title.
        text: What to show.
        file: The file the text is from, named above it, with a button that opens its folder.
    """

    def __init__(self, parent: QWidget, title: str, text: str, file: Path | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("textDialog")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.setModal(False)
        self.text = QPlainTextEdit(text)
        self.text.setReadOnly(True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setAccessibleName(title)
        layout = QVBoxLayout(self)
        if file is not None:
            label = QLabel(breakable(str(file)))
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            layout.addWidget(label)
        layout.addWidget(self.text, 1)
        buttons = QHBoxLayout()
        layout.addLayout(buttons)
        buttons.addWidget(self._button("&Copy", lambda: QGuiApplication.clipboard().setText(text)))
        if file is not None:
            folder = QUrl.fromLocalFile(str(file.parent))
            buttons.addWidget(self._button("Open &folder", lambda: QDesktopServices.openUrl(folder)))
        buttons.addStretch(1)
        buttons.addWidget(self._button("Close", self.close))
        self.resize(900, 480)
        self.text.moveCursor(QTextCursor.MoveOperation.End)
        self.text.moveCursor(QTextCursor.MoveOperation.StartOfLine)

    def _button(self, text: str, action: object) -> QPushButton:
        button = QPushButton(text)
        button.setAutoDefault(False)
        button.clicked.connect(action)
        return button
