"""The field in which z is typed, pasted and copied."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QFocusEvent, QKeyEvent, QMouseEvent, QPalette
from PySide6.QtWidgets import QLabel, QLineEdit, QVBoxLayout, QWidget

from vaeviewer.analysis.latent_plane import Array
from vaeviewer.analysis.typed_code import code_text, read_code
from vaeviewer.errors import UserError
from vaeviewer.ui.widgets.labels import LiveLabel
from vaeviewer.ui.widgets.theme import theme_of


class CodeField(QWidget):
    """A caption that says where z is; a click, or its action, turns it into a field with all numbers of z.

    Args:
        caption: What is shown while nothing is typed.

    Attributes:
        type_action: "Type z…", with its key.
    """

    typed = Signal(object)
    """A code ``(d,)`` that was typed or pasted."""

    def __init__(self, caption: LiveLabel) -> None:
        super().__init__()
        self._caption = caption
        self._code: Array | None = None
        self._line = _Line(self._problem_of, self._say)
        self._problem = QLabel()
        self._problem.setObjectName("codeProblem")
        self._problem.setTextFormat(Qt.TextFormat.PlainText)
        self._problem.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._problem.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for widget in (caption, self._line, self._problem):
            layout.addWidget(widget)
        self._line.hide()
        self._problem.hide()
        caption.setCursor(Qt.CursorShape.IBeamCursor)
        caption.setToolTip("Click to type or paste another z (Z).")
        self.type_action = QAction("T&ype z…", self)
        self.type_action.setShortcut("Z")
        self.type_action.triggered.connect(self.begin)
        self.addAction(self.type_action)
        self._line.returnPressed.connect(self._take)
        self._line.left.connect(self._end)

    def set_code(self, code: Array | None) -> None:
        """Where z is now; ``None`` where there is no model."""
        self._code = code
        self.type_action.setEnabled(code is not None)
        if code is None:
            self._end()

    def begin(self) -> None:
        """Show all of z in a field, to be changed or copied."""
        if self._code is None or not self.isVisible():
            return
        self._line.setText(code_text(self._code))
        self._caption.hide()
        self._line.show()
        self._line.setFocus(Qt.FocusReason.OtherFocusReason)
        self._line.selectAll()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click into the caption."""
        if event.button() == Qt.MouseButton.LeftButton and self._caption.isVisible():
            self.begin()

    def _read(self) -> Array | None:
        """The code that was typed; ``None`` where nothing was.

        Raises:
            UserError: What was typed is none.
        """
        if self._code is None or not self._line.isModified():
            return None
        return read_code(self._line.text(), len(self._code))

    def _problem_of(self) -> str:
        try:
            self._read()
        except UserError as error:
            return str(error)
        return ""

    def _say(self, problem: str) -> None:
        palette = self._problem.palette()
        palette.setColor(QPalette.ColorRole.WindowText, theme_of(self.palette()).warning)
        self._problem.setPalette(palette)
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))

    def _take(self) -> None:
        code = self._read()
        self._line.setModified(False)
        if code is not None:
            self.typed.emit(code)
        self._end()

    def _end(self) -> None:
        self._line.hide()
        self._problem.hide()
        self._caption.show()


class _Line(QLineEdit):
    """A line that is not left with Enter while what is typed in it is no code.

    Args:
        problem: What is wrong with the text, as a sentence, or empty.
        say: Shows that.
    """

    left = Signal()
    """The focus went elsewhere."""

    def __init__(self, problem: Callable[[], str], say: Callable[[str], None]) -> None:
        super().__init__()
        self.problem = problem
        self._say = say
        self.setObjectName("codeField")
        self.setAccessibleName("z")
        self.setToolTip("Numbers separated by commas. Enter moves z there, Escape leaves it where it is.")
        self.textEdited.connect(lambda _: say(""))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter on what is no code says why, and changes nothing."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.problem():
            self._say(self.problem())
            return
        super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Only another window or a menu may come in between."""
        super().focusOutEvent(event)
        if event.reason() not in (Qt.FocusReason.ActiveWindowFocusReason, Qt.FocusReason.PopupFocusReason):
            self.left.emit()
