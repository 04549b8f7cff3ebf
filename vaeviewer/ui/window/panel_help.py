"""The "?" in a panel's title, and what it opens beside it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFocusEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QAbstractButton,
    QDockWidget,
    QFrame,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from vaeviewer.backend.config import Settings
from vaeviewer.backend.models.registry import AnyFamily
from vaeviewer.ui.panel import Explain
from vaeviewer.ui.widgets.scrolled import Scrolled
from vaeviewer.ui.widgets.theme import theme_of
from vaeviewer.ui.window.explanations import rich_text, terms_of

_LETTERS_PER_LINE = 64
_GAP = 4


class HelpButton(QAbstractButton):
    """A "?" in a circle that explains a panel.

    Args:
        title: The panel's.
        explanation: What it says of a kind of model.
        parent: The parent widget.
    """

    def __init__(self, title: str, explanation: Explain, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title, self._explanation = title, explanation
        self._family = Settings().family
        self.setObjectName("helpButton")
        self.setText("?")
        self.setAccessibleName(f"What is {title}?")
        self.setToolTip("What you see, what to try, the formula")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.clicked.connect(self.explain)

    def set_family(self, family: AnyFamily) -> None:
        """Explain the panel as it is for this kind of model."""
        self._family = family

    def explain(self) -> None:
        """Open the explanation."""
        HelpPopup(self._title, self._explanation, self._family, self).open_beside(self)

    def sizeHint(self) -> QSize:
        """A little less high than a line of text."""
        side = self.fontMetrics().height()
        return QSize(side, side)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A circle with a question mark."""
        theme = theme_of(self.palette())
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = min(self.width(), self.height()) - 2.0
        circle = QRectF((self.width() - side) / 2, (self.height() - side) / 2, side, side)
        lit = self.underMouse() or self.hasFocus()
        painter.setPen(QPen(QColor(theme.accent if lit else theme.muted), 1.6 if self.hasFocus() else 1.0))
        painter.drawEllipse(circle.adjusted(0.5, 0.5, -0.5, -0.5))
        font = self.font()
        font.setBold(True)
        font.setPointSizeF(font.pointSizeF() * 0.8)
        painter.setFont(font)
        painter.drawText(circle, Qt.AlignmentFlag.AlignCenter, "?")


class DockHelp(HelpButton):
    """The "?" in a dock's own title bar: beside the button that lets it float, or at its end where there is none."""

    def __init__(self, title: str, explanation: Explain, dock: QDockWidget) -> None:
        super().__init__(title, explanation, dock)
        self._dock = dock
        self._beside = dock.findChild(QAbstractButton, "qt_dockwidget_floatbutton")
        if self._beside is not None:
            self._beside.installEventFilter(self)
        panel = dock.widget()
        assert isinstance(panel, Scrolled), "as every dock's is"
        panel.placed.connect(self._place)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Qt gives a floating panel's focus to this, as the first there is: Space is to train, and not to open it."""
        super().focusInEvent(event)
        if self._dock.isFloating() and event.reason() == Qt.FocusReason.ActiveWindowFocusReason:
            self.clearFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay beside the other button, wherever the title bar puts it."""
        if event.type() in (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide):
            self._place()
        return False

    def _place(self) -> None:
        size = self.sizeHint()
        if self._beside is not None and not self._beside.isHidden():
            there = self._beside.geometry()
            right, middle = there.left(), there.center().y() + 1
        else:
            # A window of its own may have the system's title, so that it lies on the panel.
            right, middle = self._dock.width(), max(self._dock.widget().y(), size.height()) // 2
        self.setGeometry(
            right - size.width() - _GAP, middle - size.height() // 2, size.width(), size.height()
        )
        self.raise_()


class PanelTitle(QWidget):
    """A title with a "?" for a panel that lies in no dock."""

    def __init__(self, title: str, explanation: Explain | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panelTitle")
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 1, 6, 1)
        row.addWidget(QLabel(title))
        row.addStretch(1)
        if explanation is not None:
            row.addWidget(HelpButton(title, explanation))


class HelpPopup(QFrame):
    """Three sentences about a panel. A click on a term explains it below; Escape or a click elsewhere closes it."""

    def __init__(self, title: str, explanation: Explain, family: AnyFamily, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self._family = family
        self.setObjectName("helpPopup")
        self.setAccessibleName(f"About {title}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        theme = theme_of(self.palette())
        self.setStyleSheet(f"#helpPopup {{ background: {theme.base}; border: 1px solid {theme.muted}; }}")
        width = self.fontMetrics().averageCharWidth() * _LETTERS_PER_LINE
        self._text, self._term = QLabel(rich_text(explanation(family))), QLabel()
        self._text.setObjectName("helpText")
        self._text.setTextInteractionFlags(
            Qt.TextInteractionFlag.LinksAccessibleByMouse | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )
        self._text.linkActivated.connect(self._explain)
        self._term.setObjectName("helpTerm")
        self._term.setStyleSheet(f"border-top: 1px solid {theme.border}; padding-top: 6px;")
        self._term.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 4, 12, 10)
        for label in (self._text, self._term):
            label.setWordWrap(True)
            label.setFixedWidth(width)
            column.addWidget(label)
        self._beside: QWidget | None = None

    def open_beside(self, widget: QWidget) -> None:
        """Show it below ``widget``, or where else on the screen there is room."""
        self._beside = widget
        self._place()
        self.show()
        self._text.setFocus(Qt.FocusReason.PopupFocusReason)

    def _explain(self, term: str) -> None:
        self._term.setText(terms_of(self._family)[term])
        self._term.show()
        self._place()

    def _place(self) -> None:
        assert self._beside is not None, "it is opened beside something"
        for label in (self._text, self._term):
            label.setFixedHeight(max(0, label.heightForWidth(label.width())))  # −1 of one without text
        self.adjustSize()
        screen = self._beside.screen().availableGeometry()
        corner = self._beside.mapToGlobal(QPoint(0, self._beside.height() + _GAP))
        area = QRect(corner, self.size())
        if area.bottom() > screen.bottom():
            area.moveBottom(self._beside.mapToGlobal(QPoint(0, -_GAP)).y())
        area.moveRight(min(area.right(), screen.right()))
        area.moveTop(max(area.top(), screen.top()))
        area.moveLeft(max(area.left(), screen.left()))
        self.move(area.topLeft())


def explain_focused(window: QWidget) -> None:
    """Explain the panel that has the focus; elsewhere the plane."""
    above: QWidget | None = window.focusWidget()
    while above is not None and above is not window:
        button = above.findChild(HelpButton)
        if button is not None:
            button.explain()
            return
        above = above.parentWidget()
    plane = window.findChild(PanelTitle)
    button = plane.findChild(HelpButton) if plane is not None else None
    if button is not None:
        button.explain()
