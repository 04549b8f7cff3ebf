"""One message at a time above the plane: never modal, with the actions that answer it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import (
    QColor,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
    QShortcut,
)
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from vaeviewer.ui.text_dialog import TextDialog
from vaeviewer.ui.theme import theme_of

NARROW = 560
"""Below this width, pixels, answers stand below the sentence."""

Answer = tuple[str, Callable[[], None]]


def _nothing() -> None:
    """Closing a message does nothing else."""


class MessageBar(QFrame):
    """A sentence, buttons that answer it, and optionally a picture or a progress bar.

    Hidden while there is nothing to say.

    Signals:
        closed(): The message was answered or put away.
    """

    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("messageBar")
        self.setAccessibleName("Message")
        self._label = QLabel()
        self._label.setObjectName("messageText")
        self._label.setWordWrap(True)
        self._label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._picture = QLabel()
        self._picture.setObjectName("messagePicture")
        self._closing: Callable[[], None] = _nothing
        self._bar = QProgressBar()
        self._bar.setFixedWidth(160)
        self._bar.setAccessibleName("How much has been fetched")
        self._answers = QHBoxLayout()
        self._answers.addStretch(1)
        self._answers.addWidget(self._bar)
        self._words = QBoxLayout(QBoxLayout.Direction.LeftToRight)  # or the answers below
        self._words.addWidget(self._label, 1)
        self._words.addLayout(self._answers)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 6, 8, 6)
        layout.setSpacing(10)
        layout.addWidget(self._picture)
        layout.addLayout(self._words, 1)
        self._buttons: list[QPushButton] = []
        QShortcut(QKeySequence(Qt.Key.Key_Escape), self).activated.connect(
            self._put_away
        )  # while it is shown
        self.hide()

    @property
    def text(self) -> str:
        """The sentence shown, or an empty text."""
        return self._label.text() if not self.isHidden() else ""

    def show_message(
        self,
        sentence: str,
        answers: Sequence[Answer] = (),
        *,
        details: str = "",
        picture: QPixmap | None = None,
        closing: Answer = ("Dis&miss", _nothing),
    ) -> None:
        """Show a sentence in place of the one before.

        Args:
            sentence: What to say.
            answers: Button texts and what they do; each also closes the message.
            details: Text that a Details button shows, to read and copy.
            picture: What stands before the sentence.
            closing: Text of the last button, and what it, or Escape, does beside closing the message.
        """
        self._closing = closing[1]
        self._picture.setPixmap(picture or QPixmap())
        self._picture.setVisible(picture is not None)
        self._arrange()
        self.set_text(sentence)
        self._bar.hide()
        for button in self._buttons:
            button.deleteLater()
        self._buttons = []
        if details:
            self._add_button(
                "Detai&ls…",
                lambda: TextDialog(self.window(), "Details", details).show(),
                tip="What a developer would want to know, to read and to copy",
                closes=False,
            )
        for text, action in answers:
            self._add_button(text, action)
        self._add_button(closing[0], closing[1], tip="Close this message (Escape)")
        self.show()

    def set_text(self, sentence: str) -> None:
        """Put other words in place of the sentence, under the same buttons."""
        self._label.setText(sentence[:1].upper() + sentence[1:])

    def show_progress(self, done: int, total: int) -> None:
        """Show how far what the message tells of has come, in bytes; ``total`` 0 means unknown."""
        self._bar.setRange(0, max(0, total) // 1024)
        self._bar.setValue(max(0, done) // 1024)
        self._bar.setVisible(True)

    def hide(self) -> None:
        """Take the message away, and tell so; a hide event would come with the window's end, too."""
        was_there = not self.isHidden()
        super().hide()
        if was_there:
            self.closed.emit()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """A frame with a stripe that catches the eye."""
        # Painted, as a style sheet with a background would hold on to the scheme it was made in.
        theme = theme_of(self.palette())
        painter = QPainter(self)
        painter.setPen(QColor(theme.border))
        painter.setBrush(QColor(theme.base))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.fillRect(0, 0, 4, self.height(), QColor(theme.accent))
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Make room for the words."""
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        """The answers beside the words, or below them where that leaves the words too little."""
        below = self._picture.pixmap().width() > 0 or self.width() < NARROW
        direction = QBoxLayout.Direction.TopToBottom if below else QBoxLayout.Direction.LeftToRight
        if self._words.direction() != direction:
            self._words.setDirection(direction)

    def _put_away(self) -> None:
        self.hide()
        self._closing()

    def _add_button(
        self, text: str, action: Callable[[], None], *, tip: str = "", closes: bool = True
    ) -> None:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.setAutoDefault(False)
        if closes:
            button.clicked.connect(self.hide)
        button.clicked.connect(lambda: action())
        self._answers.addWidget(button)
        self._buttons.append(button)
