"""Above the plane: one message at a time, never modal, with the actions that answer it, and the work under way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QSize, Qt
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
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from vaeviewer.ui.widgets.plain_text import breakable, plain_tip
from vaeviewer.ui.widgets.theme import theme_of
from vaeviewer.ui.window.messages import Answer, Kind, Message, MessageQueue, nothing
from vaeviewer.ui.window.text_dialog import TextDialog
from vaeviewer.ui.window.work_row import WorkRow

NARROW = 560
"""Below this width, pixels, answers stand below the sentence."""

DEAF_S = 0.3
"""So long after an answer the next message takes none: the second click of a double click is not meant for it."""

NARROW = 240
"""A window may be this narrow whatever is said in it, in pixels."""

QWIDGETSIZE_MAX = 2**24 - 1


class MessageBar(QFrame):
    """A sentence, buttons that answer it, and optionally a picture; below it a row that shows work under way.

    Hidden while there is nothing to say. Messages that came meanwhile are shown one after the other, see
    :class:`~vaeviewer.ui.window.messages.MessageQueue`.

    Attributes:
        work: Shows what takes long, beside any message.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("messageBar")
        self.setAccessibleName("Message")
        self._queue = MessageQueue()
        self._shown: Message | None = None
        self._deaf_until = 0.0
        self._label = sentence_label("messageText")
        self._waiting = QLabel()
        self._waiting.setObjectName("messagesWaiting")
        self._picture = QLabel()
        self._picture.setObjectName("messagePicture")
        self._answers = QHBoxLayout()
        self._answers.addStretch(1)
        self._answers.addWidget(self._waiting)
        self._words = QBoxLayout(QBoxLayout.Direction.LeftToRight)  # or the answers below
        self._words.addWidget(self._label, 1)
        self._words.addLayout(self._answers)
        self._row = QWidget()
        row = QHBoxLayout(self._row)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addWidget(self._picture)
        row.addLayout(self._words, 1)
        self.work = WorkRow()
        self.work.changed.connect(self._show)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 6, 8, 6)
        layout.addWidget(self._row)
        layout.addWidget(self.work)
        self._buttons: list[QPushButton] = []
        QShortcut(QKeySequence(Qt.Key.Key_Escape), self).activated.connect(
            self._put_away
        )  # while it is shown
        self.hide()

    @property
    def text(self) -> str:
        """The sentence shown, or what is under way, or an empty text."""
        return _capital(self._shown.sentence) if self._shown is not None else self.work.text

    @property
    def key(self) -> str:
        """The key of the message shown, or an empty text."""
        return self._shown.key if self._shown is not None else ""

    def show_message(
        self,
        sentence: str,
        answers: Sequence[Answer] = (),
        *,
        key: str = "",
        kind: Kind | None = None,
        details: str = "",
        picture: QPixmap | None = None,
        closing: Answer = ("Dis&miss", nothing),
    ) -> None:
        """Say something, at once or when what goes before it was answered.

        Args:
            sentence: What to say, plain text.
            answers: Button texts and what they do; each also closes the message.
            key: What it is about: it replaces the message of the same key. The sentence itself where it is empty.
            kind: What it is; a question where there are answers, else a note.
            details: Text that a Details button shows, to read and copy.
            picture: What stands before the sentence.
            closing: Text of the last button, and what it, or Escape, does beside closing the message.
        """
        kind = kind if kind is not None else Kind.QUESTION if answers else Kind.NOTE
        self._queue.put(Message(key or sentence, kind, sentence, tuple(answers), details, picture, closing))
        self._show()

    def take_back(self, key: str) -> None:
        """What the message of this key says holds no longer."""
        self._queue.remove(key)
        self._show()

    def set_text(self, key: str, sentence: str) -> None:
        """Put other words in place of a message's sentence; without effect where it was answered."""
        message = self._queue.find(key)
        if message is not None:
            self.show_message(
                sentence,
                message.answers,
                key=key,
                kind=message.kind,
                details=message.details,
                picture=message.picture,
                closing=message.closing,
            )

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

    def minimumSizeHint(self) -> QSize:
        """Narrow enough for any window: what it says wraps, and its answers go below."""
        return super().minimumSizeHint().boundedTo(QSize(NARROW, QWIDGETSIZE_MAX))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Make room for the words."""
        super().resizeEvent(event)
        self._arrange()

    def _show(self) -> None:
        """Bring what is seen up to date with the queue and the work."""
        message = self._queue.current
        before, self._shown = self._shown, message
        if message is not None and message is not before:
            sentence = breakable(_capital(message.sentence))
            self._label.setText(sentence)
            self._label.setToolTip(plain_tip(message.sentence) if "…" in sentence else "")
            if before is None or replace(before, sentence="") != replace(message, sentence=""):
                self._fill(message)
        more = len(self._queue) - 1
        self._waiting.setText(f"{more} more")
        self._waiting.setToolTip("Messages that are shown when this one is answered")
        self._waiting.setVisible(more > 0)
        self._row.setVisible(message is not None)
        self.setVisible(message is not None or self.work.active)

    def _fill(self, message: Message) -> None:
        self._picture.setPixmap(message.picture or QPixmap())
        self._picture.setVisible(message.picture is not None)
        self._arrange()
        for button in self._buttons:
            button.hide()  # at once: it may be the one pressed just now
            button.deleteLater()
        self._buttons = []
        if message.details:
            self._add_button(
                "Detai&ls…",
                lambda: TextDialog(self.window(), "Details", message.details).show(),
                tip="What a developer would want to know, to read and to copy",
            )
        for text, action in message.answers:
            self._add_button(text, partial(self._click, message, action))
        text, action = message.closing
        self._add_button(text, partial(self._click, message, action), tip="Close this message (Escape)")

    def _arrange(self) -> None:
        """The answers beside the words, or below them where that leaves the words too little."""
        below = self._picture.pixmap().width() > 0 or self.width() < NARROW
        direction = QBoxLayout.Direction.TopToBottom if below else QBoxLayout.Direction.LeftToRight
        if self._words.direction() != direction:
            self._words.setDirection(direction)

    def _click(self, message: Message, action: Callable[[], object]) -> None:
        if time.perf_counter() < self._deaf_until:
            return
        if len(self._queue) > 1:
            self._deaf_until = time.perf_counter() + DEAF_S
        self._answer(message, action)

    def _answer(self, message: Message, action: Callable[[], object]) -> None:
        self.take_back(message.key)
        action()

    def _put_away(self) -> None:
        if self._shown is not None:
            self._answer(self._shown, self._shown.closing[1])
        else:
            self.work.put_away()

    def _add_button(self, text: str, action: Callable[[], object], *, tip: str = "") -> None:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.setAutoDefault(False)
        button.clicked.connect(lambda: action())
        self._answers.addWidget(button)
        button.show()  # now, not in the next turn of the event loop
        self._buttons.append(button)


def sentence_label(name: str) -> QLabel:
    """A label for plain sentences that wrap."""
    label = QLabel()
    label.setObjectName(name)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
    return label


def _capital(sentence: str) -> str:
    # A symbol stays as it is: a capital β looks like a B.
    return sentence[:1].upper() + sentence[1:] if sentence[:1].isascii() else sentence
