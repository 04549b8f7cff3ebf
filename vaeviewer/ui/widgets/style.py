"""The widget style: Qt's Fusion, with outlines that can be seen on dark ground too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QGuiApplication, QPainter, QPalette, QPen, QPolygonF
from PySide6.QtWidgets import (
    QApplication,
    QProxyStyle,
    QStyle,
    QStyleOption,
    QStyleOptionComboBox,
    QStyleOptionComplex,
    QWidget,
)

from vaeviewer.ui.widgets.theme import DARK, LIGHT, Theme, build_palette, theme_of

_Line = tuple[tuple[float, float], ...]

_DOCK_GLYPHS: Mapping[str, tuple[_Line, ...]] = {
    "qt_dockwidget_closebutton": (((-3.5, -3.5), (3.5, 3.5)), ((-3.5, 3.5), (3.5, -3.5))),
    "qt_dockwidget_floatbutton": (
        ((-4.0, -1.5), (1.5, -1.5), (1.5, 4.0), (-4.0, 4.0), (-4.0, -1.5)),
        ((-1.5, -1.5), (-1.5, -4.0), (4.0, -4.0), (4.0, 1.5), (1.5, 1.5)),
    ),
}
"""Lines of the two buttons in a dock's title, by Qt's names for them; pixels from the middle."""

_FIELDS = (QStyle.ComplexControl.CC_SpinBox, QStyle.ComplexControl.CC_ComboBox)


class CrispFusion(QProxyStyle):
    """Fusion darkens the window's colour for its outlines, which on dark ground leaves none.

    Check boxes, toolbars and the buttons of docks are drawn here in both schemes; in the dark one fields get an outline
    of their own.
    """

    def __init__(self) -> None:
        super().__init__("Fusion")

    def drawPrimitive(
        self,
        element: QStyle.PrimitiveElement,
        option: QStyleOption,
        painter: QPainter,
        widget: QWidget | None = None,
    ) -> None:
        """Draw check boxes; outline text fields."""
        if element == QStyle.PrimitiveElement.PE_IndicatorCheckBox:
            _draw_check_box(option, painter)
            return
        super().drawPrimitive(element, option, painter, widget)
        if element == QStyle.PrimitiveElement.PE_FrameLineEdit:
            _outline(option, painter)

    def drawControl(
        self,
        element: QStyle.ControlElement,
        option: QStyleOption,
        painter: QPainter,
        widget: QWidget | None = None,
    ) -> None:
        """Draw toolbars flat: Fusion's have a gradient, and bright edges on dark ground. Elide choices."""
        if element == QStyle.ControlElement.CE_ToolBar:
            _draw_toolbar(option, painter)
        elif isinstance(option, QStyleOptionComboBox):
            super().drawControl(element, self._elided(option, widget), painter, widget)
        else:
            if element == QStyle.ControlElement.CE_DockWidgetTitle and widget is not None:
                painter.setFont(widget.font())  # Qt's own choice does not follow the size of text
            super().drawControl(element, option, painter, widget)

    def _elided(self, option: QStyleOptionComboBox, widget: Any) -> QStyleOptionComboBox:
        field = QStyle.SubControl.SC_ComboBoxEditField
        room = self.subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, widget).width() - 2
        elided = QStyleOptionComboBox(option)
        elided.currentText = option.fontMetrics.elidedText(
            option.currentText, Qt.TextElideMode.ElideRight, room
        )
        return elided

    def drawComplexControl(
        self,
        control: QStyle.ComplexControl,
        option: QStyleOptionComplex,
        painter: QPainter,
        widget: QWidget | None = None,
    ) -> None:
        """Draw the buttons of docks; outline number fields and choices."""
        if control == QStyle.ComplexControl.CC_ToolButton and widget is not None:
            glyph = _DOCK_GLYPHS.get(widget.objectName())
            if glyph is not None:
                _draw_dock_button(option, painter, glyph)
                return
        super().drawComplexControl(control, option, painter, widget)
        if control in _FIELDS:
            _outline(option, painter)


def _draw_toolbar(option: QStyleOption, painter: QPainter) -> None:
    theme = theme_of(option.palette)
    painter.fillRect(option.rect, QColor(theme.window))
    painter.fillRect(option.rect.adjusted(0, option.rect.height() - 1, 0, 0), QColor(theme.border))


def _draw_dock_button(option: QStyleOption, painter: QPainter, glyph: tuple[_Line, ...]) -> None:
    theme = theme_of(option.palette)
    over = bool(option.state & (QStyle.StateFlag.State_MouseOver | QStyle.StateFlag.State_Sunken))
    area = QRectF(option.rect)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if over:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.grid))
        painter.drawRoundedRect(area, 2, 2)
    painter.setPen(QPen(QColor(theme.ink if over else theme.muted), 1.2))
    painter.translate(area.center())
    for line in glyph:
        painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in line]))
    painter.restore()


def _draw_check_box(option: QStyleOption, painter: QPainter) -> None:
    theme = theme_of(option.palette)
    state = option.state
    enabled = bool(state & QStyle.StateFlag.State_Enabled)
    checked = bool(state & QStyle.StateFlag.State_On)
    outline = QColor(theme.muted)
    ink = option.palette.color(QPalette.ColorRole.WindowText)
    if not enabled:
        outline.setAlphaF(0.45)
        ink.setAlphaF(0.45)
    elif state & (QStyle.StateFlag.State_HasFocus | QStyle.StateFlag.State_MouseOver):
        outline = QColor(theme.accent)
    area = QRectF(option.rect)
    side = min(area.width(), area.height())
    box = QRectF(area.x() + 0.5, area.y() + (area.height() - side) / 2 + 0.5, side - 1, side - 1)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(outline, 1.0))
    painter.setBrush(QColor(theme.base if enabled else theme.window))
    painter.drawRoundedRect(box, 2, 2)
    if checked:
        pen = QPen(ink, side / 7)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        tick = ((0.24, 0.52), (0.43, 0.72), (0.77, 0.28))
        painter.drawPolyline(
            QPolygonF([QPointF(box.x() + x * box.width(), box.y() + y * box.height()) for x, y in tick])
        )
    painter.restore()


def _outline(option: QStyleOption, painter: QPainter) -> None:
    """A thin frame in the dark scheme, in place of one too dark to see."""
    theme: Theme = theme_of(option.palette)
    state = option.state
    if not theme.dark or state & QStyle.StateFlag.State_HasFocus:
        return
    frame = QColor(theme.muted)
    frame.setAlphaF(0.55 if state & QStyle.StateFlag.State_Enabled else 0.25)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(frame, 1.0))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(QRectF(option.rect).adjusted(0.5, 0.5, -0.5, -0.5), 2.5, 2.5)
    painter.restore()


def follow_system_scheme(app: QApplication, scheme: str | None = None) -> None:
    """Use the light or dark palette, and switch with the system's scheme while the program runs.

    Args:
        app: The application.
        scheme: ``"light"`` or ``"dark"`` to hold one whatever the system says; ``None`` to follow it.
    """
    app.setStyle(CrispFusion())

    def apply() -> None:
        dark = (scheme or _system_scheme()) == "dark"
        app.setPalette(build_palette(DARK if dark else LIGHT))

    apply()
    if scheme is None:
        QGuiApplication.styleHints().colorSchemeChanged.connect(apply)


def _system_scheme() -> str:
    dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
    return "dark" if dark else "light"
